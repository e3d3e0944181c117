//! x86_64 integer computation as effects.
//!
//! Instructions whose result depends on less than all their inputs, or is an address, have rules; the rest goes by the
//! disassembler's access flags.

use super::abi::{FLAGS, Reg};
use super::effect::{Effect, Mem, Operand, Rest, Slice, Spread};
use super::x86_64::{Arg, Implicit, Kind};

const RAX: Reg = Reg(0);

/// Integer instructions whose result depends on less than all their inputs, or is an address.
pub(super) fn lower(mnemonic: &str, args: &[Arg]) -> Option<Vec<Effect>> {
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
        ("cbw" | "cwde" | "cdqe", []) => {
            let bytes = match mnemonic {
                "cbw" => 1,
                "cwde" => 2,
                _ => 4,
            };
            let to = Slice::low(RAX, 2 * bytes);
            Some(vec![Effect::Copy {
                to,
                from: Operand::Reg(Slice::low(RAX, bytes)),
                rest: rest(to),
                signed: true,
            }])
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
        // A fence: whatever lies there stays, and only the flags tell of it.
        (
            "or",
            [
                Arg {
                    kind: Kind::Mem(mem),
                    ..
                },
                Arg {
                    kind: Kind::Imm(0), ..
                },
            ],
        ) => Some(vec![Effect::Copy {
            to: Slice::FLAGS,
            from: Operand::Mem(Mem { len: 1, ..*mem }),
            rest: Rest::Keep,
            signed: false,
        }]),
        // Of this form the disassembler does not say that it sets the flags.
        ("test", [dst, src]) if matches!(dst.kind, Kind::Mem(_)) => Some(vec![
            Effect::Read(dst.operand()),
            Effect::Read(src.operand()),
            Effect::Define(Slice::FLAGS, Rest::Keep),
        ]),
        // Of bytes: the product is in ax, and so is the dividend.
        ("mul" | "imul" | "div" | "idiv", [src]) if src.bytes() == Some(1) => {
            let used = if mnemonic.ends_with("mul") { 1 } else { 2 };
            Some(vec![
                Effect::Read(Operand::Reg(Slice::low(RAX, used))),
                Effect::Read(src.operand()),
                Effect::Define(Slice::low(RAX, 2), Rest::Keep),
                Effect::Define(Slice::FLAGS, Rest::Keep),
            ])
        }
        // Compares as much of rax as the operands are wide.
        ("cmpxchg", [dst, src]) => {
            let Kind::Reg(source) = src.kind else {
                return None;
            };
            let compared = Slice::low(RAX, source.len());
            let stored = match dst.kind {
                Kind::Mem(mem) => Effect::Store {
                    to: mem,
                    from: src.operand(),
                },
                Kind::Reg(slice) => Effect::Select {
                    to: slice,
                    from: [dst.operand(), src.operand()],
                    rest: rest(slice),
                },
                _ => return None,
            };
            Some(vec![
                Effect::Read(Operand::Reg(compared)),
                Effect::Read(dst.operand()),
                stored,
                Effect::Define(compared, Rest::Keep),
                Effect::Define(Slice::FLAGS, Rest::Keep),
            ])
        }
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
pub(super) fn general(mnemonic: &str, args: &[Arg], implicit: &Implicit) -> Vec<Effect> {
    let flags = implicit.writes.iter().any(|slice| slice.reg == FLAGS);
    let upward = [
        "add", "sub", "imul", "shl", "and", "or", "xor", "neg", "not", "inc", "dec",
    ]
    .contains(&mnemonic);
    // Of the flags these read the direction, which is always upward (System V ABI).
    let upward_string = [
        "movsb", "movsw", "movsd", "movsq", "stosb", "stosw", "stosd", "stosq",
    ]
    .contains(&mnemonic);
    let mut effects: Vec<_> = implicit
        .reads
        .iter()
        .filter(|slice| !(upward_string && slice.reg == FLAGS))
        .map(|slice| {
            if slice.reg == FLAGS {
                Effect::Decide(Slice::FLAGS)
            } else {
                Effect::Read(Operand::Reg(*slice))
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
            .map(|slice| Effect::Define(*slice, rest(*slice))),
    );
    effects
}

/// What happens to the rest of a general-purpose register when `slice` of it is written.
fn rest(slice: Slice) -> Rest {
    if slice.len() >= 4 && !slice.reg.is_vector() {
        Rest::Zero
    } else {
        Rest::Keep
    }
}
