//! Blocking signals and waiting for them: rt_sigprocmask(2), rt_sigpending(2), rt_sigsuspend(2), rt_sigtimedwait(2), pause(2).

use isa::Errno;
use isa::layout::{KernelSigaction, Timespec};
use isa::syscall::Sysno;
use msglayer::SimTime;
use zerocopy::little_endian::U64;

use super::forward::forward_syscall;
use super::{Call, span_of_ns, valid_ns};
use crate::exec::{WaitRecord, Wake};
use crate::mm::{UserPtr, copy_to_user};
use crate::signal::{ALWAYS_UNBLOCKED, dequeue, set_blocked, signal_pending};

const SIG_BLOCK: i32 = 0;
const SIG_UNBLOCK: i32 = 1;
const SIG_SETMASK: i32 = 2;

/// rt_sigprocmask(2). What was pending and becomes unblocked arrives before the caller goes on.
pub(super) async fn rt_sigprocmask(call: Call<'_>) -> Result<u64, Errno> {
    check_size(call.args[3])?;
    let task = call.task;
    let before = task.signals.blocked.get();
    if let Some(set) = UserPtr::<U64>::new(call.args[1]).non_null() {
        let set = set.read(call.k, task).await?.get();
        let mask = match call.int(0) {
            SIG_BLOCK => before | set,
            SIG_UNBLOCK => before & !set,
            SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL),
        };
        set_blocked(call.k, task, mask);
    }
    if let Some(old) = UserPtr::new(call.args[2]).non_null() {
        old.write(call.k, task, &U64::new(before)).await?;
    }
    Ok(0)
}

/// rt_sigpending(2): what is pending and blocked. Home answers for a remote thread, because the group's signals are there.
pub(super) async fn rt_sigpending(call: Call<'_>) -> Result<u64, Errno> {
    let (k, task) = (call.k, call.task);
    if call.asks_home() {
        let own = task.signals.pending.set();
        let args = [call.args[0], call.args[1], own, 0, 0, 0];
        return forward_syscall(k, task, Sysno::RtSigpending, args).await;
    }
    store_pending(&call, 0).await
}

/// Home's part of a remote thread's rt_sigpending(2): `args[2]` are the signals that wait for the thread where it is.
pub(super) async fn rt_sigpending_of_twin(call: Call<'_>) -> Result<u64, Errno> {
    store_pending(&call, call.args[2]).await
}

async fn store_pending(call: &Call<'_>, elsewhere: u64) -> Result<u64, Errno> {
    if call.args[1] > KernelSigaction::SIGSET_SIZE {
        return Err(Errno::EINVAL);
    }
    let task = call.task;
    let pending = task.signals.pending.set() | task.group.signals.pending.set() | elsewhere;
    let bytes = (pending & task.signals.blocked.get()).to_le_bytes();
    copy_to_user(call.k, task, call.addr(0), &bytes[..call.args[1] as usize]).await?;
    Ok(0)
}

/// rt_sigsuspend(2): another mask until a handler has run.
pub(super) async fn rt_sigsuspend(call: Call<'_>) -> Result<u64, Errno> {
    check_size(call.args[1])?;
    let task = call.task;
    let mask: U64 = UserPtr::new(call.args[0]).read(call.k, task).await?;
    let before = task.signals.blocked.get();
    set_blocked(call.k, task, mask.get());
    task.signals.saved_mask.set(Some(before));
    wait(&call, None).await;
    Err(Errno::ERESTARTNOHAND)
}

/// pause(2).
pub(super) async fn pause(call: Call<'_>) -> Result<u64, Errno> {
    wait(&call, None).await;
    Err(Errno::ERESTARTNOHAND)
}

/// rt_sigtimedwait(2): takes a signal without running its handler.
///
/// A remote thread that does not wait at all (a timeout of 0) sees its own signals only: the group's are at home.
pub(super) async fn rt_sigtimedwait(call: Call<'_>) -> Result<u64, Errno> {
    check_size(call.args[3])?;
    let (k, task) = (call.k, call.task);
    let set: U64 = UserPtr::new(call.args[0]).read(k, task).await?;
    let wanted = set.get() & !ALWAYS_UNBLOCKED;
    let timeout = match UserPtr::<Timespec>::new(call.args[2]).non_null() {
        Some(timeout) => {
            let timeout = timeout.read(k, task).await?;
            Some(valid_ns(timeout).ok_or(Errno::EINVAL)?)
        }
        None => None,
    };
    let mut found = dequeue(task, wanted);
    let mut timed_out = true;
    if found.is_none() && timeout != Some(0) {
        let until = timeout.map(|ns| k.exec.now() + span_of_ns(ns));
        let before = task.signals.blocked.get();
        task.signals.real_blocked.set(before);
        set_blocked(k, task, before & !wanted);
        timed_out = wait(&call, until).await == Wake::TimedOut;
        task.signals.real_blocked.set(0);
        set_blocked(k, task, before);
        found = dequeue(task, wanted);
    }
    let Some(info) = found else {
        return Err(if timed_out {
            Errno::EAGAIN
        } else {
            Errno::EINTR
        });
    };
    if let Some(out) = UserPtr::<[u8; 128]>::new(call.args[1]).non_null() {
        out.write(k, task, &info.to_user()).await?;
    }
    Ok(info.signo.get() as u64)
}

/// Sleeps until the task has to look for signals, or until a time.
async fn wait(call: &Call<'_>, until: Option<SimTime>) -> Wake {
    let exec = &call.k.exec;
    while !signal_pending(call.task) {
        let record = WaitRecord::new("a signal").interruptible();
        match until {
            None => {
                exec.block(record).await;
            }
            Some(at) => {
                let left = at.saturating_since(exec.now());
                if exec.block_timeout(record, left, false).await == Wake::TimedOut {
                    return Wake::TimedOut;
                }
            }
        }
    }
    Wake::Interrupted
}

fn check_size(size: u64) -> Result<(), Errno> {
    if size == KernelSigaction::SIGSET_SIZE {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}
