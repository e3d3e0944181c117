//! Delivery: what a task does about its signals just before it enters user mode (`get_signal`, `do_signal`), and signals that an instruction raises.

use std::rc::Rc;

use isa::Errno;
use isa::layout::signal_frame::FaultContext;
use isa::layout::{SaFlags, Siginfo};

use super::pending::signal_of;
use super::{DefaultAction, SigAction, Signal, SyscallEntry, frame, set_blocked};
use crate::event::Event;
use crate::kernel::Kernel;
use crate::process::do_group_exit;
use crate::task::{ExitStatus, Task};

/// Whether a wait of the task has to end: it has to look for signals, or to end. For a shadow at work: its twin has.
pub(crate) fn signal_pending(task: &Task) -> bool {
    if task.is_dying() {
        return true;
    }
    match task.popcorn.serving.get() {
        Some(station) => task.popcorn.interrupted.get() == Some(station),
        None => due(task) != 0,
    }
}

/// Delivers what is due: every signal with a handler gets a frame, the one taken last on top. Then an interrupted call is settled, and a mask that
/// sigsuspend(2) has put aside comes back.
pub(crate) async fn deliver(k: &Rc<Kernel>, task: &Rc<Task>) {
    let mut call = task.signals.call.take();
    while !task.is_dying()
        && let Some(info) = dequeue(task, !task.signals.blocked.get())
    {
        let signal = signal_of(&info);
        let actions = task.group.signals.actions();
        let action = actions.get(signal);
        if action.ignores(signal) {
            continue;
        }
        k.event(&Event::Signal {
            pid: task.pid,
            signal: signal.0,
        });
        if !action.is_handler() {
            match signal.default_action() {
                DefaultAction::Terminate => {
                    do_group_exit(k, task, ExitStatus::Signaled(signal));
                }
                DefaultAction::Ignore => {}
                DefaultAction::Stop => k.log(&format!(
                    "task {} took {signal}: stopping is not modelled, it goes on",
                    task.pid
                )),
            }
            continue;
        }
        if let Some(call) = call.take() {
            settle(task, call, Some(&action));
        }
        if action.flags().contains(SaFlags::RESETHAND) {
            super::remote::set_action(k, task, signal, SigAction::default());
        }
        if frame::enter_handler(k, task, &action, info).await.is_err() {
            force_sigsegv(k, task, signal);
        }
    }
    if let Some(call) = call {
        settle(task, call, None);
    }
    if let Some(mask) = task.signals.saved_mask.take() {
        set_blocked(k, task, mask);
    }
}

/// A signal that an instruction has raised. One that is blocked or ignored ends the process: there is no going on (`force_sig_info`).
pub(crate) fn force_fault(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    info: Siginfo,
    fault: Option<FaultContext>,
) {
    let signal = signal_of(&info);
    let action = task.group.signals.actions().get(signal);
    let blocked = task.signals.blocked.get() & signal.bit() != 0;
    if blocked || !action.is_handler() {
        k.event(&Event::Signal {
            pid: task.pid,
            signal: signal.0,
        });
        do_group_exit(k, task, ExitStatus::Signaled(signal));
        return;
    }
    task.signals.fault.set(fault);
    // The queue holds at most this one of its number, and one that was sent says less.
    task.signals.pending.flush(signal.bit());
    if task.signals.pending.add(info).is_err() {
        do_group_exit(k, task, ExitStatus::Signaled(signal));
    }
}

/// The frame for `signal` could not be written (`force_sigsegv`). A handler of SIGSEGV gets a try of its own, perhaps on another stack; if the frame for
/// SIGSEGV itself is the one that failed, another try would fail as well, and the process ends.
fn force_sigsegv(k: &Rc<Kernel>, task: &Rc<Task>, signal: Signal) {
    if signal == Signal::SIGSEGV {
        do_group_exit(k, task, ExitStatus::Signaled(signal));
    } else {
        force_segv(k, task);
    }
}

/// SIGSEGV for a task whose own doing it is that the kernel cannot go on: the frame to return from is broken (`force_sig(SIGSEGV)`).
pub(crate) fn force_segv(k: &Rc<Kernel>, task: &Rc<Task>) {
    let info = Siginfo::fault(
        Signal::SIGSEGV.0,
        Siginfo::SI_KERNEL,
        isa::VirtAddr::default(),
    );
    force_fault(k, task, info, None);
}

/// Takes a signal in `wanted`: the thread's own go before the group's.
pub(crate) fn dequeue(task: &Task, wanted: u64) -> Option<Siginfo> {
    let own = task.signals.pending.take(wanted);
    own.or_else(|| task.group.signals.pending.take(wanted))
}

/// Whether a signal is to be delivered.
pub(super) fn has_due(task: &Task) -> bool {
    due(task) != 0
}

/// Signals that are pending and not blocked.
fn due(task: &Task) -> u64 {
    let pending = task.signals.pending.set() | task.group.signals.pending.set();
    pending & !task.signals.blocked.get()
}

/// What becomes of a call that ended with one of the internal results: made again, or EINTR. `action` is the handler's that runs first, if one does.
fn settle(task: &Task, call: SyscallEntry, action: Option<&SigAction>) {
    let mut context = task.context.borrow_mut();
    let result = Errno::decode(context.regs().return_value());
    let again = match result {
        Err(Errno::ERESTARTNOINTR) => true,
        Err(Errno::ERESTARTSYS) => action.is_none_or(|a| a.flags().contains(SaFlags::RESTART)),
        // A sleep ends early only for a handler: there is none to be made again for the rest of its time.
        Err(Errno::ERESTARTNOHAND | Errno::ERESTART_RESTARTBLOCK) => action.is_none(),
        _ => return,
    };
    let regs = context.regs_mut();
    if again {
        regs.repeat_syscall(call.number, call.arg0);
    } else {
        regs.set_syscall_return(Err(Errno::EINTR));
    }
}
