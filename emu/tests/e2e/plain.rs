//! Static Linux programs of one ISA, made by an ordinary compiler and of no library.

use std::path::{Path, PathBuf};
use std::process::Command;

use isa::Isa;

/// Compiles `name`.c of this folder for an ISA. Tests are processes that do so at the same time: the program takes its name when it is complete.
pub fn build(name: &str, isa: Isa) -> PathBuf {
    let source = format!("{}/tests/e2e/{name}.c", env!("CARGO_MANIFEST_DIR"));
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.{isa}"));
    let making = program.with_extension(format!("{isa}.{}", std::process::id()));
    let target = format!("--target={}-unknown-linux-gnu", isa.name());
    let flags = [
        "-O2",
        "-static",
        "-nostdlib",
        "-ffreestanding",
        "-fuse-ld=lld",
        "-o",
    ];
    let mut clang = Command::new("clang-19");
    clang.arg(target).args(flags).arg(&making).arg(source);
    let output = clang.output().expect("clang-19 is installed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    std::fs::rename(&making, &program).expect("the program can be given its name");
    program
}
