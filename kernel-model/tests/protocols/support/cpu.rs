//! A CPU that runs a [`Script`], and physical memory in a vector.
//!
//! It caches translations as a real one does until it is told to drop them, so that a forgotten TLB flush shows.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use isa::layout::CloneFlags;
use isa::syscall::{PopcornAbi, Sysno};
use isa::wire::Regset;
use isa::{Errno, Isa, PAGE_SIZE, Pfn, PhysAddr, RegisterFile, VirtAddr};
use kernel_model::{Access, Cpu, CpuExit, Mmu, PhysMemory, RunResult, UserContext};
use msglayer::Nid;

use super::record::{Recorder, What};
use super::script::{
    CODE, DATA, Op, Script, THREAD_FLAGS, Val, register, set_register, set_syscall, transform,
};

/// A vCPU of a node.
pub struct ScriptedCpu {
    pub nid: Nid,
    /// The ISAs of all nodes, by number.
    pub isas: Rc<[Isa]>,
    pub script: Rc<Script>,
    pub memory: Rc<VecMemory>,
    pub recorder: Rc<Recorder>,
    pub tlb: Tlb,
}

/// Cached translations: per page and kind of access, of one address space.
#[derive(Default)]
pub struct Tlb {
    asid: Option<u64>,
    entries: BTreeMap<(VirtAddr, u8), Pfn>,
}

impl Tlb {
    fn translate(
        &mut self,
        mmu: &dyn Mmu,
        addr: VirtAddr,
        access: Access,
    ) -> Result<PhysAddr, CpuExit> {
        if self.asid != Some(mmu.asid()) {
            self.entries.clear();
            self.asid = Some(mmu.asid());
        }
        let key = (addr.page_align_down(), access as u8);
        let pfn = match self.entries.get(&key) {
            Some(pfn) => *pfn,
            None => {
                let found = mmu
                    .translate(addr, access)
                    .ok_or(CpuExit::PageFault { addr, access })?;
                self.entries.insert(key, found.pfn);
                found.pfn
            }
        };
        Ok(PhysAddr(pfn.0 * PAGE_SIZE + addr.page_offset()))
    }
}

impl ScriptedCpu {
    fn load(&mut self, mmu: &dyn Mmu, addr: u64, access: Access) -> Result<u64, CpuExit> {
        let at = self.tlb.translate(mmu, VirtAddr(addr), access)?;
        let mut bytes = [0; 8];
        self.memory.read(at, &mut bytes);
        let value = u64::from_le_bytes(bytes);
        self.recorder.loaded(self.nid, addr, value);
        Ok(value)
    }

    fn store(&mut self, mmu: &dyn Mmu, addr: u64, value: u64) -> Result<(), CpuExit> {
        let at = self.tlb.translate(mmu, VirtAddr(addr), Access::Write)?;
        self.memory.write(at, &value.to_le_bytes());
        self.recorder.stored(addr, value);
        Ok(())
    }

    /// One operation. A fault leaves everything as it was, so that it can be tried again.
    fn step(&mut self, regs: &mut RegisterFile, mmu: &dyn Mmu) -> Result<(), CpuExit> {
        let pc = regs.pc();
        self.tlb.translate(mmu, pc, Access::Fetch)?;
        let script = Rc::clone(&self.script);
        if !script.has(pc) && !(CODE..DATA).contains(&pc.0) {
            return Err(CpuExit::IllegalInstruction);
        }
        let op = script.at(pc);
        let value = |val: Val| match val {
            Val::Imm(value) => value,
            Val::V(index, offset) => register(regs, index).wrapping_add_signed(offset),
            Val::Sp(offset) => regs.sp().0.wrapping_add_signed(offset),
            Val::Ret => regs.return_value(),
            Val::Tls => regs.tls().0,
        };
        let mut next = VirtAddr(pc.0 + 4);
        match op {
            Op::Mark(_) => unreachable!("marks take no room"),
            Op::Goto(mark) => next = script.address(mark),
            Op::IfEq(a, b, mark) => {
                if value(*a) == value(*b) {
                    next = script.address(mark);
                }
            }
            Op::Set(to, val) => {
                let new = value(*val);
                set_register(regs, *to, new);
            }
            Op::Add(to, val) => {
                let new = register(regs, *to).wrapping_add(value(*val));
                set_register(regs, *to, new);
            }
            Op::Load(to, addr) => {
                let loaded = self.load(mmu, value(*addr), Access::Read)?;
                set_register(regs, *to, loaded);
            }
            Op::Store(addr, val) => self.store(mmu, value(*addr), value(*val))?,
            Op::FetchAdd(to, addr, val) => {
                let (addr, val) = (value(*addr), value(*val));
                let old = self.load(mmu, addr, Access::Write)?;
                self.store(mmu, addr, old.wrapping_add(val))?;
                set_register(regs, *to, old);
            }
            Op::CompareSwap(to, addr, old, new) => {
                let (addr, old, new) = (value(*addr), value(*old), value(*new));
                let found = self.load(mmu, addr, Access::Write)?;
                if found == old {
                    self.store(mmu, addr, new)?;
                }
                set_register(regs, *to, found);
            }
            Op::Call(sysno, args) => {
                let args = six(args.iter().map(|arg| value(*arg)));
                let number = sysno
                    .number(regs.isa())
                    .unwrap_or_else(|| panic!("{} has no {sysno}", regs.isa()));
                return self.trap(regs, next, number, args);
            }
            Op::Popcorn(call, args) => {
                let args = six(args.iter().map(|arg| value(*arg)));
                let number = PopcornAbi::K52
                    .number(*call, regs.isa())
                    .expect("K52 has all four calls");
                return self.trap(regs, next, number, args);
            }
            Op::Migrate { to, layout } => {
                let (to, layout) = (value(*to), value(*layout));
                let isa = usize::try_from(layout)
                    .ok()
                    .and_then(|n| self.isas.get(n).copied())
                    .unwrap_or(regs.isa());
                let uregs = (regs.sp().0 - 1024) & !15;
                let set = Regset::capture(&transform(regs, isa, next));
                for (word, at) in set.as_bytes().chunks_exact(8).zip((uregs..).step_by(8)) {
                    self.store(
                        mmu,
                        at,
                        u64::from_le_bytes(word.try_into().expect("eight bytes")),
                    )?;
                }
                let number = PopcornAbi::K52
                    .number(isa::syscall::PopcornCall::Migrate, regs.isa())
                    .expect("K52 has it");
                return self.trap(regs, next, number, [to, uregs, 0, 0, 0, 0]);
            }
            Op::Clone { stack, clear_tid } => {
                let (stack, clear_tid) = (value(*stack), value(*clear_tid));
                let mut flags = THREAD_FLAGS;
                flags.set(CloneFlags::CHILD_CLEARTID, clear_tid != 0);
                let (fourth, fifth) = match regs.isa() {
                    Isa::X86_64 => (clear_tid, stack),
                    Isa::Aarch64 => (stack, clear_tid),
                };
                let number = Sysno::Clone.number(regs.isa()).expect("both have clone");
                return self.trap(
                    regs,
                    next,
                    number,
                    [flags.bits(), stack, 0, fourth, fifth, 0],
                );
            }
            Op::Return => {
                let sp = regs.sp();
                if regs.isa() == Isa::X86_64 {
                    next = VirtAddr(self.load(mmu, sp.0, Access::Read)?);
                    regs.set_sp(VirtAddr(sp.0 + 8));
                } else if let Some(arm) = regs.as_aarch64() {
                    next = VirtAddr(arm.x[30]);
                }
            }
            Op::Expect(a, b) => {
                let (left, right) = (value(*a), value(*b));
                assert_eq!(
                    left, right,
                    "node {}: {op:x?} at {pc}: {left:#x} is not {right:#x}\n{regs}",
                    self.nid
                );
            }
            Op::ExpectErr(errno) => {
                assert_eq!(
                    Errno::decode(regs.return_value()),
                    Err(*errno),
                    "node {}: {op:?} at {pc}",
                    self.nid
                );
            }
            Op::Forget(start, len) => self.recorder.forget(&(*start..*start + *len)),
            Op::Moved(from, to, len) => self.recorder.moved(&(*from..*from + *len), *to),
            Op::Tell(tag, val) => self.recorder.tell(self.nid, What::Told(tag, value(*val))),
        }
        regs.set_pc(next);
        Ok(())
    }

    fn trap(
        &self,
        regs: &mut RegisterFile,
        next: VirtAddr,
        number: u64,
        args: [u64; 6],
    ) -> Result<(), CpuExit> {
        set_syscall(regs, number, args);
        regs.set_pc(next);
        Err(CpuExit::Syscall)
    }
}

fn six(args: impl Iterator<Item = u64>) -> [u64; 6] {
    let mut all = [0; 6];
    for (place, arg) in all.iter_mut().zip(args) {
        *place = arg;
    }
    all
}

impl Cpu for ScriptedCpu {
    fn isa(&self) -> Isa {
        self.isas[self.nid.index()]
    }

    fn run(&mut self, context: &mut UserContext, mmu: &dyn Mmu, budget: u64) -> RunResult {
        context.take_dirty();
        assert_eq!(
            context.regs().isa(),
            self.isa(),
            "a task of another ISA on node {}",
            self.nid
        );
        for retired in 0..budget {
            if let Err(exit) = self.step(context.saved_mut(), mmu) {
                return RunResult {
                    exit,
                    retired: retired + u64::from(exit == CpuExit::Syscall),
                };
            }
        }
        RunResult {
            exit: CpuExit::Budget,
            retired: budget,
        }
    }

    fn switch_out(&mut self, _: &mut UserContext) {}

    fn flush_tlb(&mut self) {
        self.tlb = Tlb::default();
    }

    fn invalidate_code(&mut self, _: Pfn) {}
}

/// Physical memory of a node.
pub struct VecMemory(RefCell<Vec<u8>>);

impl VecMemory {
    /// Filled with a pattern: nothing may rely on zeroes.
    pub fn new(frames: u64) -> Rc<Self> {
        Rc::new(Self(RefCell::new(vec![
            0xaa;
            (frames * PAGE_SIZE) as usize
        ])))
    }

    /// Gives the bytes back. Kernels and their threads own each other, so that a finished cluster would keep its memory.
    pub fn release(&self) {
        *self.0.borrow_mut() = Vec::new();
    }

    fn range(addr: PhysAddr, len: usize) -> std::ops::Range<usize> {
        addr.0 as usize..addr.0 as usize + len
    }
}

impl PhysMemory for VecMemory {
    fn frames(&self) -> u64 {
        self.0.borrow().len() as u64 / PAGE_SIZE
    }

    fn read(&self, addr: PhysAddr, out: &mut [u8]) {
        out.copy_from_slice(&self.0.borrow()[Self::range(addr, out.len())]);
    }

    fn write(&self, addr: PhysAddr, bytes: &[u8]) {
        self.0.borrow_mut()[Self::range(addr, bytes.len())].copy_from_slice(bytes);
    }
}
