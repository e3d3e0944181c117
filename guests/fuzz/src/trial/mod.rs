//! Tries seeds out, a batch at a time on several threads, and keeps what fails.

mod build;
mod run;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use build::Built;
pub use build::write_sources;

/// The commands that are used.
#[derive(Clone, Debug)]
pub struct Tools {
    /// `kettle-cc`.
    pub kettle_cc: PathBuf,
    /// `kettle`.
    pub kettle: PathBuf,
}

/// What to try, and how.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The commands.
    pub tools: Tools,
    /// The seeds.
    pub seeds: Range<u64>,
    /// How many programs make one binary.
    pub batch: u64,
    /// How many batches at a time.
    pub jobs: usize,
    /// Where everything is built, and what fails is kept.
    pub directory: PathBuf,
}

/// A seed that has failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What went wrong, in one or more lines.
    pub what: String,
    /// Where its C file, its binaries and what they printed are.
    pub kept: PathBuf,
}

/// What has been tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many seeds.
    pub seeds: u64,
    /// How many call sites that may migrate their programs have, the C library's included.
    pub sites: u64,
    /// How many times their threads have migrated, over all runs.
    pub migrations: u64,
    /// Those for which clang alone makes programs that print other sums, depending on the optimisation level; kettle-cc's prints those of the
    /// same level. In order.
    pub disputed: Vec<u64>,
    /// Those that have failed, in order.
    pub failures: Vec<Failure>,
}

impl Report {
    /// Adds another one.
    pub fn add(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.sites += other.sites;
        self.migrations += other.migrations;
        self.disputed.extend(other.disputed);
        self.disputed.sort_unstable();
        self.failures.extend(other.failures);
        self.failures.sort();
    }
}

impl Trial {
    /// The batches, in order.
    pub fn batches(&self) -> Vec<Range<u64>> {
        let step = self.batch.max(1);
        let starts = (self.seeds.start..self.seeds.end).step_by(step as usize);
        starts
            .map(|start| start..(start + step).min(self.seeds.end))
            .collect()
    }

    /// Tries all batches but those that `skip` knows. `tell` hears of each that has ended.
    pub fn run(
        &self,
        skip: impl Fn(&Range<u64>) -> bool,
        tell: impl Fn(&Range<u64>, &Report) + Sync,
    ) -> Report {
        let batches: Vec<_> = self.batches().into_iter().filter(|b| !skip(b)).collect();
        let next = AtomicU64::new(0);
        let total = Mutex::new(Report::default());
        let work = || {
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                let report = self.batch(batch.clone());
                tell(batch, &report);
                total
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .add(report);
            }
        };
        thread::scope(|scope| {
            for _ in 1..self.jobs.max(1) {
                scope.spawn(work);
            }
            work();
        });
        total
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Tries one batch. When it cannot be built, its programs are tried one by one.
    fn batch(&self, seeds: Range<u64>) -> Report {
        let name = format!("{}-{}", seeds.start, seeds.end);
        let directory = self.directory.join(name);
        let mut report = Report::default();
        match Built::new(&self.tools, seeds.clone(), &directory) {
            Ok(built) => {
                report.sites = built.sites;
                for seed in seeds {
                    report.seeds += 1;
                    match run::judge(&self.tools, &built, seed) {
                        Ok(judged) => {
                            report.migrations += judged.migrations;
                            report.disputed.extend(judged.disputed.then_some(seed));
                        }
                        Err(what) => report.failures.push(self.keep(seed, what, &directory)),
                    }
                }
            }
            Err(what) if seeds.end - seeds.start == 1 => {
                report.seeds = 1;
                let failure = self.keep(seeds.start, what, &directory);
                report.failures.push(failure);
            }
            Err(what) => {
                for seed in seeds.clone() {
                    report.add(self.batch(seed..seed + 1));
                }
                if report.failures.is_empty() {
                    let what = format!(
                        "fails only together with the programs up to seed {}: {what}",
                        seeds.end - 1
                    );
                    report
                        .failures
                        .push(self.keep(seeds.start, what, &directory));
                }
            }
        }
        // What is left in it is not needed.
        let _ = fs::remove_dir_all(&directory);
        report
    }

    /// Keeps the directory of a seed that fails.
    fn keep(&self, seed: u64, what: String, from: &Path) -> Failure {
        let kept = self.directory.join(format!("failed-{seed}"));
        let _ = fs::remove_dir_all(&kept);
        let copied = fs::create_dir_all(&kept).and_then(|()| {
            for entry in fs::read_dir(from)? {
                let path = entry?.path();
                if let (true, Some(name)) = (path.is_file(), path.file_name()) {
                    fs::copy(&path, kept.join(name))?;
                }
            }
            fs::write(kept.join("what.txt"), &what)
        });
        let what = match copied {
            Ok(()) => what,
            Err(error) => format!("{what}\n(not all could be kept: {error})"),
        };
        Failure { seed, what, kept }
    }
}
