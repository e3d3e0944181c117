//! `struct regset_x86_64`: 624 bytes.
//!
//! The kernel restores from it the general registers, RIP, RSP and RFLAGS, and nothing else. The SIMD and x87 parts are carried for the
//! user-space migration code, which reloads from its own buffer what it needs.

use zerocopy::little_endian::{U32, U64, U128};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::{Gpr, X86_64Regs};

/// The registers of an x86_64 thread as Popcorn's messages and `uregs` hold them.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the registers of those names")]
pub struct RegsetX86_64 {
    pub rip: U64,
    pub rax: U64,
    pub rdx: U64,
    pub rcx: U64,
    pub rbx: U64,
    pub rsi: U64,
    pub rdi: U64,
    pub rbp: U64,
    pub rsp: U64,
    pub r8: U64,
    pub r9: U64,
    pub r10: U64,
    pub r11: U64,
    pub r12: U64,
    pub r13: U64,
    pub r14: U64,
    pub r15: U64,
    /// MM0 to MM7: the mantissas of the physical x87 registers.
    pub mmx: [U64; 8],
    /// Padding before the 16-byte aligned `xmm`.
    pub pad: [u8; 8],
    pub xmm: [U128; 16],
    /// ST(0) to ST(7): `long double`, 10 bytes used of each 16.
    pub st: [[u8; 16]; 8],
    pub cs: U32,
    pub ss: U32,
    pub ds: U32,
    pub es: U32,
    pub fs: U32,
    pub gs: U32,
    pub rflags: U64,
}

/// `__USER_CS` of 64-bit Linux.
const USER_CS: u32 = 0x33;
/// `__USER_DS` of 64-bit Linux, which is also the user SS.
const USER_DS: u32 = 0x2b;

impl RegsetX86_64 {
    /// The general registers with the name each has in the register file, in the set's own order (not the encoding order).
    fn general(&mut self) -> [(Gpr, &mut U64); 16] {
        [
            (Gpr::Rax, &mut self.rax),
            (Gpr::Rdx, &mut self.rdx),
            (Gpr::Rcx, &mut self.rcx),
            (Gpr::Rbx, &mut self.rbx),
            (Gpr::Rsi, &mut self.rsi),
            (Gpr::Rdi, &mut self.rdi),
            (Gpr::Rbp, &mut self.rbp),
            (Gpr::Rsp, &mut self.rsp),
            (Gpr::R8, &mut self.r8),
            (Gpr::R9, &mut self.r9),
            (Gpr::R10, &mut self.r10),
            (Gpr::R11, &mut self.r11),
            (Gpr::R12, &mut self.r12),
            (Gpr::R13, &mut self.r13),
            (Gpr::R14, &mut self.r14),
            (Gpr::R15, &mut self.r15),
        ]
    }

    /// The set that describes a thread, FP and SIMD registers included.
    pub fn capture(regs: &X86_64Regs) -> Self {
        let mut set = Self::new_zeroed();
        for (gpr, field) in set.general() {
            field.set(regs[gpr]);
        }
        set.rip.set(regs.rip);
        set.rflags.set(regs.rflags);
        set.cs.set(USER_CS);
        set.ss.set(USER_DS);
        set.xmm = regs.xmm.map(U128::new);
        for (field, st) in set.st.iter_mut().zip(&regs.x87.st) {
            field[..10].copy_from_slice(st);
        }
        let top = usize::from(regs.x87.status >> 11 & 7);
        for (index, st) in regs.x87.st.iter().enumerate() {
            let mantissa = st.first_chunk::<8>().expect("ten bytes hold eight");
            set.mmx[(top + index) % 8] = U64::from_bytes(*mantissa);
        }
        set
    }

    /// What the kernel does with a set at arrival: general registers, RIP, RSP, and RFLAGS reduced to what user code may set.
    ///
    /// FP, SIMD, segment and thread-pointer registers stay as they are.
    pub fn restore(&self, regs: &mut X86_64Regs) {
        let mut set = *self;
        for (gpr, field) in set.general() {
            regs[gpr] = field.get();
        }
        regs.rip = self.rip.get();
        regs.rflags = X86_64Regs::sanitise_rflags(self.rflags.get());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn offsets_are_those_of_the_kernel() {
        macro_rules! offsets {
            ($($field:ident)*) => { [$((stringify!($field), offset_of!(RegsetX86_64, $field))),*] };
        }
        let fields = offsets!(rip rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15
            mmx pad xmm st cs ss ds es fs gs rflags);
        let expected = [
            0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128, 136, 200, 208,
            464, 592, 596, 600, 604, 608, 612, 616,
        ];
        for ((name, offset), expected) in fields.into_iter().zip(expected) {
            assert_eq!(offset, expected, "{name}");
        }
        assert_eq!(fields.len(), expected.len());
        assert_eq!(size_of::<RegsetX86_64>(), 624);
    }

    fn counting() -> X86_64Regs {
        let mut regs = X86_64Regs {
            rip: 100,
            rflags: 0x246,
            fs_base: 101,
            gs_base: 102,
            ..X86_64Regs::default()
        };
        regs.gpr = std::array::from_fn(|index| index as u64 + 1);
        regs.xmm = std::array::from_fn(|index| (index as u128 + 1) << 64);
        regs.x87.st = std::array::from_fn(|index| [index as u8 + 1; 10]);
        regs.x87.status = 6 << 11;
        regs
    }

    #[test]
    fn registers_land_at_their_offsets() {
        let set = RegsetX86_64::capture(&counting());
        let bytes = set.as_bytes();
        // (offset, encoding number + 1): the set's order differs from the encoding's
        let general = [
            (8, 1),
            (16, 3),
            (24, 2),
            (32, 4),
            (40, 7),
            (48, 8),
            (56, 6),
            (64, 5),
            (72, 9),
            (128, 16),
        ];
        for (offset, value) in general {
            assert_eq!(bytes[offset], value, "at {offset}");
        }
        assert_eq!(
            (bytes[0], bytes[208 + 8], bytes[208 + 16 * 15 + 8]),
            (100, 1, 16)
        );
        assert_eq!(
            (bytes[464], bytes[473], bytes[474], bytes[464 + 16 * 7]),
            (1, 1, 0, 8)
        );
        assert_eq!(
            (bytes[136], bytes[136 + 6 * 8]),
            (3, 1),
            "with top 6, ST(0) is MM6 and MM0 is ST(2)"
        );
        assert_eq!(
            (bytes[592], bytes[596], bytes[616], bytes[617]),
            (0x33, 0x2b, 0x46, 2)
        );
    }

    #[test]
    fn restore_takes_what_the_kernel_takes() {
        let mut set = RegsetX86_64::capture(&counting());
        set.rflags.set(u64::MAX);
        let mut regs = X86_64Regs {
            fs_base: 7,
            ..X86_64Regs::default()
        };
        set.restore(&mut regs);
        let expected = X86_64Regs {
            gpr: counting().gpr,
            rip: 100,
            rflags: X86_64Regs::sanitise_rflags(u64::MAX),
            fs_base: 7,
            ..X86_64Regs::default()
        };
        assert_eq!(regs, expected);
    }
}
