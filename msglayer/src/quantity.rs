//! Numbers with units, as people write them: "2us", "1.5 ms", "56Gbit/s".
//!
//! One parser for every quantity of the house that has a decimal unit: exact (no floating point), and with an error that says
//! what was wrong and what would be right.

use thiserror::Error;

/// Why a text is not the quantity it should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QuantityError {
    /// The text does not begin with a decimal number.
    #[error("`{input}` is no {what}: it must begin with a number, as in `{example}`")]
    NoNumber {
        /// The text that was given.
        input: String,
        /// What it should be, in words.
        what: &'static str,
        /// A text that would be right.
        example: &'static str,
    },
    /// The unit is missing or not known.
    #[error(
        "`{input}` is no {what}: `{unit}` is none of the units {units}; write for example `{example}`"
    )]
    UnknownUnit {
        /// The text that was given.
        input: String,
        /// What it should be, in words.
        what: &'static str,
        /// What stands where the unit should.
        unit: String,
        /// The units that are known.
        units: String,
        /// A text that would be right.
        example: &'static str,
    },
    /// The value is finer than the smallest unit, or too large.
    #[error(
        "`{input}` is no {what} that can be represented: it must be a whole number of {base}, at most {max}"
    )]
    OutOfRange {
        /// The text that was given.
        input: String,
        /// What it should be, in words.
        what: &'static str,
        /// The smallest unit.
        base: &'static str,
        /// The largest value, in the smallest unit.
        max: u64,
    },
    /// The value is zero where it must not be.
    #[error("`{input}` is no {what}: it must be more than zero")]
    Zero {
        /// The text that was given.
        input: String,
        /// What it should be, in words.
        what: &'static str,
    },
}

/// A kind of quantity: its name, its units, an example.
#[derive(Debug)]
pub(crate) struct Quantity {
    /// What it is, in words ("duration").
    pub what: &'static str,
    /// Units and how many of the first, smallest one they are.
    pub units: &'static [(&'static str, u64)],
    /// A text that parses.
    pub example: &'static str,
}

impl Quantity {
    /// Parses `input` to a whole number of the smallest unit.
    pub fn parse(&self, input: &str) -> Result<u64, QuantityError> {
        let text = input.trim();
        let number_end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(number_end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() || fraction.contains('.') || number.ends_with('.') {
            return Err(QuantityError::NoNumber {
                input: input.to_owned(),
                what: self.what,
                example: self.example,
            });
        }
        let unit = unit.trim_start();
        let scale = self
            .units
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, scale)| *scale);
        let Some(scale) = scale else {
            return Err(QuantityError::UnknownUnit {
                input: input.to_owned(),
                what: self.what,
                unit: unit.to_owned(),
                units: self
                    .units
                    .iter()
                    .map(|(name, _)| *name)
                    .collect::<Vec<_>>()
                    .join(", "),
                example: self.example,
            });
        };
        scaled(whole, fraction, scale).ok_or_else(|| QuantityError::OutOfRange {
            input: input.to_owned(),
            what: self.what,
            base: self.units[0].0,
            max: u64::MAX,
        })
    }

    /// Writes `value` (in the smallest unit) in the largest unit that leaves a whole part, with at most three decimals.
    ///
    /// What lies behind the third decimal is cut off, so that no value is shown larger than it is.
    pub fn format(&self, value: u64, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let largest = self
            .units
            .iter()
            .rfind(|(name, scale)| *scale <= value && name.is_ascii());
        let (unit, scale) = *largest.unwrap_or(&self.units[0]);
        let thousandths = u128::from(value % scale) * 1000 / u128::from(scale);
        let decimals = format!("{thousandths:03}");
        let decimals = decimals.trim_end_matches('0');
        let point = if decimals.is_empty() { "" } else { "." };
        f.pad(&format!("{}{point}{decimals} {unit}", value / scale))
    }
}

/// `whole.fraction * scale` where that is a whole number and fits.
fn scaled(whole: &str, fraction: &str, scale: u64) -> Option<u64> {
    let mut value = u128::from(whole.parse::<u64>().ok()?) * u128::from(scale);
    let mut place = scale;
    for digit in fraction.trim_end_matches('0').chars() {
        if !place.is_multiple_of(10) {
            return None;
        }
        place /= 10;
        value += u128::from(digit.to_digit(10)?) * u128::from(place);
    }
    u64::try_from(value).ok()
}
