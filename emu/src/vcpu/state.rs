//! The state that the hooks of one vCPU work on: the budget, the counts of blocks, the walk of the page tables, rewritten code.
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
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use isa::{Isa, PAGE_SIZE, Pfn, PhysAddr, VirtAddr};
use kernel_model::{Access, Mmu, PhysMemory, Translation};
use unicorn_engine_sys::Prot;

use super::aarch64::asks_for_random_numbers;
use super::code_tracker::Member;
use super::count::{self, Block, CountCache, Counted, Foreign, Kind};
use super::engine::{stop, uc_engine};
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
    pub counts: CountCache<{ 1 << 16 }>,
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
    pub isa: Isa,
    memory: Arc<Arena>,
    member: Member,
    pub has_random_hook: bool,
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
    pub fn x86_64_block_slow(&mut self, handle: *mut uc_engine, block: Block) {
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
    pub fn aarch64_block_slow(&mut self, handle: *mut uc_engine) {
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
    pub fn fill(
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
}
