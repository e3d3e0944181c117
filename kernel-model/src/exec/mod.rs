//! The deterministic virtual-time executor of one node: kernel threads and user tasks as async functions.
//!
//! A ready thread sits on the run queue of one vCPU; polling it is running it, and what it charges moves that vCPU's clock. An action of
//! the node is either an event (a timer or a message, at its time) or one poll. [`Executor::next_action`] says when the next one
//! happens and [`Executor::step`] performs it, always the earliest first, so that a run depends on nothing but the inputs.
//!
//! A poll of a user task runs at most one quantum, of guest code and of the kernel's work for it together, and then the one call that is under way to
//! its end ([`Executor::poll_time`] says how much is used). A message that arrives meanwhile is seen at the next action: where a quantum ends
//! depends on the task's own history only, never on the engine's windows. A poll that takes far longer is a broken invariant, `bounded-poll`.
//!
//! Who goes next on a vCPU is in `run_queue`, which vCPU a thread goes to in `sched`. Left out: priorities, nice, affinity masks, NUMA.

mod completion;
mod run_queue;
mod rwsem;
mod sched;
mod thread;
mod wait_queue;
mod workqueue;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::task::Poll;

use msglayer::{SimDuration, SimTime};

pub use completion::Completion;
pub use rwsem::{RwSem, RwSemReadGuard, RwSemWriteGuard};
pub use thread::{ThreadClass, ThreadInfo, ThreadState, WaitRecord, Wake};
pub use wait_queue::WaitQueue;
pub use workqueue::Workqueue;

use crate::ids::{CpuId, ThreadId};
use run_queue::RunQueue;
use thread::Thread;

/// What a timer or an arrival does when its time has come.
type EventAction = Box<dyn FnOnce(&Executor)>;

struct Event {
    action: EventAction,
    background: bool,
}

/// A timer that was started and can be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerId((SimTime, u64, u64));

/// The executor of one node.
pub struct Executor {
    threads: RefCell<BTreeMap<ThreadId, Thread>>,
    queues: RefCell<Vec<RunQueue>>,
    /// Keyed by time, then a rank given by who made the event, then order of creation.
    events: RefCell<BTreeMap<(SimTime, u64, u64), Event>>,
    next_thread: Cell<u64>,
    next_seq: Cell<u64>,
    clock: Cell<SimTime>,
    /// When the last action began: nothing from outside may still come for that time.
    frontier: Cell<SimTime>,
    current: Cell<Option<(ThreadId, CpuId)>>,
    /// Set by a poll that stopped although it could go on.
    yielded: Cell<Option<Yield>>,
    /// When the running poll began, after the change of threads.
    poll_began: Cell<SimTime>,
    /// No user task runs beyond this.
    limit: Cell<SimTime>,
    /// Events that are not in the background.
    foreground: Cell<usize>,
    overlong: RefCell<Option<OverlongPoll>>,
    context_switch: SimDuration,
    time_slice: SimDuration,
}

/// A poll that broke `bounded-poll`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverlongPoll {
    /// The thread's name.
    pub thread: String,
    /// How long it kept its vCPU.
    pub span: SimDuration,
}

/// What a poll may take at the most: many times a quantum, and more than the longest single call of a modelled kernel that gives way in its loops.
pub const POLL_LIMIT: SimDuration = SimDuration::from_ms(20);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Yield {
    Quantum,
    Cpu,
}

impl Executor {
    /// An executor with `cpus` vCPUs. `context_switch` is charged when a vCPU changes threads; a user task keeps its vCPU for
    /// `time_slice` when others want it too.
    pub fn new(cpus: u16, context_switch: SimDuration, time_slice: SimDuration) -> Self {
        Self {
            threads: RefCell::default(),
            queues: RefCell::new((0..cpus).map(|_| RunQueue::default()).collect()),
            events: RefCell::default(),
            next_thread: Cell::new(1),
            next_seq: Cell::new(0),
            clock: Cell::new(SimTime::ZERO),
            frontier: Cell::new(SimTime::ZERO),
            current: Cell::new(None),
            yielded: Cell::new(None),
            poll_began: Cell::new(SimTime::ZERO),
            limit: Cell::new(SimTime::MAX),
            foreground: Cell::new(0),
            overlong: RefCell::new(None),
            context_switch,
            time_slice,
        }
    }

    /// The time of the running action: the clock of the vCPU that polls, or the time of the event.
    pub fn now(&self) -> SimTime {
        self.clock.get()
    }

    /// Spends virtual time on the running vCPU.
    pub fn charge(&self, span: SimDuration) {
        self.clock.set(self.clock.get() + span);
    }

    /// How long the running poll has kept its vCPU: what counts against a user task's quantum.
    pub fn poll_time(&self) -> SimDuration {
        self.now().saturating_since(self.poll_began.get())
    }

    /// The time at which the run ends, whatever is left to do: no user task runs beyond it.
    pub fn set_limit(&self, limit: SimTime) {
        self.limit.set(limit);
    }

    /// How much time is left before the limit; `MAX` if there is none.
    pub fn before_limit(&self) -> SimDuration {
        match self.limit.get() {
            SimTime::MAX => SimDuration::MAX,
            limit => limit.saturating_since(self.now()),
        }
    }

    /// The first poll that took longer than [`POLL_LIMIT`], once.
    pub fn take_overlong(&self) -> Option<OverlongPoll> {
        self.overlong.borrow_mut().take()
    }

    /// The running thread. Panics outside a poll: only kernel code of a thread may ask.
    pub fn current(&self) -> ThreadId {
        self.current.get().expect("no thread is running").0
    }

    /// The vCPU of the running thread. Panics outside a poll.
    pub fn current_cpu(&self) -> CpuId {
        self.current.get().expect("no thread is running").1
    }

    /// Starts a thread; it is ready now. It goes to the vCPU with the fewest threads, lowest number first.
    pub fn spawn(
        &self,
        name: impl Into<String>,
        class: ThreadClass,
        future: impl Future<Output = ()> + 'static,
    ) -> ThreadId {
        let id = ThreadId(self.next_thread.replace(self.next_thread.get() + 1));
        self.add_thread(id, name.into(), class, Box::pin(future));
        id
    }

    /// Blocks the running thread until it is woken or interrupted. Spurious wake-ups are possible: callers check their condition again.
    pub async fn block(&self, record: WaitRecord) -> Wake {
        let mut record = Some(record);
        poll_fn(|_| match record.take() {
            Some(record) => {
                self.set_blocked(record);
                Poll::Pending
            }
            None => Poll::Ready(self.take_wake()),
        })
        .await
    }

    /// As [`Executor::block`], at most for `timeout`.
    ///
    /// A `background` timer does not keep a run alive: when only such timers are left anywhere, nothing will ever happen again.
    pub async fn block_timeout(
        &self,
        record: WaitRecord,
        timeout: SimDuration,
        background: bool,
    ) -> Wake {
        let id = self.current();
        let key = self.add_event(self.now() + timeout, TIMER_RANK, background, move |exec| {
            exec.make_ready(id, Wake::TimedOut);
        });
        let wake = self.block(record).await;
        self.remove_event(&key);
        wake
    }

    /// Sleeps for `span` (K52's msleep, and nanosleep's core when interruptible).
    pub async fn sleep(&self, span: SimDuration, record: WaitRecord) -> Wake {
        let deadline = self.now() + span;
        loop {
            let left = deadline.saturating_since(self.now());
            if left == SimDuration::ZERO {
                return Wake::TimedOut;
            }
            match self.block_timeout(record.clone(), left, false).await {
                Wake::TimedOut => return Wake::TimedOut,
                Wake::Interrupted => return Wake::Interrupted,
                Wake::Woken => {}
            }
        }
    }

    /// Lets the other ready threads of this vCPU go first (schedule(), sched_yield(2)). Time goes on: a loop that does nothing else waits for
    /// the length of a change of threads each time, so that what it waits for can happen.
    pub async fn schedule(&self) {
        self.pause(Yield::Cpu).await;
    }

    /// Ends a poll at the end of a quantum; the thread stays first in its class until its time slice is over.
    pub async fn end_quantum(&self) {
        self.pause(Yield::Quantum).await;
    }

    async fn pause(&self, why: Yield) {
        let mut first = true;
        poll_fn(|_| {
            if std::mem::take(&mut first) {
                self.yielded.set(Some(why));
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }

    /// Wakes a blocked thread; nothing if it is not blocked.
    pub fn wake(&self, id: ThreadId) {
        self.make_ready(id, Wake::Woken);
    }

    /// Wakes a thread out of an interruptible wait (a signal came); other waits go on.
    pub fn interrupt(&self, id: ThreadId) {
        let interruptible = match self.threads.borrow().get(&id).map(|t| &t.state) {
            Some(ThreadState::Blocked(record)) => record.interruptible,
            _ => false,
        };
        if interruptible {
            self.make_ready(id, Wake::Interrupted);
        }
    }

    /// Plans `action` for `at`. Events of one time go by `rank`, then in the order they were planned.
    ///
    /// Panics if an action of that time has begun already: the engine has let this node run beyond its horizon.
    pub fn at(&self, at: SimTime, rank: u64, action: impl FnOnce(&Executor) + 'static) {
        let frontier = self.frontier.get();
        assert!(
            at > frontier,
            "horizon-safe: something comes for {at}, but an action of {frontier} has begun"
        );
        self.add_event(at, rank, false, action);
    }

    /// Plans `action` for `at`, which is later than now. It can be taken back.
    pub fn start_timer(&self, at: SimTime, action: impl FnOnce(&Executor) + 'static) -> TimerId {
        TimerId(self.add_event(at, TIMER_RANK, false, action))
    }

    /// Takes a timer back; nothing if it has gone off.
    pub fn cancel_timer(&self, id: TimerId) {
        self.remove_event(&id.0);
    }

    /// When the next action of this node happens; `None` when nothing is left. The flag is true when nothing but background timers is left.
    pub fn next_action(&self) -> Option<(SimTime, bool)> {
        let poll = self.next_poll().map(|(time, _)| time);
        let events = self.events.borrow();
        let event = events.first_key_value().map(|(key, _)| key.0);
        let next = match (poll, event) {
            (Some(a), Some(b)) => a.min(b),
            (a, b) => a.or(b)?,
        };
        let idle = poll.is_none() && self.foreground.get() == 0;
        Some((next, idle))
    }

    /// Performs the next action. Returns false when there was none.
    pub fn step(&self) -> bool {
        let poll = self.next_poll();
        let event = self.events.borrow().first_key_value().map(|(key, _)| *key);
        match (poll, event) {
            (None, None) => return false,
            (Some((at, cpu)), Some(key)) if at < key.0 => self.run_cpu(cpu, at),
            (Some((at, cpu)), None) => self.run_cpu(cpu, at),
            (_, Some(key)) => {
                let event = self.remove_event(&key).expect("just seen");
                self.begin(key.0);
                (event.action)(self);
            }
        }
        true
    }

    /// All live threads, in order of creation: what the debugger and the deadlock report show.
    pub fn threads(&self) -> Vec<ThreadInfo> {
        self.threads
            .borrow()
            .iter()
            .map(|(id, t)| t.info(*id))
            .collect()
    }

    /// Whether a thread has not finished yet.
    pub fn is_alive(&self, id: ThreadId) -> bool {
        self.threads.borrow().contains_key(&id)
    }

    fn add_event(
        &self,
        at: SimTime,
        rank: u64,
        background: bool,
        action: impl FnOnce(&Executor) + 'static,
    ) -> (SimTime, u64, u64) {
        let key = (at, rank, self.seq());
        if !background {
            self.foreground.set(self.foreground.get() + 1);
        }
        self.events.borrow_mut().insert(
            key,
            Event {
                action: Box::new(action),
                background,
            },
        );
        key
    }

    fn remove_event(&self, key: &(SimTime, u64, u64)) -> Option<Event> {
        let event = self.events.borrow_mut().remove(key)?;
        if !event.background {
            self.foreground.set(self.foreground.get() - 1);
        }
        Some(event)
    }

    fn seq(&self) -> u64 {
        self.next_seq.replace(self.next_seq.get() + 1)
    }

    fn set_blocked(&self, mut record: WaitRecord) {
        record.since = self.now();
        let id = self.current();
        let mut threads = self.threads.borrow_mut();
        threads
            .get_mut(&id)
            .expect("the current thread is alive")
            .state = ThreadState::Blocked(record);
    }

    fn take_wake(&self) -> Wake {
        let id = self.current();
        self.threads
            .borrow_mut()
            .get_mut(&id)
            .expect("the current thread is alive")
            .wake
    }

    /// Drops all threads where they are and all events; nothing happens on this node any more.
    ///
    /// What they hold may wake or plan something as it goes, so that the maps are emptied first and then again.
    pub(crate) fn clear(&self) {
        loop {
            let threads = self.threads.take();
            let events = self.events.take();
            if threads.is_empty() && events.is_empty() {
                break;
            }
            self.foreground.set(0);
        }
        for queue in self.queues.borrow_mut().iter_mut() {
            *queue = RunQueue::default();
        }
    }
}

/// Rank of timers among events of one instant: messages (ranked by sender) come first, so that a reply beats a timeout.
const TIMER_RANK: u64 = 1 << 32;
