//! The user-visible registers of an x86_64 thread: Intel SDM volume 1, chapter 3 (general), 8 (x87) and 10 (SSE).
//!
//! Left out: segment selectors (64-bit Linux user code has fixed ones), AVX and the MPX/PKU state.

use std::ops::{Index, IndexMut};

/// A general register; the discriminant is its number in instruction encodings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[expect(missing_docs, reason = "the variants are the manual's names")]
pub enum Gpr {
    Rax,
    Rcx,
    Rdx,
    Rbx,
    Rsp,
    Rbp,
    Rsi,
    Rdi,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
}

impl Gpr {
    /// All sixteen, in encoding order.
    pub const ALL: [Gpr; 16] = [
        Gpr::Rax,
        Gpr::Rcx,
        Gpr::Rdx,
        Gpr::Rbx,
        Gpr::Rsp,
        Gpr::Rbp,
        Gpr::Rsi,
        Gpr::Rdi,
        Gpr::R8,
        Gpr::R9,
        Gpr::R10,
        Gpr::R11,
        Gpr::R12,
        Gpr::R13,
        Gpr::R14,
        Gpr::R15,
    ];

    /// The manual's name in lower case.
    pub const fn name(self) -> &'static str {
        const NAMES: [&str; 16] = [
            "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11",
            "r12", "r13", "r14", "r15",
        ];
        NAMES[self as usize]
    }
}

/// Where Linux takes system call arguments from (arch/x86/entry/calling.h).
pub(super) const SYSCALL_ARGS: [Gpr; 6] =
    [Gpr::Rdi, Gpr::Rsi, Gpr::Rdx, Gpr::R10, Gpr::R8, Gpr::R9];

/// Where a function takes integer arguments from (System V psABI, section 3.2.3).
pub(super) const CALL_ARGS: [Gpr; 6] = [Gpr::Rdi, Gpr::Rsi, Gpr::Rdx, Gpr::Rcx, Gpr::R8, Gpr::R9];

/// The x87 unit, as FSAVE knows it, without the pointers to the last instruction and operand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct X87 {
    /// Control word; 0x37f after FNINIT as Linux leaves it.
    pub control: u16,
    /// Status word, with the stack top in bits 11 to 13.
    pub status: u16,
    /// Full tag word, two bits per physical register; 0xffff is all empty.
    pub tag: u16,
    /// The 80-bit registers ST(0) to ST(7) relative to the top, little-endian.
    pub st: [[u8; 10]; 8],
}

impl Default for X87 {
    fn default() -> Self {
        Self {
            control: 0x37f,
            status: 0,
            tag: 0xffff,
            st: [[0; 10]; 8],
        }
    }
}

/// All user-visible registers of an x86_64 thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct X86_64Regs {
    /// General registers in encoding order; index with a [`Gpr`].
    pub gpr: [u64; 16],
    /// Instruction pointer.
    pub rip: u64,
    /// Flags; 0x202 (interrupts enabled, the always-one bit) when user code starts.
    pub rflags: u64,
    /// Base of FS: the thread pointer.
    pub fs_base: u64,
    /// Base of GS: free for user code.
    pub gs_base: u64,
    /// SSE registers; the lowest lane is in the lowest bits.
    pub xmm: [u128; 16],
    /// SSE control and status; 0x1f80 masks all exceptions.
    pub mxcsr: u32,
    /// The x87 unit.
    pub x87: X87,
}

impl Default for X86_64Regs {
    fn default() -> Self {
        Self {
            gpr: [0; 16],
            rip: 0,
            rflags: Self::USER_RFLAGS,
            fs_base: 0,
            gs_base: 0,
            xmm: [0; 16],
            mxcsr: 0x1f80,
            x87: X87::default(),
        }
    }
}

impl X86_64Regs {
    /// RFLAGS when user code starts: IF and the bit that reads as one.
    pub const USER_RFLAGS: u64 = 0x202;

    /// CF, PF, AF, ZF, SF and OF: what arithmetic sets and no call preserves.
    pub const ARITHMETIC_FLAGS: u64 = 0x8d5;

    /// The flags user code may set freely: Linux's `FIX_EFLAGS` (arch/x86/kernel/signal.c), without RF.
    ///
    /// The arithmetic flags, TF, DF and AC.
    pub const USER_SETTABLE_FLAGS: u64 = Self::ARITHMETIC_FLAGS | 1 << 8 | 1 << 10 | 1 << 18;

    /// `rflags` from an untrusted source made legal: only the user-settable bits, interrupts on, the constant bit one.
    pub const fn sanitise_rflags(rflags: u64) -> u64 {
        rflags & Self::USER_SETTABLE_FLAGS | Self::USER_RFLAGS
    }

    pub(super) fn poison_simd(&mut self, byte: u8) {
        self.xmm = [u128::from_le_bytes([byte; 16]); 16];
        self.x87.st = [[byte; 10]; 8];
        let pattern = u64::from_le_bytes([byte; 8]) & Self::ARITHMETIC_FLAGS;
        self.rflags = self.rflags & !Self::ARITHMETIC_FLAGS | pattern;
    }

    pub(super) fn named(&self) -> Vec<(&'static str, u64)> {
        let gprs = Gpr::ALL.map(|gpr| (gpr.name(), self[gpr]));
        let rest = [
            ("rip", self.rip),
            ("rflags", self.rflags),
            ("fs_base", self.fs_base),
            ("gs_base", self.gs_base),
        ];
        gprs.into_iter().chain(rest).collect()
    }
}

impl Index<Gpr> for X86_64Regs {
    type Output = u64;

    fn index(&self, gpr: Gpr) -> &u64 {
        &self.gpr[gpr as usize]
    }
}

impl IndexMut<Gpr> for X86_64Regs {
    fn index_mut(&mut self, gpr: Gpr) -> &mut u64 {
        &mut self.gpr[gpr as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_order() {
        for (number, gpr) in Gpr::ALL.into_iter().enumerate() {
            assert_eq!(gpr as usize, number);
            assert_eq!(gpr.name(), format!("{gpr:?}").to_lowercase());
        }
    }

    #[test]
    fn flags_from_outside_are_made_legal() {
        // (given, made of it)
        let cases = [
            (0, 0x202),
            (u64::MAX, 0x202 | 0x8d5 | 0x100 | 0x400 | 0x40000),
            (0x3000, 0x202),   // IOPL
            (0x2_0000, 0x202), // VM
            (0x246, 0x246),
        ];
        for (given, made) in cases {
            assert_eq!(X86_64Regs::sanitise_rflags(given), made, "{given:#x}");
        }
    }
}
