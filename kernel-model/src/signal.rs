//! Signals as far as the guests of this slice need them: fatal ones end the process, actions and masks are kept.
//!
//! Left out: delivery to handlers in user mode, queued and real-time signals, alternate stacks.

use std::cell::RefCell;
use std::fmt;

/// A signal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signal(pub i32);

impl Signal {
    /// Illegal instruction.
    pub const SIGILL: Self = Self(4);
    /// Breakpoint.
    pub const SIGTRAP: Self = Self(5);
    /// abort(3).
    pub const SIGABRT: Self = Self(6);
    /// Memory that is there but cannot be had.
    pub const SIGBUS: Self = Self(7);
    /// Arithmetic.
    pub const SIGFPE: Self = Self(8);
    /// Cannot be caught.
    pub const SIGKILL: Self = Self(9);
    /// Memory that is not there.
    pub const SIGSEGV: Self = Self(11);
    /// Ends a process unless handled.
    pub const SIGTERM: Self = Self(15);
    /// Highest number.
    pub const MAX: i32 = 64;

    /// Its name without a table of rarely seen ones.
    pub fn name(self) -> String {
        const NAMES: [&str; 31] = [
            "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV",
            "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN",
            "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
        ];
        match usize::try_from(self.0 - 1).ok().and_then(|n| NAMES.get(n)) {
            Some(name) => format!("SIG{name}"),
            None => format!("signal {}", self.0),
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// One signal's action, in the kernel's own layout-free form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SigAction {
    /// 0 default, 1 ignore, else the handler's address.
    pub handler: u64,
    /// SA_* flags.
    pub flags: u64,
    /// x86_64's return stub; unused on aarch64.
    pub restorer: u64,
    /// Signals blocked meanwhile.
    pub mask: u64,
}

/// The actions of a thread group.
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
}
