//! A sleeping reader-writer lock: Linux's `rw_semaphore`, as Popcorn uses `mmap_sem` of a distributed process.
//!
//! Who sleeps for the lock waits behind a writer that waits, so that a stream of faults does not keep a writer out for ever. Who only tries
//! ([`RwSem::try_read`]) is admitted whenever no writer holds the lock: at a guest a page request of home's must be able to pass while a
//! writer waits for a fault that depends on it.

use std::cell::Cell;

use super::{Executor, WaitQueue, WaitRecord};

/// A reader-writer lock whose holders may sleep.
#[derive(Debug, Default)]
pub struct RwSem {
    readers: Cell<u32>,
    writer: Cell<bool>,
    /// Writers that wait.
    wanted: Cell<u32>,
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
            .wait_until(exec, WaitRecord::new(what), || {
                !self.writer.get() && !self.is_write_wanted()
            })
            .await;
        self.take_read(exec)
    }

    /// `down_read_trylock`, also past writers that wait.
    pub fn try_read<'a>(&'a self, exec: &'a Executor) -> Option<RwSemReadGuard<'a>> {
        (!self.writer.get()).then(|| self.take_read(exec))
    }

    /// `down_write`.
    pub async fn write<'a>(&'a self, exec: &'a Executor, what: &str) -> RwSemWriteGuard<'a> {
        self.wanted.set(self.wanted.get() + 1);
        self.queue
            .wait_until(exec, WaitRecord::new(what), || {
                !self.writer.get() && self.readers.get() == 0
            })
            .await;
        self.wanted.set(self.wanted.get() - 1);
        self.writer.set(true);
        RwSemWriteGuard { sem: self, exec }
    }

    /// Whether a writer holds the lock.
    pub fn is_write_locked(&self) -> bool {
        self.writer.get()
    }

    /// Whether a writer waits for the lock.
    pub fn is_write_wanted(&self) -> bool {
        self.wanted.get() > 0
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
