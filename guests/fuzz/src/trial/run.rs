//! Runs a program in every way there is, and compares.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output};

use isa::Isa;

use super::Tools;
use super::build::Built;

/// Ends a program that hangs, in seconds.
const PATIENCE: &str = "120";
/// Ends a thread of a modelled cluster that hangs.
const VIRTUAL_PATIENCE: &str = "60s";

/// What a run printed, and how it ended.
struct Ran {
    way: String,
    text: String,
    errors: String,
    status: i32,
}

/// A program that prints the same in every way that Kettle answers for.
pub struct Judged {
    /// How many times it migrated.
    pub migrations: u64,
    /// Whether clang alone makes programs of it that print other sums, depending on the optimisation level.
    pub disputed: bool,
}

/// Runs a seed's program in every way; an error says what differs.
pub fn judge(tools: &Tools, built: &Built, number: u64) -> Result<Judged, String> {
    let seed = number.to_string();
    let host = run("on the host", built.program(), &[""; 0], &seed)?;
    let points = host.points()?;
    let qemu = format!("qemu-{}", Isa::Aarch64.name());
    let aarch64 = run(
        "under qemu-aarch64",
        &qemu,
        &[&built.binary(Isa::Aarch64)],
        &seed,
    )?;
    let plain = run("by clang alone", built.plain(), &[""; 0], &seed)?;
    let program = built.program();
    let in_kettle = |nodes: &str| {
        let options = [
            "run",
            "--poison",
            "--check-invariants",
            "--max-time",
            VIRTUAL_PATIENCE,
            "--nodes",
            nodes,
        ];
        let mut arguments: Vec<&OsStr> = options.iter().map(OsStr::new).collect();
        arguments.push(program.as_os_str());
        run(
            &format!("in Kettle on {nodes}"),
            &tools.kettle,
            &arguments,
            &seed,
        )
    };
    let clusters = [in_kettle("x86_64,aarch64")?, in_kettle("aarch64,x86_64")?];

    let mut wrong = Vec::new();
    // Libraries sort in different ways, so the number of migration points is the C library's affair.
    let mut disputed = false;
    if let Some(what) = differ(&host, &plain, sums) {
        // Compiled at another level: LLVM's own optimiser may be wrong, which is the same for both compilers at the same level.
        let path = built.plain_at_same_level(number)?;
        let same = run("by clang alone at the same level", path, &[""; 0], &seed)?;
        disputed = differ(&host, &same, sums).is_none();
        if !disputed {
            wrong.push(what);
        }
    }
    wrong.extend(differ(&host, &aarch64, |text| text));
    let mut migrations = 0;
    for cluster in &clusters {
        wrong.extend(differ(&host, cluster, |text| text));
        let migrated = cluster.migrations();
        migrations += migrated.unwrap_or(0);
        if migrated != Some(points) {
            wrong.push(format!(
                "{} it passed {points} migration points and migrated {migrated:?} times",
                cluster.way
            ));
        }
    }
    if wrong.is_empty() {
        return Ok(Judged {
            migrations,
            disputed,
        });
    }
    for ran in [host, aarch64, plain].into_iter().chain(clusters) {
        let name = format!("{seed} {}", ran.way).replace([' ', ','], "-");
        let text = format!("{}status {}\n{}", ran.text, ran.status, ran.errors);
        // Only to look at: the finding itself is returned.
        let _ = fs::write(built.beside(&format!("{name}.out")), text);
    }
    Err(wrong.join("\n"))
}

impl Ran {
    /// How many migration points it says to have passed.
    fn points(&self) -> Result<u64, String> {
        let last = self
            .text
            .lines()
            .last()
            .and_then(|l| l.strip_prefix("points "));
        last.and_then(|n| n.parse().ok()).ok_or_else(|| {
            format!(
                "{} it did not reach its end: status {}\n{}{}",
                self.way, self.status, self.text, self.errors
            )
        })
    }

    /// How many times it has migrated, by the emulator's summary.
    fn migrations(&self) -> Option<u64> {
        let line = self
            .errors
            .lines()
            .find_map(|l| l.strip_prefix("migrations: "));
        line.and_then(|n| n.parse().ok())
    }
}

fn sums(text: &str) -> &str {
    text.split("points ").next().unwrap_or(text)
}

/// Says in what two runs differ.
fn differ(one: &Ran, other: &Ran, part: fn(&str) -> &str) -> Option<String> {
    let (text, same) = (part(&one.text), part(&other.text));
    if text == same && one.status == other.status {
        return None;
    }
    let lines = text.lines().zip(same.lines()).find(|(a, b)| a != b);
    let what = match lines {
        Some((a, b)) => format!("`{a}` has become `{b}`"),
        None => format!(
            "{} lines and status {} have become {} lines and status {}",
            text.lines().count(),
            one.status,
            same.lines().count(),
            other.status
        ),
    };
    let errors = other.errors.lines().next().unwrap_or("");
    Some(format!("{}: {what} {errors}", other.way))
}

fn run<A: AsRef<OsStr>>(
    way: &str,
    program: impl AsRef<Path>,
    arguments: &[A],
    seed: &str,
) -> Result<Ran, String> {
    let mut command = Command::new("timeout");
    command
        .arg(PATIENCE)
        .arg(program.as_ref())
        .args(arguments)
        .arg(seed);
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .map_err(|e| format!("{command:?} does not start: {e}"))?;
    Ok(Ran {
        way: way.to_owned(),
        text: String::from_utf8_lossy(&stdout).into_owned(),
        errors: String::from_utf8_lossy(&stderr).into_owned(),
        status: status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
    })
}
