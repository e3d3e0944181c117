//! The guest programs, built from C source (`guests/programs`) by kettle-cc, by name.
//!
//! Tests ask here for the path of a program; the first who does has it built ([`built`]), for both ISAs, with kettle-cc and its C library. What the programs are is a table, [`all`]: what each is for, what it exits with, and which of their properties a
//! test must know. Most take a plan as their first argument: [`PLANS`].
#![forbid(unsafe_code)]

mod built;
mod table;

use std::path::PathBuf;

use isa::Isa;

pub use table::{Output, ProgramInfo, all};

/// When a program migrates; its first argument (`guests/programs/plan.h`). Every program has one of them as its default.
///
/// * `none`: never.
/// * `once`: each thread at its first migration point, to the next node that is online.
/// * `back`: like `once`, and home at the second migration point.
/// * `every`: at every migration point, round all nodes that are online.
pub const PLANS: [&str; 4] = ["none", "once", "back", "every"];

/// The path of a program without the suffix of an ISA: what `kettle run` takes. A file of this name is the host's own binary.
///
/// # Panics
///
/// If there is no such program: the caller has misspelt a name that is in its own source. If it cannot be built: the text is the compiler's.
pub fn program(name: &str) -> PathBuf {
    let known = all().iter().any(|p| p.name == name);
    assert!(
        known,
        "there is no guest program `{name}`; guests/src/table.rs lists them"
    );
    built::program(name).unwrap_or_else(|error| panic!("{error}"))
}

/// The name of the source that a program is made of: its own, but for those that are others at another level of optimisation.
#[must_use]
pub fn source(name: &str) -> &str {
    built::source(name).0
}

/// The binary of a program for one ISA. Panics as [`program`] does.
pub fn binary(name: &str, isa: Isa) -> PathBuf {
    let mut path = program(name).into_os_string();
    path.push("_");
    path.push(isa.binary_suffix());
    path.into()
}

/// The compiler driver, `kettle-cc`, of these sources: a command, because it links LLVM, which may not be in one program with Unicorn.
///
/// # Panics
///
/// If it cannot be built: the text is cargo's.
pub fn compiler() -> PathBuf {
    built::compiler().unwrap_or_else(|error| panic!("{error}"))
}
