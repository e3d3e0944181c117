//! x86_64 instructions as effects. Baseline x86-64 with SSE2 as LLVM generates it; vectors are in `x86_64_simd`.

use capstone::arch::x86::X86OperandType;
use capstone::arch::{ArchDetail, DetailsArchInsn};
use capstone::{Capstone, Insn as Decoded, InsnDetail, RegId};
use isa::Isa;

use super::abi::{FLAGS, Named, Reg, named};
use super::effect::{Bound, Effect, Flow, Hint, Insn, Mem, Operand, Rest, Slice, Spread};
use super::x86_64_simd;

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

    /// The operand cut down to its lowest `len` bytes.
    pub(super) fn low(self, len: u8) -> Operand {
        match self.kind {
            Kind::Reg(slice) => Operand::Reg(Slice::low(slice.reg, len)),
            Kind::Mem(mem) => Operand::Mem(Mem { len, ..mem }),
            Kind::Imm(_) | Kind::Ignored => Operand::Clean,
        }
    }
}

/// What happens to the rest of a general-purpose register when `slice` of it is written.
fn rest(slice: Slice) -> Rest {
    if slice.len() >= 4 && !slice.reg.is_vector() {
        Rest::Zero
    } else {
        Rest::Keep
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
            let effects = integer(mnemonic, &args)
                .or_else(|| x86_64_simd::lower(mnemonic, &args))
                .unwrap_or_else(|| general(mnemonic, &args, &implicit));
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
struct Implicit {
    reads: Vec<Reg>,
    writes: Vec<Reg>,
}

fn implicit(capstone: &Capstone, detail: &InsnDetail<'_>, args: &[Arg]) -> Option<Implicit> {
    let explicit = |reg: Reg| {
        args.iter().any(|arg| match arg.kind {
            Kind::Reg(slice) => slice.reg == reg,
            Kind::Mem(mem) => mem.base == Some(reg) || mem.index == Some(reg),
            _ => false,
        })
    };
    let collect = |ids: &[RegId]| -> Option<Vec<Reg>> {
        let mut regs = Vec::new();
        for id in ids {
            match register(capstone, *id) {
                Named::Part(reg, _) if !explicit(reg) => regs.push(reg),
                Named::Unknown => return None,
                _ => {}
            }
        }
        Some(regs)
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
            Flow::Call,
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

/// Integer instructions whose result depends on less than all their inputs, or is an address.
fn integer(mnemonic: &str, args: &[Arg]) -> Option<Vec<Effect>> {
    let to = |arg: Arg, effect: &dyn Fn(Slice) -> Effect| match arg.kind {
        Kind::Reg(slice) => Some(vec![effect(slice)]),
        _ => None,
    };
    match (mnemonic, args) {
        ("mov" | "movabs" | "movnti", [dst, src]) => match (dst.kind, src.kind) {
            (Kind::Reg(slice), Kind::Reg(_) | Kind::Mem(_)) => Some(vec![Effect::Copy {
                to: slice,
                from: src.operand(),
                rest: rest(slice),
                signed: false,
            }]),
            // Addresses are formed so in non-PIC code.
            (Kind::Reg(slice), Kind::Imm(value)) if slice.len() >= 4 => {
                let value = if slice.len() == 4 {
                    value & 0xffff_ffff
                } else {
                    value
                };
                Some(vec![Effect::Constant {
                    to: slice.reg,
                    value: value as u64,
                }])
            }
            (Kind::Reg(slice), _) => Some(vec![Effect::Define(slice, rest(slice))]),
            (Kind::Mem(mem), _) => Some(vec![Effect::Store {
                to: mem,
                from: src.operand(),
            }]),
            _ => None,
        },
        ("movzx" | "movsx" | "movsxd", [dst, src]) => {
            let signed = mnemonic != "movzx";
            to(*dst, &|slice| Effect::Copy {
                to: slice,
                from: src.operand(),
                rest: rest(slice),
                signed,
            })
        }
        ("lea", [dst, src]) => {
            let (Kind::Reg(slice), Kind::Mem(mem)) = (dst.kind, src.kind) else {
                return None;
            };
            Some(vec![address(slice, mem)])
        }
        ("add" | "sub", [dst, src]) => {
            let (Kind::Reg(slice), width) = (dst.kind, src.kind) else {
                return None;
            };
            let flags = Effect::Compute {
                to: None,
                from: vec![dst.operand(), src.operand()],
                spread: Spread::Upward,
                rest: Rest::Keep,
                flags: true,
            };
            match width {
                Kind::Imm(value) if slice.len() == 8 => {
                    let delta = if mnemonic == "add" {
                        value
                    } else {
                        value.wrapping_neg()
                    };
                    Some(vec![
                        flags,
                        Effect::Offset {
                            to: slice,
                            base: slice.reg,
                            delta,
                        },
                    ])
                }
                Kind::Reg(other) if slice.len() == 8 && mnemonic == "add" => Some(vec![
                    flags,
                    Effect::Sum {
                        to: slice,
                        left: slice.reg,
                        right: other.reg,
                        shift: 0,
                    },
                ]),
                Kind::Reg(other) if mnemonic == "sub" && other == slice => Some(vec![
                    Effect::Define(slice, rest(slice)),
                    Effect::Define(Slice::FLAGS, Rest::Keep),
                ]),
                _ => None,
            }
        }
        ("xor", [dst, src]) if matches!(dst.kind, Kind::Reg(_)) && dst.kind == src.kind => {
            let Kind::Reg(slice) = dst.kind else {
                return None;
            };
            Some(vec![
                Effect::Define(slice, rest(slice)),
                Effect::Define(Slice::FLAGS, Rest::Keep),
            ])
        }
        ("sbb", [dst, src]) if matches!(dst.kind, Kind::Reg(_)) && dst.kind == src.kind => {
            to(*dst, &|slice| Effect::Define(slice, rest(slice)))
                .map(|effects| [vec![Effect::Decide(Slice::FLAGS)], effects].concat())
        }
        // Constants whatever the register holds.
        (
            "or" | "and",
            [
                Arg {
                    kind: Kind::Reg(slice),
                    ..
                },
                Arg {
                    kind: Kind::Imm(value),
                    ..
                },
            ],
        ) if constant(mnemonic, *slice, *value) => Some(vec![
            Effect::Define(*slice, rest(*slice)),
            Effect::Define(Slice::FLAGS, Rest::Keep),
        ]),
        ("bsf" | "bsr" | "tzcnt" | "lzcnt" | "popcnt", [dst, src]) => {
            to(*dst, &|slice| Effect::Define(slice, rest(slice))).map(|effects| {
                [
                    vec![Effect::Read(src.operand())],
                    effects,
                    vec![Effect::Define(Slice::FLAGS, Rest::Keep)],
                ]
                .concat()
            })
        }
        _ if mnemonic.starts_with("cmov") => {
            let [dst, src] = args else { return None };
            let select = to(*dst, &|slice| Effect::Select {
                to: slice,
                from: [dst.operand(), src.operand()],
                rest: rest(slice),
            })?;
            Some([vec![Effect::Decide(Slice::FLAGS)], select].concat())
        }
        _ if mnemonic.starts_with("set") => {
            let [dst] = args else { return None };
            let write = match dst.kind {
                Kind::Reg(slice) => Effect::Define(slice, Rest::Keep),
                Kind::Mem(mem) => Effect::Store {
                    to: mem,
                    from: Operand::Clean,
                },
                _ => return None,
            };
            Some(vec![Effect::Decide(Slice::FLAGS), write])
        }
        _ => None,
    }
}

/// Whether the mask `value` leaves nothing of a register's old content.
fn constant(mnemonic: &str, slice: Slice, value: i64) -> bool {
    let all = u64::MAX >> (64 - 8 * u32::from(slice.len()));
    value as u64 & all == if mnemonic == "or" { all } else { 0 }
}

/// `lea`.
fn address(to: Slice, mem: Mem) -> Effect {
    match (mem.base, mem.index) {
        (None, None) if to.len() == 8 => Effect::Constant {
            to: to.reg,
            value: mem.disp as u64,
        },
        (Some(base), None) => Effect::Offset {
            to,
            base,
            delta: mem.disp,
        },
        (Some(left), Some(right)) if mem.disp == 0 => Effect::Sum {
            to,
            left,
            right,
            shift: 0,
        },
        _ => {
            let part = |reg| {
                Operand::Reg(Slice {
                    reg,
                    bytes: to.bytes,
                })
            };
            let from = mem.base.into_iter().chain(mem.index).map(part).collect();
            Effect::Compute {
                to: Some(to),
                from,
                spread: Spread::Upward,
                rest: rest(to),
                flags: false,
            }
        }
    }
}

/// Everything else, by the disassembler's access flags.
fn general(mnemonic: &str, args: &[Arg], implicit: &Implicit) -> Vec<Effect> {
    let flags = implicit.writes.contains(&FLAGS);
    let upward = [
        "add", "sub", "imul", "shl", "and", "or", "xor", "neg", "not", "inc", "dec",
    ]
    .contains(&mnemonic);
    let mut effects: Vec<_> = implicit
        .reads
        .iter()
        .map(|reg| {
            if *reg == FLAGS {
                Effect::Decide(Slice::FLAGS)
            } else {
                Effect::Read(Operand::Reg(Slice::whole(*reg)))
            }
        })
        .collect();
    let sources = || args.iter().filter(|arg| arg.reads).map(|arg| arg.operand());
    // A mask with zeros above makes the bytes above defined, whatever they were.
    if let (
        "and",
        [
            Arg {
                kind: Kind::Reg(slice),
                ..
            },
            Arg {
                kind: Kind::Imm(value @ 0..0x100),
                ..
            },
        ],
    ) = (mnemonic, args)
        && *value < 0x100
    {
        effects.push(Effect::Read(Operand::Reg(Slice::low(slice.reg, 1))));
        effects.push(Effect::Define(*slice, rest(*slice)));
        effects.push(Effect::Define(Slice::FLAGS, Rest::Keep));
        return effects;
    }
    if let (
        true,
        Some(Arg {
            kind: Kind::Reg(slice),
            writes: true,
            ..
        }),
    ) = (upward, args.first())
    {
        let from = sources().collect();
        effects.push(Effect::Compute {
            to: Some(*slice),
            from,
            spread: Spread::Upward,
            rest: rest(*slice),
            flags,
        });
        return effects;
    }
    effects.extend(sources().map(Effect::Read));
    for arg in args.iter().filter(|arg| arg.writes) {
        match arg.kind {
            Kind::Reg(slice) => effects.push(Effect::Define(slice, rest(slice))),
            Kind::Mem(mem) => effects.push(Effect::Store {
                to: mem,
                from: Operand::Clean,
            }),
            _ => {}
        }
    }
    effects.extend(
        implicit
            .writes
            .iter()
            .map(|reg| Effect::Define(Slice::whole(*reg), Rest::Zero)),
    );
    effects
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
