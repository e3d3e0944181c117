//! The registers that unwinding follows, by their DWARF numbers.
//!
//! Source: the System V psABI, figure 3.36 (x86_64), and "DWARF for the Arm 64-bit Architecture", table 1.

use crate::{Aarch64Regs, Gpr, Isa, RegisterFile, VirtAddr};

/// One more than the highest number followed: 31 is SP of aarch64.
const COUNT: usize = 32;

/// General registers of a frame; those whose value is lost are `None`.
#[derive(Clone, Debug)]
pub(super) struct Registers {
    isa: Isa,
    values: [Option<u64>; COUNT],
}

/// x86_64's order differs from the encoding's in the second to eighth register.
const X86_64: [Gpr; 16] = [
    Gpr::Rax,
    Gpr::Rdx,
    Gpr::Rcx,
    Gpr::Rbx,
    Gpr::Rsi,
    Gpr::Rdi,
    Gpr::Rbp,
    Gpr::Rsp,
    Gpr::R8,
    Gpr::R9,
    Gpr::R10,
    Gpr::R11,
    Gpr::R12,
    Gpr::R13,
    Gpr::R14,
    Gpr::R15,
];

impl Registers {
    pub(super) fn of(regs: &RegisterFile) -> Registers {
        let mut values = [None; COUNT];
        match regs {
            RegisterFile::X86_64(regs) => {
                for (value, gpr) in values.iter_mut().zip(X86_64) {
                    *value = Some(regs[gpr]);
                }
            }
            RegisterFile::Aarch64(regs) => {
                for (value, x) in values.iter_mut().zip(regs.x.into_iter().chain([regs.sp])) {
                    *value = Some(x);
                }
            }
        }
        Registers {
            isa: regs.isa(),
            values,
        }
    }

    pub(super) fn get(&self, register: gimli::Register) -> Option<u64> {
        self.values.get(usize::from(register.0)).copied().flatten()
    }

    /// Registers that are not followed are ignored.
    pub(super) fn set(&mut self, register: gimli::Register, value: Option<u64>) {
        if let Some(slot) = self.values.get_mut(usize::from(register.0)) {
            *slot = value;
        }
    }

    pub(super) fn sp(&self) -> VirtAddr {
        // It is set in every frame: from the thread at first, then from the CFA.
        VirtAddr(self.values[self.sp_number()].unwrap_or(0))
    }

    pub(super) fn set_sp(&mut self, sp: VirtAddr) {
        self.values[self.sp_number()] = Some(sp.0);
    }

    pub(super) fn fp(&self) -> Option<VirtAddr> {
        self.values[self.fp_number()].map(VirtAddr)
    }

    /// The caller's registers when only its frame is known.
    pub(super) fn after_frame_pointer(&self, sp: VirtAddr, fp: VirtAddr) -> Registers {
        let mut caller = Registers {
            isa: self.isa,
            values: [None; COUNT],
        };
        caller.set_sp(sp);
        caller.values[self.fp_number()] = Some(fp.0);
        caller
    }

    fn sp_number(&self) -> usize {
        match self.isa {
            Isa::X86_64 => 7,
            Isa::Aarch64 => 31,
        }
    }

    fn fp_number(&self) -> usize {
        match self.isa {
            Isa::X86_64 => 6,
            Isa::Aarch64 => Aarch64Regs::FP,
        }
    }
}
