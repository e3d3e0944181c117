//! What an ISA is: registers, ABI, wire register sets, syscall numbers, ELF images, disassembly, native frames and call-site tables.
//!
//! The lowest crate of Kettle. It knows instruction sets and the Linux ABI on each of them, as data; it knows no machine, no
//! kernel and no network. Both supported ISAs are 64-bit and little-endian, and the crate relies on it.
#![forbid(unsafe_code)]

mod addr;
mod arch;
pub mod callsites;
pub mod dataframes;
pub mod disasm;
pub mod elf;
pub mod errno;
pub mod layout;
pub mod registers;
pub mod syscall;
pub mod unwind;
pub mod variables;
pub mod wire;

pub use addr::{PAGE_SHIFT, PAGE_SIZE, Pfn, PhysAddr, VirtAddr};
pub use arch::{Isa, UnknownIsa};
pub use elf::ElfImage;
pub use errno::Errno;
pub use registers::{Aarch64Regs, Gpr, RegisterFile, X86_64Regs, X87};
