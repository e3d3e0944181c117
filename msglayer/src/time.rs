//! Simulated time: instants and spans in picoseconds.
//!
//! A `u64` of picoseconds reaches 213 days, and its grain is fine enough that a cycle of any clock below 1 THz is a whole number
//! of them up to rounding. Time never wraps: arithmetic either saturates at the ends (which the methods say) or reports. There
//! is no conversion to the host's clock, on purpose.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Sub, SubAssign};
use std::str::FromStr;

use crate::quantity::{Quantity, QuantityError};

const PS_PER_NS: u64 = 1_000;
const PS_PER_US: u64 = 1_000 * PS_PER_NS;
const PS_PER_MS: u64 = 1_000 * PS_PER_US;
const PS_PER_SEC: u64 = 1_000 * PS_PER_MS;

const DURATION: Quantity = Quantity {
    what: "duration",
    units: &[
        ("ps", 1),
        ("ns", PS_PER_NS),
        ("us", PS_PER_US),
        ("µs", PS_PER_US),
        ("ms", PS_PER_MS),
        ("s", PS_PER_SEC),
    ],
    example: "2us",
};

/// An instant: picoseconds since the cluster's start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimTime(u64);

/// A span of simulated time, in picoseconds. It has no sign.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimDuration(u64);

/// The constructors and accessors that instants and spans share.
macro_rules! picoseconds {
    ($type:ident) => {
        impl $type {
            /// The start of simulated time, or no time at all.
            pub const ZERO: Self = Self(0);
            /// The end of simulated time, which also serves as "never".
            pub const MAX: Self = Self(u64::MAX);

            /// From picoseconds.
            pub const fn from_ps(ps: u64) -> Self {
                Self(ps)
            }
            /// From nanoseconds; saturates at [`Self::MAX`].
            pub const fn from_ns(ns: u64) -> Self {
                Self(ns.saturating_mul(PS_PER_NS))
            }
            /// From microseconds; saturates at [`Self::MAX`].
            pub const fn from_us(us: u64) -> Self {
                Self(us.saturating_mul(PS_PER_US))
            }
            /// From milliseconds; saturates at [`Self::MAX`].
            pub const fn from_ms(ms: u64) -> Self {
                Self(ms.saturating_mul(PS_PER_MS))
            }
            /// From seconds; saturates at [`Self::MAX`].
            pub const fn from_secs(secs: u64) -> Self {
                Self(secs.saturating_mul(PS_PER_SEC))
            }

            /// Picoseconds.
            pub const fn as_ps(self) -> u64 {
                self.0
            }
            /// Whole nanoseconds.
            pub const fn as_ns(self) -> u64 {
                self.0 / PS_PER_NS
            }
            /// Whole microseconds.
            pub const fn as_us(self) -> u64 {
                self.0 / PS_PER_US
            }
            /// Whole milliseconds.
            pub const fn as_ms(self) -> u64 {
                self.0 / PS_PER_MS
            }
            /// Whole seconds.
            pub const fn as_secs(self) -> u64 {
                self.0 / PS_PER_SEC
            }
            /// The nanoseconds behind the whole seconds, as `struct timespec` wants them.
            pub const fn subsec_ns(self) -> u64 {
                self.0 % PS_PER_SEC / PS_PER_NS
            }

            /// The sum, or `None` beyond the end of simulated time.
            pub const fn checked_add(self, span: SimDuration) -> Option<Self> {
                match self.0.checked_add(span.0) {
                    Some(ps) => Some(Self(ps)),
                    None => None,
                }
            }
            /// The sum, at most [`Self::MAX`].
            pub const fn saturating_add(self, span: SimDuration) -> Self {
                Self(self.0.saturating_add(span.0))
            }
            /// The difference, or `None` below zero.
            pub const fn checked_sub(self, span: SimDuration) -> Option<Self> {
                match self.0.checked_sub(span.0) {
                    Some(ps) => Some(Self(ps)),
                    None => None,
                }
            }
            /// The difference, at least [`Self::ZERO`].
            pub const fn saturating_sub(self, span: SimDuration) -> Self {
                Self(self.0.saturating_sub(span.0))
            }
        }

        /// Saturates at the end of simulated time, so that a guest that sleeps for ever does so and stops nobody else.
        impl Add<SimDuration> for $type {
            type Output = Self;
            fn add(self, span: SimDuration) -> Self {
                self.saturating_add(span)
            }
        }

        impl AddAssign<SimDuration> for $type {
            fn add_assign(&mut self, span: SimDuration) {
                *self = *self + span;
            }
        }

        /// Writes the value in the unit that suits it: "12.345 us". At most three decimals, the rest cut off.
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                DURATION.format(self.0, f)
            }
        }
    };
}

picoseconds!(SimTime);
picoseconds!(SimDuration);

impl SimTime {
    /// The span from `earlier` to here, or `None` when `earlier` is later.
    pub const fn checked_since(self, earlier: SimTime) -> Option<SimDuration> {
        match self.0.checked_sub(earlier.0) {
            Some(ps) => Some(SimDuration(ps)),
            None => None,
        }
    }

    /// The span from `earlier` to here, zero when `earlier` is later.
    pub const fn saturating_since(self, earlier: SimTime) -> SimDuration {
        SimDuration(self.0.saturating_sub(earlier.0))
    }
}

impl SimDuration {
    /// Whether it is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The multiple, at most [`Self::MAX`].
    pub const fn saturating_mul(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }

    /// The multiple, or `None` when it does not fit.
    pub const fn checked_mul(self, factor: u64) -> Option<Self> {
        match self.0.checked_mul(factor) {
            Some(ps) => Some(Self(ps)),
            None => None,
        }
    }
}

/// The span between two instants.
///
/// # Panics
/// When the right one is later: causality is broken, and the panic says by how much.
impl Sub for SimTime {
    type Output = SimDuration;
    fn sub(self, earlier: SimTime) -> SimDuration {
        match self.checked_since(earlier) {
            Some(span) => span,
            None => panic!(
                "time runs backwards: {} ps is before {} ps",
                self.0, earlier.0
            ),
        }
    }
}

/// The difference of two spans.
///
/// # Panics
/// When the right one is longer; [`SimDuration::saturating_sub`] is for where that can be.
impl Sub for SimDuration {
    type Output = SimDuration;
    fn sub(self, span: SimDuration) -> SimDuration {
        match self.checked_sub(span) {
            Some(rest) => rest,
            None => panic!("a span of {} ps has no {} ps to give", self.0, span.0),
        }
    }
}

impl SubAssign for SimDuration {
    fn sub_assign(&mut self, span: SimDuration) {
        *self = *self - span;
    }
}

/// Saturates at [`SimDuration::MAX`].
impl Mul<u64> for SimDuration {
    type Output = Self;
    fn mul(self, factor: u64) -> Self {
        self.saturating_mul(factor)
    }
}

/// Rounds down.
///
/// # Panics
/// When the divisor is zero, as every division does.
impl Div<u64> for SimDuration {
    type Output = Self;
    fn div(self, divisor: u64) -> Self {
        Self(self.0 / divisor)
    }
}

impl Sum for SimDuration {
    fn sum<I: Iterator<Item = Self>>(spans: I) -> Self {
        spans.fold(Self::ZERO, |total, span| total + span)
    }
}

/// Reads "2us", "1.5ms", "10 s": a decimal number and one of ps, ns, us (µs), ms, s.
impl FromStr for SimDuration {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        DURATION.parse(text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[test]
    fn a_span_is_shown_in_the_unit_that_suits_it() {
        for (ps, shown) in [
            (0, "0 ps"),
            (999, "999 ps"),
            (1_000, "1 ns"),
            (12_345_000, "12.345 us"),
            (12_345_999, "12.345 us"),
            (1_500_000_000, "1.5 ms"),
            (60_000_000_000_000, "60 s"),
            (u64::MAX, "18446744.073 s"),
        ] {
            assert_eq!(SimDuration::from_ps(ps).to_string(), shown);
            assert_eq!(SimTime::from_ps(ps).to_string(), shown);
        }
        assert_eq!(format!("[{:>8}]", SimDuration::from_us(2)), "[    2 us]");
    }

    #[test]
    fn a_span_is_read_exactly() {
        for (text, ps) in [
            ("2us", 2_000_000),
            ("2 µs", 2_000_000),
            (" 1.5ms ", 1_500_000_000),
            ("0.001ns", 1),
            ("1.0000ps", 1),
            ("0s", 0),
            ("18446744.073709551615s", u64::MAX),
        ] {
            assert_eq!(
                text.parse::<SimDuration>().map(SimDuration::as_ps),
                Ok(ps),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_span_is_refused_with_a_reason() {
        fn check(text: &str, expected: Expect) {
            expected.assert_eq(&text.parse::<SimDuration>().unwrap_err().to_string());
        }
        check(
            "",
            expect!["`` is no duration: it must begin with a number, as in `2us`"],
        );
        check(
            "-3us",
            expect!["`-3us` is no duration: it must begin with a number, as in `2us`"],
        );
        check(
            "1.2.3us",
            expect!["`1.2.3us` is no duration: it must begin with a number, as in `2us`"],
        );
        check(
            "7",
            expect![
                "`7` is no duration: `` is none of the units ps, ns, us, µs, ms, s; write for example `2us`"
            ],
        );
        check(
            "2 fortnights",
            expect![
                "`2 fortnights` is no duration: `fortnights` is none of the units ps, ns, us, µs, ms, s; write for example `2us`"
            ],
        );
        check(
            "0.5ps",
            expect![
                "`0.5ps` is no duration that can be represented: it must be a whole number of ps, at most 18446744073709551615"
            ],
        );
        check(
            "18446745s",
            expect![
                "`18446745s` is no duration that can be represented: it must be a whole number of ps, at most 18446744073709551615"
            ],
        );
    }

    #[test]
    fn time_saturates_and_never_wraps() {
        let last = SimTime::MAX;
        assert_eq!(last + SimDuration::from_ps(1), last);
        assert_eq!(last.checked_add(SimDuration::from_ps(1)), None);
        assert_eq!(SimTime::ZERO.saturating_since(last), SimDuration::ZERO);
        assert_eq!(SimTime::ZERO.checked_since(last), None);
        assert_eq!(SimDuration::from_secs(u64::MAX), SimDuration::MAX);
        assert_eq!(SimDuration::MAX * 2, SimDuration::MAX);
        assert_eq!(
            SimTime::from_us(5) - SimTime::from_us(3),
            SimDuration::from_us(2)
        );
    }

    #[test]
    #[should_panic(expected = "time runs backwards: 1 ps is before 2 ps")]
    fn an_instant_before_its_cause_is_a_bug() {
        let _ = SimTime::from_ps(1) - SimTime::from_ps(2);
    }
}
