//! The run queue of one vCPU: who is ready since when, whose turn it is, and the vCPU's clock.

use msglayer::{SimDuration, SimTime};

use super::thread::ThreadClass;
use crate::ids::ThreadId;

#[derive(Debug, Default)]
pub(super) struct RunQueue {
    clock: SimTime,
    ready: Vec<Entry>,
    last: Option<ThreadId>,
    slice_used: SimDuration,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    class: ThreadClass,
    id: ThreadId,
    since: SimTime,
    /// Order within the class; 0 goes first.
    seq: u64,
}

impl RunQueue {
    pub fn push(&mut self, class: ThreadClass, id: ThreadId, since: SimTime, seq: u64) {
        self.ready.push(Entry {
            class,
            id,
            since,
            seq,
        });
    }

    /// Nothing to run, and done with what it ran by `now`.
    pub fn is_idle(&self, now: SimTime) -> bool {
        self.ready.is_empty() && self.clock <= now
    }

    /// When the next thread can start.
    pub fn next_time(&self) -> Option<SimTime> {
        self.ready
            .iter()
            .map(|e| e.since)
            .min()
            .map(|since| since.max(self.clock))
    }

    /// Takes the thread that runs at `at`; the flag says whether the vCPU changes threads.
    pub fn pick(&mut self, at: SimTime) -> (ThreadId, bool) {
        let candidates = self.ready.iter().enumerate().filter(|(_, e)| e.since <= at);
        let (index, _) = candidates
            .min_by_key(|(_, e)| (e.class, e.seq))
            .expect("somebody is ready at this time");
        let id = self.ready.remove(index).id;
        let switched = self.last != Some(id);
        if switched {
            self.slice_used = SimDuration::ZERO;
        }
        self.last = Some(id);
        (id, switched)
    }

    /// The picked thread ran until `end`, for `span`.
    pub fn ran(&mut self, end: SimTime, span: SimDuration) {
        self.clock = end;
        self.slice_used += span;
    }

    /// How long the last thread has kept the vCPU.
    pub fn slice_used(&self) -> SimDuration {
        self.slice_used
    }
}
