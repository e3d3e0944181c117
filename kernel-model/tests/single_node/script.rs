//! A node without an emulator: a scripted CPU, memory in a vector, files in a map, and an event sink that keeps sentences.
//!
//! A program is a list of [`Op`]s. Its code lies at [`CODE`], four bytes an operation, so that the program counter says which one is next and fetches go
//! through the page tables like everything else. Registers are those of aarch64.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use isa::layout::{FileType, Stat};
use isa::syscall::Sysno;
use isa::{Errno, Isa, PAGE_SIZE, Pfn, PhysAddr, RegisterFile, VirtAddr};
use kernel_model::event::{Event, EventSink};
use kernel_model::fs::{File, RootEntry, RootEntryKind, RootFs};
use kernel_model::process::start_process;
use kernel_model::task::{ExitStatus, Task};
use kernel_model::user::wake_up_new_task;
use kernel_model::{
    Access, Cpu, CpuExit, Hardware, Kernel, Mmu, NodeConfig, PhysMemory, RunResult, UserContext,
};
use msglayer::{Nid, SimTime};

/// Where the code of scripted programs lies.
pub const CODE: u64 = 0x40_0000;
/// Where their one page of data lies, with a page of bss behind.
pub const DATA: u64 = 0x60_0000;
/// Bytes of initialised data; each is 0x11.
pub const DATA_LEN: u64 = 0x100;

/// A value: a constant, or a register and an offset.
#[derive(Clone, Copy, Debug)]
pub enum Val {
    Imm(u64),
    X(usize, i64),
}

/// One operation of a scripted program.
#[derive(Clone, Debug)]
pub enum Op {
    /// Loads 32 bits and demands a value.
    Load(Val, u32),
    /// Stores 32 bits.
    Store(Val, u32),
    /// A system call; the result is in x0.
    Call(Sysno, Vec<Val>),
    /// Demands what a register holds.
    Expect(usize, u64),
    /// Demands an error of the call before.
    ExpectErr(Errno),
    /// Copies a register.
    Move(usize, usize),
    /// Goes on at another operation if x0 is 0 (the child of a clone).
    IfZero(usize),
    /// Jumps to an address.
    Jump(u64),
    /// Jumps to the address in x30.
    Return,
    /// Adds to 32 bits of memory.
    Add(Val, u32),
    /// Goes on at an address if 32 bits of memory have a value.
    Count(Val, u32, u64),
    /// Stores 32 bits of memory elsewhere if they are more than what is there.
    Max(Val, Val),
    /// Stays here until 32 bits of memory have a value.
    Until(Val, u32),
    /// Sets a vector register (its lowest 64 bits), or demands what it holds.
    SetVector(usize, u64),
    /// Demands what a vector register holds.
    ExpectVector(usize, u64),
    /// Says that the CPU does not know this instruction.
    Illegal,
}

/// A call with constant arguments.
pub fn call(sysno: Sysno, args: &[u64]) -> Op {
    Op::Call(sysno, args.iter().map(|arg| Val::Imm(*arg)).collect())
}

pub fn exit(status: u64) -> Op {
    call(Sysno::ExitGroup, &[status])
}

struct Script(Rc<Vec<Op>>);

struct ScriptedCpu {
    script: Script,
    memory: Rc<VecMemory>,
}

impl ScriptedCpu {
    fn access(&self, mmu: &dyn Mmu, addr: u64, access: Access) -> Result<PhysAddr, CpuExit> {
        let addr = VirtAddr(addr);
        match mmu.translate(addr, access) {
            Some(found) => Ok(PhysAddr(found.pfn.0 * PAGE_SIZE + addr.page_offset())),
            None => Err(CpuExit::PageFault { addr, access }),
        }
    }

    fn load(&self, mmu: &dyn Mmu, addr: u64) -> Result<u32, CpuExit> {
        let mut bytes = [0; 4];
        let at = self.access(mmu, addr, Access::Read)?;
        self.memory.read(at, &mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn step(&self, regs: &mut RegisterFile, mmu: &dyn Mmu) -> Result<(), CpuExit> {
        let pc = regs.pc();
        self.access(mmu, pc.0, Access::Fetch)?;
        let index = (pc.0 - CODE) as usize / 4;
        let op = self
            .script
            .0
            .get(index)
            .unwrap_or_else(|| panic!("the script ends without an exit, at {index}"));
        let RegisterFile::Aarch64(arm) = regs else {
            panic!("scripts use aarch64 registers")
        };
        let value = |val: &Val, arm: &isa::Aarch64Regs| match *val {
            Val::Imm(value) => value,
            Val::X(31, offset) => arm.sp.wrapping_add_signed(offset),
            Val::X(register, offset) => arm.x[register].wrapping_add_signed(offset),
        };
        let mut next = pc.0 + 4;
        let mut exit = None;
        match op {
            Op::Load(at, expected) => {
                let mut bytes = [0; 4];
                self.memory
                    .read(self.access(mmu, value(at, arm), Access::Read)?, &mut bytes);
                assert_eq!(
                    u32::from_le_bytes(bytes),
                    *expected,
                    "operation {index}: {op:?}"
                );
            }
            Op::Store(at, stored) => {
                self.memory.write(
                    self.access(mmu, value(at, arm), Access::Write)?,
                    &stored.to_le_bytes(),
                );
            }
            Op::Call(sysno, args) => {
                let args: Vec<_> = args.iter().map(|arg| value(arg, arm)).collect();
                arm.x[8] = sysno.number(Isa::Aarch64).expect("a call of aarch64");
                arm.x[..6].fill(0);
                arm.x[..args.len()].copy_from_slice(&args);
                exit = Some(CpuExit::Syscall);
            }
            Op::Expect(register, expected) => {
                assert_eq!(
                    arm.x[*register], *expected,
                    "operation {index}: x{register} is {:#x}",
                    arm.x[*register]
                );
            }
            Op::ExpectErr(errno) => {
                assert_eq!(
                    Errno::decode(arm.x[0]),
                    Err(*errno),
                    "operation {index}: x0 is {:#x}",
                    arm.x[0]
                );
            }
            Op::Move(to, from) => arm.x[*to] = arm.x[*from],
            Op::IfZero(target) if arm.x[0] == 0 => next = CODE + 4 * *target as u64,
            Op::IfZero(_) => {}
            Op::Jump(target) => next = *target,
            Op::Return => next = arm.x[30],
            Op::Add(at, added) => {
                let at = self.access(mmu, value(at, arm), Access::Write)?;
                let mut bytes = [0; 4];
                self.memory.read(at, &mut bytes);
                let sum = u32::from_le_bytes(bytes).wrapping_add(*added);
                self.memory.write(at, &sum.to_le_bytes());
            }
            Op::Until(at, expected) => {
                if self.load(mmu, value(at, arm))? != *expected {
                    next = pc.0;
                }
            }
            Op::Count(at, expected, target) => {
                if self.load(mmu, value(at, arm))? == *expected {
                    next = *target;
                }
            }
            Op::Max(from, to) => {
                let found = self.load(mmu, value(from, arm))?;
                if found > self.load(mmu, value(to, arm))? {
                    let at = self.access(mmu, value(to, arm), Access::Write)?;
                    self.memory.write(at, &found.to_le_bytes());
                }
            }
            Op::SetVector(register, value) => arm.v[*register] = u128::from(*value),
            Op::ExpectVector(register, expected) => {
                assert_eq!(arm.v[*register], u128::from(*expected), "operation {index}")
            }
            Op::Illegal => return Err(CpuExit::IllegalInstruction),
        }
        arm.pc = next;
        exit.map_or(Ok(()), Err)
    }
}

impl Cpu for ScriptedCpu {
    fn isa(&self) -> Isa {
        Isa::Aarch64
    }

    fn run(&mut self, context: &mut UserContext, mmu: &dyn Mmu, budget: u64) -> RunResult {
        context.take_dirty();
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

    fn flush_tlb(&mut self) {}

    fn invalidate_code(&mut self, _: Pfn) {}
}

/// Physical memory.
pub struct VecMemory(RefCell<Vec<u8>>);

impl VecMemory {
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

struct Bytes(Vec<u8>);

impl File for Bytes {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> usize {
        let rest = self
            .0
            .get(usize::try_from(offset).unwrap_or(usize::MAX)..)
            .unwrap_or(&[]);
        let len = rest.len().min(out.len());
        out[..len].copy_from_slice(&rest[..len]);
        len
    }

    fn stat(&self) -> Stat {
        Stat {
            mode: FileType::Regular.mode_bits() | 0o444,
            size: self.0.len() as i64,
            ..Stat::default()
        }
    }
}

/// The root: files by path.
#[derive(Default)]
pub struct Files(BTreeMap<String, Rc<Bytes>>);

impl RootFs for Files {
    fn open(&self, path: &str, _: Isa) -> Result<Rc<dyn File>, Errno> {
        self.0
            .get(path)
            .cloned()
            .map(|file| file as Rc<dyn File>)
            .ok_or(Errno::ENOENT)
    }

    fn list(&self, path: &str) -> Result<Vec<RootEntry>, Errno> {
        let below = format!("{}/", path.trim_end_matches('/'));
        let mut entries = Vec::new();
        for file in self.0.keys() {
            let Some(rest) = file.strip_prefix(&below) else {
                continue;
            };
            let (name, kind) = match rest.split_once('/') {
                Some((name, _)) => (name, RootEntryKind::Directory),
                None => (rest, RootEntryKind::File),
            };
            let name = name.to_owned();
            entries.push(RootEntry { name, kind });
        }
        entries.dedup();
        Ok(entries)
    }
}

/// Keeps what a user would notice.
#[derive(Default)]
pub struct Recorder {
    pub output: RefCell<Vec<u8>>,
    pub log: RefCell<Vec<String>>,
}

impl EventSink for Recorder {
    fn record(&self, _: SimTime, _: Nid, event: &Event<'_>) {
        match event {
            Event::Output { bytes, .. } => self.output.borrow_mut().extend_from_slice(bytes),
            Event::Log { text } => self.log.borrow_mut().push((*text).to_owned()),
            Event::Unimplemented { name, .. } => {
                self.log.borrow_mut().push(format!("unimplemented: {name}"))
            }
            _ => {}
        }
    }
}

/// A node and what was recorded of it.
pub struct Node {
    pub kernel: Rc<Kernel>,
    pub events: Rc<Recorder>,
}

impl Node {
    /// A node with these files, beside the program `/prog`, and this much memory.
    pub fn new(script: Vec<Op>, files: &[(&str, Vec<u8>)], frames: u64) -> Self {
        let mut root: BTreeMap<_, _> = files
            .iter()
            .map(|(path, bytes)| ((*path).to_owned(), Rc::new(Bytes(bytes.clone()))))
            .collect();
        root.entry("/prog".to_owned())
            .or_insert_with(|| Rc::new(Bytes(program(script.len()))));
        let memory = Rc::new(VecMemory(RefCell::new(vec![
            0xaa;
            (frames * PAGE_SIZE) as usize
        ])));
        let events = Rc::new(Recorder::default());
        let cpu = ScriptedCpu {
            script: Script(Rc::new(script)),
            memory: Rc::clone(&memory),
        };
        let hardware = Hardware {
            cpus: vec![Box::new(cpu)],
            memory,
            root: Rc::new(Files(root)),
            events: Rc::clone(&events) as Rc<dyn EventSink>,
        };
        let nid = Nid::new(0).unwrap();
        Self {
            kernel: Kernel::boot(NodeConfig::new(nid, Isa::Aarch64), hardware, &[]),
            events,
        }
    }

    pub fn start(&self) -> Rc<Task> {
        let task = start_process(&self.kernel, "/prog", &["prog".to_owned()], &[])
            .expect("the script is a program");
        wake_up_new_task(&self.kernel, &task);
        task
    }

    /// Runs until nothing is left to do, or for a million actions; returns how the process ended.
    pub fn run(&self, task: &Task) -> Option<ExitStatus> {
        for _ in 0..1_000_000 {
            if task.group.exit_status().is_some() || !self.kernel.exec.step() {
                break;
            }
        }
        task.group.exit_status()
    }

    pub fn output(&self) -> String {
        String::from_utf8_lossy(&self.events.output.borrow()).into_owned()
    }
}

/// Runs a script to its end on a node of its own.
pub fn run(script: Vec<Op>) -> (Option<ExitStatus>, Node) {
    run_with(script, &[], 4096)
}

pub fn run_with(
    script: Vec<Op>,
    files: &[(&str, Vec<u8>)],
    frames: u64,
) -> (Option<ExitStatus>, Node) {
    let node = Node::new(script, files, frames);
    let task = node.start();
    let status = node.run(&task);
    (status, node)
}

/// An ELF file with `ops` operations of code and a page of data.
pub fn program(ops: usize) -> Vec<u8> {
    let code_len = (ops as u64 * 4).max(4);
    let data_offset = (PAGE_SIZE + code_len).next_multiple_of(PAGE_SIZE);
    let mut file = elf_header(2);
    for (flags, offset, addr, file_len, memory_len) in [
        (5_u32, PAGE_SIZE, CODE, code_len, code_len),
        (6, data_offset, DATA, DATA_LEN, 2 * PAGE_SIZE),
    ] {
        file.extend(1_u32.to_le_bytes());
        file.extend(flags.to_le_bytes());
        for word in [offset, addr, addr, file_len, memory_len, PAGE_SIZE] {
            file.extend(word.to_le_bytes());
        }
    }
    file.resize(data_offset as usize, 0);
    file.extend(vec![0x11; DATA_LEN as usize]);
    // What follows the data in the file must not show in the bss.
    file.extend(vec![0x22; PAGE_SIZE as usize]);
    file
}

fn elf_header(segments: u16) -> Vec<u8> {
    let mut header = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for half in [2_u16, 183] {
        header.extend(half.to_le_bytes());
    }
    header.extend(1_u32.to_le_bytes());
    for word in [CODE, 64, 0] {
        header.extend(word.to_le_bytes());
    }
    header.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, segments, 64, 0, 0] {
        header.extend(half.to_le_bytes());
    }
    header
}
