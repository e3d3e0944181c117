//! What tasks and thread groups keep about signals.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use isa::layout::Sigaltstack;
use isa::layout::signal_frame::FaultContext;

use super::timer::RealTimer;
use super::{Pending, SigHand};

/// A task's part.
#[derive(Debug)]
pub struct SignalState {
    /// Blocked signals, bit n - 1 for signal n. At home, of a thread that is away: as it said last.
    pub blocked: Cell<u64>,
    /// What is blocked beside the signals that sigtimedwait(2) waits for, during such a wait: they are not to be dropped, nor to end anybody.
    pub real_blocked: Cell<u64>,
    /// Signals for this thread alone.
    pub pending: Pending,
    /// sigaltstack(2).
    pub altstack: Cell<Sigaltstack>,
    /// The mask that sigsuspend(2) has replaced, until a handler's frame or the return to user mode brings it back.
    pub saved_mask: Cell<Option<u64>>,
    /// The fault behind a signal that is about to be delivered.
    pub fault: Cell<Option<FaultContext>>,
    /// The call that the task is returning from: what is needed to make it again.
    pub call: Cell<Option<SyscallEntry>>,
    /// At a guest: the masks that home was told last.
    pub told: Cell<(u64, u64)>,
}

impl Default for SignalState {
    fn default() -> Self {
        Self {
            blocked: Cell::new(0),
            real_blocked: Cell::new(0),
            pending: Pending::default(),
            altstack: Cell::new(Sigaltstack::NONE),
            saved_mask: Cell::new(None),
            fault: Cell::new(None),
            call: Cell::new(None),
            told: Cell::new((0, 0)),
        }
    }
}

/// A system call as its registers said it; a result has taken the place of one of them meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyscallEntry {
    /// The number.
    pub number: u64,
    /// The first argument.
    pub arg0: u64,
}

/// A thread group's part.
#[derive(Debug, Default)]
pub struct GroupSignals {
    /// Signals for whichever thread takes them. Always empty at a guest.
    pub pending: Pending,
    /// ITIMER_REAL. Never runs at a guest.
    pub timer: RealTimer,
    actions: RefCell<Rc<SigHand>>,
}

impl GroupSignals {
    /// The actions.
    pub fn actions(&self) -> Rc<SigHand> {
        Rc::clone(&self.actions.borrow())
    }

    /// Takes others: those of a process that has come from elsewhere.
    pub fn share_actions(&self, actions: Rc<SigHand>) {
        *self.actions.borrow_mut() = actions;
    }
}
