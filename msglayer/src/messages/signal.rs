//! SIGNAL_INFO, SIGNAL_ACTION, SIGNAL_MASK, SIGNAL_INTERRUPT: signals of a distributed process. K52 has none of these messages.

use zerocopy::little_endian::{I32, U64};

use super::layout::kmsg;

kmsg! {
    /// A signal: to a thread that is elsewhere, or back home from a node that the thread has left.
    pub struct SignalInfo: SignalInfo {
        /// The process at its origin.
        pub origin_tgid: I32,
        /// The thread at its origin.
        pub origin_pid: I32,
        /// The thread where it is, or was.
        pub remote_pid: I32,
        /// The first 48 bytes of `siginfo_t`.
        pub info: [U64; 6],
        /// Whether any thread of the process might have it: 0 or 1.
        pub group: u8,
        /// Whether it comes back: 0 or 1.
        pub back: u8,
    }
}

kmsg! {
    /// The action of a signal: from the origin to where the process is; from there when it has been reset by SA_RESETHAND.
    pub struct SignalAction: SignalAction {
        /// The process at its origin.
        pub origin_tgid: I32,
        /// The signal.
        pub sig: I32,
        /// The handler, SIG_DFL (0) or SIG_IGN (1).
        pub handler: U64,
        /// SA_*.
        pub flags: U64,
        /// Where the handler returns to.
        pub restorer: U64,
        /// What is blocked meanwhile.
        pub mask: U64,
    }
}

kmsg! {
    /// A remote thread blocks other signals than before.
    pub struct SignalMask: SignalMask {
        /// The thread at its origin.
        pub origin_pid: I32,
        /// The thread where it is.
        pub remote_pid: I32,
        /// What it blocks, bit n - 1 for signal n.
        pub blocked: U64,
        /// During sigtimedwait(2): what it blocks otherwise.
        pub real_blocked: U64,
    }
}

kmsg! {
    /// A signal has come for a remote thread that waits for a call made at the origin.
    pub struct SignalInterrupt: SignalInterrupt {
        /// The thread at its origin, which makes the call.
        pub origin_pid: I32,
        /// The thread where it is.
        pub remote_pid: I32,
        /// The wait station of the call.
        pub remote_ws: I32,
    }
}
