//! Tasks and thread groups: `struct task_struct` as far as user programs and Popcorn see it.
//!
//! Left out: credentials (everybody is root), namespaces, cgroups, ptrace.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use isa::VirtAddr;
use msglayer::{Envelope, Nid};

use crate::cpu::UserContext;
use crate::exec::Completion;
use crate::fs::FileTable;
use crate::ids::{CpuId, Pid, Tgid, ThreadId};
use crate::mm::Mm;
use crate::remote_context::RemoteContext;
use crate::signal::{GroupSignals, Signal, SignalState};

/// A thread group: what the threads of one process on one node share beside memory.
pub struct ThreadGroup {
    /// Its id.
    pub tgid: Tgid,
    /// Living members.
    pub threads: RefCell<BTreeMap<Pid, Rc<Task>>>,
    /// Set once when the group ends as a whole: the wait status that every member ends with.
    pub group_exit: Cell<Option<ExitStatus>>,
    /// How the leader ended, once it has.
    pub leader_exit: Cell<Option<ExitStatus>>,
    /// Actions, and signals for any member.
    pub signals: GroupSignals,
}

impl ThreadGroup {
    /// How the process ended; `None` while a thread of it is left. As in wait(2), the group's status goes before the leader's own.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        if !self.threads.borrow().is_empty() {
            return None;
        }
        self.group_exit.get().or(self.leader_exit.get())
    }
}

/// How a task or process ended (wait(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// exit(2) or exit_group(2) with this status, 0..=255.
    Exited(u8),
    /// A signal.
    Signaled(Signal),
}

impl ExitStatus {
    /// As `do_exit` and TASK_EXIT_* carry it: status << 8, or the signal number.
    pub fn code(self) -> i32 {
        match self {
            Self::Exited(status) => i32::from(status) << 8,
            Self::Signaled(signal) => signal.0,
        }
    }

    /// The reverse of [`ExitStatus::code`].
    pub fn from_code(code: i32) -> Self {
        match code & 0x7f {
            0 => Self::Exited((code >> 8) as u8),
            signal => Self::Signaled(Signal(signal)),
        }
    }

    /// The status of a shell: the exit status, or 128 + the signal.
    pub fn shell_status(self) -> i32 {
        match self {
            Self::Exited(status) => i32::from(status),
            Self::Signaled(signal) => 128 + signal.0,
        }
    }
}

/// A task: a thread of a process, or a remote worker.
pub struct Task {
    /// Its id on this node.
    pub pid: Pid,
    /// Its group.
    pub group: Rc<ThreadGroup>,
    /// Its name, 15 bytes at most.
    pub comm: RefCell<String>,
    /// The thread of the executor that it is, once it runs.
    pub thread: Cell<Option<ThreadId>>,
    /// Its registers.
    pub context: RefCell<UserContext>,
    /// The vCPU that holds its FP/SIMD registers, if one does.
    pub loaded_on: Cell<Option<CpuId>>,
    /// Its address space; gone after exit_mm.
    pub mm: RefCell<Option<Rc<Mm>>>,
    /// Its open files.
    pub files: Rc<FileTable>,
    /// personality(2).
    pub personality: Cell<u32>,
    /// Cleared and woken at exit (set_tid_address(2), CLONE_CHILD_CLEARTID).
    pub clear_child_tid: Cell<Option<VirtAddr>>,
    /// The head of its list of robust futexes (set_robust_list(2)). Of a distributed process' thread, home has it.
    pub robust_list: Cell<Option<VirtAddr>>,
    /// Masks and signals for this task alone.
    pub signals: SignalState,
    /// A signal that will end it before it returns to user mode.
    pub fatal_signal: Cell<Option<Signal>>,
    /// Popcorn's own fields.
    pub popcorn: PopcornFields,
    /// Set when it has ended.
    pub exited: Cell<Option<ExitStatus>>,
}

/// The fields that Popcorn adds to `task_struct`.
pub struct PopcornFields {
    /// The remote context. At home, set means: this thread is away.
    pub remote: RefCell<Option<Rc<RemoteContext>>>,
    /// The peer: at home the node where it is, at a guest its home (`remote_nid`/`origin_nid`, one union in K52).
    pub peer_nid: Cell<Option<Nid>>,
    /// Its pid there.
    pub peer_pid: Cell<Pid>,
    /// It is a remote worker.
    pub is_worker: Cell<bool>,
    /// It belongs to another node's process.
    pub at_remote: Cell<bool>,
    /// The one-slot mailbox of a shadow thread.
    pub remote_work: RefCell<Option<Envelope>>,
    /// Something is in the mailbox.
    pub remote_work_pended: Completion,
    /// It has sent its registers home and ends without a word (`TASK_PARKED`); or it waits until the next node has taken it.
    pub parked: Cell<bool>,
    /// At home, of a thread on its way from one guest to another: the twin that waits to hear whether the other one has taken it.
    pub hop: Cell<Option<Hop>>,
    /// At home: the pid that the thread had on the first node that it was on elsewhere. The program may know it by that: one that was created
    /// there is known by no other.
    pub first_twin: Cell<Pid>,
    /// At home: the pid that it had on the last node that it was on elsewhere.
    pub last_twin: Cell<Pid>,
    /// At a guest: the wait station of a call that home makes for this thread and that a signal may end.
    pub forwarded: Cell<Option<i32>>,
    /// At home, of a shadow: the wait station of the call that it is making for its twin.
    pub serving: Cell<Option<i32>>,
    /// At home, of a shadow: the wait station of the call that its twin wants ended.
    pub interrupted: Cell<Option<i32>>,
    /// At home, of a shadow: its twin has been told that the group ends.
    pub end_told: Cell<bool>,
    /// Where somebody proposed that it goes.
    pub migration_target_nid: Cell<Option<Nid>>,
    /// How often its faults had to be retried lately.
    pub backoff_weight: Cell<u32>,
}

/// A twin that waits on its node while home asks another node to take the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Where it waits.
    pub nid: Nid,
    /// Its pid there.
    pub pid: Pid,
    /// Its wait station there.
    pub station: i32,
}

impl Default for PopcornFields {
    fn default() -> Self {
        Self {
            remote: RefCell::new(None),
            peer_nid: Cell::new(None),
            peer_pid: Cell::new(Pid::NONE),
            is_worker: Cell::new(false),
            at_remote: Cell::new(false),
            remote_work: RefCell::new(None),
            remote_work_pended: Completion::new(),
            parked: Cell::new(false),
            hop: Cell::new(None),
            first_twin: Cell::new(Pid::NONE),
            last_twin: Cell::new(Pid::NONE),
            forwarded: Cell::new(None),
            serving: Cell::new(None),
            interrupted: Cell::new(None),
            end_told: Cell::new(false),
            migration_target_nid: Cell::new(None),
            backoff_weight: Cell::new(0),
        }
    }
}

impl Task {
    /// The group's id.
    pub fn tgid(&self) -> Tgid {
        self.group.tgid
    }

    /// Its address space. Panics after exit_mm: no path that needs memory is taken then.
    pub fn mm(&self) -> Rc<Mm> {
        self.mm
            .borrow()
            .clone()
            .expect("the task still has its address space")
    }

    /// Its remote context, if any.
    pub fn remote(&self) -> Option<Rc<RemoteContext>> {
        self.popcorn.remote.borrow().clone()
    }

    /// At home: whether the thread itself is on another node, and this is its shadow.
    pub fn is_away(&self) -> bool {
        !self.popcorn.at_remote.get() && self.popcorn.remote.borrow().is_some()
    }

    /// Whether it has to end before it returns to user mode.
    pub fn is_dying(&self) -> bool {
        self.fatal_signal.get().is_some() || self.group.group_exit.get().is_some()
    }
}
