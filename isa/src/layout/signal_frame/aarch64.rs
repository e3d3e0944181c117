//! aarch64: `struct rt_sigframe` and `setup_rt_frame` (arch/arm64/kernel/signal.c, arch/arm64/include/uapi/asm/sigcontext.h), without SVE.
//!
//! ```text
//! 0     siginfo (128)
//! 128   ucontext: flags, link, stack (24), mask (8), unused (120), padding (8)
//! 304   sigcontext: fault address, x0 to x30, sp, pc, pstate, padding (8)
//! 592   records, 4096 bytes: fpsimd_context (528), after a fault esr_context (16), a record of zeroes
//! 4688  frame record: x29, x30
//! ```

use zerocopy::{FromBytes, IntoBytes};

use super::super::{Sigaltstack, Siginfo};
use super::{BadFrame, Entry, Frame, Returned, get, get32, put};
use crate::{Aarch64Regs, RegisterFile, VirtAddr};

const UCONTEXT: usize = Siginfo::USER_SIZE;
const UC_STACK: usize = UCONTEXT + 16;
const UC_MASK: usize = UCONTEXT + 40;
const SIGCONTEXT: usize = UCONTEXT + 176;
const X: usize = SIGCONTEXT + 8;
const SP: usize = X + 8 * 31;
const PC: usize = SP + 8;
const PSTATE: usize = PC + 8;
const RECORDS: usize = SIGCONTEXT + 288;
const LEN: usize = RECORDS + 4096;
const FRAME_RECORD: usize = 16;

const FPSIMD_MAGIC: u32 = 0x4650_8001;
const FPSIMD_LEN: usize = 528;
const FPSR: usize = 8;
const FPCR: usize = 12;
const V: usize = 16;
const ESR_MAGIC: u32 = 0x4553_5201;
const ESR_LEN: usize = 16;
/// A record's magic number and length.
const HEAD: usize = 8;

/// Exception classes of ESR_EL1 (Arm ARM, D17.2.37): instruction and data abort from EL0.
const CLASS_INSTRUCTION_ABORT: u64 = 0x20;
const CLASS_DATA_ABORT: u64 = 0x24;
const INSTRUCTION_IS_32_BITS: u64 = 1 << 25;
const WRITE_NOT_READ: u64 = 1 << 6;
/// Fault status codes at level 3.
const TRANSLATION_FAULT: u64 = 7;
const PERMISSION_FAULT: u64 = 15;

pub fn build(regs: &Aarch64Regs, entry: &Entry) -> Frame {
    let top = entry.stack.map_or(regs.sp, |top| top.0) & !15;
    let record = top.wrapping_sub(FRAME_RECORD as u64);
    let at = record.wrapping_sub(LEN as u64);
    let mut bytes = vec![0; LEN + FRAME_RECORD];
    bytes[..UCONTEXT].copy_from_slice(&entry.info.to_user());
    bytes[UC_STACK..UC_MASK].copy_from_slice(entry.altstack.as_bytes());
    put(&mut bytes, UC_MASK, entry.mask);
    for (index, x) in regs.x.into_iter().enumerate() {
        put(&mut bytes, X + 8 * index, x);
    }
    put(&mut bytes, SP, regs.sp);
    put(&mut bytes, PC, regs.pc);
    put(&mut bytes, PSTATE, regs.pstate.into());
    save_fpsimd(regs, &mut bytes[RECORDS..RECORDS + FPSIMD_LEN]);
    if let Some(fault) = entry.fault {
        put(&mut bytes, SIGCONTEXT, fault.addr.0);
        let at = RECORDS + FPSIMD_LEN;
        put(&mut bytes, at, head(ESR_MAGIC, ESR_LEN));
        let class = if fault.fetch {
            CLASS_INSTRUCTION_ABORT
        } else {
            CLASS_DATA_ABORT
        };
        let status = if fault.present {
            PERMISSION_FAULT
        } else {
            TRANSLATION_FAULT
        };
        let write = if fault.write { WRITE_NOT_READ } else { 0 };
        put(
            &mut bytes,
            at + HEAD,
            class << 26 | INSTRUCTION_IS_32_BITS | write | status,
        );
    }
    put(&mut bytes, LEN, regs.x[Aarch64Regs::FP]);
    put(&mut bytes, LEN + 8, regs.x[Aarch64Regs::LR]);

    let mut regs = regs.clone();
    regs.x[0] = entry.info.signo.get() as u64;
    if entry.siginfo {
        regs.x[1] = at;
        regs.x[2] = at.wrapping_add(UCONTEXT as u64);
    }
    regs.x[Aarch64Regs::FP] = record;
    regs.x[Aarch64Regs::LR] = entry.restorer.0;
    regs.sp = at;
    regs.pc = entry.handler.0;
    Frame {
        at: VirtAddr(at),
        bytes,
        regs: RegisterFile::Aarch64(Box::new(regs)),
    }
}

pub fn place(regs: &Aarch64Regs) -> Result<(VirtAddr, usize), BadFrame> {
    if regs.sp.is_multiple_of(16) {
        Ok((VirtAddr(regs.sp), LEN))
    } else {
        Err(BadFrame)
    }
}

pub fn restore(regs: &mut Aarch64Regs, bytes: &[u8]) -> Result<Returned, BadFrame> {
    let altstack = Sigaltstack::read_from_bytes(&bytes[UC_STACK..UC_MASK]).map_err(|_| BadFrame)?;
    let pstate = get(bytes, PSTATE);
    // `valid_user_regs`: only the condition flags are user space's.
    if pstate & !u64::from(Aarch64Regs::NZCV) != 0 {
        return Err(BadFrame);
    }
    restore_records(regs, &bytes[RECORDS..])?;
    for (index, x) in regs.x.iter_mut().enumerate() {
        *x = get(bytes, X + 8 * index);
    }
    regs.sp = get(bytes, SP);
    regs.pc = get(bytes, PC);
    regs.pstate = pstate as u32;
    Ok(Returned {
        mask: get(bytes, UC_MASK),
        altstack,
        fp_state: None,
    })
}

fn save_fpsimd(regs: &Aarch64Regs, out: &mut [u8]) {
    put(out, 0, head(FPSIMD_MAGIC, FPSIMD_LEN));
    out[FPSR..FPSR + 4].copy_from_slice(&regs.fpsr.to_le_bytes());
    out[FPCR..FPCR + 4].copy_from_slice(&regs.fpcr.to_le_bytes());
    for (index, v) in regs.v.into_iter().enumerate() {
        out[V + 16 * index..V + 16 * (index + 1)].copy_from_slice(&v.to_le_bytes());
    }
}

/// `parse_user_sigframe`, for the records that there are here. One with the FP/SIMD registers is required.
fn restore_records(regs: &mut Aarch64Regs, records: &[u8]) -> Result<(), BadFrame> {
    let mut at = 0;
    let mut found = false;
    while at + HEAD <= records.len() {
        let (magic, len) = (get32(records, at), get(records, at) >> 32);
        let len = usize::try_from(len).map_err(|_| BadFrame)?;
        match (magic, len) {
            (0, 0) if found => return Ok(()),
            (FPSIMD_MAGIC, FPSIMD_LEN) if !found && at + len <= records.len() => {
                restore_fpsimd(regs, &records[at..at + len]);
                found = true;
            }
            (ESR_MAGIC, ESR_LEN) => {}
            _ => return Err(BadFrame),
        }
        at += len;
    }
    Err(BadFrame)
}

fn restore_fpsimd(regs: &mut Aarch64Regs, record: &[u8]) {
    regs.fpsr = get32(record, FPSR);
    regs.fpcr = get32(record, FPCR);
    for (index, v) in regs.v.iter_mut().enumerate() {
        let mut lane = [0; 16];
        lane.copy_from_slice(&record[V + 16 * index..V + 16 * (index + 1)]);
        *v = u128::from_le_bytes(lane);
    }
}

fn head(magic: u32, len: usize) -> u64 {
    u64::from(magic) | (len as u64) << 32
}
