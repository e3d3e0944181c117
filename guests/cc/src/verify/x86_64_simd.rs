//! SSE and SSE2 instructions as effects.
//!
//! LLVM keeps scalars in vector registers whose upper bytes nobody set, and computes on lanes that nobody reads. So poison is followed
//! byte by byte here: moves and shuffles carry it along, lane-wise arithmetic spreads it within lanes, scalar instructions look at
//! their scalar only. What matches nothing here is taken to depend on all of its operands.

use super::effect::{Effect, Operand, Rest, Slice, Spread};
use super::x86_64::{Arg, Kind};

/// Lowers a vector instruction; `None` if it has no rule of its own.
pub(super) fn lower(mnemonic: &str, args: &[Arg]) -> Option<Vec<Effect>> {
    let vector = |arg: &Arg| matches!(arg.kind, Kind::Reg(slice) if slice.reg.is_vector());
    if !args.iter().any(vector) {
        return None;
    }
    moves(mnemonic, args)
        .or_else(|| idiom(mnemonic, args))
        .or_else(|| shuffle(mnemonic, args))
        .or_else(|| scalar(mnemonic, args))
        .or_else(|| lanes(mnemonic, args))
}

fn copy(to: Slice, from: Operand, rest: Rest) -> Option<Vec<Effect>> {
    Some(vec![Effect::Copy {
        to,
        from,
        rest,
        signed: false,
    }])
}

/// Moves between registers and memory.
fn moves(mnemonic: &str, args: &[Arg]) -> Option<Vec<Effect>> {
    let [dst, src, ..] = args else { return None };
    let len = match mnemonic {
        "movaps" | "movups" | "movapd" | "movupd" | "movdqa" | "movdqu" | "lddqu" | "movntps"
        | "movntpd" | "movntdq" => 16,
        "movq" | "movsd" | "movlps" | "movlpd" | "movhps" | "movhpd" => 8,
        "movd" | "movss" => 4,
        "pextrw" | "pinsrw" => return lane_of_words(mnemonic, args),
        _ => return None,
    };
    let high = mnemonic.starts_with("movh");
    let half = |arg: &Arg| match arg.kind {
        Kind::Reg(slice) if high => Slice {
            reg: slice.reg,
            bytes: 0xff00,
        },
        Kind::Reg(slice) => Slice::low(slice.reg, len),
        _ => Slice::FLAGS,
    };
    match (dst.kind, src.kind) {
        (Kind::Mem(mem), Kind::Reg(_)) => Some(vec![Effect::Store {
            to: mem,
            from: Operand::Reg(half(src)),
        }]),
        (Kind::Reg(to), Kind::Mem(_)) => {
            let keeps = mnemonic.starts_with("movl") || high;
            copy(
                half(dst),
                src.low(len),
                if keeps && to.reg.is_vector() {
                    Rest::Keep
                } else {
                    Rest::Zero
                },
            )
        }
        (Kind::Reg(_), Kind::Reg(_)) => {
            let keeps = matches!(mnemonic, "movss" | "movsd");
            copy(
                half(dst),
                src.low(len),
                if keeps { Rest::Keep } else { Rest::Zero },
            )
        }
        _ => None,
    }
}

/// `pextrw` and `pinsrw`.
fn lane_of_words(mnemonic: &str, args: &[Arg]) -> Option<Vec<Effect>> {
    let [
        Arg {
            kind: Kind::Reg(to),
            ..
        },
        src,
        Arg {
            kind: Kind::Imm(number),
            ..
        },
    ] = args
    else {
        return None;
    };
    let lane = 0x3 << (2 * (number & 7));
    match (mnemonic, src.kind) {
        ("pextrw", Kind::Reg(from)) => copy(
            Slice::low(to.reg, 2),
            Operand::Reg(Slice {
                reg: from.reg,
                bytes: lane,
            }),
            Rest::Zero,
        ),
        ("pinsrw", _) => copy(
            Slice {
                reg: to.reg,
                bytes: lane,
            },
            src.low(2),
            Rest::Keep,
        ),
        _ => None,
    }
}

/// Instructions on a register and itself whose result is constant.
fn idiom(mnemonic: &str, args: &[Arg]) -> Option<Vec<Effect>> {
    let [
        Arg {
            kind: Kind::Reg(a), ..
        },
        Arg {
            kind: Kind::Reg(b), ..
        },
    ] = args
    else {
        return None;
    };
    let constant = matches!(mnemonic, "xorps" | "xorpd" | "pxor")
        || ["pcmpeq", "pcmpgt", "psub"]
            .iter()
            .any(|stem| mnemonic.starts_with(stem));
    (constant && a == b).then(|| vec![Effect::Define(*a, Rest::Keep)])
}

/// Shuffles as byte permutations.
fn shuffle(mnemonic: &str, args: &[Arg]) -> Option<Vec<Effect>> {
    let Kind::Reg(to) = args.first()?.kind else {
        return None;
    };
    let immediate = match args.last()?.kind {
        Kind::Imm(value) => value as u8,
        _ => 0,
    };
    let source = if args.len() > 1 && !matches!(args[1].kind, Kind::Imm(_)) {
        args[1]
    } else {
        args[0]
    };
    let mut from = [Operand::Reg(to), source.operand()];
    let field = |n: usize, bits: usize| usize::from(immediate >> (n * bits)) & ((1 << bits) - 1);
    // For each element of the result: which operand, and which of its elements.
    let (width, map): (usize, Vec<(u8, usize)>) = match mnemonic {
        "pshufd" => (4, (0..4).map(|n| (1, field(n, 2))).collect()),
        "pshuflw" => (
            2,
            (0..8)
                .map(|n| (1, if n < 4 { field(n, 2) } else { n }))
                .collect(),
        ),
        "pshufhw" => (
            2,
            (0..8)
                .map(|n| (1, if n < 4 { n } else { 4 + field(n - 4, 2) }))
                .collect(),
        ),
        "shufps" => (4, (0..4).map(|n| (u8::from(n >= 2), field(n, 2))).collect()),
        "shufpd" => (8, (0..2).map(|n| (n as u8, field(n, 1))).collect()),
        "unpcklps" | "punpckldq" => interleave(4, 0),
        "unpckhps" | "punpckhdq" => interleave(4, 2),
        "unpcklpd" | "punpcklqdq" => interleave(8, 0),
        "unpckhpd" | "punpckhqdq" => interleave(8, 1),
        "punpcklbw" => interleave(1, 0),
        "punpckhbw" => interleave(1, 8),
        "punpcklwd" => interleave(2, 0),
        "punpckhwd" => interleave(2, 4),
        "movhlps" => (8, vec![(1, 1), (0, 1)]),
        "movlhps" => (8, vec![(0, 0), (1, 0)]),
        "psrldq" | "pslldq" => {
            from[1] = Operand::Clean;
            let by = i32::from(immediate.min(16));
            let by = if mnemonic == "psrldq" { by } else { -by };
            (
                1,
                (0..16)
                    .map(|n| {
                        usize::try_from(n + by)
                            .ok()
                            .filter(|n| *n < 16)
                            .map_or((1, 0), |n| (0, n))
                    })
                    .collect(),
            )
        }
        _ => return None,
    };
    let bytes = map.iter().flat_map(|(which, element)| {
        (0..width).map(move |byte| (*which, (element * width + byte) as u8))
    });
    Some(vec![Effect::Permute {
        to: to.reg,
        from,
        map: bytes.collect(),
    }])
}

/// Elements alternately from both operands, starting at element `start`.
fn interleave(width: usize, start: usize) -> (usize, Vec<(u8, usize)>) {
    (
        width,
        (0..16 / width)
            .map(|n| ((n % 2) as u8, start + n / 2))
            .collect(),
    )
}

/// Scalar floating point: looks at the lowest element only, and keeps the others of the destination.
fn scalar(mnemonic: &str, args: &[Arg]) -> Option<Vec<Effect>> {
    let [dst, src, ..] = args else { return None };
    let Kind::Reg(to) = dst.kind else { return None };
    let result = |len| Effect::Define(Slice::low(to.reg, len), Rest::Keep);
    let number = Effect::Define(to, Rest::Zero);
    Some(match mnemonic {
        "cvtsi2ss" => vec![Effect::Read(src.operand()), result(4)],
        "cvtsi2sd" => vec![Effect::Read(src.operand()), result(8)],
        "cvtss2sd" => vec![Effect::Read(src.low(4)), result(8)],
        "cvtsd2ss" => vec![Effect::Read(src.low(8)), result(4)],
        "cvtsd2si" | "cvttsd2si" | "movmskpd" => vec![Effect::Read(src.low(8)), number],
        "cvtss2si" | "cvttss2si" => vec![Effect::Read(src.low(4)), number],
        "sqrtss" | "rcpss" | "rsqrtss" => vec![Effect::Read(src.low(4)), result(4)],
        "sqrtsd" => vec![Effect::Read(src.low(8)), result(8)],
        _ => {
            let len = match mnemonic.get(mnemonic.len().checked_sub(2)?..)? {
                "ss" => 4,
                "sd" => 8,
                _ => return None,
            };
            let reads = [dst, src].map(|arg| Effect::Read(arg.low(len)));
            let compares = mnemonic.contains("comis");
            let written = if compares {
                Effect::Define(Slice::FLAGS, Rest::Keep)
            } else {
                result(len)
            };
            [&reads[..], &[written]].concat()
        }
    })
}

/// How many neighbouring bytes of the result depend on each other.
fn lane_width(mnemonic: &str) -> u8 {
    let bitwise = ["pand", "por", "pxor", "andp", "andnp", "orp", "xorp"]
        .iter()
        .any(|stem| mnemonic.starts_with(stem));
    match mnemonic.get(mnemonic.len().saturating_sub(2)..) {
        _ if bitwise => 1,
        _ if mnemonic == "pmuludq" => 8,
        Some("ps" | "dq") => 4,
        _ if mnemonic.ends_with('d') && mnemonic.starts_with('p') => 4,
        _ => 8,
    }
}

/// Conversions between two elements of eight bytes and two of four.
fn conversion(mnemonic: &str, to: Slice, src: &Arg) -> Option<Vec<Effect>> {
    let own = Operand::Reg(to);
    let permute = |from, map: &dyn Fn(u8) -> (u8, u8)| Effect::Permute {
        to: to.reg,
        from,
        map: (0..16).map(map).collect(),
    };
    let compute = |from| Effect::Compute {
        to: Some(to),
        from: vec![from],
        spread: Spread::Lanes(8),
        rest: Rest::Keep,
        flags: false,
    };
    match mnemonic {
        "cvtpd2dq" | "cvttpd2dq" | "cvtpd2ps" => {
            let pack = permute([own, Operand::Clean], &|byte| match byte {
                0..4 => (0, byte),
                4..8 => (0, byte + 4),
                _ => (1, 0),
            });
            Some(vec![compute(src.operand()), pack])
        }
        "cvtdq2pd" | "cvtps2pd" => {
            let widen = permute([src.low(8), Operand::Clean], &|byte| {
                (0, byte / 8 * 4 + byte % 4)
            });
            Some(vec![widen, compute(own)])
        }
        _ => None,
    }
}

/// Arithmetic on all elements.
fn lanes(mnemonic: &str, args: &[Arg]) -> Option<Vec<Effect>> {
    const BINARY: [&str; 28] = [
        "padd", "psub", "pmul", "pmadd", "pavg", "pmin", "pmax", "pand", "por", "pxor", "pcmp",
        "psll", "psrl", "psra", "psadbw", "addp", "subp", "mulp", "divp", "minp", "maxp", "andp",
        "andnp", "orp", "xorp", "cmp", "pandn", "pabs",
    ];
    const UNARY: [&str; 6] = [
        "sqrtp",
        "rcpps",
        "rsqrtps",
        "cvtdq2ps",
        "cvtps2dq",
        "cvttps2dq",
    ];
    let Kind::Reg(to) = args.first()?.kind else {
        return None;
    };
    if !to.reg.is_vector() {
        return None;
    }
    if let Some(effects) = args.get(1).and_then(|src| conversion(mnemonic, to, src)) {
        return Some(effects);
    }
    let unary = UNARY.iter().any(|stem| mnemonic.starts_with(stem));
    if !unary && !BINARY.iter().any(|stem| mnemonic.starts_with(stem)) {
        return None;
    }
    let from = args[usize::from(unary)..]
        .iter()
        .map(|arg| arg.operand())
        .collect();
    let spread = match mnemonic {
        "pand" | "andps" | "andpd" => Spread::Mask { inverted: false },
        "pandn" | "andnps" | "andnpd" => Spread::Mask { inverted: true },
        _ => Spread::Lanes(lane_width(mnemonic)),
    };
    Some(vec![Effect::Compute {
        to: Some(to),
        from,
        spread,
        rest: Rest::Keep,
        flags: false,
    }])
}
