//! Actions: what a process wants done about each signal, and what is done if it has not said (`struct sighand_struct`; signal(7)).

use std::cell::RefCell;

use isa::layout::SaFlags;

use super::Signal;

const SIG_DFL: u64 = 0;
const SIG_IGN: u64 = 1;

/// What happens by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAction {
    /// The process ends.
    Terminate,
    /// Nothing.
    Ignore,
    /// The process would stop: not modelled, so nothing but a note.
    Stop,
}

impl Signal {
    /// What the signal does without an action.
    pub fn default_action(self) -> DefaultAction {
        match self.0 {
            // SIGCHLD, SIGCONT, SIGURG, SIGWINCH.
            17 | 18 | 23 | 28 => DefaultAction::Ignore,
            // SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU.
            19..=22 => DefaultAction::Stop,
            _ => DefaultAction::Terminate,
        }
    }
}

/// One signal's action, in the kernel's own layout-free form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SigAction {
    /// 0 default, 1 ignore, else the handler's address.
    pub handler: u64,
    /// SA_* flags.
    pub flags: u64,
    /// Where the handler returns to; the kernel's own trampoline if there is no SA_RESTORER.
    pub restorer: u64,
    /// Signals blocked meanwhile.
    pub mask: u64,
}

impl SigAction {
    /// The default is to be done.
    pub fn is_default(&self) -> bool {
        self.handler == SIG_DFL
    }

    /// There is a handler.
    pub fn is_handler(&self) -> bool {
        self.handler > SIG_IGN
    }

    /// The flags; unknown ones are dropped.
    pub fn flags(&self) -> SaFlags {
        SaFlags::from_bits_truncate(self.flags)
    }

    /// Whether `signal` would do nothing with this action.
    pub fn ignores(&self, signal: Signal) -> bool {
        match self.handler {
            SIG_IGN => true,
            SIG_DFL => signal.default_action() == DefaultAction::Ignore,
            _ => false,
        }
    }

    /// Whether `signal` would end the process with this action.
    pub fn is_fatal(&self, signal: Signal) -> bool {
        self.is_default() && signal.default_action() == DefaultAction::Terminate
    }
}

/// The actions of a process.
#[derive(Debug)]
pub struct SigHand {
    actions: RefCell<[SigAction; Signal::MAX as usize]>,
}

impl Default for SigHand {
    fn default() -> Self {
        Self {
            actions: RefCell::new([SigAction::default(); Signal::MAX as usize]),
        }
    }
}

impl SigHand {
    /// The action of a signal in 1..=64.
    pub fn get(&self, signal: Signal) -> SigAction {
        self.actions.borrow()[signal.0 as usize - 1]
    }

    /// Replaces it.
    pub fn set(&self, signal: Signal, action: SigAction) {
        self.actions.borrow_mut()[signal.0 as usize - 1] = action;
    }

    /// The actions that somebody has set, by signal.
    pub fn changed(&self) -> Vec<(Signal, SigAction)> {
        let actions = self.actions.borrow();
        (1..=Signal::MAX)
            .map(Signal)
            .zip(*actions)
            .filter(|(_, action)| *action != SigAction::default())
            .collect()
    }
}
