//! System calls by name and number on both ISAs, and the numbers under which Popcorn's four calls were known over the years.
//!
//! A kernel looks a number up first among Popcorn's calls of the program's era ([`PopcornAbi`]), then here: some eras used numbers
//! that Linux later gave to other calls.

mod popcorn;
mod table;

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

pub use popcorn::{PopcornAbi, PopcornCall, UnknownAbi};
pub use table::Sysno;

use crate::Isa;
use table::ROWS;

/// One more than the largest number in the table.
const NUMBERS: usize = 512;

/// For one ISA: the call of each number.
type Index = [Option<Sysno>; NUMBERS];

const fn index(isa: Isa) -> Index {
    let mut index = [None; NUMBERS];
    let mut row = 0;
    while row < ROWS.len() {
        let number = match isa {
            Isa::X86_64 => ROWS[row].x86_64,
            Isa::Aarch64 => ROWS[row].aarch64,
        };
        if let Some(number) = number {
            assert!(index[number as usize].is_none(), "two calls of one number");
            index[number as usize] = Some(ROWS[row].sysno);
        }
        row += 1;
    }
    index
}

static X86_64: Index = index(Isa::X86_64);
static AARCH64: Index = index(Isa::Aarch64);

impl Sysno {
    /// The call of a number, as the register holds it.
    pub fn from_number(isa: Isa, number: u64) -> Option<Sysno> {
        let index = match isa {
            Isa::X86_64 => &X86_64,
            Isa::Aarch64 => &AARCH64,
        };
        usize::try_from(number)
            .ok()
            .and_then(|number| index.get(number).copied().flatten())
    }

    /// The number of the call; `None` where the ISA lacks it (aarch64 has no `open`, only `openat`).
    pub fn number(self, isa: Isa) -> Option<u64> {
        let row = &ROWS[self as usize];
        match isa {
            Isa::X86_64 => row.x86_64.map(u64::from),
            Isa::Aarch64 => row.aarch64.map(u64::from),
        }
    }

    /// Linux's name, as `clock_gettime`.
    pub fn name(self) -> &'static str {
        ROWS[self as usize].name
    }

    /// All calls, in the order of the x86_64 numbers.
    pub fn all() -> impl Iterator<Item = Sysno> {
        ROWS.iter().map(|row| row.sysno)
    }
}

impl fmt::Display for Sysno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that is no system call of Linux.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown system call '{0}': it must be a name of Linux's, such as 'openat'")]
pub struct UnknownSyscall(pub String);

impl FromStr for Sysno {
    type Err = UnknownSyscall;

    fn from_str(text: &str) -> Result<Sysno, UnknownSyscall> {
        Sysno::all()
            .find(|sysno| sysno.name() == text)
            .ok_or_else(|| UnknownSyscall(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn names_and_numbers_lead_back() {
        for (position, sysno) in Sysno::all().enumerate() {
            assert_eq!(sysno as usize, position, "{sysno}");
            assert_eq!(sysno.name().parse(), Ok(sysno));
            let numbers = Isa::ALL.map(|isa| sysno.number(isa));
            assert_ne!(numbers, [None, None], "{sysno} exists nowhere");
            for isa in Isa::ALL {
                if let Some(number) = sysno.number(isa) {
                    assert_eq!(Sysno::from_number(isa, number), Some(sysno));
                }
            }
        }
        assert_eq!(
            "nosuch".parse::<Sysno>(),
            Err(UnknownSyscall("nosuch".to_owned()))
        );
    }

    #[test]
    fn well_known_numbers() {
        // (call, x86_64, aarch64)
        let cases = [
            (Sysno::Read, Some(0), Some(63)),
            (Sysno::Write, Some(1), Some(64)),
            (Sysno::Open, Some(2), None),
            (Sysno::Openat, Some(257), Some(56)),
            (Sysno::Newfstatat, Some(262), Some(79)),
            (Sysno::Fstat, Some(5), Some(80)),
            (Sysno::Mmap, Some(9), Some(222)),
            (Sysno::Futex, Some(202), Some(98)),
            (Sysno::Clone, Some(56), Some(220)),
            (Sysno::ExitGroup, Some(231), Some(94)),
            (Sysno::ArchPrctl, Some(158), None),
            (Sysno::Statx, Some(332), Some(291)),
            (Sysno::Clone3, Some(435), Some(435)),
        ];
        for (sysno, x86_64, aarch64) in cases {
            assert_eq!(sysno.number(Isa::X86_64), x86_64, "{sysno}");
            assert_eq!(sysno.number(Isa::Aarch64), aarch64, "{sysno}");
        }
    }

    #[test]
    fn numbers_without_a_call() {
        for number in [335, 511, 512, 900, u64::MAX] {
            assert_eq!(Sysno::from_number(Isa::X86_64, number), None, "{number}");
            assert_eq!(
                Sysno::from_number(Isa::Aarch64, if number == 335 { 244 } else { number }),
                None,
                "{number}"
            );
        }
    }

    /// `#define PREFIXname number` lines of a header, as name to number.
    fn defines(path: &str, prefixes: &[&str]) -> Option<BTreeMap<String, u64>> {
        let header = std::fs::read_to_string(path).ok()?;
        let mut found = BTreeMap::new();
        for line in header.lines() {
            let mut words = line.split_whitespace();
            let (Some("#define"), Some(name), Some(number)) =
                (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let Some(name) = prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)) else {
                continue;
            };
            if let Ok(number) = number.parse() {
                found.insert(name.to_owned(), number);
            }
        }
        Some(found)
    }

    #[test]
    fn numbers_are_those_of_the_system_headers() {
        // Names in the generic header that are no calls of a 64-bit kernel, or belong to other architectures.
        let not_ours = |name: &str| {
            name.ends_with("time64")
                || [
                    "syscalls",
                    "arch_specific_syscall",
                    "sync_file_range2",
                    "semtimedop_time64",
                ]
                .contains(&name)
        };
        let headers = [
            (
                Isa::X86_64,
                "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
                &["__NR_"][..],
            ),
            (
                Isa::Aarch64,
                "/usr/include/asm-generic/unistd.h",
                &["__NR_", "__NR3264_"][..],
            ),
        ];
        for (isa, path, prefixes) in headers {
            let Some(defined) = defines(path, prefixes) else {
                continue;
            };
            assert!(
                defined.len() > 250,
                "{path} was there but hardly anything was found in it"
            );
            for (name, number) in defined {
                let only_32_bit = isa == Isa::Aarch64
                    && (not_ours(&name) || (name.ends_with("64") && (403..424).contains(&number)));
                // The generic header calls 79 both fstatat and newfstatat; the latter is what programs use.
                if only_32_bit || name == "fstatat" {
                    continue;
                }
                match name.parse::<Sysno>() {
                    Ok(sysno) => assert_eq!(sysno.number(isa), Some(number), "{name} on {isa}"),
                    Err(_) => assert!(
                        number > 450,
                        "{name} ({number}) of {path} is missing in the table"
                    ),
                }
            }
        }
    }
}
