//! Programs whose migration points kettle-cc has put in, with a hop of each thread at every Nth point: they print what they print on this host,
//! and stay where they are when nobody asks them to go.

use guests::Output;
use isa::Isa;

use crate::in_process::{PAIRS, checked, run, run_hopping};
use crate::kettle::{self, TWO};
use crate::native::{on_host, under_qemu};

/// What this module tests, of the table of guests.
pub const TESTED: [&str; 2] = ["points_functions", "points_loops"];

/// Programs that call `migrate` only, which is no point that counts, and that do so by the plan: nobody hops.
const WITHOUT_POINTS: [&str; 2] = ["hello", "libc_threads"];

fn hops(name: &str, every: u32, at_least: u64) {
    let expected = on_host(name, &[]);
    assert_eq!(expected.status, 0, "{}", expected.text);
    for isas in PAIRS {
        let ran = run_hopping(&checked(&isas), name, &[], every);
        let what = format!("{name} every {every} from {}", isas[0]);
        assert_eq!(ran.printed, expected, "{what}");
        assert!(ran.migrations > at_least, "{what}: {}", ran.migrations);
    }
}

#[test]
fn functions_every_point() {
    hops("points_functions", 1, 1_000);
}

#[test]
fn functions_every_seventh_point() {
    hops("points_functions", 7, 100);
}

#[test]
fn loops_every_point() {
    hops("points_loops", 1, 1_500);
}

#[test]
fn loops_every_seventh_point() {
    hops("points_loops", 7, 200);
}

#[test]
fn three_nodes_are_visited_in_turn() {
    let isas = [Isa::X86_64, Isa::Aarch64, Isa::Aarch64];
    let ran = run_hopping(&checked(&isas), "points_loops", &[], 5);
    assert_eq!(ran.printed, on_host("points_loops", &[]));
}

/// On plain Linux, and in a cluster where nobody proposes anything.
#[test]
fn who_is_not_asked_stays() {
    for name in TESTED {
        let expected = on_host(name, &[]);
        for isa in Isa::ALL {
            assert_eq!(under_qemu(name, isa, &[]), expected, "{name} for {isa}");
        }
        for isas in PAIRS {
            let ran = run(&checked(&isas), name, &[]);
            assert_eq!(
                (ran.printed, ran.migrations),
                (expected.clone(), 0),
                "{name}"
            );
        }
    }
    for name in WITHOUT_POINTS {
        let program = guests::all().iter().find(|p| p.name == name);
        assert!(program.is_some_and(|p| p.output == Output::Same));
        let ran = run_hopping(&checked(&PAIRS[0]), name, &["none"], 1);
        assert_eq!(
            (ran.printed, ran.migrations),
            (on_host(name, &["none"]), 0),
            "{name}"
        );
    }
}

/// A thread proposes to itself, and to another one, which goes at its next point.
#[test]
fn a_proposal_is_met_at_the_next_point() {
    for name in TESTED {
        for isas in PAIRS {
            let ran = run(&checked(&isas), name, &["propose"]);
            assert_eq!(ran.printed, on_host(name, &[]), "{name} from {}", isas[0]);
            assert_eq!(ran.migrations, 2, "{name} from {}", isas[0]);
        }
    }
}

/// The flag of the command; a node that cannot take the thread leaves it where it is.
#[test]
fn by_the_command() {
    let expected = on_host("points_functions", &[]);
    let options = [&TWO[..], &["--hop-every", "3", "--poison"]].concat();
    let ended = kettle::run(&options, &guests::program("points_functions"), &[]);
    assert_eq!(ended.printed, expected);
    assert!(
        !ended.errors.contains("migrations: 0\n"),
        "{}",
        ended.errors
    );
    let directory = tempfile::tempdir().expect("a directory");
    kettle::install(
        "points_functions",
        Isa::X86_64,
        directory.path(),
        "prog_x86-64",
    );
    let ended = kettle::run(&options, &directory.path().join("prog"), &[]);
    assert_eq!(ended.printed.text, expected.text);
    assert!(
        ended.errors.contains("no aarch64 binary"),
        "{}",
        ended.errors
    );
    assert!(ended.errors.contains("migrations: 0\n"), "{}", ended.errors);
    let ended = kettle::run(
        &[&TWO[..], &["--hop-every", "0"]].concat(),
        &directory.path().join("prog"),
        &[],
    );
    assert_eq!(ended.printed.status, 125);
}
