//! The heap: `brk` of Linux 5.2 (mm/mmap.c). Left out: RLIMIT_DATA and locked memory.

use std::rc::Rc;

use isa::{PAGE_SIZE, VirtAddr};

use super::{Mm, VmFlags, Vma, do_munmap};
use crate::costs::Cost;
use crate::kernel::Kernel;

/// Moves the end of the heap; returns where it is afterwards, which is where it was when the wish cannot be granted. The caller holds
/// `mmap_sem` for writing.
pub fn do_brk(k: &Rc<Kernel>, mm: &Rc<Mm>, wanted: VirtAddr) -> VirtAddr {
    k.charge(Cost::VmaOperation);
    let mut layout = mm.layout.get();
    let old = layout.brk;
    let (Some(new_end), Some(old_end)) = (wanted.page_align_up(), old.page_align_up()) else { return old };
    if wanted < layout.start_brk || new_end > layout.task_size {
        return old;
    }
    if new_end < old_end {
        if do_munmap(k, mm, new_end, old_end.0 - new_end.0).is_err() {
            return old;
        }
    } else if new_end > old_end {
        let mut vmas = mm.vmas.borrow_mut();
        // A page stays free between the heap and its upper neighbour.
        if !vmas.overlapping(old_end, new_end.wrapping_add(PAGE_SIZE)).is_empty() {
            return old;
        }
        vmas.insert(heap_area(old_end, new_end, layout.def_flags));
    }
    layout.brk = wanted;
    mm.layout.set(layout);
    wanted
}

/// An area of the heap: VM_DATA_DEFAULT_FLAGS, without execution.
pub(crate) fn heap_area(start: VirtAddr, end: VirtAddr, def_flags: VmFlags) -> Vma {
    let may = VmFlags::MAYREAD | VmFlags::MAYWRITE | VmFlags::MAYEXEC;
    let flags = VmFlags::READ | VmFlags::WRITE | may | VmFlags::ACCOUNT | def_flags;
    Vma { start, end, flags, pgoff: start.0 / PAGE_SIZE, file: None }
}
