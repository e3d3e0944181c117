//! Registers and calling convention of each ISA, as far as liveness across calls depends on them.
//!
//! Registers of both ISAs share one numbering: 0-31 general purpose (by hardware number, 31 is aarch64's SP), 32-63 vector
//! registers, 64 the flags. Conventions: System V AMD64 psABI, AAPCS64.

use isa::Isa;

/// A register, by the numbering of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reg(pub(super) u8);

/// How many registers there are.
pub(super) const REGISTERS: usize = 65;
/// EFLAGS or NZCV.
pub(super) const FLAGS: Reg = Reg(64);
/// Bytes of a general-purpose register.
pub(super) const GPR_BYTES: u16 = 0xff;
/// Bytes of a vector register.
pub(super) const VECTOR_BYTES: u16 = 0xffff;

const fn v(number: u8) -> Reg {
    Reg(32 + number)
}

impl Reg {
    /// Whether this is a vector register.
    pub(super) const fn is_vector(self) -> bool {
        self.0 >= 32 && self.0 < 64
    }

    /// One bit per byte the register has; the flags count as one byte.
    pub(super) const fn all_bytes(self) -> u16 {
        match self.0 {
            0..32 => GPR_BYTES,
            32..64 => VECTOR_BYTES,
            _ => 1,
        }
    }
}

/// The calling convention of an ISA.
pub(super) struct Abi {
    /// Which ISA.
    pub(super) isa: Isa,
    /// Stack pointer.
    pub(super) sp: Reg,
    /// Frame pointer.
    pub(super) fp: Reg,
    /// The register that holds the return address, where there is one.
    pub(super) link: Option<Reg>,
    /// General-purpose registers that pass arguments.
    pub(super) integers: &'static [Reg],
    /// Vector registers that pass arguments.
    pub(super) vectors: &'static [Reg],
    /// The register that passes the address of a returned structure, which neutral code passes as an ordinary argument.
    pub(super) indirect_result: Option<Reg>,
    /// Registers that pass return values.
    pub(super) returns: &'static [Reg],
    /// General-purpose registers a callee keeps, without SP.
    saved: &'static [Reg],
}

/// Both conventions pass vectors in the first eight.
const VECTORS: [Reg; 8] = [v(0), v(1), v(2), v(3), v(4), v(5), v(6), v(7)];

const X86_64: Abi = Abi {
    isa: Isa::X86_64,
    sp: Reg(4),
    fp: Reg(5),
    link: None,
    integers: &[Reg(7), Reg(6), Reg(2), Reg(1), Reg(8), Reg(9)],
    vectors: &VECTORS,
    indirect_result: None,
    returns: &[Reg(0), Reg(2), v(0), v(1)],
    saved: &[Reg(3), Reg(5), Reg(12), Reg(13), Reg(14), Reg(15)],
};

const AARCH64: Abi = Abi {
    isa: Isa::Aarch64,
    sp: Reg(31),
    fp: Reg(29),
    link: Some(Reg(30)),
    integers: &[
        Reg(0),
        Reg(1),
        Reg(2),
        Reg(3),
        Reg(4),
        Reg(5),
        Reg(6),
        Reg(7),
    ],
    vectors: &VECTORS,
    indirect_result: Some(Reg(8)),
    returns: &[Reg(0), Reg(1), v(0), v(1), v(2), v(3)],
    saved: &[
        Reg(19),
        Reg(20),
        Reg(21),
        Reg(22),
        Reg(23),
        Reg(24),
        Reg(25),
        Reg(26),
        Reg(27),
        Reg(28),
        Reg(29),
    ],
};

const X86_NAMES: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
    "r14", "r15",
];

impl Abi {
    /// The convention that Linux programs use on `isa`.
    pub(super) fn of(isa: Isa) -> &'static Self {
        match isa {
            Isa::X86_64 => &X86_64,
            Isa::Aarch64 => &AARCH64,
        }
    }

    /// The bytes of `reg` that a callee keeps.
    pub(super) fn kept(&self, reg: Reg) -> u16 {
        if reg == self.sp || self.saved.contains(&reg) {
            GPR_BYTES
        } else if self.isa == Isa::Aarch64 && (40..48).contains(&reg.0) {
            0xff // d8-d15: the low half only
        } else {
            0
        }
    }

    /// The name of the whole register in messages.
    pub(super) fn name(&self, reg: Reg) -> String {
        match (self.isa, reg.0) {
            (Isa::X86_64, number @ 0..16) => X86_NAMES[usize::from(number)].to_owned(),
            (Isa::X86_64, number @ 32..64) => format!("xmm{}", number - 32),
            (Isa::X86_64, _) => "eflags".to_owned(),
            (Isa::Aarch64, 31) => "sp".to_owned(),
            (Isa::Aarch64, number @ 0..31) => format!("x{number}"),
            (Isa::Aarch64, number @ 32..64) => format!("v{}", number - 32),
            (Isa::Aarch64, _) => "nzcv".to_owned(),
        }
    }
}

/// What a register name of the disassembler stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// Some bytes of a register.
    Part(Reg, u16),
    /// Always zero, or always the same, or of no concern: xzr, rip, segment and control registers.
    Ignored,
    /// A register this verifier knows nothing of.
    Unknown,
}

/// Looks up the disassembler's `name`.
pub(super) fn named(isa: Isa, name: &str) -> Named {
    match isa {
        Isa::X86_64 => named_x86_64(name),
        Isa::Aarch64 => named_aarch64(name),
    }
}

fn named_x86_64(name: &str) -> Named {
    let part = |number: usize, bytes| Named::Part(Reg(number as u8), bytes);
    if let Some(number) = X86_NAMES.iter().position(|n| *n == name) {
        return part(number, 0xff);
    }
    const LETTERS: [&str; 8] = ["a", "c", "d", "b", "sp", "bp", "si", "di"];
    for (number, stem) in LETTERS.iter().enumerate() {
        let wide = if number < 4 {
            format!("{stem}x")
        } else {
            (*stem).to_owned()
        };
        if name == format!("e{wide}") {
            return part(number, 0xf);
        } else if name == wide {
            return part(number, 0x3);
        } else if name == format!("{stem}l") {
            return part(number, 0x1);
        } else if number < 4 && name == format!("{stem}h") {
            return part(number, 0x2);
        }
    }
    if let Some(number) = name
        .strip_prefix("xmm")
        .and_then(|n| n.parse::<u8>().ok())
        .filter(|n| *n < 16)
    {
        return Named::Part(v(number), VECTOR_BYTES);
    }
    if let Some(rest) = name.strip_prefix('r') {
        let digits = rest.trim_end_matches(['d', 'w', 'b']);
        let bytes = match &rest[digits.len()..] {
            "d" => 0xf,
            "w" => 0x3,
            "b" => 0x1,
            _ => 0,
        };
        if let Some(number) = digits
            .parse::<usize>()
            .ok()
            .filter(|n| (8..16).contains(n) && bytes != 0)
        {
            return part(number, bytes);
        }
    }
    match name {
        "flags" | "eflags" | "rflags" => Named::Part(FLAGS, 1),
        "rip" | "eip" | "cs" | "ds" | "es" | "ss" | "fs" | "gs" | "mxcsr" => Named::Ignored,
        _ => Named::Unknown,
    }
}

fn named_aarch64(name: &str) -> Named {
    match name {
        "sp" | "wsp" => return Named::Part(Reg(31), 0xff),
        "xzr" | "wzr" | "fpcr" => return Named::Ignored,
        "fp" => return Named::Part(Reg(29), 0xff),
        "lr" => return Named::Part(Reg(30), 0xff),
        "nzcv" => return Named::Part(FLAGS, 1),
        _ => {}
    }
    let Some(number) = name
        .get(1..)
        .and_then(|n| n.parse::<u8>().ok())
        .filter(|n| *n < 32)
    else {
        return Named::Unknown;
    };
    match &name[..1] {
        "x" if number < 31 => Named::Part(Reg(number), 0xff),
        "w" if number < 31 => Named::Part(Reg(number), 0xf),
        "b" => Named::Part(v(number), 0x1),
        "h" => Named::Part(v(number), 0x3),
        "s" => Named::Part(v(number), 0xf),
        "d" => Named::Part(v(number), 0xff),
        "q" | "v" => Named::Part(v(number), VECTOR_BYTES),
        _ => Named::Unknown,
    }
}
