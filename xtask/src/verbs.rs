//! The verbs of `cargo xtask`: each first sees to what it needs, then runs a short table of steps.
//!
//! `demo` stops at the first step that fails; `test` goes through all of them, so that one run shows everything that is wrong.
//! Both use the development profile (which is optimised, see the workspace's `Cargo.toml`), so that what one built the other finds.

use crate::needs::{self, Machine, Need, Plan, ThisMachine};
use crate::steps::{Step, answers};
use crate::{root, tidy as rules};

/// The source of the program that the demo runs, and where its binaries go.
const TOUR: &str = "guests/programs/tour.c";
const TOUR_BINARY: &str = "target/demo/tour";
/// Compiles the tour for both ISAs.
const BUILD_TOUR: &[&str] = &[
    "cargo",
    "run",
    "--quiet",
    "-p",
    "kettle-cc",
    "--bin",
    "kettle-cc",
    "--",
    TOUR,
    "-o",
    TOUR_BINARY,
];
/// Runs the tour on a simulated cluster and tells what happened.
const RUN_TOUR: &[&str] = &[
    "cargo",
    "run",
    "--quiet",
    "-p",
    "emu",
    "--bin",
    "kettle",
    "--",
    "run",
    "--nodes",
    "x86_64,aarch64",
    "--explain",
    TOUR_BINARY,
];
/// What the demo is about, for somebody who has never heard of it. Printed before the program's own output.
const INTRODUCTION: &str = "
Popcorn Linux lets a running program move between computers whose processors speak different machine languages, in
the middle of what it is doing. Kettle simulates such a cluster, its processors and its Popcorn kernels, on your
computer, runs a real program on it, and tells what happened. First comes what the program itself prints.
";

/// The release of cargo-deny that `deny.toml` is written for; it is kept below `target`, away from the person's own tools.
const CARGO_DENY: &str = "0.20.2";
const CARGO_DENY_ROOT: &str = "target/tools";
const CARGO_DENY_PROGRAM: &str = "target/tools/bin/cargo-deny";

/// Why a verb did not reach its end, as a sentence for the person who called it.
#[derive(Debug, PartialEq, Eq)]
pub struct Failed(pub String);

/// `cargo xtask demo`: from a fresh clone to a thread that crosses between instruction sets, told in words.
///
/// # Errors
/// What is missing or which step failed.
pub fn demo() -> Result<(), Failed> {
    ensure(needs::BUILD.iter())?;
    std::fs::create_dir_all(root().join("target/demo"))
        .map_err(|error| Failed(format!("cannot make target/demo: {error}")))?;
    let build = [
        Step::new(
            "Build the compiler driver kettle-cc",
            "1 min the first time",
            &["cargo", "build", "-p", "kettle-cc", "--bins"],
        ),
        Step::new(
            "Build Kettle, Unicorn included",
            "5 min the first time on 2 cores",
            &["cargo", "build", "-p", "emu", "--bins"],
        ),
        Step::new(
            "Compile the demo's program for x86_64 and aarch64",
            "2 min the first time: the C library is compiled too",
            BUILD_TOUR,
        ),
    ];
    let run = Step::new("Run it on a simulated cluster of both", "", RUN_TOUR);
    let steps = build.len() + 1;
    for (index, step) in build.iter().enumerate() {
        step.run((index + 1, steps), &root()).map_err(Failed)?;
    }
    println!("{INTRODUCTION}");
    run.run((steps, steps), &root()).map_err(Failed)
}

/// `cargo xtask test`: everything that must hold before a change is taken.
///
/// # Errors
/// What is missing, or which of the steps failed.
pub fn test() -> Result<(), Failed> {
    ensure(needs::BUILD.iter().chain(needs::TEST))?;
    ensure_components()?;
    let steps = test_steps(
        root().join(CARGO_DENY_PROGRAM).exists(),
        answers(&["cargo", "nextest", "--version"]),
    );
    all(&steps)
}

/// `cargo xtask setup`: what build and tests need, and nothing else.
///
/// # Errors
/// What is missing and how to install it.
pub fn setup() -> Result<(), Failed> {
    ensure(needs::BUILD.iter().chain(needs::TEST))?;
    ensure_components()?;
    eprintln!("xtask: everything that the build and the tests need is installed");
    Ok(())
}

/// `cargo xtask fuzz`: random C programs, tried out by the fuzzer, to which `args` go.
///
/// # Errors
/// What is missing or that seeds failed.
pub fn fuzz(args: &[String]) -> Result<(), Failed> {
    ensure(needs::BUILD.iter().chain(needs::TEST))?;
    let build = [
        "cargo",
        "build",
        "-p",
        "kettle-cc",
        "-p",
        "emu",
        "-p",
        "fuzz",
        "--bins",
    ];
    let mut command: Vec<String> = vec!["target/debug/fuzz".into()];
    command.extend_from_slice(args);
    in_order(&[
        Step::new(
            "Build compiler, emulator and fuzzer",
            "6 min the first time on 2 cores",
            &build,
        ),
        Step::new("Try random programs out", "1 s for each seed", &command),
    ])
}

/// `cargo xtask bench`: the benchmarks, in the release profile; `args` go to `cargo bench`.
///
/// # Errors
/// What is missing or that the benchmarks failed.
pub fn bench(args: &[String]) -> Result<(), Failed> {
    ensure(needs::BUILD.iter())?;
    let mut command: Vec<String> = ["cargo", "bench", "-p", "benches", "-p", "kettle-cc"]
        .map(str::to_owned)
        .to_vec();
    command.extend_from_slice(args);
    in_order(&[Step::new(
        "Run the benchmarks",
        "20 min the first time: the release profile builds Unicorn anew",
        &command,
    )])
}

/// `cargo xtask doc`: the API documentation of the workspace, and the book where mdbook is installed.
///
/// # Errors
/// What is missing or which step failed.
pub fn doc() -> Result<(), Failed> {
    ensure(needs::BUILD.iter())?;
    let mut steps = vec![Step::new(
        "Document the crates",
        "5 min the first time",
        &[
            "cargo",
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
        ],
    )];
    if answers(&["mdbook", "--version"]) {
        steps.push(Step::new(
            "Build the book into docs/book",
            "",
            &["mdbook", "build", "docs"],
        ));
    } else {
        eprintln!(
            "xtask: mdbook is not installed (`cargo install mdbook`); the book can be read as it is, from docs/src/SUMMARY.md on"
        );
    }
    in_order(&steps)
}

/// `cargo xtask tidy`: every finding of the house rules, then the files that are getting long.
///
/// # Errors
/// The number of findings, if there are any.
pub fn tidy() -> Result<(), Failed> {
    let tree = rules::Tree::of_workspace(&root()).map_err(Failed)?;
    let mut findings = 0;
    for (name, check) in rules::CHECKS {
        for finding in check(&tree) {
            println!("{name}: {finding}");
            findings += 1;
        }
    }
    for (path, lines) in rules::sizes::long(&tree) {
        println!(
            "note: {path} has {lines} lines; few files should have more than {}",
            rules::sizes::LONG
        );
    }
    if findings == 0 {
        Ok(())
    } else {
        Err(Failed(format!("{findings} findings")))
    }
}

fn test_steps(have_deny: bool, have_nextest: bool) -> Vec<Step> {
    let mut steps = vec![
        Step::new("Formatting", "", &["cargo", "fmt", "--all", "--check"]),
        Step::new(
            "Lints, after building Unicorn and the guests",
            "8 min the first time on 2 cores",
            &[
                "cargo",
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ],
        ),
    ];
    if !have_deny {
        let install = [
            "cargo",
            "install",
            "cargo-deny",
            "--locked",
            "--version",
            CARGO_DENY,
            "--root",
            CARGO_DENY_ROOT,
        ];
        steps.push(Step::new("Build cargo-deny", "2-4 min, once", &install));
    }
    let deny = [
        CARGO_DENY_PROGRAM,
        "--workspace",
        "check",
        "licenses",
        "bans",
        "sources",
    ];
    steps.push(Step::new(
        "Licences, bans and sources of the dependencies",
        "",
        &deny,
    ));
    if have_nextest {
        steps.push(Step::new(
            "Tests, house rules included",
            "10 min the first time on 2 cores",
            &["cargo", "nextest", "run", "--workspace", "--no-fail-fast"],
        ));
        steps.push(Step::new(
            "Examples in the documentation",
            "1 min",
            &["cargo", "test", "--workspace", "--doc"],
        ));
    } else {
        let every = ["cargo", "test", "--workspace", "--no-fail-fast"];
        steps.push(Step::new(
            "Tests, house rules and examples included",
            "12 min the first time on 2 cores",
            &every,
        ));
    }
    steps
}

/// Installs what is missing among `needs`, or says how to.
fn ensure<'a>(needs: impl Iterator<Item = &'a Need> + Clone) -> Result<(), Failed> {
    let machine = ThisMachine::new();
    let steps = match needs::plan(&needs::missing(needs.clone(), &machine), &machine) {
        Plan::Nothing => return Ok(()),
        Plan::Tell(text) => return Err(Failed(text)),
        Plan::Install(steps) => steps,
    };
    if let Err(Failed(why)) = all(&steps) {
        // A stale third-party entry makes `update` fail without harm, so what counts is whether the things are there now.
        eprintln!("xtask: {why}");
    }
    still_missing(needs, &machine)
}

fn still_missing<'a>(
    needs: impl Iterator<Item = &'a Need>,
    machine: &dyn Machine,
) -> Result<(), Failed> {
    let left = needs::missing(needs, machine);
    if left.is_empty() {
        return Ok(());
    }
    let list: String = left
        .iter()
        .map(|need| format!("\n  {} (package {})", need.what, need.package))
        .collect();
    Err(Failed(format!(
        "still not there after the installation; LLVM 19 is part of Debian 12 and 13 and of Ubuntu 24.04:{list}"
    )))
}

/// Sees to rustfmt and clippy, which a minimal Rust installation lacks.
fn ensure_components() -> Result<(), Failed> {
    if answers(&["cargo", "fmt", "--version"]) && answers(&["cargo", "clippy", "--version"]) {
        return Ok(());
    }
    if !answers(&["rustup", "--version"]) {
        return Err(Failed("rustfmt or clippy is not installed; your Rust's packages bring them (rustup component add rustfmt clippy)".into()));
    }
    in_order(&[Step::new(
        "Install rustfmt and clippy",
        "",
        &["rustup", "component", "add", "rustfmt", "clippy"],
    )])
}

/// Runs `steps` one after another and stops at the first that fails.
fn in_order(steps: &[Step]) -> Result<(), Failed> {
    for (index, step) in steps.iter().enumerate() {
        step.run((index + 1, steps.len()), &root())
            .map_err(Failed)?;
    }
    Ok(())
}

/// Runs all `steps`, whatever becomes of them, and reports those that failed.
fn all(steps: &[Step]) -> Result<(), Failed> {
    let numbered = steps.iter().enumerate();
    let failed: Vec<String> = numbered
        .filter_map(|(index, step)| step.run((index + 1, steps.len()), &root()).err())
        .collect();
    match failed.len() {
        0 => Ok(()),
        number => Err(Failed(format!(
            "{number} of {} steps failed:\n  {}",
            steps.len(),
            failed.join("\n  ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(steps: &[Step]) -> Vec<String> {
        steps.iter().map(Step::line).collect()
    }

    #[test]
    fn the_test_verb_always_runs_the_documentation_examples_and_cargo_deny() {
        let with = lines(&test_steps(true, true));
        assert!(
            with.contains(&"cargo nextest run --workspace --no-fail-fast".into())
                && with.contains(&"cargo test --workspace --doc".into())
        );
        assert!(!with.iter().any(|line| line.contains("install")));
        let without = lines(&test_steps(false, false));
        assert!(
            without.contains(&"cargo test --workspace --no-fail-fast".into()),
            "`cargo test` runs the examples too"
        );
        let position = |start: &str| without.iter().position(|line| line.starts_with(start));
        assert!(
            position("cargo install cargo-deny").expect("installed")
                < position(CARGO_DENY_PROGRAM).expect("run")
        );
    }

    #[test]
    fn all_steps_run_although_one_fails_and_in_order_stops() {
        let marker = std::env::temp_dir().join(format!("kettle-xtask-{}", std::process::id()));
        let touch = Step::new(
            "Leave a mark",
            "",
            &["touch".to_owned(), marker.display().to_string()],
        );
        let steps = [Step::new("Fail", "", &["false"]), touch];
        assert!(in_order(&steps).is_err() && !marker.exists());
        let Err(Failed(why)) = all(&steps) else {
            panic!("one of them fails")
        };
        assert!(
            why.starts_with("1 of 2 steps failed") && marker.exists(),
            "{why}"
        );
        std::fs::remove_file(marker).expect("the mark was there");
    }
}
