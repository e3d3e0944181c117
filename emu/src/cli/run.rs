//! `kettle run`: a program on a cluster.
//!
//! Standard output carries the program's output and nothing else. The summary goes to standard error and ends with the line `digest: HEX`.
//! The exit status is the program's: 128 + n for a signal, 125 if the run could not be done, 126 if the program ended well but a node refused it.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use isa::Isa;
use kernel_model::Profile;
use kernel_model::task::ExitStatus;
use msglayer::{Bandwidth, LinkModel, SimDuration, SimTime};

use super::{FAILED, REFUSED, say};
use crate::cluster::{Cluster, Outcome, hop_variable};
use crate::config::{ClusterConfig, MemorySize, NodeSpec};
use crate::keep;
use crate::program::Program;
use crate::record::{Console, Recorder, Trace};

/// Arguments of `kettle run`.
#[derive(Args, Debug)]
#[command(
    override_usage = "kettle run --nodes ISA,ISA,... [OPTIONS] PROG [ARGS]\n       kettle run [OPTIONS] CLUSTER.toml -- PROG [ARGS]",
    after_help = "PROG stands for PROG_x86-64 and PROG_aarch64, as kettle-cc makes them; each node runs the one of its ISA."
)]
pub struct RunArgs {
    /// The nodes' ISAs, x86_64 or aarch64, by node number; the program starts on node 0
    #[arg(long, value_name = "ISA,ISA,...", value_delimiter = ',')]
    nodes: Vec<Isa>,
    /// vCPUs of every node
    #[arg(long)]
    cpus: Option<u16>,
    /// Memory of every node, like 256MiB
    #[arg(long)]
    memory: Option<MemorySize>,
    /// Link between the nodes: ib56, 10gbe or 1gbe
    #[arg(long, value_name = "PROFILE")]
    link: Option<String>,
    /// Latency of the link, like 2us
    #[arg(long)]
    latency: Option<SimDuration>,
    /// Bandwidth of the link, like 56Gbit/s
    #[arg(long)]
    bandwidth: Option<Bandwidth>,
    /// What all random draws come from
    #[arg(long)]
    seed: Option<u64>,
    /// Which Popcorn: kettle, or k52 with the original's dead ends
    #[arg(long, value_parser = ["kettle", "k52"])]
    profile: Option<String>,
    /// A directory that the program sees as /; what it writes stays in memory
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// When the run has ended, do in --root's directory what the program did to its files
    #[arg(long, requires = "root")]
    writable: bool,
    /// What the program reads from its standard input, which is empty otherwise; - is Kettle's own, read to its end first
    #[arg(long, value_name = "FILE")]
    stdin: Option<PathBuf>,
    /// A variable of the program's environment; there is no other
    #[arg(long = "env", value_name = "NAME=VALUE")]
    environment: Vec<String>,
    /// Let each thread of a kettle-cc program hop to the next node at every Nth migration point that it passes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    hop_every: Option<u32>,
    /// Write every event to a file, a line each; - is standard error
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Tell in words what happened: the threads' paths, and each migration with its call stack, messages and pages
    #[arg(long, conflicts_with = "quiet")]
    explain: bool,
    /// No summary: only errors
    #[arg(long, short)]
    quiet: bool,
    /// End the run at this virtual time, like 10s
    #[arg(long, value_name = "TIME")]
    max_time: Option<SimDuration>,
    /// Check the page server's invariants after every change
    #[arg(long)]
    check_invariants: bool,
    /// Fill registers that a migration does not carry with a pattern
    #[arg(long)]
    poison: bool,
    /// [CLUSTER.toml --] PROG [ARGS]
    #[arg(required = true, trailing_var_arg = true, value_name = "PROG")]
    command: Vec<String>,
}

/// Runs; returns the exit status.
pub(super) fn run(args: &RunArgs) -> Result<u8> {
    let (config, command) = configuration(args)?;
    let Some((program, arguments)) = command.split_first() else {
        bail!(
            "no program is given: write it after the cluster file, as in `kettle run cluster.toml -- ./prog`"
        );
    };
    for variable in &args.environment {
        if variable.find('=').is_none_or(|at| at == 0) {
            bail!("--env {variable}: write NAME=VALUE");
        }
    }
    let mut environment = args.environment.clone();
    environment.extend(args.hop_every.map(hop_variable));
    let program = Program::open(Path::new(program))?;
    program.origin_image(0, config.nodes[0].isa)?;
    let trace = match &args.trace {
        Some(path) => Some(
            Trace::create(path)
                .with_context(|| format!("the trace file {} cannot be written", path.display()))?,
        ),
        None => None,
    };
    let recorder = Recorder::new(config.nodes.len(), Console::Host, trace);
    if args.explain {
        recorder.explain();
    }
    let cluster = Cluster::new(&config, &program, Rc::clone(&recorder))?;
    if let Some(path) = &args.stdin {
        cluster.feed(&read_input(path)?);
    }
    let outcome = cluster.run(&program, arguments, &environment)?;
    let lost = match (args.writable, &args.root) {
        (true, Some(root)) => keep_changes(&cluster, root).err(),
        _ => None,
    };
    recorder
        .finish_trace()
        .context("the trace could not be written to its end")?;
    Ok(report(args, &recorder, &outcome, lost.as_ref()))
}

fn read_input(path: &Path) -> Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        let read = std::io::stdin().read_to_end(&mut bytes);
        read.context("--stdin -: Kettle's own standard input cannot be read")?;
        return Ok(bytes);
    }
    std::fs::read(path)
        .with_context(|| format!("--stdin {}: the file cannot be read", path.display()))
}

/// Does on the host what the program did to its files.
fn keep_changes(cluster: &Cluster, root: &Path) -> Result<()> {
    let changes = cluster.changes().map_err(|errno| {
        anyhow!(
            "--writable: a file of {} could not be read again: {errno}; nothing has been kept",
            root.display()
        )
    })?;
    Ok(keep::write(root, &changes)?)
}

/// Says how it ended, and why files that were to be kept are lost, if they are; the exit status.
fn report(
    args: &RunArgs,
    recorder: &Recorder,
    outcome: &Outcome,
    files_lost: Option<&anyhow::Error>,
) -> u8 {
    let summary = recorder.summary();
    for why in &summary.refusals {
        say(&format_args!("kettle: {why}"));
    }
    if !args.quiet {
        for note in &summary.notes {
            say(&format_args!("kettle: note: {note}"));
        }
        if let Some(story) = recorder.story() {
            say(&story);
        }
        say(&*summary);
    }
    let lost = recorder
        .console_lost()
        .map(|why| format!("the program's output could not be written to standard output: {why}"));
    let status = match outcome {
        Outcome::Exited(status) => {
            if let (ExitStatus::Signaled(signal), false) = (status, args.quiet) {
                say(&format_args!("the program was ended by {signal}"));
            }
            Ok(status.shell_status() as u8)
        }
        Outcome::Deadlock(report) => Err(report.clone()),
        Outcome::Halted { nid, why } => Err(format!("node {nid}: {why}")),
        Outcome::TimeLimit(limit) => Err(format!(
            "the program was not done at {limit} of virtual time, the limit that --max-time sets"
        )),
    };
    let lost = lost.or(files_lost.map(ToString::to_string));
    let status = lost.map_or(status, Err);
    if let Err(sentence) = &status {
        say(&format_args!("kettle: {sentence}"));
    }
    if !args.quiet {
        say(&format_args!("digest: {}", recorder.digest()));
    }
    match status {
        Ok(0) if !summary.refusals.is_empty() => REFUSED,
        Ok(status) => status,
        Err(_) => FAILED,
    }
}

/// The cluster, and what is left of the command line: program and arguments.
fn configuration(args: &RunArgs) -> Result<(ClusterConfig, &[String])> {
    let (mut config, command) = if args.nodes.is_empty() {
        let first = Path::new(&args.command[0]);
        if first
            .extension()
            .is_none_or(|extension| extension != "toml")
        {
            bail!(
                "which cluster? Write --nodes x86_64,aarch64 before the program, or a cluster file ending in .toml"
            );
        }
        let rest = &args.command[1..];
        let rest = match rest.first().map(String::as_str) {
            Some("--") => &rest[1..],
            Some(flag) if flag.starts_with('-') => bail!(
                "unexpected argument '{flag}' after the cluster file: Kettle's own flags go before it, and a program of that name after `--`"
            ),
            _ => rest,
        };
        (ClusterConfig::from_file(first)?, rest)
    } else {
        (ClusterConfig::of(&args.nodes), &args.command[..])
    };
    let each = |config: &mut ClusterConfig, change: &dyn Fn(&mut NodeSpec)| {
        config.nodes.iter_mut().for_each(change)
    };
    if let Some(cpus) = args.cpus {
        each(&mut config, &|node| node.cpus = cpus);
    }
    if let Some(memory) = args.memory {
        each(&mut config, &|node| node.memory = memory);
    }
    if let Some(link) = &args.link {
        config.link = LinkModel::profile(link)?;
    }
    config.link.latency = args.latency.unwrap_or(config.link.latency);
    config.link.bandwidth = args.bandwidth.unwrap_or(config.link.bandwidth);
    config.seed = args.seed.unwrap_or(config.seed);
    if let Some(profile) = &args.profile {
        config.profile = if profile == "k52" {
            Profile::K52
        } else {
            Profile::Kettle
        };
    }
    config.root = args.root.clone();
    config.max_time = args.max_time.map(|span| SimTime::ZERO + span);
    config.check_invariants = args.check_invariants;
    config.poison_arrivals = args.poison;
    Ok((config.check()?, command))
}
