//! Those who wait for home's word on what is mapped, at a guest: a fetch of an area, a delegated mmap. Home may change the range after it has
//! answered and before the answer is made use of; the guest's worker, who hears of the change first, marks them then.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::{Rc, Weak};

use isa::VirtAddr;

/// All of a process on one node.
#[derive(Default)]
pub(super) struct Watches(RefCell<Vec<Weak<Watch>>>);

/// One: the ranges that have changed since it began.
#[derive(Default)]
pub(super) struct Watch(RefCell<Vec<Range<VirtAddr>>>);

impl Watches {
    /// Begins before the question goes out.
    pub fn begin(&self) -> Rc<Watch> {
        let watch = Rc::new(Watch::default());
        self.0.borrow_mut().push(Rc::downgrade(&watch));
        watch
    }

    /// Home has changed a range.
    pub fn changed(&self, range: &Range<VirtAddr>) {
        self.0.borrow_mut().retain(|watch| {
            let alive = watch.upgrade();
            if let Some(watch) = &alive {
                watch.0.borrow_mut().push(range.clone());
            }
            alive.is_some()
        });
    }
}

impl Watch {
    /// Whether the answer about this range is stale.
    pub fn is_stale(&self, start: VirtAddr, end: VirtAddr) -> bool {
        let changed = self.0.borrow();
        changed
            .iter()
            .any(|range| range.start < end && start < range.end)
    }
}
