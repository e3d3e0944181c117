//! Linux's wait queue: threads that sleep until a condition of theirs may have changed. A thread can be in several, as poll(2) has it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use msglayer::SimDuration;

use super::{Executor, WaitRecord, Wake};
use crate::ids::ThreadId;

/// A wait queue, first come first woken. To come, to go and to be woken is cheap, however many wait.
#[derive(Debug, Default)]
pub struct WaitQueue {
    /// Who waits, by the number that was drawn on coming.
    waiters: RefCell<BTreeMap<u64, ThreadId>>,
    next: Cell<u64>,
}

/// A thread's place in a queue, which it leaves when this is dropped, unless it has been woken there.
struct Entry<'a> {
    queue: &'a WaitQueue,
    number: u64,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.queue.waiters.borrow_mut().remove(&self.number);
    }
}

impl WaitQueue {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    fn enter(&self, id: ThreadId) -> Entry<'_> {
        let number = self.next.replace(self.next.get() + 1);
        self.waiters.borrow_mut().insert(number, id);
        Entry {
            queue: self,
            number,
        }
    }

    /// Sleeps once; the caller checks its condition again. `Interrupted` only if the record is interruptible.
    pub async fn sleep(&self, exec: &Executor, record: WaitRecord) -> Wake {
        Self::sleep_in_all(&[self], exec, record, None).await
    }

    /// As [`WaitQueue::sleep`], in several queues at once until one of them wakes it, at most for `timeout` if there is one.
    pub async fn sleep_in_all(
        queues: &[&Self],
        exec: &Executor,
        record: WaitRecord,
        timeout: Option<SimDuration>,
    ) -> Wake {
        let me = exec.current();
        let entries: Vec<_> = queues.iter().map(|queue| queue.enter(me)).collect();
        let wake = match timeout {
            Some(timeout) => exec.block_timeout(record, timeout, false).await,
            None => exec.block(record).await,
        };
        drop(entries);
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
        let mut woken = 0;
        while woken < count {
            let first = self.waiters.borrow_mut().pop_first();
            let Some((_, id)) = first else {
                break;
            };
            exec.wake(id);
            woken += 1;
        }
        woken
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
