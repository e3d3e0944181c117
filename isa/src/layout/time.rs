//! Times and buffers: `struct timespec`, `struct timeval`, `struct iovec`. 16 bytes each, the same on both ISAs.

use zerocopy::little_endian::{I64, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::VirtAddr;

const NANOS: i64 = 1_000_000_000;

/// Seconds and nanoseconds.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Unaligned,
)]
#[repr(C)]
pub struct Timespec {
    /// Seconds.
    pub sec: I64,
    /// Nanoseconds, 0 to 999,999,999 in a valid one.
    pub nsec: I64,
}

impl Timespec {
    /// From seconds and nanoseconds.
    pub const fn new(sec: i64, nsec: i64) -> Self {
        Self {
            sec: I64::new(sec),
            nsec: I64::new(nsec),
        }
    }

    /// From a number of nanoseconds.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self::new((nanos / NANOS as u64) as i64, (nanos % NANOS as u64) as i64)
    }

    /// As nanoseconds; `None` when it is negative, its nanoseconds are out of range (EINVAL for Linux), or it does not fit.
    pub fn to_nanos(self) -> Option<u64> {
        let nanos = u64::try_from(self.nsec.get())
            .ok()
            .filter(|&nanos| nanos < NANOS as u64)?;
        u64::try_from(self.sec.get())
            .ok()?
            .checked_mul(NANOS as u64)?
            .checked_add(nanos)
    }
}

/// Seconds and microseconds.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Unaligned,
)]
#[repr(C)]
pub struct Timeval {
    /// Seconds.
    pub sec: I64,
    /// Microseconds, 0 to 999,999 in a valid one.
    pub usec: I64,
}

impl Timeval {
    /// From a number of nanoseconds, rounded down to microseconds.
    pub const fn from_nanos(nanos: u64) -> Self {
        let micros = nanos / 1000;
        Self {
            sec: I64::new((micros / 1_000_000) as i64),
            usec: I64::new((micros % 1_000_000) as i64),
        }
    }

    /// As nanoseconds; `None` when it is negative, its microseconds are out of range, or it does not fit.
    pub fn to_nanos(self) -> Option<u64> {
        let micros = u64::try_from(self.usec.get())
            .ok()
            .filter(|&micros| micros < 1_000_000)?;
        u64::try_from(self.sec.get())
            .ok()?
            .checked_mul(NANOS as u64)?
            .checked_add(micros * 1000)
    }
}

/// A timer: when it goes off next, and how often from then on. Zero is never.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Unaligned,
)]
#[repr(C)]
pub struct Itimerval {
    /// The period.
    pub interval: Timeval,
    /// Until the next time.
    pub value: Timeval,
}

/// One buffer of a scattered read or gathered write.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Unaligned,
)]
#[repr(C)]
pub struct Iovec {
    /// Address of the buffer.
    pub base: U64,
    /// Length in bytes.
    pub len: U64,
}

impl Iovec {
    /// Address of the buffer, as an address.
    pub fn address(&self) -> VirtAddr {
        VirtAddr(self.base.get())
    }
}

const _: () =
    assert!(size_of::<Timespec>() == 16 && size_of::<Timeval>() == 16 && size_of::<Iovec>() == 16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_there_and_back() {
        for nanos in [0, 1, 999_999_999, 1_000_000_000, 12_345_678_901] {
            assert_eq!(Timespec::from_nanos(nanos).to_nanos(), Some(nanos));
            assert_eq!(
                Timeval::from_nanos(nanos).to_nanos(),
                Some(nanos / 1000 * 1000)
            );
        }
        assert_eq!(Timespec::from_nanos(3_000_000_004), Timespec::new(3, 4));
    }

    #[test]
    fn what_linux_calls_invalid() {
        for (sec, nsec) in [(-1, 0), (0, -1), (0, NANOS), (i64::MAX, 0)] {
            assert_eq!(Timespec::new(sec, nsec).to_nanos(), None, "{sec} {nsec}");
        }
        assert_eq!(
            Timeval {
                sec: I64::new(0),
                usec: I64::new(1_000_000)
            }
            .to_nanos(),
            None
        );
    }

    #[test]
    fn bytes() {
        assert_eq!(
            Timespec::new(1, 2).as_bytes(),
            [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
        );
        let iovec =
            Iovec::read_from_bytes(&[0, 0x10, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]).unwrap();
        assert_eq!((iovec.address(), iovec.len.get()), (VirtAddr(0x1000), 9));
    }
}
