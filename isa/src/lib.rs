//! What an ISA is: registers, ABI, wire register sets, syscall numbers, ELF images, disassembly, native frames and call-site tables.
#![forbid(unsafe_code)]
