//! One node's kernel: everything it owns, and the door through which the engine drives it.
//!
//! Kernels share nothing. What enters is [`Kernel::deliver`], what leaves is [`Kernel::take_outbox`]; both carry bytes and times only.
//! Kernel code is written as free functions over `&Rc<Kernel>`, named as in the original.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;

use isa::{Isa, PAGE_SIZE, Pfn, PhysAddr, VirtAddr};
use msglayer::{Envelope, MAX_POPCORN_NODES, Nid, NodeList, SimDuration, SimTime};

use crate::config::{NodeConfig, Profile};
use crate::costs::Cost;
use crate::cpu::{Cpu, CpuExit, PhysMemory};
use crate::event::{Event, EventSink};
use crate::exec::{Executor, Workqueue};
use crate::fs::{FileSystem, RootFs};
use crate::futex::FutexQueues;
use crate::ids::{CpuId, Pid, Tgid};
use crate::kmsg::Kmsg;
use crate::mm::{FrameAllocator, Mm};
use crate::random::{Generator, generator};
use crate::remote_context::RemoteContext;
use crate::signal::SigHand;
use crate::task::Task;

/// The machine that a kernel runs on.
pub struct Hardware {
    /// One per vCPU, all of the node's ISA.
    pub cpus: Vec<Box<dyn Cpu>>,
    /// Physical memory.
    pub memory: Rc<dyn PhysMemory>,
    /// The root file system.
    pub root: Rc<dyn RootFs>,
    /// Who listens to the events.
    pub events: Rc<dyn EventSink>,
}

/// Why a run cannot go on, though work is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// K52 would hit BUG here.
    WouldBug(String),
    /// K52 would wait for ever here.
    WouldHang(String),
    /// Kettle's own kernels contradict each other: a fault of Kettle, not of the program.
    Broken(String),
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WouldBug(why) => write!(f, "would BUG: {why}"),
            Self::WouldHang(why) => write!(f, "would hang: {why}"),
            Self::Broken(why) => write!(
                f,
                "the kernels' state is broken, which is a fault of Kettle: {why}"
            ),
        }
    }
}

/// The modelled kernel of one node.
pub struct Kernel {
    /// Its parameters.
    pub config: NodeConfig,
    /// Its scheduler.
    pub exec: Rc<Executor>,
    /// Physical memory.
    pub memory: Rc<dyn PhysMemory>,
    /// Free frames.
    pub frames: RefCell<FrameAllocator>,
    /// The root file system, as it is before anybody writes: where programs come from.
    pub root: Rc<dyn RootFs>,
    /// Files as this node's processes see them.
    pub fs: FileSystem,
    /// Standard input of the processes that start here.
    pub input: RefCell<Rc<[u8]>>,
    /// Living tasks by pid.
    pub tasks: RefCell<BTreeMap<Pid, Rc<Task>>>,
    /// Popcorn's node list (`popcorn_nodes`).
    pub nodes: RefCell<NodeList>,
    /// The message layer.
    pub kmsg: Kmsg,
    /// `remote_contexts[2]`: outbound (0) and inbound (1).
    pub remote_contexts: [RefCell<Vec<Rc<RemoteContext>>>; 2],
    /// Signal actions of other nodes' processes that are here, or about to be.
    pub remote_actions: RefCell<BTreeMap<(Nid, Tgid), Rc<SigHand>>>,
    /// "pcn_wq".
    pub popcorn_wq: Rc<Workqueue>,
    /// "pcn_wq_ordered".
    pub popcorn_ordered_wq: Rc<Workqueue>,
    /// Waiters on futexes.
    pub futexes: FutexQueues,
    /// The random numbers that programs of this node are given.
    pub guest_random: RefCell<Generator>,
    /// The page server's choices among owners of a page.
    pub owner_choice: RefCell<Generator>,
    /// System calls that were reported as unimplemented already.
    pub reported_calls: RefCell<BTreeSet<u64>>,
    cpus: Vec<RefCell<Box<dyn Cpu>>>,
    tlb_stale: Vec<Cell<bool>>,
    /// Whose registers each vCPU loaded last.
    loaded: Vec<Cell<Option<Pid>>>,
    /// Fractions of a picosecond that retired instructions have left over, per vCPU.
    cycle_rest: Vec<Cell<u128>>,
    code_frames: RefCell<BTreeSet<Pfn>>,
    events: Rc<dyn EventSink>,
    next_pid: Cell<i32>,
    next_id: Cell<u64>,
    halt: RefCell<Option<Halt>>,
}

impl Kernel {
    /// Boots a kernel: work queues, message handlers, receive threads for `peers` (the other nodes of the cluster), NODE_INFO broadcast.
    pub fn boot(config: NodeConfig, hardware: Hardware, peers: &[Nid]) -> Rc<Self> {
        assert_eq!(
            hardware.cpus.len(),
            usize::from(config.cpus),
            "one CPU per configured vCPU"
        );
        let cpus = hardware.cpus.len();
        let draws = |name| RefCell::new(generator(config.seed, name, config.nid));
        let kernel = Rc::new(Self {
            exec: Rc::new(Executor::new(
                config.cpus,
                Cost::ContextSwitch.time(),
                config.time_slice,
            )),
            frames: RefCell::new(FrameAllocator::new(hardware.memory.frames())),
            fs: FileSystem::new(
                Rc::clone(&hardware.root),
                config.isa,
                hardware.memory.frames() / FILES_SHARE * PAGE_SIZE,
            ),
            memory: hardware.memory,
            root: hardware.root,
            input: RefCell::new(Rc::from([])),
            tasks: RefCell::default(),
            nodes: RefCell::new(NodeList::new(config.nid, config.isa)),
            kmsg: Kmsg::new(config.nid, config.link, peers),
            remote_contexts: Default::default(),
            remote_actions: RefCell::default(),
            popcorn_wq: Workqueue::concurrent("pcn_wq"),
            popcorn_ordered_wq: Workqueue::ordered("pcn_wq_ordered"),
            futexes: FutexQueues::default(),
            guest_random: draws("guest random numbers"),
            owner_choice: draws("page owner"),
            reported_calls: RefCell::default(),
            cpus: hardware.cpus.into_iter().map(RefCell::new).collect(),
            tlb_stale: vec![Cell::new(false); cpus],
            loaded: vec![Cell::new(None); cpus],
            cycle_rest: vec![Cell::new(0); cpus],
            code_frames: RefCell::default(),
            events: hardware.events,
            next_pid: Cell::new(0),
            next_id: Cell::new(1),
            halt: RefCell::new(None),
            config,
        });
        crate::kmsg::start_transport(&kernel);
        kernel
    }

    /// This node.
    pub fn nid(&self) -> Nid {
        self.config.nid
    }

    /// This node's ISA.
    pub fn isa(&self) -> Isa {
        self.config.isa
    }

    /// Records an event at the current time.
    pub fn event(&self, event: &Event<'_>) {
        self.events.record(self.exec.now(), self.config.nid, event);
    }

    /// Tells the user something through the event stream.
    pub fn log(&self, text: &str) {
        self.event(&Event::Log { text });
    }

    /// Spends the time of a kernel path.
    pub fn charge(&self, cost: Cost) {
        self.exec.charge(cost.time());
    }

    /// The living task with this pid.
    pub fn find_task(&self, pid: Pid) -> Option<Rc<Task>> {
        self.tasks.borrow().get(&pid).cloned()
    }

    /// A pid of this node that no living task has, the next one after the last (`idr_alloc_cyclic`). `None`: all are taken.
    pub fn alloc_pid(&self) -> Option<Pid> {
        let first = FIRST_PID + self.config.nid.as_i32() * PIDS_PER_NODE;
        let end = first + PIDS_PER_NODE - FIRST_PID;
        let tasks = self.tasks.borrow();
        let next = self.next_pid.get().max(first);
        let pid = (next..end)
            .chain(first..next)
            .map(Pid)
            .find(|pid| !tasks.contains_key(pid))?;
        self.next_pid
            .set(if pid.0 + 1 == end { first } else { pid.0 + 1 });
        Some(pid)
    }

    /// A number that nothing else on this node has: for address spaces and contexts.
    pub fn alloc_id(&self) -> u64 {
        self.next_id.replace(self.next_id.get() + 1)
    }

    /// The remote context of the process `tgid` of `home`; `for_remote` picks the list.
    pub fn lookup_remote_context(
        &self,
        for_remote: bool,
        home: Nid,
        tgid: Tgid,
    ) -> Option<Rc<RemoteContext>> {
        let list = self.remote_contexts[usize::from(for_remote)].borrow();
        list.iter()
            .find(|rc| rc.home == home && rc.tgid == tgid)
            .cloned()
    }

    /// Ends the run in a state that no protocol leads to: the original has a BUG there, and the default profile a fault.
    pub fn halt_broken(&self, why: String) {
        self.halt(match self.config.profile {
            Profile::K52 => Halt::WouldBug(why),
            Profile::Kettle => Halt::Broken(why),
        });
    }

    /// Ends the run: the profile asks for the original's behaviour and the original would not survive.
    pub fn halt(&self, why: Halt) {
        self.halt.borrow_mut().get_or_insert(why);
    }

    /// Why the run has to end, if it has.
    pub fn halted(&self) -> Option<Halt> {
        self.halt.borrow().clone()
    }

    /// A message from another node reaches this one at `arrival`.
    pub fn deliver(self: &Rc<Self>, arrival: SimTime, envelope: Envelope) {
        let kernel = Rc::clone(self);
        self.exec
            .at(arrival, envelope.from.index() as u64, move |_| {
                crate::kmsg::arrive(&kernel, envelope)
            });
    }

    /// Messages that left since the last call, with the times they arrive.
    pub fn take_outbox(&self) -> Vec<(SimTime, Envelope)> {
        self.kmsg.take_outbox()
    }

    /// How many guest instructions the running poll has left of its quantum. The kernel's work in this poll counts as the instructions that
    /// would have taken as long. Nothing is left at the time limit of the run, either.
    pub(crate) fn quantum_left(&self) -> u64 {
        let used = self.instructions_in(self.exec.poll_time());
        let before_limit = match self.exec.before_limit() {
            SimDuration::ZERO => 0,
            SimDuration::MAX => u64::MAX,
            span => self.instructions_in(span).saturating_add(1),
        };
        self.config.quantum.saturating_sub(used).min(before_limit)
    }

    /// In a loop of kernel code that may be long: gives way when the quantum is over.
    pub(crate) async fn cond_resched(&self) {
        if self.quantum_left() == 0 {
            self.exec.end_quantum().await;
        }
    }

    /// `udelay`, on a kernel that can be preempted in it: computes for `span`, and gives way after each quantum.
    pub(crate) async fn busy_wait(&self, span: SimDuration) {
        let mut left = span;
        while left > SimDuration::ZERO {
            let quantum = self.time_of(self.config.quantum.max(1));
            let now = left.min(quantum.max(SimDuration::from_ps(1)));
            self.exec.charge(now);
            left -= now;
            self.exec.end_quantum().await;
        }
    }

    /// Runs `task` in user mode on the current vCPU for `budget` instructions.
    pub(crate) fn run_quantum(&self, task: &Task, mm: &Mm, budget: u64) -> CpuExit {
        let cpu = self.exec.current_cpu();
        self.load_on(task, cpu);
        let slot = usize::from(cpu.0);
        let mut hardware = self.cpus[slot].borrow_mut();
        if self.tlb_stale[slot].replace(false) {
            hardware.flush_tlb();
        }
        let result = hardware.run(&mut task.context.borrow_mut(), mm, budget);
        drop(hardware);
        self.charge_instructions(slot, result.retired);
        result.exit
    }

    /// Completes a task's registers, FP/SIMD included: before anybody reads or replaces them.
    pub fn sync_context(&self, task: &Task) {
        if let Some(cpu) = task.loaded_on.take() {
            self.cpus[usize::from(cpu.0)]
                .borrow_mut()
                .switch_out(&mut task.context.borrow_mut());
        }
    }

    /// Switches the node off, in the middle of whatever it does. Its threads hold the kernel, which holds them: without this, neither is ever freed.
    pub fn switch_off(&self) {
        self.popcorn_wq.clear();
        self.popcorn_ordered_wq.clear();
        self.exec.clear();
        for contexts in &self.remote_contexts {
            drop(contexts.take());
        }
        drop(self.remote_actions.take());
        drop(self.tasks.take());
    }

    /// Every vCPU drops its cached translations before it runs user code again: a permission was withdrawn.
    pub fn flush_tlb(&self) {
        for stale in &self.tlb_stale {
            stale.set(true);
        }
    }

    /// Reads from a frame. Panics when the range leaves the frame.
    pub fn read_frame(&self, pfn: Pfn, offset: u64, out: &mut [u8]) {
        assert!(
            offset + out.len() as u64 <= PAGE_SIZE,
            "a read leaves frame {pfn}"
        );
        self.memory.read(PhysAddr(pfn.0 * PAGE_SIZE + offset), out);
    }

    /// Writes to a frame, dropping translations of code it may have held. Panics when the range leaves the frame.
    pub fn write_frame(&self, pfn: Pfn, offset: u64, bytes: &[u8]) {
        assert!(
            offset + bytes.len() as u64 <= PAGE_SIZE,
            "a write leaves frame {pfn}"
        );
        self.memory
            .write(PhysAddr(pfn.0 * PAGE_SIZE + offset), bytes);
        if self.code_frames.borrow_mut().remove(&pfn) {
            for cpu in &self.cpus {
                cpu.borrow_mut().invalidate_code(pfn);
            }
        }
    }

    /// Notes that a frame is mapped executable, so that later writes to it reach translated code.
    pub fn mark_code_frame(&self, pfn: Pfn) {
        self.code_frames.borrow_mut().insert(pfn);
    }

    fn load_on(&self, task: &Task, cpu: CpuId) {
        if task.loaded_on.get() == Some(cpu) {
            return;
        }
        self.sync_context(task);
        // A task that has ended needs its registers no more.
        let before = self.loaded[usize::from(cpu.0)].replace(Some(task.pid));
        if let Some(other) = before.and_then(|pid| self.find_task(pid))
            && other.loaded_on.get() == Some(cpu)
        {
            self.sync_context(&other);
        }
        task.loaded_on.set(Some(cpu));
    }

    fn charge_instructions(&self, slot: usize, retired: u64) {
        // ps = instructions * cpi_milli / 1000 * 1e12 / frequency, exactly over the run: the rest is carried on.
        let scaled = u128::from(retired) * u128::from(self.config.cpi_milli) * 1_000_000_000
            + self.cycle_rest[slot].get();
        let frequency = u128::from(self.config.frequency);
        self.cycle_rest[slot].set(scaled % frequency);
        let ps = u64::try_from(scaled / frequency).expect("a quantum takes less than months");
        self.exec.charge(SimDuration::from_ps(ps));
    }

    /// How long a vCPU of this node takes for so many instructions, rounded down.
    fn time_of(&self, instructions: u64) -> SimDuration {
        let cycles = u128::from(instructions) * u128::from(self.config.cpi_milli) * 1_000_000_000;
        let ps = cycles / u128::from(self.config.frequency);
        SimDuration::from_ps(u64::try_from(ps).unwrap_or(u64::MAX))
    }

    /// How many instructions a vCPU of this node retires in `span`, rounded down.
    fn instructions_in(&self, span: SimDuration) -> u64 {
        let (ps, frequency) = (span.as_ps(), self.config.frequency);
        let scale = u128::from(self.config.cpi_milli) * 1_000_000_000;
        // The usual case, which every system call meets: a few microseconds.
        if let (Some(cycles), Ok(scale)) = (ps.checked_mul(frequency), u64::try_from(scale)) {
            return cycles / scale;
        }
        let instructions = u128::from(ps) * u128::from(frequency) / scale;
        u64::try_from(instructions).unwrap_or(u64::MAX)
    }

    /// The address where a fault's page begins.
    pub(crate) fn page_of(addr: VirtAddr) -> VirtAddr {
        VirtAddr(addr.0 & !(PAGE_SIZE - 1))
    }
}

/// Linux gives 1 to init; ours starts where a booted system's user processes do.
const FIRST_PID: i32 = 1000;
/// Written files may take one part in this many of a node's memory, as tmpfs has it.
const FILES_SHARE: u64 = 2;
/// Node n has the pids from n times this on. A thread can be named by its pid on each node where it has been, so that pids of different nodes must never
/// meet, however many tasks a process makes. With 32 nodes all stay below 4,194,304, Linux's PID_MAX_LIMIT.
pub const PIDS_PER_NODE: i32 = 100_000;

const _: () = assert!(PIDS_PER_NODE * (MAX_POPCORN_NODES as i32) < 4_194_304);
