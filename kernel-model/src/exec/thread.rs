//! A thread of the executor, and the record of what it waits for: what a debugger shows and what turns a hang into a sentence.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use isa::VirtAddr;
use msglayer::{Nid, SimTime};

use super::run_queue::Vruntime;
use crate::ids::{CpuId, Pid, ThreadId};

/// Which run-queue class a thread belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ThreadClass {
    /// A kernel thread: runs before any user task of its vCPU.
    Kernel,
    /// A user task, in user mode or in a system call.
    User,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Somebody woke the thread.
    Woken,
    /// The time given was over.
    TimedOut,
    /// A signal is pending.
    Interrupted,
}

/// Who waits for what, since when, on whose account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitRecord {
    /// What is waited for, in the kernel's words ("wait station 3", "mmap_sem", "futex").
    pub what: String,
    /// The address it is about: page, futex word.
    pub addr: Option<VirtAddr>,
    /// The node (and task there) that has to act, when known.
    pub whom: Option<(Nid, Pid)>,
    /// A signal may end the wait.
    pub interruptible: bool,
    /// The waiter serves others and is content to wait for ever (an idle worker): no deadlock.
    pub service: bool,
    /// When the wait began; filled in when it does.
    pub since: SimTime,
}

impl WaitRecord {
    /// An uninterruptible wait.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            addr: None,
            whom: None,
            interruptible: false,
            service: false,
            since: SimTime::ZERO,
        }
    }

    /// About an address.
    pub fn addr(mut self, addr: VirtAddr) -> Self {
        self.addr = Some(addr);
        self
    }

    /// On a node and a task there.
    pub fn whom(mut self, nid: Nid, pid: Pid) -> Self {
        self.whom = Some((nid, pid));
        self
    }

    /// That a signal may end.
    pub fn interruptible(mut self) -> Self {
        self.interruptible = true;
        self
    }

    /// Of a server for its next piece of work.
    pub fn service(mut self) -> Self {
        self.service = true;
        self
    }
}

impl fmt::Display for WaitRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "waits for {}", self.what)?;
        if let Some(addr) = self.addr {
            write!(f, " at {addr}")?;
        }
        if let Some((nid, pid)) = self.whom {
            write!(f, ", node {nid} task {pid}")?;
        }
        write!(f, ", since {}", self.since)
    }
}

/// Where a thread stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ThreadState {
    /// Created, not yet on a run queue.
    New,
    /// On a run queue.
    Ready,
    /// Being polled.
    Running,
    /// Waiting.
    Blocked(WaitRecord),
}

/// A thread as others see it.
#[derive(Clone, Debug)]
pub struct ThreadInfo {
    /// Its identity.
    pub id: ThreadId,
    /// Its name ("pcn_recv_1", the command of a task).
    pub name: String,
    /// Its class.
    pub class: ThreadClass,
    /// The vCPU it last was queued on.
    pub cpu: CpuId,
    /// Where it stands.
    pub state: ThreadState,
}

pub(super) struct Thread {
    pub name: String,
    pub class: ThreadClass,
    pub cpu: CpuId,
    pub future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    pub state: ThreadState,
    pub wake: Wake,
    /// How long it has run, on the scale of its vCPU's run queue.
    pub vruntime: Vruntime,
}

impl Thread {
    pub fn new(
        name: String,
        class: ThreadClass,
        cpu: CpuId,
        future: Pin<Box<dyn Future<Output = ()>>>,
    ) -> Self {
        Self {
            name,
            class,
            cpu,
            future: Some(future),
            state: ThreadState::New,
            wake: Wake::Woken,
            vruntime: 0,
        }
    }

    pub fn info(&self, id: ThreadId) -> ThreadInfo {
        ThreadInfo {
            id,
            name: self.name.clone(),
            class: self.class,
            cpu: self.cpu,
            state: self.state.clone(),
        }
    }
}
