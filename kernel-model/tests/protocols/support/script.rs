//! The test language: programs that run on either ISA, and survive a change of ISA in mid-execution.
//!
//! Operation n lies at `CODE + 4 * n`, so that the program counter says which one is next and fetches go through the page tables like
//! everything else. All state is in memory and in five registers that both ISAs have (callee-saved ones of their C ABIs), stack pointer,
//! thread pointer and result register: what popcorn_migrate carries.

use std::collections::BTreeMap;

use isa::layout::CloneFlags;
use isa::syscall::{PopcornCall, Sysno};
use isa::{Errno, Gpr, Isa, RegisterFile, VirtAddr};

/// Where the code of scripted programs lies.
pub const CODE: u64 = 0x40_0000;
/// A read-only page of the program file.
pub const RODATA: u64 = 0x50_0000;
/// The first page of the data segment, from the program file; the second is zeroed memory, as are those up to [`DATA_END`].
pub const DATA: u64 = 0x60_0000;
/// Zeroed memory of the program.
pub const BSS: u64 = DATA + 0x1000;
/// Pages whose contents are held against a model at every access; kernels do not write there.
pub const SHARED: std::ops::Range<u64> = BSS + 0x3_0000..BSS + 0x3_8000;
/// End of the data segment; the heap begins here.
pub const DATA_END: u64 = DATA + 0x4_0000;
/// How many general registers scripts have.
pub const REGISTERS: usize = 5;

/// A value.
#[derive(Clone, Copy, Debug)]
pub enum Val {
    /// A constant.
    Imm(u64),
    /// A register plus an offset.
    V(usize, i64),
    /// The stack pointer plus an offset.
    Sp(i64),
    /// What the last call returned.
    Ret,
    /// The thread pointer.
    Tls,
}

pub use Val::{Imm, Ret, Sp, Tls, V};

/// One operation.
#[derive(Clone, Debug)]
pub enum Op {
    /// A place to go to; takes no room.
    Mark(&'static str),
    /// Goes there.
    Goto(&'static str),
    /// Goes there if both are equal.
    IfEq(Val, Val, &'static str),
    /// Sets a register.
    Set(usize, Val),
    /// Adds to a register.
    Add(usize, Val),
    /// Loads 64 bits into a register.
    Load(usize, Val),
    /// Stores 64 bits: address, value.
    Store(Val, Val),
    /// Adds to 64 bits of memory in one piece; the register gets what was there. Register, address, value.
    FetchAdd(usize, Val, Val),
    /// Puts a new value into 64 bits of memory if the old one is there; the register gets what was there. Register, address, old, new.
    CompareSwap(usize, Val, Val, Val),
    /// A Linux call.
    Call(Sysno, Vec<Val>),
    /// A Popcorn call.
    Popcorn(PopcornCall, Vec<Val>),
    /// popcorn_migrate with a register set in the format of node `layout`, written below the stack pointer first.
    Migrate {
        /// Where to, as the call gets it.
        to: Val,
        /// For whose ISA the register set is; none of the cluster's: the node's own.
        layout: Val,
    },
    /// clone of a thread: its stack pointer, which is its thread pointer too, and the word to clear at its end (0: none).
    Clone {
        /// Stack and thread pointer.
        stack: Val,
        /// CLONE_CHILD_CLEARTID.
        clear_tid: Val,
    },
    /// Returns from a function: x86_64's return address is on the stack, aarch64's in x30.
    Return,
    /// Demands that both are equal.
    Expect(Val, Val),
    /// Demands an error of the last call.
    ExpectErr(Errno),
    /// Tells the test a value, with a tag.
    Tell(&'static str, Val),
    /// Tells the oracle that a range reads as zeroes from now on: start, length in bytes.
    Forget(u64, u64),
    /// Tells the oracle that a range has moved: from, to, length in bytes.
    Moved(u64, u64, u64),
}

/// A program.
#[derive(Debug, Default)]
pub struct Script {
    ops: Vec<Op>,
    marks: BTreeMap<&'static str, usize>,
}

impl Script {
    /// Panics when a mark is set twice or a jump leads nowhere.
    pub fn new(source: Vec<Op>) -> Self {
        let mut script = Self::default();
        for op in source {
            match op {
                Op::Mark(name) => {
                    let before = script.marks.insert(name, script.ops.len());
                    assert_eq!(before, None, "the mark {name} is set twice");
                }
                op => script.ops.push(op),
            }
        }
        for op in &script.ops {
            if let Op::Goto(name) | Op::IfEq(_, _, name) = op {
                assert!(script.marks.contains_key(name), "there is no mark {name}");
            }
        }
        script
    }

    /// Whether there is an operation at an address.
    pub fn has(&self, pc: VirtAddr) -> bool {
        let index = pc.0.wrapping_sub(CODE) / 4;
        index < self.ops.len() as u64
    }

    /// The operation at an address.
    pub fn at(&self, pc: VirtAddr) -> &Op {
        let index = pc.0.wrapping_sub(CODE) as usize / 4;
        self.ops
            .get(index)
            .unwrap_or_else(|| panic!("the script has no operation at {pc}"))
    }

    /// The address of a mark.
    pub fn address(&self, mark: &str) -> VirtAddr {
        VirtAddr(CODE + 4 * self.marks[mark] as u64)
    }

    /// Bytes of code.
    pub fn code_len(&self) -> u64 {
        4 * self.ops.len() as u64
    }
}

/// A call with constant arguments.
pub fn call(sysno: Sysno, args: &[u64]) -> Op {
    Op::Call(sysno, args.iter().map(|arg| Imm(*arg)).collect())
}

/// exit_group(2).
pub fn exit_group(status: u64) -> Op {
    call(Sysno::ExitGroup, &[status])
}

/// exit(2).
pub fn exit(status: u64) -> Op {
    call(Sysno::Exit, &[status])
}

/// Migrates to a node, and demands that it worked.
pub fn migrate(nid: u64) -> [Op; 2] {
    [
        Op::Migrate {
            to: Imm(nid),
            layout: Imm(nid),
        },
        Op::Expect(Ret, Imm(0)),
    ]
}

/// Waits until 64 bits of memory have a value; register 4 is used up.
pub fn spin_until(addr: Val, value: u64, mark: &'static str) -> [Op; 5] {
    let out: &'static str = Box::leak(format!("{mark} is over").into_boxed_str());
    [
        Op::Mark(mark),
        Op::Load(4, addr),
        Op::IfEq(V(4, 0), Imm(value), out),
        Op::Goto(mark),
        Op::Mark(out),
    ]
}

/// What pthread_create passes, less CLONE_DETACHED.
pub const THREAD_FLAGS: CloneFlags = CloneFlags::VM
    .union(CloneFlags::FS)
    .union(CloneFlags::FILES)
    .union(CloneFlags::SIGHAND)
    .union(CloneFlags::THREAD)
    .union(CloneFlags::SYSVSEM)
    .union(CloneFlags::SETTLS);

const X86_64: [Gpr; REGISTERS] = [Gpr::Rbx, Gpr::R12, Gpr::R13, Gpr::R14, Gpr::R15];
/// X19 and up.
const AARCH64: usize = 19;

/// Reads a script's register.
pub fn register(regs: &RegisterFile, index: usize) -> u64 {
    match regs {
        RegisterFile::X86_64(regs) => regs[X86_64[index]],
        RegisterFile::Aarch64(regs) => regs.x[AARCH64 + index],
    }
}

/// Writes a script's register.
pub fn set_register(regs: &mut RegisterFile, index: usize, value: u64) {
    match regs {
        RegisterFile::X86_64(regs) => regs[X86_64[index]] = value,
        RegisterFile::Aarch64(regs) => regs.x[AARCH64 + index] = value,
    }
}

/// Puts number and arguments of a system call where its ISA has them.
pub fn set_syscall(regs: &mut RegisterFile, number: u64, args: [u64; 6]) {
    match regs {
        RegisterFile::X86_64(regs) => {
            regs[Gpr::Rax] = number;
            let places = [Gpr::Rdi, Gpr::Rsi, Gpr::Rdx, Gpr::R10, Gpr::R8, Gpr::R9];
            for (place, arg) in places.into_iter().zip(args) {
                regs[place] = arg;
            }
        }
        RegisterFile::Aarch64(regs) => {
            regs.x[8] = number;
            regs.x[..6].copy_from_slice(&args);
        }
    }
}

/// The same thread in the registers of another ISA, about to go on at `pc` with result 0: what a user-space runtime prepares.
pub fn transform(regs: &RegisterFile, to: Isa, pc: VirtAddr) -> RegisterFile {
    let mut other = RegisterFile::new(to);
    for index in 0..REGISTERS {
        set_register(&mut other, index, register(regs, index));
    }
    other.set_pc(pc);
    other.set_sp(regs.sp());
    other.set_return_value(0);
    other
}
