//! `struct regset_aarch64`: 784 bytes.
//!
//! It has no PSTATE, FPCR or FPSR: flags are clear after an arrival.

use zerocopy::little_endian::{U64, U128};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::Aarch64Regs;

/// The registers of an aarch64 thread as Popcorn's messages and `uregs` hold them.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct RegsetAarch64 {
    /// SP_EL0.
    pub sp: U64,
    /// Program counter.
    pub pc: U64,
    /// X0 to X30.
    pub x: [U64; 31],
    /// Padding before the 16-byte aligned `v`.
    pub pad: [u8; 8],
    /// V0 to V31.
    pub v: [U128; 32],
}

impl RegsetAarch64 {
    /// The set that describes a thread, FP/SIMD registers included.
    pub fn capture(regs: &Aarch64Regs) -> Self {
        Self {
            sp: U64::new(regs.sp),
            pc: U64::new(regs.pc),
            x: regs.x.map(U64::new),
            pad: [0; 8],
            v: regs.v.map(U128::new),
        }
    }

    /// What the kernel does with a set at arrival: X0 to X30, SP, PC, and the flags clear. All else stays.
    pub fn restore(&self, regs: &mut Aarch64Regs) {
        regs.x = self.x.map(U64::get);
        regs.sp = self.sp.get();
        regs.pc = self.pc.get();
        regs.pstate = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn offsets_are_those_of_the_kernel() {
        assert_eq!(offset_of!(RegsetAarch64, sp), 0);
        assert_eq!(offset_of!(RegsetAarch64, pc), 8);
        assert_eq!(offset_of!(RegsetAarch64, x), 16);
        assert_eq!(offset_of!(RegsetAarch64, pad), 264);
        assert_eq!(offset_of!(RegsetAarch64, v), 272);
        assert_eq!(size_of::<RegsetAarch64>(), 784);
    }

    fn counting() -> Aarch64Regs {
        Aarch64Regs {
            x: std::array::from_fn(|index| index as u64 + 1),
            sp: 100,
            pc: 101,
            pstate: Aarch64Regs::NZCV,
            tpidr_el0: 102,
            v: std::array::from_fn(|index| (index as u128 + 1) << 64),
            fpcr: 103,
            fpsr: 104,
        }
    }

    #[test]
    fn registers_land_at_their_offsets() {
        let set = RegsetAarch64::capture(&counting());
        let bytes = set.as_bytes();
        for (offset, value) in [
            (0, 100),
            (8, 101),
            (16, 1),
            (16 + 30 * 8, 31),
            (264, 0),
            (272, 0),
            (280, 1),
            (776, 32),
        ] {
            assert_eq!(bytes[offset], value, "at {offset}");
        }
    }

    #[test]
    fn restore_takes_what_the_kernel_takes() {
        let mut regs = Aarch64Regs {
            pstate: Aarch64Regs::NZCV,
            tpidr_el0: 7,
            fpcr: 8,
            ..Aarch64Regs::default()
        };
        RegsetAarch64::capture(&counting()).restore(&mut regs);
        let expected = Aarch64Regs {
            x: counting().x,
            sp: 100,
            pc: 101,
            tpidr_el0: 7,
            fpcr: 8,
            ..Aarch64Regs::default()
        };
        assert_eq!(regs, expected);
    }
}
