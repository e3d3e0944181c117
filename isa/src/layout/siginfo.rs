//! `siginfo_t`: what a handler learns about its signal. The same on both ISAs.
//!
//! Source: include/uapi/asm-generic/siginfo.h. User memory has 128 bytes of it, of which Linux fills the first 48 (`struct kernel_siginfo`) and
//! zeroes the rest.

use zerocopy::little_endian::{I32, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::VirtAddr;

/// The part of `siginfo_t` that says something, 48 bytes.
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
pub struct Siginfo {
    /// The signal's number.
    pub signo: I32,
    /// Always 0.
    pub errno: I32,
    /// Who sent it or why it came: one of the constants below.
    pub code: I32,
    pad: I32,
    /// The sender (two 32-bit halves: pid, uid), or the address of a fault.
    pub origin: U64,
    /// sigqueue(3)'s value.
    pub value: U64,
    rest: [U64; 2],
}

const _: () = assert!(size_of::<Siginfo>() == 48);

impl Siginfo {
    /// Bytes of a `siginfo_t` in user memory.
    pub const USER_SIZE: usize = 128;

    /// kill(2).
    pub const SI_USER: i32 = 0;
    /// The kernel.
    pub const SI_KERNEL: i32 = 0x80;
    /// sigqueue(3).
    pub const SI_QUEUE: i32 = -1;
    /// tkill(2), tgkill(2).
    pub const SI_TKILL: i32 = -6;
    /// SIGILL: the operand is illegal; x86_64's for every invalid instruction.
    pub const ILL_ILLOPN: i32 = 2;
    /// SIGILL: the opcode is; aarch64's.
    pub const ILL_ILLOPC: i32 = 1;
    /// SIGFPE: integer division by zero.
    pub const FPE_INTDIV: i32 = 1;
    /// SIGSEGV: nothing is mapped there.
    pub const SEGV_MAPERR: i32 = 1;
    /// SIGSEGV: it may not be used so.
    pub const SEGV_ACCERR: i32 = 2;
    /// SIGBUS: alignment.
    pub const BUS_ADRALN: i32 = 1;
    /// SIGBUS: beyond the end of the file.
    pub const BUS_ADRERR: i32 = 2;
    /// SIGTRAP: a breakpoint.
    pub const TRAP_BRKPT: i32 = 1;

    /// A signal that somebody sent. `code` is one of SI_*.
    pub fn sent(signo: i32, code: i32, pid: i32, uid: u32) -> Self {
        Self {
            signo: I32::new(signo),
            code: I32::new(code),
            origin: U64::new(u64::from(uid) << 32 | u64::from(pid.cast_unsigned())),
            ..Self::default()
        }
    }

    /// A signal for a fault at an address.
    pub fn fault(signo: i32, code: i32, addr: VirtAddr) -> Self {
        Self {
            signo: I32::new(signo),
            code: I32::new(code),
            origin: U64::new(addr.0),
            ..Self::default()
        }
    }

    /// The sender, if somebody sent it.
    pub fn pid(&self) -> I32 {
        I32::new(self.origin.get() as i32)
    }

    /// The sender's user.
    pub fn uid(&self) -> U32 {
        U32::new((self.origin.get() >> 32) as u32)
    }

    /// As user memory has it.
    pub fn to_user(&self) -> [u8; Self::USER_SIZE] {
        let mut bytes = [0; Self::USER_SIZE];
        bytes[..size_of::<Self>()].copy_from_slice(self.as_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_lie_where_both_isas_have_them() {
        let bytes = Siginfo::sent(10, Siginfo::SI_TKILL, 1000, 7).to_user();
        let word = |at: usize| i32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(
            (word(0), word(4), word(8), word(16), word(20)),
            (10, 0, -6, 1000, 7)
        );
        let fault = Siginfo::fault(11, Siginfo::SEGV_MAPERR, VirtAddr(0x1234_5678_9abc)).to_user();
        assert_eq!(fault[16..24], 0x1234_5678_9abc_u64.to_le_bytes());
        assert!(fault[24..].iter().all(|byte| *byte == 0));
    }
}
