//! A fuzzer of kettle-cc: random C programs, built for both instruction sets, verified, run natively, and moved to the other node at every
//! migration point.
//!
//! [`program`] makes a C program of a seed. [`trial`] builds programs and compares what they print: by this host, by qemu-user for the other
//! instruction set, compiled by clang alone, and in Kettle with both instruction sets as the first. Compiler and emulator are run as
//! commands ([`Tools`]), so that this crate links neither LLVM nor Unicorn, and whatever goes wrong in them is an outcome.
//!
//! A seed is one program, a C file of its own with an optimisation level of its own. Several are linked into one binary, which saves most of
//! the time: linking the C library takes longer than compiling a program of 600 lines.
#![forbid(unsafe_code)]

mod generate;
pub mod trial;

pub use generate::{Source, program};
pub use trial::{Failure, Report, Tools, Trial, write_sources};
