//! One step of a chore: it is announced with the time it usually takes, runs a program, and says how long it took.
//!
//! The program writes to the caller's own terminal, so cargo's progress bar and the test runners' closing lines are seen as they are.
//! Without a terminal (in CI) a line every half minute says that the step is alive. Steps run one after another; nothing is captured.

use std::fmt;
use std::io::IsTerminal;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How often a step without a terminal says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// A program to run, and what to tell the person who waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What the step does, as a heading: "Build Kettle".
    pub title: String,
    /// How long it usually takes, in words; empty where that is seconds.
    pub usually: &'static str,
    /// Program and arguments, run in the root of the workspace.
    pub command: Vec<String>,
}

impl Step {
    /// A step that runs `command` (a program and its arguments).
    pub fn new<S: AsRef<str>>(
        title: impl Into<String>,
        usually: &'static str,
        command: &[S],
    ) -> Self {
        let command = command
            .iter()
            .map(|word| word.as_ref().to_owned())
            .collect();
        Self {
            title: title.into(),
            usually,
            command,
        }
    }

    /// Announces the step as number `position.0` of `position.1`, runs it in `root`, and says how long it took.
    ///
    /// # Errors
    /// A sentence with the command line, where the program cannot be started or does not exit with status 0.
    pub fn run(&self, position: (usize, usize), root: &Path) -> Result<(), String> {
        let (number, of) = position;
        let usually = if self.usually.is_empty() {
            String::new()
        } else {
            format!(" (usually {})", self.usually)
        };
        eprintln!(
            "[{number}/{of}] {}{usually}\n      $ {}",
            self.title,
            self.line()
        );
        let watch = Stopwatch::start();
        let pulse = Pulse::start(&self.title);
        let status = Command::new(&self.command[0])
            .args(&self.command[1..])
            .current_dir(root)
            .status();
        drop(pulse);
        let took = Elapsed(watch.elapsed());
        match status {
            Ok(status) if status.success() => {
                eprintln!("[{number}/{of}] done in {took}");
                Ok(())
            }
            Ok(status) => Err(format!(
                "step {number} of {of} failed after {took}: `{}` ended with {status}",
                self.line()
            )),
            Err(error) => Err(format!(
                "step {number} of {of} failed: `{}` does not start: {error}",
                self.line()
            )),
        }
    }

    /// The command as one would type it.
    #[must_use]
    pub fn line(&self) -> String {
        self.command.join(" ")
    }
}

/// Whether `program --version` can be started and ends well: the test for a tool that does not trust package databases.
#[must_use]
pub fn answers(command: &[&str]) -> bool {
    let (program, args) = command
        .split_first()
        .expect("a command has at least a program");
    let quiet = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}

/// A line every half minute while a step runs without a terminal; ends when it is dropped.
struct Pulse {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Pulse {
    fn start(title: &str) -> Self {
        if std::io::stderr().is_terminal() {
            return Self {
                stop: None,
                thread: None,
            };
        }
        let (stop, stopped) = mpsc::channel();
        let title = title.to_owned();
        let thread = thread::spawn(move || {
            let watch = Stopwatch::start();
            while let Err(mpsc::RecvTimeoutError::Timeout) = stopped.recv_timeout(HEARTBEAT) {
                eprintln!(
                    "      ... {title}: still at it after {}",
                    Elapsed(watch.elapsed())
                );
            }
        });
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // The thread cannot panic in a way that matters: its only work is to print.
            let _ = thread.join();
        }
    }
}

#[expect(
    clippy::disallowed_types,
    reason = "tells a person at a terminal how long a build took; no simulated run sees it"
)]
struct Stopwatch(std::time::Instant);

#[expect(clippy::disallowed_types, reason = "see the type")]
impl Stopwatch {
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A duration in the words that a waiting person uses: "8 s", "3 min 12 s".
struct Elapsed(Duration);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            seconds @ 0..60 => write!(f, "{seconds} s"),
            seconds => write!(f, "{} min {} s", seconds / 60, seconds % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_words() {
        for (seconds, words) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min 0 s"),
            (192, "3 min 12 s"),
        ] {
            assert_eq!(Elapsed(Duration::from_secs(seconds)).to_string(), words);
        }
    }

    #[test]
    fn a_failing_step_names_its_command() {
        let here = Path::new(".");
        assert_eq!(
            Step::new("Nothing", "", &["true"]).run((1, 3), here),
            Ok(())
        );
        let said = Step::new("Fail", "", &["false"])
            .run((2, 3), here)
            .unwrap_err();
        assert!(
            said.starts_with("step 2 of 3 failed")
                && said.contains("`false` ended with exit status: 1"),
            "{said}"
        );
        let said = Step::new("Miss", "", &["kettle-no-such-program"])
            .run((3, 3), here)
            .unwrap_err();
        assert!(
            said.contains("`kettle-no-such-program` does not start"),
            "{said}"
        );
    }

    #[test]
    fn a_tool_that_is_absent_or_unwell_does_not_answer() {
        assert!(answers(&["true"]));
        assert!(!answers(&["false"]));
        assert!(!answers(&["kettle-no-such-program", "--version"]));
    }
}
