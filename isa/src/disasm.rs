//! Disassembly of either ISA (capstone), with addresses written as symbols.
//!
//! x86_64 in Intel syntax, which is the manuals'. Bytes that are no instruction become `.byte` or `.word` lines, so that a
//! listing never stops early.

mod access;

use std::fmt;

use capstone::arch::arm64::Arm64OperandType;
use capstone::arch::x86::{X86OperandType, X86Reg};
use capstone::prelude::*;
use thiserror::Error;

use crate::{ElfImage, Isa, VirtAddr};

/// A disassembler of one ISA. Its making costs some 100 kB and a moment; keep it.
pub struct Disassembler {
    isa: Isa,
    engine: Capstone,
}

/// The library refused to work.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the disassembler for {isa} could not be set up: {reason}")]
pub struct DisasmError {
    /// For which ISA.
    pub isa: Isa,
    /// What the library said.
    pub reason: String,
}

/// One instruction, or bytes that are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Where it is.
    pub address: VirtAddr,
    /// Its encoding.
    pub bytes: Vec<u8>,
    /// Mnemonic and operands.
    pub text: String,
    /// The address it names: target of a direct branch or call, or of a PC-relative operand.
    pub target: Option<VirtAddr>,
    /// What is at that address, when symbols are known.
    pub target_name: Option<String>,
    /// Whether this is an instruction at all.
    pub valid: bool,
}

impl Instruction {
    /// The address after it.
    pub fn end(&self) -> VirtAddr {
        self.address.wrapping_add(self.bytes.len() as u64)
    }
}

/// `text <symbol>`, without address and bytes.
impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target_name {
            Some(name) => write!(f, "{} <{name}>", self.text),
            None => f.write_str(&self.text),
        }
    }
}

impl Disassembler {
    /// For an ISA.
    pub fn new(isa: Isa) -> Result<Disassembler, DisasmError> {
        let engine = match isa {
            Isa::X86_64 => Capstone::new()
                .x86()
                .mode(arch::x86::ArchMode::Mode64)
                .syntax(arch::x86::ArchSyntax::Intel)
                .detail(true)
                .build(),
            Isa::Aarch64 => Capstone::new()
                .arm64()
                .mode(arch::arm64::ArchMode::Arm)
                .detail(true)
                .build(),
        };
        let engine = engine.map_err(|error| DisasmError {
            isa,
            reason: error.to_string(),
        })?;
        Ok(Disassembler { isa, engine })
    }

    /// The first instruction in some bytes; `None` only when there are none.
    pub fn one(&self, address: VirtAddr, bytes: &[u8]) -> Option<Instruction> {
        if bytes.is_empty() {
            return None;
        }
        let window = &bytes[..bytes.len().min(16)];
        if let Ok(found) = self.engine.disasm_count(window, address.0, 1)
            && let Some(instruction) = found.first()
        {
            let operands = instruction.op_str().unwrap_or_default();
            let text = match instruction.mnemonic().unwrap_or_default() {
                mnemonic if operands.is_empty() => mnemonic.to_owned(),
                mnemonic => format!("{mnemonic} {operands}"),
            };
            return Some(Instruction {
                address,
                bytes: instruction.bytes().to_vec(),
                text,
                target: self.target(instruction),
                target_name: None,
                valid: true,
            });
        }
        Some(self.not_an_instruction(address, window))
    }

    /// All instructions in some bytes, one after the other.
    pub fn range(&self, address: VirtAddr, bytes: &[u8]) -> Vec<Instruction> {
        let (mut listing, mut at) = (Vec::new(), 0);
        while let Some(instruction) = self.one(address.wrapping_add(at as u64), &bytes[at..]) {
            at += instruction.bytes.len();
            listing.push(instruction);
        }
        listing
    }

    /// The instructions of a part of a program, with names for what they refer to; as many as the file has bytes for.
    pub fn image_range(&self, image: &ElfImage, address: VirtAddr, len: usize) -> Vec<Instruction> {
        let Some(segment) = image.segment_at(address) else {
            return Vec::new();
        };
        let from = (address.0 - segment.address.0) as usize;
        let bytes = image.segment_data(segment).get(from..).unwrap_or_default();
        let mut listing = self.range(address, &bytes[..len.min(bytes.len())]);
        for instruction in &mut listing {
            let location = instruction
                .target
                .and_then(|target| image.symbols().locate(target));
            instruction.target_name = location.map(|location| location.to_string());
        }
        listing
    }

    /// A direct target, as far as the operands tell.
    fn target(&self, instruction: &capstone::Insn<'_>) -> Option<VirtAddr> {
        let detail = self.engine.insn_detail(instruction).ok()?;
        let operands = detail.arch_detail().operands();
        let branches = is_branch(&detail);
        // A test bit branch of aarch64 has other immediates first; the target is always last.
        operands.iter().rev().find_map(|operand| match operand {
            arch::ArchOperand::X86Operand(operand) => match operand.op_type {
                X86OperandType::Imm(value) if branches => Some(VirtAddr(value as u64)),
                X86OperandType::Mem(memory)
                    if u32::from(memory.base().0) == X86Reg::X86_REG_RIP =>
                {
                    let next =
                        VirtAddr(instruction.address()).wrapping_add(instruction.len() as u64);
                    Some(next.wrapping_add(memory.disp() as u64))
                }
                _ => None,
            },
            arch::ArchOperand::Arm64Operand(operand) => match operand.op_type {
                Arm64OperandType::Imm(value) if branches || is_pc_relative(instruction) => {
                    Some(VirtAddr(value as u64))
                }
                _ => None,
            },
        })
    }

    fn not_an_instruction(&self, address: VirtAddr, bytes: &[u8]) -> Instruction {
        let (bytes, text) = match (self.isa, bytes.first_chunk::<4>()) {
            (Isa::Aarch64, Some(word)) => (
                word.to_vec(),
                format!(".word {:#010x}", u32::from_le_bytes(*word)),
            ),
            _ => (vec![bytes[0]], format!(".byte {:#04x}", bytes[0])),
        };
        Instruction {
            address,
            bytes,
            text,
            target: None,
            target_name: None,
            valid: false,
        }
    }
}

impl fmt::Debug for Disassembler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disassembler")
            .field("isa", &self.isa)
            .finish_non_exhaustive()
    }
}

/// Whether the immediate of an instruction is where it goes.
fn is_branch(detail: &InsnDetail<'_>) -> bool {
    const JUMP: u8 = capstone::InsnGroupType::CS_GRP_JUMP as u8;
    const CALL: u8 = capstone::InsnGroupType::CS_GRP_CALL as u8;
    detail
        .groups()
        .iter()
        .any(|group| group.0 == JUMP || group.0 == CALL)
}

/// Whether the immediate of an aarch64 instruction is an address.
fn is_pc_relative(instruction: &capstone::Insn<'_>) -> bool {
    matches!(instruction.mnemonic(), Some("adr" | "adrp"))
        || instruction
            .mnemonic()
            .is_some_and(|name| name.starts_with("ldr"))
            && instruction.op_str().is_some_and(|text| !text.contains('['))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_instructions() {
        // (ISA, bytes, text, target)
        let cases: [(Isa, &[u8], &str, Option<u64>); 16] = [
            (Isa::X86_64, &[0x0f, 0x05], "syscall", None),
            (Isa::X86_64, &[0x48, 0x89, 0xe5], "mov rbp, rsp", None),
            (
                Isa::X86_64,
                &[0xe8, 0xfb, 0x0f, 0, 0],
                "call 0x402000",
                Some(0x40_2000),
            ),
            (Isa::X86_64, &[0x75, 0xfe], "jne 0x401000", Some(0x40_1000)),
            (
                Isa::X86_64,
                &[0x48, 0x8b, 0x05, 0xf9, 0x0f, 0, 0],
                "mov rax, qword ptr [rip + 0xff9]",
                Some(0x40_2000),
            ),
            (Isa::X86_64, &[0xb8, 5, 0, 0, 0], "mov eax, 5", None),
            (Isa::X86_64, &[0x06, 0x90], ".byte 0x06", None),
            (Isa::X86_64, &[0xe8], ".byte 0xe8", None),
            (Isa::Aarch64, &[0x01, 0, 0, 0xd4], "svc #0", None),
            (
                Isa::Aarch64,
                &[0xfd, 0x7b, 0xbf, 0xa9],
                "stp x29, x30, [sp, #-0x10]!",
                None,
            ),
            (
                Isa::Aarch64,
                &[0, 0x04, 0, 0x94],
                "bl #0x402000",
                Some(0x40_2000),
            ),
            (
                Isa::Aarch64,
                &[0x60, 0, 0, 0x36],
                "tbz w0, #0, #0x40100c",
                Some(0x40_100c),
            ),
            (
                Isa::Aarch64,
                &[0, 0, 0, 0xb0],
                "adrp x0, #0x402000",
                Some(0x40_2000),
            ),
            (Isa::Aarch64, &[0xa0, 0, 0x80, 0x52], "mov w0, #5", None),
            (
                Isa::Aarch64,
                &[0xff, 0xff, 0xff, 0xff],
                ".word 0xffffffff",
                None,
            ),
            (Isa::Aarch64, &[0xff, 0xff], ".byte 0xff", None),
        ];
        for (isa, bytes, text, target) in cases {
            let disassembler = Disassembler::new(isa).unwrap();
            let found = disassembler.one(VirtAddr(0x40_1000), bytes).unwrap();
            assert_eq!(
                (found.text.as_str(), found.target),
                (text, target.map(VirtAddr)),
                "{isa} {bytes:02x?}"
            );
            assert_eq!(found.valid, !text.starts_with('.'));
        }
    }

    #[test]
    fn a_range_covers_every_byte() {
        let bytes = [0x90, 0x06, 0x0f, 0x05, 0xe8];
        let listing = Disassembler::new(Isa::X86_64)
            .unwrap()
            .range(VirtAddr(0x1000), &bytes);
        let text: Vec<String> = listing.iter().map(Instruction::to_string).collect();
        assert_eq!(text, ["nop", ".byte 0x06", "syscall", ".byte 0xe8"]);
        assert_eq!(listing.last().map(Instruction::end), Some(VirtAddr(0x1005)));
        assert_eq!(
            Disassembler::new(Isa::Aarch64)
                .unwrap()
                .one(VirtAddr(0), &[]),
            None
        );
    }
}
