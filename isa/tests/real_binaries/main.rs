//! Tests of the `isa` crate on real machine code: small programs built with clang and lld for both ISAs.

mod build;
mod disasm;
mod elf;
mod pair;
mod unwind;
