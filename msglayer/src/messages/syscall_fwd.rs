//! SYSCALL_* and SIGNAL_FWD: system calls of remote threads that K52 makes at the origin, and the one signal it sends after them.
//!
//! Pointers among the arguments stay as they are: the thread at the origin reads and writes through them, and the page server
//! brings the pages. Results travel in 32 bits, as in K52; larger ones in a message of their own.

use zerocopy::little_endian::{I32, U32, U64};

use super::layout::kmsg;
use crate::error::KmsgError;
use crate::types::MessageType;

kmsg! {
    /// Make this system call (`syscall_fwd_t`).
    pub struct SyscallFwd: SyscallFwd {
        /// The thread at its origin, which makes the call.
        pub origin_pid: I32,
        /// The arguments, `param0` to `param5`.
        pub args: [U64; 6],
        /// Where the answer is awaited.
        pub remote_ws: I32,
        /// A [`PcnSyscall`].
        pub call_type: U32,
        /// Of no use in a request.
        pub ret: I32,
    }
}

kmsg! {
    /// What it returned (`syscall_rep_t`).
    pub struct SyscallRep: SyscallRep {
        /// The thread at its origin.
        pub origin_pid: I32,
        /// Where the answer is awaited.
        pub remote_ws: I32,
        /// Not 0: a signal waits at the origin, and the remote thread is to exit. K52 never sets it.
        pub sigpending: I32,
        /// The result, or a negative errno.
        pub ret: I32,
    }
}

kmsg! {
    /// What it returned, if [`SyscallRep`] has no room for it. Kettle's own: K52 cuts it.
    pub struct SyscallRepLong: SyscallRepLong {
        /// The thread at its origin.
        pub origin_pid: I32,
        /// Where the answer is awaited.
        pub remote_ws: I32,
        /// The result, which is no error.
        pub ret: U64,
    }
}

kmsg! {
    /// A signal for a remote thread (`signal_trans_t`). K52 sends SIGINT only, when the group exits at the origin.
    pub struct SignalTrans: SignalFwd {
        /// The thread at its origin.
        pub origin_pid: I32,
        /// The thread that the signal is for.
        pub remote_pid: I32,
        /// Where that is.
        pub remote_nid: I32,
        /// The signal.
        pub sig: I32,
        /// Whether the whole group is meant: 0 or 1.
        pub group: u8,
    }
}

/// Writes the enumeration of forwarded calls with their numbers and names.
macro_rules! pcn_syscalls {
    ($($number:literal $variant:ident $name:literal,)*) => {
        /// The system calls that K52 forwards, in its own numbering (`enum pcn_syscall_types`), which is the same on all ISAs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum PcnSyscall {
            $(#[doc = concat!("`", $name, "`.")] $variant = $number,)*
        }

        impl PcnSyscall {
            /// All of them, at the index that is their number.
            pub const ALL: &[PcnSyscall] = &[$(Self::$variant),*];

            /// Linux's name of the call.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

pcn_syscalls! {
    0 Socket "socket",
    1 Setsockopt "setsockopt",
    2 Bind "bind",
    3 Listen "listen",
    4 Accept4 "accept4",
    5 Shutdown "shutdown",
    6 Recvfrom "recvfrom",
    7 EpollCreate1 "epoll_create1",
    8 EpollWait "epoll_wait",
    9 EpollPwait "epoll_pwait",
    10 EpollCtl "epoll_ctl",
    11 Read "read",
    12 Write "write",
    13 Open "open",
    14 Close "close",
    15 Ioctl "ioctl",
    16 Writev "writev",
    17 Fstat "fstat",
    18 Sendfile "sendfile",
    19 Select "select",
    20 Fcntl "fcntl",
    21 Fstatat "newfstatat",
    22 Getpid "getpid",
    23 Getuid "getuid",
    24 Dup "dup",
    25 Openat "openat",
    26 Gettimeofday "gettimeofday",
    27 Statx "statx",
    28 Pselect6 "pselect6",
    29 ClockGettime "clock_gettime",
    30 Nanosleep "nanosleep",
    31 Futex "futex",
}

impl PcnSyscall {
    /// The number on the wire.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The call with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// The call with this name of Linux's.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|call| call.name() == name)
    }
}

impl SyscallFwd {
    /// The call.
    ///
    /// # Errors
    /// When `call_type` is no call.
    pub fn call(&self) -> Result<PcnSyscall, KmsgError> {
        PcnSyscall::from_number(self.call_type.get()).ok_or(KmsgError::BadField {
            message: MessageType::SyscallFwd,
            field: "call_type",
            value: self.call_type.get().into(),
        })
    }
}
