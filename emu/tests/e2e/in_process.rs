//! Runs in this process, with the console kept in memory: fast enough for hundreds of them.

use std::path::Path;

use emu::cluster::{Cluster, Outcome, hop_variable};
use emu::config::ClusterConfig;
use emu::program::Program;
use emu::record::{Console, Digest, Recorder, Trace};
use isa::Isa;

use crate::native::Printed;

/// The two ways to put the two ISAs into a pair of nodes.
pub const PAIRS: [[Isa; 2]; 2] = [[Isa::X86_64, Isa::Aarch64], [Isa::Aarch64, Isa::X86_64]];

/// A run that has ended.
pub struct Ran {
    pub printed: Printed,
    pub digest: Digest,
    /// Arrivals of threads from another node.
    pub migrations: u64,
}

/// A cluster in which everything that a migration does not carry is filled with a pattern, and every change of a page is checked.
pub fn checked(isas: &[Isa]) -> ClusterConfig {
    ClusterConfig {
        check_invariants: true,
        poison_arrivals: true,
        ..ClusterConfig::of(isas)
    }
}

/// The same with this many vCPUs on every node.
pub fn with_cpus(mut config: ClusterConfig, cpus: u16) -> ClusterConfig {
    config.nodes.iter_mut().for_each(|node| node.cpus = cpus);
    config
}

/// Runs a guest program to its end. The cluster has to be empty afterwards, and no kernel may have anything to complain of.
pub fn run(config: &ClusterConfig, name: &str, arguments: &[&str]) -> Ran {
    run_traced(config, &guests::program(name), arguments, None)
}

/// The same with a hop of each thread at every Nth of its migration points.
pub fn run_hopping(config: &ClusterConfig, name: &str, arguments: &[&str], every: u32) -> Ran {
    let variable = hop_variable(every);
    run_in(config, &guests::program(name), arguments, &[variable], None)
}

/// The same for a program by its path, with a trace if one is given.
pub fn run_traced(
    config: &ClusterConfig,
    path: &Path,
    arguments: &[&str],
    trace: Option<Trace>,
) -> Ran {
    run_in(config, path, arguments, &[], trace)
}

fn run_in(
    config: &ClusterConfig,
    path: &Path,
    arguments: &[&str],
    environment: &[String],
    trace: Option<Trace>,
) -> Ran {
    let what = format!("{} {arguments:?} on {:?}", path.display(), config.nodes);
    let program = Program::open(path).unwrap_or_else(|error| panic!("{what}: {error}"));
    let recorder = Recorder::new(config.nodes.len(), Console::Kept, trace);
    let cluster = Cluster::new(config, &program, recorder.clone())
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let outcome = cluster
        .run(&program, &arguments, environment)
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let Outcome::Exited(status) = outcome else {
        panic!("{what}: {outcome:?}")
    };
    assert_nothing_is_left(&cluster, &what);
    recorder.finish_trace().expect("the trace is written");
    let summary = recorder.summary();
    assert_eq!(summary.refusals, Vec::<String>::new(), "{what}");
    assert_eq!(summary.notes, Vec::<String>::new(), "{what}");
    assert_eq!(String::from_utf8_lossy(&recorder.output(2)), "", "{what}");
    Ran {
        printed: Printed {
            text: String::from_utf8(recorder.output(1)).expect("guests print text"),
            status: status.shell_status(),
        },
        digest: recorder.digest(),
        migrations: summary.migrations,
    }
}

fn assert_nothing_is_left(cluster: &Cluster, what: &str) {
    for kernel in cluster.kernels() {
        let nid = kernel.nid();
        let tasks: Vec<_> = kernel.tasks.borrow().keys().copied().collect();
        assert!(
            tasks.is_empty(),
            "{what}: node {nid} still has tasks {tasks:?}"
        );
        let contexts = kernel.remote_contexts.iter().map(|c| c.borrow().len());
        assert_eq!(contexts.sum::<usize>(), 0, "{what}: contexts of node {nid}");
        let frames = kernel.frames.borrow().used();
        assert_eq!(frames, 0, "{what}: frames in use on node {nid}");
    }
}
