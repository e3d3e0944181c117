//! Pipes (pipe(7)): bytes from threads that write to threads that read, all of one process.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use crate::exec::{Executor, WaitQueue};

/// How much a pipe holds, in bytes (16 pages).
pub const CAPACITY: usize = 65_536;

/// A pipe.
pub struct Pipe {
    bytes: RefCell<VecDeque<u8>>,
    readers: Cell<usize>,
    writers: Cell<usize>,
    /// Those who wait for a change of any sort.
    pub waiters: WaitQueue,
    /// Those who wait for a change of this and of other pipes (poll).
    pub pollers: WaitQueue,
    exec: Rc<Executor>,
}

/// One end of a pipe; as long as it lives, the other end has somebody to talk to.
pub struct PipeEnd {
    /// The pipe.
    pub pipe: Rc<Pipe>,
    /// It is the end that is written to.
    pub writes: bool,
}

impl Pipe {
    /// A new pipe's ends: to read from, to write to.
    pub fn ends(exec: &Rc<Executor>) -> [PipeEnd; 2] {
        let pipe = Rc::new(Self {
            bytes: RefCell::default(),
            readers: Cell::new(1),
            writers: Cell::new(1),
            waiters: WaitQueue::new(),
            pollers: WaitQueue::new(),
            exec: Rc::clone(exec),
        });
        [false, true].map(|writes| PipeEnd {
            pipe: Rc::clone(&pipe),
            writes,
        })
    }

    /// How many bytes can be read.
    pub fn filled(&self) -> usize {
        self.bytes.borrow().len()
    }

    /// How many bytes can be written.
    pub fn room(&self) -> usize {
        // What was put back may have found its room taken.
        CAPACITY.saturating_sub(self.filled())
    }

    /// Whether anybody could still write.
    pub fn has_writers(&self) -> bool {
        self.writers.get() > 0
    }

    /// Whether anybody could still read.
    pub fn has_readers(&self) -> bool {
        self.readers.get() > 0
    }

    /// Takes at most `most` bytes.
    pub fn take(&self, most: usize) -> Vec<u8> {
        let mut bytes = self.bytes.borrow_mut();
        let count = most.min(bytes.len());
        let taken = bytes.drain(..count).collect();
        drop(bytes);
        if count > 0 {
            self.changed();
        }
        taken
    }

    /// Puts back what was taken and could not be handed over.
    pub fn put_back(&self, taken: Vec<u8>) {
        let mut bytes = self.bytes.borrow_mut();
        taken
            .into_iter()
            .rev()
            .for_each(|byte| bytes.push_front(byte));
        drop(bytes);
        self.changed();
    }

    /// Puts bytes in, of which there are at most [`Pipe::room`].
    pub fn put(&self, bytes: &[u8]) {
        self.bytes.borrow_mut().extend(bytes);
        self.changed();
    }

    fn changed(&self) {
        self.waiters.wake_all(&self.exec);
        self.pollers.wake_all(&self.exec);
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        let count = if self.writes {
            &self.pipe.writers
        } else {
            &self.pipe.readers
        };
        count.set(count.get() - 1);
        self.pipe.changed();
    }
}
