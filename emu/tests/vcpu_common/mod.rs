//! What the vCPU tests share: an assembler, a page table that is a map, and a machine of one vCPU with its memory.
#![expect(
    dead_code,
    reason = "each test file compiles its own copy and uses a part of it"
)]

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use emu::memory::Arena;
use emu::vcpu::UnicornCpu;
use isa::{Gpr, Isa, PAGE_SIZE, Pfn, PhysAddr, RegisterFile, VirtAddr};
use kernel_model::{Access, Cpu, CpuExit, Mmu, PhysMemory, RunResult, Translation, UserContext};

/// Where test programs are put.
pub const CODE: u64 = 0x40_0000;
/// A page for data, writable.
pub const DATA: u64 = 0x50_0000;
/// The end of a stack of 4 pages.
pub const STACK: u64 = 0x7f_0000_0000;
/// No budget at all.
pub const UNLIMITED: u64 = u64::MAX;

/// A page table.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    pub asid: u64,
    pub map: BTreeMap<u64, Translation>,
}

impl Mmu for Pages {
    fn asid(&self) -> u64 {
        self.asid
    }

    fn translate(&self, addr: VirtAddr, access: Access) -> Option<Translation> {
        let found = *self.map.get(&addr.page_number())?;
        match access {
            Access::Read => Some(found),
            Access::Write => found.write.then_some(found),
            Access::Fetch => found.exec.then_some(found),
        }
    }
}

/// One vCPU, its memory, one address space, one thread.
pub struct Machine {
    pub memory: Arc<Arena>,
    pub cpu: UnicornCpu,
    pub pages: Pages,
    pub context: UserContext,
    next: u64,
}

/// Rights of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    R,
    RW,
    RX,
    All,
}

impl Machine {
    /// A machine with a stack and a data page, about to execute `code` at [`CODE`].
    pub fn new(isa: Isa, code: &[u8]) -> Self {
        let memory = Arc::new(Arena::new(1024).unwrap());
        let cpu = UnicornCpu::new(isa, Arc::clone(&memory)).unwrap();
        let mut regs = RegisterFile::new(isa);
        regs.start_thread(VirtAddr(CODE), VirtAddr(STACK - 64));
        let mut machine = Self {
            memory,
            cpu,
            pages: Pages::default(),
            context: UserContext::new(1, regs),
            next: 1,
        };
        machine.put(CODE, code, Rights::RX);
        machine.map(DATA, Rights::RW);
        for page in 1..=4 {
            machine.map(STACK - page * PAGE_SIZE, Rights::RW);
        }
        machine
    }

    /// A machine with assembled code.
    pub fn asm(isa: Isa, text: &str) -> Self {
        Self::new(isa, &assemble(isa, text))
    }

    /// Maps a fresh zero frame.
    pub fn map(&mut self, addr: u64, rights: Rights) -> Pfn {
        let pfn = Pfn(self.next);
        self.next += 1;
        self.alias(addr, pfn, rights);
        pfn
    }

    /// Maps a given frame.
    pub fn alias(&mut self, addr: u64, pfn: Pfn, rights: Rights) {
        let write = matches!(rights, Rights::RW | Rights::All);
        let exec = matches!(rights, Rights::RX | Rights::All);
        self.pages
            .map
            .insert(addr / PAGE_SIZE, Translation { pfn, write, exec });
    }

    /// Unmaps a page as a kernel does.
    pub fn unmap(&mut self, addr: u64) -> Translation {
        let old = self
            .pages
            .map
            .remove(&(addr / PAGE_SIZE))
            .expect("it was mapped");
        self.cpu.flush_tlb();
        old
    }

    /// Maps pages for bytes and fills them.
    pub fn put(&mut self, addr: u64, bytes: &[u8], rights: Rights) {
        let first = addr / PAGE_SIZE;
        for page in first..=(addr + (bytes.len() as u64).max(1) - 1) / PAGE_SIZE {
            if !self.pages.map.contains_key(&page) {
                self.map(page * PAGE_SIZE, rights);
            }
        }
        self.poke(addr, bytes);
    }

    /// Writes mapped memory from the host.
    pub fn poke(&self, addr: u64, bytes: &[u8]) {
        for (index, &byte) in bytes.iter().enumerate() {
            self.memory.write(self.phys(addr + index as u64), &[byte]);
        }
    }

    /// Reads mapped memory.
    pub fn peek<const N: usize>(&self, addr: u64) -> [u8; N] {
        std::array::from_fn(|index| {
            let mut byte = [0];
            self.memory.read(self.phys(addr + index as u64), &mut byte);
            byte[0]
        })
    }

    pub fn peek_u64(&self, addr: u64) -> u64 {
        u64::from_le_bytes(self.peek(addr))
    }

    fn phys(&self, addr: u64) -> PhysAddr {
        let page = self
            .pages
            .map
            .get(&(addr / PAGE_SIZE))
            .expect("it is mapped");
        PhysAddr(page.pfn.start().0 + addr % PAGE_SIZE)
    }

    /// Runs the thread.
    pub fn run(&mut self, budget: u64) -> RunResult {
        self.cpu.run(&mut self.context, &self.pages, budget)
    }

    /// Runs with slices of random length until something else than the budget ends it; the sum of the counts.
    pub fn run_sliced(&mut self, mut budget: impl FnMut() -> u64) -> RunResult {
        let mut retired = 0;
        loop {
            let result = self.run(budget());
            retired += result.retired;
            if result.exit != CpuExit::Budget {
                return RunResult {
                    exit: result.exit,
                    retired,
                };
            }
        }
    }

    /// Offset of PC from [`CODE`].
    pub fn at(&self) -> u64 {
        self.context.regs().pc().0 - CODE
    }

    /// An integer register by its encoding number.
    pub fn reg(&self, number: usize) -> u64 {
        match self.context.regs() {
            RegisterFile::X86_64(regs) => regs.gpr[number],
            RegisterFile::Aarch64(regs) => regs.x[number],
        }
    }

    pub fn set_reg(&mut self, number: usize, value: u64) {
        match self.context.regs_mut() {
            RegisterFile::X86_64(regs) => regs.gpr[number] = value,
            RegisterFile::Aarch64(regs) => regs.x[number] = value,
        }
    }

    pub fn set_pc(&mut self, pc: u64) {
        self.context.regs_mut().set_pc(VirtAddr(pc));
    }
}

pub const RAX: usize = Gpr::Rax as usize;
pub const RCX: usize = Gpr::Rcx as usize;
pub const RDX: usize = Gpr::Rdx as usize;
pub const RBX: usize = Gpr::Rbx as usize;
pub const RSI: usize = Gpr::Rsi as usize;
pub const RDI: usize = Gpr::Rdi as usize;

fn target(isa: Isa) -> &'static str {
    match isa {
        Isa::X86_64 => "--target=x86_64-linux-gnu",
        Isa::Aarch64 => "--target=aarch64-linux-gnu",
    }
}

/// Assembles position-independent code (Intel syntax on x86_64). What it returns is the text section.
pub fn assemble(isa: Isa, text: &str) -> Vec<u8> {
    let syntax = match isa {
        Isa::X86_64 => ".intel_syntax noprefix\n",
        Isa::Aarch64 => ".arch armv8.5-a+lse+rng\n",
    };
    compile(isa, &["-x", "assembler"], &format!("{syntax}{text}\n"))
}

/// Compiles one C file of static functions and one entry function, which comes first in the text section.
pub fn compile_c(isa: Isa, text: &str) -> Vec<u8> {
    let flags = [
        "-x",
        "c",
        "-O1",
        "-ffreestanding",
        "-fno-stack-protector",
        "-fno-asynchronous-unwind-tables",
        "-fno-jump-tables",
    ];
    compile(isa, &flags, text)
}

fn compile(isa: Isa, flags: &[&str], text: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let object = dir.path().join("code.o");
    let binary = dir.path().join("code.bin");
    let mut clang = Command::new("clang-19")
        .arg(target(isa))
        .args(flags)
        .args(["-c", "-", "-o"])
        .arg(&object)
        .stdin(Stdio::piped())
        .spawn()
        .expect("the tests need clang-19");
    clang
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    assert!(clang.wait().unwrap().success(), "clang-19 refuses:\n{text}");
    let objcopy = Command::new("llvm-objcopy-19")
        .args(["-O", "binary", "-j", ".text"])
        .args([&object, &binary])
        .status()
        .expect("the tests need llvm-objcopy-19");
    assert!(objcopy.success());
    std::fs::read(binary).unwrap()
}
