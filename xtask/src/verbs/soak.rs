//! `cargo xtask soak`: the searches that are too long for the suite: random programs for the compiler, and every ignored test whose name
//! begins with `soak_`.
//!
//! Such a test does for some seeds by itself what the suite does for a few; which seeds it is told by the environment ([`SEEDS`], [`FIRST`]),
//! and a failure names the seed. The random programs have the verb `fuzz` for their other options; here they take the same seeds.

use std::process::Command;

use super::{BUILD_FUZZER, Failed, all, ensure, in_order, program};
use crate::steps::Step;
use crate::{needs, root};

/// How many seeds a test tries.
pub const SEEDS: &str = "KETTLE_SOAK_SEEDS";
/// The first of them.
pub const FIRST: &str = "KETTLE_SOAK_FIRST";

/// The name that stands for the random programs.
const PROGRAMS: &str = "programs";
/// What the names of the tests begin with.
const MARK: &str = "soak_";
/// Starts the tests of the crates that have such tests, as the suite has built them.
const TESTS: [&str; 5] = ["cargo", "test", "--workspace", "--no-fail-fast", "--tests"];

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Soak {
    seeds: u64,
    first: u64,
    /// What to run; everything when empty.
    names: Vec<String>,
}

impl Soak {
    /// Reads `[--seeds N] [--first K] [NAME...]`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(args: &[String]) -> Result<Self, String> {
        let mut soak = Self {
            seeds: 1000,
            first: 0,
            names: Vec::new(),
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut number = || {
                let value = args
                    .next()
                    .ok_or(format!("{arg} needs a number behind it"))?;
                value
                    .parse()
                    .map_err(|_| format!("{arg} {value}: {value} is not a number"))
            };
            match arg.as_str() {
                "--seeds" => soak.seeds = number()?,
                "--first" => soak.first = number()?,
                flag if flag.starts_with('-') => {
                    return Err(format!(
                        "there is no flag {flag}; cargo xtask soak [--seeds N] [--first K] [NAME...]"
                    ));
                }
                name => soak.names.push(name.to_owned()),
            }
        }
        if soak.seeds == 0 || soak.first.checked_add(soak.seeds).is_none() {
            return Err(format!(
                "--seeds {} --first {}: that is no range of seeds",
                soak.seeds, soak.first
            ));
        }
        Ok(soak)
    }

    /// The steps for these tests, by their full names.
    fn steps(&self, tests: &[String]) -> Vec<Step> {
        let mut steps = Vec::new();
        let seeds = format!("{}..{}", self.first, self.first + self.seeds);
        if self.wants(PROGRAMS) {
            let fuzz = program("fuzz");
            steps.push(Step::new(
                "Random programs",
                "1 s for each seed",
                &[fuzz.as_str(), "--seeds", &seeds],
            ));
        }
        for test in tests.iter().filter(|test| self.wants(test)) {
            let (seeds, first) = (
                format!("{SEEDS}={}", self.seeds),
                format!("{FIRST}={}", self.first),
            );
            let mut command = vec!["env", &seeds, &first];
            command.extend(TESTS);
            command.extend(["--quiet", "--", "--ignored", "--nocapture", "--exact", test]);
            steps.push(Step::new(format!("The test {test}"), "", &command));
        }
        steps
    }

    fn wants(&self, name: &str) -> bool {
        self.names.is_empty()
            || self
                .names
                .iter()
                .any(|wanted| name.contains(wanted.as_str()))
    }
}

/// Runs what the command line asks for; all of it, although one of it fails.
///
/// # Errors
/// What is missing, which name is nobody's, or which steps failed.
pub fn soak(args: &[String]) -> Result<(), Failed> {
    let soak = Soak::parse(args).map_err(Failed)?;
    ensure(needs::BUILD.iter().chain(needs::TEST))?;
    let build = [&TESTS[..], &["--no-run"]].concat();
    in_order(&[
        Step::new("Build the tests", "7 min the first time on 2 cores", &build),
        Step::new("Build the fuzzer and what it runs", "", BUILD_FUZZER),
    ])?;
    let tests = tests()?;
    for name in &soak.names {
        if !PROGRAMS.contains(name.as_str())
            && !tests.iter().any(|test| test.contains(name.as_str()))
        {
            return Err(Failed(format!(
                "nothing is called `{name}`; there are {PROGRAMS}, {}",
                tests.join(", ")
            )));
        }
    }
    all(&soak.steps(&tests))
}

/// The full names of the ignored tests that begin with the mark.
fn tests() -> Result<Vec<String>, Failed> {
    let mut list = Command::new(TESTS[0]);
    list.args(&TESTS[1..])
        .args(["--quiet", "--", "--ignored", "--list", MARK]);
    let output = list.current_dir(root()).output();
    let output = output.map_err(|error| Failed(format!("cargo does not start: {error}")))?;
    if !output.status.success() {
        return Err(Failed(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ));
    }
    Ok(listed(&String::from_utf8_lossy(&output.stdout)))
}

fn listed(text: &str) -> Vec<String> {
    let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
    let marked = |name: &&str| {
        name.rsplit("::")
            .next()
            .is_some_and(|own| own.starts_with(MARK))
    };
    names.filter(marked).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Soak, String> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        Soak::parse(&words)
    }

    #[test]
    fn a_name_chooses_tests_and_seeds_go_to_all() {
        let tests = listed(
            "a::soak_memory: test\nb::not_soak_: test\nsoak_threads: test\n\n2 tests, 0 benchmarks\n",
        );
        assert_eq!(tests, ["a::soak_memory", "soak_threads"]);
        let lines = |text: &str| -> Vec<String> {
            let steps = parse(text).expect(text).steps(&tests);
            steps.iter().map(Step::line).collect()
        };
        assert_eq!(lines("").len(), 3);
        let one = lines("memory --seeds 5 --first 7");
        assert_eq!(one.len(), 1);
        assert!(
            one[0].starts_with("env KETTLE_SOAK_SEEDS=5 KETTLE_SOAK_FIRST=7 cargo test ")
                && one[0].ends_with("--exact a::soak_memory"),
            "{one:?}"
        );
        assert!(lines("programs --seeds 5 --first 7")[0].ends_with("fuzz --seeds 7..12"));
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        for text in [
            "--seeds",
            "--seeds x",
            "--seeds 0",
            "--bogus",
            "--first 18446744073709551615",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
