//! `stack_t`: an alternate signal stack. 24 bytes, the same on both ISAs; what differs is how small it may be.
//!
//! Source: include/uapi/asm-generic/signal.h; MINSIGSTKSZ of arch/x86/include/uapi/asm/signal.h and arch/arm64/include/uapi/asm/signal.h.

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::{Isa, VirtAddr};

/// An alternate signal stack.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct Sigaltstack {
    /// Its lowest address.
    pub sp: U64,
    /// [`Sigaltstack::DISABLE`] and others.
    pub flags: U32,
    /// Padding.
    pub pad: U32,
    /// Its length in bytes.
    pub size: U64,
}

const _: () = assert!(size_of::<Sigaltstack>() == 24);

impl Sigaltstack {
    /// SS_ONSTACK: the thread runs on it (in answers only).
    pub const ONSTACK: u32 = 1;
    /// SS_DISABLE: there is none.
    pub const DISABLE: u32 = 2;
    /// SS_AUTODISARM: forgotten while a handler runs on it.
    pub const AUTODISARM: u32 = 1 << 31;

    /// No alternate stack.
    pub const NONE: Self = Self {
        sp: U64::ZERO,
        flags: U32::new(Self::DISABLE),
        pad: U32::ZERO,
        size: U64::ZERO,
    };

    /// The least length that sigaltstack(2) takes.
    pub const fn minimum(isa: Isa) -> u64 {
        match isa {
            Isa::X86_64 => 2048,
            Isa::Aarch64 => 5120,
        }
    }

    /// Whether a stack pointer lies in it: above its lowest byte, at most at its end.
    pub fn holds(&self, sp: VirtAddr) -> bool {
        let start = self.sp.get();
        sp.0 > start && sp.0 - start <= self.size.get()
    }
}

impl Default for Sigaltstack {
    fn default() -> Self {
        Self::NONE
    }
}
