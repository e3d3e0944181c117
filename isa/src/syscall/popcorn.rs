//! Popcorn's own four system calls, and their numbers in every era of the project.
//!
//! The numbers moved with each kernel and collide with later Linux calls (x86_64 330 to 333 became pkey_alloc, pkey_free, statx and
//! io_pgetevents; 434 to 437 became pidfd_open, clone3, close_range and openat2), so a kernel must know which era a program
//! was built for. Left out: ppc64, the page-ownership hints of one branch, and the three short-lived aarch64 calls of 2016.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::Isa;

/// One of Popcorn's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PopcornCall {
    /// `popcorn_migrate(int nid, void *uregs)`: go on on another node.
    Migrate,
    /// `popcorn_propose_migration(pid_t tid, int nid)`: ask a thread to migrate at its next migration point; tid 0 is the caller.
    ProposeMigration,
    /// `popcorn_get_thread_status(struct popcorn_thread_status *)`: 16 bytes.
    GetThreadStatus,
    /// `popcorn_get_node_info(int *origin_nid, struct popcorn_node_info[32])`: 384 bytes.
    GetNodeInfo,
}

impl PopcornCall {
    /// All four, in the order of their K52 numbers.
    pub const ALL: [PopcornCall; 4] = [
        PopcornCall::Migrate,
        PopcornCall::ProposeMigration,
        PopcornCall::GetThreadStatus,
        PopcornCall::GetNodeInfo,
    ];

    /// The name in the 5.2 kernel's syscall tables.
    pub const fn name(self) -> &'static str {
        match self {
            PopcornCall::Migrate => "popcorn_migrate",
            PopcornCall::ProposeMigration => "popcorn_propose_migration",
            PopcornCall::GetThreadStatus => "popcorn_get_thread_status",
            PopcornCall::GetNodeInfo => "popcorn_get_node_info",
        }
    }
}

impl fmt::Display for PopcornCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The convention for call numbers that a program was built for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PopcornAbi {
    /// Binaries of 2017 for the 3.x kernels: migration only.
    Y2017,
    /// The 4.4 kernel and the libraries of its time.
    K44,
    /// The series sent to the Linux mailing list in April 2020: x86_64 only, without proposals.
    Rfc,
    /// The 5.2 kernel before December 2020, and the toolchain's LLVM 9 line.
    K52Early,
    /// The 5.2 kernel since December 2020.
    #[default]
    K52,
}

impl PopcornAbi {
    /// All conventions, oldest first.
    pub const ALL: [PopcornAbi; 5] = [
        PopcornAbi::Y2017,
        PopcornAbi::K44,
        PopcornAbi::Rfc,
        PopcornAbi::K52Early,
        PopcornAbi::K52,
    ];

    /// The name in command lines and cluster files.
    pub const fn name(self) -> &'static str {
        match self {
            PopcornAbi::Y2017 => "2017",
            PopcornAbi::K44 => "k44",
            PopcornAbi::Rfc => "rfc",
            PopcornAbi::K52Early => "k52-early",
            PopcornAbi::K52 => "k52",
        }
    }

    /// The numbers of migrate, propose, thread status and node info.
    const fn numbers(self, isa: Isa) -> [Option<u16>; 4] {
        match (self, isa) {
            (PopcornAbi::Y2017, Isa::X86_64) => [Some(315), None, None, None],
            (PopcornAbi::Y2017, Isa::Aarch64) => [Some(274), None, None, None],
            (PopcornAbi::K44, Isa::X86_64) => [Some(330), Some(331), Some(332), Some(333)],
            (PopcornAbi::K44, Isa::Aarch64) => [Some(285), Some(286), Some(287), Some(288)],
            (PopcornAbi::Rfc, Isa::X86_64) => [Some(434), None, Some(435), Some(436)],
            (PopcornAbi::Rfc, Isa::Aarch64) => [None; 4],
            (PopcornAbi::K52Early, _) => [Some(434), Some(435), Some(436), Some(437)],
            (PopcornAbi::K52, _) => [Some(900), Some(901), Some(902), Some(903)],
        }
    }

    /// The Popcorn call of a number, as the register holds it; `None` for every other call.
    pub fn lookup(self, number: u64, isa: Isa) -> Option<PopcornCall> {
        let position = self
            .numbers(isa)
            .into_iter()
            .position(|candidate| candidate.is_some_and(|it| u64::from(it) == number));
        position.map(|position| PopcornCall::ALL[position])
    }

    /// The number of a call; `None` where this era or ISA lacks it.
    pub fn number(self, call: PopcornCall, isa: Isa) -> Option<u64> {
        self.numbers(isa)[call as usize].map(u64::from)
    }
}

impl fmt::Display for PopcornAbi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that names no convention.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown Popcorn ABI '{0}': it must be 2017, k44, rfc, k52-early or k52")]
pub struct UnknownAbi(pub String);

impl FromStr for PopcornAbi {
    type Err = UnknownAbi;

    fn from_str(text: &str) -> Result<PopcornAbi, UnknownAbi> {
        PopcornAbi::ALL
            .into_iter()
            .find(|abi| abi.name() == text)
            .ok_or_else(|| UnknownAbi(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PopcornCall::{GetNodeInfo, GetThreadStatus, Migrate, ProposeMigration};

    #[test]
    fn numbers_of_every_era() {
        // (era, ISA, first number probed, what it and the next four are)
        type Case = (PopcornAbi, Isa, u64, [Option<PopcornCall>; 5]);
        let all = [
            Some(Migrate),
            Some(ProposeMigration),
            Some(GetThreadStatus),
            Some(GetNodeInfo),
            None,
        ];
        let rfc = [
            Some(Migrate),
            Some(GetThreadStatus),
            Some(GetNodeInfo),
            None,
            None,
        ];
        let one = [Some(Migrate), None, None, None, None];
        let cases: [Case; 10] = [
            (PopcornAbi::Y2017, Isa::X86_64, 315, one),
            (PopcornAbi::Y2017, Isa::Aarch64, 274, one),
            (PopcornAbi::K44, Isa::X86_64, 330, all),
            (PopcornAbi::K44, Isa::Aarch64, 285, all),
            (PopcornAbi::Rfc, Isa::X86_64, 434, rfc),
            (PopcornAbi::Rfc, Isa::Aarch64, 434, [None; 5]),
            (PopcornAbi::K52Early, Isa::X86_64, 434, all),
            (PopcornAbi::K52Early, Isa::Aarch64, 434, all),
            (PopcornAbi::K52, Isa::X86_64, 900, all),
            (PopcornAbi::K52, Isa::Aarch64, 900, all),
        ];
        for (abi, isa, first, calls) in cases {
            assert_eq!(abi.lookup(first - 1, isa), None);
            for (number, call) in (first..).zip(calls) {
                assert_eq!(abi.lookup(number, isa), call, "{number} of {abi} on {isa}");
                if let Some(call) = call {
                    assert_eq!(abi.number(call, isa), Some(number));
                }
            }
        }
    }

    #[test]
    fn names_lead_back_and_k52_is_the_default() {
        for abi in PopcornAbi::ALL {
            assert_eq!(abi.name().parse(), Ok(abi));
        }
        assert_eq!(PopcornAbi::default(), PopcornAbi::K52);
        assert_eq!(
            "k51".parse::<PopcornAbi>().unwrap_err().to_string(),
            "unknown Popcorn ABI 'k51': it must be 2017, k44, rfc, k52-early or k52"
        );
    }
}
