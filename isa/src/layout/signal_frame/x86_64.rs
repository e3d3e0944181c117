//! x86_64: `struct rt_sigframe` and `__setup_rt_frame` (arch/x86/kernel/signal.c, arch/x86/include/uapi/asm/sigcontext.h), on a CPU without XSAVE.
//!
//! ```text
//! 0     return address: the restorer
//! 8     ucontext: flags, link, stack (24), sigcontext (256), mask (8)
//! 312   siginfo (128)
//! ...   FXSAVE state (512), aligned to 64
//! ```

use zerocopy::{FromBytes, IntoBytes};

use super::super::{Sigaltstack, Siginfo};
use super::{BadFrame, Entry, Frame, Returned, fxsave, get, put};
use crate::{Gpr, RegisterFile, VirtAddr, X86_64Regs};

/// What code may use below its stack pointer (System V psABI, section 3.2.2).
const RED_ZONE: u64 = 128;
const UCONTEXT: usize = 8;
const UC_STACK: usize = UCONTEXT + 16;
const SIGCONTEXT: usize = UCONTEXT + 40;
const UC_MASK: usize = SIGCONTEXT + 256;
const SIGINFO: usize = UC_MASK + 8;
const LEN: usize = SIGINFO + Siginfo::USER_SIZE;
const FP_ALIGN: u64 = 64;

/// The general registers in the order of `struct sigcontext`, from its first byte on.
const GPRS: [Gpr; 16] = [
    Gpr::R8,
    Gpr::R9,
    Gpr::R10,
    Gpr::R11,
    Gpr::R12,
    Gpr::R13,
    Gpr::R14,
    Gpr::R15,
    Gpr::Rdi,
    Gpr::Rsi,
    Gpr::Rbp,
    Gpr::Rbx,
    Gpr::Rdx,
    Gpr::Rax,
    Gpr::Rcx,
    Gpr::Rsp,
];
const RIP: usize = SIGCONTEXT + 128;
const RFLAGS: usize = SIGCONTEXT + 136;
/// cs, gs, fs, ss; 16 bits each.
const SELECTORS: usize = SIGCONTEXT + 144;
const ERROR: usize = SIGCONTEXT + 152;
const TRAP: usize = SIGCONTEXT + 160;
const OLD_MASK: usize = SIGCONTEXT + 168;
const CR2: usize = SIGCONTEXT + 176;
const FP_STATE: usize = SIGCONTEXT + 184;

/// UC_SIGCONTEXT_SS and UC_STRICT_RESTORE_SS.
const UC_FLAGS: u64 = 6;
/// `__USER_CS` and `__USER_DS`.
const USER_SELECTORS: u64 = 0x33 | 0x2b << 48;
const TRAP_PAGE_FAULT: u64 = 14;
/// DF, RF and TF, which a handler starts without.
const CLEARED_FLAGS: u64 = 1 << 10 | 1 << 16 | 1 << 8;

pub fn build(regs: &X86_64Regs, entry: &Entry) -> Frame {
    let top = entry
        .stack
        .map_or(regs[Gpr::Rsp].wrapping_sub(RED_ZONE), |top| top.0);
    let fp_state = top.wrapping_sub(fxsave::LEN as u64) & !(FP_ALIGN - 1);
    // As behind a call: 8 bytes off a multiple of 16.
    let at = (fp_state.wrapping_sub(LEN as u64) & !15).wrapping_sub(8);
    let fp_at = fp_state.wrapping_sub(at) as usize;
    let mut bytes = vec![0; fp_at + fxsave::LEN];
    put(&mut bytes, 0, entry.restorer.0);
    put(&mut bytes, UCONTEXT, UC_FLAGS);
    bytes[UC_STACK..SIGCONTEXT].copy_from_slice(entry.altstack.as_bytes());
    for (index, gpr) in GPRS.into_iter().enumerate() {
        put(&mut bytes, SIGCONTEXT + 8 * index, regs[gpr]);
    }
    put(&mut bytes, RIP, regs.rip);
    put(&mut bytes, RFLAGS, regs.rflags);
    put(&mut bytes, SELECTORS, USER_SELECTORS);
    if let Some(fault) = entry.fault {
        let error = u64::from(fault.present)
            | u64::from(fault.write) << 1
            | 1 << 2
            | u64::from(fault.fetch) << 4;
        put(&mut bytes, ERROR, error);
        put(&mut bytes, TRAP, TRAP_PAGE_FAULT);
        put(&mut bytes, CR2, fault.addr.0);
    }
    put(&mut bytes, OLD_MASK, entry.mask);
    put(&mut bytes, FP_STATE, fp_state);
    put(&mut bytes, UC_MASK, entry.mask);
    bytes[SIGINFO..LEN].copy_from_slice(&entry.info.to_user());
    fxsave::save(regs, &mut bytes[fp_at..]);

    // A handler begins with a fresh FPU (`fpu__clear`).
    let fresh = X86_64Regs::default();
    let mut regs = X86_64Regs {
        xmm: fresh.xmm,
        mxcsr: fresh.mxcsr,
        x87: fresh.x87,
        ..regs.clone()
    };
    regs[Gpr::Rdi] = entry.info.signo.get() as u64;
    regs[Gpr::Rsi] = at.wrapping_add(SIGINFO as u64);
    regs[Gpr::Rdx] = at.wrapping_add(UCONTEXT as u64);
    regs[Gpr::Rax] = 0;
    regs[Gpr::Rsp] = at;
    regs.rip = entry.handler.0;
    regs.rflags &= !CLEARED_FLAGS;
    Frame {
        at: VirtAddr(at),
        bytes,
        regs: RegisterFile::X86_64(Box::new(regs)),
    }
}

/// The return to the restorer has taken the first word.
pub fn place(regs: &X86_64Regs) -> (VirtAddr, usize) {
    (VirtAddr(regs[Gpr::Rsp].wrapping_sub(8)), LEN)
}

pub fn restore(regs: &mut X86_64Regs, bytes: &[u8]) -> Result<Returned, BadFrame> {
    for (index, gpr) in GPRS.into_iter().enumerate() {
        regs[gpr] = get(bytes, SIGCONTEXT + 8 * index);
    }
    regs.rip = get(bytes, RIP);
    regs.rflags = X86_64Regs::sanitise_rflags(get(bytes, RFLAGS));
    let altstack =
        Sigaltstack::read_from_bytes(&bytes[UC_STACK..SIGCONTEXT]).map_err(|_| BadFrame)?;
    let fp_state = get(bytes, FP_STATE);
    Ok(Returned {
        mask: get(bytes, UC_MASK),
        altstack,
        fp_state: (fp_state != 0).then_some(VirtAddr(fp_state)),
    })
}
