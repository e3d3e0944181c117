//! Changing what may be done with mapped memory: `do_mprotect_pkey` of Linux 5.2 (mm/mprotect.c). Left out: protection keys.

use std::ops::Range;
use std::rc::Rc;

use isa::layout::Prot;
use isa::{Errno, VirtAddr};

use super::mmap::{MAX_MAP_COUNT, page_align_len, vm_prot};
use super::{Mm, Pte, VmFlags, Vma};
use crate::costs::Cost;
use crate::kernel::Kernel;

/// Gives `start..start + len` the protection. EINVAL: unaligned, or both growing bits; ENOMEM: part of it is not mapped (what lies before has
/// been changed then, as in Linux); EACCES: a mapping that can never have this protection. The caller holds `mmap_sem` for writing.
pub fn do_mprotect(
    k: &Rc<Kernel>,
    mm: &Rc<Mm>,
    start: VirtAddr,
    len: u64,
    prot: Prot,
) -> Result<(), Errno> {
    mprotect_range(k, mm, start, len, prot).1
}

/// As [`do_mprotect`], and says which range has the protection now: the call may have failed half-way.
pub fn mprotect_range(
    k: &Rc<Kernel>,
    mm: &Rc<Mm>,
    start: VirtAddr,
    len: u64,
    prot: Prot,
) -> (Range<VirtAddr>, Result<(), Errno>) {
    k.charge(Cost::VmaOperation);
    let mut changed = start..start;
    let result = protect(k, mm, &mut changed, len, prot);
    (changed, result)
}

fn protect(
    k: &Rc<Kernel>,
    mm: &Rc<Mm>,
    changed: &mut Range<VirtAddr>,
    len: u64,
    prot: Prot,
) -> Result<(), Errno> {
    let start = changed.start;
    if prot.contains(Prot::GROWSDOWN | Prot::GROWSUP) || !start.is_page_aligned() {
        return Err(Errno::EINVAL);
    }
    if len == 0 {
        return Ok(());
    }
    let len = page_align_len(len).ok_or(Errno::ENOMEM)?;
    let end = start.checked_add(len).ok_or(Errno::ENOMEM)?;
    let (start, hit) = range_of(mm, start, end, prot)?;
    *changed = start..start;
    for vma in hit {
        if vma.start > changed.end {
            return Err(Errno::ENOMEM);
        }
        change(k, mm, &vma.clip(start, end), vm_prot(prot))?;
        changed.end = vma.end.min(end);
    }
    if changed.end < end {
        Err(Errno::ENOMEM)
    } else {
        Ok(())
    }
}

/// The areas concerned, and where the change begins: PROT_GROWSDOWN extends it to the start of a stack.
fn range_of(
    mm: &Mm,
    start: VirtAddr,
    end: VirtAddr,
    prot: Prot,
) -> Result<(VirtAddr, Vec<Vma>), Errno> {
    let vmas = mm.vmas.borrow();
    let first = vmas.find(start).ok_or(Errno::ENOMEM)?;
    if prot.contains(Prot::GROWSDOWN) {
        if first.start >= end {
            return Err(Errno::ENOMEM);
        }
        if !first.flags.contains(VmFlags::GROWSDOWN) {
            return Err(Errno::EINVAL);
        }
        return Ok((first.start, vmas.overlapping(first.start, end)));
    }
    if prot.contains(Prot::GROWSUP) {
        return Err(Errno::EINVAL);
    }
    Ok((start, vmas.overlapping(start, end)))
}

/// `mprotect_fixup` for one area, or the part of it that is concerned.
fn change(k: &Rc<Kernel>, mm: &Mm, part: &Vma, wanted: VmFlags) -> Result<(), Errno> {
    let rwx = VmFlags::READ | VmFlags::WRITE | VmFlags::EXEC;
    let may = VmFlags::from_bits_truncate(part.flags.bits() >> 4) & rwx;
    if !may.contains(wanted) {
        return Err(Errno::EACCES);
    }
    let changed = part.with_flags((part.flags - rwx) | wanted);
    let flags = changed.flags;
    if flags == part.flags {
        return Ok(());
    }
    let mut vmas = mm.vmas.borrow_mut();
    let whole = vmas
        .covering(part.start)
        .is_some_and(|vma| (vma.start, vma.end) == (part.start, part.end));
    if !whole && vmas.len() >= MAX_MAP_COUNT {
        return Err(Errno::ENOMEM);
    }
    vmas.remove(part.start, part.end);
    vmas.insert(changed);
    drop(vmas);
    let mut withdrawn = false;
    let mut table = mm.page_table.borrow_mut();
    for (addr, old) in table.range(part.start, part.end) {
        let new = restrict(old, flags);
        withdrawn |= old.present
            && ((old.read && !new.read) || (old.write && !new.write) || (old.exec && !new.exec));
        if new.exec {
            k.mark_code_frame(new.pfn);
        }
        table.set(addr, new);
    }
    drop(table);
    if withdrawn {
        k.flush_tlb();
    }
    Ok(())
}

/// An entry under new flags. Writing is only ever taken away here: it comes back by fault, so that copies and owners are seen to.
fn restrict(old: Pte, flags: VmFlags) -> Pte {
    Pte {
        read: flags.intersects(VmFlags::READ | VmFlags::WRITE | VmFlags::EXEC),
        write: old.write && flags.contains(VmFlags::WRITE),
        exec: flags.contains(VmFlags::EXEC),
        ..old
    }
}
