//! The cluster and its sequential engine: a conservative parallel discrete-event simulation, run by one thread.
//!
//! Nodes interact only by messages with a latency above zero. The engine runs one node until its *horizon*: the earliest time at which another
//! node could still reach it. Inside the horizon a node's actions depend on nothing outside, so that the order in which nodes take turns,
//! and how long a turn is, cannot be seen in a run. Any engine that keeps to the horizons gives the same digest.

mod deadlock;

use std::cell::Cell;
use std::rc::Rc;

use isa::Errno;
use kernel_model::fs::Change;
use kernel_model::page_server::invariants;
use kernel_model::process::{ExecError, start_process};
use kernel_model::task::{ExitStatus, Task};
use kernel_model::{EventSink, Halt, Kernel, user};
use msglayer::{Nid, SimDuration, SimTime};
use thiserror::Error;

use crate::config::ClusterConfig;
use crate::node::{self, NodeError};
use crate::program::Program;
use crate::record::Recorder;
use crate::rootfs::HostRoot;

/// Why a run cannot begin.
#[derive(Debug, Error)]
pub enum StartError {
    /// A node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The root directory.
    #[error("the root directory {path} cannot be opened: {reason}")]
    Root {
        /// Which directory.
        path: std::path::PathBuf,
        /// What the host says.
        reason: std::io::Error,
    },
    /// The program.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// The program has no binary for where it starts.
    #[error(transparent)]
    Program(#[from] crate::program::ProgramError),
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The program ended, and everything that had to happen afterwards has happened.
    Exited(ExitStatus),
    /// Nothing is left to happen and somebody still waits: the chain of who waits for whom.
    Deadlock(String),
    /// The profile asks for the original's behaviour, and the original would not survive.
    Halted {
        /// Where.
        nid: Nid,
        /// Why.
        why: Halt,
    },
    /// The limit of virtual time is reached.
    TimeLimit(SimTime),
}

/// The variable of the environment that lets each thread of a kettle-cc program hop to the next node at every Nth of its migration points. The
/// program's runtime takes it out before the program sees it (`guests/runtime/points.c`).
pub fn hop_variable(every: u32) -> String {
    format!("KETTLE_HOP_EVERY={every}")
}

/// A cluster that runs one program.
pub struct Cluster {
    kernels: Vec<Rc<Kernel>>,
    recorder: Rc<Recorder>,
    latency: SimDuration,
    check_invariants: bool,
    max_time: Option<SimTime>,
    /// Actions so far in which pages changed hands.
    page_changes: Cell<u64>,
}

/// After so many changes of pages, all pages and areas are checked and not only those that changed.
const WHOLE_CHECK: u64 = 64;

/// Panics with what is broken.
fn demand(invariants: Result<(), String>, at: SimTime) {
    if let Err(broken) = invariants {
        panic!("invariant broken at {at}: {broken}");
    }
}

impl Cluster {
    /// Builds and boots all nodes; they know each other when this returns.
    pub fn new(
        config: &ClusterConfig,
        program: &Program,
        recorder: Rc<Recorder>,
    ) -> Result<Self, StartError> {
        let root = HostRoot::new(program.clone(), config.root.as_deref()).map_err(|reason| {
            StartError::Root {
                path: config.root.clone().unwrap_or_default(),
                reason,
            }
        })?;
        let nids: Vec<_> = Nid::first(config.nodes.len()).collect();
        let mut kernels = Vec::new();
        for nid in &nids {
            let (node, frames) = config.node(*nid);
            let events: Rc<dyn EventSink> = Rc::clone(&recorder) as Rc<dyn EventSink>;
            kernels.push(node::boot(
                node,
                frames,
                Rc::clone(&root) as _,
                events,
                &nids,
            )?);
        }
        recorder.attach(&kernels, program);
        let cluster = Self {
            kernels,
            recorder,
            latency: config.link.latency,
            check_invariants: config.check_invariants,
            max_time: config.max_time,
            page_changes: Cell::new(0),
        };
        while !cluster.everybody_is_known() && cluster.turn() {}
        if let Some(limit) = cluster.max_time {
            for kernel in &cluster.kernels {
                kernel.exec.set_limit(limit);
            }
        }
        Ok(cluster)
    }

    /// What the program will find on its standard input, which is empty otherwise.
    pub fn feed(&self, input: &[u8]) {
        *self.kernels[0].input.borrow_mut() = input.into();
    }

    /// What the program has changed in its file system, compared with the root directory; in an order in which it can be done again.
    /// The error says what of the root could not be read.
    pub fn changes(&self) -> Result<Vec<Change>, Errno> {
        self.kernels[0].fs.changes()
    }

    /// Starts the program on node 0, when all nodes have booted, and runs the cluster until nothing is left to do.
    pub fn run(
        &self,
        program: &Program,
        arguments: &[String],
        environment: &[String],
    ) -> Result<Outcome, StartError> {
        let origin = &self.kernels[0];
        program.origin_image(0, origin.isa())?;
        let mut argv = vec![program.guest_path().to_owned()];
        argv.extend_from_slice(arguments);
        let task = start_process(origin, program.guest_path(), &argv, environment)?;
        // No earlier: a node that has got further could be reached in its past.
        let booted = self.now() + SimDuration::from_ps(1);
        let (kernel, first) = (Rc::clone(origin), Rc::clone(&task));
        origin.exec.at(booted, 0, move |_| {
            user::wake_up_new_task(&kernel, &first);
        });
        while self.turn() {
            if let Some((nid, why)) = self.halted() {
                return Ok(Outcome::Halted { nid, why });
            }
        }
        if self.check_invariants {
            demand(invariants::check_cluster(&self.kernels), self.now());
        }
        let ended = task.group.threads.borrow().is_empty();
        if let Some(limit) = self.max_time.filter(|_| !ended && self.is_cut_short()) {
            self.recorder.ended_at(limit);
            return Ok(Outcome::TimeLimit(limit));
        }
        Ok(self.outcome(&task))
    }

    /// The nodes, by number.
    pub fn kernels(&self) -> &[Rc<Kernel>] {
        &self.kernels
    }

    /// The latest time that any node has reached.
    pub fn now(&self) -> SimTime {
        self.kernels
            .iter()
            .map(|k| k.exec.now())
            .max()
            .unwrap_or(SimTime::ZERO)
    }

    /// One turn: the node whose next action is the earliest runs up to its horizon. False when nothing is left to happen before the time limit.
    fn turn(&self) -> bool {
        let next: Vec<_> = self.kernels.iter().map(|k| k.exec.next_action()).collect();
        if next.iter().flatten().all(|(_, background)| *background) {
            return false;
        }
        let earliest = next
            .iter()
            .enumerate()
            .filter_map(|(n, action)| Some((action.as_ref()?.0, n)))
            .min();
        let Some((_, turn)) = earliest.filter(|(time, _)| self.is_in_time(*time)) else {
            return false;
        };
        let others = next
            .iter()
            .enumerate()
            .filter(|(n, _)| *n != turn)
            .filter_map(|(_, action)| Some(action.as_ref()?.0));
        let horizon = others.min().map(|time| time + self.latency);
        self.run_node(turn, horizon);
        true
    }

    /// Runs a node's actions that begin before `horizon`. A message that it sends ends the turn, because its receiver may answer.
    fn run_node(&self, turn: usize, horizon: Option<SimTime>) {
        let kernel = &self.kernels[turn];
        loop {
            kernel.exec.step();
            if let Some(poll) = kernel.exec.take_overlong() {
                kernel.log(&format!(
                    "a fault of Kettle's own (bounded-poll): {} kept its vCPU for {} without giving way, and held up all that should have happened meanwhile",
                    poll.thread, poll.span
                ));
            }
            self.check_changes(kernel.exec.now());
            let outbox = kernel.take_outbox();
            let sent = !outbox.is_empty();
            for (arrival, envelope) in outbox {
                self.kernels[envelope.to.index()].deliver(arrival, envelope);
            }
            let in_reach = match (kernel.exec.next_action(), horizon) {
                (Some((time, background)), horizon) => {
                    !background
                        && horizon.is_none_or(|horizon| time < horizon)
                        && self.is_in_time(time)
                }
                (None, _) => false,
            };
            if sent || !in_reach || kernel.halted().is_some() {
                return;
            }
        }
    }

    /// Whether an action at `time` is still to be performed.
    fn is_in_time(&self, time: SimTime) -> bool {
        self.max_time.is_none_or(|limit| time < limit)
    }

    /// Whether something is left to happen that the time limit has cut off.
    fn is_cut_short(&self) -> bool {
        let next = self.kernels.iter().filter_map(|k| k.exec.next_action());
        next.map(|(_, background)| background)
            .any(|background| !background)
    }

    /// The pages that the last action has changed; and everything, now and then. To be called also when nobody wants it checked.
    fn check_changes(&self, at: SimTime) {
        let changed = self.recorder.take_changed_pages();
        if !self.check_invariants || changed.is_empty() {
            return;
        }
        let changes = self.page_changes.get() + 1;
        self.page_changes.set(changes);
        let result = match changes % WHOLE_CHECK {
            0 => invariants::check_cluster(&self.kernels),
            _ => invariants::check_pages(&self.kernels, &changed),
        };
        demand(result, at);
    }

    fn everybody_is_known(&self) -> bool {
        self.kernels.iter().all(|k| {
            let nodes = k.nodes.borrow();
            self.kernels
                .iter()
                .all(|peer| nodes.get_popcorn_node_arch(peer.nid()).is_some())
        })
    }

    fn halted(&self) -> Option<(Nid, Halt)> {
        self.kernels
            .iter()
            .find_map(|k| Some((k.nid(), k.halted()?)))
    }

    fn outcome(&self, task: &Task) -> Outcome {
        if !task.group.threads.borrow().is_empty() {
            return Outcome::Deadlock(deadlock::report(&self.kernels));
        }
        let status = task.group.group_exit.get().or(task.exited.get());
        Outcome::Exited(status.expect("a group without threads has ended"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A panic may have come out of the middle of a poll, whose borrows are not given back yet: another panic would hide it.
        if std::thread::panicking() {
            return;
        }
        for kernel in &self.kernels {
            kernel.switch_off();
        }
    }
}
