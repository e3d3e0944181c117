//! Mapping and unmapping: `do_mmap` and `do_munmap` of Linux 5.2 (mm/mmap.c), and where a mapping goes when the caller does not say.
//!
//! These work on one node's address space only; what other nodes of a distributed process must learn is the vma_server's. The caller holds
//! `mmap_sem` for writing. Left out: huge pages, MAP_LOCKED and MAP_POPULATE (pages come by fault), overcommit accounting, address
//! randomisation, MAP_32BIT and MAP_GROWSDOWN placement rules. Shared anonymous memory is the process' own memory: there is no fork.

use std::ops::Range;
use std::rc::Rc;

use isa::layout::{MapFlags, Prot};
use isa::{Errno, PAGE_SIZE, VirtAddr};

use super::{Mm, VmFlags, Vma, VmaFile, zap_page_range};
use crate::costs::Cost;
use crate::kernel::Kernel;

/// First address that user space cannot have: x86_64's with four-level page tables, on every ISA, so that threads can move.
pub const TASK_SIZE: VirtAddr = VirtAddr(0x7fff_ffff_f000);
/// Most areas of one address space (`vm.max_map_count`).
pub const MAX_MAP_COUNT: usize = 65_530;

/// Mappings without a wish go below this: a gap for the stack (Linux's MIN_GAP of 128 MiB) and its guard (256 pages) is kept.
const MMAP_BASE: VirtAddr = VirtAddr(TASK_SIZE.0 - (128 << 20) - 256 * PAGE_SIZE);
/// `vm.mmap_min_addr`: nothing is placed below, so that NULL stays unmapped.
const MMAP_MIN_ADDR: VirtAddr = VirtAddr(0x1_0000);

/// A mapping as mmap(2) asks for it.
#[derive(Clone)]
pub struct MmapRequest {
    /// Where: a wish, or an order with `FIXED`.
    pub addr: VirtAddr,
    /// How much, in bytes; rounded up to pages.
    pub len: u64,
    /// What may be done with it.
    pub prot: Prot,
    /// `SHARED` or `PRIVATE`, and how it is placed.
    pub flags: MapFlags,
    /// What is mapped; `None` is zeroed memory.
    pub file: Option<VmaFile>,
    /// Where in the file, in pages.
    pub pgoff: u64,
    /// A shared mapping of the file may be written to.
    pub may_write: bool,
}

impl MmapRequest {
    /// Zeroed private memory at `addr`.
    pub fn anonymous_at(addr: VirtAddr, len: u64, prot: Prot) -> Self {
        let flags = MapFlags::PRIVATE | MapFlags::ANONYMOUS | MapFlags::FIXED;
        Self {
            addr,
            len,
            prot,
            flags,
            file: None,
            pgoff: 0,
            may_write: false,
        }
    }
}

/// Maps, and returns the address. EINVAL: length 0, no kind of sharing or two, a stack of a file or shared, unaligned fixed address. ENOMEM: does not fit. EEXIST: `FIXED_NOREPLACE`
/// and something is there. EOVERFLOW: beyond the largest file. EACCES: writing to a shared file that is not open for it.
pub fn do_mmap(k: &Rc<Kernel>, mm: &Rc<Mm>, request: &MmapRequest) -> Result<VirtAddr, Errno> {
    let (start, replaced) = map_area(k, mm, request)?;
    if let Some(range) = replaced {
        zap_page_range(k, mm, range.start, range.end);
    }
    Ok(start)
}

/// The first half of [`do_mmap`]: the areas change. Returns the address, and the range of areas that the new one replaces: their pages are
/// still there, and the caller sees to it that they go before anybody else gets `mmap_sem`.
pub fn map_area(
    k: &Rc<Kernel>,
    mm: &Rc<Mm>,
    request: &MmapRequest,
) -> Result<(VirtAddr, Option<Range<VirtAddr>>), Errno> {
    k.charge(Cost::VmaOperation);
    if request.len == 0 {
        return Err(Errno::EINVAL);
    }
    let len = page_align_len(request.len).ok_or(Errno::ENOMEM)?;
    let pages = len / PAGE_SIZE;
    if request
        .pgoff
        .checked_add(pages)
        .is_none_or(|end| end > u64::MAX >> 12)
    {
        return Err(Errno::EOVERFLOW);
    }
    if mm.vmas.borrow().len() > MAX_MAP_COUNT {
        return Err(Errno::ENOMEM);
    }
    let start = place(mm, request, len)?;
    let area = area_of(mm, request, start)?;
    let taken = mm.vmas.borrow().overlaps(area.start, area.end);
    let replaced = if taken {
        Some(detach_vmas(k, mm, start, len)?)
    } else {
        None
    };
    mm.vmas.borrow_mut().insert(area);
    Ok((start, replaced))
}

/// The area that a request describes, placed at `start`. EINVAL and EACCES as [`do_mmap`]; ENOMEM beyond user space.
pub fn area_of(mm: &Mm, request: &MmapRequest, start: VirtAddr) -> Result<Vma, Errno> {
    let len = page_align_len(request.len).ok_or(Errno::ENOMEM)?;
    let end = start
        .checked_add(len)
        .filter(|end| *end <= mm.layout.get().task_size)
        .ok_or(Errno::ENOMEM)?;
    let flags = request.flags;
    let shared = flags.contains(MapFlags::SHARED);
    let kinds = flags & (MapFlags::SHARED | MapFlags::PRIVATE);
    // Both is MAP_SHARED_VALIDATE, which is for files.
    let both = kinds == MapFlags::SHARED | MapFlags::PRIVATE;
    let no_kind = kinds.is_empty() || (both && flags.contains(MapFlags::ANONYMOUS));
    // A stack is private and no file's.
    if no_kind || (flags.contains(MapFlags::GROWSDOWN) && (shared || request.file.is_some())) {
        return Err(Errno::EINVAL);
    }
    let writes = request.prot.contains(Prot::WRITE);
    if shared && request.file.is_some() && writes && !request.may_write {
        return Err(Errno::EACCES);
    }
    let pgoff = if request.file.is_some() {
        request.pgoff
    } else {
        start.0 / PAGE_SIZE
    };
    let area = Vma {
        start,
        end,
        flags: VmFlags::empty(),
        pgoff,
        file: request.file.clone(),
    };
    Ok(area.with_flags(vm_flags(mm, request)))
}

/// Unmaps whatever is in `start..start + len`. EINVAL: unaligned, empty or beyond user space. ENOMEM: too many areas.
pub fn do_munmap(k: &Rc<Kernel>, mm: &Rc<Mm>, start: VirtAddr, len: u64) -> Result<(), Errno> {
    let range = detach_vmas(k, mm, start, len)?;
    zap_page_range(k, mm, range.start, range.end);
    Ok(())
}

/// `detach_vmas_to_be_unmapped`, the first half of [`do_munmap`]: the areas go, their pages are still there. Returns the range.
pub fn detach_vmas(
    k: &Rc<Kernel>,
    mm: &Rc<Mm>,
    start: VirtAddr,
    len: u64,
) -> Result<Range<VirtAddr>, Errno> {
    k.charge(Cost::VmaOperation);
    let end = munmap_range(mm, start, len)?;
    let mut vmas = mm.vmas.borrow_mut();
    let splits = vmas
        .covering(start)
        .is_some_and(|vma| vma.start < start && vma.end > end);
    if splits && vmas.len() >= MAX_MAP_COUNT {
        return Err(Errno::ENOMEM);
    }
    vmas.remove(start, end);
    Ok(start..end)
}

/// The end of a range that munmap(2) accepts. EINVAL: unaligned, empty or beyond user space.
pub fn munmap_range(mm: &Mm, start: VirtAddr, len: u64) -> Result<VirtAddr, Errno> {
    let limit = mm.layout.get().task_size;
    let len = page_align_len(len)
        .filter(|len| *len > 0)
        .ok_or(Errno::EINVAL)?;
    let end = start
        .checked_add(len)
        .filter(|end| *end <= limit)
        .ok_or(Errno::EINVAL)?;
    if start.is_page_aligned() {
        Ok(end)
    } else {
        Err(Errno::EINVAL)
    }
}

/// A length rounded up to whole pages; `None` past 2^64.
pub fn page_align_len(len: u64) -> Option<u64> {
    VirtAddr(len).page_align_up().map(|end| end.0)
}

/// `get_unmapped_area`: where the request goes.
fn place(mm: &Mm, request: &MmapRequest, len: u64) -> Result<VirtAddr, Errno> {
    let limit = mm.layout.get().task_size;
    if len > limit.0 {
        return Err(Errno::ENOMEM);
    }
    let noreplace = request.flags.contains(MapFlags::FIXED_NOREPLACE);
    if noreplace || request.flags.contains(MapFlags::FIXED) {
        if request.addr.0 > limit.0 - len {
            return Err(Errno::ENOMEM);
        }
        if !request.addr.is_page_aligned() {
            return Err(Errno::EINVAL);
        }
        let end = VirtAddr(request.addr.0 + len);
        if noreplace && mm.vmas.borrow().overlaps(request.addr, end) {
            return Err(Errno::EEXIST);
        }
        return Ok(request.addr);
    }
    let hint = request
        .addr
        .page_align_up()
        .filter(|hint| hint.0 > 0)
        .map(|hint| hint.max(MMAP_MIN_ADDR));
    if let Some(hint) = hint
        && let Some(end) = hint.checked_add(len).filter(|end| *end <= limit)
        && !mm.vmas.borrow().overlaps(hint, end)
    {
        return Ok(hint);
    }
    unmapped_area(mm, len).ok_or(Errno::ENOMEM)
}

/// Where `len` bytes (whole pages) fit: as high as possible below the mmap base, else anywhere above it.
pub fn unmapped_area(mm: &Mm, len: u64) -> Option<VirtAddr> {
    let vmas = mm.vmas.borrow();
    let limit = mm.layout.get().task_size;
    let base = MMAP_BASE.min(limit);
    vmas.highest_gap(len, MMAP_MIN_ADDR, base)
        .or_else(|| vmas.lowest_gap(len, base, limit))
}

/// The area flags of a protection.
pub fn vm_prot(prot: Prot) -> VmFlags {
    [
        (Prot::READ, VmFlags::READ),
        (Prot::WRITE, VmFlags::WRITE),
        (Prot::EXEC, VmFlags::EXEC),
    ]
    .into_iter()
    .filter(|(from, _)| prot.contains(*from))
    .fold(VmFlags::empty(), |flags, (_, to)| flags | to)
}

/// `calc_vm_prot_bits`, `calc_vm_flag_bits` and what mmap adds.
fn vm_flags(mm: &Mm, request: &MmapRequest) -> VmFlags {
    let mut flags = vm_prot(request.prot)
        | mm.layout.get().def_flags
        | VmFlags::MAYREAD
        | VmFlags::MAYWRITE
        | VmFlags::MAYEXEC;
    if request.flags.contains(MapFlags::SHARED) {
        flags |= VmFlags::SHARED | VmFlags::MAYSHARE;
        if request.file.is_some() && !request.may_write {
            // The file is open for reading only.
            flags -= VmFlags::MAYWRITE | VmFlags::SHARED;
        }
    }
    let rows = [
        (MapFlags::GROWSDOWN, VmFlags::GROWSDOWN),
        (MapFlags::DENYWRITE, VmFlags::DENYWRITE),
        (MapFlags::NORESERVE, VmFlags::NORESERVE),
    ];
    rows.into_iter()
        .filter(|(from, _)| request.flags.contains(*from))
        .fold(flags, |flags, (_, to)| flags | to)
}
