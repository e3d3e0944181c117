//! What is particular to x86_64: the register lists, the way into user mode, and the meaning of exceptions.
//!
//! A guest sees a Nehalem: SSE4.2, POPCNT and CMPXCHG16B, no AVX, no XSAVE, no RDRAND, whatever the host has. It runs at privilege level
//! 3 with Linux's selectors (CS 0x33, SS 0x2b). The time stamp counter is [`super::UnicornCpu::set_ticks`] plus retired instructions.
//! Left out: descriptor tables (loading a segment register with anything but null is a fault), 32-bit code, `int 0x80`.

use std::ffi::{c_int, c_void};

use isa::X86_64Regs;
use unicorn_engine_sys::{RegisterX86 as Reg, uc_x86_msr};

use super::engine::{Engine, STUB_VIRT, uc_error};

/// Exception and interrupt numbers (Intel SDM volume 3, table 6-1).
pub(super) mod vector {
    pub const DEBUG: u32 = 1;
    pub const BREAKPOINT: u32 = 3;
    pub const INVALID_OPCODE: u32 = 6;
    pub const X87: u32 = 16;
    pub const ALIGNMENT_CHECK: u32 = 17;
    pub const SIMD: u32 = 19;
}

/// The engine's own code: `sysret` into user mode, and 16 bytes on the `syscall` that ends the excursion.
pub(super) const STUB: &[u8] =
    b"\x48\x0f\x07\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\x0f\x05";

const GENERAL: [c_int; 20] = [
    Reg::RAX as c_int,
    Reg::RCX as c_int,
    Reg::RDX as c_int,
    Reg::RBX as c_int,
    Reg::RSP as c_int,
    Reg::RBP as c_int,
    Reg::RSI as c_int,
    Reg::RDI as c_int,
    Reg::R8 as c_int,
    Reg::R9 as c_int,
    Reg::R10 as c_int,
    Reg::R11 as c_int,
    Reg::R12 as c_int,
    Reg::R13 as c_int,
    Reg::R14 as c_int,
    Reg::R15 as c_int,
    Reg::RFLAGS as c_int,
    Reg::FS_BASE as c_int,
    Reg::GS_BASE as c_int,
    // Last, because only reads want it: a run is given where to begin.
    Reg::RIP as c_int,
];

fn general(regs: &mut X86_64Regs) -> [*mut c_void; 20] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] =
        regs.gpr.each_mut().map(|gpr| (&raw mut *gpr).cast());
    let flags = (&raw mut regs.rflags).cast();
    let (fs, gs) = (
        (&raw mut regs.fs_base).cast(),
        (&raw mut regs.gs_base).cast(),
    );
    [
        a,
        b,
        c,
        d,
        e,
        f,
        g,
        h,
        i,
        j,
        k,
        l,
        m,
        n,
        o,
        p,
        flags,
        fs,
        gs,
        (&raw mut regs.rip).cast(),
    ]
}

/// XMM0 to XMM15 follow each other in the engine's numbering, and so do ST0 to ST7.
const FP: [c_int; 28] = {
    let mut ids = [0; 28];
    let mut i = 0;
    while i < 16 {
        ids[i] = Reg::XMM0 as c_int + i as c_int;
        i += 1;
    }
    ids[16] = Reg::MXCSR as c_int;
    // The status word has the stack top, which the ST registers are relative to.
    ids[17] = Reg::FPSW as c_int;
    ids[18] = Reg::FPTAG as c_int;
    ids[19] = Reg::FPCW as c_int;
    i = 0;
    while i < 8 {
        ids[20 + i] = Reg::ST0 as c_int + i as c_int;
        i += 1;
    }
    ids
};

fn fp(regs: &mut X86_64Regs) -> [*mut c_void; 28] {
    let mut places = [std::ptr::null_mut(); 28];
    for (place, xmm) in places.iter_mut().zip(&mut regs.xmm) {
        *place = (&raw mut *xmm).cast();
    }
    places[16] = (&raw mut regs.mxcsr).cast();
    places[17] = (&raw mut regs.x87.status).cast();
    places[18] = (&raw mut regs.x87.tag).cast();
    places[19] = (&raw mut regs.x87.control).cast();
    for (place, st) in places[20..].iter_mut().zip(&mut regs.x87.st) {
        *place = (&raw mut *st).cast();
    }
    places
}

pub(super) fn load_general(engine: &Engine, regs: &mut X86_64Regs) {
    regs.rflags = X86_64Regs::sanitise_rflags(regs.rflags);
    let places = general(regs);
    // SAFETY: `general` gives places of 8 bytes each, alive in `regs`, for the 64-bit registers of `GENERAL`.
    unsafe { engine.write(&GENERAL[..19], &places[..19]) };
}

pub(super) fn save_general(engine: &Engine, regs: &mut X86_64Regs) {
    let places = general(regs);
    // SAFETY: as in `load_general`.
    unsafe { engine.read(&GENERAL, &places) };
}

pub(super) fn load_fp(engine: &Engine, regs: &mut X86_64Regs) {
    let places = fp(regs);
    // SAFETY: `fp` gives, in the order of `FP`, places of 16 bytes (XMM), 4 (MXCSR), 2 (status, tag, control) and 10 (ST).
    unsafe { engine.write(&FP, &places) };
}

pub(super) fn save_fp(engine: &Engine, regs: &mut X86_64Regs) {
    let places = fp(regs);
    // SAFETY: as in `load_fp`.
    unsafe { engine.read(&FP, &places) };
}

/// Sets RDX:RAX, from inside a hook or outside.
pub(super) fn time_stamp_places(halves: &mut [u64; 2]) -> ([c_int; 2], [*mut c_void; 2]) {
    let [low, high] = halves;
    (
        [Reg::RAX as c_int, Reg::RDX as c_int],
        [(&raw mut *low).cast(), (&raw mut *high).cast()],
    )
}

/// Brings a fresh instance, which starts in the kernel, to user mode. The stub page is mapped; returns what the run ended with.
pub(super) fn enter_user_mode(engine: &Engine) -> uc_error {
    // Protection, FPU without emulation, native x87 errors; SSE with its exceptions.
    let (mut cr0, mut cr4): (u64, u64) = (0x33, 0x600);
    let mut efer = uc_x86_msr {
        rid: 0xc000_0080,
        value: 0xd01,
    };
    let mut star = uc_x86_msr {
        rid: 0xc000_0081,
        value: 0x23 << 48,
    };
    let (mut rcx, mut r11) = (STUB_VIRT + 16, X86_64Regs::USER_RFLAGS);
    let ids = [Reg::CR0, Reg::CR4, Reg::MSR, Reg::MSR, Reg::RCX, Reg::R11].map(|reg| reg as c_int);
    let places: [*mut c_void; 6] = [
        (&raw mut cr0).cast(),
        (&raw mut cr4).cast(),
        (&raw mut efer).cast(),
        (&raw mut star).cast(),
        (&raw mut rcx).cast(),
        (&raw mut r11).cast(),
    ];
    // SAFETY: four 64-bit registers and two model-specific ones, each with a place of its type.
    unsafe { engine.write(&ids, &places) };
    engine.start(STUB_VIRT, 0)
}
