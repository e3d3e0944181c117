//! poll(2) and ppoll(2). Files and the console are always ready; only pipes make anybody wait.

use std::rc::Rc;

use isa::Errno;
use isa::layout::{KernelSigaction, Timespec};
use isa::syscall::Sysno;
use msglayer::{SimDuration, SimTime};
use zerocopy::little_endian::{I16, I32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::Call;
use crate::exec::{WaitQueue, WaitRecord};
use crate::fs::{FdTarget, Pipe};
use crate::mm::{UserPtr, copy_from_user, copy_to_user};
use crate::signal::{set_blocked, signal_pending};
use crate::syscall::forward::forward_syscall;
use crate::syscall::{span_of_ns, valid_ns};

const POLLIN: i16 = 0x1;
const POLLOUT: i16 = 0x4;
const POLLERR: i16 = 0x8;
const POLLHUP: i16 = 0x10;
const POLLNVAL: i16 = 0x20;
const POLLRDNORM: i16 = 0x40;
const POLLWRNORM: i16 = 0x100;
/// Most descriptors of one call: as many as a process may have (RLIMIT_NOFILE).
const MAX: u64 = 1024;

/// `struct pollfd`.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct PollFd {
    fd: I32,
    events: I16,
    revents: I16,
}

/// poll(2): the timeout is in milliseconds, negative for ever.
pub(in super::super) async fn poll(call: Call<'_>) -> Result<u64, Errno> {
    let timeout = u64::try_from(call.int(2)).ok();
    wait(&call, timeout.map(|ms| span_of_ns(ms * 1_000_000))).await
}

/// ppoll(2): with another signal mask meanwhile, as rt_sigsuspend(2) has it. The mask of a remote thread is where the thread is; home waits.
pub(in super::super) async fn ppoll(call: Call<'_>) -> Result<u64, Errno> {
    let timeout = match UserPtr::<Timespec>::new(call.args[2]).non_null() {
        None => None,
        Some(time) => {
            let time = time.read(call.k, call.task).await?;
            Some(span_of_ns(valid_ns(time).ok_or(Errno::EINVAL)?))
        }
    };
    let (k, task) = (call.k, call.task);
    let mut before = None;
    if let Some(mask) = UserPtr::<U64>::new(call.args[3]).non_null() {
        if call.args[4] != KernelSigaction::SIGSET_SIZE {
            return Err(Errno::EINVAL);
        }
        let mask = mask.read(k, task).await?;
        before = Some(task.signals.blocked.get());
        set_blocked(k, task, mask.get());
    }
    let result = if call.asks_home() {
        let [fds, count, time, ..] = call.args;
        forward_syscall(k, task, Sysno::Ppoll, [fds, count, time, 0, 0, 0]).await
    } else {
        wait(&call, timeout).await
    };
    match before {
        // The handler runs under the mask of the call.
        Some(_) if signal_pending(task) => task.signals.saved_mask.set(before),
        Some(before) => set_blocked(k, task, before),
        None => {}
    }
    result
}

/// Waits until one of the descriptors is ready; returns how many are.
async fn wait(call: &Call<'_>, timeout: Option<SimDuration>) -> Result<u64, Errno> {
    if call.args[1] > MAX {
        return Err(Errno::EINVAL);
    }
    let mut bytes = vec![0; call.args[1] as usize * size_of::<PollFd>()];
    copy_from_user(call.k, call.task, call.addr(0), &mut bytes).await?;
    let deadline = timeout.map(|span| call.k.exec.now() + span);
    loop {
        let ready = look(call, &mut bytes);
        if ready > 0 || deadline.is_some_and(|deadline| deadline <= call.k.exec.now()) {
            copy_to_user(call.k, call.task, call.addr(0), &bytes).await?;
            return Ok(ready);
        }
        if signal_pending(call.task) {
            return Err(Errno::ERESTARTNOHAND);
        }
        sleep(call, &bytes, deadline).await;
    }
}

/// Sleeps until one of the pipes among the descriptors changes; other pipes wake nobody here.
async fn sleep(call: &Call<'_>, bytes: &[u8], deadline: Option<SimTime>) {
    let pipes = polled_pipes(call, bytes);
    let queues: Vec<_> = pipes.iter().map(|pipe| &pipe.pollers).collect();
    let exec = &call.k.exec;
    let record = WaitRecord::new("a descriptor in poll").interruptible();
    let timeout = deadline.map(|deadline| deadline.saturating_since(exec.now()));
    WaitQueue::sleep_in_all(&queues, exec, record, timeout).await;
}

fn polled_pipes(call: &Call<'_>, bytes: &[u8]) -> Vec<Rc<Pipe>> {
    let mut pipes = Vec::new();
    for slot in bytes.chunks_exact(size_of::<PollFd>()) {
        let Ok(poll) = PollFd::ref_from_bytes(slot) else {
            continue;
        };
        if let Ok(description) = call.task.files.get(poll.fd.get())
            && let FdTarget::Pipe(end) = &description.target
        {
            pipes.push(Rc::clone(&end.pipe));
        }
    }
    pipes
}

/// Fills in what every descriptor is ready for; returns how many are ready for something.
fn look(call: &Call<'_>, bytes: &mut [u8]) -> u64 {
    let mut ready = 0;
    for slot in bytes.chunks_exact_mut(size_of::<PollFd>()) {
        let Ok(poll) = PollFd::mut_from_bytes(slot) else {
            continue;
        };
        let found = match poll.fd.get() {
            0.. => state(call, poll.fd.get()),
            _ => 0,
        };
        let asked = poll.events.get() | POLLERR | POLLHUP | POLLNVAL;
        poll.revents.set(found & asked);
        ready += u64::from(poll.revents.get() != 0);
    }
    ready
}

fn state(call: &Call<'_>, fd: i32) -> i16 {
    const READABLE: i16 = POLLIN | POLLRDNORM;
    const WRITABLE: i16 = POLLOUT | POLLWRNORM;
    let Ok(description) = call.task.files.get(fd) else {
        return POLLNVAL;
    };
    let FdTarget::Pipe(end) = &description.target else {
        return READABLE | WRITABLE;
    };
    let pipe = &end.pipe;
    let mut state = 0;
    if end.writes {
        // A write of PIPE_BUF bytes must not wait.
        if pipe.room() >= 4096 {
            state |= WRITABLE;
        }
        if !pipe.has_readers() {
            state |= POLLERR;
        }
    } else {
        if pipe.filled() > 0 {
            state |= READABLE;
        }
        if !pipe.has_writers() {
            state |= POLLHUP;
        }
    }
    state
}
