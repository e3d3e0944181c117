//! What the benches share: a workload compiled for both ISAs when they run, and a machine that is no more than its memory.
//!
//! Wants clang-19 and ld.lld-19. Left out: any kernel. The benches compare engines, so they answer two system calls themselves.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use isa::{Isa, PAGE_SIZE, Pfn, VirtAddr};
use kernel_model::{Access, Mmu, Translation};
use object::{Object, ObjectSegment, SegmentFlags};

/// Where the stack of a workload ends.
pub const STACK_TOP: u64 = 0x7ff0_0000_0000;

/// Frames of memory of a bench machine: 16 MiB.
pub const FRAMES: u64 = 4096;

const STACK_PAGES: u64 = 16;

/// Compiles the workload into a static executable in `dir`.
pub fn compile(isa: Isa, dir: &Path) -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("workload/mix.c");
    let binary = dir.join(format!("mix_{}", isa.binary_suffix()));
    let status = Command::new("clang-19")
        .arg(format!("--target={isa}-linux-gnu"))
        .args([
            "-O2",
            "-ffreestanding",
            "-nostdlib",
            "-static",
            "-fno-pic",
            "-fno-stack-protector",
            "-fno-vectorize",
        ])
        .args(["-fno-slp-vectorize", "-fuse-ld=lld", "-o"])
        .args([&binary, &source])
        .status()
        .context("the benches need clang-19 and ld.lld-19")?;
    ensure!(
        status.success(),
        "clang-19 cannot compile {} for {isa}",
        source.display()
    );
    Ok(binary)
}

/// A program laid out in physical memory, with its page table: no address space changes while a bench runs.
#[derive(Debug, Default)]
pub struct Image {
    pages: BTreeMap<u64, Translation>,
    /// Physical memory from frame 0 on.
    pub memory: Vec<u8>,
    /// Where the program starts.
    pub entry: u64,
}

impl Image {
    /// Loads an executable.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path)?;
        let file = object::File::parse(&*bytes)?;
        let mut image = Image {
            entry: file.entry(),
            ..Image::default()
        };
        for segment in file.segments() {
            let SegmentFlags::Elf { p_flags, .. } = segment.flags() else {
                continue;
            };
            let (write, exec) = (p_flags.0 & 2 != 0, p_flags.0 & 1 != 0);
            image.map(segment.address(), segment.size(), write, exec);
            for (addr, &byte) in (segment.address()..).zip(segment.data()?) {
                let at = image.pages[&(addr / PAGE_SIZE)].pfn.start().0 + addr % PAGE_SIZE;
                image.memory[at as usize] = byte;
            }
        }
        image.map(
            STACK_TOP - STACK_PAGES * PAGE_SIZE,
            STACK_PAGES * PAGE_SIZE,
            true,
            false,
        );
        ensure!(
            image.memory.len() as u64 <= FRAMES * PAGE_SIZE,
            "the workload does not fit into {FRAMES} frames"
        );
        Ok(image)
    }

    fn map(&mut self, addr: u64, size: u64, write: bool, exec: bool) {
        for page in addr / PAGE_SIZE..(addr + size).div_ceil(PAGE_SIZE) {
            let pfn = Pfn(self.memory.len() as u64 / PAGE_SIZE);
            self.memory
                .resize(self.memory.len() + PAGE_SIZE as usize, 0);
            self.pages.insert(page, Translation { pfn, write, exec });
        }
    }

    /// The bytes at a virtual address in a copy of the memory.
    pub fn offset(&self, addr: u64) -> Option<u64> {
        Some(self.pages.get(&(addr / PAGE_SIZE))?.pfn.start().0 + addr % PAGE_SIZE)
    }
}

impl Mmu for Image {
    fn asid(&self) -> u64 {
        1
    }

    fn translate(&self, addr: VirtAddr, access: Access) -> Option<Translation> {
        let page = *self.pages.get(&addr.page_number())?;
        match access {
            Access::Read => Some(page),
            Access::Write => page.write.then_some(page),
            Access::Fetch => page.exec.then_some(page),
        }
    }
}
