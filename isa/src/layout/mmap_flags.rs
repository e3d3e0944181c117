//! Protection and flags of `mmap`: the same on both ISAs but for MAP_32BIT, which only x86_64 knows.
//!
//! Source: include/uapi/asm-generic/mman-common.h and mman.h, arch/x86/include/uapi/asm/mman.h.

use bitflags::bitflags;

use crate::Isa;

bitflags! {
    /// What may be done with mapped memory.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Prot: u32 {
        /// PROT_READ.
        const READ = 1;
        /// PROT_WRITE.
        const WRITE = 2;
        /// PROT_EXEC.
        const EXEC = 4;
        /// PROT_GROWSDOWN: extend the change down to the start of the stack mapping.
        const GROWSDOWN = 0x0100_0000;
        /// PROT_GROWSUP.
        const GROWSUP = 0x0200_0000;
    }
}

bitflags! {
    /// How memory is mapped.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct MapFlags: u32 {
        /// Changes are seen by all who map it.
        const SHARED = 0x1;
        /// Changes are the mapper's own. With `SHARED` too: MAP_SHARED_VALIDATE, unknown flags are an error.
        const PRIVATE = 0x2;
        /// Exactly at the given address.
        const FIXED = 0x10;
        /// No file behind it.
        const ANONYMOUS = 0x20;
        /// In the lowest 2 GiB (x86_64).
        const MAP_32BIT = 0x40;
        /// A stack: grows down.
        const GROWSDOWN = 0x100;
        /// Ignored by Linux.
        const DENYWRITE = 0x800;
        /// Ignored by Linux.
        const EXECUTABLE = 0x1000;
        /// Keep it in memory.
        const LOCKED = 0x2000;
        /// Do not reserve swap.
        const NORESERVE = 0x4000;
        /// Populate the page tables at once.
        const POPULATE = 0x8000;
        /// With `POPULATE`: do not read ahead.
        const NONBLOCK = 0x1_0000;
        /// A hint that this is a stack; no effect.
        const STACK = 0x2_0000;
        /// Huge pages.
        const HUGETLB = 0x4_0000;
        /// Synchronous faults, with MAP_SHARED_VALIDATE.
        const SYNC = 0x8_0000;
        /// As `FIXED`, but fail where something is mapped.
        const FIXED_NOREPLACE = 0x10_0000;
        /// Do not clear the pages (no-MMU kernels).
        const UNINITIALIZED = 0x400_0000;
    }
}

impl MapFlags {
    /// Reads the flags of a program of an ISA; unknown bits are dropped, as Linux does without MAP_SHARED_VALIDATE.
    pub fn decode(isa: Isa, raw: u32) -> MapFlags {
        let flags = MapFlags::from_bits_truncate(raw);
        match isa {
            Isa::X86_64 => flags,
            Isa::Aarch64 => flags - MapFlags::MAP_32BIT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_as_libc_passes_them() {
        // (raw, what both understand)
        let cases = [
            (0x22, MapFlags::PRIVATE | MapFlags::ANONYMOUS),
            (
                0x32,
                MapFlags::PRIVATE | MapFlags::ANONYMOUS | MapFlags::FIXED,
            ),
            (
                0x2_0022,
                MapFlags::PRIVATE | MapFlags::ANONYMOUS | MapFlags::STACK,
            ),
            (0x1, MapFlags::SHARED),
            (0x8000_0022, MapFlags::PRIVATE | MapFlags::ANONYMOUS),
        ];
        for (raw, flags) in cases {
            for isa in Isa::ALL {
                assert_eq!(MapFlags::decode(isa, raw), flags, "{raw:#x} on {isa}");
            }
        }
        assert_eq!(MapFlags::decode(Isa::X86_64, 0x62).bits(), 0x62);
        assert_eq!(MapFlags::decode(Isa::Aarch64, 0x62).bits(), 0x22);
    }
}
