//! Signals, as far as they end programs: actions and masks are kept, a signal with the default action does what it does.
//!
//! Handlers are not run yet: a signal that has one is refused with ENOSYS and a sentence, so that nothing goes wrong silently.

use std::rc::Rc;

use isa::Errno;
use isa::layout::KernelSigaction;
use zerocopy::little_endian::U64;

use super::Call;
use crate::event::Event;
use crate::ids::Pid;
use crate::kernel::Kernel;
use crate::mm::UserPtr;
use crate::process::do_group_exit;
use crate::signal::{SigAction, Signal};
use crate::task::{ExitStatus, Task};

const SIG_DFL: u64 = 0;
const SIG_IGN: u64 = 1;
/// SIGCHLD, SIGCONT, SIGURG, SIGWINCH: ignored unless handled.
const IGNORED_BY_DEFAULT: [i32; 4] = [17, 18, 23, 28];
const SIGSTOP: i32 = 19;

/// rt_sigaction(2).
pub(super) async fn rt_sigaction(call: Call<'_>) -> Result<u64, Errno> {
    let signal = Signal(call.int(0));
    let (new, old) = (
        UserPtr::<KernelSigaction>::new(call.args[1]),
        UserPtr::<KernelSigaction>::new(call.args[2]),
    );
    if call.args[3] != KernelSigaction::SIGSET_SIZE || !is_valid(signal) {
        return Err(Errno::EINVAL);
    }
    let action = match new.non_null() {
        Some(_) if matches!(signal.0, 9 | SIGSTOP) => return Err(Errno::EINVAL),
        Some(new) => Some(new.read(call.k, call.task).await?),
        None => None,
    };
    let before = call.task.group.sighand.get(signal);
    if let Some(action) = action {
        let (handler, flags) = (action.handler.get(), action.flags.get());
        call.task.group.sighand.set(
            signal,
            SigAction {
                handler,
                flags,
                restorer: action.restorer.get(),
                mask: action.mask.get(),
            },
        );
    }
    if let Some(old) = old.non_null() {
        let [handler, flags, restorer, mask] =
            [before.handler, before.flags, before.restorer, before.mask].map(U64::new);
        old.write(
            call.k,
            call.task,
            &KernelSigaction {
                handler,
                flags,
                restorer,
                mask,
            },
        )
        .await?;
    }
    Ok(0)
}

const SIG_BLOCK: i32 = 0;
const SIG_UNBLOCK: i32 = 1;
const SIG_SETMASK: i32 = 2;

/// rt_sigprocmask(2). What was pending and becomes unblocked arrives at once.
pub(super) async fn rt_sigprocmask(call: Call<'_>) -> Result<u64, Errno> {
    if call.args[3] != KernelSigaction::SIGSET_SIZE {
        return Err(Errno::EINVAL);
    }
    let task = call.task;
    let before = task.blocked.get();
    if let Some(set) = UserPtr::<U64>::new(call.args[1]).non_null() {
        let set = set.read(call.k, task).await?.get();
        let mask = match call.int(0) {
            SIG_BLOCK => before | set,
            SIG_UNBLOCK => before & !set,
            SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL),
        };
        task.blocked
            .set(mask & !(bit(Signal::SIGKILL) | bit(Signal(SIGSTOP))));
    }
    if let Some(old) = UserPtr::new(call.args[2]).non_null() {
        old.write(call.k, task, &U64::new(before)).await?;
    }
    let due = task.pending.get() & !task.blocked.get();
    task.pending.set(task.pending.get() & !due);
    for signal in (1..=Signal::MAX)
        .map(Signal)
        .filter(|signal| due & bit(*signal) != 0)
    {
        act(call.k, task, signal)?;
    }
    Ok(0)
}

/// sigaltstack(2): accepted, since no handler runs.
pub(super) async fn sigaltstack(_: Call<'_>) -> Result<u64, Errno> {
    Ok(0)
}

/// kill(2), for the caller's own process and others of this node.
pub(super) async fn kill(call: Call<'_>) -> Result<u64, Errno> {
    let pid = match call.int(0) {
        0 => call.task.tgid().0,
        pid if pid > 0 => pid,
        _ => return Err(Errno::ESRCH),
    };
    send(&call, Pid(pid), None, Signal(call.int(1)))
}

/// tkill(2).
pub(super) async fn tkill(call: Call<'_>) -> Result<u64, Errno> {
    if call.int(0) <= 0 {
        return Err(Errno::EINVAL);
    }
    send(&call, Pid(call.int(0)), None, Signal(call.int(1)))
}

/// tgkill(2): the thread must belong to the group.
pub(super) async fn tgkill(call: Call<'_>) -> Result<u64, Errno> {
    if call.int(0) <= 0 || call.int(1) <= 0 {
        return Err(Errno::EINVAL);
    }
    send(
        &call,
        Pid(call.int(1)),
        Some(call.int(0)),
        Signal(call.int(2)),
    )
}

fn send(call: &Call<'_>, pid: Pid, group: Option<i32>, signal: Signal) -> Result<u64, Errno> {
    // A remote thread knows its process by home's id (getpid), its threads by this node's (gettid).
    let home_tgid = call
        .task
        .remote()
        .filter(|rc| rc.for_remote)
        .map(|rc| rc.tgid.0);
    let group_matches =
        |task: &Rc<Task>| group.is_none_or(|tgid| tgid == home_tgid.unwrap_or(task.tgid().0));
    let target = match home_tgid {
        Some(tgid) if pid.0 == tgid => Some(Rc::clone(call.task)),
        _ => call.k.find_task(pid).filter(group_matches),
    };
    let target = target.ok_or(Errno::ESRCH)?;
    if signal.0 == 0 {
        return Ok(0);
    }
    if !is_valid(signal) {
        return Err(Errno::EINVAL);
    }
    if target.blocked.get() & bit(signal) != 0 {
        target.pending.set(target.pending.get() | bit(signal));
        return Ok(0);
    }
    act(call.k, &target, signal)
}

/// A signal arrives: what its action says.
fn act(k: &Rc<Kernel>, target: &Rc<Task>, signal: Signal) -> Result<u64, Errno> {
    let handler = target.group.sighand.get(signal).handler;
    match handler {
        SIG_IGN => Ok(0),
        SIG_DFL if IGNORED_BY_DEFAULT.contains(&signal.0) => Ok(0),
        SIG_DFL => {
            k.event(&Event::Signal {
                pid: target.pid,
                signal: signal.0,
            });
            do_group_exit(k, target, ExitStatus::Signaled(signal));
            if let Some(thread) = target.thread.get() {
                k.exec.interrupt(thread);
            }
            Ok(0)
        }
        _ => {
            k.log(&format!(
                "task {} was sent {signal}, which it handles: signal handlers are not modelled",
                target.pid
            ));
            Err(Errno::ENOSYS)
        }
    }
}

fn is_valid(signal: Signal) -> bool {
    (1..=Signal::MAX).contains(&signal.0)
}

fn bit(signal: Signal) -> u64 {
    1 << (signal.0 - 1)
}
