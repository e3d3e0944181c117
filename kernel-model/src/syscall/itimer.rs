//! alarm(2), setitimer(2), getitimer(2), for ITIMER_REAL. A process has one timer, at home.

use isa::Errno;
use isa::layout::{Itimerval, Timeval};
use msglayer::SimDuration;

use super::{Call, span_of_ns};
use crate::mm::UserPtr;
use crate::signal::timer;

const ITIMER_REAL: i32 = 0;
const ITIMER_PROF: i32 = 2;

/// alarm(2): returns what was left of the timer before, in seconds: rounded, but never down to 0.
pub(super) async fn alarm(call: Call<'_>) -> Result<u64, Errno> {
    let left = current(&call).1.as_ns();
    let value = span_of_ns(u64::from(call.uint(0)) * 1_000_000_000);
    timer::set(call.k, call.task, SimDuration::ZERO, value);
    let rounded = (left + 500_000_000) / 1_000_000_000;
    Ok(rounded.max(u64::from(left > 0)))
}

/// setitimer(2).
pub(super) async fn setitimer(call: Call<'_>) -> Result<u64, Errno> {
    check(call.int(0))?;
    let (k, task) = (call.k, call.task);
    let new = match UserPtr::<Itimerval>::new(call.args[1]).non_null() {
        Some(new) => new.read(k, task).await?,
        None => Itimerval::default(),
    };
    let (interval, value) = (span(new.interval)?, span(new.value)?);
    let before = encode(current(&call));
    timer::set(k, task, interval, value);
    if let Some(old) = UserPtr::new(call.args[2]).non_null() {
        old.write(k, task, &before).await?;
    }
    Ok(0)
}

/// getitimer(2).
pub(super) async fn getitimer(call: Call<'_>) -> Result<u64, Errno> {
    check(call.int(0))?;
    let now = encode(current(&call));
    UserPtr::new(call.args[1])
        .write(call.k, call.task, &now)
        .await?;
    Ok(0)
}

fn current(call: &Call<'_>) -> (SimDuration, SimDuration) {
    call.task.group.signals.timer.get(call.k.exec.now())
}

fn check(which: i32) -> Result<(), Errno> {
    match which {
        ITIMER_REAL => Ok(()),
        1..=ITIMER_PROF => Err(Errno::ENOSYS),
        _ => Err(Errno::EINVAL),
    }
}

fn span(time: Timeval) -> Result<SimDuration, Errno> {
    let valid = time.sec.get() >= 0 && (0..1_000_000).contains(&time.usec.get());
    let ns = valid.then(|| time.to_nanos().unwrap_or(u64::MAX));
    ns.map(span_of_ns).ok_or(Errno::EINVAL)
}

/// A running timer is never shown as 0.
fn encode((interval, value): (SimDuration, SimDuration)) -> Itimerval {
    let shown = match value.as_ns() {
        1..1000 => 1000,
        ns => ns,
    };
    Itimerval {
        interval: Timeval::from_nanos(interval.as_ns()),
        value: Timeval::from_nanos(shown),
    }
}
