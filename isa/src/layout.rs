//! Structures and flags of the Linux ABI, encoded for either ISA from neutral types.
//!
//! Most of what a 64-bit Linux call reads and writes is the same on both ISAs and has one type here ([`Timespec`], [`Iovec`],
//! [`Utsname`]). What differs is `struct stat`, `struct epoll_event`, four `open` flags and the argument order of `clone`.
//! Signal frames are each ISA's own ([`signal_frame`]). Left out: terminal attributes and socket addresses.

mod clone;
mod epoll;
mod mmap_flags;
mod open_flags;
mod sigaction;
mod sigaltstack;
mod siginfo;
pub mod signal_frame;
mod stat;
mod time;
mod utsname;

pub use clone::{CloneArgs, CloneFlags};
pub use epoll::EpollEvent;
pub use mmap_flags::{MapFlags, Prot};
pub use open_flags::OpenFlags;
pub use sigaction::{KernelSigaction, SaFlags};
pub use sigaltstack::Sigaltstack;
pub use siginfo::Siginfo;
pub use stat::{FileType, Stat};
pub use time::{Iovec, Itimerval, Timespec, Timeval};
pub use utsname::Utsname;
