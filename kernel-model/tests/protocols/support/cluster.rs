//! The engine of the tests: earliest node first, inside its horizon, with the cluster's invariants checked after every action.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::rc::Rc;

use isa::Isa;
use kernel_model::event::EventSink;
use kernel_model::exec::{ThreadClass, ThreadState};
use kernel_model::page_server::invariants;
use kernel_model::process::start_process;
use kernel_model::task::{ExitStatus, Task};
use kernel_model::{Cpu, Halt, Hardware, Kernel, NodeConfig, Profile, user};
use msglayer::{Envelope, Nid, SimDuration, SimTime};

use super::cpu::{ScriptedCpu, Tlb, VecMemory};
use super::image::{PATH, ProgramRoot};
use super::record::Recorder;
use super::script::{Op, Script};

/// How long a node's turn is. A run may not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Horizon {
    /// One action.
    Single,
    /// Until another node could interfere.
    Maximal,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The process ended at home, and everything that had to happen afterwards has happened.
    Exited(ExitStatus),
    /// Nothing is left to happen and somebody waits.
    Deadlock(String),
    /// It goes on beyond the time that was set.
    Unfinished,
    /// A kernel gave up.
    Halted(Nid, Halt),
}

impl Outcome {
    /// A process that ended by exit.
    pub fn exited(status: u8) -> Self {
        Self::Exited(ExitStatus::Exited(status))
    }
}

/// What a cluster is made of.
#[derive(Clone)]
pub struct Setup {
    isas: Vec<Isa>,
    /// The program is built for these ISAs only.
    pub built_for: Vec<Isa>,
    pub horizon: Horizon,
    /// Wait until all nodes know each other before the program starts.
    pub settle: bool,
    /// Nodes beyond the cluster that nobody can reach still have numbers; this many frames each has.
    pub frames: u64,
    /// What each node's configuration is changed to.
    pub cpus: u16,
    /// Operations in a quantum; each takes 100 cycles, so that loops of scripts cost time like loops of programs.
    pub quantum: u64,
    /// How long a task keeps its vCPU when others want it.
    pub time_slice: SimDuration,
    pub latency: Option<SimDuration>,
    /// By how much a message may come later than its link says, drawn for each; the order on a link stays.
    pub jitter: SimDuration,
    /// Ranges that are held against one flat memory.
    pub watched: Vec<Range<u64>>,
    pub seed: u64,
    pub profile: Profile,
    pub max_tasks: usize,
    /// When a run is cut off.
    pub max_time: Option<SimTime>,
    /// More actions than this are a livelock.
    pub max_actions: u64,
}

impl Setup {
    /// Nodes of these ISAs, with the defaults of a node.
    pub fn new(isas: &[Isa]) -> Self {
        let defaults = NodeConfig::new(Nid::new(0).expect("0 is a node"), Isa::X86_64);
        Self {
            isas: isas.to_vec(),
            built_for: Isa::ALL.to_vec(),
            horizon: Horizon::Maximal,
            settle: true,
            frames: 256,
            cpus: defaults.cpus,
            quantum: 100,
            time_slice: defaults.time_slice,
            latency: None,
            jitter: SimDuration::ZERO,
            watched: Vec::new(),
            seed: defaults.seed,
            profile: defaults.profile,
            max_tasks: defaults.max_tasks,
            max_time: None,
            max_actions: 3_000_000,
        }
    }

    /// As many nodes of alternating ISAs, x86_64 first.
    pub fn mixed(nodes: usize) -> Self {
        let isas: Vec<_> = (0..nodes)
            .map(|n| {
                if n % 2 == 0 {
                    Isa::X86_64
                } else {
                    Isa::Aarch64
                }
            })
            .collect();
        Self::new(&isas)
    }

    /// The same with something changed.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Boots the nodes and starts the script on node 0.
    pub fn start(&self, script: Vec<Op>) -> Cluster {
        let script = Rc::new(Script::new(script));
        let recorder = Rc::new(Recorder::default());
        for range in &self.watched {
            recorder.watch(range.clone());
        }
        let root = ProgramRoot::new(&self.built_for.iter().copied().collect(), script.code_len());
        let isas: Rc<[Isa]> = self.isas.clone().into();
        let nids: Vec<_> = Nid::first(self.isas.len()).collect();
        let memories: Vec<_> = nids.iter().map(|_| VecMemory::new(self.frames)).collect();
        let boot = |nid: &Nid| {
            let mut config = NodeConfig::new(*nid, isas[nid.index()]);
            config.cpus = self.cpus;
            config.quantum = self.quantum;
            config.time_slice = self.time_slice;
            config.cpi_milli = 100_000;
            config.seed = self.seed;
            config.profile = self.profile;
            config.max_tasks = self.max_tasks;
            config.check_invariants = true;
            config.poison_arrivals = true;
            config.link.latency = self.latency.unwrap_or(config.link.latency);
            let memory = Rc::clone(&memories[nid.index()]);
            let cpu = || {
                Box::new(ScriptedCpu {
                    nid: *nid,
                    isas: Rc::clone(&isas),
                    script: Rc::clone(&script),
                    memory: Rc::clone(&memory),
                    recorder: Rc::clone(&recorder),
                    tlb: Tlb::default(),
                }) as Box<dyn Cpu>
            };
            let hardware = Hardware {
                cpus: (0..self.cpus).map(|_| cpu()).collect(),
                memory: Rc::clone(&memory) as _,
                root: Rc::clone(&root) as _,
                events: Rc::clone(&recorder) as Rc<dyn EventSink>,
            };
            Kernel::boot(config, hardware, &nids)
        };
        let kernels: Vec<_> = nids.iter().map(boot).collect();
        let latency = kernels[0].config.link.latency;
        let mut cluster = Cluster {
            kernels,
            recorder,
            horizon: self.horizon,
            latency,
            jitter: self.jitter,
            max_time: self.max_time,
            draws: RefCell::new(Draws(self.seed)),
            last_arrival: RefCell::default(),
            actions: Cell::new(self.max_actions),
            task: None,
            memories,
        };
        if self.settle {
            while !cluster.everybody_is_known() {
                assert!(cluster.turn(), "the nodes never came to know each other");
            }
        }
        let home = &cluster.kernels[0];
        let task =
            start_process(home, PATH, &["prog".to_owned()], &[]).expect("the script is a program");
        user::wake_up_new_task(home, &task);
        cluster.task = Some(task);
        cluster
    }

    /// Runs a script to its end.
    pub fn run(&self, script: Vec<Op>) -> (Outcome, Cluster) {
        let cluster = self.start(script);
        let outcome = cluster.run();
        (outcome, cluster)
    }

    /// Runs a script that has to exit with 0 and to leave nothing behind on any node.
    pub fn run_clean(&self, script: Vec<Op>) -> Cluster {
        let (outcome, cluster) = self.run(script);
        assert_eq!(
            outcome,
            Outcome::exited(0),
            "{}",
            cluster.recorder.logs().join("\n")
        );
        cluster.assert_clean();
        cluster
    }
}

/// Random draws that a seed determines (splitmix64).
pub struct Draws(pub u64);

impl Draws {
    /// A number below `limit`, which is more than 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// A cluster that runs one program.
pub struct Cluster {
    pub kernels: Vec<Rc<Kernel>>,
    pub recorder: Rc<Recorder>,
    horizon: Horizon,
    latency: SimDuration,
    jitter: SimDuration,
    max_time: Option<SimTime>,
    draws: RefCell<Draws>,
    last_arrival: RefCell<BTreeMap<(Nid, Nid), SimTime>>,
    actions: Cell<u64>,
    task: Option<Rc<Task>>,
    memories: Vec<Rc<VecMemory>>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.memories.iter().for_each(|memory| memory.release());
    }
}

impl Cluster {
    /// Runs until nothing is left to happen.
    pub fn run(&self) -> Outcome {
        while self.turn() {
            if let Some(halted) = self
                .kernels
                .iter()
                .find_map(|k| Some(Outcome::Halted(k.nid(), k.halted()?)))
            {
                return halted;
            }
            let late = |limit| self.kernels.iter().any(|k| k.exec.now() > limit);
            if self.max_time.is_some_and(late) {
                return Outcome::Unfinished;
            }
        }
        match self.task.as_ref().and_then(|task| task.group.exit_status()) {
            Some(status) => Outcome::Exited(status),
            None => Outcome::Deadlock(self.waits()),
        }
    }

    /// Demands that nothing of the process is left on any node: tasks, contexts, frames, messages, threads that wait for anything but work.
    pub fn assert_clean(&self) {
        for k in &self.kernels {
            let nid = k.nid();
            let tasks: Vec<_> = k.tasks.borrow().keys().copied().collect();
            assert!(tasks.is_empty(), "node {nid} still has tasks {tasks:?}");
            for (list, contexts) in k.remote_contexts.iter().enumerate() {
                assert_eq!(
                    contexts.borrow().len(),
                    0,
                    "node {nid} still has remote contexts in list {list}"
                );
            }
            assert_eq!(
                k.frames.borrow().used(),
                0,
                "node {nid} still has frames in use"
            );
        }
        assert_eq!(self.waits(), "", "somebody still waits");
    }

    /// Who waits for what, but for idle servers: a line each.
    pub fn waits(&self) -> String {
        let mut text = String::new();
        for k in &self.kernels {
            for thread in k.exec.threads() {
                let ThreadState::Blocked(record) = &thread.state else {
                    continue;
                };
                if !record.service || thread.class == ThreadClass::User {
                    writeln!(text, "node {}: {} {record}", k.nid(), thread.name)
                        .expect("strings can be written to");
                }
            }
        }
        text
    }

    /// One turn of the node whose next action is the earliest; false when nothing but background timers is left.
    fn turn(&self) -> bool {
        let next: Vec<_> = self.kernels.iter().map(|k| k.exec.next_action()).collect();
        if next.iter().flatten().all(|(_, background)| *background) {
            return false;
        }
        let times = || {
            next.iter()
                .enumerate()
                .filter_map(|(n, action)| Some((action.as_ref()?.0, n)))
        };
        let Some((_, turn)) = times().min() else {
            return false;
        };
        let horizon = times()
            .filter(|(_, n)| *n != turn)
            .map(|(time, _)| time + self.latency)
            .min();
        while self.action(turn) {
            let Some((time, background)) = self.kernels[turn].exec.next_action() else {
                break;
            };
            let in_reach = horizon.is_none_or(|horizon: SimTime| time < horizon);
            if self.horizon == Horizon::Single
                || background
                || !in_reach
                || self.kernels[turn].halted().is_some()
            {
                break;
            }
        }
        true
    }

    /// One action of a node; false if it sent something, which may be answered.
    fn action(&self, turn: usize) -> bool {
        let kernel = &self.kernels[turn];
        let left = self.actions.get().checked_sub(1);
        self.actions.set(
            left.unwrap_or_else(|| panic!("livelock at {}\n{}", kernel.exec.now(), self.waits())),
        );
        let before = self.recorder.len();
        kernel.exec.step();
        // User code changes nothing that the invariants are about, and no kernel changes anything in silence.
        if self.recorder.len() > before
            && let Err(broken) = invariants::check_cluster(&self.kernels)
        {
            panic!("invariant broken at {}: {broken}", kernel.exec.now());
        }
        let outbox = kernel.take_outbox();
        let quiet = outbox.is_empty();
        for (arrival, envelope) in outbox {
            let arrival = self.delayed(arrival, &envelope);
            self.kernels[envelope.to.index()].deliver(arrival, envelope);
        }
        quiet
    }

    fn delayed(&self, arrival: SimTime, envelope: &Envelope) -> SimTime {
        // Until the program starts nobody is late: it starts at home's time, and no node may be ahead of that by more than a link takes.
        if self.jitter == SimDuration::ZERO || self.task.is_none() {
            return arrival;
        }
        let late = SimDuration::from_ps(self.draws.borrow_mut().below(self.jitter.as_ps()));
        let mut last = self.last_arrival.borrow_mut();
        let last = last.entry((envelope.from, envelope.to)).or_default();
        *last = (arrival + late).max(*last + SimDuration::from_ps(1));
        *last
    }

    fn everybody_is_known(&self) -> bool {
        let knows = |k: &Rc<Kernel>, peer: &Rc<Kernel>| {
            k.nodes.borrow().get_popcorn_node_arch(peer.nid()).is_some()
        };
        self.kernels
            .iter()
            .all(|k| self.kernels.iter().all(|peer| knows(k, peer)))
    }
}
