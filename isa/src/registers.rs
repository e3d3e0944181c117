//! The user-visible registers of a thread, of either ISA, and what the kernel does to them without asking which ISA it is.
//!
//! Conventions: Linux syscall ABI (man syscall(2)), System V AMD64 psABI, AAPCS64. Left out: privileged state, debug registers,
//! AVX and SVE state (the engine has neither).

mod aarch64;
mod x86_64;

use std::fmt;

pub use aarch64::Aarch64Regs;
pub use x86_64::{Gpr, X86_64Regs, X87};

use crate::{Errno, Isa, VirtAddr};

/// All user-visible registers of one thread.
///
/// Boxed, because the two differ much in size and a file is moved between task, CPU and message more often than it is created.
#[derive(Clone, Debug, PartialEq)]
pub enum RegisterFile {
    /// Of an x86_64 thread.
    X86_64(Box<X86_64Regs>),
    /// Of an aarch64 thread.
    Aarch64(Box<Aarch64Regs>),
}

/// How many arguments a system call takes at most, and a function through [`RegisterFile::set_call_args`].
pub const MAX_ARGS: usize = 6;

impl RegisterFile {
    /// The state in which user code starts: all zero but for the control registers, which have their architectural user-mode values.
    pub fn new(isa: Isa) -> Self {
        match isa {
            Isa::X86_64 => RegisterFile::X86_64(Box::default()),
            Isa::Aarch64 => RegisterFile::Aarch64(Box::default()),
        }
    }

    /// Whose registers these are.
    pub fn isa(&self) -> Isa {
        match self {
            RegisterFile::X86_64(_) => Isa::X86_64,
            RegisterFile::Aarch64(_) => Isa::Aarch64,
        }
    }

    /// The x86_64 registers, if it is such a file.
    pub fn as_x86_64(&self) -> Option<&X86_64Regs> {
        match self {
            RegisterFile::X86_64(regs) => Some(regs),
            RegisterFile::Aarch64(_) => None,
        }
    }

    /// The aarch64 registers, if it is such a file.
    pub fn as_aarch64(&self) -> Option<&Aarch64Regs> {
        match self {
            RegisterFile::X86_64(_) => None,
            RegisterFile::Aarch64(regs) => Some(regs),
        }
    }

    /// Program counter: RIP, PC.
    pub fn pc(&self) -> VirtAddr {
        VirtAddr(match self {
            RegisterFile::X86_64(regs) => regs.rip,
            RegisterFile::Aarch64(regs) => regs.pc,
        })
    }

    /// Sets the program counter.
    pub fn set_pc(&mut self, pc: VirtAddr) {
        match self {
            RegisterFile::X86_64(regs) => regs.rip = pc.0,
            RegisterFile::Aarch64(regs) => regs.pc = pc.0,
        }
    }

    /// Stack pointer: RSP, SP.
    pub fn sp(&self) -> VirtAddr {
        VirtAddr(match self {
            RegisterFile::X86_64(regs) => regs[Gpr::Rsp],
            RegisterFile::Aarch64(regs) => regs.sp,
        })
    }

    /// Sets the stack pointer.
    pub fn set_sp(&mut self, sp: VirtAddr) {
        match self {
            RegisterFile::X86_64(regs) => regs[Gpr::Rsp] = sp.0,
            RegisterFile::Aarch64(regs) => regs.sp = sp.0,
        }
    }

    /// Frame pointer: RBP, X29.
    pub fn fp(&self) -> VirtAddr {
        VirtAddr(match self {
            RegisterFile::X86_64(regs) => regs[Gpr::Rbp],
            RegisterFile::Aarch64(regs) => regs.x[Aarch64Regs::FP],
        })
    }

    /// Sets the frame pointer.
    pub fn set_fp(&mut self, fp: VirtAddr) {
        match self {
            RegisterFile::X86_64(regs) => regs[Gpr::Rbp] = fp.0,
            RegisterFile::Aarch64(regs) => regs.x[Aarch64Regs::FP] = fp.0,
        }
    }

    /// Thread pointer: FS base, TPIDR_EL0. Popcorn carries it over unchanged.
    pub fn tls(&self) -> VirtAddr {
        VirtAddr(match self {
            RegisterFile::X86_64(regs) => regs.fs_base,
            RegisterFile::Aarch64(regs) => regs.tpidr_el0,
        })
    }

    /// Sets the thread pointer.
    pub fn set_tls(&mut self, tls: VirtAddr) {
        match self {
            RegisterFile::X86_64(regs) => regs.fs_base = tls.0,
            RegisterFile::Aarch64(regs) => regs.tpidr_el0 = tls.0,
        }
    }

    /// The number of the call at a system call instruction: RAX, X8.
    pub fn syscall_number(&self) -> u64 {
        match self {
            RegisterFile::X86_64(regs) => regs[Gpr::Rax],
            RegisterFile::Aarch64(regs) => regs.x[8],
        }
    }

    /// The arguments of the call: RDI RSI RDX R10 R8 R9; X0 to X5.
    pub fn syscall_args(&self) -> [u64; MAX_ARGS] {
        match self {
            RegisterFile::X86_64(regs) => x86_64::SYSCALL_ARGS.map(|gpr| regs[gpr]),
            RegisterFile::Aarch64(regs) => std::array::from_fn(|index| regs.x[index]),
        }
    }

    /// What the system call instruction itself leaves behind: on x86_64 RCX = the next RIP and R11 = RFLAGS; nothing on aarch64.
    pub fn enter_syscall(&mut self) {
        if let RegisterFile::X86_64(regs) = self {
            regs[Gpr::Rcx] = regs.rip;
            regs[Gpr::R11] = regs.rflags;
        }
    }

    /// Puts the result of a call where the caller looks for it: RAX, X0.
    pub fn set_syscall_return(&mut self, result: Result<u64, Errno>) {
        self.set_return_value(Errno::encode(result));
    }

    /// The first integer return value of a function or system call: RAX, X0.
    pub fn return_value(&self) -> u64 {
        match self {
            RegisterFile::X86_64(regs) => regs[Gpr::Rax],
            RegisterFile::Aarch64(regs) => regs.x[0],
        }
    }

    /// Sets the register of [`RegisterFile::return_value`].
    pub fn set_return_value(&mut self, value: u64) {
        match self {
            RegisterFile::X86_64(regs) => regs[Gpr::Rax] = value,
            RegisterFile::Aarch64(regs) => regs.x[0] = value,
        }
    }

    /// Moves the PC back onto the system call instruction it has just passed, so that the call is made again.
    ///
    /// Holds only before a result was set: the number and the first argument share a register with it.
    pub fn restart_syscall(&mut self) {
        let pc = self
            .pc()
            .0
            .wrapping_sub(self.isa().syscall_instruction_len());
        self.set_pc(VirtAddr(pc));
    }

    /// As [`RegisterFile::restart_syscall`] after a result was set: puts back the number and the first argument.
    pub fn repeat_syscall(&mut self, number: u64, arg0: u64) {
        match self {
            RegisterFile::X86_64(regs) => regs[Gpr::Rax] = number,
            RegisterFile::Aarch64(regs) => regs.x[0] = arg0,
        }
        self.restart_syscall();
    }

    /// Integer arguments of a function about to be entered: RDI RSI RDX RCX R8 R9; X0 to X5. Other registers stay.
    ///
    /// Panics when there are more than [`MAX_ARGS`].
    pub fn set_call_args(&mut self, args: &[u64]) {
        assert!(
            args.len() <= MAX_ARGS,
            "{} call arguments, but at most {MAX_ARGS} travel in registers",
            args.len()
        );
        for (index, &value) in args.iter().enumerate() {
            match self {
                RegisterFile::X86_64(regs) => regs[x86_64::CALL_ARGS[index]] = value,
                RegisterFile::Aarch64(regs) => regs.x[index] = value,
            }
        }
    }

    /// The integer arguments at the entry of a function, the reverse of [`RegisterFile::set_call_args`].
    pub fn call_args(&self) -> [u64; MAX_ARGS] {
        match self {
            RegisterFile::X86_64(regs) => x86_64::CALL_ARGS.map(|gpr| regs[gpr]),
            RegisterFile::Aarch64(regs) => std::array::from_fn(|index| regs.x[index]),
        }
    }

    /// Resets everything and points at the start of a program or thread: `ELF_PLAT_INIT` and `start_thread` of Linux.
    pub fn start_thread(&mut self, pc: VirtAddr, sp: VirtAddr) {
        *self = RegisterFile::new(self.isa());
        self.set_pc(pc);
        self.set_sp(sp);
    }

    /// Fills with a byte what no ABI lets a thread expect after a migration: FP/SIMD data registers and the arithmetic flags.
    ///
    /// Control registers (rounding, exception masks) keep their values: they are process state, not scratch.
    pub fn poison_simd(&mut self, byte: u8) {
        match self {
            RegisterFile::X86_64(regs) => regs.poison_simd(byte),
            RegisterFile::Aarch64(regs) => regs.poison_simd(byte),
        }
    }

    /// The 64-bit registers with their manual names, in the order of the manuals; thread pointer and flags last.
    pub fn named(&self) -> Vec<(&'static str, u64)> {
        match self {
            RegisterFile::X86_64(regs) => regs.named(),
            RegisterFile::Aarch64(regs) => regs.named(),
        }
    }
}

/// A table of the general registers, four to a line.
impl fmt::Display for RegisterFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.named().into_iter().enumerate() {
            let separator = match index {
                0 => "",
                index if index % 4 == 0 => "\n",
                _ => "  ",
            };
            write!(f, "{separator}{name:>9} {value:016x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each() -> [RegisterFile; 2] {
        Isa::ALL.map(RegisterFile::new)
    }

    #[test]
    fn accessors_reach_distinct_registers() {
        for mut regs in each() {
            regs.set_pc(VirtAddr(1));
            regs.set_sp(VirtAddr(2));
            regs.set_fp(VirtAddr(3));
            regs.set_tls(VirtAddr(4));
            regs.set_call_args(&[11, 12, 13, 14, 15, 16]);
            assert_eq!(
                (regs.pc(), regs.sp(), regs.fp(), regs.tls()),
                (VirtAddr(1), VirtAddr(2), VirtAddr(3), VirtAddr(4))
            );
            assert_eq!(regs.call_args(), [11, 12, 13, 14, 15, 16], "{}", regs.isa());
            let seen = regs
                .named()
                .into_iter()
                .filter(|&(_, value)| (1..=16).contains(&value))
                .count();
            assert_eq!(
                seen, 10,
                "each of the ten values sits in a register of its own:\n{regs}"
            );
        }
    }

    #[test]
    fn syscall_registers() {
        let mut regs = RegisterFile::new(Isa::X86_64);
        let RegisterFile::X86_64(x86) = &mut regs else {
            unreachable!()
        };
        for (gpr, value) in [
            (Gpr::Rax, 900),
            (Gpr::Rdi, 1),
            (Gpr::Rsi, 2),
            (Gpr::Rdx, 3),
            (Gpr::R10, 4),
            (Gpr::R8, 5),
            (Gpr::R9, 6),
        ] {
            x86[gpr] = value;
        }
        x86.rip = 0x401002;
        assert_eq!(
            (regs.syscall_number(), regs.syscall_args()),
            (900, [1, 2, 3, 4, 5, 6])
        );
        regs.enter_syscall();
        let x86 = regs.as_x86_64().unwrap();
        assert_eq!((x86[Gpr::Rcx], x86[Gpr::R11]), (0x401002, 0x202));
        regs.restart_syscall();
        assert_eq!(
            (regs.pc(), regs.syscall_number()),
            (VirtAddr(0x401000), 900)
        );

        let mut regs = RegisterFile::new(Isa::Aarch64);
        let RegisterFile::Aarch64(arm) = &mut regs else {
            unreachable!()
        };
        arm.x[8] = 900;
        arm.x[..6].copy_from_slice(&[1, 2, 3, 4, 5, 6]);
        arm.pc = 0x401004;
        let before = regs.clone();
        assert_eq!(
            (regs.syscall_number(), regs.syscall_args()),
            (900, [1, 2, 3, 4, 5, 6])
        );
        regs.enter_syscall();
        assert_eq!(regs, before);
        regs.restart_syscall();
        assert_eq!(regs.pc(), VirtAddr(0x401000));
    }

    #[test]
    fn a_call_can_be_made_again_after_its_result() {
        for mut regs in each() {
            regs.set_pc(VirtAddr(0x40_1000));
            match &mut regs {
                RegisterFile::X86_64(x86) => (x86[Gpr::Rax], x86[Gpr::Rdi]) = (35, 7),
                RegisterFile::Aarch64(arm) => (arm.x[8], arm.x[0]) = (35, 7),
            }
            let before = regs.clone();
            regs.set_pc(VirtAddr(0x40_1000 + regs.isa().syscall_instruction_len()));
            regs.set_syscall_return(Err(Errno::EINTR));
            regs.repeat_syscall(35, 7);
            assert_eq!(regs, before);
        }
    }

    #[test]
    fn results_are_encoded() {
        for mut regs in each() {
            regs.set_syscall_return(Err(Errno::EAGAIN));
            assert_eq!(regs.return_value(), (-11i64) as u64);
            regs.set_syscall_return(Ok(7));
            assert_eq!(regs.return_value(), 7);
        }
    }

    #[test]
    fn a_started_thread_has_nothing_of_the_old_one() {
        for mut regs in each() {
            regs.set_call_args(&[1, 2, 3]);
            regs.set_tls(VirtAddr(99));
            regs.poison_simd(0xdb);
            regs.start_thread(VirtAddr(0x40_1000), VirtAddr(0x7fff_0000));
            let mut expected = RegisterFile::new(regs.isa());
            expected.set_pc(VirtAddr(0x40_1000));
            expected.set_sp(VirtAddr(0x7fff_0000));
            assert_eq!(regs, expected);
        }
    }

    #[test]
    #[should_panic(expected = "at most 6")]
    fn seven_call_arguments_are_refused() {
        RegisterFile::new(Isa::X86_64).set_call_args(&[0; 7]);
    }

    #[test]
    fn poison_spares_general_and_control_registers() {
        for mut regs in each() {
            let clean = regs.clone();
            regs.poison_simd(0xdb);
            match (&regs, &clean) {
                (RegisterFile::X86_64(regs), RegisterFile::X86_64(clean)) => {
                    assert_eq!(regs.gpr, clean.gpr);
                    assert_eq!(
                        (regs.mxcsr, regs.x87.control, regs.x87.tag),
                        (0x1f80, 0x37f, 0xffff)
                    );
                    assert_eq!(regs.xmm, [u128::from_le_bytes([0xdb; 16]); 16]);
                    assert_eq!(regs.x87.st, [[0xdb; 10]; 8]);
                    assert_eq!(
                        regs.rflags & !X86_64Regs::ARITHMETIC_FLAGS,
                        0x202,
                        "DF and the system flags stay"
                    );
                    assert_ne!(regs.rflags, clean.rflags);
                }
                (RegisterFile::Aarch64(regs), RegisterFile::Aarch64(clean)) => {
                    assert_eq!(
                        (regs.x, regs.sp, regs.fpcr, regs.fpsr),
                        (clean.x, clean.sp, 0, 0)
                    );
                    assert_eq!(regs.v, [u128::from_le_bytes([0xdb; 16]); 32]);
                    assert_eq!(regs.pstate, 0xd000_0000, "only NZCV can be set");
                }
                _ => unreachable!(),
            }
        }
    }
}
