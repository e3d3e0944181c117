//! aarch64 instructions as effects: control flow, integer and vector computation. Armv8.0 as LLVM generates it.
//!
//! The disassembler's access flags are not relied on, they are wrong for many aliases: the first register is the result unless the
//! instruction is listed as one that also reads it, and all others are read. Every write but a lane's clears the rest of the register.

use capstone::arch::arm64::{Arm64Extender, Arm64OperandType, Arm64Shift, Arm64Vas};
use capstone::arch::{ArchDetail, DetailsArchInsn};
use capstone::{Capstone, Insn as Decoded, InsnDetail, RegId};
use isa::Isa;

use super::aarch64_memory;
use super::abi::{Named, Reg, named};
use super::effect::{Bound, Effect, Flow, Hint, Insn, Operand, Rest, Slice, Spread, mask};

/// An operand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arg {
    pub(super) kind: Kind,
    /// Left shift in bits; `None` if it is shifted or extended in another way.
    pub(super) shift: Option<u8>,
    /// Whether it is one element of a vector.
    pub(super) lane: bool,
    /// Bytes of an element, for a vector with an arrangement.
    pub(super) element: u8,
}

/// What an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Reg(Slice),
    Mem {
        base: Reg,
        index: Option<Reg>,
        disp: i64,
    },
    Imm(i64),
    /// A zero register, or an operand without data.
    Ignored,
}

impl Arg {
    /// The operand as the source of a value.
    pub(super) fn operand(self) -> Operand {
        match self.kind {
            Kind::Reg(slice) => Operand::Reg(slice),
            _ => Operand::Clean,
        }
    }

    /// Its register, if it is one.
    pub(super) fn slice(self) -> Option<Slice> {
        match self.kind {
            Kind::Reg(slice) => Some(slice),
            _ => None,
        }
    }
}

/// Lowers one instruction.
pub(super) fn lower(capstone: &Capstone, decoded: &Decoded<'_>, detail: &InsnDetail<'_>) -> Insn {
    let mnemonic = decoded.mnemonic().unwrap_or_default();
    let text = format!("{mnemonic} {}", decoded.op_str().unwrap_or_default())
        .trim()
        .to_owned();
    let unknown = Insn::unknown(decoded.address(), decoded.len() as u8, text);
    let ArchDetail::Arm64Detail(arm) = detail.arch_detail() else {
        return unknown;
    };
    let mut args = Vec::new();
    for operand in arm.operands() {
        let shift = match (operand.shift, operand.ext) {
            (_, ext) if ext != Arm64Extender::ARM64_EXT_INVALID => None,
            (Arm64Shift::Invalid, _) => Some(0),
            (Arm64Shift::Lsl(by), _) => Some(by as u8),
            _ => None,
        };
        let (element, whole) = arrangement(operand.vas);
        let kind = match operand.op_type {
            Arm64OperandType::Reg(id) => match register(capstone, id) {
                Named::Part(reg, bytes) => Kind::Reg(match operand.vector_index {
                    _ if element == 0 || !reg.is_vector() => Slice { reg, bytes },
                    Some(index) => Slice {
                        reg,
                        bytes: mask(element) << (u32::from(element) * index).min(15),
                    },
                    None => Slice {
                        reg,
                        bytes: mask(whole),
                    },
                }),
                Named::Ignored => Kind::Ignored,
                Named::Unknown => return unknown,
            },
            Arm64OperandType::Imm(value) => Kind::Imm(value),
            Arm64OperandType::Mem(mem) => {
                let Named::Part(base, _) = register(capstone, mem.base()) else {
                    return unknown;
                };
                let index = match register(capstone, mem.index()) {
                    _ if mem.index() == RegId::INVALID_REG => None,
                    Named::Part(reg, _) => Some(reg),
                    Named::Ignored => None,
                    Named::Unknown => return unknown,
                };
                Kind::Mem {
                    base,
                    index,
                    disp: i64::from(mem.disp()),
                }
            }
            Arm64OperandType::SMEIndex(_)
            | Arm64OperandType::SVCR(_)
            | Arm64OperandType::Invalid => return unknown,
            _ => Kind::Ignored,
        };
        args.push(Arg {
            kind,
            shift,
            lane: operand.vector_index.is_some(),
            element,
        });
    }
    let flags = arm.update_flags() || COMPARES.contains(&mnemonic);
    let lowered = match control(mnemonic, &args) {
        Some(lowered) => Some(lowered),
        None if args.iter().any(|arg| matches!(arg.kind, Kind::Mem { .. })) => {
            aarch64_memory::lower(mnemonic, &args, arm.writeback())
                .map(|effects| (effects, Flow::Next))
        }
        None => Some((
            moves(mnemonic, &args).unwrap_or_else(|| compute(mnemonic, &args, flags)),
            Flow::Next,
        )),
    };
    match lowered {
        Some((effects, flow)) => Insn {
            effects,
            flow,
            hint: hint(mnemonic, &args),
            ..unknown
        },
        None => unknown,
    }
}

fn register(capstone: &Capstone, id: RegId) -> Named {
    capstone
        .reg_name(id)
        .map_or(Named::Unknown, |name| named(Isa::Aarch64, &name))
}

/// Bytes of an element and of the whole vector; zeros without an arrangement.
fn arrangement(vas: Arm64Vas) -> (u8, u8) {
    use Arm64Vas::*;
    match vas {
        ARM64_VAS_16B => (1, 16),
        ARM64_VAS_8B => (1, 8),
        ARM64_VAS_4B => (1, 4),
        ARM64_VAS_1B => (1, 1),
        ARM64_VAS_8H => (2, 16),
        ARM64_VAS_4H => (2, 8),
        ARM64_VAS_2H => (2, 4),
        ARM64_VAS_1H => (2, 2),
        ARM64_VAS_4S => (4, 16),
        ARM64_VAS_2S => (4, 8),
        ARM64_VAS_1S => (4, 4),
        ARM64_VAS_2D => (8, 16),
        ARM64_VAS_1D => (8, 8),
        ARM64_VAS_1Q => (16, 16),
        ARM64_VAS_INVALID => (0, 0),
    }
}

const COMPARES: [&str; 9] = [
    "cmp", "cmn", "tst", "fcmp", "fcmpe", "ccmp", "ccmn", "fccmp", "fccmpe",
];

/// Branches, calls, returns, and what does nothing.
fn control(mnemonic: &str, args: &[Arg]) -> Option<(Vec<Effect>, Flow)> {
    let target = || match args.last()?.kind {
        Kind::Imm(address) => Some(address as u64),
        _ => None,
    };
    let first = || args.first()?.slice();
    let read = || first().map(|slice| Effect::Read(Operand::Reg(slice)));
    Some(match mnemonic {
        "nop" | "hint" | "bti" | "yield" | "dmb" | "dsb" | "isb" | "prfm" | "prfum" | "clrex" => {
            (Vec::new(), Flow::Next)
        }
        "b" => (Vec::new(), Flow::Jump(target()?)),
        "bl" => (Vec::new(), Flow::Call(Some(target()?))),
        "blr" => (vec![read()?], Flow::Call(None)),
        "br" => (vec![read()?], Flow::Indirect(Operand::Reg(first()?))),
        "ret" => (Vec::new(), Flow::Return),
        "brk" | "udf" | "hlt" => (Vec::new(), Flow::Trap),
        "cbz" | "cbnz" | "tbz" | "tbnz" => {
            let decision = first().map(Effect::Decide).into_iter().collect();
            (decision, Flow::Branch(target()?, Bound::None))
        }
        _ => {
            let bound = match mnemonic.strip_prefix("b.")? {
                "hi" => Bound::TakenAbove,
                "hs" | "cs" => Bound::TakenAboveEqual,
                "lo" | "cc" => Bound::TakenBelow,
                "ls" => Bound::TakenBelowEqual,
                _ => Bound::None,
            };
            (
                vec![Effect::Decide(Slice::FLAGS)],
                Flow::Branch(target()?, bound),
            )
        }
    })
}

/// Moves, addresses and selections.
fn moves(mnemonic: &str, args: &[Arg]) -> Option<Vec<Effect>> {
    let to = args.first()?.slice()?;
    let rest = if args[0].lane { Rest::Keep } else { Rest::Zero };
    let copy = |from: Operand, signed| {
        Some(vec![Effect::Copy {
            to,
            from,
            rest,
            signed,
        }])
    };
    let low = |len| {
        args.get(1)
            .and_then(|arg| arg.slice())
            .map_or(Operand::Clean, |from| {
                Operand::Reg(Slice::low(from.reg, len))
            })
    };
    match (mnemonic, args) {
        ("mov" | "fmov" | "ins" | "umov", [_, from]) => copy(from.operand(), false),
        ("smov", [_, from]) => copy(from.operand(), true),
        ("dup", [_, from]) => {
            // Every element is the same: poison in one is poison in all.
            copy(from.operand(), true)
        }
        ("sxtb", [_, _]) => copy(low(1), true),
        ("sxth", [_, _]) => copy(low(2), true),
        ("sxtw", [_, _]) => copy(low(4), true),
        ("uxtb", [_, _]) => copy(low(1), false),
        ("uxth", [_, _]) => copy(low(2), false),
        ("uxtw", [_, _]) => copy(low(4), false),
        (
            "adr" | "adrp",
            [
                _,
                Arg {
                    kind: Kind::Imm(value),
                    ..
                },
            ],
        ) => Some(vec![Effect::Constant {
            to: to.reg,
            value: *value as u64,
        }]),
        ("movk", [_, value]) => {
            let bytes = 0x3 << (value.shift.unwrap_or(0) / 8);
            Some(vec![Effect::Define(
                Slice { reg: to.reg, bytes },
                Rest::Keep,
            )])
        }
        ("eor", [_, a, b]) if a.kind == b.kind && a.shift == b.shift => {
            Some(vec![Effect::Define(to, rest)])
        }
        (
            "add" | "sub",
            [
                _,
                Arg {
                    kind: Kind::Reg(base),
                    ..
                },
                Arg {
                    kind: Kind::Imm(value),
                    shift: Some(by),
                    ..
                },
            ],
        ) => {
            let delta = value << by;
            Some(vec![Effect::Offset {
                to,
                base: base.reg,
                delta: if mnemonic == "add" { delta } else { -delta },
            }])
        }
        (
            "add",
            [
                _,
                Arg {
                    kind: Kind::Reg(left),
                    ..
                },
                Arg {
                    kind: Kind::Reg(right),
                    shift: Some(shift),
                    ..
                },
            ],
        ) if !to.reg.is_vector() => Some(vec![Effect::Sum {
            to,
            left: left.reg,
            right: right.reg,
            shift: *shift,
        }]),
        ("csel" | "fcsel", [_, a, b, ..]) => Some(vec![
            Effect::Decide(Slice::FLAGS),
            Effect::Select {
                to,
                from: [a.operand(), b.operand()],
                rest,
            },
        ]),
        _ => None,
    }
}

/// Whether the instruction computes on its old destination.
fn reads_destination(mnemonic: &str, args: &[Arg]) -> bool {
    const STEMS: [&str; 26] = [
        "bfi", "bfxil", "bfm", "bfc", "fmla", "fmls", "mla", "mls", "smlal", "umlal", "smlsl",
        "umlsl", "sqdml", "sdot", "udot", "saba", "uaba", "ssra", "usra", "srsra", "ursra",
        "sadalp", "uadalp", "aes", "sha", "tbx",
    ];
    const WHOLE: [&str; 5] = ["sli", "sri", "bsl", "bit", "bif"];
    // The narrowing instructions whose name ends in 2 fill the upper half and keep the lower; trn2 transposes.
    let upper = mnemonic.ends_with("n2") && mnemonic != "trn2";
    let vector = args
        .first()
        .and_then(|arg| arg.slice())
        .is_some_and(|slice| slice.reg.is_vector());
    let masks = vector && matches!(mnemonic, "orr" | "bic") && args.len() == 2;
    upper
        || masks
        || WHOLE.contains(&mnemonic)
        || STEMS.iter().any(|stem| mnemonic.starts_with(stem))
}

/// Everything that computes a result, or only the flags.
fn compute(mnemonic: &str, args: &[Arg], flags: bool) -> Vec<Effect> {
    const DECIDE: [&str; 20] = [
        "csinc", "csinv", "csneg", "cinc", "cinv", "cneg", "cset", "csetm", "ccmp", "ccmn",
        "fccmp", "fccmpe", "adc", "adcs", "sbc", "sbcs", "ngc", "ngcs", "cfinv", "axflag",
    ];
    let mut effects = Vec::new();
    if DECIDE.contains(&mnemonic) {
        effects.push(Effect::Decide(Slice::FLAGS));
    }
    let sets = Effect::Define(Slice::FLAGS, Rest::Keep);
    let result = if COMPARES.contains(&mnemonic) {
        None
    } else {
        args.first().and_then(|arg| arg.slice())
    };
    let skip = usize::from(!COMPARES.contains(&mnemonic) && !reads_destination(mnemonic, args));
    let from: Vec<_> = args.iter().skip(skip).map(|arg| arg.operand()).collect();
    match (result, spread(mnemonic, args, result)) {
        (Some(to), Some(spread)) => {
            let rest = if args[0].lane { Rest::Keep } else { Rest::Zero };
            effects.push(Effect::Compute {
                to: Some(to),
                from,
                spread,
                rest,
                flags,
            });
            return effects;
        }
        _ => effects.extend(from.into_iter().map(Effect::Read)),
    }
    if flags {
        effects.push(sets);
    }
    if let Some(to) = result {
        effects.push(Effect::Define(
            to,
            if args[0].lane { Rest::Keep } else { Rest::Zero },
        ));
    }
    effects
}

/// How poison spreads in a computation; `None` if the result depends on every byte of every source.
fn spread(mnemonic: &str, args: &[Arg], result: Option<Slice>) -> Option<Spread> {
    const UPWARD: [&str; 12] = [
        "add", "adds", "sub", "subs", "and", "ands", "orr", "eor", "bfi", "mul", "madd", "neg",
    ];
    const LANES: [&str; 24] = [
        "fadd", "fsub", "fmul", "fdiv", "fmla", "fmls", "fmax", "fmin", "fneg", "fabs", "fsqrt",
        "fcm", "scvtf", "ucvtf", "cm", "add", "sub", "mul", "and", "orr", "eor", "neg", "bsl",
        "bic",
    ];
    // Names that begin like those but combine neighbours or change the width.
    const ACROSS: [&str; 12] = [
        "addp", "addv", "addhn", "addhn2", "subhn", "subhn2", "faddp", "fmaxp", "fminp", "fmaxv",
        "fminv", "fmaxnmp",
    ];
    let to = result?;
    if to.reg.is_vector() {
        let lanes = LANES.iter().any(|stem| mnemonic.starts_with(stem))
            && !ACROSS.contains(&mnemonic)
            && !mnemonic.ends_with('v');
        let bitwise = matches!(mnemonic, "and" | "orr" | "eor" | "bic" | "bsl");
        // A scalar is one lane.
        let width = if bitwise {
            1
        } else {
            args.first().map_or(8, |arg| {
                arg.element.max(if arg.element == 0 { to.len() } else { 1 })
            })
        };
        lanes.then_some(Spread::Lanes(width))
    } else {
        UPWARD.contains(&mnemonic).then_some(Spread::Upward)
    }
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
                    shift: Some(by),
                    ..
                },
            ],
        ) if *limit >= 0 => Hint::Compare(*slice, (*limit as u64) << by),
        (
            "and",
            [
                Arg {
                    kind: Kind::Reg(to),
                    ..
                },
                _,
                Arg {
                    kind: Kind::Imm(limit),
                    ..
                },
            ],
        ) if *limit >= 0 => Hint::AtMost(to.reg, *limit as u64),
        (
            "ubfx",
            [
                Arg {
                    kind: Kind::Reg(to),
                    ..
                },
                _,
                _,
                Arg {
                    kind: Kind::Imm(width @ 1..32),
                    ..
                },
            ],
        ) => Hint::AtMost(to.reg, (1 << width) - 1),
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
        ) if !to.reg.is_vector() && !from.reg.is_vector() => Hint::CopyOf(to.reg, *from),
        _ => Hint::None,
    }
}
