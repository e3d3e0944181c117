//! Fault handles: one ongoing fault per page, with its followers, those who wait to try again, and an invalidation that waits for its end.
//!
//! K52 hashes the handles into 31 buckets by page number; the buckets are an implementation of a map and are one here.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use isa::VirtAddr;
use msglayer::messages::VmFault;

use super::actions::{Action, HandleFlags, fault_action};
use crate::exec::{Completion, Executor, WaitQueue, WaitRecord};
use crate::ids::Pid;

/// The ongoing faults of a process on one node (`faults[31]`).
#[derive(Default)]
pub struct FaultTable {
    handles: RefCell<BTreeMap<VirtAddr, Rc<FaultHandle>>>,
}

/// An ongoing fault (`struct fault_handle`).
pub(super) struct FaultHandle {
    addr: VirtAddr,
    flags: Cell<HandleFlags>,
    /// Followers that were ever admitted.
    followers: Cell<u32>,
    leader: Pid,
    result: Cell<Option<VmFault>>,
    /// The leader and the followers that have not left yet.
    pendings: Cell<u32>,
    waits: WaitQueue,
    waits_retry: WaitQueue,
    invalidation: RefCell<Option<Rc<Completion>>>,
}

/// How a fault begins.
pub(super) enum Start {
    /// This one does the work, and ends with [`FaultTable::finish`].
    Leader(Rc<FaultHandle>),
    /// A leader has done it: its result.
    Followed(VmFault),
    /// Try again.
    Retry,
    /// K52 hits BUG (or, without sanity checks, follows).
    Impossible(String),
}

/// `FH_ACTION_MAX_FOLLOWER`; the original's test is "old count > 8", which admits nine.
const MAX_FOLLOWER: u32 = 8;

impl FaultTable {
    /// `__start_fault_handling`.
    pub(super) async fn start(
        &self,
        exec: &Executor,
        addr: VirtAddr,
        who: Pid,
        write: bool,
        remote: bool,
        at_guest: bool,
    ) -> Start {
        let ongoing = self.handles.borrow().get(&addr).cloned();
        let Some(handle) = ongoing else {
            return Start::Leader(self.lead(addr, who, write, remote));
        };
        let record = || {
            WaitRecord::new(format!("task {}'s fault on the same page", handle.leader)).addr(addr)
        };
        let mut action = fault_action(at_guest, handle.flags.get(), write, remote);
        if action == Action::Follow && handle.followers.get() > MAX_FOLLOWER {
            action = Action::RetryWait;
        }
        match action {
            Action::Follow => {
                handle.followers.set(handle.followers.get() + 1);
                handle.pendings.set(handle.pendings.get() + 1);
                handle
                    .waits
                    .wait_until(exec, record(), || handle.result.get().is_some())
                    .await;
                let result = handle.result.get().expect("the leader has finished");
                self.leave(exec, &handle);
                Start::Followed(result)
            }
            Action::Retry => Start::Retry,
            Action::RetryWait => {
                handle
                    .waits_retry
                    .wait_until(exec, record(), || !self.is_current(&handle))
                    .await;
                Start::Retry
            }
            Action::Impossible => {
                let (ongoing, incoming) =
                    (handle.flags.get(), if write { "write" } else { "read" });
                let side = if remote { "remote" } else { "local" };
                Start::Impossible(format!(
                    "a {side} {incoming} of page {addr} comes while {ongoing:?} is ongoing"
                ))
            }
        }
    }

    /// `__finish_fault_handling`, for the leader: `result` is what its followers get.
    pub(super) fn finish(&self, exec: &Executor, handle: &Rc<FaultHandle>, result: VmFault) {
        handle.result.set(Some(result));
        handle.waits.wake_all(exec);
        self.leave(exec, handle);
    }

    /// For an invalidation: if a fault on the page is ongoing, waits for its end. It may then be that the next fault has begun already.
    pub(super) async fn wait_for_ongoing(
        &self,
        exec: &Executor,
        addr: VirtAddr,
    ) -> Result<(), String> {
        let ongoing = self.handles.borrow().get(&addr).cloned();
        let Some(handle) = ongoing else { return Ok(()) };
        if handle.flags.get().contains(HandleFlags::INVALIDATE) {
            return Err(format!("two invalidations of page {addr} are pending"));
        }
        handle
            .flags
            .set(handle.flags.get() | HandleFlags::INVALIDATE);
        let completion = Rc::new(Completion::new());
        *handle.invalidation.borrow_mut() = Some(Rc::clone(&completion));
        completion
            .wait(
                exec,
                WaitRecord::new("the ongoing fault before an invalidation").addr(addr),
            )
            .await;
        Ok(())
    }

    /// For an invalidation that has waited: lets the handle go.
    pub(super) fn release(&self, exec: &Executor, addr: VirtAddr) {
        let handle = self.handles.borrow_mut().remove(&addr);
        if let Some(handle) = handle {
            handle.waits_retry.wake_all(exec);
        }
    }

    /// Whether a fault on the page is ongoing.
    pub(super) fn is_ongoing(&self, addr: VirtAddr) -> bool {
        self.handles.borrow().contains_key(&addr)
    }

    fn lead(&self, addr: VirtAddr, leader: Pid, write: bool, remote: bool) -> Rc<FaultHandle> {
        let mut flags = HandleFlags::empty();
        flags.set(HandleFlags::WRITE, write);
        flags.set(HandleFlags::REMOTE, remote);
        let handle = Rc::new(FaultHandle {
            addr,
            flags: Cell::new(flags),
            followers: Cell::new(0),
            leader,
            result: Cell::new(None),
            pendings: Cell::new(1),
            waits: WaitQueue::new(),
            waits_retry: WaitQueue::new(),
            invalidation: RefCell::new(None),
        });
        self.handles.borrow_mut().insert(addr, Rc::clone(&handle));
        handle
    }

    /// The last one out ends the handle, or leaves it to the invalidation that waits.
    fn leave(&self, exec: &Executor, handle: &Rc<FaultHandle>) {
        handle.pendings.set(handle.pendings.get() - 1);
        if handle.pendings.get() > 0 {
            return;
        }
        let invalidation = handle.invalidation.borrow_mut().take();
        match invalidation {
            Some(completion) => completion.complete(exec),
            None => self.release(exec, handle.addr),
        }
    }

    fn is_current(&self, handle: &Rc<FaultHandle>) -> bool {
        self.handles
            .borrow()
            .get(&handle.addr)
            .is_some_and(|current| Rc::ptr_eq(current, handle))
    }
}
