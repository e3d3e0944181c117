//! EFLAGS where a page fault interrupts an instruction that reads them and stores.
//!
//! The engine does not keep the flags but what they are computed from, in variables that depend on the instruction that set them. `setcc`
//! often has it compute the flags before it stores; when the store faults, it goes back to the variables
//! of before, which it has discarded. The flags that it computed are still there, in one of the variables. Which of the two holds is decided
//! here, by the rules of its translator (QEMU 5.0.1, target/i386/translate.c, `gen_prepare_cc`).
//!
//! Left out: `rcl` and `rcr` of memory, which change that variable before they store. Compilers do not emit them.

use iced_x86::{ConditionCode, Instruction, Mnemonic, OpKind, Register, RflagsBits};

use isa::X86_64Regs;

use super::count::decode;
use super::engine::Engine;

/// Carry, parity, adjust, zero, sign, overflow: what the variable holds.
const ARITHMETIC: u64 = 0x8d5;
const ARITHMETIC_BITS: u32 = RflagsBits::CF
    | RflagsBits::PF
    | RflagsBits::AF
    | RflagsBits::ZF
    | RflagsBits::SF
    | RflagsBits::OF;

/// What the translator knows of the flags at an instruction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Nothing: they come from another block, or from a shift by a number that may be 0.
    Nothing,
    /// They are those of a subtraction or comparison.
    Subtraction,
    /// They are constant.
    Constant,
    /// They are those of `popcnt`.
    Popcnt,
    /// What else sets them.
    Other,
}

/// The flags at the instruction at `pc`, which has faulted, if the engine has lost them. `code` begins at `start`, the start of the block, and
/// goes at least to the end of that instruction; `regs` is what the engine says.
pub(super) fn recover(engine: &Engine, start: u64, code: &[u8], regs: &X86_64Regs) -> Option<u64> {
    let mut known = Known::Nothing;
    let mut last = None;
    for instruction in decode(start, code) {
        if instruction.ip() >= regs.rip {
            last = Some(instruction);
            break;
        }
        known = behind(&instruction, known);
    }
    if !computes(&last?, known) {
        return None;
    }
    let computed = engine.computed_flags(&regs.gpr)?;
    (computed & !ARITHMETIC == 0).then_some(regs.rflags & !ARITHMETIC | computed)
}

fn behind(instruction: &Instruction, before: Known) -> Known {
    let written =
        instruction.rflags_written() | instruction.rflags_cleared() | instruction.rflags_set();
    if written & ARITHMETIC_BITS == 0 {
        return before;
    }
    let by_cl = (0..instruction.op_count()).any(|n| {
        n > 0
            && instruction.op_kind(n) == OpKind::Register
            && instruction.op_register(n) == Register::CL
    });
    match instruction.mnemonic() {
        Mnemonic::Shl
        | Mnemonic::Sal
        | Mnemonic::Shr
        | Mnemonic::Sar
        | Mnemonic::Shld
        | Mnemonic::Shrd
        | Mnemonic::Rol
        | Mnemonic::Ror
            if by_cl =>
        {
            Known::Nothing
        }
        Mnemonic::Cmp
        | Mnemonic::Sub
        | Mnemonic::Neg
        | Mnemonic::Cmpxchg
        | Mnemonic::Cmpsb
        | Mnemonic::Cmpsw
        | Mnemonic::Cmpsd
        | Mnemonic::Cmpsq
        | Mnemonic::Scasb
        | Mnemonic::Scasw
        | Mnemonic::Scasd
        | Mnemonic::Scasq => Known::Subtraction,
        Mnemonic::Xor
            if instruction.op_kind(1) == OpKind::Register
                && instruction.op0_kind() == OpKind::Register
                && instruction.op0_register() == instruction.op1_register() =>
        {
            Known::Constant
        }
        Mnemonic::Popcnt => Known::Popcnt,
        _ => Known::Other,
    }
}

/// Whether the engine computes the flags before the instruction stores.
fn computes(instruction: &Instruction, known: Known) -> bool {
    if instruction.op0_kind() != OpKind::Memory {
        return false;
    }
    match instruction.condition_code() {
        ConditionCode::None => false,
        ConditionCode::b | ConditionCode::ae => false,
        ConditionCode::o | ConditionCode::no => !matches!(known, Known::Constant | Known::Popcnt),
        ConditionCode::s | ConditionCode::ns | ConditionCode::e | ConditionCode::ne => {
            known == Known::Nothing
        }
        ConditionCode::p | ConditionCode::np => true,
        _ => known != Known::Subtraction,
    }
}
