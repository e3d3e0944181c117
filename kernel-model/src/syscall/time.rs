//! Clocks and sleep. Time is the node's virtual time: monotonic clocks start at 0 with the cluster, the wall clock at [`REALTIME_EPOCH`].

use isa::Errno;
use isa::layout::{Timespec, Timeval};
use msglayer::{SimDuration, SimTime};
use zerocopy::little_endian::U64;

use super::Call;
use crate::exec::{WaitRecord, Wake};
use crate::mm::UserPtr;
use crate::signal::signal_pending;

/// What the wall clock shows when the cluster starts, in seconds since 1970: 2020-12-01 00:00:00 UTC, in every run.
pub const REALTIME_EPOCH: u64 = 1_606_780_800;

const CLOCK_REALTIME: i32 = 0;
const CLOCK_MONOTONIC: i32 = 1;
const CLOCK_PROCESS_CPUTIME_ID: i32 = 2;
const CLOCK_THREAD_CPUTIME_ID: i32 = 3;
const CLOCK_REALTIME_COARSE: i32 = 5;
const CLOCK_BOOTTIME: i32 = 7;
const CLOCK_BOOTTIME_ALARM: i32 = 9;
const CLOCK_TAI: i32 = 11;
const TIMER_ABSTIME: i32 = 1;

/// When the wall clock shows a time given in nanoseconds since 1970; the start of the run if that is in the past.
pub(crate) fn realtime_to_sim(ns: u64) -> SimTime {
    SimTime::ZERO + span_of_ns(ns.saturating_sub(REALTIME_EPOCH * 1_000_000_000))
}

/// A length of time, cut to one that no run reaches and that still can be added to any time.
pub(crate) fn span_of_ns(ns: u64) -> SimDuration {
    SimDuration::from_ns(ns.min(LONGEST_NS))
}

/// Some 100 days.
const LONGEST_NS: u64 = 9_000_000 * 1_000_000_000;

/// A timespec in nanoseconds, cut to 64 bits; `None` where Linux says EINVAL.
pub(crate) fn valid_ns(time: Timespec) -> Option<u64> {
    let valid = time.sec.get() >= 0 && (0..1_000_000_000).contains(&time.nsec.get());
    valid.then(|| time.to_nanos().unwrap_or(u64::MAX))
}

fn is_realtime(clock: i32) -> bool {
    matches!(clock, CLOCK_REALTIME | CLOCK_REALTIME_COARSE | CLOCK_TAI)
}

/// What a clock shows, in nanoseconds. The CPU-time clocks (2, 3) show the time since the start as well: nothing accounts per task.
fn read_clock(call: &Call<'_>, clock: i32) -> Result<u64, Errno> {
    let now = call.k.exec.now().as_ns();
    match clock {
        _ if is_realtime(clock) => Ok(REALTIME_EPOCH * 1_000_000_000 + now),
        CLOCK_MONOTONIC..=CLOCK_BOOTTIME => Ok(now),
        _ => Err(Errno::EINVAL),
    }
}

/// clock_gettime(2).
pub(super) async fn clock_gettime(call: Call<'_>) -> Result<u64, Errno> {
    let now = Timespec::from_nanos(read_clock(&call, call.int(0))?);
    UserPtr::new(call.args[1])
        .write(call.k, call.task, &now)
        .await?;
    Ok(0)
}

/// clock_getres(2): a nanosecond.
pub(super) async fn clock_getres(call: Call<'_>) -> Result<u64, Errno> {
    read_clock(&call, call.int(0))?;
    if let Some(resolution) = UserPtr::new(call.args[1]).non_null() {
        resolution
            .write(call.k, call.task, &Timespec::new(0, 1))
            .await?;
    }
    Ok(0)
}

/// gettimeofday(2); the time zone is always UTC.
pub(super) async fn gettimeofday(call: Call<'_>) -> Result<u64, Errno> {
    if let Some(time) = UserPtr::new(call.args[0]).non_null() {
        let now = Timeval::from_nanos(read_clock(&call, CLOCK_REALTIME)?);
        time.write(call.k, call.task, &now).await?;
    }
    if let Some(zone) = UserPtr::new(call.args[1]).non_null() {
        zone.write(call.k, call.task, &U64::ZERO).await?;
    }
    Ok(0)
}

/// time(2).
pub(super) async fn time(call: Call<'_>) -> Result<u64, Errno> {
    let seconds = read_clock(&call, CLOCK_REALTIME)? / 1_000_000_000;
    if let Some(out) = UserPtr::new(call.args[0]).non_null() {
        out.write(call.k, call.task, &U64::new(seconds)).await?;
    }
    Ok(seconds)
}

/// nanosleep(2).
pub(super) async fn nanosleep(call: Call<'_>) -> Result<u64, Errno> {
    let ns = read_ns(&call, 0).await?;
    sleep_until(&call, call.k.exec.now() + span_of_ns(ns), Some(1)).await
}

/// clock_nanosleep(2), relative and absolute. EOPNOTSUPP: a clock that shows the time but wakes nobody; the alarm clocks need a device for it.
pub(super) async fn clock_nanosleep(call: Call<'_>) -> Result<u64, Errno> {
    let clock = call.int(0);
    match clock {
        CLOCK_REALTIME
        | CLOCK_MONOTONIC
        | CLOCK_PROCESS_CPUTIME_ID
        | CLOCK_BOOTTIME
        | CLOCK_TAI => {}
        CLOCK_THREAD_CPUTIME_ID..=CLOCK_BOOTTIME_ALARM => return Err(Errno::EOPNOTSUPP),
        _ => return Err(Errno::EINVAL),
    }
    let ns = read_ns(&call, 2).await?;
    if call.int(1) & TIMER_ABSTIME == 0 {
        return sleep_until(&call, call.k.exec.now() + span_of_ns(ns), Some(3)).await;
    }
    let until = if is_realtime(clock) {
        realtime_to_sim(ns)
    } else {
        SimTime::ZERO + span_of_ns(ns)
    };
    sleep_until(&call, until, None).await
}

/// A timespec argument in nanoseconds.
async fn read_ns(call: &Call<'_>, index: usize) -> Result<u64, Errno> {
    let wanted: Timespec = UserPtr::new(call.args[index])
        .read(call.k, call.task)
        .await?;
    valid_ns(wanted).ok_or(Errno::EINVAL)
}

/// Sleeps; on a signal the time left is stored where argument `rest` points.
async fn sleep_until(call: &Call<'_>, until: SimTime, rest: Option<usize>) -> Result<u64, Errno> {
    let exec = &call.k.exec;
    let mut ended = false;
    while !ended && !signal_pending(call.task) {
        let record = WaitRecord::new("the end of a sleep").interruptible();
        let span = until.saturating_since(exec.now());
        ended = exec.sleep(span, record).await == Wake::TimedOut;
    }
    if !ended {
        let left = until.saturating_since(call.k.exec.now()).as_ns();
        if let Some(out) = rest.and_then(|index| UserPtr::new(call.args[index]).non_null()) {
            out.write(call.k, call.task, &Timespec::from_nanos(left))
                .await?;
        }
        // An absolute one is simply made again.
        return Err(if rest.is_none() {
            Errno::ERESTARTNOHAND
        } else {
            Errno::ERESTART_RESTARTBLOCK
        });
    }
    Ok(0)
}
