//! Why the engine has stopped, and what that is to the kernel: page faults, exceptions of either ISA, and what only looks like an end.

use isa::{Isa, PAGE_SIZE, VirtAddr};
use kernel_model::{Access, Cpu, CpuExit};

use super::count::{self, Foreign, Kind};
use super::engine::uc_error;
use super::state::{Fault, Halt};
use super::{UnicornCpu, aarch64, x86_64};

/// How to go on after the engine has stopped.
pub(super) enum Stop {
    /// The run ends.
    Exit(CpuExit),
    /// The run ends, with PC that many bytes back.
    Rewind(u64, CpuExit),
    /// The run ends after an instruction of that many bytes that the engine could not run.
    Step(u64, CpuExit),
    /// Run up to this address first; if that was tried already, the run ends.
    Before(u64, CpuExit),
    /// Drop the code that was rewritten, flush the TLB, and go on.
    Forget,
    /// A read of the timer into an X register, to be done in the engine's place.
    Timer(aarch64::TimerRegister, usize),
    /// Go on: the guest waited for an event, or reached where it was to stop.
    Nothing,
}

impl UnicornCpu {
    /// What the end of a run of the engine means; takes back what was counted but not executed.
    pub(super) fn why(&mut self, result: uc_error, pc: VirtAddr, until: u64) -> Stop {
        let state = self.state();
        let (halt, fault) = (state.halt.take(), state.fault.take());
        if matches!(halt, None | Some(Halt::CodeWritten))
            && result == uc_error::OK
            && state.is_rewritten()
        {
            // On aarch64, the block at PC has been counted but has not begun.
            state.settle(pc.0);
            return Stop::Forget;
        }
        match (result, halt, fault) {
            (uc_error::EXCEPTION, _, Some(fault)) => self.page_fault(fault, pc),
            (_, Some(Halt::Budget), _) => Stop::Exit(CpuExit::Budget),
            (_, Some(Halt::Syscall), _) => Stop::Exit(CpuExit::Syscall),
            (_, Some(Halt::Misaligned), _) => Stop::Exit(CpuExit::AlignmentFault),
            (_, Some(Halt::Foreign(address, foreign)), _) if address == pc.0 => match foreign {
                Foreign::Int1 => Stop::Step(1, CpuExit::Breakpoint),
                Foreign::PortIo => Stop::Exit(CpuExit::GeneralProtection),
            },
            (_, Some(Halt::Foreign(address, _)), _) => {
                self.before(address, pc, CpuExit::IllegalInstruction)
            }
            (_, Some(Halt::Exception(number)), _) => self.exception(number, pc),
            (uc_error::INSN_INVALID, ..) => self.leave(pc, CpuExit::IllegalInstruction),
            (
                uc_error::READ_UNALIGNED | uc_error::WRITE_UNALIGNED | uc_error::FETCH_UNALIGNED,
                ..,
            ) => self.leave(pc, CpuExit::AlignmentFault),
            (uc_error::OK, None, _) if until != 0 && until == pc.0 => Stop::Nothing,
            // After a second contributory exception the engine gives up without a word (a triple fault).
            (uc_error::OK, None, _)
                if self.isa == Isa::X86_64 && self.state().last.block.contains(pc.0) =>
            {
                self.contributory(pc)
            }
            (uc_error::OK, None, _) => Stop::Nothing,
            (error, ..) => panic!("the engine failed at {pc}: {error}; fault {fault:?}"),
        }
    }

    /// The block was left at `pc`, which has not been executed.
    fn leave(&mut self, pc: VirtAddr, exit: CpuExit) -> Stop {
        self.state().settle(pc.0);
        Stop::Exit(exit)
    }

    fn page_fault(&mut self, fault: Fault, pc: VirtAddr) -> Stop {
        let Fault { page, access } = fault;
        if self.isa == Isa::X86_64 && !is_canonical(page) {
            // Of a jump the hardware would complain at the jump, which the engine has done already.
            return match access {
                Access::Fetch => Stop::Exit(CpuExit::GeneralProtection),
                _ => self.leave(pc, CpuExit::GeneralProtection),
            };
        }
        if access != Access::Fetch {
            return self.leave(pc, CpuExit::PageFault { addr: page, access });
        }
        // A fault of a fetch comes between blocks: the last one is complete.
        if pc.page_align_down() == page {
            return Stop::Exit(CpuExit::PageFault { addr: pc, access });
        }
        let exit = CpuExit::PageFault { addr: page, access };
        if self.isa == Isa::Aarch64 {
            return Stop::Exit(exit);
        }
        // A block that crosses into a page that is not there. What comes before the crossing must run first.
        let room = (PAGE_SIZE - pc.page_offset()) as usize;
        let crossing =
            count::first_incomplete(pc.0, self.state().fetch(pc.0, room)).unwrap_or(page.0);
        if crossing == pc.0 {
            return Stop::Exit(exit);
        }
        self.before(crossing, pc, exit)
    }

    /// Run from `pc` to `address` only. A translation that goes further is in the way.
    fn before(&mut self, address: u64, pc: VirtAddr, otherwise: CpuExit) -> Stop {
        if let Some(pfn) = self.state().frame_of_code(pc) {
            self.drop_code(pfn);
            self.flush_tlb();
        }
        Stop::Before(address, otherwise)
    }

    fn exception(&mut self, number: u32, pc: VirtAddr) -> Stop {
        match self.isa {
            Isa::Aarch64 => self.aarch64_exception(number, pc),
            Isa::X86_64 => self.x86_64_exception(number, pc),
        }
    }

    fn aarch64_exception(&mut self, number: u32, pc: VirtAddr) -> Stop {
        use aarch64::exception;
        self.state().settle(pc.0);
        match number {
            exception::UNDEFINED => {
                let word = self
                    .state()
                    .fetch(pc.0, 4)
                    .try_into()
                    .map(u32::from_le_bytes);
                match word.ok().and_then(aarch64::timer_read) {
                    Some((register, x)) => Stop::Timer(register, x),
                    None => Stop::Exit(CpuExit::IllegalInstruction),
                }
            }
            exception::PREFETCH_ABORT | exception::DATA_ABORT => {
                Stop::Exit(CpuExit::AlignmentFault)
            }
            exception::BREAKPOINT => Stop::Exit(CpuExit::Breakpoint),
            _ => Stop::Exit(CpuExit::IllegalInstruction),
        }
    }

    fn x86_64_exception(&mut self, number: u32, pc: VirtAddr) -> Stop {
        use x86_64::vector;
        // `int n` is the only thing that leaves PC after it. Linux lets user code have 3 and 4; 4 is a segmentation fault, too.
        let block = self.state().last.block;
        let software = pc.0 == block.end()
            && block.size() >= 2
            && *self.state().fetch(pc.0 - 2, 2) == [0xcd, number as u8]
            && number != vector::BREAKPOINT;
        if software {
            return Stop::Rewind(2, CpuExit::GeneralProtection);
        }
        match number {
            vector::BREAKPOINT => Stop::Exit(CpuExit::Breakpoint),
            vector::DEBUG => self.leave(pc, CpuExit::Breakpoint),
            vector::INVALID_OPCODE => self.leave(pc, CpuExit::IllegalInstruction),
            // Linux makes SIGFPE of the three.
            vector::X87 | vector::SIMD => self.leave(pc, CpuExit::DivideError),
            vector::ALIGNMENT_CHECK => self.leave(pc, CpuExit::AlignmentFault),
            _ => self.contributory(pc),
        }
    }

    /// A divide error or a general protection fault. The engine never forgets the last one and would make a double fault of the next,
    /// so that the instruction has to say which it is: at level 3 with translated addresses, only a division has divide errors.
    fn contributory(&mut self, pc: VirtAddr) -> Stop {
        const LONGEST: usize = 15;
        let kind = count::classify(pc.0, self.state().fetch(pc.0, LONGEST));
        match kind {
            Kind::Divide => self.leave(pc, CpuExit::DivideError),
            _ => self.leave(pc, CpuExit::GeneralProtection),
        }
    }
}

/// Whether an x86_64 address has bits 47 to 63 all equal.
fn is_canonical(addr: VirtAddr) -> bool {
    matches!(addr.0 >> 47, 0 | 0x1_ffff)
}
