//! Which vCPU a thread goes to, and what running it means: `select_task_rq_fair`, `idle_balance` and `schedule` of Linux 5.2, reduced.
//!
//! A new thread goes to the vCPU that is home to the fewest. A thread that wakes goes to the vCPU that it ran on if that one has nothing to do, else to
//! one that has nothing to do, else back. A vCPU that comes to have nothing to do takes a user task that waits elsewhere. Left out: periodic load
//! balancing, wake affinity, cache topology, affinity masks. So three equal tasks on two vCPUs share unequally: one has a vCPU for itself.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};

use msglayer::{SimDuration, SimTime};

use super::run_queue::Entry;
use super::thread::Thread;
use super::{Executor, OverlongPoll, POLL_LIMIT, ThreadClass, ThreadState, Wake, Yield};
use crate::ids::{CpuId, ThreadId};

impl Executor {
    /// `wake_up_new_task`.
    pub(super) fn add_thread(
        &self,
        id: ThreadId,
        name: String,
        class: ThreadClass,
        future: Pin<Box<dyn Future<Output = ()>>>,
    ) {
        let cpu = {
            let mut queues = self.queues.borrow_mut();
            let fewest = (0..queues.len()).min_by_key(|slot| (queues[*slot].threads, *slot));
            let slot = fewest.expect("a node has a vCPU");
            queues[slot].threads += 1;
            cpu_id(slot)
        };
        let mut thread = Thread::new(name, class, cpu, future);
        thread.vruntime = self.queues.borrow()[usize::from(cpu.0)].floor();
        self.threads.borrow_mut().insert(id, thread);
        self.make_ready(id, Wake::Woken);
    }

    /// `try_to_wake_up`: puts a new or blocked thread on a run queue.
    pub(super) fn make_ready(&self, id: ThreadId, wake: Wake) {
        let mut threads = self.threads.borrow_mut();
        let Some(thread) = threads.get_mut(&id) else {
            return;
        };
        let woken = match thread.state {
            ThreadState::New => false,
            ThreadState::Blocked(_) => true,
            ThreadState::Ready | ThreadState::Running => return,
        };
        thread.state = ThreadState::Ready;
        thread.wake = wake;
        self.move_to(thread, self.select_cpu(thread.cpu));
        let queue = &mut self.queues.borrow_mut()[usize::from(thread.cpu.0)];
        if woken {
            thread.vruntime = queue.place_sleeper(thread.vruntime);
        }
        queue.push(self.entry(id, thread, woken), self.now());
    }

    /// `select_idle_sibling`: the vCPU that it ran on if that has nothing to do, else the one with nothing to do that is free first, else the one that it
    /// ran on. A vCPU has something to do while a thread of it runs, also the one that wakes.
    fn select_cpu(&self, before: CpuId) -> CpuId {
        let queues = self.queues.borrow();
        if queues[usize::from(before.0)].is_vacant() {
            return before;
        }
        let vacant = queues
            .iter()
            .enumerate()
            .filter(|(_, queue)| queue.is_vacant());
        let free_first = vacant.min_by_key(|(slot, queue)| (queue.clock().max(self.now()), *slot));
        free_first.map_or(before, |(slot, _)| cpu_id(slot))
    }

    /// Makes `cpu` the thread's, which keeps its distance from the others (`migrate_task_rq_fair`).
    fn move_to(&self, thread: &mut Thread, cpu: CpuId) {
        if thread.cpu == cpu {
            return;
        }
        let mut queues = self.queues.borrow_mut();
        let (from, to) = (usize::from(thread.cpu.0), usize::from(cpu.0));
        let distance = thread.vruntime.saturating_sub(queues[from].floor());
        thread.vruntime = queues[to].floor().saturating_add(distance);
        queues[from].threads -= 1;
        queues[to].threads += 1;
        thread.cpu = cpu;
    }

    fn entry(&self, id: ThreadId, thread: &Thread, woken: bool) -> Entry {
        Entry {
            class: thread.class,
            vruntime: match thread.class {
                ThreadClass::Kernel => 0,
                ThreadClass::User => thread.vruntime,
            },
            seq: self.seq(),
            id,
            woken,
        }
    }

    pub(super) fn next_poll(&self) -> Option<(SimTime, CpuId)> {
        let queues = self.queues.borrow();
        let times = queues
            .iter()
            .enumerate()
            .filter_map(|(slot, queue)| Some((queue.next_time()?, cpu_id(slot))));
        times.min()
    }

    /// An action begins.
    pub(super) fn begin(&self, at: SimTime) {
        self.frontier.set(at);
        self.clock.set(at);
    }

    /// Polls the thread whose turn it is on `cpu`.
    pub(super) fn run_cpu(&self, cpu: CpuId, at: SimTime) {
        let slot = usize::from(cpu.0);
        let (entry, switched) = self.queues.borrow_mut()[slot].pick(at, self.time_slice);
        let id = entry.id;
        let mut future = {
            let mut threads = self.threads.borrow_mut();
            let thread = threads.get_mut(&id).expect("a queued thread is alive");
            thread.state = ThreadState::Running;
            thread
                .future
                .take()
                .expect("a queued thread is not being polled")
        };
        self.begin(at);
        if switched {
            self.charge(self.context_switch);
        }
        self.poll_began.set(self.now());
        self.current.set(Some((id, cpu)));
        let done = Pin::new(&mut future)
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready();
        self.current.set(None);
        self.check_span(id);
        if done {
            self.end_thread(slot, id, at);
            drop(future);
        } else {
            self.put_back(slot, id, future, at);
        }
        self.idle_balance(cpu);
    }

    fn end_thread(&self, slot: usize, id: ThreadId, began: SimTime) {
        let thread = self.threads.borrow_mut().remove(&id);
        let thread = thread.expect("a polled thread stays until it is done");
        self.account(slot, &thread, began);
        self.queues.borrow_mut()[slot].threads -= 1;
    }

    /// A thread that was polled from `began` on waits, or is ready again.
    fn put_back(
        &self,
        slot: usize,
        id: ThreadId,
        future: Pin<Box<dyn Future<Output = ()>>>,
        began: SimTime,
    ) {
        let mut threads = self.threads.borrow_mut();
        let thread = threads
            .get_mut(&id)
            .expect("a polled thread stays until it is done");
        thread.future = Some(future);
        let span = self.now().saturating_since(began);
        thread.vruntime = thread.vruntime.saturating_add(in_ps(span));
        self.account(slot, thread, began);
        let Some(why) = self.yielded.take() else {
            assert!(
                matches!(thread.state, ThreadState::Blocked(_) | ThreadState::Ready),
                "thread {} stopped without saying what it waits for",
                thread.name
            );
            return;
        };
        thread.state = ThreadState::Ready;
        let queue = &mut self.queues.borrow_mut()[slot];
        match why {
            Yield::Quantum => queue.push_staying(self.entry(id, thread, false), self.now()),
            Yield::Cpu => {
                thread.vruntime = queue.behind_all(thread.vruntime);
                let idled = self.poll_time() == SimDuration::ZERO;
                let pause = if idled {
                    self.context_switch
                } else {
                    SimDuration::ZERO
                };
                queue.push(self.entry(id, thread, false), self.now() + pause);
            }
        }
    }

    fn account(&self, slot: usize, thread: &Thread, began: SimTime) {
        let (end, span) = (self.now(), self.now().saturating_since(began));
        self.queues.borrow_mut()[slot].ran(thread.class, thread.vruntime, end, span);
    }

    /// `bounded-poll`: nobody keeps a vCPU, and with it the node's events, for long.
    fn check_span(&self, id: ThreadId) {
        let span = self.poll_time();
        if span <= POLL_LIMIT {
            return;
        }
        let thread = self
            .threads
            .borrow()
            .get(&id)
            .map(|thread| thread.name.clone());
        let thread = thread.unwrap_or_default();
        debug_assert!(
            false,
            "bounded-poll: {thread} kept its vCPU for {span} without giving way"
        );
        self.overlong
            .borrow_mut()
            .get_or_insert(OverlongPoll { thread, span });
    }

    /// `newidle_balance`: a vCPU with nothing to do takes a user task from the vCPU with the longest queue, if one waits there behind another.
    fn idle_balance(&self, cpu: CpuId) {
        let slot = usize::from(cpu.0);
        let taken = {
            let mut queues = self.queues.borrow_mut();
            if !queues[slot].is_vacant() {
                return;
            }
            let longest = (0..queues.len())
                .rev()
                .max_by_key(|other| queues[*other].ready());
            let Some(longest) = longest.filter(|other| queues[*other].ready() > 1) else {
                return;
            };
            queues[longest].give_one()
        };
        let Some(entry) = taken else { return };
        let mut threads = self.threads.borrow_mut();
        let thread = threads
            .get_mut(&entry.id)
            .expect("a queued thread is alive");
        self.move_to(thread, cpu);
        let moved = self.entry(entry.id, thread, entry.woken);
        self.queues.borrow_mut()[slot].push(moved, self.now());
    }
}

fn cpu_id(slot: usize) -> CpuId {
    CpuId(u16::try_from(slot).expect("CPU numbers are u16"))
}

fn in_ps(span: SimDuration) -> i64 {
    i64::try_from(span.as_ps()).unwrap_or(i64::MAX)
}
