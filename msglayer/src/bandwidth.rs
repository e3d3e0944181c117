//! How many bits a link carries in a second.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use crate::quantity::{Quantity, QuantityError};
use crate::time::SimDuration;

const BANDWIDTH: Quantity = Quantity {
    what: "bandwidth",
    units: &[
        ("bit/s", 1),
        ("kbit/s", 1_000),
        ("Mbit/s", 1_000_000),
        ("Gbit/s", 1_000_000_000),
        ("Tbit/s", 1_000_000_000_000),
    ],
    example: "56Gbit/s",
};

/// Bits per second, decimal as network people count (1 Gbit/s = 10^9 bit/s). Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bandwidth(NonZeroU64);

impl Bandwidth {
    /// From bits per second; `None` for zero.
    pub const fn from_bits_per_sec(bits: u64) -> Option<Self> {
        match NonZeroU64::new(bits) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }

    /// Bits per second.
    pub const fn bits_per_sec(self) -> u64 {
        self.0.get()
    }

    /// How long `bytes` occupy the link: rounded up to the picosecond, so that every byte takes time; saturates.
    pub const fn time_for(self, bytes: usize) -> SimDuration {
        let bit_ps = (bytes as u128) * 8 * 1_000_000_000_000;
        let ps = bit_ps.div_ceil(self.0.get() as u128);
        SimDuration::from_ps(if ps > u64::MAX as u128 {
            u64::MAX
        } else {
            ps as u64
        })
    }
}

/// Reads "56Gbit/s", "2.5 Gbit/s", "100Mbit/s".
impl FromStr for Bandwidth {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let bits = BANDWIDTH.parse(text)?;
        Self::from_bits_per_sec(bits).ok_or_else(|| QuantityError::Zero {
            input: text.to_owned(),
            what: BANDWIDTH.what,
        })
    }
}

/// Writes "56 Gbit/s".
impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        BANDWIDTH.format(self.0.get(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_bandwidth_is_read_and_shown() {
        for (text, bits, shown) in [
            ("56Gbit/s", 56_000_000_000, "56 Gbit/s"),
            ("2.5 Gbit/s", 2_500_000_000, "2.5 Gbit/s"),
            ("1kbit/s", 1_000, "1 kbit/s"),
            ("300bit/s", 300, "300 bit/s"),
        ] {
            let bandwidth: Bandwidth = text.parse().unwrap();
            assert_eq!(
                (bandwidth.bits_per_sec(), bandwidth.to_string().as_str()),
                (bits, shown)
            );
        }
    }

    #[test]
    fn what_is_no_bandwidth_is_refused_with_a_reason() {
        expect!["`0Gbit/s` is no bandwidth: it must be more than zero"]
            .assert_eq(&"0Gbit/s".parse::<Bandwidth>().unwrap_err().to_string());
        expect!["`56GB` is no bandwidth: `GB` is none of the units bit/s, kbit/s, Mbit/s, Gbit/s, Tbit/s; write for example `56Gbit/s`"]
            .assert_eq(&"56GB".parse::<Bandwidth>().unwrap_err().to_string());
    }

    #[test]
    fn bytes_take_their_time() {
        for (text, bytes, ps) in [
            ("8Gbit/s", 1, 1_000),
            ("10Gbit/s", 4130, 3_304_000),
            ("56Gbit/s", 22, 3_143),
            ("56Gbit/s", 0, 0),
            ("1Tbit/s", 1, 8),
            ("1bit/s", usize::MAX, u64::MAX),
        ] {
            assert_eq!(
                text.parse::<Bandwidth>().unwrap().time_for(bytes).as_ps(),
                ps,
                "{bytes} at {text}"
            );
        }
    }
}
