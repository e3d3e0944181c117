//! `struct kernel_sigaction`, what rt_sigaction reads and writes: 32 bytes on both ISAs.
//!
//! Source: arch/x86/include/uapi/asm/signal.h, include/uapi/asm-generic/signal.h; aarch64 has the restorer field too, because its asm/signal.h
//! defines SA_RESTORER. The ISAs differ in its use: x86_64 cannot return from a handler without a restorer, aarch64 then
//! returns through the vDSO.

use bitflags::bitflags;
use zerocopy::little_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

bitflags! {
    /// Flags of a signal's action.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct SaFlags: u64 {
        /// No SIGCHLD for stopped children.
        const NOCLDSTOP = 0x1;
        /// Children leave no zombies.
        const NOCLDWAIT = 0x2;
        /// The handler takes three arguments.
        const SIGINFO = 0x4;
        /// The restorer field is valid.
        const RESTORER = 0x0400_0000;
        /// Run on the alternate stack.
        const ONSTACK = 0x0800_0000;
        /// Restart interrupted calls.
        const RESTART = 0x1000_0000;
        /// Do not block the signal in its own handler.
        const NODEFER = 0x4000_0000;
        /// Back to the default action once it was delivered.
        const RESETHAND = 0x8000_0000;
    }
}

/// A signal's action as the kernel ABI has it.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Unaligned,
)]
#[repr(C)]
pub struct KernelSigaction {
    /// Address of the handler, or SIG_DFL (0), SIG_IGN (1).
    pub handler: U64,
    /// [`SaFlags`].
    pub flags: U64,
    /// Where the handler returns to, if [`SaFlags::RESTORER`].
    pub restorer: U64,
    /// Signals blocked while it runs: bit n - 1 is signal n.
    pub mask: U64,
}

const _: () = assert!(size_of::<KernelSigaction>() == 32);

impl KernelSigaction {
    /// Size in bytes of the signal set, which rt_sigaction and rt_sigprocmask are told and must check.
    pub const SIGSET_SIZE: u64 = 8;

    /// The flags; unknown ones are dropped.
    pub fn sa_flags(&self) -> SaFlags {
        SaFlags::from_bits_truncate(self.flags.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn offsets_of_both_isas() {
        assert_eq!(offset_of!(KernelSigaction, handler), 0);
        assert_eq!(offset_of!(KernelSigaction, flags), 8);
        assert_eq!(offset_of!(KernelSigaction, restorer), 16);
        assert_eq!(offset_of!(KernelSigaction, mask), 24);
    }

    #[test]
    fn flags_are_read() {
        let action = KernelSigaction {
            flags: U64::new(0x1400_0004),
            ..KernelSigaction::default()
        };
        assert_eq!(
            action.sa_flags(),
            SaFlags::SIGINFO | SaFlags::RESTORER | SaFlags::RESTART
        );
    }
}
