//! Why a call-site table is refused: one sentence for each reason.

use thiserror::Error;

use super::{MAGIC, SECTION, VERSION};
use crate::Isa;

/// Why a table is not valid.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallSitesError {
    /// The program was not made by kettle-cc.
    #[error("the {0} file has no section {SECTION}: it was not built by kettle-cc")]
    NoSection(Isa),
    /// Magic number or version are wrong.
    #[error(
        "the call-site table begins with magic {magic:#x} version {version}; it must be {MAGIC:#x} version {VERSION}"
    )]
    Header {
        /// The magic number found.
        magic: u32,
        /// The version found.
        version: u32,
    },
    /// The length does not fit the number of sites, or is too short for a header.
    #[error("the call-site table has {found} bytes; with {count} sites it must have {expected}")]
    Length {
        /// Bytes given.
        found: u64,
        /// Sites promised by the header.
        count: u64,
        /// Bytes that so many sites take.
        expected: u64,
    },
    /// The reserved word is not zero.
    #[error("the reserved word of the call-site table's header is {0:#x}; it must be 0")]
    Reserved(u32),
    /// A site makes no sense.
    #[error("call site {site} on {isa}: {reason}")]
    Site {
        /// Which one.
        site: u32,
        /// On which ISA.
        isa: Isa,
        /// What is wrong.
        reason: String,
    },
    /// An index is not the sites in ascending order of their return addresses.
    #[error(
        "the {isa} index of the call-site table is not sorted by return address at position {position}"
    )]
    Index {
        /// Which one.
        isa: Isa,
        /// The first wrong entry.
        position: usize,
    },
}
