//! A static Linux program of one ISA, made by an ordinary compiler and of no library: its signal handlers run as on Linux.

use std::process::Command;

use isa::Isa;

use crate::in_process::{checked, run_traced};
use crate::native::Printed;
use crate::plain;

#[test]
fn handlers_of_one_isas_own_program_run_as_on_linux() {
    for isa in Isa::ALL {
        let program = plain::build("plain_signals", isa);
        let mut qemu = Command::new(format!("qemu-{}", isa.name()));
        let output = qemu.arg(&program).output().expect("qemu-user is installed");
        let expected = Printed::of(&output);
        assert_eq!(expected.status, 3);
        if isa.name() == std::env::consts::ARCH {
            let output = Command::new(&program).output().expect("it can be run here");
            assert_eq!(Printed::of(&output), expected);
        }
        let ran = run_traced(&checked(&[isa]), &program, &[], None);
        assert_eq!(ran.printed, expected, "{isa}");
    }
}
