//! Which vCPUs of a node hold translated code of a frame, and which may write it: the snooping of an instruction cache.
//!
//! The engine of each vCPU notices when its own guest writes code that it has translated, but not when another vCPU of the node or
//! the kernel does. Every access by a vCPU begins with a TLB fill, so fills are enough to know who may do what: a fill for writing
//! makes the other vCPUs forget their code of that frame, a fill for fetching makes them forget that they may write it. The notes
//! wait in a mailbox that a vCPU empties before it runs again; vCPUs of one node never run at the same time.
//!
//! x86_64 promises this coherence. aarch64 asks software for cache maintenance first, and gets more than it asked for.
//! Left out: more than 32 vCPUs in a node.

use std::sync::{Mutex, MutexGuard, PoisonError};

use isa::Pfn;

/// Most vCPUs that one node can have.
pub const MAX_VCPUS: usize = 32;

/// What a vCPU has to do before it runs again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    /// Frames whose translated code is out of date.
    pub stale: Vec<Pfn>,
    /// TLB entries for writing were taken away.
    pub flush_tlb: bool,
}

impl Notes {
    /// Nothing to do.
    pub fn is_empty(&self) -> bool {
        self.stale.is_empty() && !self.flush_tlb
    }
}

/// Bit masks of vCPUs.
#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    /// Have translated code of the frame.
    code: u32,
    /// Have it in their TLB for writing.
    writers: u32,
}

#[derive(Debug, Default)]
struct Mailbox {
    notes: Notes,
    /// Frames with this vCPU's bit in `writers`.
    writable: Vec<Pfn>,
}

/// Frames in one group of the table.
const GROUP: usize = 512;

/// A frame table whose groups come into being when they are first needed, as the memory itself does.
#[derive(Debug)]
struct Frames(Vec<Option<Box<[Frame; GROUP]>>>);

impl Frames {
    fn at(&mut self, pfn: Pfn) -> &mut Frame {
        let index = pfn.0 as usize;
        let group =
            self.0[index / GROUP].get_or_insert_with(|| Box::new([Frame::default(); GROUP]));
        &mut group[index % GROUP]
    }

    /// A frame, if anything was ever noted of its group.
    fn known(&mut self, pfn: Pfn) -> Option<&mut Frame> {
        let index = pfn.0 as usize;
        Some(&mut self.0[index / GROUP].as_mut()?[index % GROUP])
    }
}

#[derive(Debug)]
struct State {
    frames: Frames,
    vcpus: Vec<Mailbox>,
}

/// The tracker of one node, shared by its vCPUs and its memory.
#[derive(Debug)]
pub struct CodeTracker {
    state: Mutex<State>,
}

/// What a vCPU is to its node's tracker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member(usize);

impl Member {
    fn bit(self) -> u32 {
        1 << self.0
    }
}

impl CodeTracker {
    pub(crate) fn new(frames: u64) -> Self {
        let groups = (frames as usize).div_ceil(GROUP);
        let frames = Frames((0..groups).map(|_| None).collect());
        Self {
            state: Mutex::new(State {
                frames,
                vcpus: Vec::new(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the masks valid: each is changed by a single assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Admits one more vCPU; `None` when there are [`MAX_VCPUS`] already.
    pub(crate) fn join(&self) -> Option<Member> {
        let mut state = self.state();
        let member = Member(state.vcpus.len());
        if member.0 == MAX_VCPUS {
            return None;
        }
        state.vcpus.push(Mailbox::default());
        Some(member)
    }

    /// A vCPU is about to fetch from a frame. Tells whether it may also write it now.
    pub(crate) fn fetched(&self, member: Member, pfn: Pfn) -> bool {
        let mut state = self.state();
        let State { frames, vcpus } = &mut *state;
        let frame = frames.at(pfn);
        let others = frame.writers & !member.bit();
        for other in bits(others) {
            vcpus[other].notes.flush_tlb = true;
        }
        frame.code |= member.bit();
        frame.writers & member.bit() != 0
    }

    /// A vCPU is about to write a frame. Tells whether it has translated code of it, perhaps long ago.
    pub(crate) fn written(&self, member: Member, pfn: Pfn) -> bool {
        let mut state = self.state();
        let State { frames, vcpus } = &mut *state;
        let frame = frames.at(pfn);
        for other in bits(frame.code & !member.bit()) {
            vcpus[other].notes.stale.push(pfn);
        }
        if frame.writers & member.bit() == 0 {
            vcpus[member.0].writable.push(pfn);
        }
        frame.code &= member.bit();
        frame.writers |= member.bit();
        frame.code != 0
    }

    /// The kernel has written frames `first` to `last`.
    pub(crate) fn written_by_kernel(&self, first: Pfn, last: Pfn) {
        let mut state = self.state();
        let State { frames, vcpus } = &mut *state;
        for pfn in first.0..=last.0 {
            let Some(frame) = frames.known(Pfn(pfn)) else {
                continue;
            };
            for vcpu in bits(frame.code) {
                vcpus[vcpu].notes.stale.push(Pfn(pfn));
            }
            frame.code = 0;
        }
    }

    /// A vCPU has dropped its code of a frame by order of the kernel.
    pub(crate) fn forgotten(&self, member: Member, pfn: Pfn) {
        self.state().frames.at(pfn).code &= !member.bit();
    }

    /// A vCPU has flushed its TLB.
    pub(crate) fn flushed(&self, member: Member) {
        let mut state = self.state();
        let State { frames, vcpus } = &mut *state;
        for pfn in vcpus[member.0].writable.drain(..) {
            frames.at(pfn).writers &= !member.bit();
        }
    }

    /// Takes the notes for a vCPU.
    pub(crate) fn take_notes(&self, member: Member) -> Notes {
        std::mem::take(&mut self.state().vcpus[member.0].notes)
    }
}

/// The positions of the bits set in a mask.
fn bits(mask: u32) -> impl Iterator<Item = usize> {
    (0..MAX_VCPUS).filter(move |bit| mask & 1 << bit != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Pfn = Pfn(3);

    fn notes(stale: &[Pfn], flush_tlb: bool) -> Notes {
        Notes {
            stale: stale.to_vec(),
            flush_tlb,
        }
    }

    #[test]
    fn a_writer_makes_other_executors_forget_and_the_reverse() {
        let tracker = CodeTracker::new(8);
        let (a, b) = (tracker.join().unwrap(), tracker.join().unwrap());
        assert!(!tracker.fetched(a, FRAME));
        assert!(tracker.take_notes(b).is_empty());

        assert!(!tracker.written(b, FRAME));
        assert_eq!(tracker.take_notes(a), notes(&[FRAME], false));
        assert_eq!(tracker.take_notes(b), notes(&[], false));

        assert!(!tracker.fetched(a, FRAME), "it executes again");
        assert_eq!(
            tracker.take_notes(b),
            notes(&[], true),
            "so the writer must ask again"
        );
        tracker.flushed(b);
        tracker.written(b, FRAME);
        assert_eq!(tracker.take_notes(a), notes(&[FRAME], false));
    }

    #[test]
    fn the_kernel_tells_whoever_has_code() {
        let tracker = CodeTracker::new(8);
        let (a, b) = (tracker.join().unwrap(), tracker.join().unwrap());
        tracker.fetched(a, FRAME);
        tracker.written_by_kernel(Pfn(2), Pfn(4));
        assert_eq!(tracker.take_notes(a), notes(&[FRAME], false));
        assert!(tracker.take_notes(b).is_empty());
        tracker.written_by_kernel(FRAME, FRAME);
        assert!(tracker.take_notes(a).is_empty(), "told already");
    }

    #[test]
    fn own_writes_to_own_code() {
        let tracker = CodeTracker::new(8);
        let a = tracker.join().unwrap();
        assert!(!tracker.fetched(a, FRAME));
        assert!(tracker.written(a, FRAME));
        assert!(tracker.fetched(a, FRAME));
        tracker.flushed(a);
        assert!(!tracker.fetched(a, FRAME), "it may not write now");
        assert!(tracker.written(a, FRAME), "it still has the code");
        tracker.forgotten(a, FRAME);
        assert!(!tracker.written(a, FRAME));
        assert!(tracker.take_notes(a).is_empty());
    }

    #[test]
    fn a_node_has_room_for_32() {
        let tracker = CodeTracker::new(1);
        for _ in 0..MAX_VCPUS {
            tracker.join().unwrap();
        }
        assert_eq!(tracker.join(), None);
    }
}
