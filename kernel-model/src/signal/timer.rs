//! ITIMER_REAL: a process' timer that sends SIGALRM (kernel/time/itimer.c), in virtual time.
//!
//! Left out: ITIMER_VIRTUAL and ITIMER_PROF, since no CPU time is accounted per task.

use std::cell::Cell;
use std::rc::Rc;

use isa::layout::Siginfo;
use msglayer::{SimDuration, SimTime};

use super::{Signal, send_signal};
use crate::exec::TimerId;
use crate::kernel::Kernel;
use crate::task::Task;

/// The timer of a thread group.
#[derive(Debug, Default)]
pub struct RealTimer {
    running: Cell<Option<(SimTime, TimerId)>>,
    interval: Cell<SimDuration>,
}

impl RealTimer {
    /// The period, and how long it is until the timer goes off; zero is never.
    pub fn get(&self, now: SimTime) -> (SimDuration, SimDuration) {
        let left = self
            .running
            .get()
            .map_or(SimDuration::ZERO, |(at, _)| at.saturating_since(now));
        (self.interval.get(), left)
    }
}

/// Sets the timer of the task's group to go off after `value`, and then every `interval`; zero is never.
pub(crate) fn set(k: &Rc<Kernel>, task: &Rc<Task>, interval: SimDuration, value: SimDuration) {
    stop(k, task);
    task.group.signals.timer.interval.set(interval);
    if value > SimDuration::ZERO {
        arm(k, task, k.exec.now() + value);
    }
}

/// Stops the timer.
pub(super) fn stop(k: &Kernel, task: &Task) {
    if let Some((_, id)) = task.group.signals.timer.running.take() {
        k.exec.cancel_timer(id);
    }
}

fn arm(k: &Rc<Kernel>, task: &Rc<Task>, at: SimTime) {
    let (kernel, target) = (Rc::clone(k), Rc::clone(task));
    let id = k
        .exec
        .start_timer(at, move |_| goes_off(&kernel, &target, at));
    task.group.signals.timer.running.set(Some((at, id)));
}

/// `it_real_fn`. The thread that set the timer may be gone: any other of its group will do.
fn goes_off(k: &Rc<Kernel>, task: &Rc<Task>, at: SimTime) {
    let timer = &task.group.signals.timer;
    timer.running.set(None);
    let living = match task.exited.get() {
        None => Some(Rc::clone(task)),
        Some(_) => task.group.threads.borrow().values().next().cloned(),
    };
    let Some(living) = living.filter(|task| task.group.group_exit.get().is_none()) else {
        return;
    };
    let info = Siginfo::sent(Signal::SIGALRM.0, Siginfo::SI_KERNEL, 0, 0);
    // A queue that is full holds one already.
    let _ = send_signal(k, &living, info, true);
    if timer.interval.get() > SimDuration::ZERO {
        arm(k, &living, at + timer.interval.get());
    }
}
