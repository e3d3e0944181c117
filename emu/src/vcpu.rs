//! A virtual CPU of either ISA on Unicorn: what runs the machine code of a node's user programs.
//!
//! One engine instance per vCPU, in virtual-TLB mode: the MMU is the kernel model's page-table walk, called when the TLB has no entry.
//! Only user code ever runs. Instructions are counted exactly: the engine calls a hook at each block, the hook adds the number of
//! its instructions, and when a block is left early the rest is taken back. A run ends at the first block boundary at or after its budget.
//! Where that is depends on the code and on where the run began, never on the host.
//!
//! A guest can read nothing of the host: counters count retired instructions, random numbers do not exist, the CPU model is fixed.
//!
//! Rejected: counting with the engine's `count` or a hook at each instruction (five times slower), memory hooks (fifteen times),
//! contexts for switches (`uc_context_restore`; crashes are reported), a hook as a Rust closure (a third slower).
//!
//! Left out: AVX and SVE, devices, interrupts, atomicity between vCPUs that run at the same time (those of one node never do).
//! Engine limits that show: the address of a page fault is that of its page; guest floating point is QEMU's softfloat; a REP string
//! instruction that overwrites its own block is counted once too often; x86_64 segment registers cannot be loaded.

mod aarch64;
mod code_tracker;
mod count;
mod engine;
mod hooks;
mod lost_flags;
mod state;
mod stop;
mod x86_64;

use std::panic::resume_unwind;
use std::ptr::NonNull;
use std::sync::Arc;

use isa::{Isa, Pfn, PhysAddr, RegisterFile, VirtAddr};
use kernel_model::{Cpu, CpuExit, Mmu, PhysMemory, RunResult, UserContext};
use thiserror::Error;

pub use code_tracker::{CodeTracker, MAX_VCPUS};
use code_tracker::{Member, Notes};
use count::Counted;
use engine::{Engine, STUB_PHYS, STUB_VIRT, uc_error};
use state::{Halt, State};
use stop::Stop;

use crate::memory::{Arena, MemoryError};

/// Why there is no vCPU.
#[derive(Debug, Error)]
pub enum VcpuError {
    /// The node is full.
    #[error("a node can have at most {MAX_VCPUS} vCPUs, and this would be one more")]
    TooMany,
    /// The engine refuses something.
    #[error("the Unicorn engine could not {what}: {message}")]
    Engine {
        /// What was tried.
        what: &'static str,
        /// What the engine says.
        message: String,
    },
    /// The engine did something else than it should.
    #[error(
        "the Unicorn engine did not come to user mode: {0}; only version 2.1.5 is known to work"
    )]
    UserMode(String),
    /// No memory for the engine's own code.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

/// One vCPU on Unicorn.
pub struct UnicornCpu {
    isa: Isa,
    // Dropped before what it points into: the state, the stub and the memory.
    engine: Engine,
    state: Owned<State>,
    _stub: Arena,
    memory: Arc<Arena>,
    member: Member,
    /// The context whose registers the engine holds.
    held: Option<u64>,
    /// The engine's general registers are not those of the held context any more.
    general_stale: bool,
    asid: Option<u64>,
}

/// A value on the heap that the engine's hooks know the address of: like a box, but without the claim to be the only way to it.
struct Owned<T>(NonNull<T>);

impl<T> Owned<T> {
    fn new(value: T) -> Self {
        Self(NonNull::from(Box::leak(Box::new(value))))
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the value was leaked by `new`, and the engine that also knew it is dropped before.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

// SAFETY: engine, arenas and tracker may change threads. The state's only parts that could not are the reference to the MMU,
// which is there during a run only, and a panic's payload, which is `Send`.
unsafe impl Send for UnicornCpu {}

impl std::fmt::Debug for UnicornCpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnicornCpu")
            .field("isa", &self.isa)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

impl UnicornCpu {
    /// A vCPU of a node with this memory. Takes some 20 ms and 3 MiB.
    pub fn new(isa: Isa, memory: Arc<Arena>) -> Result<Self, VcpuError> {
        let member = memory.code().join().ok_or(VcpuError::TooMany)?;
        let stub = Arena::new(1)?;
        stub.write(
            PhysAddr(0),
            match isa {
                Isa::X86_64 => x86_64::STUB,
                Isa::Aarch64 => aarch64::STUB,
            },
        );
        let state = Owned::new(State::new(isa, Arc::clone(&memory), member));
        let engine = Engine::open(isa)?;
        // SAFETY: both arenas are owned by the vCPU that is being made, and outlive its engine by the order of its fields (here, by
        // the order of declaration). Rust code accesses arenas atomically.
        unsafe {
            engine.map(0, memory.len(), memory.base())?;
            engine.map(STUB_PHYS, stub.len(), stub.base())?;
        }
        // SAFETY: the state outlives the engine as the arenas do, and `state()` borrows the whole vCPU, so no reference to the
        // state exists while the engine runs.
        unsafe { State::install(state.0.as_ptr(), &engine, isa)? };
        let mut cpu = Self {
            isa,
            engine,
            state,
            _stub: stub,
            memory,
            member,
            held: None,
            general_stale: true,
            asid: None,
        };
        cpu.enter_user_mode()?;
        Ok(cpu)
    }

    /// Sets the counter that the guest can read (TSC, CNTVCT_EL0). It goes on from there by one for each retired instruction.
    pub fn set_ticks(&mut self, ticks: u64) {
        self.state().counter = ticks;
    }

    /// The counter that the guest can read.
    pub fn ticks(&mut self) -> u64 {
        self.state().counter
    }

    fn state(&mut self) -> &mut State {
        // SAFETY: the state is valid as long as the vCPU. Hooks are the only others who refer to it, and they run only inside
        // calls of the engine, during which this borrow of the vCPU has ended.
        unsafe { self.state.0.as_mut() }
    }

    /// Runs the engine's own code at the stub page.
    fn run_stub(&mut self, start: impl FnOnce(&Engine) -> uc_error) -> Result<(), VcpuError> {
        self.state().own_code = true;
        let result = start(&self.engine);
        let state = self.state();
        state.own_code = false;
        state.last = Counted::NONE;
        match (result, state.halt.take()) {
            (uc_error::OK, Some(Halt::Syscall)) => Ok(()),
            (result, halt) => Err(VcpuError::UserMode(format!("{result}, {halt:?}"))),
        }
    }

    fn enter_user_mode(&mut self) -> Result<(), VcpuError> {
        match self.isa {
            Isa::X86_64 => self.run_stub(x86_64::enter_user_mode)?,
            Isa::Aarch64 => {
                aarch64::enter_user_mode(&self.engine);
                self.run_stub(|engine| engine.start(STUB_VIRT, 0))?;
            }
        }
        self.flush_tlb();
        Ok(())
    }

    /// Ends an exclusive access that another thread has begun: its store must not succeed on this thread's account.
    fn clear_exclusive(&mut self) {
        if self.isa == Isa::Aarch64 {
            self.run_stub(|engine| engine.start(STUB_VIRT, 0))
                .expect("CLREX and SVC have run when the vCPU was made");
            self.flush_tlb();
        }
    }

    fn load(&mut self, context: &mut UserContext) {
        let fresh = self.held != Some(context.id());
        if fresh {
            self.clear_exclusive();
            self.held = Some(context.id());
        }
        let (general, fp) = context.take_dirty();
        let regs = context.saved_mut();
        assert_eq!(
            regs.isa(),
            self.isa,
            "a context of one ISA on a vCPU of the other"
        );
        if fresh || general || self.general_stale {
            self.general_stale = false;
            match regs {
                RegisterFile::X86_64(regs) => x86_64::load_general(&self.engine, regs),
                RegisterFile::Aarch64(regs) => aarch64::load_general(&self.engine, regs),
            }
        }
        if fresh || fp {
            match regs {
                RegisterFile::X86_64(regs) => x86_64::load_fp(&self.engine, regs),
                RegisterFile::Aarch64(regs) => aarch64::load_fp(&self.engine, regs),
            }
        }
    }

    fn save_general(&self, context: &mut UserContext) {
        match context.saved_mut() {
            RegisterFile::X86_64(regs) => x86_64::save_general(&self.engine, regs),
            RegisterFile::Aarch64(regs) => aarch64::save_general(&self.engine, regs),
        }
    }

    /// Does what the other vCPUs and the kernel have left to do.
    fn obey(&mut self, notes: Notes) {
        for &pfn in &notes.stale {
            self.drop_code(pfn);
        }
        if !notes.is_empty() {
            self.flush_tlb();
        }
    }

    /// Drops the translations of a frame; the TLB needs a flush afterwards.
    fn drop_code(&mut self, pfn: Pfn) {
        assert!(
            pfn.0 < self.memory.frames(),
            "{pfn:?} is not in the node's memory"
        );
        self.memory.code().forgotten(self.member, pfn);
        let state = self.state();
        state.code_changed();
        state.own_code = true;
        self.engine.drop_code(pfn);
        self.state().own_code = false;
    }

    /// Runs from the context's PC until something ends the run, and settles the count.
    fn run_on(&mut self, context: &mut UserContext) -> CpuExit {
        // Where to stop because the engine would otherwise translate too far.
        let mut until = 0;
        loop {
            if let Some(stale) = self.state().take_rewritten() {
                self.obey(Notes {
                    stale,
                    flush_tlb: true,
                });
            }
            let pc = context.regs().pc();
            let before = self.state().remaining;
            let result = self.engine.start(pc.0, until);
            self.save_general(context);
            if let Some(panic) = self.state().panic.take() {
                resume_unwind(panic);
            }
            let new_pc = context.regs().pc();
            if self.isa == Isa::X86_64 && result == uc_error::EXCEPTION {
                self.mend_flags(context);
            }
            let stop = self.why(result, new_pc, until);
            match stop {
                Stop::Exit(exit) => return exit,
                Stop::Rewind(by, exit) => {
                    let pc = VirtAddr(new_pc.0 - by);
                    self.state().settle(pc.0);
                    self.set_pc(context, pc);
                    return exit;
                }
                Stop::Step(by, exit) => {
                    self.state().remaining -= 1;
                    self.set_pc(context, VirtAddr(new_pc.0 + by));
                    return exit;
                }
                // It was tried before, and did not help.
                Stop::Before(address, exit) if until == address => return exit,
                Stop::Before(address, _) => {
                    until = address;
                    continue;
                }
                Stop::Timer(register, x) => self.read_timer(context, register, x),
                Stop::Forget => continue,
                Stop::Nothing if until != 0 || self.state().remaining < before || pc != new_pc => {}
                Stop::Nothing => return CpuExit::GeneralProtection,
            }
            until = 0;
            if self.state().remaining <= 0 {
                return CpuExit::Budget;
            }
        }
    }

    /// Puts right the flags that the engine has lost in a page fault.
    fn mend_flags(&mut self, context: &mut UserContext) {
        let RegisterFile::X86_64(regs) = context.saved_mut() else {
            return;
        };
        let state = self.state();
        let block = state.last.block;
        if state.fault.is_none() || !block.contains(regs.rip) {
            return;
        }
        let code = state.fetch(block.start(), block.size()).to_vec();
        if let Some(flags) = lost_flags::recover(&self.engine, block.start(), &code, regs) {
            regs.rflags = flags;
            self.general_stale = true;
        }
    }

    fn read_timer(
        &mut self,
        context: &mut UserContext,
        register: aarch64::TimerRegister,
        x: usize,
    ) {
        let pc = context.regs().pc();
        let state = self.state();
        let value = match register {
            aarch64::TimerRegister::Frequency => aarch64::COUNTER_HZ,
            aarch64::TimerRegister::Count => state.counter_at(pc.0),
        };
        state.remaining -= 1;
        if let RegisterFile::Aarch64(regs) = context.saved_mut() {
            if let Some(register) = regs.x.get_mut(x) {
                *register = value;
            }
            regs.pc += 4;
            aarch64::load_general(&self.engine, regs);
        }
    }

    fn set_pc(&mut self, context: &mut UserContext, pc: VirtAddr) {
        context.saved_mut().set_pc(pc);
    }
}

impl Cpu for UnicornCpu {
    fn isa(&self) -> Isa {
        self.isa
    }

    fn run(&mut self, context: &mut UserContext, mmu: &dyn Mmu, budget: u64) -> RunResult {
        if budget == 0 {
            return RunResult {
                exit: CpuExit::Budget,
                retired: 0,
            };
        }
        if self.asid != Some(mmu.asid()) {
            self.asid = Some(mmu.asid());
            self.flush_tlb();
        }
        let notes = self.memory.code().take_notes(self.member);
        self.obey(notes);
        self.load(context);

        // Half the range leaves room for the last block to go beyond any budget.
        let budget = budget.min(i64::MAX as u64 / 2) as i64;
        let state = self.state();
        state.remaining = budget;
        state.counter_from = budget;
        state.last = Counted::NONE;
        state.halt = None;
        state.fault = None;
        // SAFETY: `mmu` is borrowed for the whole call. It is taken away below; if a panic of its own comes instead, no later hook
        // runs before the next run has replaced it.
        unsafe { state.set_mmu(Some(mmu)) };
        let exit = self.run_on(context);
        let state = self.state();
        // SAFETY: there is no reference in `None`.
        unsafe { state.set_mmu(None) };
        let retired = (budget - state.remaining) as u64;
        state.counter = state.counter.wrapping_add(retired);
        if exit == CpuExit::Syscall && self.isa == Isa::X86_64 {
            context.saved_mut().enter_syscall();
            self.general_stale = true;
        }
        RunResult { exit, retired }
    }

    fn switch_out(&mut self, context: &mut UserContext) {
        if self.held != Some(context.id()) {
            return;
        }
        self.held = None;
        match context.saved_mut() {
            RegisterFile::X86_64(regs) => x86_64::save_fp(&self.engine, regs),
            RegisterFile::Aarch64(regs) => aarch64::save_fp(&self.engine, regs),
        }
    }

    fn flush_tlb(&mut self) {
        self.engine.flush_tlb();
        self.state().flushed();
    }

    fn invalidate_code(&mut self, pfn: Pfn) {
        self.drop_code(pfn);
        self.flush_tlb();
    }
}
