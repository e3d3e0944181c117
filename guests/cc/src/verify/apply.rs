//! Runs an instruction's effects on an abstract state and says what is wrong with them.

use super::abi::{Abi, Reg};
use super::effect::{Effect, Insn, Mem, Operand, Rest, Slice, Spread, mask};
use super::state::{Known, State, TableLoad, Taint, Value};
use crate::signature::Signature;

/// The bytes of an argument or return value that are surely used: the lowest of an integer, the lowest float of a vector.
const fn surely_used(reg: Reg) -> u16 {
    if reg.is_vector() { 0xf } else { 0x1 }
}

/// A state on which an instruction is run, and what was found.
pub(super) struct Step<'a> {
    abi: &'a Abi,
    insn: &'a Insn,
    state: &'a mut State,
    found: Vec<String>,
}

/// Runs all effects of `insn` on `state`; returns the violations.
pub(super) fn apply(abi: &Abi, insn: &Insn, state: &mut State) -> Vec<String> {
    let mut step = Step {
        abi,
        insn,
        state,
        found: Vec::new(),
    };
    for effect in &insn.effects {
        step.effect(effect);
    }
    step.found
}

/// Violations of a call in this state: poison in arguments, and frame addresses in arguments of a call that may migrate. Which registers
/// are arguments is only `known` of some functions.
pub(super) fn check_call(
    abi: &Abi,
    state: &State,
    known: Option<Signature>,
    migrates: bool,
) -> Vec<String> {
    let mut found = Vec::new();
    let on_stack =
        known.is_none_or(|s| s.integers > abi.integers.len() || s.vectors > abi.vectors.len());
    let integers = abi.integers.iter();
    let integers = integers.take(known.map_or(usize::MAX, |s| s.integers));
    let vectors = abi.vectors.iter();
    let vectors = vectors.take(known.map_or(usize::MAX, |s| s.vectors));
    let indirect = abi.indirect_result.iter().filter(|_| known.is_none());
    for reg in integers.chain(vectors).chain(indirect) {
        let value = state.reg(*reg);
        if value.taint.moved & surely_used(*reg) != 0 {
            found.push(format!("passes poison in {}", abi.name(*reg)));
        }
        let address = value.taint.poison == 0 && matches!(value.known, Known::Stack { .. });
        if migrates && address && abi.indirect_result != Some(*reg) {
            found.push(format!(
                "passes the frame address in {} to a migrating call",
                abi.name(*reg)
            ));
        }
    }
    if let (true, Some(sp)) = (on_stack, state.sp(abi))
        && let Some(at) = state.moved_from(sp)
    {
        found.push(format!("passes poison on the stack at CFA{at:+}"));
    }
    found
}

/// Violations of a return in this state.
pub(super) fn check_return(abi: &Abi, state: &State) -> Vec<String> {
    let mut found = Vec::new();
    for reg in abi.returns {
        if state.reg(*reg).taint.moved & surely_used(*reg) != 0 {
            found.push(format!("returns poison in {}", abi.name(*reg)));
        }
    }
    match abi.link {
        Some(link) if state.reg(link).taint.poison != 0 => {
            found.push(format!("returns through poison in {}", abi.name(link)))
        }
        Some(_) => {}
        None if state
            .sp(abi)
            .is_none_or(|sp| state.read_stack(sp, 8).poison != 0) =>
        {
            found.push("returns through a poisoned slot".to_owned());
        }
        None => {}
    }
    let expected = if abi.link.is_some() { 0 } else { -8 };
    if state.sp(abi) != Some(expected) {
        found.push("returns with a wrong stack pointer".to_owned());
    }
    if state.reg(abi.fp).taint.poison != 0 {
        found.push("returns with poison in the frame pointer".to_owned());
    }
    found
}

/// Poison in one byte of a lane is poison in all of it.
fn whole_lanes(poison: u16, width: u8) -> u16 {
    let lane = |n| mask(width) << n;
    (0..16)
        .step_by(usize::from(width.max(1)))
        .map(lane)
        .filter(|lane| poison & lane != 0)
        .fold(0, |all, lane| all | lane)
}

/// Where a memory operand points.
enum Place {
    /// Into the frame.
    Stack { offset: i32, exact: bool },
    /// Into a constant table.
    Table { table: u64, index: Reg },
    /// Anywhere else.
    Elsewhere,
}

impl Step<'_> {
    fn effect(&mut self, effect: &Effect) {
        match effect {
            Effect::Read(operand) => {
                self.read_strictly(*operand);
            }
            Effect::Decide(slice) => {
                if self.slice(*slice).poison != 0 {
                    self.blame("decides on poison in", slice.reg, "");
                }
            }
            Effect::Define(to, rest) => self.write(*to, Taint::default(), *rest, Known::Nothing),
            Effect::Copy {
                to,
                from,
                rest,
                signed,
            } => self.copy(*to, *from, *rest, *signed),
            Effect::Select { to, from, rest } => {
                let taint = self.fetch(from[0]).or(self.fetch(from[1]));
                self.write(*to, Taint::moved(taint.poison), *rest, Known::Nothing);
            }
            Effect::Permute { to, from, map } => {
                let sources = [self.fetch(from[0]), self.fetch(from[1])];
                let mut poison = 0;
                for (byte, (which, source)) in map.iter().enumerate() {
                    poison |= (sources[usize::from(*which)].poison >> source & 1) << byte;
                }
                self.write(
                    Slice::low(*to, map.len() as u8),
                    Taint::moved(poison),
                    Rest::Keep,
                    Known::Nothing,
                );
            }
            Effect::Compute {
                to,
                from,
                spread,
                rest,
                flags,
            } => self.compute(*to, from, *spread, *rest, *flags),
            Effect::Offset { to, base, delta } => self.offset(*to, *base, *delta),
            Effect::Constant { to, value } => {
                self.state.set(
                    *to,
                    Value {
                        taint: Taint::default(),
                        known: Known::Constant(*value),
                    },
                );
            }
            Effect::Sum {
                to,
                left,
                right,
                shift,
            } => self.sum(*to, *left, *right, *shift),
            Effect::Store { to, from } => self.store(*to, *from),
            Effect::Discard(reg) => {
                let mut value = self.state.reg(*reg);
                value.taint.moved = 0;
                self.state.set(*reg, value);
            }
        }
    }

    fn violation(&mut self, what: String) {
        if !self.found.contains(&what) {
            self.found.push(what);
        }
    }

    /// Reports a use of poison in `reg`, and from here on takes the register for good: one leak is reported once on a path.
    fn blame(&mut self, how: &str, reg: Reg, why: &str) {
        self.violation(format!("{how} {}{why}", self.abi.name(reg)));
        self.state.set(reg, Value::default());
    }

    /// The taint of a part of a register, shifted down to bit 0.
    fn slice(&self, slice: Slice) -> Taint {
        let Taint { poison, moved } = self.state.reg(slice.reg).taint;
        let shift = slice.bytes.trailing_zeros().min(15);
        Taint {
            poison: (poison & slice.bytes) >> shift,
            moved: (moved & slice.bytes) >> shift,
        }
    }

    /// Writes a part of a register; `taint` starts at bit 0.
    fn write(&mut self, to: Slice, taint: Taint, rest: Rest, known: Known) {
        let shift = to.bytes.trailing_zeros().min(15);
        let kept = if rest == Rest::Keep {
            self.state.reg(to.reg).taint
        } else {
            Taint::default()
        };
        let merge = |old: u16, new: u16| (old & !to.bytes) | (new << shift & to.bytes);
        let taint = Taint {
            poison: merge(kept.poison, taint.poison),
            moved: merge(kept.moved, taint.moved),
        };
        let whole = rest == Rest::Zero || to.bytes == to.reg.all_bytes();
        let known = if whole && taint.poison == 0 {
            known
        } else {
            Known::Nothing
        };
        self.state.set(to.reg, Value { taint, known });
    }

    /// Resolves an address; poison in it is a violation.
    fn place(&mut self, mem: Mem) -> Place {
        for reg in [mem.base, mem.index].into_iter().flatten() {
            if self.state.reg(reg).taint.poison != 0 {
                self.blame("addresses memory by poison in", reg, "");
                return Place::Elsewhere;
            }
        }
        let known = |reg: Option<Reg>| reg.map(|reg| self.state.reg(reg).known);
        let disp = |offset: i32| {
            i32::try_from(i64::from(offset).saturating_add(mem.disp)).unwrap_or(i32::MIN)
        };
        match (known(mem.base), known(mem.index), mem.index) {
            (Some(Known::Stack { offset, exact }), None, _) => Place::Stack {
                offset: disp(offset),
                exact,
            },
            (Some(Known::Stack { offset, .. }), Some(_), _)
            | (_, Some(Known::Stack { offset, .. }), _) => Place::Stack {
                offset: disp(offset),
                exact: false,
            },
            (Some(Known::Constant(base)), Some(_), Some(index)) => Place::Table {
                table: base.wrapping_add_signed(mem.disp),
                index,
            },
            (Some(_), Some(Known::Constant(base)), _) => Place::Table {
                table: base.wrapping_add_signed(mem.disp),
                index: mem.base.unwrap_or(self.abi.sp),
            },
            (None, Some(_), Some(index)) => Place::Table {
                table: mem.disp as u64,
                index,
            },
            _ => Place::Elsewhere,
        }
    }

    /// The taint of an operand, shifted down to bit 0. Memory outside the frame is always defined.
    fn fetch(&mut self, operand: Operand) -> Taint {
        match operand {
            Operand::Reg(slice) => self.slice(slice),
            Operand::Clean | Operand::Bytes { .. } => Taint::default(),
            Operand::Mem(mem) => match self.place(mem) {
                Place::Stack { offset, .. } => self.state.read_stack(offset, mem.len),
                Place::Table { .. } | Place::Elsewhere => Taint::default(),
            },
        }
    }

    fn read_strictly(&mut self, operand: Operand) {
        if self.fetch(operand).poison != 0 {
            self.report_use(operand);
        }
    }

    fn report_use(&mut self, operand: Operand) {
        match operand {
            Operand::Reg(slice) => self.blame("uses poison in", slice.reg, ""),
            Operand::Clean | Operand::Bytes { .. } => {}
            Operand::Mem(mem) => {
                if let Place::Stack { offset, .. } = self.place(mem) {
                    self.violation(format!("uses the poisoned slot at CFA{offset:+}"));
                }
            }
        }
    }

    fn copy(&mut self, to: Slice, from: Operand, rest: Rest, signed: bool) {
        let (mut taint, known) = match from {
            Operand::Reg(slice) => {
                let whole = slice.bytes == slice.reg.all_bytes() && to.bytes == to.reg.all_bytes();
                let known = self.state.reg(slice.reg).known;
                // A zero-extended table element keeps its meaning in the lower half of the register.
                let narrow = matches!(known, Known::Element(load) if !load.signed && load.size <= slice.len());
                (
                    self.slice(slice),
                    if whole || narrow {
                        known
                    } else {
                        Known::Nothing
                    },
                )
            }
            Operand::Clean => (Taint::default(), Known::Nothing),
            Operand::Bytes { zero, ones } => (Taint::default(), Known::Bytes { zero, ones }),
            Operand::Mem(mem) => match self.place(mem) {
                Place::Stack { offset, .. } => {
                    (self.state.read_stack(offset, mem.len), Known::Nothing)
                }
                Place::Table { table, index } => {
                    let load = TableLoad {
                        table,
                        size: mem.len,
                        signed,
                        index,
                        at: self.insn.address,
                    };
                    (Taint::default(), Known::Element(load))
                }
                Place::Elsewhere => (Taint::default(), Known::Nothing),
            },
        };
        if signed && taint.poison != 0 {
            taint = Taint::moved(u16::MAX);
        }
        self.write(to, Taint::moved(taint.poison), rest, known);
    }

    fn compute(
        &mut self,
        to: Option<Slice>,
        from: &[Operand],
        spread: Spread,
        rest: Rest,
        flags: bool,
    ) {
        let mut poison = 0;
        let mut known = Known::Nothing;
        for (k, operand) in from.iter().enumerate() {
            let mut taint = self.fetch(*operand);
            if let Spread::Mask { inverted } = spread {
                taint.poison &= !self.hidden(from, k, inverted);
            }
            let used = match (spread, to) {
                (Spread::Upward, _) => taint.poison & 0x1 != 0,
                // Of several lanes, any may be one that nobody reads, but not all.
                (Spread::Lanes(width), Some(to)) if to.len() > width => {
                    taint.poison & mask(to.len()) == mask(to.len())
                }
                (Spread::Mask { .. }, _) => taint.poison == u16::MAX,
                (Spread::Lanes(_), _) => taint.poison & 0xf != 0,
            };
            if used {
                self.report_use(*operand);
            } else {
                poison |= taint.poison;
            }
            if let Operand::Reg(slice) = operand
                && let Known::Stack { offset, .. } = self.state.reg(slice.reg).known
            {
                known = Known::Stack {
                    offset,
                    exact: false,
                };
            }
        }
        if flags {
            // The flags depend on every byte.
            let taint = if poison == 0 {
                Taint::default()
            } else {
                Taint::moved(1)
            };
            self.write(Slice::FLAGS, taint, Rest::Keep, Known::Nothing);
        }
        if let Some(to) = to {
            let spread = match spread {
                Spread::Upward if poison == 0 => 0,
                Spread::Upward => u16::MAX << poison.trailing_zeros(),
                Spread::Lanes(width) => whole_lanes(poison, width),
                Spread::Mask { .. } => poison,
            };
            self.write(to, Taint::moved(spread), rest, known);
        }
    }

    /// The bytes of operand `k` of an `and` that do not matter, because the other operand is zero there.
    fn hidden(&self, from: &[Operand], k: usize, inverted: bool) -> u16 {
        let other = 1 - k.min(1);
        let (zero, ones) = match from.get(other) {
            Some(Operand::Bytes { zero, ones }) => (*zero, *ones),
            Some(Operand::Reg(slice)) => match self.state.reg(slice.reg).known {
                Known::Bytes { zero, ones } => (zero, ones),
                _ => (0, 0),
            },
            _ => (0, 0),
        };
        if inverted && other == 0 { ones } else { zero }
    }

    fn offset(&mut self, to: Slice, base: Reg, delta: i64) {
        let known = match self.state.reg(base).known {
            Known::Stack { offset, exact } => i64::from(offset)
                .checked_add(delta)
                .and_then(|sum| i32::try_from(sum).ok())
                .map_or(Known::Nothing, |offset| Known::Stack { offset, exact }),
            Known::Constant(value) => Known::Constant(value.wrapping_add_signed(delta)),
            _ => Known::Nothing,
        };
        self.compute(
            Some(to),
            &[Operand::Reg(Slice {
                reg: base,
                bytes: to.bytes,
            })],
            Spread::Upward,
            Rest::Zero,
            false,
        );
        if to.bytes == to.reg.all_bytes() && self.state.reg(to.reg).taint.poison == 0 {
            self.state.set(
                to.reg,
                Value {
                    taint: Taint::default(),
                    known,
                },
            );
        }
    }

    fn sum(&mut self, to: Slice, left: Reg, right: Reg, shift: u8) {
        let known = match (self.state.reg(left).known, self.state.reg(right).known) {
            (Known::Constant(base), Known::Element(load)) => Known::Target { base, shift, load },
            (Known::Element(load), Known::Constant(base)) if shift == 0 => {
                Known::Target { base, shift, load }
            }
            _ => Known::Nothing,
        };
        let parts = [left, right].map(|reg| {
            Operand::Reg(Slice {
                reg,
                bytes: to.bytes,
            })
        });
        self.compute(Some(to), &parts, Spread::Upward, Rest::Zero, false);
        let value = self.state.reg(to.reg);
        if known != Known::Nothing && to.bytes == to.reg.all_bytes() && value.taint.poison == 0 {
            self.state.set(to.reg, Value { known, ..value });
        }
    }

    fn store(&mut self, to: Mem, from: Operand) {
        let place = self.place(to);
        let taint = self.fetch(from);
        let mut stored = Taint::moved(taint.poison);
        // The upper half of a vector is no argument of its own.
        if to.len == 16 && taint.poison & mask(8) == 0 {
            stored.moved = 0;
        }
        match place {
            Place::Stack {
                offset,
                exact: true,
            } => self.state.write_stack(offset, to.len, stored),
            Place::Stack {
                offset,
                exact: false,
            } if taint.poison != 0 => {
                self.state.write_stack(offset, to.len, stored);
            }
            Place::Stack { .. } => {}
            Place::Table { .. } | Place::Elsewhere => {
                let Operand::Reg(slice) = from else { return };
                let whole = slice.bytes == slice.reg.all_bytes();
                if taint.poison != 0 {
                    self.blame("stores poison in", slice.reg, " to memory");
                } else if whole && matches!(self.state.reg(slice.reg).known, Known::Stack { .. }) {
                    self.blame("stores the frame address in", slice.reg, " to memory");
                }
            }
        }
    }
}
