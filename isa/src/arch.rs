//! The instruction sets that Kettle emulates, and how each is named by Popcorn, by ELF and by people.
//!
//! Left out: Popcorn's third architecture, ppc64 (arch code 2), and 32-bit modes of any of them.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// An instruction set, with its Linux ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// x86_64 with the System V ABI.
    X86_64,
    /// AArch64 with the AAPCS64, little-endian.
    Aarch64,
}

impl Isa {
    /// All of them, in the order in which reports list them.
    pub const ALL: [Isa; 2] = [Isa::X86_64, Isa::Aarch64];

    /// Popcorn's `enum popcorn_arch` (include/popcorn/bundle.h): the code that NODE_INFO and `popcorn_getnodeinfo` carry.
    pub const fn arch_code(self) -> i32 {
        match self {
            Isa::Aarch64 => 0,
            Isa::X86_64 => 1,
        }
    }

    /// The ISA of a Popcorn arch code; `None` for ppc64 (2), unknown (-1) and anything else.
    pub const fn from_arch_code(code: i32) -> Option<Isa> {
        match code {
            0 => Some(Isa::Aarch64),
            1 => Some(Isa::X86_64),
            _ => None,
        }
    }

    /// The name in command lines, files and reports; also what `uname` gives as the machine.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::X86_64 => "x86_64",
            Isa::Aarch64 => "aarch64",
        }
    }

    /// What Popcorn deployments put after the program's name and an underscore: `prog_x86-64`, `prog_aarch64`.
    pub const fn binary_suffix(self) -> &'static str {
        match self {
            Isa::X86_64 => "x86-64",
            Isa::Aarch64 => "aarch64",
        }
    }

    /// `e_machine` of an ELF file of this ISA (EM_X86_64, EM_AARCH64).
    pub const fn elf_machine(self) -> u16 {
        match self {
            Isa::X86_64 => 62,
            Isa::Aarch64 => 183,
        }
    }

    /// The ISA of an ELF `e_machine`, if it is one of ours.
    pub const fn from_elf_machine(machine: u16) -> Option<Isa> {
        match machine {
            62 => Some(Isa::X86_64),
            183 => Some(Isa::Aarch64),
            _ => None,
        }
    }

    /// Length in bytes of the system call instruction: `syscall` (0f 05), `svc #0`.
    pub const fn syscall_instruction_len(self) -> u64 {
        match self {
            Isa::X86_64 => 2,
            Isa::Aarch64 => 4,
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that names no ISA of Kettle's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown instruction set '{0}': it must be x86_64 or aarch64")]
pub struct UnknownIsa(pub String);

impl FromStr for Isa {
    type Err = UnknownIsa;

    /// Takes the names in common use: `x86_64`, `x86-64`, `amd64`; `aarch64`, `arm64`.
    fn from_str(text: &str) -> Result<Isa, UnknownIsa> {
        match text {
            "x86_64" | "x86-64" | "amd64" => Ok(Isa::X86_64),
            "aarch64" | "arm64" => Ok(Isa::Aarch64),
            other => Err(UnknownIsa(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back() {
        for isa in Isa::ALL {
            assert_eq!(Isa::from_arch_code(isa.arch_code()), Some(isa));
            assert_eq!(Isa::from_elf_machine(isa.elf_machine()), Some(isa));
            assert_eq!(isa.name().parse(), Ok(isa));
            assert_eq!(isa.binary_suffix().parse(), Ok(isa));
            assert_eq!(isa.to_string(), isa.name());
        }
        assert_eq!(Isa::from_arch_code(2), None, "ppc64 is not modelled");
        assert_eq!(Isa::from_arch_code(-1), None);
    }

    #[test]
    fn an_unknown_name_says_what_would_be_right() {
        let error = "riscv64".parse::<Isa>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown instruction set 'riscv64': it must be x86_64 or aarch64"
        );
    }
}
