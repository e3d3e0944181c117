//! Tests of the `isa` crate on real machine code: small programs built with clang and lld for both ISAs.

mod build;
mod elf;
mod pair;
