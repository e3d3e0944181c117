//! zlib's own test, `make teststatic`: its `minigzip`, there and back, and its `example`, which tries every function.

use crate::build::{ZLIB, built, copy};
use crate::run::{PAIRS, make, migrations_in};

const STEPS: &[&[&str]] = &[
    &[
        "env",
        "CC=kettle-cc --migration-points=loops",
        "AR=kettle-ar",
        "RANLIB=kettle-ranlib",
        "./configure",
        "--static",
    ],
    &["make", "static"],
];

/// Runs `make teststatic` in a copy of the build, each program behind the words in `runner`: the makefile has a variable for that.
fn test_with(runner: &str) -> String {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let at = directory.path().join("zlib");
    copy(&built(&ZLIB, STEPS), &at).expect("a build can be copied");
    let said = make(&at, &["teststatic", &format!("QEMU_RUN={runner}")]);
    for sign in [
        "hello world",
        "gzgets() after gzseek:  hello!",
        "large_inflate(): OK",
        "inflate with dictionary: hello, hello!",
        "*** zlib test OK ***",
    ] {
        assert!(said.contains(sign), "{sign} is not in\n{said}");
    }
    said
}

#[test]
fn on_plain_linux() {
    test_with("");
    // The makefile names the host's own binary: the other one is next to it.
    test_with("sh -c 'exec qemu-aarch64 \"$$0\"_aarch64 \"$$@\"'");
}

#[test]
fn with_hops() {
    for nodes in PAIRS {
        let runner = format!("kettle run --nodes {nodes} --hop-every {HOP_EVERY} --stdin -");
        let hops = migrations_in(&test_with(&runner));
        println!("{nodes}: {hops} hops");
        assert!(hops > 300, "{hops} hops");
    }
}

/// In migration points.
const HOP_EVERY: u32 = 200;
