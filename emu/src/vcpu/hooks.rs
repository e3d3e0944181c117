//! What the engine calls back into: the block hook that counts, the TLB-fill hook that is the MMU, and the hooks of exceptions.
//!
//! The block hook runs at every block, some hundred million times a second, so its fast path is a look into a table, an addition and
//! two stores; everything else is out of line. All hooks get a pointer to the one [`State`] of their vCPU.
//!
//! A page is never writable and executable in the TLB, because then every store to it takes the engine's slow path. That path is what
//! notices a store to translated code, though. So where a frame has code and the guest writes it, one of two things happens. If the
//! page itself is writable and executable, it gets both rights after all. If the frame is written through another page, the run is
//! interrupted at the next block and the frame's code is dropped (`rewritten`).
//!
//! One thing leaves a block early without an exception: an x86_64 store into the block that it is part of. The engine drops
//! the block and begins again at the store with a block of one instruction. While a frame is being written and executed, the
//! state is `watchful`: no count is cached, and each block is compared with the one before.

use std::any::Any;
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use isa::{Isa, PAGE_SIZE, Pfn, PhysAddr, VirtAddr};
use kernel_model::{Access, Mmu, PhysMemory, Translation};
use unicorn_engine_sys::{self as uc, MemType, Prot, TlbEntry};

use super::aarch64::{self, asks_for_random_numbers};
use super::code_tracker::Member;
use super::count::{self, Block, CountCache, Counted, Foreign, Kind};
use super::engine::{
    Engine, HookType, STUB_PHYS, STUB_VIRT, WINDOW_VIRT, add_hook, expect, stop, uc_engine,
};
use super::{VcpuError, x86_64};
use crate::memory::Arena;

/// Why a hook has stopped the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    /// The budget is used up; PC is at a block that has not begun.
    Budget,
    /// A system call; PC is after it.
    Syscall,
    /// The exception or interrupt of this number.
    Exception(u32),
    /// A block has not begun, because of an instruction at this address in it.
    Foreign(u64, Foreign),
    /// A block has not begun, because code was written or the TLB lets it be written unnoticed.
    CodeWritten,
    /// A block has not begun, because its address is not aligned.
    Misaligned,
}

/// A fill that found no translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub page: VirtAddr,
    pub access: Access,
}

/// What the hooks of one vCPU work on. The fields that every block touches come first, in one line of the host's cache.
#[repr(C, align(64))]
pub(super) struct State {
    /// The block that runs or has run last.
    pub last: Counted,
    /// What is left of the budget; negative when the last block went beyond it.
    pub remaining: i64,
    counts: CountCache<{ 1 << 16 }>,
    physical_counts: CountCache<{ 1 << 13 }>,
    /// The page whose code was looked at last.
    last_page: Option<(VirtAddr, Pfn)>,
    watchful: bool,
    /// Frames whose code is out of date, to be dropped between two blocks; then the TLB is flushed.
    rewritten: Option<Vec<Pfn>>,

    pub halt: Option<Halt>,
    pub fault: Option<Fault>,
    /// A panic of the MMU, on its way around the engine's C frames.
    pub panic: Option<Box<dyn Any + Send>>,
    /// The counter of the guest (TSC, CNTVCT) when `remaining` was `counter_from`.
    pub counter: u64,
    pub counter_from: i64,
    /// The engine's own code runs, or its code cache is being changed: only its own pages translate.
    pub own_code: bool,

    mmu: Option<*const dyn Mmu>,
    isa: Isa,
    memory: Arc<Arena>,
    member: Member,
    has_random_hook: bool,
    code: Vec<u8>,
}

impl State {
    pub fn new(isa: Isa, memory: Arc<Arena>, member: Member) -> Self {
        Self {
            last: Counted::NONE,
            remaining: 0,
            counts: CountCache::new(),
            physical_counts: CountCache::new(),
            last_page: None,
            watchful: false,
            rewritten: None,
            halt: None,
            fault: None,
            panic: None,
            counter: 0,
            counter_from: 0,
            own_code: false,
            mmu: None,
            isa,
            memory,
            member,
            has_random_hook: false,
            code: Vec::new(),
        }
    }

    /// Installs the hooks.
    ///
    /// # Safety
    /// `state` must stay valid until the engine is dropped, and nobody may hold a reference to it while the engine runs.
    pub unsafe fn install(state: *mut State, engine: &Engine, isa: Isa) -> Result<(), VcpuError> {
        let data = state.cast::<c_void>();
        let block: unsafe extern "C" fn(*mut uc_engine, u64, u32, *mut State) = match isa {
            Isa::X86_64 => x86_64_block,
            Isa::Aarch64 => aarch64_block,
        };
        // SAFETY: each function has the type of its hook (unicorn.h: uc_cb_hookcode_t, uc_cb_tlbevent_t, uc_cb_hookintr_t,
        // uc_cb_insn_syscall_t, uc_cb_insn_cpuid_t), and the caller vouches for the state that they get.
        unsafe {
            engine.hook(HookType::BLOCK, block as *mut c_void, data, None)?;
            engine.hook(HookType::TLB_FILL, fill as *mut c_void, data, None)?;
            engine.hook(HookType::INTR, exception as *mut c_void, data, None)?;
            if isa == Isa::X86_64 {
                let instruction = |instruction: uc::X86Insn| Some(instruction as c_int);
                engine.hook(
                    HookType::INSN,
                    syscall as *mut c_void,
                    data,
                    instruction(uc::X86Insn::SYSCALL),
                )?;
                engine.hook(
                    HookType::INSN,
                    time_stamp as *mut c_void,
                    data,
                    instruction(uc::X86Insn::RDTSC),
                )?;
                engine.hook(
                    HookType::INSN,
                    time_stamp as *mut c_void,
                    data,
                    instruction(uc::X86Insn::RDTSCP),
                )?;
            }
        }
        Ok(())
    }

    /// Gives the hooks the address space of the run that begins, or takes it away.
    ///
    /// # Safety
    /// It must stay valid until it is taken away again.
    pub unsafe fn set_mmu(&mut self, mmu: Option<&dyn Mmu>) {
        self.mmu = mmu.map(|mmu| {
            let mmu: *const (dyn Mmu + '_) = mmu;
            // SAFETY: only the lifetime changes, for which the caller vouches.
            unsafe { std::mem::transmute::<*const (dyn Mmu + '_), *const (dyn Mmu + 'static)>(mmu) }
        });
    }

    /// The TLB is empty now: what was known by virtual address is void.
    pub fn flushed(&mut self) {
        self.counts.clear();
        self.last_page = None;
        self.watchful = false;
        self.memory.code().flushed(self.member);
    }

    /// Code that this vCPU had translated was written.
    pub fn code_changed(&mut self) {
        self.counts.clear();
        self.physical_counts.clear();
    }

    /// The walk of the guest's page tables, checked.
    fn translate(&mut self, addr: VirtAddr, access: Access) -> Option<Translation> {
        let mmu = self.mmu?;
        // SAFETY: `set_mmu` was given a reference that is valid until it is taken away, after the run that this hook belongs to.
        let mmu = unsafe { &*mmu };
        let found = match catch_unwind(AssertUnwindSafe(|| mmu.translate(addr, access))) {
            Ok(found) => found?,
            Err(panic) => {
                self.panic = Some(panic);
                return None;
            }
        };
        let allowed = match access {
            Access::Read => true,
            Access::Write => found.write,
            Access::Fetch => found.exec,
        };
        allowed.then_some(found)
    }

    /// Reads code of the guest into `self.code`. Short when a page of it is not there.
    pub fn fetch(&mut self, address: u64, len: usize) -> &[u8] {
        self.code.clear();
        let mut at = address;
        while self.code.len() < len {
            let page = at & !(PAGE_SIZE - 1);
            let Some(pfn) = self.frame_of_code(VirtAddr(page)) else {
                break;
            };
            let part = (len - self.code.len()).min((page + PAGE_SIZE - at) as usize);
            let start = self.code.len();
            self.code.resize(start + part, 0);
            self.memory.read(
                PhysAddr(pfn.start().0 + (at - page)),
                &mut self.code[start..],
            );
            at += part as u64;
        }
        &self.code
    }

    /// The frame that holds the code at an address.
    pub fn frame_of_code(&mut self, pc: VirtAddr) -> Option<Pfn> {
        let page = pc.page_align_down();
        if let Some((known, pfn)) = self.last_page
            && known == page
        {
            return Some(pfn);
        }
        let pfn = self.translate(page, Access::Fetch)?.pfn;
        self.last_page = Some((page, pfn));
        Some(pfn)
    }

    /// Number of instructions of `block` that start before `limit`.
    fn count_before(&mut self, block: Block, limit: u64) -> u64 {
        match self.isa {
            Isa::Aarch64 => (limit - block.start()) / 4,
            Isa::X86_64 => {
                count::scan(
                    block.start(),
                    self.fetch(block.start(), block.size()),
                    limit,
                )
                .instructions
            }
        }
    }

    /// Takes back what the last block was charged for instructions at and after `pc`, where it was left.
    pub fn settle(&mut self, pc: u64) {
        if self.last.block.contains(pc) {
            let executed = self.count_before(self.last.block, pc);
            self.remaining += (self.last.instructions - executed) as i64;
            self.last = Counted::NONE;
        }
    }

    /// The guest's counter at an instruction of the block that runs.
    pub fn counter_at(&mut self, pc: u64) -> u64 {
        let ahead = match self.last.block.contains(pc) {
            true => self.last.instructions - self.count_before(self.last.block, pc),
            false => 0,
        };
        let retired = self.counter_from - self.remaining - ahead as i64;
        self.counter.wrapping_add(retired as u64)
    }

    /// The count of an x86_64 block by way of its physical address, or by decoding it.
    fn measure(&mut self, block: Block) -> count::Scan {
        let start = VirtAddr(block.start());
        let within = start.page_offset() + block.size() as u64 <= PAGE_SIZE;
        let physical = match self.frame_of_code(start) {
            Some(pfn) if within && !self.watchful => Some(Block::new(
                pfn.start().0 + start.page_offset(),
                block.size() as u32,
            )),
            _ => None,
        };
        if let Some(instructions) = physical.and_then(|physical| self.physical_counts.get(physical))
        {
            return count::Scan {
                instructions,
                foreign: None,
            };
        }
        let scan = count::scan(
            block.start(),
            self.fetch(block.start(), block.size()),
            u64::MAX,
        );
        if scan.foreign.is_none()
            && let Some(physical) = physical
        {
            self.physical_counts.put(Counted {
                block: physical,
                instructions: scan.instructions,
            });
        }
        scan
    }

    /// Takes back what the last block was charged, if `block` shows that a store into itself has cut it short. Tells if so.
    fn settle_if_cut(&mut self, block: Block) -> bool {
        let last = self.last.block;
        if !last.contains(block.start()) || block.end() > last.end() {
            return false;
        }
        // Jumping to the last instruction of a block leads to the same address and end, but only from that very instruction.
        if block.end() == last.end() {
            let len = block.size();
            let kind = count::classify(block.start(), self.fetch(block.start(), len));
            if kind == Kind::SelfLoop || block.start() == last.start() {
                return false;
            }
        }
        self.settle(block.start());
        true
    }

    /// Whether there is something for [`State::take_rewritten`].
    pub fn is_rewritten(&self) -> bool {
        self.rewritten.is_some()
    }

    /// The frames whose code is out of date, if a run was interrupted for them.
    pub fn take_rewritten(&mut self) -> Option<Vec<Pfn>> {
        self.rewritten.take()
    }

    /// Everything that the x86_64 block hook does not do on its fast path.
    #[cold]
    #[inline(never)]
    fn x86_64_block_slow(&mut self, handle: *mut uc_engine, block: Block) {
        if !self.begin_x86_64_block(block) {
            // SAFETY: called in a hook of this engine.
            unsafe { stop(handle) };
        }
    }

    /// Counts a block; tells whether it shall run.
    fn begin_x86_64_block(&mut self, block: Block) -> bool {
        if self.own_code {
            return true;
        }
        // After a cut, the store itself comes; it must get through, or it would cut its block again and again.
        if self.watchful && !self.settle_if_cut(block) && self.rewritten.is_some() {
            self.halt = Some(Halt::CodeWritten);
            self.last = Counted::NONE;
            return false;
        }
        if self.remaining <= 0 {
            self.halt = Some(Halt::Budget);
            self.last = Counted::NONE;
            return false;
        }
        let scan = self.measure(block);
        if let Some((address, foreign)) = scan.foreign {
            self.halt = Some(Halt::Foreign(address, foreign));
            self.last = Counted::NONE;
            return false;
        }
        self.last = Counted {
            block,
            instructions: scan.instructions,
        };
        self.remaining -= scan.instructions as i64;
        if !self.watchful {
            self.counts.put(self.last);
        }
        true
    }

    /// The aarch64 block hook when the block shall not run.
    #[cold]
    #[inline(never)]
    fn aarch64_block_slow(&mut self, handle: *mut uc_engine) {
        if self.own_code {
            return;
        }
        self.halt = Some(if self.remaining <= 0 {
            Halt::Budget
        } else {
            Halt::Misaligned
        });
        self.last = Counted::NONE;
        // SAFETY: called in a hook of this engine.
        unsafe { stop(handle) };
    }

    /// A fill for the guest: the frame and the rights.
    ///
    /// A page that is writable and executable changes between the two, which keeps ordinary stores off the engine's slow path.
    fn fill(
        &mut self,
        handle: *mut uc_engine,
        page: VirtAddr,
        access: Access,
    ) -> Option<(Pfn, Prot)> {
        let Translation { pfn, write, exec } = self.translate(page, access)?;
        let memory = Arc::clone(&self.memory);
        let code = memory.code();
        let rights = match access {
            Access::Write => {
                let known = code.written(self.member, pfn);
                if known && exec {
                    code.fetched(self.member, pfn);
                    self.be_watchful(handle);
                    return Some((pfn, Prot::ALL));
                }
                if known {
                    self.interrupt(handle, Some(pfn));
                }
                Prot(Prot::READ.0 | Prot::WRITE.0)
            }
            Access::Read if write && !exec => {
                if code.written(self.member, pfn) {
                    self.interrupt(handle, Some(pfn));
                }
                Prot(Prot::READ.0 | Prot::WRITE.0)
            }
            Access::Read if !exec => Prot::READ,
            Access::Read | Access::Fetch => {
                if code.fetched(self.member, pfn) {
                    self.interrupt(handle, None);
                }
                if self.isa == Isa::Aarch64 && !self.has_random_hook {
                    let mut code = [0; PAGE_SIZE as usize];
                    memory.read(pfn.start(), &mut code);
                    if asks_for_random_numbers(&code) {
                        self.add_random_hook(handle);
                    }
                }
                Prot(Prot::READ.0 | Prot::EXEC.0)
            }
        };
        Some((pfn, rights))
    }

    /// The guest executes from a frame that it may write.
    fn be_watchful(&mut self, handle: *mut uc_engine) {
        self.watchful = true;
        self.code_changed();
        if self.isa == Isa::Aarch64 && !self.has_random_hook {
            self.add_random_hook(handle);
        }
    }

    /// Has the run end at the next block, to drop code and to flush the TLB.
    fn interrupt(&mut self, handle: *mut uc_engine, rewritten: Option<Pfn>) {
        self.be_watchful(handle);
        self.rewritten.get_or_insert_default().extend(rewritten);
        if self.isa == Isa::Aarch64 {
            // SAFETY: called in a hook of this engine. On x86_64 the block hook sees to it, which knows more.
            unsafe { stop(handle) };
        }
    }

    /// From now on reads of system registers are hooked, which costs speed where thread pointers are read often.
    fn add_random_hook(&mut self, handle: *mut uc_engine) {
        self.has_random_hook = true;
        let data = (&raw mut *self).cast();
        // SAFETY: called in a hook of this open engine; the function has the type uc_cb_insn_sys_t, and the state is the one that
        // all hooks of this engine have.
        let result = unsafe {
            let instruction = Some(uc::Arm64Insn::UC_ARM64_INS_MRS as c_int);
            add_hook(
                handle,
                HookType::INSN,
                read_system_register as *mut c_void,
                data,
                instruction,
            )
        };
        expect(result, "hook reads of system registers");
    }
}

/// The fill for the engine's own code and for the window through which code is dropped.
fn own_fill(page: u64) -> Option<(u64, Prot)> {
    let rights = Prot(Prot::READ.0 | Prot::EXEC.0);
    match page {
        STUB_VIRT => Some((STUB_PHYS, rights)),
        WINDOW_VIRT..STUB_VIRT => Some((page - WINDOW_VIRT, rights)),
        _ => None,
    }
}

/// Block hook (uc_cb_hookcode_t).
///
/// # Safety
/// Called by the engine with the state of [`State::install`].
unsafe extern "C" fn x86_64_block(
    handle: *mut uc_engine,
    address: u64,
    size: u32,
    state: *mut State,
) {
    // SAFETY: `install` requires the state to be valid and not otherwise referred to during a run.
    let state = unsafe { &mut *state };
    let block = Block::new(address, size);
    let counted = state.counts.look(block);
    if counted.block == block && state.remaining > 0 {
        state.remaining -= counted.instructions as i64;
        state.last = counted;
    } else {
        state.x86_64_block_slow(handle, block);
    }
}

/// Block hook (uc_cb_hookcode_t).
///
/// # Safety
/// Called by the engine with the state of [`State::install`].
unsafe extern "C" fn aarch64_block(
    handle: *mut uc_engine,
    address: u64,
    size: u32,
    state: *mut State,
) {
    // SAFETY: as in `x86_64_block`.
    let state = unsafe { &mut *state };
    if state.remaining > 0 && address & 3 == 0 {
        let instructions = u64::from(size / 4);
        state.remaining -= instructions as i64;
        state.last = Counted {
            block: Block::new(address, size),
            instructions,
        };
    } else {
        state.aarch64_block_slow(handle);
    }
}

/// TLB-fill hook (uc_cb_tlbevent_t): `address` is rounded down to a page.
///
/// # Safety
/// Called by the engine with the state of [`State::install`] and a place for the entry.
unsafe extern "C" fn fill(
    handle: *mut uc_engine,
    address: u64,
    kind: MemType,
    entry: *mut TlbEntry,
    state: *mut State,
) -> bool {
    // SAFETY: as in `x86_64_block`; the engine calls no other hook meanwhile.
    let state = unsafe { &mut *state };
    let found = if state.own_code {
        own_fill(address)
    } else {
        let access = match kind {
            MemType::WRITE => Access::Write,
            MemType::FETCH => Access::Fetch,
            _ => Access::Read,
        };
        let page = match (state.isa, access) {
            (Isa::Aarch64, Access::Read | Access::Write) => aarch64::untagged(address),
            _ => VirtAddr(address),
        };
        let found = state.fill(handle, page, access);
        if found.is_none() {
            state.fault = Some(Fault { page, access });
        }
        found.map(|(pfn, rights)| (pfn.start().0, rights))
    };
    let Some((paddr, perms)) = found else {
        return false;
    };
    // SAFETY: the engine gives a valid place for the entry.
    unsafe { entry.write(TlbEntry { paddr, perms }) };
    true
}

/// Exception hook (uc_cb_hookintr_t).
///
/// # Safety
/// Called by the engine with the state of [`State::install`].
unsafe extern "C" fn exception(handle: *mut uc_engine, number: u32, state: *mut State) {
    // SAFETY: as in `x86_64_block`, and this is the engine that called.
    unsafe {
        (*state).halt = Some(match ((*state).isa, number) {
            (Isa::Aarch64, aarch64::exception::SUPERVISOR_CALL) => Halt::Syscall,
            _ => Halt::Exception(number),
        });
        stop(handle);
    }
}

/// Hook of `syscall` (uc_cb_insn_syscall_t).
///
/// # Safety
/// Called by the engine with the state of [`State::install`].
unsafe extern "C" fn syscall(handle: *mut uc_engine, state: *mut State) {
    // SAFETY: as in `x86_64_block`, and this is the engine that called.
    unsafe {
        (*state).halt = Some(Halt::Syscall);
        stop(handle);
    }
}

/// Hook of `rdtsc` and `rdtscp` (uc_cb_insn_cpuid_t). RCX of `rdtscp` stays what the engine makes it: the hook replaces only the time.
///
/// # Safety
/// Called by the engine with the state of [`State::install`].
unsafe extern "C" fn time_stamp(handle: *mut uc_engine, state: *mut State) -> c_int {
    let mut pc = 0_u64;
    // SAFETY: as in `x86_64_block`; RIP has 8 bytes, and the engine allows reads of registers in hooks.
    let state = unsafe {
        expect(
            uc::uc_reg_read(handle, uc::RegisterX86::RIP as c_int, (&raw mut pc).cast()),
            "read the PC",
        );
        &mut *state
    };
    let counter = state.counter_at(pc);
    let mut halves = [counter & 0xffff_ffff, counter >> 32];
    let (ids, places) = x86_64::time_stamp_places(&mut halves);
    // SAFETY: two 64-bit registers with places of 8 bytes.
    expect(
        unsafe { uc::uc_reg_write_batch(handle, ids.as_ptr(), places.as_ptr(), 2) },
        "write the time stamp",
    );
    1
}

/// Hook of reads of system registers (uc_cb_insn_sys_t): answers those that would be random, and leaves the others to the engine.
///
/// # Safety
/// Called by the engine with a system register.
unsafe extern "C" fn read_system_register(
    handle: *mut uc_engine,
    x: uc::RegisterARM64,
    register: *const uc::RegisterARM64CP,
    _state: *mut State,
) -> u32 {
    // SAFETY: the engine gives a valid register description.
    let register = unsafe { &*register };
    // RNDR and RNDRRS are S3_3_C2_C4_0 and S3_3_C2_C4_1.
    if (register.op0, register.op1, register.crn, register.crm) != (3, 3, 2, 4) || register.op2 > 1
    {
        return 0;
    }
    let (mut value, mut nzcv) = (0, 0);
    let (ids, places) = aarch64::no_random_number(x as c_int, &mut value, &mut nzcv);
    // SAFETY: an X register with 8 bytes and the flags with 4.
    expect(
        unsafe { uc::uc_reg_write_batch(handle, ids.as_ptr(), places.as_ptr(), 2) },
        "write a register",
    );
    1
}
