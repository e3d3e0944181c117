//! What the kernel needs of a machine: a CPU that runs user code, a walk of the page tables, and physical memory.
//!
//! The kernel model knows no emulator. `emu` implements these traits on Unicorn; the protocol tests implement them with a script.
//! Left out: devices, interrupts, privileged state. Kernel code is the model itself and never runs on the [`Cpu`].

use isa::{Isa, Pfn, PhysAddr, RegisterFile, VirtAddr};

/// The kind of memory access that a translation is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// A data load.
    Read,
    /// A data store.
    Write,
    /// An instruction fetch.
    Fetch,
}

/// What the page tables say of one 4 KiB page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The physical frame behind the page.
    pub pfn: Pfn,
    /// Stores are allowed.
    pub write: bool,
    /// Instruction fetches are allowed.
    pub exec: bool,
}

/// A walk of the page tables of one address space, as the hardware does it: no side effect but the accessed state.
pub trait Mmu {
    /// Identity of the address space: a CPU that is handed another one drops its TLB.
    fn asid(&self) -> u64;
    /// Translates a page for one access; `None` is a page fault.
    fn translate(&self, addr: VirtAddr, access: Access) -> Option<Translation>;
}

/// Physical memory of one node: frames of 4 KiB, shared by all CPUs of the node.
pub trait PhysMemory {
    /// Number of frames; valid frame numbers are below it.
    fn frames(&self) -> u64;
    /// Reads bytes. Panics when the range is not inside the memory: an address here never comes from a guest.
    fn read(&self, addr: PhysAddr, out: &mut [u8]);
    /// Writes bytes. Panics as [`PhysMemory::read`] does.
    fn write(&self, addr: PhysAddr, bytes: &[u8]);
}

/// The user-visible state of a task: its register file, and what of it has changed behind the CPU's back.
#[derive(Debug)]
pub struct UserContext {
    id: u64,
    regs: RegisterFile,
    gpr_dirty: bool,
    fp_dirty: bool,
}

impl UserContext {
    /// A fresh context. `id` is unique on the node: a CPU recognises by it what it still holds.
    pub fn new(id: u64, regs: RegisterFile) -> Self {
        Self {
            id,
            regs,
            gpr_dirty: true,
            fp_dirty: true,
        }
    }

    /// The identity given at creation.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The registers. General registers, PC, SP, flags and thread pointer are current after every run; the FP/SIMD
    /// registers only after [`Cpu::switch_out`].
    pub fn regs(&self) -> &RegisterFile {
        &self.regs
    }

    /// Changes general registers; the CPU reloads them before the next run.
    pub fn regs_mut(&mut self) -> &mut RegisterFile {
        self.gpr_dirty = true;
        &mut self.regs
    }

    /// Changes any register, FP/SIMD included; call [`Cpu::switch_out`] first if the context has run.
    pub fn all_regs_mut(&mut self) -> &mut RegisterFile {
        self.gpr_dirty = true;
        self.fp_dirty = true;
        &mut self.regs
    }

    /// For a CPU: the registers to save into, without marking them as changed.
    pub fn saved_mut(&mut self) -> &mut RegisterFile {
        &mut self.regs
    }

    /// For a CPU: which halves (general, FP/SIMD) changed since they were last loaded. Clears both marks.
    pub fn take_dirty(&mut self) -> (bool, bool) {
        let dirty = (self.gpr_dirty, self.fp_dirty);
        self.gpr_dirty = false;
        self.fp_dirty = false;
        dirty
    }
}

/// Why user code stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuExit {
    /// The budget is used up, at a block boundary.
    Budget,
    /// A system call instruction; PC is after it.
    Syscall,
    /// A page without a valid translation for this access; PC is at the instruction, which will run again.
    PageFault {
        /// The faulting address, as exact as the CPU knows it (at least its page is right).
        addr: VirtAddr,
        /// What was tried.
        access: Access,
    },
    /// An instruction that this CPU does not have; PC is at it.
    IllegalInstruction,
    /// `int3` or `brk`; PC as the architecture leaves it.
    Breakpoint,
    /// Integer division by zero or overflow (x86 only); PC at the instruction.
    DivideError,
    /// A misaligned access where the architecture forbids it (aarch64 SP alignment and the like); PC at the instruction.
    AlignmentFault,
    /// A general protection fault (x86: privileged instruction, non-canonical address); PC at the instruction.
    GeneralProtection,
}

/// What one run gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunResult {
    /// Why it ended.
    pub exit: CpuExit,
    /// Instructions that completed, exactly. A system call instruction counts, a faulting one does not.
    pub retired: u64,
}

/// One virtual CPU.
pub trait Cpu {
    /// Its instruction set.
    fn isa(&self) -> Isa;

    /// Runs user code until an exit, or until `budget` instructions have retired and a block ends.
    ///
    /// The translation table may not change during the call. A context with another id than the last one is loaded whole; the one
    /// that was loaded before must have been given to [`Cpu::switch_out`].
    fn run(&mut self, context: &mut UserContext, mmu: &dyn Mmu, budget: u64) -> RunResult;

    /// Completes `context` (FP/SIMD registers) if this CPU still holds it, and forgets it.
    fn switch_out(&mut self, context: &mut UserContext);

    /// Drops all cached translations of addresses.
    fn flush_tlb(&mut self);

    /// Drops translated code of a frame that is about to be, or was, written by the kernel.
    fn invalidate_code(&mut self, pfn: Pfn);
}
