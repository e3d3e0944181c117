//! Advice about memory: `madvise_vma` of Linux 5.2 (mm/madvise.c). Only advice that changes what a program reads has an effect.

use std::ops::Range;
use std::rc::Rc;

use isa::{Errno, VirtAddr};

use super::Mm;
use super::mmap::page_align_len;
use crate::costs::Cost;
use crate::kernel::Kernel;

/// madvise(2): the pages are not needed any more.
pub const MADV_DONTNEED: u32 = 4;
const MADV_FREE: u32 = 8;
/// Popcorn's advice: a guest gives its copies of pages up.
pub const MADV_RELEASE: u32 = 20;
/// The advice that Linux 5.2 knows and that changes nothing here.
const WITHOUT_EFFECT: &[u32] = &[0, 1, 2, 3, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19];

/// What there is to do about a piece of advice.
pub struct Advised {
    /// The mapped parts of the range whose pages have to go (MADV_DONTNEED, MADV_FREE) or to be released (MADV_RELEASE).
    pub parts: Vec<Range<VirtAddr>>,
    /// ENOMEM when part of the range is not mapped; the rest is advised all the same.
    pub result: Result<(), Errno>,
}

/// Looks at advice about `start..start + len`; the caller carries it out. EINVAL: unaligned or unknown advice.
pub fn do_madvise(
    k: &Rc<Kernel>,
    mm: &Rc<Mm>,
    start: VirtAddr,
    len: u64,
    advice: u32,
) -> Result<Advised, Errno> {
    k.charge(Cost::VmaOperation);
    let acts = matches!(advice, MADV_DONTNEED | MADV_FREE | MADV_RELEASE);
    if (!acts && !WITHOUT_EFFECT.contains(&advice)) || !start.is_page_aligned() {
        return Err(Errno::EINVAL);
    }
    let len = page_align_len(len).ok_or(Errno::EINVAL)?;
    let end = start.checked_add(len).ok_or(Errno::EINVAL)?;
    let mut advised = Advised {
        parts: Vec::new(),
        result: Ok(()),
    };
    if start == end {
        return Ok(advised);
    }
    let vmas = mm.vmas.borrow();
    let hit = vmas.overlapping(start, end);
    if advice == MADV_FREE && hit.iter().any(|vma| !vma.is_anonymous()) {
        return Err(Errno::EINVAL);
    }
    if !vmas.holes(start, end).is_empty() {
        advised.result = Err(Errno::ENOMEM);
    }
    if acts {
        for part in hit.iter().map(|vma| vma.clip(start, end)) {
            match advised.parts.last_mut() {
                Some(before) if before.end == part.start => before.end = part.end,
                _ => advised.parts.push(part.start..part.end),
            }
        }
    }
    Ok(advised)
}
