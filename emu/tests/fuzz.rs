//! Random C programs of 200 seeds: built by kettle-cc, which verifies them, and run by this host, by qemu-user, compiled by clang alone, and in
//! Kettle from both instruction sets with a hop at every migration point. All print the same. `cargo xtask test` does
//! the first quarter, `cargo xtask test --full` all, and `cargo xtask fuzz` more.

use std::ops::Range;
use std::path::Path;

use fuzz::{Tools, Trial};

#[test]
fn seeds_0_to_49() {
    check(0..50);
}

#[test]
#[ignore = "takes minutes: `cargo xtask test --full` runs it"]
fn seeds_50_to_99() {
    check(50..100);
}

#[test]
#[ignore = "takes minutes: `cargo xtask test --full` runs it"]
fn seeds_100_to_149() {
    check(100..150);
}

#[test]
#[ignore = "takes minutes: `cargo xtask test --full` runs it"]
fn seeds_150_to_199() {
    check(150..200);
}

fn check(seeds: Range<u64>) {
    let trial = Trial {
        tools: Tools {
            kettle_cc: guests::compiler(),
            kettle: env!("CARGO_BIN_EXE_kettle").into(),
        },
        seeds: seeds.clone(),
        batch: 10,
        jobs: 1,
        directory: Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{}", seeds.start)),
    };
    std::fs::create_dir_all(&trial.directory).expect("a directory in target");
    let report = trial.run(|_| false, |_, _| ());
    let failures: Vec<String> = report
        .failures
        .iter()
        .map(|f| {
            format!(
                "seed {}: {}\n  kept in {}",
                f.seed,
                f.what,
                f.kept.display()
            )
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(report.seeds, seeds.end - seeds.start);
    // Two runs of each, many of which have hundreds of hops.
    assert!(
        report.migrations > 100 * report.seeds,
        "{} migrations",
        report.migrations
    );
}
