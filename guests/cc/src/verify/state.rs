//! The abstract state of a frame: which bytes of registers and stack are poison, and which registers hold known addresses.
//!
//! Poison is of two kinds. *Untouched* poison lies where the call left it; every register and slot has it behind the call, and
//! an epilogue may even return with it. *Moved* poison was copied by the program, which is legal for a callee-saved register's
//! restore, but not for an argument or a return value. States form a lattice of finite height: joining only adds poison and
//! forgets addresses.

use std::collections::BTreeMap;

use super::abi::{Abi, FLAGS, REGISTERS, Reg};
use super::report::VerifySite;

/// What is known of a register's value beyond poison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing.
    #[default]
    Nothing,
    /// An address in this frame, `offset` bytes from the CFA; not `exact` when a run-time index was added.
    Stack { offset: i32, exact: bool },
    /// This number.
    Constant(u64),
    /// These bytes are 0x00, those 0xff.
    Bytes { zero: u16, ones: u16 },
    /// An element of a constant table.
    Element(TableLoad),
    /// `base` plus an element of a table shifted left.
    Target {
        base: u64,
        shift: u8,
        load: TableLoad,
    },
}

/// A load from a constant table with a run-time index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TableLoad {
    /// Address of the table.
    pub(super) table: u64,
    /// Bytes per element.
    pub(super) size: u8,
    /// Whether elements are signed.
    pub(super) signed: bool,
    /// The index register at the load.
    pub(super) index: Reg,
    /// Address of the loading instruction.
    pub(super) at: u64,
}

/// Poison of up to 16 bytes; `moved` is a subset of `poison`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taint {
    /// Undefined bytes.
    pub(super) poison: u16,
    /// Those of them that the program copied here.
    pub(super) moved: u16,
}

impl Taint {
    /// All of `bytes` poisoned and moved.
    pub(super) const fn moved(bytes: u16) -> Self {
        Self {
            poison: bytes,
            moved: bytes,
        }
    }

    /// All of `bytes` poisoned where they are.
    const fn untouched(bytes: u16) -> Self {
        Self {
            poison: bytes,
            moved: 0,
        }
    }

    /// Poison of either.
    pub(super) const fn or(self, other: Self) -> Self {
        Self {
            poison: self.poison | other.poison,
            moved: self.moved | other.moved,
        }
    }
}

/// The content of a register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Value {
    /// Its poisoned bytes.
    pub(super) taint: Taint,
    /// What else is known; only meaningful where there is no poison.
    pub(super) known: Known,
}

/// Eight bytes of stack. What was never written is untouched poison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Word {
    clean: u8,
    moved: u8,
}

/// Registers and stack at one point of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    regs: [Value; REGISTERS],
    stack: BTreeMap<i32, Word>,
}

impl State {
    /// The state behind a migrating call.
    pub(super) fn behind(site: &VerifySite, abi: &Abi) -> Self {
        let mut state = Self {
            regs: [Value::default(); REGISTERS],
            stack: BTreeMap::new(),
        };
        for number in 0..REGISTERS {
            let reg = Reg(number as u8);
            state.regs[number].taint = Taint::untouched(reg.all_bytes());
        }
        for reg in abi.returns {
            state.set(*reg, Value::default());
        }
        let frame = |offset| Value {
            taint: Taint::default(),
            known: Known::Stack {
                offset,
                exact: true,
            },
        };
        state.set(abi.sp, frame(0i32.saturating_sub_unsigned(site.size)));
        state.set(abi.fp, frame(site.cfa_fp.saturating_neg()));
        state.write_stack(site.fp_off, 8, Taint::default());
        state.write_stack(site.ra_off, 8, Taint::default());
        state
    }

    /// The content of `reg`.
    pub(super) fn reg(&self, reg: Reg) -> Value {
        self.regs[usize::from(reg.0)]
    }

    /// Sets the whole of `reg`.
    pub(super) fn set(&mut self, reg: Reg, value: Value) {
        self.regs[usize::from(reg.0)] = value;
    }

    /// SP as an offset from the CFA, if it is known.
    pub(super) fn sp(&self, abi: &Abi) -> Option<i32> {
        match self.reg(abi.sp).known {
            Known::Stack {
                offset,
                exact: true,
            } => Some(offset),
            _ => None,
        }
    }

    /// The taint of `len` stack bytes at `offset` from the CFA.
    pub(super) fn read_stack(&self, offset: i32, len: u8) -> Taint {
        let mut taint = Taint::default();
        for byte in 0..len.min(16) {
            let at = offset.saturating_add(i32::from(byte));
            let word = self
                .stack
                .get(&at.div_euclid(8))
                .copied()
                .unwrap_or_default();
            let bit = 1u8 << at.rem_euclid(8);
            if word.clean & bit == 0 {
                taint.poison |= 1 << byte;
            }
            if word.moved & bit != 0 {
                taint.moved |= 1 << byte;
            }
        }
        taint
    }

    /// Writes `len` stack bytes at `offset` from the CFA.
    pub(super) fn write_stack(&mut self, offset: i32, len: u8, taint: Taint) {
        for byte in 0..len.min(16) {
            let at = offset.saturating_add(i32::from(byte));
            let word = self.stack.entry(at.div_euclid(8)).or_default();
            let bit = 1u8 << at.rem_euclid(8);
            let set = |mask: &mut u8, on: bool| *mask = if on { *mask | bit } else { *mask & !bit };
            set(&mut word.clean, taint.poison & (1 << byte) == 0);
            set(&mut word.moved, taint.moved & (1 << byte) != 0);
        }
    }

    /// The state behind a call that cannot migrate: what the callee need not keep is poison again, so is the stack below SP.
    pub(super) fn forget_call(&mut self, abi: &Abi) {
        for number in 0..REGISTERS {
            let reg = Reg(number as u8);
            let lost = reg.all_bytes() & !abi.kept(reg);
            let value = &mut self.regs[number];
            value.taint.poison |= lost;
            value.taint.moved &= !lost;
            if lost != 0 {
                value.known = Known::Nothing;
            }
        }
        for reg in abi.returns {
            self.set(*reg, Value::default());
        }
        self.set(
            FLAGS,
            Value {
                taint: Taint::untouched(1),
                known: Known::Nothing,
            },
        );
        if let Some(sp) = self.sp(abi) {
            self.stack.retain(|word, _| *word >= sp.div_euclid(8));
        }
    }

    /// The lowest word of the stack whose lowest byte holds moved poison and which is reached from `offset` upwards over bytes that were
    /// written since the call: an outgoing stack argument, when `offset` is SP. As of a register only the lowest byte is surely used;
    /// what is above a narrow value may be anything.
    pub(super) fn moved_from(&self, offset: i32) -> Option<i32> {
        (offset..).find_map(|at| {
            let taint = self.read_stack(at, 1);
            if taint.moved != 0 {
                ((at - offset) % 8 == 0).then_some(Some(at))
            } else if taint.poison != 0 {
                Some(None)
            } else {
                None
            }
        })?
    }

    /// Adds what `other` allows; says whether that changed anything.
    pub(super) fn join(&mut self, other: &Self) -> bool {
        let before = self.clone();
        for (value, theirs) in self.regs.iter_mut().zip(&other.regs) {
            value.taint = value.taint.or(theirs.taint);
            value.known = join_known(value.known, theirs.known);
        }
        for (at, word) in &mut self.stack {
            word.clean &= other.stack.get(at).copied().unwrap_or_default().clean;
        }
        for (at, theirs) in &other.stack {
            self.stack.entry(*at).or_default().moved |= theirs.moved;
        }
        self.stack.retain(|_, word| *word != Word::default());
        *self != before
    }
}

fn join_known(ours: Known, theirs: Known) -> Known {
    match (ours, theirs) {
        (a, b) if a == b => a,
        (Known::Stack { offset: a, .. }, Known::Stack { offset: b, .. }) if a == b => {
            Known::Stack {
                offset: a,
                exact: false,
            }
        }
        _ => Known::Nothing,
    }
}
