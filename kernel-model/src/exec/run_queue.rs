//! The run queue of one vCPU: who is ready since when, whose turn it is, and the vCPU's clock.
//!
//! Models a reduced CFS (kernel/sched/fair.c of Linux 5.2). Kernel threads are first come, first served, and go before user tasks. User
//! tasks are ordered by *virtual run time*, the time that each has run, so that the one that had least goes next. Three rules of CFS are here:
//! the running task keeps its vCPU for a time slice; a task that has slept is placed at most half a latency period before the others
//! (`place_entity`); and a task that wakes takes the vCPU at once if it is behind the running one by more than `sched_wakeup_granularity`
//! (`check_preempt_wakeup`). Left out: nice levels and weights, cgroups, buddies, the growth of the periods with the number of vCPUs.

use std::collections::{BTreeMap, BTreeSet};

use msglayer::{SimDuration, SimTime};

use super::thread::ThreadClass;
use crate::ids::ThreadId;

/// What a task that has slept is placed ahead of the others, in ps: half of `sysctl_sched_latency` (6 ms), as with GENTLE_FAIR_SLEEPERS.
const SLEEPER_CREDIT: i64 = 3_000_000_000;
/// `sysctl_sched_wakeup_granularity`, in ps: 1 ms.
const WAKEUP_GRANULARITY: i64 = 1_000_000_000;

/// A thread's virtual run time in ps, on the scale of the queue that it is on. It can be negative: a sleeper may be placed before all.
pub(super) type Vruntime = i64;

/// A ready thread, in the order in which ready threads go: class, then virtual run time (0 for kernel threads), then arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub class: ThreadClass,
    pub vruntime: Vruntime,
    /// Order of arrival.
    pub seq: u64,
    pub id: ThreadId,
    /// It has slept and not run since.
    pub woken: bool,
}

#[derive(Debug, Default)]
pub(super) struct RunQueue {
    clock: SimTime,
    /// May start as soon as the vCPU is free.
    ready: BTreeSet<Entry>,
    /// Those of `ready` that are user tasks and have slept.
    woken: BTreeSet<Entry>,
    /// Ready from a later time on, with which the key begins: the thread that woke them runs ahead of this vCPU's clock.
    coming: BTreeMap<(SimTime, u64), Entry>,
    /// Who ran last.
    last: Option<ThreadId>,
    /// A thread of this queue is being polled.
    running: bool,
    /// The user task that has only come to the end of a quantum, and goes on unless another one must go first.
    staying: Option<Entry>,
    /// How long the user task that ran last has kept the vCPU.
    slice_used: SimDuration,
    /// `min_vruntime`: only rises.
    floor: Vruntime,
    /// Threads whose home this vCPU is, ready or not.
    pub threads: usize,
}

impl RunQueue {
    /// Adds a thread that may run from `since` on.
    pub fn push(&mut self, entry: Entry, since: SimTime) {
        self.coming.insert((since, entry.seq), entry);
    }

    /// Adds the thread that ran last and has only come to the end of its quantum.
    pub fn push_staying(&mut self, entry: Entry, since: SimTime) {
        if entry.class == ThreadClass::User {
            self.staying = Some(entry);
        }
        self.push(entry, since);
    }

    /// Whether nothing is ready here and nothing runs: a thread that comes now can start when the vCPU's clock allows.
    pub fn is_vacant(&self) -> bool {
        !self.running && self.is_empty()
    }

    /// Whether nothing is ready here.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.coming.is_empty()
    }

    /// How many threads are ready, now or later.
    pub fn ready(&self) -> usize {
        self.ready.len() + self.coming.len()
    }

    /// When the vCPU is free.
    pub fn clock(&self) -> SimTime {
        self.clock
    }

    /// When the next thread can start.
    pub fn next_time(&self) -> Option<SimTime> {
        if !self.ready.is_empty() {
            return Some(self.clock);
        }
        let first = self.coming.first_key_value()?;
        Some(first.0.0.max(self.clock))
    }

    /// Takes the thread that runs at `at`; the flag says whether the vCPU changes threads. A user task keeps the vCPU for `slice`.
    pub fn pick(&mut self, at: SimTime, slice: SimDuration) -> (Entry, bool) {
        self.admit(at);
        let slice_over = self.slice_used >= slice;
        let entry = self.choose(slice_over);
        self.remove(&entry);
        if entry.class == ThreadClass::User {
            let goes_on = self
                .staying
                .take()
                .is_some_and(|staying| staying.id == entry.id);
            if !goes_on || slice_over {
                self.slice_used = SimDuration::ZERO;
            }
        }
        self.running = true;
        let switched = self.last.replace(entry.id) != Some(entry.id);
        (entry, switched)
    }

    /// The picked thread ran until `end`, for `span`, and has this virtual run time now.
    pub fn ran(&mut self, class: ThreadClass, vruntime: Vruntime, end: SimTime, span: SimDuration) {
        self.clock = end;
        self.running = false;
        if class == ThreadClass::User {
            self.slice_used += span;
            // update_min_vruntime: the least of the running task and the first of those that wait.
            let first = self.users().next().map_or(vruntime, |entry| entry.vruntime);
            self.floor = self.floor.max(vruntime.min(first));
        }
    }

    /// `place_entity` for a task that wakes with this virtual run time.
    pub fn place_sleeper(&self, vruntime: Vruntime) -> Vruntime {
        vruntime.max(self.floor.saturating_sub(SLEEPER_CREDIT))
    }

    /// The least virtual run time here: where a new task begins, and what a task that changes queues keeps its distance from.
    pub fn floor(&self) -> Vruntime {
        self.floor
    }

    /// The virtual run time with which a user task goes behind all others that are ready.
    pub fn behind_all(&self, vruntime: Vruntime) -> Vruntime {
        let last = self.users().next_back().map(|entry| entry.vruntime);
        let coming = self.coming.values().map(|entry| entry.vruntime).max();
        vruntime
            .max(last.unwrap_or(vruntime))
            .max(coming.unwrap_or(vruntime))
    }

    /// Takes a user task that waits behind another one, for a vCPU that has nothing to do (`detach_one_task`): the next in the order.
    pub fn give_one(&mut self) -> Option<Entry> {
        let waits = |entry: &Entry| {
            entry.class == ThreadClass::User
                && self.staying.is_none_or(|staying| staying.id != entry.id)
        };
        let found = self.ready.iter().find(|entry| waits(entry)).copied();
        if let Some(entry) = found {
            self.remove(&entry);
            return Some(entry);
        }
        let (key, entry) = self
            .coming
            .iter()
            .find(|(_, entry)| waits(entry))
            .map(|(k, e)| (*k, *e))?;
        self.coming.remove(&key);
        Some(entry)
    }

    /// Whose turn it is among those that are ready.
    fn choose(&self, slice_over: bool) -> Entry {
        let first = *self.ready.first().expect("somebody is ready at this time");
        let staying = self.staying.filter(|entry| self.ready.contains(entry));
        let Some(staying) = staying.filter(|_| first.class == ThreadClass::User) else {
            return first;
        };
        match self.woken.first() {
            Some(woken) if woken.vruntime.saturating_add(WAKEUP_GRANULARITY) < staying.vruntime => {
                *woken
            }
            _ if slice_over => first,
            _ => staying,
        }
    }

    fn admit(&mut self, at: SimTime) {
        while let Some((key, entry)) = self.coming.first_key_value().map(|(k, e)| (*k, *e)) {
            if key.0 > at {
                return;
            }
            self.coming.remove(&key);
            self.ready.insert(entry);
            if entry.woken && entry.class == ThreadClass::User {
                self.woken.insert(entry);
            }
        }
    }

    fn remove(&mut self, entry: &Entry) {
        self.ready.remove(entry);
        self.woken.remove(entry);
    }

    fn users(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.ready
            .iter()
            .filter(|entry| entry.class == ThreadClass::User)
    }
}
