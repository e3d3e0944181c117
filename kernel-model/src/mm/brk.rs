//! The heap: `brk` of Linux 5.2 (mm/mmap.c). Left out: RLIMIT_DATA and locked memory.

use std::ops::Range;
use std::rc::Rc;

use isa::{PAGE_SIZE, VirtAddr};

use super::{Mm, VmFlags, Vma, detach_vmas};
use crate::costs::Cost;
use crate::kernel::Kernel;

/// Moves the end of the heap; returns where it is afterwards, which is where it was when the wish cannot be granted: brk(2) has no errors.
///
/// Areas only: the pages of the range that is returned are still there, and the caller, who holds `mmap_sem` for writing, lets them go.
pub fn do_brk(
    k: &Rc<Kernel>,
    mm: &Rc<Mm>,
    wanted: VirtAddr,
) -> (VirtAddr, Option<Range<VirtAddr>>) {
    k.charge(Cost::VmaOperation);
    let mut given_back = None;
    if let Some(range) = move_end(k, mm, wanted) {
        let layout = mm.layout.get();
        mm.layout.set(super::MmLayout {
            brk: wanted,
            ..layout
        });
        given_back = Some(range).filter(|range| !range.is_empty());
    }
    (mm.layout.get().brk, given_back)
}

/// Maps or unmaps what is between the old end and the wanted one; returns what is unmapped, or `None` when that cannot be.
fn move_end(k: &Rc<Kernel>, mm: &Rc<Mm>, wanted: VirtAddr) -> Option<Range<VirtAddr>> {
    let layout = mm.layout.get();
    let (new_end, old_end) = (wanted.page_align_up()?, layout.brk.page_align_up()?);
    if wanted < layout.start_brk || new_end > layout.task_size {
        return None;
    }
    if new_end < old_end {
        return detach_vmas(k, mm, new_end, old_end.0 - new_end.0).ok();
    } else if new_end > old_end {
        let mut vmas = mm.vmas.borrow_mut();
        // A page stays free between the heap and its upper neighbour.
        if !vmas
            .overlapping(old_end, new_end.wrapping_add(PAGE_SIZE))
            .is_empty()
        {
            return None;
        }
        vmas.insert(heap_area(old_end, new_end, layout.def_flags));
    }
    Some(new_end..new_end)
}

/// An area of the heap: VM_DATA_DEFAULT_FLAGS, without execution.
fn heap_area(start: VirtAddr, end: VirtAddr, def_flags: VmFlags) -> Vma {
    let may = VmFlags::MAYREAD | VmFlags::MAYWRITE | VmFlags::MAYEXEC;
    let flags = VmFlags::READ | VmFlags::WRITE | may | VmFlags::ACCOUNT | def_flags;
    Vma {
        start,
        end,
        flags,
        pgoff: start.0 / PAGE_SIZE,
        file: None,
    }
}
