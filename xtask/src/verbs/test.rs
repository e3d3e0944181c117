//! `cargo xtask test`: everything that must hold before a change is taken, in one of two sizes.
//!
//! Tests that take minutes are ignored ones, so that both test runners leave them out alike, and `--full` runs them, too. Two kinds of
//! ignored tests it does not run; they are known by the beginnings of their names ([`NOT_IN_FULL`]).

use super::{Failed, all, ensure, ensure_components};
use crate::needs;
use crate::steps::{Step, answers};

/// What the names of tests begin with that have a verb of their own (`cargo xtask soak`), and that measure the machine.
const NOT_IN_FULL: [&str; 2] = ["soak_", "alone_"];

/// How much to test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// What somebody at work waits for.
    Usual,
    /// The tests that take minutes, too: what continuous integration runs.
    Full,
}

/// Formatting, lints, house rules, all tests of a size, and the examples in the documentation.
///
/// # Errors
/// What is missing, or which of the steps failed.
pub fn test(size: Size) -> Result<(), Failed> {
    ensure(needs::BUILD.iter().chain(needs::TEST))?;
    ensure_components()?;
    all(&steps(size, answers(&["cargo", "nextest", "--version"])))
}

fn steps(size: Size, have_nextest: bool) -> Vec<Step> {
    let clippy = "cargo clippy --workspace --all-targets -- -D warnings";
    let tests = if have_nextest {
        nextest(size)
    } else {
        cargo_test(size)
    };
    let usually = match size {
        Size::Usual => "10 min the first time on 2 cores",
        Size::Full => "17 min the first time on 2 cores",
    };
    vec![
        Step::new("Formatting", "", &["cargo", "fmt", "--all", "--check"]),
        Step::new(
            "Lints, after building Unicorn",
            "5 min the first time on 2 cores",
            &clippy.split(' ').collect::<Vec<_>>(),
        ),
        Step::new("Tests, house rules and licences included", usually, &tests),
        Step::new(
            "Examples in the documentation",
            "1 min",
            &["cargo", "test", "--workspace", "--doc"],
        ),
    ]
}

fn nextest(size: Size) -> Vec<String> {
    let mut words: Vec<String> = ["cargo", "nextest", "run", "--workspace", "--no-fail-fast"]
        .map(str::to_owned)
        .to_vec();
    if size == Size::Full {
        let names = NOT_IN_FULL.join("|");
        words.extend(["--run-ignored", "all", "-E"].map(str::to_owned));
        words.push(format!("not test(/(^|::)({names})/)"));
    }
    words
}

fn cargo_test(size: Size) -> Vec<String> {
    let mut words: Vec<String> = ["cargo", "test", "--workspace", "--no-fail-fast"]
        .map(str::to_owned)
        .to_vec();
    words.extend(["--lib", "--bins", "--tests"].map(str::to_owned));
    if size == Size::Full {
        words.extend(["--", "--include-ignored"].map(str::to_owned));
        words.extend(
            NOT_IN_FULL
                .iter()
                .flat_map(|name| ["--skip".to_owned(), (*name).to_owned()]),
        );
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_runners_run_the_examples_and_only_the_full_size_what_is_ignored() {
        for nextest in [true, false] {
            for size in [Size::Usual, Size::Full] {
                let lines: Vec<String> = steps(size, nextest).iter().map(Step::line).collect();
                assert_eq!(
                    lines.last().expect("there are steps"),
                    "cargo test --workspace --doc"
                );
                let tests = &lines[2];
                assert_eq!(tests.contains("nextest run"), nextest, "{tests}");
                assert_eq!(tests.contains("ignored"), size == Size::Full, "{tests}");
                assert_eq!(tests.contains("soak_"), size == Size::Full, "{tests}");
                assert!(!lines.iter().any(|line| line.contains("install")));
            }
        }
    }
}
