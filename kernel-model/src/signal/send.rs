//! Sending: from whoever raises a signal to the queue, and to the thread that shall take it (`__send_signal`, `complete_signal`).

use std::rc::Rc;

use isa::Errno;
use isa::layout::Siginfo;

use super::pending::signal_of;
use super::{DefaultAction, Signal, remote};
use crate::config::Profile;
use crate::event::Event;
use crate::ids::Pid;
use crate::kernel::Kernel;
use crate::process::do_group_exit;
use crate::task::{ExitStatus, Task};

/// Sends a signal to a thread, or to the whole group of it. EAGAIN: its queue is full.
///
/// What would do nothing is dropped at once, and what would end the process ends it at once, as in Linux.
pub(crate) fn send_signal(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    info: Siginfo,
    group: bool,
) -> Result<(), Errno> {
    let signal = signal_of(&info);
    if task.exited.get().is_some() || task.group.group_exit.get().is_some() {
        return Ok(());
    }
    if is_dropped(k, task, signal) {
        return Ok(());
    }
    let queue = if group {
        &task.group.signals.pending
    } else {
        &task.signals.pending
    };
    if queue.add(info)? {
        complete(k, task, signal, group);
    }
    Ok(())
}

/// The task that a process means by a pid: a thread of this node, or one of the caller's process by the pid that it has, first had, elsewhere.
pub(crate) fn exists(k: &Kernel, caller: &Rc<Task>, pid: Pid) -> Option<Rc<Task>> {
    // Nobody is the twin of a thread that is at home.
    if pid.0 <= 0 {
        return None;
    }
    if let Some(task) = k
        .find_task(pid)
        .filter(|task| !task.popcorn.is_worker.get())
    {
        return Some(task);
    }
    let threads = caller.group.threads.borrow();
    threads
        .values()
        .find(|task| pid == task.popcorn.first_twin.get() || pid == task.popcorn.peer_pid.get())
        .cloned()
}

/// `sig_ignored`: a blocked signal is kept, because its action may have changed until it is unblocked.
fn is_dropped(k: &Kernel, task: &Task, signal: Signal) -> bool {
    let held = task.signals.blocked.get() | task.signals.real_blocked.get();
    if held & signal.bit() != 0 {
        return false;
    }
    let action = task.group.signals.actions().get(signal);
    if action.is_default() && signal.default_action() == DefaultAction::Stop {
        k.log(&format!(
            "process {} was sent {signal}: stopping is not modelled, it goes on",
            task.tgid()
        ));
        return true;
    }
    action.ignores(signal)
}

/// `complete_signal`: finds a thread for a queued signal and wakes it; ends the process if that is what the signal does.
pub(super) fn complete(k: &Rc<Kernel>, task: &Rc<Task>, signal: Signal, group: bool) {
    let wants = |t: &Rc<Task>| {
        t.signals.blocked.get() & signal.bit() == 0
            && t.exited.get().is_none()
            && !t.popcorn.is_worker.get()
    };
    let chosen = if wants(task) {
        Some(Rc::clone(task))
    } else if group {
        let threads = task.group.threads.borrow();
        threads.values().find(|t| wants(t)).cloned()
    } else {
        None
    };
    let Some(chosen) = chosen else {
        if task.is_away() && k.config.profile == Profile::Kettle {
            remote::forward(k, task);
        }
        return;
    };
    let action = task.group.signals.actions().get(signal);
    if action.is_fatal(signal) && chosen.signals.real_blocked.get() & signal.bit() == 0 {
        k.event(&Event::Signal {
            pid: chosen.pid,
            signal: signal.0,
        });
        do_group_exit(k, &chosen, ExitStatus::Signaled(signal));
        if let Some(thread) = chosen.thread.get() {
            k.exec.interrupt(thread);
        }
        return;
    }
    wake(k, &chosen);
}

/// A thread has ended: what it was to take, its siblings may have. With the last one the timer goes.
pub(crate) fn thread_ended(k: &Rc<Kernel>, task: &Rc<Task>) {
    let sibling = task.group.threads.borrow().values().next().cloned();
    match sibling {
        None => super::timer::stop(k, task),
        Some(sibling) => {
            for signal in super::mask::signals_in(task.group.signals.pending.set()) {
                complete(k, &sibling, signal, true);
            }
        }
    }
}

/// `signal_wake_up`: wherever the thread is, it is to look for signals.
pub(super) fn wake(k: &Rc<Kernel>, task: &Rc<Task>) {
    if task.is_away() && k.config.profile == Profile::Kettle {
        remote::forward(k, task);
    } else if let Some(station) = task.popcorn.forwarded.take() {
        remote::interrupt_call(k, task, station);
    } else if let Some(thread) = task.thread.get() {
        k.exec.interrupt(thread);
    }
}
