//! What is particular to aarch64: the register lists, the system registers as Linux sets them for user code, and exceptions.
//!
//! A guest sees QEMU's `max` CPU at EL0, little-endian: ARMv8.5 with LSE, without SVE, pointer authentication or BTI enabled. The
//! generic timer counts [`super::UnicornCpu::set_ticks`] plus retired instructions, at a nominal [`COUNTER_HZ`]. RNDR never has a number.
//! Left out: ID registers (Linux emulates reads of them from EL0), performance counters, AArch32.

use std::ffi::{c_int, c_void};

use isa::{Aarch64Regs, VirtAddr};
use unicorn_engine_sys::{RegisterARM64 as Reg, RegisterARM64CP as SystemRegister};

use super::engine::Engine;

/// What CNTFRQ_EL0 says, in Hz: the frequency that Arm's server base system architecture requires from version 8.6 on.
pub(super) const COUNTER_HZ: u64 = 1_000_000_000;

/// Exceptions as the engine numbers them.
pub(super) mod exception {
    pub const UNDEFINED: u32 = 1;
    pub const SUPERVISOR_CALL: u32 = 2;
    pub const PREFETCH_ABORT: u32 = 3;
    pub const DATA_ABORT: u32 = 4;
    pub const BREAKPOINT: u32 = 7;
}

/// The engine's own code: `clrex; svc #0`, which ends an open exclusive access when another thread comes.
pub(super) const STUB: &[u8] = b"\x5f\x3f\x03\xd5\x01\x00\x00\xd4";

const fn run_of(first: Reg) -> [c_int; 32] {
    let mut ids = [0; 32];
    let mut i = 0;
    while i < 32 {
        ids[i] = first as c_int + i as c_int;
        i += 1;
    }
    ids
}

/// X0 to X28 follow each other in the engine's numbering.
const GENERAL: [c_int; 35] = {
    let x = run_of(Reg::X0);
    let mut ids = [0; 35];
    let mut i = 0;
    while i < 29 {
        ids[i] = x[i];
        i += 1;
    }
    ids[29] = Reg::X29 as c_int;
    ids[30] = Reg::X30 as c_int;
    ids[31] = Reg::SP as c_int;
    ids[32] = Reg::TPIDR_EL0 as c_int;
    ids[33] = Reg::NZCV as c_int;
    // Last, because only reads want it: a run is given where to begin.
    ids[34] = Reg::PC as c_int;
    ids
};

fn general(regs: &mut Aarch64Regs) -> [*mut c_void; 35] {
    let mut places = [std::ptr::null_mut(); 35];
    for (place, x) in places.iter_mut().zip(&mut regs.x) {
        *place = (&raw mut *x).cast();
    }
    places[31] = (&raw mut regs.sp).cast();
    places[32] = (&raw mut regs.tpidr_el0).cast();
    places[33] = (&raw mut regs.pstate).cast();
    places[34] = (&raw mut regs.pc).cast();
    places
}

/// V0 to V31 follow each other, too.
const FP: [c_int; 34] = {
    let v = run_of(Reg::V0);
    let mut ids = [0; 34];
    let mut i = 0;
    while i < 32 {
        ids[i] = v[i];
        i += 1;
    }
    ids[32] = Reg::FPCR as c_int;
    ids[33] = Reg::FPSR as c_int;
    ids
};

fn fp(regs: &mut Aarch64Regs) -> [*mut c_void; 34] {
    let mut places = [std::ptr::null_mut(); 34];
    for (place, v) in places.iter_mut().zip(&mut regs.v) {
        *place = (&raw mut *v).cast();
    }
    places[32] = (&raw mut regs.fpcr).cast();
    places[33] = (&raw mut regs.fpsr).cast();
    places
}

pub(super) fn load_general(engine: &Engine, regs: &mut Aarch64Regs) {
    regs.pstate &= Aarch64Regs::NZCV;
    let places = general(regs);
    // SAFETY: `general` gives, in the order of `GENERAL`, places of 8 bytes but for the 4 of the flags, alive in `regs`.
    unsafe { engine.write(&GENERAL[..34], &places[..34]) };
}

pub(super) fn save_general(engine: &Engine, regs: &mut Aarch64Regs) {
    let places = general(regs);
    // SAFETY: as in `load_general`.
    unsafe { engine.read(&GENERAL, &places) };
}

pub(super) fn load_fp(engine: &Engine, regs: &mut Aarch64Regs) {
    let places = fp(regs);
    // SAFETY: `fp` gives places of 16 bytes for V0 to V31 and of 4 for FPCR and FPSR, alive in `regs`.
    unsafe { engine.write(&FP, &places) };
}

pub(super) fn save_fp(engine: &Engine, regs: &mut Aarch64Regs) {
    let places = fp(regs);
    // SAFETY: as in `load_fp`.
    unsafe { engine.read(&FP, &places) };
}

/// Sets the result and the flags of a read of RNDR: `x` gets 0, and Z says that there was no random number.
pub(super) fn no_random_number(
    x: c_int,
    value: &mut u64,
    nzcv: &mut u32,
) -> ([c_int; 2], [*mut c_void; 2]) {
    (*value, *nzcv) = (0, 1 << 30);
    (
        [x, Reg::NZCV as c_int],
        [(&raw mut *value).cast(), (&raw mut *nzcv).cast()],
    )
}

/// Brings a fresh instance, which starts at EL1, to EL0 with the system registers that Linux gives user code.
pub(super) fn enter_user_mode(engine: &Engine) {
    let system = |crn, crm, op2| SystemRegister {
        crn,
        crm,
        op0: 3,
        op1: 0,
        op2,
        val: 0,
    };
    let mut sctlr = system(1, 0, 0);
    let ids = [Reg::CP_REG as c_int];
    // SAFETY: a system register is read and written through a `SystemRegister`.
    unsafe { engine.read(&ids, &[(&raw mut sctlr).cast()]) };
    // DC ZVA, CTR_EL0, WFI, WFE and cache maintenance are open to EL0 (SCTLR_EL1: DZE, UCT, nTWI, nTWE, UCI).
    sctlr.val |= 1 << 14 | 1 << 15 | 1 << 16 | 1 << 18 | 1 << 26;
    // The top byte of a user address is ignored (TCR_EL1.TBI0).
    let mut tcr = SystemRegister {
        val: 1 << 37,
        ..system(2, 0, 2)
    };
    // FP and SIMD do not trap (CPACR_EL1.FPEN); SVE does.
    let mut cpacr = SystemRegister {
        val: 3 << 20,
        ..system(1, 0, 2)
    };
    let mut el0t: u32 = 0;
    let ids = [Reg::CP_REG, Reg::CP_REG, Reg::PSTATE, Reg::CP_REG].map(|reg| reg as c_int);
    // The last one also makes the engine look at the exception level again.
    let places: [*mut c_void; 4] = [
        (&raw mut sctlr).cast(),
        (&raw mut tcr).cast(),
        (&raw mut el0t).cast(),
        (&raw mut cpacr).cast(),
    ];
    // SAFETY: as above, and PSTATE has 4 bytes.
    unsafe { engine.write(&ids, &places) };
}

/// A data address without its top byte, which the engine leaves to the TLB to ignore. Linux reports faults at such addresses.
pub(super) fn untagged(address: u64) -> VirtAddr {
    VirtAddr(((address << 8) as i64 >> 8) as u64)
}

/// A read of the generic timer from EL0, which traps: what is read, and into which X register (31: nowhere).
pub(super) fn timer_read(instruction: u32) -> Option<(TimerRegister, usize)> {
    let register = match instruction & !0x1f {
        0xd53b_e000 => TimerRegister::Frequency,
        // CNTPCT_EL0 and CNTVCT_EL0, and since ARMv8.6 their self-synchronising forms.
        0xd53b_e020 | 0xd53b_e040 | 0xd53b_e0a0 | 0xd53b_e0c0 => TimerRegister::Count,
        _ => return None,
    };
    Some((register, (instruction & 0x1f) as usize))
}

/// The registers of [`timer_read`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimerRegister {
    /// CNTFRQ_EL0.
    Frequency,
    /// CNTVCT_EL0 and CNTPCT_EL0.
    Count,
}

/// Whether a page of code has an instruction that asks for a random number: MRS of RNDR or RNDRRS.
pub(super) fn asks_for_random_numbers(code: &[u8]) -> bool {
    code.as_chunks::<4>()
        .0
        .iter()
        .any(|&word| is_random_read(u32::from_le_bytes(word)))
}

fn is_random_read(instruction: u32) -> bool {
    instruction & !0x3f == 0xd53b_2400
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_register_reads() {
        let cases = [
            (0xd53b_e043, Some((TimerRegister::Count, 3))), // mrs x3, cntvct_el0
            (0xd53b_e03f, Some((TimerRegister::Count, 31))), // mrs xzr, cntpct_el0
            (0xd53b_e000, Some((TimerRegister::Frequency, 0))), // mrs x0, cntfrq_el0
            (0xd53b_d040, None),                            // mrs x0, tpidr_el0
        ];
        for (instruction, expected) in cases {
            assert_eq!(timer_read(instruction), expected, "{instruction:#x}");
        }
    }

    #[test]
    fn random_numbers_are_noticed() {
        let page = |word: u32| [0xd503_201f_u32, word].map(u32::to_le_bytes).concat();
        assert!(asks_for_random_numbers(&page(0xd53b_2407)), "mrs x7, rndr");
        assert!(
            asks_for_random_numbers(&page(0xd53b_243f)),
            "mrs xzr, rndrrs"
        );
        assert!(!asks_for_random_numbers(&page(0xd53b_4200)), "mrs x0, nzcv");
    }
}
