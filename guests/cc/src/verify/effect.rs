//! What one machine instruction does, in the few words the analysis needs.
//!
//! The ISA-specific files lower every instruction to a list of effects, run in order, and a [`Flow`]. Widths are masks with one
//! bit per byte of the register.

use super::abi::{FLAGS, Reg};

/// Contiguous bytes of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    /// The register.
    pub(super) reg: Reg,
    /// Which of its bytes.
    pub(super) bytes: u16,
}

impl Slice {
    /// The whole of `reg`.
    pub(super) const fn whole(reg: Reg) -> Self {
        Self {
            reg,
            bytes: reg.all_bytes(),
        }
    }

    /// The flags.
    pub(super) const FLAGS: Self = Self::whole(FLAGS);

    /// The lowest `len` bytes of `reg`, in the register's own limits.
    pub(super) const fn low(reg: Reg, len: u8) -> Self {
        Self {
            reg,
            bytes: mask(len) & reg.all_bytes(),
        }
    }

    /// How many bytes.
    pub(super) const fn len(self) -> u8 {
        self.bytes.count_ones() as u8
    }
}

/// The mask of the lowest `len` bytes.
pub(super) const fn mask(len: u8) -> u16 {
    if len >= 16 { u16::MAX } else { (1 << len) - 1 }
}

/// A memory operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mem {
    /// Base register.
    pub(super) base: Option<Reg>,
    /// Index register.
    pub(super) index: Option<Reg>,
    /// Displacement; the absolute address when the base is the program counter.
    pub(super) disp: i64,
    /// Bytes accessed.
    pub(super) len: u8,
}

impl Mem {
    /// `len` bytes at `base + disp`.
    pub(super) const fn at(base: Reg, disp: i64, len: u8) -> Self {
        Self {
            base: Some(base),
            index: None,
            disp,
            len,
        }
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    /// A register or a part of it.
    Reg(Slice),
    /// Memory.
    Mem(Mem),
    /// An immediate or something else that is always defined.
    Clean,
    /// A constant, of which these bytes are 0x00 and those 0xff.
    Bytes { zero: u16, ones: u16 },
}

/// What happens to the rest of a register when a part is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// It stays as it is (8- and 16-bit x86 registers, lanes).
    Keep,
    /// It becomes zero.
    Zero,
}

/// How poison gets from the sources of a computation to its result, when it is not simply forbidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spread {
    /// A byte of the result depends on the source bytes at and below it (add, multiply, shift left, bitwise).
    Upward,
    /// A lane of this many bytes depends on the same lane of the sources (vector arithmetic).
    Lanes(u8),
    /// A byte depends on the same byte of both sources, except where one of them is zero (`and`); the first may be inverted before.
    Mask { inverted: bool },
}

/// One step of an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Depends on every byte of the operand: poison is a violation.
    Read(Operand),
    /// Decides on the flags or on a register whether to branch.
    Decide(Slice),
    /// The bytes become defined.
    Define(Slice, Rest),
    /// Moves a value byte by byte; `signed` copies its top byte into all higher bytes of `to`.
    Copy {
        to: Slice,
        from: Operand,
        rest: Rest,
        signed: bool,
    },
    /// Moves one of two values, or merges them (conditional moves).
    Select {
        to: Slice,
        from: [Operand; 2],
        rest: Rest,
    },
    /// Moves bytes of `from` to the bytes of `to`: byte `i` of `to` comes from byte `map[i].1` of `from[map[i].0]`.
    Permute {
        to: Reg,
        from: [Operand; 2],
        map: Box<[(u8, u8)]>,
    },
    /// Computes `to` and perhaps the flags. Poison in the lowest bytes of a source is a violation, above it spreads.
    Compute {
        to: Option<Slice>,
        from: Vec<Operand>,
        spread: Spread,
        rest: Rest,
        flags: bool,
    },
    /// Adds a constant to a register: stack pointer arithmetic, addresses.
    Offset { to: Slice, base: Reg, delta: i64 },
    /// Sets a register to a known constant.
    Constant { to: Reg, value: u64 },
    /// Adds two registers, the second shifted left: jump-table targets and plain address arithmetic.
    Sum {
        to: Slice,
        left: Reg,
        right: Reg,
        shift: u8,
    },
    /// Writes to memory.
    Store { to: Mem, from: Operand },
    /// The register holds a value that was popped only to move the stack pointer.
    Discard(Reg),
}

/// Where control goes behind an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// To the next instruction.
    Next,
    /// To this address.
    Jump(u64),
    /// To this address or the next instruction; the condition bounds an index if it compares one.
    Branch(u64, Bound),
    /// Into a function, at this address where that is known, and back to the next instruction.
    Call(Option<u64>),
    /// Out of the function.
    Return,
    /// Nowhere.
    Trap,
    /// Through this register or memory operand.
    Indirect(Operand),
    /// The instruction is not modelled.
    Unknown,
}

/// What a conditional branch says about an unsigned comparison `index, limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// Taken when above the limit (`ja`, `b.hi`).
    TakenAbove,
    /// Taken when above or equal (`jae`, `b.hs`).
    TakenAboveEqual,
    /// Taken when below (`jb`, `b.lo`).
    TakenBelow,
    /// Taken when below or equal (`jbe`, `b.ls`).
    TakenBelowEqual,
    /// Says nothing.
    None,
}

/// What an instruction says about the size of a jump-table index, for the backward search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// Compares part of a register with a constant.
    Compare(Slice, u64),
    /// Cuts the register down to at most this value.
    AtMost(Reg, u64),
    /// The register becomes a zero-extended copy of the slice.
    CopyOf(Reg, Slice),
    /// None of these.
    None,
}

/// A decoded and lowered instruction.
#[derive(Clone, Debug)]
pub(super) struct Insn {
    /// Its address.
    pub(super) address: u64,
    /// Its length in bytes.
    pub(super) len: u8,
    /// Disassembly, for messages.
    pub(super) text: String,
    /// What it does to registers and memory, in order.
    pub(super) effects: Vec<Effect>,
    /// Where control goes.
    pub(super) flow: Flow,
    /// What it says about an index.
    pub(super) hint: Hint,
}

impl Insn {
    /// The address behind the instruction.
    pub(super) fn end(&self) -> u64 {
        self.address + u64::from(self.len)
    }

    /// The registers that the instruction writes.
    pub(super) fn writes(&self) -> impl Iterator<Item = Reg> + '_ {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Define(to, _)
            | Effect::Copy { to, .. }
            | Effect::Select { to, .. }
            | Effect::Compute { to: Some(to), .. }
            | Effect::Offset { to, .. }
            | Effect::Sum { to, .. } => Some(to.reg),
            Effect::Permute { to, .. } | Effect::Constant { to, .. } => Some(*to),
            _ => None,
        })
    }

    /// Whether the instruction sets the flags.
    pub(super) fn sets_flags(&self) -> bool {
        self.effects.iter().any(|effect| match effect {
            Effect::Compute { flags, .. } => *flags,
            Effect::Define(to, _) => to.reg == FLAGS,
            _ => false,
        })
    }
}
