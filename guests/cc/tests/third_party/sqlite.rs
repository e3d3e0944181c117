//! SQLite's shell, which has to make its one big file of C first, works through a script of some hundred statements on a database on disk,
//! with hops in all of its functions.

use std::fs;
use std::path::Path;

use crate::build::{SQLITE, built};
use crate::run::{PAIRS, kettle, plain};

const STEPS: &[&[&str]] = &[
    &[
        "./configure",
        "CC=kettle-cc --migration-points=functions",
        "AR=kettle-ar",
        "RANLIB=kettle-ranlib",
        "--disable-shared",
        "--disable-tcl",
        "--disable-readline",
    ],
    &["make", "sqlite3"],
];

/// The statements; it counts as one what ends with a semicolon at the end of a line.
fn script() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/third_party/scripts/shop.sql");
    let script = fs::read_to_string(path).expect("the script is there");
    let statements = script.lines().filter(|l| l.ends_with(';')).count();
    assert!(statements >= 200, "{statements} statements");
    script
}

#[test]
#[ignore = "takes minutes: `cargo xtask test --full` runs it"]
fn two_hundred_statements() {
    let script = script();
    let program = built(&SQLITE, STEPS).join("sqlite3");
    let program = program.to_str().expect("paths are text");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let at = directory.path();
    let home = "HOME=/";
    let expected = plain(at, &["env", home, program, "native.db"], &script);
    assert!(expected.out.ends_with("done\n"), "{expected:?}");
    assert!(!expected.out.contains("rror"), "{expected:?}");
    let other = format!("{program}_aarch64");
    let words = ["env", home, "qemu-aarch64", &other, "qemu.db"];
    assert_eq!(plain(at, &words, &script), expected);
    let database = fs::read(at.join("native.db")).expect("the database is on disk");
    for (number, nodes) in PAIRS.into_iter().enumerate() {
        let name = format!("kettle{number}.db");
        let options = ["--nodes", nodes, "--env", home, "--root", ".", "--writable"];
        let options = [&options[..], &["--hop-every", "500"]].concat();
        let emulated = kettle(at, &options, &[program, &name], &script);
        assert_eq!(emulated.ran, expected, "{nodes}:\n{}", emulated.errors);
        let hops = emulated.migrations();
        println!("on {nodes}: {hops} hops");
        assert!(hops > 1000, "{hops} hops");
        let kept = fs::read(at.join(&name)).expect("--writable has brought it here");
        assert!(kept == database, "{nodes}: the databases differ");
    }
}
