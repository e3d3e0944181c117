//! `struct rt_sigframe`: what a signal leaves on the stack of the thread that it interrupts, and what rt_sigreturn reads back.
//!
//! The frame holds a `siginfo_t` and a `ucontext_t`: stack and mask to go back to, and all registers in a `sigcontext` of the ISA's own. The
//! two files say what is where; here is what a kernel does with a frame without asking which ISA it is for.

mod aarch64;
mod fxsave;
mod x86_64;

use super::{Sigaltstack, Siginfo};
use crate::{RegisterFile, VirtAddr};

/// What the frame says of the fault that raised the signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultContext {
    /// The faulting address (x86_64: CR2; aarch64: `fault_address`).
    pub addr: VirtAddr,
    /// It was a store.
    pub write: bool,
    /// It was an instruction fetch.
    pub fetch: bool,
    /// There is an area, but it may not be used so.
    pub present: bool,
}

/// A handler to be entered.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its address.
    pub handler: VirtAddr,
    /// Where it returns to.
    pub restorer: VirtAddr,
    /// SA_SIGINFO: it takes three arguments.
    pub siginfo: bool,
    /// The signal.
    pub info: Siginfo,
    /// The fault behind it, if one is.
    pub fault: Option<FaultContext>,
    /// The mask to go back to.
    pub mask: u64,
    /// The alternate stack as the frame notes it.
    pub altstack: Sigaltstack,
    /// Below which address the frame is to lie, if it changes stacks; otherwise it lies below the interrupted stack pointer.
    pub stack: Option<VirtAddr>,
}

/// A frame: bytes for user memory, and the registers to enter the handler with.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Where it lies.
    pub at: VirtAddr,
    /// What is to be written there.
    pub bytes: Vec<u8>,
    /// The thread at the handler's first instruction. FP/SIMD registers are fresh on x86_64, and those of the interrupted thread on aarch64, as in
    /// Linux.
    pub regs: RegisterFile,
}

/// What rt_sigreturn finds in a frame besides registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returned {
    /// The mask to set.
    pub mask: u64,
    /// The alternate stack to set.
    pub altstack: Sigaltstack,
    /// Where FP/SIMD registers lie that are not part of the frame itself (x86_64), if any.
    pub fp_state: Option<VirtAddr>,
}

/// A frame that rt_sigreturn cannot use: the thread gets SIGSEGV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadFrame;

/// Builds the frame of a signal that interrupts a thread with the registers `regs`, all of them current.
pub fn build(regs: &RegisterFile, entry: &Entry) -> Frame {
    match regs {
        RegisterFile::X86_64(regs) => x86_64::build(regs, entry),
        RegisterFile::Aarch64(regs) => aarch64::build(regs, entry),
    }
}

/// Where the frame lies, and how long it is, that a thread calling rt_sigreturn with the registers `regs` means.
pub fn place(regs: &RegisterFile) -> Result<(VirtAddr, usize), BadFrame> {
    match regs {
        RegisterFile::X86_64(regs) => Ok(x86_64::place(regs)),
        RegisterFile::Aarch64(regs) => aarch64::place(regs),
    }
}

/// Loads the registers from a frame that was read from [`place`].
pub fn restore(regs: &mut RegisterFile, bytes: &[u8]) -> Result<Returned, BadFrame> {
    match regs {
        RegisterFile::X86_64(regs) => x86_64::restore(regs, bytes),
        RegisterFile::Aarch64(regs) => aarch64::restore(regs, bytes),
    }
}

/// Bytes of FP/SIMD state at [`Returned::fp_state`].
pub const FP_STATE_LEN: usize = fxsave::LEN;

/// Loads FP/SIMD registers from what lies at [`Returned::fp_state`].
pub fn restore_fp_state(regs: &mut RegisterFile, bytes: &[u8; FP_STATE_LEN]) {
    if let RegisterFile::X86_64(regs) = regs {
        fxsave::load(regs, bytes);
    }
}

/// The code that an aarch64 handler returns to where it gave no restorer (`__kernel_rt_sigreturn` of Linux's vDSO): `mov x8, #139; svc #0`.
pub const AARCH64_TRAMPOLINE: [u8; 8] = [0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4];

fn put(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

fn get(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn get32(bytes: &[u8], at: usize) -> u32 {
    get(bytes, at) as u32
}

#[cfg(test)]
mod tests;
