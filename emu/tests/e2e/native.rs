//! Programs on plain Linux, where `migrate` fails and the program goes on: by this host and by qemu-user.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output};

use isa::Isa;

/// What a program printed and what a shell would see it exit with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    pub text: String,
    pub status: i32,
}

impl Printed {
    pub fn of(ended: &Output) -> Self {
        let status = ended.status.code();
        Self {
            text: String::from_utf8(ended.stdout.clone()).expect("guests print text"),
            status: status.unwrap_or_else(|| 128 + ended.status.signal().unwrap_or(0)),
        }
    }
}

/// This host's own binary.
pub fn on_host(name: &str, arguments: &[&str]) -> Printed {
    ended(Command::new(guests::program(name)).args(arguments))
}

/// The binary of an ISA under qemu-user.
pub fn under_qemu(name: &str, isa: Isa, arguments: &[&str]) -> Printed {
    let mut qemu = Command::new(format!("qemu-{}", isa.name()));
    ended(qemu.arg(guests::binary(name, isa)).args(arguments))
}

fn ended(command: &mut Command) -> Printed {
    let output = command.output();
    Printed::of(&output.unwrap_or_else(|error| panic!("{command:?}: {error}")))
}
