//! Growing, shrinking and moving a mapping: `mremap` of Linux 5.2 (mm/mremap.c).
//!
//! Works on one node's address space, in steps: what is to be done ([`plan_mremap`]), the areas, the pages. Of a distributed process home
//! has all pages of the range before they move, because owners are known by address; that is the vma_server's.

use std::ops::Range;
use std::rc::Rc;

use bitflags::bitflags;
use isa::{Errno, PAGE_SIZE, VirtAddr};

use super::mmap::{munmap_range, page_align_len, unmapped_area};
use super::{Mm, Vma, detach_vmas};
use crate::kernel::Kernel;

bitflags! {
    /// How mremap(2) may go about it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct MremapFlags: u32 {
        /// It may move.
        const MAYMOVE = 1;
        /// It must move, to the given address.
        const FIXED = 2;
    }
}

/// What mremap(2) asks for.
#[derive(Clone, Copy, Debug)]
pub struct MremapRequest {
    /// Where the mapping is.
    pub old: VirtAddr,
    /// How long it is, in bytes.
    pub old_len: u64,
    /// How long it is to be.
    pub new_len: u64,
    /// How.
    pub flags: MremapFlags,
    /// Where it is to be, with `FIXED`.
    pub new_addr: VirtAddr,
}

/// What has to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remap {
    /// Nothing: it has the length.
    Keep,
    /// Room behind it is free: the area gets longer by this range.
    Grow(Range<VirtAddr>),
    /// This range at its end goes.
    Shrink(Range<VirtAddr>),
    /// It moves from here to there; what is there goes, with `FIXED`.
    Move(Range<VirtAddr>, Range<VirtAddr>),
}

/// Finds out what has to be done, and changes nothing. EINVAL: arguments that make no sense; EFAULT: the range is not one mapping; ENOMEM: no
/// room, or it would have to move and may not.
pub fn plan_mremap(mm: &Mm, request: &MremapRequest) -> Result<Remap, Errno> {
    let (old, flags) = (request.old, request.flags);
    let old_len = page_align_len(request.old_len).ok_or(Errno::EINVAL)?;
    let new_len = page_align_len(request.new_len)
        .filter(|len| *len > 0)
        .ok_or(Errno::EINVAL)?;
    let fixed = flags.contains(MremapFlags::FIXED);
    if !old.is_page_aligned() || (fixed && !flags.contains(MremapFlags::MAYMOVE)) {
        return Err(Errno::EINVAL);
    }
    // A length of 0 asks for a second mapping of shared pages, which there is not.
    let old_end = munmap_range(mm, old, old_len)?;
    if fixed {
        let new = request.new_addr;
        let new_end = munmap_range(mm, new, new_len)?;
        if new < old_end && old < new_end {
            return Err(Errno::EINVAL);
        }
        covering(mm, old, old_end)?;
        return Ok(Remap::Move(old..old_end, new..new_end));
    }
    if new_len <= old_len {
        let end = VirtAddr(old.0 + new_len);
        covering(mm, old, end)?;
        return Ok(if end < old_end {
            Remap::Shrink(end..old_end)
        } else {
            Remap::Keep
        });
    }
    let vma = covering(mm, old, old_end)?;
    if let Some(more) = room_behind(mm, &vma, old_end, new_len - old_len) {
        return Ok(Remap::Grow(more));
    }
    if !flags.contains(MremapFlags::MAYMOVE) {
        return Err(Errno::ENOMEM);
    }
    let new = unmapped_area(mm, new_len).ok_or(Errno::ENOMEM)?;
    Ok(Remap::Move(old..old_end, new..VirtAddr(new.0 + new_len)))
}

/// Makes the area that ends where `more` begins longer.
pub fn grow_vma(mm: &Mm, more: &Range<VirtAddr>) {
    let mut vmas = mm.vmas.borrow_mut();
    let before = vmas.covering(VirtAddr(more.start.0 - 1)).cloned();
    if let Some(vma) = before {
        let pgoff = vma.pgoff + (more.start.0 - vma.start.0) / PAGE_SIZE;
        vmas.insert(Vma {
            start: more.start,
            end: more.end,
            pgoff,
            ..vma
        });
    }
}

/// `move_vma`, the areas: that of `old` is at `new` afterwards, in the place of what was there; the pages have not moved yet. ENOMEM: too many
/// areas; nothing has changed then but that the new place is free.
pub fn move_vma(
    k: &Rc<Kernel>,
    mm: &Rc<Mm>,
    old: &Range<VirtAddr>,
    new: &Range<VirtAddr>,
) -> Result<(), Errno> {
    let part = covering(mm, old.start, old.end)?.clip(old.start, old.end);
    let pgoff = if part.is_anonymous() {
        new.start.0 / PAGE_SIZE
    } else {
        part.pgoff
    };
    detach_vmas(k, mm, old.start, old.end.0 - old.start.0)?;
    mm.vmas.borrow_mut().insert(Vma {
        start: new.start,
        end: new.end,
        pgoff,
        ..part
    });
    Ok(())
}

/// `move_page_tables`: the frames of `old` get the addresses from `new` on, as far as there are as many.
pub fn move_page_tables(k: &Rc<Kernel>, mm: &Rc<Mm>, old: &Range<VirtAddr>, new: &Range<VirtAddr>) {
    let len = (old.end.0 - old.start.0).min(new.end.0 - new.start.0);
    let mut table = mm.page_table.borrow_mut();
    for (addr, pte) in table.range(old.start, VirtAddr(old.start.0 + len)) {
        table.take(addr);
        table.set(VirtAddr(addr.0 - old.start.0 + new.start.0), pte);
    }
    table.prune(old.start, old.end);
    drop(table);
    k.flush_tlb();
}

/// The one area that holds all of `start..end`.
fn covering(mm: &Mm, start: VirtAddr, end: VirtAddr) -> Result<Vma, Errno> {
    mm.vmas
        .borrow()
        .covering(start)
        .filter(|vma| end <= vma.end)
        .cloned()
        .ok_or(Errno::EFAULT)
}

/// The range right behind an area, if it ends at `old_end` and nothing is there.
fn room_behind(mm: &Mm, vma: &Vma, old_end: VirtAddr, by: u64) -> Option<Range<VirtAddr>> {
    let limit = mm.layout.get().task_size;
    let new_end = old_end.checked_add(by).filter(|end| *end <= limit)?;
    let free = !mm.vmas.borrow().overlaps(old_end, new_end);
    (vma.end == old_end && free).then_some(old_end..new_end)
}
