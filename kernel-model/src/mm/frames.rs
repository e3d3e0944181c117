//! The frame allocator of a node: which physical frames are free.
//!
//! Frames are handed out lowest first among those given back, then from the top of the used range: the same requests give the same
//! frames. Left out: zones, orders, NUMA nodes.

use std::collections::BTreeSet;

use isa::Pfn;

/// Free frames of one node.
#[derive(Debug)]
pub struct FrameAllocator {
    total: u64,
    next: u64,
    returned: BTreeSet<Pfn>,
}

impl FrameAllocator {
    /// All of `total` frames are free.
    pub fn new(total: u64) -> Self {
        Self {
            total,
            next: 0,
            returned: BTreeSet::new(),
        }
    }

    /// Takes a frame with unknown contents; `None` when memory is full.
    pub fn alloc(&mut self) -> Option<Pfn> {
        if let Some(pfn) = self.returned.pop_first() {
            return Some(pfn);
        }
        (self.next < self.total).then(|| {
            self.next += 1;
            Pfn(self.next - 1)
        })
    }

    /// Gives a frame back. Panics when it was free already.
    pub fn free(&mut self, pfn: Pfn) {
        assert!(
            pfn.0 < self.next && self.returned.insert(pfn),
            "frame {pfn} is freed twice"
        );
    }

    /// Frames in use.
    pub fn used(&self) -> u64 {
        self.next - self.returned.len() as u64
    }
}
