//! kettle-cc: the multi-ISA compiler driver. One C program in, two static ELF files out, between which a thread can migrate.
//!
//! A stock LLVM 19 does the work: clang compiles every source for one target (x86_64) to bitcode; the bitcode is linked into one module and
//! transformed so that machine frames carry no content at migration points ([`xform`]); llc lowers that module for both ISAs; lld links
//! both with one script that puts every symbol at the same address ([`layout`]). A table of call sites ([`isa::callsites`]), read by the guest
//! runtime, says how native frames are walked and rebuilt. A verifier of the machine code ([`verify`]) has the last word: a program in
//! which anything but the described state is live over a migration point is refused.
//!
//! Rejected: a native C library per ISA with equal data layouts. Everything that two front ends lay out differently (va_list, stat, jmp_buf,
//! struct padding) would have to be found and unified; one front end has none of these questions.
//!
//! Left out: shared libraries, C++, position-independent code.
#![deny(unsafe_code)]

mod archive;
mod backend;
mod check;
pub mod command;
pub mod contract;
pub mod debian;
mod driver;
mod error;
mod finish;
mod frontend;
pub mod inputs;
pub mod layout;
pub mod libc;
mod lines;
mod mir;
pub mod object_file;
mod reserved;
mod runtime;
mod script;
mod signature;
pub mod sites;
mod stackmap;
mod strictness;
mod tools;
pub mod verify;
mod xform;

pub use driver::{Build, Program};
pub use error::BuildError;
pub use frontend::Product;
pub use runtime::{Runtime, SourceFile};
pub use signature::Signature;
pub use tools::say;
pub use xform::{MigrationPoints, Refusal};
