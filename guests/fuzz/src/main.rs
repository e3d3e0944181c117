//! The command of the fuzzer: `fuzz --seeds 0..2000` tries seeds out, `fuzz --print SEED` shows a program.
//!
//! `cargo xtask fuzz` builds what it needs first. Progress is kept in the directory, so that a run that was ended can be resumed.
#![forbid(unsafe_code)]

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;

use fuzz::{Failure, Report, Tools, Trial};

const HELP: &str = "\
fuzz [--seeds A..B] [--jobs N] [--batch N] [--directory DIR] [--resume]
fuzz --print SEED

  --seeds A..B     the seeds, B not included (0..200)
  --jobs N         how many batches at a time (as many as there are cores)
  --batch N        how many programs make one binary (10)
  --directory DIR  where programs are built, and those that fail are kept (target/fuzz)
  --resume         go on with the run that was ended in that directory
  --print SEED     print the program of a seed
";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(code) => code,
        Err(what) => {
            eprintln!("fuzz: {what}");
            ExitCode::from(2)
        }
    }
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<ExitCode, String> {
    let tools = tools()?;
    let cores = std::thread::available_parallelism().map_or(1, Into::into);
    let mut trial = Trial {
        tools,
        seeds: 0..200,
        batch: 10,
        jobs: cores,
        directory: "target/fuzz".into(),
    };
    let mut resume = false;
    while let Some(flag) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{flag} needs a value\n\n{HELP}"))
        };
        match &*flag {
            "--seeds" => trial.seeds = range(&value()?)?,
            "--jobs" => trial.jobs = number(&value()?)? as usize,
            "--batch" => trial.batch = number(&value()?)?,
            "--directory" => trial.directory = value()?.into(),
            "--resume" => resume = true,
            "--print" => {
                let program = fuzz::program(number(&value()?)?);
                print!(
                    "/* To be compiled at {}. */\n{}",
                    program.level, program.text
                );
                return Ok(ExitCode::SUCCESS);
            }
            "--help" | "-h" => {
                print!("{HELP}");
                return Ok(ExitCode::SUCCESS);
            }
            other => return Err(format!("there is no flag {other}\n\n{HELP}")),
        }
    }
    campaign(&trial, resume)
}

fn campaign(trial: &Trial, resume: bool) -> Result<ExitCode, String> {
    fs::create_dir_all(&trial.directory)
        .map_err(|e| format!("cannot create {}: {e}", trial.directory.display()))?;
    let journal = trial.directory.join("journal");
    let mut done: Vec<(Range<u64>, Report)> = Vec::new();
    if resume {
        let text = fs::read_to_string(&journal)
            .map_err(|e| format!("nothing to resume: cannot read {}: {e}", journal.display()))?;
        done.extend(
            text.lines()
                .filter_map(|line| entry(line, &trial.directory)),
        );
    }
    let file = open(&journal, resume)?;
    let total = Mutex::new(Report::default());
    let count = |report: Report| {
        let mut total = total
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        total.add(report);
        eprintln!(
            "{} of {} seeds, {} call sites, {} migrations, {} failed",
            total.seeds,
            trial.seeds.end.saturating_sub(trial.seeds.start),
            total.sites,
            total.migrations,
            total.failures.len()
        );
    };
    done.retain(|(batch, _)| trial.batches().contains(batch));
    for (_, report) in &done {
        count(report.clone());
    }
    trial.run(
        |batch| done.iter().any(|(known, _)| known == batch),
        |batch, report| {
            for Failure { seed, what, kept } in &report.failures {
                println!(
                    "seed {seed}: {what}\n  kept in {}; again: cargo xtask fuzz --seeds {seed}..{}",
                    kept.display(),
                    seed + 1
                );
            }
            let line = format!(
                "{} {} {} {} {} {}\n",
                batch.start,
                batch.end,
                report.sites,
                report.migrations,
                list(failed(report), ","),
                list(report.disputed.iter(), ",")
            );
            // A line that is lost is a batch tried again.
            let _ = (&file).write_all(line.as_bytes());
            count(report.clone());
        },
    );
    let total = total
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if !total.disputed.is_empty() {
        println!(
            "clang alone makes programs that print other sums, depending on the optimisation level, of: {}",
            list(total.disputed.iter(), " ")
        );
    }
    if total.failures.is_empty() {
        println!(
            "{} seeds, {} call sites, {} migrations, no mismatch",
            total.seeds, total.sites, total.migrations
        );
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{} of {} seeds failed: {}",
        total.failures.len(),
        total.seeds,
        list(failed(&total), " ")
    );
    Ok(ExitCode::FAILURE)
}

fn failed(report: &Report) -> impl Iterator<Item = &u64> {
    report.failures.iter().map(|f| &f.seed)
}

fn list<'a>(seeds: impl Iterator<Item = &'a u64>, between: &str) -> String {
    seeds
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(between)
}

/// A batch of an earlier run.
fn entry(line: &str, directory: &Path) -> Option<(Range<u64>, Report)> {
    let mut parts = line.split(' ');
    let mut next = || parts.next()?.parse::<u64>().ok();
    let (start, end, sites, migrations) = (next()?, next()?, next()?, next()?);
    let mut seeds = || -> Option<Vec<u64>> {
        let seeds = parts.next()?.split(',');
        Some(seeds.filter_map(|seed| seed.parse().ok()).collect())
    };
    let (failed, disputed) = (seeds()?, seeds()?);
    let failures = failed.into_iter().map(|seed| Failure {
        seed,
        what: "failed before".into(),
        kept: directory.join(format!("failed-{seed}")),
    });
    let report = Report {
        seeds: end - start,
        sites,
        migrations,
        disputed,
        failures: failures.collect(),
    };
    Some((start..end, report))
}

fn open(journal: &Path, resume: bool) -> Result<File, String> {
    let mut options = OpenOptions::new();
    options
        .create(true)
        .append(resume)
        .write(true)
        .truncate(!resume);
    options
        .open(journal)
        .map_err(|e| format!("cannot write {}: {e}", journal.display()))
}

/// The other commands of this build are beside this one.
fn tools() -> Result<Tools, String> {
    let own = std::env::current_exe().map_err(|e| format!("cannot find myself: {e}"))?;
    let beside = |name: &str| own.with_file_name(name);
    let tools = Tools {
        kettle_cc: beside("kettle-cc"),
        kettle: beside("kettle"),
    };
    for tool in [&tools.kettle_cc, &tools.kettle] {
        if !tool.exists() {
            return Err(format!(
                "{} is not there; `cargo xtask fuzz` builds it",
                tool.display()
            ));
        }
    }
    Ok(tools)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let wrong = || format!("{text} is not a range like 0..2000");
    let (start, end) = text.split_once("..").ok_or_else(wrong)?;
    Ok(number(start)?..number(end)?)
}
