//! Advice about memory: `madvise_vma` of Linux 5.2 (mm/madvise.c). Only advice that changes what a program reads has an effect.

use std::rc::Rc;

use isa::{Errno, VirtAddr};

use super::mmap::page_align_len;
use super::{Mm, zap_page_range};
use crate::costs::Cost;
use crate::kernel::Kernel;

const MADV_DONTNEED: u32 = 4;
const MADV_FREE: u32 = 8;
/// The advice that Linux 5.2 knows and that changes nothing here; 20 is Popcorn's MADV_RELEASE, which the page server sees to.
const WITHOUT_EFFECT: &[u32] = &[0, 1, 2, 3, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20];

/// Takes advice about `start..start + len`. EINVAL: unaligned or unknown advice; ENOMEM: part of it is not mapped (the rest has been advised).
pub fn do_madvise(
    k: &Rc<Kernel>,
    mm: &Rc<Mm>,
    start: VirtAddr,
    len: u64,
    advice: u32,
) -> Result<(), Errno> {
    k.charge(Cost::VmaOperation);
    let drops = matches!(advice, MADV_DONTNEED | MADV_FREE);
    if !drops && !WITHOUT_EFFECT.contains(&advice) {
        return Err(Errno::EINVAL);
    }
    if !start.is_page_aligned() {
        return Err(Errno::EINVAL);
    }
    let len = page_align_len(len).ok_or(Errno::EINVAL)?;
    let end = start.checked_add(len).ok_or(Errno::EINVAL)?;
    if start == end {
        return Ok(());
    }
    let (hit, holes) = {
        let vmas = mm.vmas.borrow();
        (vmas.overlapping(start, end), vmas.holes(start, end))
    };
    if advice == MADV_FREE && hit.iter().any(|vma| !vma.is_anonymous()) {
        return Err(Errno::EINVAL);
    }
    if drops {
        for part in hit.iter().map(|vma| vma.clip(start, end)) {
            zap_page_range(k, mm, part.start, part.end);
        }
    }
    if holes.is_empty() {
        Ok(())
    } else {
        Err(Errno::ENOMEM)
    }
}
