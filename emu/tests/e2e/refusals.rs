//! Migrations that cannot be: the kernel's answers in the original's order of checks, and nodes that cannot take a process.

use isa::Isa;
use msglayer::MAX_POPCORN_NODES;

use crate::in_process::{checked, run};
use crate::kettle::{self, TWO, install};

/// What `refusals` prints in a cluster that has fewer than 32 nodes: -EINVAL before -EBUSY before -EAGAIN.
pub const ANSWERS: &str = "a negative node: -22\n\
    a node beyond the last possible: -22\n\
    the node it is on: -16\n\
    a node that is offline: -11\n\
    no node proposed: -22\n\
    refusals: ok\n";

#[test]
fn the_answers_do_not_depend_on_the_cluster() {
    for nodes in [1, 3, MAX_POPCORN_NODES - 1] {
        for first in Isa::ALL {
            let isas: Vec<_> = Isa::ALL.into_iter().cycle().take(nodes - 1).collect();
            let ran = run(&checked(&[&[first], &isas[..]].concat()), "refusals", &[]);
            assert_eq!(ran.printed.text, ANSWERS, "{nodes} nodes from {first}");
            assert_eq!((ran.printed.status, ran.migrations), (0, 0));
        }
    }
}

/// The thread learns that its migration failed and goes on at home; the user learns why.
#[test]
fn a_node_without_a_binary_refuses_and_the_program_goes_on() {
    for (here, there, nodes) in [
        (Isa::X86_64, Isa::Aarch64, "x86_64,aarch64"),
        (Isa::Aarch64, Isa::X86_64, "aarch64,x86_64"),
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        install(
            "hello",
            here,
            directory.path(),
            &format!("prog_{}", here.binary_suffix()),
        );
        for plan in ["once", "back", "every"] {
            let ended = kettle::run(&["--nodes", nodes], &directory.path().join("prog"), &[plan]);
            assert_eq!(
                ended.printed.text,
                "hello before\nhello after\nhello again\n"
            );
            assert_eq!(ended.printed.status, 126, "{}", ended.errors);
            let sentence = format!(
                "kettle: node 1 ({there}) cannot run /popcorn/prog: there is no {there} binary"
            );
            assert_eq!(
                ended.errors.matches(&sentence).count(),
                1,
                "{}",
                ended.errors
            );
            assert!(ended.errors.contains("migrations: 0\n"), "nobody got there");
            ended.digest();
        }
    }
}

/// Threads that stay do not hide a program's own verdict.
#[test]
fn a_status_of_the_program_goes_before_a_refusal() {
    let directory = tempfile::tempdir().expect("a directory");
    install("exit_status", Isa::X86_64, directory.path(), "prog_x86-64");
    let prog = directory.path().join("prog");
    let quiet = [&TWO[..], &["--quiet"]].concat();
    let ended = kettle::run(&quiet, &prog, &["once", "3"]);
    assert_eq!(ended.printed.text, "exiting with 3\n");
    assert_eq!(ended.printed.status, 3);
    assert_eq!(ended.errors.lines().count(), 1, "{}", ended.errors);
    assert!(ended.errors.contains("no aarch64 binary"));
}

/// Threads of one process meet a node that has no binary, next to one that has: those that can leave do.
#[test]
fn a_refusing_node_does_not_disturb_the_others() {
    let directory = tempfile::tempdir().expect("a directory");
    install("threads4", Isa::X86_64, directory.path(), "prog_x86-64");
    let nodes = ["--nodes", "x86_64,aarch64,x86_64", "--check-invariants"];
    let ended = kettle::run(&nodes, &directory.path().join("prog"), &["every"]);
    let expected = crate::native::on_host("threads4", &["every"]);
    assert_eq!(ended.printed.text, expected.text);
    assert_eq!(ended.printed.status, 126, "{}", ended.errors);
}
