//! The `kettle` command, run as a user runs it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::native::Printed;

/// The usual cluster of two nodes.
pub const TWO: [&str; 2] = ["--nodes", "x86_64,aarch64"];

/// What the command did.
pub struct Ended {
    /// Standard output and exit status.
    pub printed: Printed,
    /// Standard error.
    pub errors: String,
}

impl Ended {
    pub fn of(output: &Output) -> Self {
        Self {
            printed: Printed::of(output),
            errors: String::from_utf8(output.stderr.clone()).expect("messages are text"),
        }
    }

    /// The digest, which has to be the last line of all.
    pub fn digest(&self) -> &str {
        let last = self.errors.lines().last().unwrap_or("");
        let digest = last.strip_prefix("digest: ");
        let digest = digest.unwrap_or_else(|| panic!("no digest ends\n{}", self.errors));
        assert_eq!(digest.len(), 32, "{digest}");
        assert!(digest.bytes().all(|b| b.is_ascii_hexdigit()), "{digest}");
        digest
    }
}

/// `kettle run ARGUMENTS`, not started yet.
pub fn command<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kettle"));
    command.arg("run").args(arguments);
    command
}

/// `kettle run OPTIONS PROGRAM ARGUMENTS`.
pub fn run(options: &[&str], program: &Path, arguments: &[&str]) -> Ended {
    let mut command = command(options);
    let output = command.arg(program).args(arguments).output();
    Ended::of(&output.unwrap_or_else(|error| panic!("{command:?}: {error}")))
}

/// Copies one binary of a guest program under another name; a test that mixes files has its own directory.
pub fn install(name: &str, isa: isa::Isa, directory: &Path, as_file: &str) -> PathBuf {
    let path = directory.join(as_file);
    std::fs::copy(guests::binary(name, isa), &path).expect("the guest programs are built");
    path
}
