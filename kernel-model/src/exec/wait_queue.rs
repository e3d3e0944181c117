//! Linux's wait queue: threads that sleep until a condition of theirs may have changed.

use std::cell::RefCell;
use std::collections::VecDeque;

use msglayer::SimDuration;

use super::{Executor, WaitRecord, Wake};
use crate::ids::ThreadId;

/// A wait queue, first come first woken.
#[derive(Debug, Default)]
pub struct WaitQueue {
    waiters: RefCell<VecDeque<ThreadId>>,
}

impl WaitQueue {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sleeps once; the caller checks its condition again. `Interrupted` only if the record is interruptible.
    pub async fn sleep(&self, exec: &Executor, record: WaitRecord) -> Wake {
        self.sleep_timeout(exec, record, None).await
    }

    /// As [`WaitQueue::sleep`], at most for `timeout` if there is one.
    pub async fn sleep_timeout(
        &self,
        exec: &Executor,
        record: WaitRecord,
        timeout: Option<SimDuration>,
    ) -> Wake {
        let me = exec.current();
        self.waiters.borrow_mut().push_back(me);
        let wake = match timeout {
            Some(timeout) => exec.block_timeout(record, timeout, false).await,
            None => exec.block(record).await,
        };
        self.waiters.borrow_mut().retain(|id| *id != me);
        wake
    }

    /// Sleeps until `condition` holds.
    pub async fn wait_until(
        &self,
        exec: &Executor,
        record: WaitRecord,
        condition: impl Fn() -> bool,
    ) -> Wake {
        while !condition() {
            let wake = self.sleep(exec, record.clone()).await;
            if wake == Wake::Interrupted {
                return wake;
            }
        }
        Wake::Woken
    }

    /// Wakes the first `count` sleepers; returns how many there were.
    pub fn wake(&self, exec: &Executor, count: usize) -> usize {
        let woken: Vec<_> = {
            let mut waiters = self.waiters.borrow_mut();
            let count = count.min(waiters.len());
            waiters.drain(..count).collect()
        };
        for id in &woken {
            exec.wake(*id);
        }
        woken.len()
    }

    /// Wakes everybody.
    pub fn wake_all(&self, exec: &Executor) -> usize {
        self.wake(exec, usize::MAX)
    }

    /// Whether nobody sleeps here.
    pub fn is_empty(&self) -> bool {
        self.waiters.borrow().is_empty()
    }
}
