//! A static Linux program of one ISA, made by an ordinary compiler and of no library: its signal handlers run as on Linux.

use std::path::{Path, PathBuf};
use std::process::Command;

use isa::Isa;

use crate::in_process::{checked, run_traced};
use crate::native::Printed;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/plain_signals.c");

#[test]
fn handlers_of_one_isas_own_program_run_as_on_linux() {
    for isa in Isa::ALL {
        let program = build(isa);
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

fn build(isa: Isa) -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("plain_signals.{isa}"));
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
    clang.arg(target).args(flags).arg(&program).arg(SOURCE);
    let output = clang.output().expect("clang-19 is installed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    program
}
