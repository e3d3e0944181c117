//! x86_64 instructions as effects: operands and control flow. Baseline x86-64 with SSE2 as LLVM generates it; computation is in
//! `x86_64_integer` and `x86_64_simd`.

use capstone::arch::x86::X86OperandType;
use capstone::arch::{ArchDetail, DetailsArchInsn};
use capstone::{Capstone, Insn as Decoded, InsnDetail, RegId};
use isa::Isa;

use super::abi::{Named, Reg, named};
use super::effect::{Bound, Effect, Flow, Hint, Insn, Mem, Operand, Rest, Slice};
use super::{x86_64_integer, x86_64_simd};

const RSP: Reg = Reg(4);
const RBP: Reg = Reg(5);
/// Registers that a callee need not keep: popping into one only moves the stack pointer.
const SCRATCH: [Reg; 9] = [
    Reg(0),
    Reg(1),
    Reg(2),
    Reg(6),
    Reg(7),
    Reg(8),
    Reg(9),
    Reg(10),
    Reg(11),
];

/// An operand with how it is used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arg {
    pub(super) kind: Kind,
    pub(super) reads: bool,
    pub(super) writes: bool,
}

/// What an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Reg(Slice),
    Mem(Mem),
    Imm(i64),
    /// The program counter, a segment register: nothing to follow.
    Ignored,
}

impl Arg {
    /// The operand as the source of a value.
    pub(super) fn operand(self) -> Operand {
        match self.kind {
            Kind::Reg(slice) => Operand::Reg(slice),
            Kind::Mem(mem) => Operand::Mem(mem),
            Kind::Imm(_) | Kind::Ignored => Operand::Clean,
        }
    }

    /// How wide the operand is, in bytes; `None` of an immediate.
    pub(super) fn bytes(self) -> Option<u8> {
        match self.kind {
            Kind::Reg(slice) => Some(slice.len()),
            Kind::Mem(mem) => Some(mem.len),
            Kind::Imm(_) | Kind::Ignored => None,
        }
    }

    /// The operand cut down to its lowest `len` bytes.
    pub(super) fn low(self, len: u8) -> Operand {
        match self.kind {
            Kind::Reg(slice) => Operand::Reg(Slice::low(slice.reg, len)),
            Kind::Mem(mem) => Operand::Mem(Mem { len, ..mem }),
            Kind::Imm(_) | Kind::Ignored => Operand::Clean,
        }
    }
}

/// Lowers one instruction.
pub(super) fn lower(capstone: &Capstone, decoded: &Decoded<'_>, detail: &InsnDetail<'_>) -> Insn {
    let text = format!(
        "{} {}",
        decoded.mnemonic().unwrap_or_default(),
        decoded.op_str().unwrap_or_default()
    )
    .trim()
    .to_owned();
    let unknown = Insn::unknown(decoded.address(), decoded.len() as u8, text);
    let Some(args) = operands(capstone, decoded, detail) else {
        return unknown;
    };
    let Some(implicit) = implicit(capstone, detail, &args) else {
        return unknown;
    };
    let mnemonic = decoded.mnemonic().unwrap_or_default();
    let mnemonic = mnemonic.rsplit(' ').next().unwrap_or_default();
    let (effects, flow) = match control(mnemonic, &args) {
        Some(lowered) => lowered,
        None => {
            let effects = x86_64_integer::lower(mnemonic, &args)
                .or_else(|| x86_64_simd::lower(mnemonic, &args))
                .unwrap_or_else(|| x86_64_integer::general(mnemonic, &args, &implicit));
            (effects, Flow::Next)
        }
    };
    Insn {
        effects,
        flow,
        hint: hint(mnemonic, &args),
        ..unknown
    }
}

fn register(capstone: &Capstone, id: RegId) -> Named {
    capstone
        .reg_name(id)
        .map_or(Named::Unknown, |name| named(Isa::X86_64, &name))
}

/// The explicit operands; `None` if one is not modelled.
fn operands(
    capstone: &Capstone,
    decoded: &Decoded<'_>,
    detail: &InsnDetail<'_>,
) -> Option<Vec<Arg>> {
    let ArchDetail::X86Detail(x86) = detail.arch_detail() else {
        return None;
    };
    x86.operands()
        .map(|operand| {
            let kind = match operand.op_type {
                X86OperandType::Reg(id) => match register(capstone, id) {
                    Named::Part(reg, bytes) => Kind::Reg(Slice { reg, bytes }),
                    Named::Ignored => Kind::Ignored,
                    Named::Unknown => return None,
                },
                X86OperandType::Imm(value) => Kind::Imm(value),
                X86OperandType::Mem(mem) => {
                    let mut disp = mem.disp();
                    let mut part = |id: RegId| match register(capstone, id) {
                        _ if id == RegId::INVALID_REG => Some(None),
                        Named::Part(reg, _) => Some(Some(reg)),
                        Named::Ignored => {
                            disp = disp
                                .wrapping_add_unsigned(decoded.address() + decoded.len() as u64);
                            Some(None)
                        }
                        Named::Unknown => None,
                    };
                    let (base, index) = (part(mem.base())?, part(mem.index())?);
                    Kind::Mem(Mem {
                        base,
                        index,
                        disp,
                        len: operand.size.min(16),
                    })
                }
                X86OperandType::Invalid => return None,
            };
            let (reads, writes) = operand
                .access
                .map_or((false, false), |a| (a.is_readable(), a.is_writable()));
            Some(Arg {
                kind,
                reads,
                writes,
            })
        })
        .collect()
}

/// Registers read and written that are no operands.
pub(super) struct Implicit {
    pub(super) reads: Vec<Slice>,
    pub(super) writes: Vec<Slice>,
}

fn implicit(capstone: &Capstone, detail: &InsnDetail<'_>, args: &[Arg]) -> Option<Implicit> {
    let explicit = |reg: Reg| {
        args.iter().any(|arg| match arg.kind {
            Kind::Reg(slice) => slice.reg == reg,
            Kind::Mem(mem) => mem.base == Some(reg) || mem.index == Some(reg),
            _ => false,
        })
    };
    let collect = |ids: &[RegId]| -> Option<Vec<Slice>> {
        let mut slices = Vec::new();
        for id in ids {
            match register(capstone, *id) {
                Named::Part(reg, bytes) if !explicit(reg) => slices.push(Slice { reg, bytes }),
                Named::Unknown => return None,
                _ => {}
            }
        }
        Some(slices)
    };
    Some(Implicit {
        reads: collect(detail.regs_read())?,
        writes: collect(detail.regs_write())?,
    })
}

/// Jumps, calls, and what moves the stack pointer implicitly.
fn control(mnemonic: &str, args: &[Arg]) -> Option<(Vec<Effect>, Flow)> {
    let first = args.first().copied();
    let target = |arg: Option<Arg>| match arg.map(|arg| arg.kind) {
        Some(Kind::Imm(address)) => Some(address as u64),
        _ => None,
    };
    Some(match mnemonic {
        "nop" | "endbr64" | "pause" | "lfence" | "mfence" | "sfence" | "cld" => {
            (Vec::new(), Flow::Next)
        }
        "call" => (
            first
                .map(|arg| Effect::Read(arg.operand()))
                .into_iter()
                .collect(),
            Flow::Call(target(first)),
        ),
        "ret" => (Vec::new(), Flow::Return),
        "ud2" | "hlt" | "int3" => (Vec::new(), Flow::Trap),
        "jmp" => match target(first) {
            Some(address) => (Vec::new(), Flow::Jump(address)),
            None => (
                vec![Effect::Read(first?.operand())],
                Flow::Indirect(first?.operand()),
            ),
        },
        "jrcxz" | "jecxz" => (
            vec![Effect::Decide(Slice::whole(Reg(1)))],
            Flow::Branch(target(first)?, Bound::None),
        ),
        _ if mnemonic.starts_with('j') => {
            let bound = match mnemonic {
                "ja" => Bound::TakenAbove,
                "jae" => Bound::TakenAboveEqual,
                "jb" => Bound::TakenBelow,
                "jbe" => Bound::TakenBelowEqual,
                _ => Bound::None,
            };
            (
                vec![Effect::Decide(Slice::FLAGS)],
                Flow::Branch(target(first)?, bound),
            )
        }
        "push" => {
            let down = Effect::Offset {
                to: Slice::whole(RSP),
                base: RSP,
                delta: -8,
            };
            (
                vec![
                    down,
                    Effect::Store {
                        to: Mem::at(RSP, 0, 8),
                        from: first?.operand(),
                    },
                ],
                Flow::Next,
            )
        }
        "pop" => {
            let Kind::Reg(to) = first?.kind else {
                return None;
            };
            let mut effects = vec![
                Effect::Copy {
                    to,
                    from: Operand::Mem(Mem::at(RSP, 0, 8)),
                    rest: Rest::Zero,
                    signed: false,
                },
                Effect::Offset {
                    to: Slice::whole(RSP),
                    base: RSP,
                    delta: 8,
                },
            ];
            if SCRATCH.contains(&to.reg) {
                effects.push(Effect::Discard(to.reg));
            }
            (effects, Flow::Next)
        }
        "leave" => (
            vec![
                Effect::Offset {
                    to: Slice::whole(RSP),
                    base: RBP,
                    delta: 8,
                },
                Effect::Copy {
                    to: Slice::whole(RBP),
                    from: Operand::Mem(Mem::at(RSP, -8, 8)),
                    rest: Rest::Zero,
                    signed: false,
                },
            ],
            Flow::Next,
        ),
        _ => return None,
    })
}

/// What the instruction says about a jump table's index.
fn hint(mnemonic: &str, args: &[Arg]) -> Hint {
    match (mnemonic, args) {
        (
            "cmp",
            [
                Arg {
                    kind: Kind::Reg(slice),
                    ..
                },
                Arg {
                    kind: Kind::Imm(limit),
                    ..
                },
            ],
        ) if *limit >= 0 => Hint::Compare(*slice, *limit as u64),
        (
            "and",
            [
                Arg {
                    kind: Kind::Reg(slice),
                    ..
                },
                Arg {
                    kind: Kind::Imm(limit),
                    ..
                },
            ],
        ) if *limit >= 0 && slice.len() >= 4 => Hint::AtMost(slice.reg, *limit as u64),
        (
            "mov",
            [
                Arg {
                    kind: Kind::Reg(to),
                    ..
                },
                Arg {
                    kind: Kind::Reg(from),
                    ..
                },
            ],
        ) if to.len() >= 4 => Hint::CopyOf(to.reg, *from),
        (
            "movzx",
            [
                Arg {
                    kind: Kind::Reg(to),
                    ..
                },
                Arg {
                    kind: Kind::Reg(from),
                    ..
                },
            ],
        ) if to.len() >= 4 && from.bytes & 1 == 1 => Hint::CopyOf(to.reg, *from),
        _ => Hint::None,
    }
}
