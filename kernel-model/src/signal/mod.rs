//! Signals (kernel/signal.c and each architecture's signal.c of Linux 5.2): who gets one, when, and how a handler is entered and left.
//!
//! A signal that is sent goes to a queue ([`send`]): a thread's own, or the group's. A thread takes from both what it does not block whenever it
//! is about to enter user mode ([`deliver`]): after a system call, a fault or a quantum. The action is the group's ([`action`]).
//!
//! A distributed process has one state. Actions, the group's queue and its timer are home's; a thread's own queue, mask and alternate stack are
//! with the thread, wherever it runs. How the nodes keep to that is in [`remote`].
//!
//! Left out: stopping and continuing (SIGSTOP and its like are noted and dropped), core dumps, signalfd, ptrace, SIGCHLD (there are no children).

mod action;
mod deliver;
mod frame;
mod mask;
mod pending;
pub mod remote;
mod send;
mod state;
pub(crate) mod timer;

use std::fmt;

use isa::Errno;

pub use action::{DefaultAction, SigAction, SigHand};
pub(crate) use deliver::{deliver, dequeue, force_fault, force_segv, signal_pending};
pub(crate) use frame::{noted, set_altstack, sigreturn};
pub(crate) use mask::{ALWAYS_UNBLOCKED, set_blocked};
pub use pending::Pending;
pub(crate) use send::{exists, send_signal, thread_ended};
pub use state::{GroupSignals, SignalState, SyscallEntry};

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
    /// Writing to a pipe that nobody reads.
    pub const SIGPIPE: Self = Self(13);
    /// A timer.
    pub const SIGALRM: Self = Self(14);
    /// Ends a process unless handled.
    pub const SIGTERM: Self = Self(15);
    /// Cannot be caught.
    pub const SIGSTOP: Self = Self(19);
    /// Highest number.
    pub const MAX: i32 = 64;
    /// The first real-time signal: from here on each one sent is one delivered.
    pub const RT_MIN: i32 = 32;

    /// The signal of a number; EINVAL where there is none.
    pub fn new(number: i32) -> Result<Self, Errno> {
        if (1..=Self::MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(Errno::EINVAL)
        }
    }

    /// The set with this signal alone: bit n - 1.
    pub const fn bit(self) -> u64 {
        1 << (self.0 - 1)
    }

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
