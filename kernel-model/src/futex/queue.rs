//! The queues: who sleeps on which word, in order of arrival (Linux's hash buckets, without collisions).

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use isa::VirtAddr;

use crate::exec::Executor;
use crate::ids::ThreadId;

/// A word: the address space's id and the address.
pub(super) type Key = (u64, VirtAddr);

/// All sleepers of a node.
#[derive(Default)]
pub struct FutexQueues {
    queues: RefCell<BTreeMap<Key, VecDeque<Rc<Waiter>>>>,
}

/// One sleeper (`struct futex_q`).
pub(super) struct Waiter {
    thread: ThreadId,
    key: Cell<Key>,
    bitset: u32,
    woken: Cell<bool>,
}

impl Waiter {
    /// Whether somebody chose it; it is in no queue then.
    pub(super) fn is_woken(&self) -> bool {
        self.woken.get()
    }
}

impl FutexQueues {
    /// Puts a thread at the end of a word's queue.
    pub(super) fn enqueue(&self, thread: ThreadId, key: Key, bitset: u32) -> Rc<Waiter> {
        let waiter = Rc::new(Waiter {
            thread,
            key: Cell::new(key),
            bitset,
            woken: Cell::new(false),
        });
        self.queues
            .borrow_mut()
            .entry(key)
            .or_default()
            .push_back(Rc::clone(&waiter));
        waiter
    }

    /// Takes a waiter out that gives up.
    pub(super) fn cancel(&self, waiter: &Rc<Waiter>) {
        self.edit(waiter.key.get(), |queue| {
            queue.retain(|other| !Rc::ptr_eq(other, waiter))
        });
    }

    /// Wakes the first `count` waiters that share a bit with `bitset`; returns how many.
    pub(super) fn wake(&self, exec: &Executor, key: Key, count: u32, bitset: u32) -> u64 {
        let mut chosen = Vec::new();
        self.edit(key, |queue| {
            queue.retain(|waiter| {
                let takes = waiter.bitset & bitset != 0 && chosen.len() < count as usize;
                if takes {
                    chosen.push(Rc::clone(waiter));
                }
                !takes
            });
        });
        for waiter in &chosen {
            waiter.woken.set(true);
            exec.wake(waiter.thread);
        }
        chosen.len() as u64
    }

    /// Moves the first `count` waiters of one word to the end of another's queue; returns how many.
    pub(super) fn requeue(&self, from: Key, to: Key, count: u32) -> u64 {
        if from == to {
            let queues = self.queues.borrow();
            return queues
                .get(&from)
                .map_or(0, |queue| queue.len().min(count as usize)) as u64;
        }
        let mut moved = VecDeque::new();
        self.edit(from, |queue| {
            moved = queue.drain(..queue.len().min(count as usize)).collect();
        });
        let len = moved.len() as u64;
        for waiter in &moved {
            waiter.key.set(to);
        }
        if len > 0 {
            self.queues
                .borrow_mut()
                .entry(to)
                .or_default()
                .extend(moved);
        }
        len
    }

    /// How many sleep on a word.
    #[cfg(test)]
    fn len(&self, key: Key) -> usize {
        self.queues.borrow().get(&key).map_or(0, VecDeque::len)
    }

    fn edit(&self, key: Key, change: impl FnOnce(&mut VecDeque<Rc<Waiter>>)) {
        let mut queues = self.queues.borrow_mut();
        if let Some(queue) = queues.get_mut(&key) {
            change(queue);
            if queue.is_empty() {
                queues.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use msglayer::SimDuration;

    const A: Key = (1, VirtAddr(0x1000));
    const B: Key = (1, VirtAddr(0x1004));

    fn queue_of(waiters: &[(u64, u32)]) -> (FutexQueues, Vec<Rc<Waiter>>) {
        let queues = FutexQueues::default();
        let waiters = waiters
            .iter()
            .map(|(thread, bitset)| queues.enqueue(ThreadId(*thread), A, *bitset))
            .collect();
        (queues, waiters)
    }

    fn woken(waiters: &[Rc<Waiter>]) -> Vec<u64> {
        waiters
            .iter()
            .filter(|waiter| waiter.is_woken())
            .map(|waiter| waiter.thread.0)
            .collect()
    }

    #[test]
    fn who_came_first_is_woken_first() {
        let exec = Executor::new(1, SimDuration::ZERO, SimDuration::from_ms(1));
        // (bit sets of three waiters, how many to wake, with which bits, who wakes)
        let cases: [([u32; 3], u32, u32, &[u64]); 5] = [
            ([!0, !0, !0], 1, !0, &[0]),
            ([!0, !0, !0], 2, !0, &[0, 1]),
            ([!0, !0, !0], 9, !0, &[0, 1, 2]),
            ([1, 2, 3], 1, 2, &[1]),
            ([1, 2, 3], 9, 1, &[0, 2]),
        ];
        for (bitsets, count, bits, expected) in cases {
            let (queues, waiters) = queue_of(&[(0, bitsets[0]), (1, bitsets[1]), (2, bitsets[2])]);
            assert_eq!(queues.wake(&exec, A, count, bits), expected.len() as u64);
            assert_eq!(woken(&waiters), expected);
            assert_eq!(queues.len(A), 3 - expected.len());
        }
    }

    #[test]
    fn requeued_waiters_are_found_at_their_new_word() {
        let exec = Executor::new(1, SimDuration::ZERO, SimDuration::from_ms(1));
        let (queues, waiters) = queue_of(&[(0, !0), (1, !0), (2, !0)]);
        assert_eq!(queues.requeue(A, B, 2), 2);
        assert_eq!((queues.len(A), queues.len(B)), (1, 2));
        queues.cancel(&waiters[0]);
        assert_eq!(
            queues.len(B),
            1,
            "a waiter that gives up leaves the queue it is in now"
        );
        assert_eq!(queues.wake(&exec, B, 9, !0), 1);
        assert_eq!(woken(&waiters), [1]);
        assert_eq!(queues.wake(&exec, A, 9, !0), 1);
        assert_eq!(queues.requeue(A, B, 9), 0);
    }
}
