//! Which addresses an instruction accesses, from its operands and the registers before it: what a handler of a fault is told, where the CPU itself
//! knows only the page.
//!
//! Left out: operands with 32-bit address registers (x86_64), and what no operand shows beyond the stack (`xlat`, `dc zva`).

use capstone::arch::arm64::{Arm64Extender, Arm64OperandType, Arm64Shift};
use capstone::arch::x86::{X86OperandType, X86Reg};
use capstone::prelude::*;

use super::Disassembler;
use crate::{RegisterFile, VirtAddr};

impl Disassembler {
    /// The addresses that the first instruction in `bytes` reads or writes, for a thread about to execute it. Stack accesses without an operand come last.
    pub fn accesses(&self, regs: &RegisterFile, bytes: &[u8]) -> Vec<VirtAddr> {
        let Ok(found) = self.engine.disasm_count(bytes, regs.pc().0, 1) else {
            return Vec::new();
        };
        let Some(instruction) = found.first() else {
            return Vec::new();
        };
        let Ok(detail) = self.engine.insn_detail(instruction) else {
            return Vec::new();
        };
        let named = regs.named();
        let register = |id: RegId| self.register(&named, id);
        let next = regs.pc().0.wrapping_add(instruction.len() as u64);
        let mut addresses: Vec<u64> = Vec::new();
        for operand in detail.arch_detail().operands() {
            match operand {
                arch::ArchOperand::X86Operand(operand) => {
                    let X86OperandType::Mem(memory) = operand.op_type else {
                        continue;
                    };
                    let base = match u32::from(memory.base().0) {
                        X86Reg::X86_REG_RIP => next,
                        _ => register(memory.base()),
                    };
                    let segment = match u32::from(memory.segment().0) {
                        X86Reg::X86_REG_FS => self.value(&named, "fs_base"),
                        X86Reg::X86_REG_GS => self.value(&named, "gs_base"),
                        _ => 0,
                    };
                    let scaled = register(memory.index()).wrapping_mul(memory.scale() as u64);
                    let address = base.wrapping_add(scaled).wrapping_add(segment);
                    addresses.push(address.wrapping_add(memory.disp() as u64));
                }
                arch::ArchOperand::Arm64Operand(operand) => {
                    let Arm64OperandType::Mem(memory) = operand.op_type else {
                        continue;
                    };
                    let index = register(memory.index());
                    let index = match operand.ext {
                        Arm64Extender::ARM64_EXT_UXTW => u64::from(index as u32),
                        Arm64Extender::ARM64_EXT_SXTW => i64::from(index as i32) as u64,
                        _ => index,
                    };
                    let shift = match operand.shift {
                        Arm64Shift::Lsl(bits) => bits,
                        _ => 0,
                    };
                    let address = register(memory.base())
                        .wrapping_add(index << shift)
                        .wrapping_add(i64::from(memory.disp()) as u64);
                    addresses.push(address);
                }
            }
        }
        if regs.as_x86_64().is_some() {
            // push and call, pop and ret.
            addresses.extend([regs.sp().0.wrapping_sub(8), regs.sp().0]);
        }
        addresses.into_iter().map(VirtAddr).collect()
    }

    /// A register's value; 0 for none. The 32-bit names of aarch64 are those of index registers, whose use says how they are extended.
    fn register(&self, named: &[(&'static str, u64)], id: RegId) -> u64 {
        let name = self.engine.reg_name(id).unwrap_or_default();
        match name.strip_prefix('w') {
            Some(number) => self.value(named, &format!("x{number}")),
            None => self.value(named, &name),
        }
    }

    fn value(&self, named: &[(&'static str, u64)], name: &str) -> u64 {
        let found = named.iter().find(|(known, _)| *known == name);
        found.map_or(0, |(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Gpr, Isa};

    #[test]
    fn operands_of_x86_64() {
        let mut regs = RegisterFile::new(Isa::X86_64);
        let RegisterFile::X86_64(x86) = &mut regs else {
            unreachable!()
        };
        (x86[Gpr::Rax], x86[Gpr::Rcx], x86[Gpr::Rsp]) = (0x1000, 3, 0x9000);
        (x86[Gpr::R12], x86.fs_base, x86.rip) = (0x7000, 0x5000, 0x40_0000);
        let disassembler = Disassembler::new(Isa::X86_64).unwrap();
        let first = |bytes: &[u8]| disassembler.accesses(&regs, bytes)[0].0;
        let cases: [(&[u8], u64); 6] = [
            // mov byte ptr [rax + 100], 0x61
            (&[0xc6, 0x40, 0x64, 0x61], 0x1064),
            // mov rdx, [rax + rcx*8 - 8]
            (&[0x48, 0x8b, 0x54, 0xc8, 0xf8], 0x1010),
            // mov eax, [rip + 0x10]
            (&[0x8b, 0x05, 0x10, 0, 0, 0], 0x40_0016),
            // mov rax, fs:[0x28]
            (&[0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0], 0x5028),
            // movups [r12 + 0x10], xmm0
            (&[0x41, 0x0f, 0x11, 0x44, 0x24, 0x10], 0x7010),
            // push rax
            (&[0x50], 0x8ff8),
        ];
        for (bytes, address) in cases {
            assert_eq!(first(bytes), address, "{bytes:02x?}");
        }
        assert!(disassembler.accesses(&regs, &[]).is_empty());
    }

    #[test]
    fn operands_of_aarch64() {
        let mut regs = RegisterFile::new(Isa::Aarch64);
        let RegisterFile::Aarch64(arm) = &mut regs else {
            unreachable!()
        };
        (arm.x[1], arm.x[2], arm.sp) = (0x1000, 0xffff_ffff_0000_0003, 0x9000);
        let disassembler = Disassembler::new(Isa::Aarch64).unwrap();
        let cases: [(u32, u64); 6] = [
            // strb w0, [x1, #100]; ldr x0, [x1, w2, uxtw #3]; ldr x0, [sp, #16]
            (0x3901_9020, 0x1064),
            (0xf862_5820, 0x1018),
            (0xf940_0be0, 0x9010),
            // stp x0, x1, [sp, #-16]!; ldr x0, [x1], #8; ldr x0, [x1, x2]
            (0xa9bf_07e0, 0x8ff0),
            (0xf840_8420, 0x1000),
            (0xf862_6820, 0xffff_ffff_0000_1003),
        ];
        for (word, address) in cases {
            let found = disassembler.accesses(&regs, &word.to_le_bytes());
            assert_eq!(found, [VirtAddr(address)], "{word:08x}");
        }
    }
}
