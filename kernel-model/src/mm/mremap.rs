//! Growing, shrinking and moving a mapping: `mremap` of Linux 5.2 (mm/mremap.c).
//!
//! Works on one node's address space. A distributed process cannot move a mapping: the owners of its pages are known by address.

use std::rc::Rc;

use bitflags::bitflags;
use isa::{Errno, PAGE_SIZE, VirtAddr};

use super::mmap::{munmap_range, page_align_len, unmapped_area};
use super::{Mm, Vma, do_munmap};
use crate::costs::Cost;
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

/// Gives the mapping at `old` another length; returns where it is. EINVAL: arguments that make no sense; EFAULT: the range is not one mapping;
/// ENOMEM: no room, or it would have to move and may not. The caller holds `mmap_sem` for writing.
pub fn do_mremap(
    k: &Rc<Kernel>,
    mm: &Rc<Mm>,
    old: VirtAddr,
    old_len: u64,
    new_len: u64,
    flags: MremapFlags,
    new_addr: VirtAddr,
) -> Result<VirtAddr, Errno> {
    k.charge(Cost::VmaOperation);
    let old_len = page_align_len(old_len).ok_or(Errno::EINVAL)?;
    let new_len = page_align_len(new_len)
        .filter(|len| *len > 0)
        .ok_or(Errno::EINVAL)?;
    let fixed = flags.contains(MremapFlags::FIXED);
    if !old.is_page_aligned() || (fixed && !flags.contains(MremapFlags::MAYMOVE)) {
        return Err(Errno::EINVAL);
    }
    // A length of 0 asks for a second mapping of shared pages, which there is not.
    let old_end = munmap_range(mm, old, old_len)?;
    if fixed {
        let new_end = munmap_range(mm, new_addr, new_len)?;
        if new_addr < old_end && old < new_end {
            return Err(Errno::EINVAL);
        }
        check_movable(mm)?;
        covering(mm, old, old_end)?;
        do_munmap(k, mm, new_addr, new_len)?;
        return relocate(k, mm, old, old_len, new_addr, new_len);
    }
    if new_len <= old_len {
        covering(mm, old, VirtAddr(old.0 + new_len))?;
        if new_len < old_len {
            do_munmap(k, mm, VirtAddr(old.0 + new_len), old_len - new_len)?;
        }
        return Ok(old);
    }
    let vma = covering(mm, old, old_end)?;
    if grow_in_place(mm, &vma, old_end, new_len - old_len) {
        return Ok(old);
    }
    if !flags.contains(MremapFlags::MAYMOVE) {
        return Err(Errno::ENOMEM);
    }
    check_movable(mm)?;
    let target = unmapped_area(mm, new_len).ok_or(Errno::ENOMEM)?;
    relocate(k, mm, old, old_len, target, new_len)
}

fn check_movable(mm: &Mm) -> Result<(), Errno> {
    if mm.is_distributed() {
        Err(Errno::ENOMEM)
    } else {
        Ok(())
    }
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

fn grow_in_place(mm: &Mm, vma: &Vma, old_end: VirtAddr, by: u64) -> bool {
    let Some(new_end) = old_end
        .checked_add(by)
        .filter(|end| *end <= mm.layout.get().task_size)
    else {
        return false;
    };
    let mut vmas = mm.vmas.borrow_mut();
    if vma.end != old_end || !vmas.overlapping(old_end, new_end).is_empty() {
        return false;
    }
    let pgoff = vma.pgoff + (old_end.0 - vma.start.0) / PAGE_SIZE;
    vmas.insert(Vma {
        start: old_end,
        end: new_end,
        pgoff,
        ..vma.clone()
    });
    true
}

/// `move_vma`: the area and its frames get a new address; what lay there is gone already.
fn relocate(
    k: &Rc<Kernel>,
    mm: &Rc<Mm>,
    old: VirtAddr,
    old_len: u64,
    new: VirtAddr,
    new_len: u64,
) -> Result<VirtAddr, Errno> {
    let old_end = VirtAddr(old.0 + old_len);
    let part = covering(mm, old, old_end)?.clip(old, old_end);
    let pgoff = if part.is_anonymous() {
        new.0 / PAGE_SIZE
    } else {
        part.pgoff
    };
    let moved = Vma {
        start: new,
        end: VirtAddr(new.0 + new_len),
        pgoff,
        ..part
    };
    let kept = VirtAddr(old.0 + old_len.min(new_len));
    let mut table = mm.page_table.borrow_mut();
    for (addr, pte) in table.range(old, kept) {
        table.take(addr);
        table.set(VirtAddr(addr.0 - old.0 + new.0), pte);
    }
    drop(table);
    mm.vmas.borrow_mut().insert(moved);
    k.flush_tlb();
    do_munmap(k, mm, old, old_len)?;
    Ok(new)
}
