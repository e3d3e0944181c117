//! The gaps between the areas of an address space, found by size: what `rb_subtree_gap` is for in Linux's `unmapped_area_topdown`.
//!
//! Gaps are kept by the power of two of their size in pages. Of a larger power every gap fits, so that its highest is the only candidate; only gaps of
//! the very power of the wish are looked through. A search so costs a few look-ups, however many areas there are, except among gaps that
//! are almost large enough.

use std::collections::BTreeMap;

use isa::{PAGE_SIZE, VirtAddr};

/// End of the last gap: the last page boundary there is, beyond any area.
pub(super) const TOP: VirtAddr = VirtAddr(u64::MAX - (PAGE_SIZE - 1));

/// The gaps, each from the end of one area to the start of the next.
#[derive(Clone)]
pub(super) struct Gaps {
    /// By power of two of the size: start to end.
    classes: BTreeMap<u32, BTreeMap<VirtAddr, VirtAddr>>,
}

impl Default for Gaps {
    fn default() -> Self {
        let mut gaps = Self {
            classes: BTreeMap::new(),
        };
        gaps.add(VirtAddr(0), TOP);
        gaps
    }
}

fn class(len: u64) -> u32 {
    (len / PAGE_SIZE).max(1).ilog2()
}

impl Gaps {
    /// A gap came to be; an empty one is none.
    pub(super) fn add(&mut self, start: VirtAddr, end: VirtAddr) {
        if start < end {
            let class = self.classes.entry(class(end.0 - start.0)).or_default();
            class.insert(start, end);
        }
    }

    /// A gap is no more.
    pub(super) fn remove(&mut self, start: VirtAddr, end: VirtAddr) {
        if start < end
            && let Some(class) = self.classes.get_mut(&class(end.0 - start.0))
        {
            class.remove(&start);
        }
    }

    /// The highest whole gap of at least `len` bytes that begins in `low..high`.
    pub(super) fn highest(
        &self,
        len: u64,
        low: VirtAddr,
        high: VirtAddr,
    ) -> Option<(VirtAddr, VirtAddr)> {
        if low >= high {
            return None;
        }
        let classes = self.classes.range(class(len)..);
        let found = classes.filter_map(|(_, gaps)| gaps.range(low..high).rfind(fits(len)));
        found.max().map(|(start, end)| (*start, *end))
    }

    /// The lowest whole gap of at least `len` bytes that begins in `low..high`.
    pub(super) fn lowest(
        &self,
        len: u64,
        low: VirtAddr,
        high: VirtAddr,
    ) -> Option<(VirtAddr, VirtAddr)> {
        if low >= high {
            return None;
        }
        let classes = self.classes.range(class(len)..);
        let found = classes.filter_map(|(_, gaps)| gaps.range(low..high).find(fits(len)));
        found.min().map(|(start, end)| (*start, *end))
    }
}

fn fits(len: u64) -> impl Fn(&(&VirtAddr, &VirtAddr)) -> bool {
    move |(start, end)| end.0 - start.0 >= len
}
