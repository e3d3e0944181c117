//! The command `kettle-ar`: archives of bitcode objects, for `make AR=kettle-ar`. It takes what `ar` takes.
//!
//! LLVM's archiver does the work; it reads bitcode, so the index of symbols is right. Added here: objects of ordinary compilers are
//! refused while the makefile's line is still in sight, not at the link.
#![forbid(unsafe_code)]

use std::io::Read as _;
use std::process::{Command, ExitCode};

use kettle_cc::inputs::{Contents, NATIVE, contents};

/// LLVM's archiver.
const TOOL: &str = "llvm-ar-19";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(native) = arguments.iter().skip(1).find(|a| is_native(a)) {
        eprintln!("kettle-ar: {native}: {NATIVE}");
        return ExitCode::FAILURE;
    }
    match Command::new(TOOL).args(&arguments).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("kettle-ar: cannot run {TOOL}: {error}; install llvm of version 19");
            ExitCode::FAILURE
        }
    }
}

/// Whether an argument names a file of machine code.
fn is_native(argument: &str) -> bool {
    let mut start = Vec::new();
    std::fs::File::open(argument)
        .and_then(|f| f.take(8).read_to_end(&mut start))
        .is_ok_and(|_| contents(&start) == Contents::Native)
}
