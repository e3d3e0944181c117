//! The user-visible registers of an aarch64 thread: Arm ARM (DDI 0487), B1.2, and the Linux ABI's use of them.
//!
//! Left out: SVE and SME state, pointer authentication keys, TPIDRRO_EL0 (Linux keeps it zero for 64-bit threads).

/// All user-visible registers of an aarch64 thread.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Aarch64Regs {
    /// X0 to X30.
    pub x: [u64; 31],
    /// SP_EL0.
    pub sp: u64,
    /// Program counter.
    pub pc: u64,
    /// The condition flags NZCV in bits 31 to 28, as in SPSR; all other bits zero (EL0t, nothing masked).
    pub pstate: u32,
    /// The thread pointer.
    pub tpidr_el0: u64,
    /// V0 to V31; the lowest lane is in the lowest bits.
    pub v: [u128; 32],
    /// Floating-point control; zero when user code starts.
    pub fpcr: u32,
    /// Floating-point status; zero when user code starts.
    pub fpsr: u32,
}

impl Aarch64Regs {
    /// Index of the frame pointer in `x`.
    pub const FP: usize = 29;

    /// Index of the link register in `x`.
    pub const LR: usize = 30;

    /// The bits of `pstate` that hold the condition flags.
    pub const NZCV: u32 = 0xf000_0000;

    pub(super) fn poison_simd(&mut self, byte: u8) {
        self.v = [u128::from_le_bytes([byte; 16]); 32];
        self.pstate = u32::from_le_bytes([byte; 4]) & Self::NZCV;
    }

    pub(super) fn named(&self) -> Vec<(&'static str, u64)> {
        const NAMES: [&str; 31] = [
            "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
            "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25",
            "x26", "x27", "x28", "x29", "x30",
        ];
        let rest = [
            ("sp", self.sp),
            ("pc", self.pc),
            ("tpidr_el0", self.tpidr_el0),
            ("pstate", u64::from(self.pstate)),
        ];
        NAMES.into_iter().zip(self.x).chain(rest).collect()
    }
}
