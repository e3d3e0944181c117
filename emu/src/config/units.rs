//! Values with a unit that only the cluster file has: memory sizes and clock frequencies.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};
use thiserror::Error;

/// A value that is not a number with a unit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is no {what}: write a number and a unit, like {example}")]
pub struct UnitError {
    text: String,
    what: &'static str,
    example: &'static str,
}

/// Bytes of memory; a whole number of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemorySize(u64);

impl MemorySize {
    /// From mebibytes.
    pub const fn from_mib(mib: u64) -> Self {
        Self(mib << 20)
    }

    /// In bytes.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for MemorySize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB", self.0 >> 20)
    }
}

impl FromStr for MemorySize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
        let bytes = with_unit(text, &units)
            .filter(|bytes| *bytes >= 1 << 20 && bytes.is_multiple_of(4096) && *bytes <= 1 << 40);
        bytes.map(Self).ok_or_else(|| UnitError {
            text: text.to_owned(),
            what: "memory size (1 MiB to 1024 GiB, whole pages of 4 KiB)",
            example: "\"256MiB\"",
        })
    }
}

/// Clock frequency of a vCPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frequency(u64);

impl Frequency {
    /// In hertz.
    pub const fn as_hz(self) -> u64 {
        self.0
    }
}

impl FromStr for Frequency {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let units = [("kHz", 1_000), ("MHz", 1_000_000), ("GHz", 1_000_000_000)];
        let hertz =
            with_unit(text, &units).filter(|hertz| (1_000_000..=100_000_000_000).contains(hertz));
        hertz.map(Self).ok_or_else(|| UnitError {
            text: text.to_owned(),
            what: "clock frequency (1 MHz to 100 GHz)",
            example: "\"2.4GHz\"",
        })
    }
}

/// "2.4GHz" with ("GHz", 10^9) is 2,400,000,000. At most three decimals; `None` for anything else.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, factor) = units
        .iter()
        .find_map(|(unit, factor)| Some((text.trim().strip_suffix(unit)?.trim(), *factor)))?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || decimals.len() > 3 || !digits(whole) || !digits(decimals) {
        return None;
    }
    let thousandths: u64 = format!("{decimals:0<3}").parse().ok()?;
    let whole: u64 = whole.parse().ok()?;
    whole
        .checked_mul(factor)?
        .checked_add(thousandths * factor / 1_000)
}

/// Lets serde read a type by its `FromStr`, with the sentence of its error.
pub(super) fn by_text<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr,
    T::Err: fmt::Display,
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(de::Error::custom)
}

/// As [`by_text`], for a key that may be missing.
pub(super) fn by_optional_text<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: FromStr,
    T::Err: fmt::Display,
    D: Deserializer<'de>,
{
    by_text(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_exactly_or_refused() {
        for (text, bytes) in [
            ("256MiB", 256 << 20),
            ("1.5 GiB", 3 << 29),
            ("4096KiB", 4 << 20),
        ] {
            assert_eq!(
                text.parse::<MemorySize>().unwrap().as_bytes(),
                bytes,
                "{text}"
            );
        }
        for text in [
            "",
            "256",
            "256MB",
            "-1MiB",
            "1.2345GiB",
            "4KiB",
            "9999999GiB",
            "MiB",
            "1e3MiB",
            "0x10MiB",
        ] {
            let error = text.parse::<MemorySize>().unwrap_err().to_string();
            assert!(error.contains("256MiB"), "{text}: {error}");
        }
        assert_eq!(
            "2.4GHz".parse::<Frequency>().unwrap().as_hz(),
            2_400_000_000
        );
        assert!("2.4".parse::<Frequency>().is_err());
    }
}
