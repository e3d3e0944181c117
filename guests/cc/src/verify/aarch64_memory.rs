//! aarch64 loads and stores as effects, with their write-back forms.

use super::aarch64::{Arg, Kind};
use super::abi::Reg;
use super::effect::{Effect, Mem, Operand, Rest, Slice};

/// Lowers an instruction with a memory operand; `None` if it is not modelled.
pub(super) fn lower(mnemonic: &str, args: &[Arg], writeback: bool) -> Option<Vec<Effect>> {
    let place = args
        .iter()
        .position(|arg| matches!(arg.kind, Kind::Mem { .. }))?;
    let Kind::Mem { base, index, disp } = args[place].kind else {
        return None;
    };
    let behind = args.get(place + 1).map(|arg| arg.kind);
    let mut memory = Memory {
        base,
        index,
        disp,
        next: 0,
    };
    let mut effects = Vec::new();
    let whole = Slice::whole(base);
    if writeback && behind.is_none() {
        effects.push(Effect::Offset {
            to: whole,
            base,
            delta: disp,
        });
        memory.disp = 0;
    }
    access(mnemonic, &args[..place], &mut memory, &mut effects)?;
    match behind {
        Some(Kind::Imm(delta)) => effects.push(Effect::Offset {
            to: whole,
            base,
            delta,
        }),
        Some(Kind::Reg(by)) => effects.push(Effect::Sum {
            to: whole,
            left: base,
            right: by.reg,
            shift: 0,
        }),
        Some(_) => return None,
        None => {}
    }
    Some(effects)
}

/// The memory operand, and how far it has been accessed.
struct Memory {
    base: Reg,
    index: Option<Reg>,
    disp: i64,
    next: i64,
}

impl Memory {
    /// The next `len` bytes.
    fn take(&mut self, len: u8) -> Mem {
        let mem = Mem {
            base: Some(self.base),
            index: self.index,
            disp: self.disp + self.next,
            len,
        };
        self.next += i64::from(len);
        mem
    }
}

/// What a mnemonic does with memory.
fn access(
    mnemonic: &str,
    regs: &[Arg],
    memory: &mut Memory,
    effects: &mut Vec<Effect>,
) -> Option<()> {
    let lanes = regs.iter().any(|arg| arg.lane);
    match mnemonic {
        "ld1" => {
            let rest = if lanes { Rest::Keep } else { Rest::Zero };
            load(regs, memory, effects, |slice| (slice.len(), false), rest)
        }
        "ld1r" => {
            let arg = regs.first()?;
            let from = Operand::Mem(memory.take(arg.element));
            effects.push(Effect::Copy {
                to: arg.slice()?,
                from,
                rest: Rest::Zero,
                signed: true,
            });
            Some(())
        }
        "ld2" | "ld3" | "ld4" => {
            for arg in regs {
                let to = arg.slice()?;
                effects.push(Effect::Read(Operand::Mem(memory.take(to.len()))));
                effects.push(Effect::Define(
                    to,
                    if lanes { Rest::Keep } else { Rest::Zero },
                ));
            }
            Some(())
        }
        "st1" | "st2" | "st3" | "st4" => store(regs, memory, effects, None),
        "stxr" | "stlxr" | "stxrb" | "stlxrb" | "stxrh" | "stlxrh" | "stxp" | "stlxp" => {
            store(
                &regs[1..],
                memory,
                effects,
                narrow(mnemonic, &["stxr", "stlxr"]).map(|(len, _)| len),
            )?;
            if let Some(status) = regs[0].slice() {
                effects.push(Effect::Define(status, Rest::Zero));
            }
            Some(())
        }
        "ldpsw" => load(regs, memory, effects, |_| (4, true), Rest::Zero),
        "ldp" | "ldnp" | "ldxp" | "ldaxp" => load(
            regs,
            memory,
            effects,
            |slice| (slice.len(), false),
            Rest::Zero,
        ),
        "stp" | "stnp" => store(regs, memory, effects, None),
        _ => {
            const LOADS: [&str; 8] = [
                "ldr", "ldur", "ldtr", "ldar", "ldxr", "ldaxr", "ldapr", "ldapur",
            ];
            const STORES: [&str; 5] = ["str", "stur", "sttr", "stlr", "stlur"];
            if let Some((len, signed)) = narrow(mnemonic, &LOADS) {
                load(regs, memory, effects, |_| (len, signed), Rest::Zero)
            } else if let Some((len, _)) = narrow(mnemonic, &STORES) {
                store(regs, memory, effects, Some(len))
            } else if LOADS.contains(&mnemonic) {
                load(
                    regs,
                    memory,
                    effects,
                    |slice| (slice.len(), false),
                    Rest::Zero,
                )
            } else if STORES.contains(&mnemonic) {
                store(regs, memory, effects, None)
            } else {
                None
            }
        }
    }
}

/// Length and signedness by the suffix of a narrow access.
fn narrow(mnemonic: &str, stems: &[&str]) -> Option<(u8, bool)> {
    stems
        .iter()
        .find_map(|stem| match mnemonic.strip_prefix(stem)? {
            "b" => Some((1, false)),
            "h" => Some((2, false)),
            "sb" => Some((1, true)),
            "sh" => Some((2, true)),
            "sw" => Some((4, true)),
            _ => None,
        })
}

fn load(
    regs: &[Arg],
    memory: &mut Memory,
    effects: &mut Vec<Effect>,
    form: impl Fn(Slice) -> (u8, bool),
    rest: Rest,
) -> Option<()> {
    for arg in regs {
        match arg.kind {
            Kind::Reg(to) => {
                let (len, signed) = form(to);
                effects.push(Effect::Copy {
                    to,
                    from: Operand::Mem(memory.take(len)),
                    rest,
                    signed,
                });
            }
            Kind::Ignored => memory.next += 8,
            _ => return None,
        }
    }
    Some(())
}

/// Stores registers one behind the other; `len` bytes of each, or all that the operand names.
fn store(
    regs: &[Arg],
    memory: &mut Memory,
    effects: &mut Vec<Effect>,
    len: Option<u8>,
) -> Option<()> {
    // The zero register's width is its neighbour's, or else the widest.
    let width = len
        .or_else(|| regs.iter().find_map(|arg| arg.slice()).map(Slice::len))
        .unwrap_or(8);
    for arg in regs {
        let (len, from) = match arg.kind {
            Kind::Reg(slice) if len.is_none() => (slice.len(), Operand::Reg(slice)),
            Kind::Reg(slice) => (width, Operand::Reg(Slice::low(slice.reg, width))),
            Kind::Ignored => (width, Operand::Clean),
            _ => return None,
        };
        effects.push(Effect::Store {
            to: memory.take(len),
            from,
        });
    }
    Some(())
}
