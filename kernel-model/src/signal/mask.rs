//! Changing what a thread blocks (`__set_task_blocked`).

use std::rc::Rc;

use super::send::complete;
use super::{Signal, remote};
use crate::kernel::Kernel;
use crate::task::Task;

/// SIGKILL and SIGSTOP.
pub(crate) const ALWAYS_UNBLOCKED: u64 = Signal::SIGKILL.bit() | Signal::SIGSTOP.bit();

/// Sets the mask. What it lets through is delivered when the thread returns to user mode; what it now holds back is offered to its siblings.
pub(crate) fn set_blocked(k: &Rc<Kernel>, task: &Rc<Task>, mask: u64) {
    let mask = mask & !ALWAYS_UNBLOCKED;
    let newly = mask & !task.signals.blocked.replace(mask);
    let passed_on = task.group.signals.pending.set() & newly;
    for signal in signals_in(passed_on) {
        complete(k, task, signal, true);
    }
    remote::report_mask(k, task);
}

pub(super) fn signals_in(set: u64) -> impl Iterator<Item = Signal> {
    (1..=Signal::MAX)
        .map(Signal)
        .filter(move |signal| set & signal.bit() != 0)
}
