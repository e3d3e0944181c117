//! Lua 5.4: its interpreter, computed goto and all, runs scripts of ours that go through the language and its libraries.

use std::fs;
use std::path::Path;

use crate::build::{LUA, built};
use crate::run::{PAIRS, kettle, plain};

const STEPS: &[&[&str]] = &[&[
    "make",
    "posix",
    "CC=kettle-cc --migration-points=functions",
    "AR=kettle-ar rcu",
    "RANLIB=kettle-ranlib",
]];

/// Runs a script with a hop at every so many migration points.
fn check(script: &str, hop_every: &str) {
    let program = built(&LUA, STEPS).join("src/lua");
    let program = program.to_str().expect("paths are text");
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/third_party/scripts");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let at = directory.path();
    fs::copy(scripts.join(script), at.join(script)).expect("the script is there");
    let expected = plain(at, &[program, script], "");
    assert!(expected.out.ends_with("done\n"), "{expected:?}");
    let other = format!("{program}_aarch64");
    assert_eq!(plain(at, &["qemu-aarch64", &other, script], ""), expected);
    for nodes in PAIRS {
        let options = ["--nodes", nodes, "--root", ".", "--hop-every", hop_every];
        let emulated = kettle(at, &options, &[program, script], "");
        assert_eq!(emulated.ran, expected, "{nodes}:\n{}", emulated.errors);
        let hops = emulated.migrations();
        println!("{script} on {nodes}: {hops} hops");
        assert!(hops > 300, "{hops} hops");
    }
}

#[test]
#[ignore = "takes minutes: `cargo xtask test --full` runs it"]
fn the_language() {
    check("language.lua", "8000");
}

#[test]
fn the_libraries() {
    check("libraries.lua", "200");
}
