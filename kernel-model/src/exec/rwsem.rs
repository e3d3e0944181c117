//! A sleeping reader-writer lock: Linux's `rw_semaphore`, as Popcorn uses `mmap_sem` of a distributed process.
//!
//! Readers are admitted whenever no writer holds the lock, even if writers wait. That is what Popcorn's writers, which take the lock by
//! `down_write_trylock` in a loop, amount to: a page request must be able to pass while a writer waits for a fault that depends on it.

use std::cell::Cell;

use super::{Executor, WaitQueue, WaitRecord};

/// A reader-writer lock whose holders may sleep.
#[derive(Debug, Default)]
pub struct RwSem {
    readers: Cell<u32>,
    writer: Cell<bool>,
    queue: WaitQueue,
}

impl RwSem {
    /// A free lock.
    pub fn new() -> Self {
        Self::default()
    }

    /// `down_read`.
    pub async fn read<'a>(&'a self, exec: &'a Executor, what: &str) -> RwSemReadGuard<'a> {
        self.queue
            .wait_until(exec, WaitRecord::new(what), || !self.writer.get())
            .await;
        self.take_read(exec)
    }

    /// `down_read_trylock`.
    pub fn try_read<'a>(&'a self, exec: &'a Executor) -> Option<RwSemReadGuard<'a>> {
        (!self.writer.get()).then(|| self.take_read(exec))
    }

    /// `down_write`, reader-preferring.
    pub async fn write<'a>(&'a self, exec: &'a Executor, what: &str) -> RwSemWriteGuard<'a> {
        self.queue
            .wait_until(exec, WaitRecord::new(what), || {
                !self.writer.get() && self.readers.get() == 0
            })
            .await;
        self.writer.set(true);
        RwSemWriteGuard { sem: self, exec }
    }

    /// Whether a writer holds the lock.
    pub fn is_write_locked(&self) -> bool {
        self.writer.get()
    }

    fn take_read<'a>(&'a self, exec: &'a Executor) -> RwSemReadGuard<'a> {
        self.readers.set(self.readers.get() + 1);
        RwSemReadGuard { sem: self, exec }
    }
}

/// Read access; given back when dropped.
pub struct RwSemReadGuard<'a> {
    sem: &'a RwSem,
    exec: &'a Executor,
}

impl Drop for RwSemReadGuard<'_> {
    fn drop(&mut self) {
        self.sem.readers.set(self.sem.readers.get() - 1);
        if self.sem.readers.get() == 0 {
            self.sem.queue.wake_all(self.exec);
        }
    }
}

/// Write access; given back when dropped.
pub struct RwSemWriteGuard<'a> {
    sem: &'a RwSem,
    exec: &'a Executor,
}

impl Drop for RwSemWriteGuard<'_> {
    fn drop(&mut self) {
        self.sem.writer.set(false);
        self.sem.queue.wake_all(self.exec);
    }
}
