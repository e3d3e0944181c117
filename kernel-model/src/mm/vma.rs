//! Virtual memory areas: what a range of addresses is meant to be, as `struct vm_area_struct`, and the ordered set of them.
//!
//! Left out: anon_vma and reverse maps, huge pages, NUMA policy, userfaultfd.

use std::collections::BTreeMap;
use std::rc::Rc;

use bitflags::bitflags;
use isa::{PAGE_SIZE, VirtAddr};

use crate::fs::File;

bitflags! {
    /// `vm_flags`, with the values of Linux 5.2 (`include/linux/mm.h`); they travel in VMA_INFO_RESPONSE.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct VmFlags: u64 {
        /// Readable now.
        const READ = 0x1;
        /// Writable now.
        const WRITE = 0x2;
        /// Executable now.
        const EXEC = 0x4;
        /// Changes are shared.
        const SHARED = 0x8;
        /// mprotect may make it readable.
        const MAYREAD = 0x10;
        /// mprotect may make it writable.
        const MAYWRITE = 0x20;
        /// mprotect may make it executable.
        const MAYEXEC = 0x40;
        /// A shared mapping may be made of it.
        const MAYSHARE = 0x80;
        /// A stack: grows towards lower addresses on a fault below it.
        const GROWSDOWN = 0x100;
        /// The file may not be written meanwhile.
        const DENYWRITE = 0x800;
        /// MAP_NORESERVE.
        const NORESERVE = 0x20_0000;
        /// The process' heap or stack accounting.
        const ACCOUNT = 0x10_0000;
    }
}

/// What a file mapping maps.
#[derive(Clone)]
pub struct VmaFile {
    /// The path as guests see it; it travels in VMA_INFO_RESPONSE.
    pub path: Rc<str>,
    /// The open file.
    pub file: Rc<dyn File>,
}

/// One area, page aligned, end exclusive.
#[derive(Clone)]
pub struct Vma {
    /// First address.
    pub start: VirtAddr,
    /// First address after it.
    pub end: VirtAddr,
    /// What it may be used for.
    pub flags: VmFlags,
    /// Offset into the file in pages (for anonymous areas `start / PAGE_SIZE`).
    pub pgoff: u64,
    /// The file, or anonymous memory.
    pub file: Option<VmaFile>,
}

impl Vma {
    /// Whether it covers the address.
    pub fn contains(&self, addr: VirtAddr) -> bool {
        self.start <= addr && addr < self.end
    }

    /// Anonymous memory.
    pub fn is_anonymous(&self) -> bool {
        self.file.is_none()
    }

    /// The part of it inside `start..end`, with the file offset moved along.
    pub fn clip(&self, start: VirtAddr, end: VirtAddr) -> Self {
        let mut part = self.clone();
        part.start = start.max(self.start);
        part.end = end.min(self.end);
        part.pgoff += (part.start.0 - self.start.0) / PAGE_SIZE;
        part
    }

    /// Whether `next`, right after it, is the same kind of memory and could be one area with it.
    fn merges_with(&self, next: &Self) -> bool {
        let same_file = match (&self.file, &next.file) {
            (None, None) => true,
            (Some(a), Some(b)) => {
                Rc::ptr_eq(&a.file, &b.file)
                    && self.pgoff + (self.end.0 - self.start.0) / PAGE_SIZE == next.pgoff
            }
            _ => false,
        };
        self.end == next.start
            && self.flags == next.flags
            && same_file
            && !self.flags.contains(VmFlags::GROWSDOWN)
    }
}

/// The areas of an address space, ordered, never overlapping.
#[derive(Clone, Default)]
pub struct VmaTree {
    areas: BTreeMap<VirtAddr, Vma>,
}

impl VmaTree {
    /// The area that covers `addr`, or the first one above it (Linux's `find_vma`).
    pub fn find(&self, addr: VirtAddr) -> Option<&Vma> {
        let below = self
            .areas
            .range(..=addr)
            .next_back()
            .map(|(_, v)| v)
            .filter(|v| v.contains(addr));
        below.or_else(|| self.areas.range(addr..).next().map(|(_, v)| v))
    }

    /// The area that covers `addr`.
    pub fn covering(&self, addr: VirtAddr) -> Option<&Vma> {
        self.find(addr).filter(|v| v.contains(addr))
    }

    /// How many areas there are (`map_count`).
    pub fn len(&self) -> usize {
        self.areas.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.areas.is_empty()
    }

    /// All areas, lowest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Vma> {
        self.areas.values()
    }

    /// The areas that have something in `start..end`.
    pub fn overlapping(&self, start: VirtAddr, end: VirtAddr) -> Vec<Vma> {
        let first = self.covering(start).map_or(start, |v| v.start);
        self.areas
            .range(first..end)
            .map(|(_, v)| v.clone())
            .collect()
    }

    /// Adds an area where nothing is, joined with equal neighbours. Panics on overlap: callers make room first.
    pub fn insert(&mut self, mut vma: Vma) {
        assert!(
            self.overlapping(vma.start, vma.end).is_empty(),
            "areas overlap at {}",
            vma.start
        );
        if let Some((&start, before)) = self.areas.range(..vma.start).next_back()
            && before.merges_with(&vma)
        {
            let before = self.areas.remove(&start).expect("just seen");
            vma = Vma {
                end: vma.end,
                ..before
            };
        }
        if let Some(after) = self.areas.get(&vma.end)
            && vma.merges_with(after)
        {
            let after = self.areas.remove(&vma.end).expect("just seen");
            vma.end = after.end;
        }
        self.areas.insert(vma.start, vma);
    }

    /// Takes everything in `start..end` out, splitting areas that reach beyond; returns what was there.
    pub fn remove(&mut self, start: VirtAddr, end: VirtAddr) -> Vec<Vma> {
        let hit = self.overlapping(start, end);
        for vma in &hit {
            self.areas.remove(&vma.start);
            if vma.start < start {
                self.areas.insert(vma.start, vma.clip(vma.start, start));
            }
            if vma.end > end {
                let rest = vma.clip(end, vma.end);
                self.areas.insert(rest.start, rest);
            }
        }
        hit.into_iter().map(|vma| vma.clip(start, end)).collect()
    }

    /// Lets the area that begins at `old_start` begin at `new_start`, further down (stack growth).
    pub fn grow_down(&mut self, old_start: VirtAddr, new_start: VirtAddr) {
        if let Some(mut vma) = self.areas.remove(&old_start) {
            vma.pgoff = vma
                .pgoff
                .saturating_sub((old_start.0 - new_start.0) / PAGE_SIZE);
            vma.start = new_start;
            self.areas.insert(new_start, vma);
        }
    }

    /// The parts of `start..end` where nothing is, lowest first.
    pub fn holes(&self, start: VirtAddr, end: VirtAddr) -> Vec<(VirtAddr, VirtAddr)> {
        let mut holes = Vec::new();
        let mut at = start;
        for vma in self.overlapping(start, end) {
            if at < vma.start {
                holes.push((at, vma.start));
            }
            at = vma.end;
        }
        if at < end {
            holes.push((at, end));
        }
        holes
    }
}
