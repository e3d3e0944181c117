//! `struct remote_context`: what a node knows of one distributed process. Models K52's `kernel/popcorn/types.h`.
//!
//! At home there is one per process that ever sent a thread away (list 0, "outbound"); at a guest one per process that sent a thread here
//! (list 1, "inbound"), found by the home node and the home tgid.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use msglayer::{Envelope, MAX_POPCORN_NODES, Nid};

use crate::exec::Completion;
use crate::ids::{Pid, Tgid};
use crate::mm::Mm;
use crate::page_server::{FaultTable, OwnershipTree};
use crate::task::Task;
use crate::vma_server::VmaFetches;

/// What a node keeps about one distributed process.
pub struct RemoteContext {
    /// The address space on this node; dead when the process is gone.
    pub mm: RefCell<Weak<Mm>>,
    /// The process at home (list 0: here; list 1: on [`RemoteContext::remote_nid`]).
    pub tgid: Tgid,
    /// The home node of the process.
    pub home: Nid,
    /// True at a guest (`for_remote`, the list index).
    pub for_remote: bool,
    /// Page ownership (`pages` radix tree).
    pub pages: RefCell<OwnershipTree>,
    /// Ongoing faults (`faults[31]`).
    pub faults: FaultTable,
    /// Ongoing VMA fetches (`vmas`).
    pub vmas: VmaFetches,
    /// Ends the worker's loop.
    pub stop_remote_worker: Cell<bool>,
    /// With which exit code the process ended, once TASK_EXIT_ORIGIN said so.
    pub exit_code: Cell<i32>,
    /// The worker task at a guest.
    pub remote_worker: RefCell<Option<Rc<Task>>>,
    /// Something is in `remote_works`.
    pub remote_works_ready: Completion,
    /// Messages for the worker; pushed and popped at the front (LIFO, as in K52).
    pub remote_works: RefCell<VecDeque<Envelope>>,
    /// At home: which nodes have been told the process' signal actions, one bit each.
    pub knows_actions: Cell<u64>,
    /// Pid of this process' worker (or of its leader, at home) on each node; 0 is "not there".
    pub remote_tgids: RefCell<[Pid; MAX_POPCORN_NODES]>,
}

impl RemoteContext {
    /// An empty context for the process `tgid` of `home`.
    pub fn new(mm: &Rc<Mm>, tgid: Tgid, home: Nid, for_remote: bool) -> Rc<Self> {
        let context = Self::without_mm(tgid, home, for_remote);
        *context.mm.borrow_mut() = Rc::downgrade(mm);
        context
    }

    /// As [`RemoteContext::new`], for a worker that has not built its address space yet.
    pub fn without_mm(tgid: Tgid, home: Nid, for_remote: bool) -> Rc<Self> {
        Rc::new(Self {
            mm: RefCell::new(Weak::new()),
            tgid,
            home,
            for_remote,
            pages: RefCell::default(),
            faults: FaultTable::default(),
            vmas: VmaFetches::default(),
            stop_remote_worker: Cell::new(false),
            exit_code: Cell::new(0),
            remote_worker: RefCell::new(None),
            remote_works_ready: Completion::new(),
            remote_works: RefCell::default(),
            knows_actions: Cell::new(0),
            remote_tgids: RefCell::new([Pid(0); MAX_POPCORN_NODES]),
        })
    }

    /// The pid that stands for the process on `nid`; `None` when it is not there.
    pub fn remote_tgid(&self, nid: Nid) -> Option<Pid> {
        let pid = self.remote_tgids.borrow()[nid.index()];
        (pid != Pid(0)).then_some(pid)
    }

    /// At home: whether a node has been told the signal actions, and hears of changes.
    pub fn knows_actions(&self, nid: Nid) -> bool {
        self.knows_actions.get() >> nid.index() & 1 == 1
    }

    /// Notes whether it has.
    pub fn set_knows_actions(&self, nid: Nid, knows: bool) {
        let others = self.knows_actions.get() & !(1 << nid.index());
        self.knows_actions
            .set(others | u64::from(knows) << nid.index());
    }

    /// Notes the pid that stands for the process on `nid`.
    pub fn set_remote_tgid(&self, nid: Nid, pid: Pid) {
        self.remote_tgids.borrow_mut()[nid.index()] = pid;
    }
}
