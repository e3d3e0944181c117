//! Why a file is refused: one sentence for each reason.

use thiserror::Error;

use crate::VirtAddr;

/// Why bytes are not a static executable that can be started.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ElfError {
    /// The magic number is missing, or the header is cut off.
    #[error("this is not an ELF file: it must begin with 7f 45 4c 46 and a whole header")]
    NotElf,
    /// ELFCLASS32.
    #[error("this is a 32-bit ELF file; only 64-bit programs can run")]
    Not64Bit,
    /// ELFDATA2MSB or nonsense.
    #[error("this ELF file is not little-endian; only little-endian programs can run")]
    NotLittleEndian,
    /// Another EI_VERSION or e_version.
    #[error("this ELF file has version {0}; only version 1 exists")]
    Version(u32),
    /// e_machine is neither of ours.
    #[error("this ELF file is for machine {0}; only x86_64 (62) and aarch64 (183) can run")]
    Machine(u16),
    /// PT_INTERP is there.
    #[error(
        "this is a dynamic executable (it asks for {0}); these are not supported yet: link it with -static"
    )]
    Dynamic(String),
    /// ET_DYN without an interpreter.
    #[error(
        "this is a position-independent file; only executables at fixed addresses can run: link it with -static -no-pie"
    )]
    PositionIndependent,
    /// ET_REL, ET_CORE, ....
    #[error("this ELF file is {0}, not an executable")]
    NotExecutable(&'static str),
    /// Something in the file's tables is cut off or contradictory.
    #[error("the ELF file is damaged: {what} ({reason})")]
    Damaged {
        /// Which table.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// No PT_LOAD.
    #[error("the ELF file has no loadable segment")]
    NoSegments,
    /// A segment's part of the file is not in the file.
    #[error(
        "the segment at {address} lies outside the file: it ends at byte {end}, the file at {file}"
    )]
    OutsideFile {
        /// Start of the segment.
        address: VirtAddr,
        /// The file offset where it would end.
        end: u64,
        /// Bytes in the file.
        file: u64,
    },
    /// Address or offset plus size does not fit.
    #[error("the segment at {0} is so large that its end overflows")]
    Overflow(VirtAddr),
    /// More bytes in the file than in memory.
    #[error("the segment at {0} is larger in the file than in memory")]
    FileLargerThanMemory(VirtAddr),
    /// Address and file offset differ modulo the page size.
    #[error(
        "the segment at {0} cannot be mapped: its address and its file offset differ in the low 12 bits"
    )]
    Misaligned(VirtAddr),
    /// p_align is no power of two.
    #[error("the segment at {address} has alignment {align}, which is no power of two")]
    BadAlignment {
        /// Start of the segment.
        address: VirtAddr,
        /// Its p_align.
        align: u64,
    },
    /// Two segments share a page.
    #[error("the segments at {first} and {second} overlap: each needs pages of its own")]
    Overlap {
        /// Start of the lower one.
        first: VirtAddr,
        /// Start of the higher one.
        second: VirtAddr,
    },
    /// Below the lowest or above the highest address of user programs.
    #[error("the segment at {address} is not in user memory, which reaches from {low} to {high}")]
    OutsideUserMemory {
        /// Start of the segment.
        address: VirtAddr,
        /// Lowest usable address.
        low: VirtAddr,
        /// First address after user memory.
        high: VirtAddr,
    },
    /// e_entry is in no executable segment.
    #[error("the entry point {0} is not in an executable segment")]
    Entry(VirtAddr),
    /// A count or size that no sane file has.
    #[error("the ELF file has {count} {what}; at most {limit} are accepted")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: u64,
        /// How many would be accepted.
        limit: u64,
    },
}
