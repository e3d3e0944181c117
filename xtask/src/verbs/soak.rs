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
/// Builds all tests, as the suite does.
const TESTS: [&str; 5] = ["cargo", "test", "--workspace", "--tests", "--no-run"];

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

    fn steps(&self, tests: &[Test]) -> Vec<Step> {
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
        let (seeds, first) = (
            format!("{SEEDS}={}", self.seeds),
            format!("{FIRST}={}", self.first),
        );
        for test in tests.iter().filter(|test| self.wants(&test.name)) {
            let mut command = vec!["env", &seeds, &first, &test.program];
            command.extend(["--ignored", "--nocapture", "--exact", &test.name]);
            steps.push(Step::new(format!("The test {}", test.name), "", &command));
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
    in_order(&[
        Step::new("Build the tests", "7 min the first time on 2 cores", &TESTS),
        Step::new("Build the fuzzer and what it runs", "", BUILD_FUZZER),
    ])?;
    let tests = tests()?;
    for name in &soak.names {
        if !PROGRAMS.contains(name.as_str())
            && !tests.iter().any(|test| test.name.contains(name.as_str()))
        {
            return Err(Failed(format!(
                "nothing is called `{name}`; there are {PROGRAMS}, {}",
                tests
                    .iter()
                    .map(|test| test.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            )));
        }
    }
    all(&soak.steps(&tests))
}

/// An ignored test whose name begins with the mark.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Test {
    /// Its full name.
    name: String,
    /// The program that it is in.
    program: String,
}

/// All of them, from the programs that cargo has built.
fn tests() -> Result<Vec<Test>, Failed> {
    let built = said(Command::new(TESTS[0]).args(&TESTS[1..]).args([
        "--quiet",
        "--message-format",
        "json",
    ]))?;
    let mut tests = Vec::new();
    for program in executables(&built) {
        let list = said(Command::new(&program).args(["--ignored", "--list", MARK]))?;
        tests.extend(listed(&list).map(|name| Test {
            name: name.to_owned(),
            program: program.clone(),
        }));
    }
    Ok(tests)
}

/// What a command has written to its standard output.
fn said(command: &mut Command) -> Result<String, Failed> {
    let output = command.current_dir(root()).output();
    let output = output.map_err(|error| Failed(format!("{command:?} does not start: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(Failed(format!(
        "{command:?} ended with {}: {}",
        output.status,
        errors.trim()
    )))
}

/// The programs of tests among cargo's messages, a line of JSON each.
fn executables(messages: &str) -> Vec<String> {
    let program = |line: &str| {
        let (_, profile) = line.split_once("\"profile\":{")?;
        let (profile, rest) = profile.split_once('}')?;
        let (_, path) = rest.split_once("\"executable\":\"")?;
        let (path, _) = path.split_once('"')?;
        profile.contains("\"test\":true").then(|| path.to_owned())
    };
    messages.lines().filter_map(program).collect()
}

/// The names in a test program's list that begin with the mark.
fn listed(text: &str) -> impl Iterator<Item = &str> {
    let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
    names.filter(|name| {
        let own = name.rsplit("::").next();
        own.is_some_and(|own| own.starts_with(MARK))
    })
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
        let text = "a::soak_memory: test\nb::not_soak_: test\nsoak_threads: test\n\n2 tests, 0 benchmarks\n";
        let names: Vec<_> = listed(text).collect();
        assert_eq!(names, ["a::soak_memory", "soak_threads"]);
        let tests: Vec<_> = names
            .iter()
            .map(|name| Test {
                name: (*name).to_owned(),
                program: "target/tests-1".to_owned(),
            })
            .collect();
        let lines = |text: &str| -> Vec<String> {
            let steps = parse(text).expect(text).steps(&tests);
            steps.iter().map(Step::line).collect()
        };
        assert_eq!(lines("").len(), 3);
        let one = lines("memory --seeds 5 --first 7");
        assert_eq!(one.len(), 1);
        assert!(
            one[0]
                == "env KETTLE_SOAK_SEEDS=5 KETTLE_SOAK_FIRST=7 target/tests-1 --ignored --nocapture --exact a::soak_memory",
            "{one:?}"
        );
        assert!(lines("programs --seeds 5 --first 7")[0].ends_with("fuzz --seeds 7..12"));
    }

    #[test]
    fn programs_of_tests_are_told_from_others() {
        let line = |test, path| {
            format!(
                "{{\"target\":{{\"test\":true}},\"profile\":{{\"test\":{test}}},\"executable\":{path}}}\n"
            )
        };
        let messages = [
            line(true, "\"/t/a-1\""),
            line(false, "\"/t/b\""),
            line(true, "null"),
            "{\"reason\":\"build-finished\"}\n".to_owned(),
        ];
        assert_eq!(executables(&messages.concat()), ["/t/a-1"]);
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
