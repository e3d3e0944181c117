//! Loadable segments and the TLS template, with the checks that make them safe to map.
//!
//! As in Linux 5.2, where each PT_LOAD is mapped with MAP_FIXED_NOREPLACE, two segments may not share a page. User memory ends at 47 bits on both
//! ISAs, because a migrating program has one address space for both.

use std::ops::Range;

use object::LittleEndian;
use object::elf::{PF_R, PF_W, PF_X, ProgramHeader64};
use object::read::elf::ProgramHeader as _;

use super::ElfError;
use crate::{PAGE_SIZE, VirtAddr};

/// Lowest address of a segment: vm.mmap_min_addr's usual value.
const USER_LOW: VirtAddr = VirtAddr(0x1_0000);

/// First address after user memory: TASK_SIZE_MAX of x86_64.
const USER_HIGH: VirtAddr = VirtAddr(0x7fff_ffff_f000);

/// Most program headers of a file that is accepted; Linux stops at 64 KiB of them, some 1,170.
pub(super) const MAX_HEADERS: u64 = 1024;

/// A loadable segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its start, not always at a page boundary.
    pub address: VirtAddr,
    /// Bytes in memory. What the file does not fill is zero.
    pub memory_size: u64,
    /// Its bytes in the file, inside it and congruent to `address` modulo the page size.
    pub file: Range<usize>,
    /// May be read.
    pub read: bool,
    /// May be written.
    pub write: bool,
    /// May be executed.
    pub execute: bool,
    /// Alignment in bytes that the linker assumed, a power of two.
    pub align: u64,
}

impl Segment {
    /// The first address after it.
    pub fn end(&self) -> VirtAddr {
        VirtAddr(self.address.0 + self.memory_size)
    }

    /// Whether an address falls into its memory.
    pub fn contains(&self, address: VirtAddr) -> bool {
        self.address <= address && address < self.end()
    }

    fn pages(&self) -> Range<u64> {
        self.address.page_number()..self.end().0.div_ceil(PAGE_SIZE)
    }
}

/// The template from which each thread's static thread-local storage is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSegment {
    /// Address of the initial contents.
    pub address: VirtAddr,
    /// Bytes for each thread.
    pub memory_size: u64,
    /// The initial contents in the file; the rest is zero.
    pub file: Range<usize>,
    /// Alignment in bytes, a power of two.
    pub align: u64,
}

/// Reads one PT_LOAD; `None` when it is empty.
pub(super) fn load(
    header: &ProgramHeader64<LittleEndian>,
    file_len: usize,
) -> Result<Option<Segment>, ElfError> {
    let extent = Extent::of(header, file_len)?;
    let address = extent.address;
    if extent.memory_size == 0 {
        return Ok(None);
    }
    let end = address
        .checked_add(extent.memory_size)
        .ok_or(ElfError::Overflow(address))?;
    if address < USER_LOW || end > USER_HIGH {
        return Err(ElfError::OutsideUserMemory {
            address,
            low: USER_LOW,
            high: USER_HIGH,
        });
    }
    if address.page_offset() != header.p_offset(LittleEndian) % PAGE_SIZE {
        return Err(ElfError::Misaligned(address));
    }
    let flags = header.p_flags(LittleEndian).0;
    Ok(Some(Segment {
        address,
        memory_size: extent.memory_size,
        file: extent.file,
        read: flags & PF_R.0 != 0,
        write: flags & PF_W.0 != 0,
        execute: flags & PF_X.0 != 0,
        align: extent.align,
    }))
}

/// Reads a PT_TLS; its template must lie in one of the segments.
pub(super) fn tls(
    header: &ProgramHeader64<LittleEndian>,
    file_len: usize,
    segments: &[Segment],
) -> Result<TlsSegment, ElfError> {
    let Extent {
        address,
        memory_size,
        file,
        align,
    } = Extent::of(header, file_len)?;
    let template_end = address
        .checked_add(file.len() as u64)
        .ok_or(ElfError::Overflow(address))?;
    let inside = |segment: &Segment| segment.contains(address) && template_end <= segment.end();
    if !file.is_empty() && !segments.iter().any(inside) {
        return Err(ElfError::Damaged {
            what: "the TLS segment",
            reason: format!("its contents at {address} are in no loadable segment"),
        });
    }
    if memory_size > USER_HIGH.0 {
        return Err(ElfError::Overflow(address));
    }
    Ok(TlsSegment {
        address,
        memory_size,
        file,
        align,
    })
}

/// What is common to all segments.
struct Extent {
    address: VirtAddr,
    memory_size: u64,
    file: Range<usize>,
    align: u64,
}

impl Extent {
    fn of(header: &ProgramHeader64<LittleEndian>, file_len: usize) -> Result<Extent, ElfError> {
        let address = VirtAddr(header.p_vaddr(LittleEndian));
        let memory_size = header.p_memsz(LittleEndian);
        let (offset, file_size) = header.file_range(LittleEndian);
        let align = header.p_align(LittleEndian).max(1);
        if !align.is_power_of_two() {
            return Err(ElfError::BadAlignment { address, align });
        }
        if file_size > memory_size {
            return Err(ElfError::FileLargerThanMemory(address));
        }
        let end = offset
            .checked_add(file_size)
            .ok_or(ElfError::Overflow(address))?;
        let file = file_range(offset, end, file_len).ok_or(ElfError::OutsideFile {
            address,
            end,
            file: file_len as u64,
        })?;
        Ok(Extent {
            address,
            memory_size,
            file,
            align,
        })
    }
}

/// A range of the file, if it is in it. An empty range is moved to the start, so that it can always be used as an index.
pub(super) fn file_range(start: u64, end: u64, file_len: usize) -> Option<Range<usize>> {
    if start == end {
        return Some(0..0);
    }
    let (start, end) = (usize::try_from(start).ok()?, usize::try_from(end).ok()?);
    (start < end && end <= file_len).then_some(start..end)
}

/// Sorts segments and refuses those that share a page.
pub(super) fn sort_apart(segments: &mut [Segment]) -> Result<(), ElfError> {
    segments.sort_by_key(|segment| segment.address);
    for pair in segments.windows(2) {
        if pair[1].pages().start < pair[0].pages().end {
            return Err(ElfError::Overlap {
                first: pair[0].address,
                second: pair[1].address,
            });
        }
    }
    Ok(())
}
