//! bzip2's own test, `make test`: three files compressed and three decompressed, compared with what its author got.

use std::fs;

use crate::build::{BZIP2, built, copy};
use crate::run::{PAIRS, make, migrations_in, replace, replace_by_kettle};

const STEPS: &[&[&str]] = &[&[
    "make",
    "CC=kettle-cc --migration-points=loops",
    "AR=kettle-ar",
    "RANLIB=kettle-ranlib",
    "bzip2",
]];

/// Runs `make test` in a copy of the build, in which `bzip2` is what `change` makes of it.
fn test_with(change: impl Fn(&std::path::Path)) -> String {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let at = directory.path().join("bzip2");
    copy(&built(&BZIP2, STEPS), &at).expect("a build can be copied");
    change(&at.join("bzip2"));
    let said = make(&at, &["test"]);
    assert!(said.contains("in business"), "{said}");
    fs::read_to_string(at.join("kettle.log")).unwrap_or_default()
}

#[test]
fn on_plain_linux() {
    test_with(|_| {});
    test_with(|program| replace(program, "exec qemu-aarch64 \"$0\"_aarch64 \"$@\""));
}

#[test]
#[ignore = "takes minutes: `cargo xtask test --full` runs it"]
fn with_hops() {
    for nodes in PAIRS {
        let options = format!("--nodes {nodes} --hop-every {HOP_EVERY}");
        let log = test_with(|program| replace_by_kettle(program, &options));
        let hops = migrations_in(&log);
        println!("{nodes}: {hops} hops");
        assert!(hops > 200, "{hops} hops:\n{log}");
    }
}

/// In migration points.
const HOP_EVERY: u32 = 20_000;
