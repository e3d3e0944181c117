//! The verbs of `cargo xtask`: each first sees to what it needs, then runs a short table of steps.
//!
//! [`demo`] stops at the first step that fails; [`test`](mod@test) goes through all of them, so that one run shows everything that is wrong. All but `bench` use the development profile (which is optimised, see the workspace's `Cargo.toml`), so that what one built the others find.

use crate::needs::{self, Machine, Need, Plan, ThisMachine};
use crate::steps::{Step, answers};
use crate::{root, target, tidy as rules};

pub mod demo;
pub mod soak;
pub mod test;

pub use demo::demo;
pub use soak::soak;
pub use test::test;

/// Why a verb did not reach its end, as a sentence for the person who called it.
#[derive(Debug, PartialEq, Eq)]
pub struct Failed(pub String);

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
    let mut command = vec![program("fuzz")];
    command.extend_from_slice(args);
    in_order(&[
        Step::new(
            "Build compiler, emulator and fuzzer",
            "5 min the first time on 2 cores",
            BUILD_FUZZER,
        ),
        Step::new("Try random programs out", "1 s for each seed", &command),
    ])
}

/// Builds the fuzzer and the two commands that it runs, with the features of the tests' build.
const BUILD_FUZZER: &[&str] = &[
    "cargo",
    "build",
    "--workspace",
    "--bin",
    "kettle",
    "--bin",
    "kettle-cc",
    "--bin",
    "fuzz",
];

/// The path of a program of this workspace as the development profile builds it.
fn program(name: &str) -> String {
    let path = target().join("debug").join(name);
    let path = path.strip_prefix(root()).unwrap_or(&path);
    path.display().to_string()
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
