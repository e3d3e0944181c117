//! Linux's `struct completion`: a count of things done, and those who wait for one.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use msglayer::SimDuration;

use super::{Executor, WaitRecord, Wake};
use crate::ids::ThreadId;

/// A completion, as in `kernel/sched/completion.c`: each `complete` lets one wait pass, before or after it.
#[derive(Debug, Default)]
pub struct Completion {
    done: Cell<u32>,
    waiters: RefCell<VecDeque<ThreadId>>,
}

/// "All": `complete_all` sets this, and waits pass from then on.
const DONE_FOR_ALL: u32 = u32::MAX;

impl Completion {
    /// A completion that nothing has completed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets one wait pass.
    pub fn complete(&self, exec: &Executor) {
        self.done.set(self.done.get().saturating_add(1));
        if let Some(id) = self.waiters.borrow().front() {
            exec.wake(*id);
        }
    }

    /// Lets all waits pass, now and later.
    pub fn complete_all(&self, exec: &Executor) {
        self.done.set(DONE_FOR_ALL);
        for id in self.waiters.borrow().iter() {
            exec.wake(*id);
        }
    }

    /// Whether a wait would pass at once.
    pub fn is_done(&self) -> bool {
        self.done.get() > 0
    }

    /// Waits. `Interrupted` only if the record is interruptible.
    pub async fn wait(&self, exec: &Executor, record: WaitRecord) -> Wake {
        self.wait_inner(exec, record, None).await
    }

    /// Waits at most for `timeout`; the timer does not keep a run alive (see [`Executor::block_timeout`]).
    pub async fn wait_timeout(
        &self,
        exec: &Executor,
        record: WaitRecord,
        timeout: SimDuration,
    ) -> Wake {
        self.wait_inner(exec, record, Some(timeout)).await
    }

    async fn wait_inner(
        &self,
        exec: &Executor,
        record: WaitRecord,
        timeout: Option<SimDuration>,
    ) -> Wake {
        let me = exec.current();
        let deadline = timeout.map(|t| exec.now() + t);
        self.waiters.borrow_mut().push_back(me);
        let wake = loop {
            if self.take_one() {
                break Wake::Woken;
            }
            let wake = match deadline {
                Some(at) => {
                    exec.block_timeout(record.clone(), at.saturating_since(exec.now()), true)
                        .await
                }
                None => exec.block(record.clone()).await,
            };
            if wake != Wake::Woken {
                break if self.take_one() { Wake::Woken } else { wake };
            }
        };
        self.waiters.borrow_mut().retain(|id| *id != me);
        // Whoever is next may have been passed over while this thread was first.
        if self.is_done()
            && let Some(id) = self.waiters.borrow().front()
        {
            exec.wake(*id);
        }
        wake
    }

    fn take_one(&self) -> bool {
        match self.done.get() {
            0 => false,
            DONE_FOR_ALL => true,
            n => {
                self.done.set(n - 1);
                true
            }
        }
    }
}
