//! Virtual memory areas: what a range of addresses is meant to be, as `struct vm_area_struct`, and the ordered set of them.
//!
//! Left out: anon_vma and reverse maps, huge pages, NUMA policy, userfaultfd.

use std::collections::BTreeMap;
use std::rc::Rc;

use bitflags::bitflags;
use isa::{PAGE_SIZE, VirtAddr};

use msglayer::messages::PathField;

use super::gaps::{Gaps, TOP};
use crate::fs::{File, Inode};

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
        /// Of a private mapping of a file: it is, or once was, writable, so that its pages need not be what the file says. Linux's
        /// VM_SOFTDIRTY, which K52 never sets.
        const WRITTEN = 0x800_0000;
    }
}

/// What a file mapping maps.
#[derive(Clone)]
pub struct VmaFile {
    /// The path as guests see it.
    pub path: Rc<str>,
    /// The open file.
    pub file: Rc<dyn File>,
    /// The file of the overlay of which it shows the present contents; `None`: the root's file, as every node's root has it.
    pub inode: Option<Rc<Inode>>,
}

impl VmaFile {
    /// A file of the root, by the path that the root has it at.
    pub fn of_root(path: impl Into<Rc<str>>, file: Rc<dyn File>) -> Self {
        Self {
            path: path.into(),
            file,
            inode: None,
        }
    }

    /// Whether another node can open it by its path: the root has it, and the path fits into a message.
    pub fn has_name(&self) -> bool {
        self.inode.is_none() && PathField::new(&self.path).is_ok()
    }
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

    /// The file by which other nodes find its contents themselves; `None` if they have to come from home as bytes.
    pub fn named_file(&self) -> Option<&VmaFile> {
        self.file.as_ref().filter(|mapped| mapped.has_name())
    }

    /// The flags that the area has as soon as it has these, whatever becomes of them: see [`VmFlags::WRITTEN`].
    pub fn with_flags(&self, mut flags: VmFlags) -> Self {
        if flags.contains(VmFlags::WRITE) && self.named_file().is_some() {
            flags |= VmFlags::WRITTEN;
        }
        Self {
            flags,
            ..self.clone()
        }
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
    /// Always what lies between `areas`: they change in `put` and `take` only.
    gaps: Gaps,
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

    /// Whether anything is in `start..end`.
    pub fn overlaps(&self, start: VirtAddr, end: VirtAddr) -> bool {
        let before = self.areas.range(..end).next_back();
        start < end && before.is_some_and(|(_, vma)| vma.end > start)
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
            !self.overlaps(vma.start, vma.end),
            "areas overlap at {}",
            vma.start
        );
        if let Some((&start, before)) = self.areas.range(..vma.start).next_back()
            && before.merges_with(&vma)
        {
            let before = self.take(start).expect("just seen");
            vma = Vma {
                end: vma.end,
                ..before
            };
        }
        if let Some(after) = self.areas.get(&vma.end)
            && vma.merges_with(after)
        {
            let after = self.take(vma.end).expect("just seen");
            vma.end = after.end;
        }
        self.put(vma);
    }

    /// Takes everything in `start..end` out, splitting areas that reach beyond; returns what was there.
    pub fn remove(&mut self, start: VirtAddr, end: VirtAddr) -> Vec<Vma> {
        let hit = self.overlapping(start, end);
        for vma in &hit {
            self.take(vma.start);
            if vma.start < start {
                self.put(vma.clip(vma.start, start));
            }
            if vma.end > end {
                self.put(vma.clip(end, vma.end));
            }
        }
        hit.into_iter().map(|vma| vma.clip(start, end)).collect()
    }

    /// Lets the area that begins at `old_start` begin at `new_start`, further down (stack growth).
    pub fn grow_down(&mut self, old_start: VirtAddr, new_start: VirtAddr) {
        if let Some(mut vma) = self.take(old_start) {
            vma.pgoff = vma
                .pgoff
                .saturating_sub((old_start.0 - new_start.0) / PAGE_SIZE);
            vma.start = new_start;
            self.put(vma);
        }
    }

    /// The highest place for `len` bytes in `low..high` where nothing is.
    pub fn highest_gap(&self, len: u64, low: VirtAddr, high: VirtAddr) -> Option<VirtAddr> {
        let place = |(start, end): (VirtAddr, VirtAddr)| {
            let (start, end) = (start.max(low), end.min(high));
            let room = end.0.checked_sub(start.0)?;
            (room >= len).then(|| VirtAddr(end.0 - len))
        };
        // Only the gaps over the borders reach beyond, so that less of them counts.
        place(self.gap_around(high))
            .or_else(|| {
                let inner = self.gap_around(high).0;
                self.gaps.highest(len, low, inner).and_then(place)
            })
            .or_else(|| place(self.gap_around(low)))
    }

    /// The lowest place for `len` bytes in `low..high` where nothing is.
    pub fn lowest_gap(&self, len: u64, low: VirtAddr, high: VirtAddr) -> Option<VirtAddr> {
        let place = |(start, end): (VirtAddr, VirtAddr)| {
            let (start, end) = (start.max(low), end.min(high));
            let room = end.0.checked_sub(start.0)?;
            (room >= len).then_some(start)
        };
        place(self.gap_around(low))
            .or_else(|| {
                let inner = self.gap_around(high).0;
                self.gaps.lowest(len, low, inner).and_then(place)
            })
            .or_else(|| place(self.gap_around(high)))
    }

    /// The gap, perhaps an empty one, from the last area that begins before `addr` to the next.
    fn gap_around(&self, addr: VirtAddr) -> (VirtAddr, VirtAddr) {
        let before = self.areas.range(..addr).next_back();
        let after = self.areas.range(addr..).next();
        (
            before.map_or(VirtAddr(0), |(_, vma)| vma.end),
            after.map_or(TOP, |(start, _)| *start),
        )
    }

    fn put(&mut self, vma: Vma) {
        let (start, end) = self.gap_around(vma.start);
        self.gaps.remove(start, end);
        self.gaps.add(start, vma.start);
        self.gaps.add(vma.end, end);
        self.areas.insert(vma.start, vma);
    }

    fn take(&mut self, start: VirtAddr) -> Option<Vma> {
        let vma = self.areas.remove(&start)?;
        let (before, after) = self.gap_around(start);
        self.gaps.remove(before, vma.start);
        self.gaps.remove(vma.end, after);
        self.gaps.add(before, after);
        Some(vma)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn page(n: u64) -> VirtAddr {
        VirtAddr(n * PAGE_SIZE)
    }

    fn area(start: u64, end: u64, flags: VmFlags) -> Vma {
        Vma {
            start: page(start),
            end: page(end),
            flags,
            pgoff: start,
            file: None,
        }
    }

    /// What the gaps must say, from the list of holes.
    fn by_holes(tree: &VmaTree, len: u64, low: VirtAddr, high: VirtAddr) -> [Option<VirtAddr>; 2] {
        let fits = |(start, end): &(VirtAddr, VirtAddr)| end.0 - start.0 >= len;
        let holes = tree.holes(low, high);
        let highest = holes.iter().rfind(|hole| fits(hole));
        let lowest = holes.iter().find(|hole| fits(hole));
        [
            highest.map(|(_, end)| VirtAddr(end.0 - len)),
            lowest.map(|(start, _)| *start),
        ]
    }

    #[test]
    fn gaps_are_found_as_a_walk_over_all_holes_finds_them() {
        let mut tree = VmaTree::default();
        let mut seed = 1_u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for _ in 0..3_000 {
            let start = next(200);
            let end = start + 1 + next(12);
            let is_free = tree.overlapping(page(start), page(end)).is_empty();
            assert_eq!(tree.overlaps(page(start), page(end)), !is_free);
            if is_free && next(3) > 0 {
                let flags = [VmFlags::READ, VmFlags::WRITE][next(2) as usize];
                tree.insert(area(start, end, flags));
            } else {
                tree.remove(page(start), page(end));
            }
            let (low, len) = (next(100), page(1 + next(20)).0);
            let (low, high) = (page(low), page(low + 1 + next(120)));
            let found = [
                tree.highest_gap(len, low, high),
                tree.lowest_gap(len, low, high),
            ];
            assert_eq!(
                found,
                by_holes(&tree, len, low, high),
                "{len:#x} in {low}..{high}"
            );
        }
    }
}
