//! Wrong command lines, by the command itself: flags that are not there, values that are none, words in the wrong order. Each ends with a
//! sentence and status 125, or as the program that it starts ends.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::draws::Draws;
use crate::seeds;

const WORDS: [&str; 62] = [
    "run",
    "--nodes",
    "--nodes",
    "x86_64,aarch64",
    "x86_64,aarch64",
    "x86_64",
    "aarch64,",
    ",",
    "riscv64",
    "--cpus",
    "1",
    "0",
    "-1",
    "33",
    "--memory",
    "64MiB",
    "lots",
    "--link",
    "ib56",
    "avian",
    "--latency",
    "2us",
    "0us",
    "--bandwidth",
    "8Gbit/s",
    "--seed",
    "18446744073709551616",
    "--profile",
    "k52",
    "--root",
    ".",
    "/no/such/root",
    "--writable",
    "--stdin",
    "cluster.toml",
    "--env",
    "A=B",
    "=",
    "--hop-every",
    "--trace",
    "trace.txt",
    "--explain",
    "--quiet",
    "-q",
    "--max-time",
    "10us",
    "--check-invariants",
    "--poison",
    "--bogus",
    "--nodes=x86_64",
    "--stat",
    "-n",
    "-",
    "--",
    "--help",
    "--version",
    "-h",
    "help",
    "",
    "\u{1f980}",
    "./missing",
    "broken.toml",
];

#[test]
fn mutated_command_lines_0_to_499() {
    check(0..500);
}

#[test]
#[ignore = "a search: `cargo xtask soak` runs it"]
fn soak_mutated_command_lines() {
    check(seeds::asked_for());
}

fn check(seeds: std::ops::Range<u64>) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        std::fs::write(directory.path().join(name), text).expect("a file can be written");
    };
    file("cluster.toml", "[[node]]\nisa = \"x86_64\"\n");
    file("broken.toml", "[[node]\n");
    let program = guests::program("trivial").into_os_string();
    seeds::try_all("mutated_command_lines", seeds, |seed| {
        let arguments = arguments(&mut Draws::of(seed), &program);
        attempt(directory.path(), &arguments)
    });
}

fn arguments(draws: &mut Draws, program: &OsString) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    if !draws.one_in(8) {
        arguments.push("run".into());
    }
    if draws.one_in(2) {
        arguments.extend(["--nodes".into(), "x86_64,aarch64".into()]);
    }
    for _ in 0..draws.below(7) {
        arguments.push(match draws.below(12) {
            0 => OsString::from_vec(vec![0xff, b'-', 0x80]),
            1 | 2 => program.clone(),
            _ => (*draws.pick(&WORDS)).into(),
        });
    }
    if draws.one_in(2) {
        arguments.push(program.clone());
    }
    arguments
}

/// Runs the command to its end; whether it has refused.
fn attempt(directory: &Path, arguments: &[OsString]) -> bool {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kettle"));
    command
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null());
    let output = command.output().expect("it starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    let what = format!("{arguments:?} ended with {}:\n{errors}", output.status);
    assert_eq!(output.status.signal(), None, "{what}");
    assert!(!errors.contains("panicked"), "{what}");
    match output.status.code() {
        Some(0) => false,
        Some(125) => {
            let sentence = errors
                .lines()
                .any(|line| line.starts_with("kettle: ") || line.starts_with("Usage: "));
            assert!(sentence, "{what}");
            true
        }
        // `trivial` ends with 0; nothing else is started.
        _ => panic!("{what}"),
    }
}
