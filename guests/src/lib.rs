//! The guest programs, built from C source (`guests/programs`) by kettle-cc, by name.
//!
//! Building this crate builds every program, for both ISAs, with kettle-cc and its C library. Tests, demos and benches ask
//! here for the path. What the programs are is a table, [`all`]: what each is for, what it exits with, and which of their properties a
//! test must know. Most take a plan as their first argument: [`PLANS`].
#![forbid(unsafe_code)]

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
/// If there is no such program: the caller has misspelt a name that is in its own source.
pub fn program(name: &str) -> PathBuf {
    let known = all().iter().any(|p| p.name == name);
    assert!(
        known,
        "there is no guest program `{name}`; guests/src/table.rs lists them"
    );
    directory().join(name)
}

/// The binary of a program for one ISA. Panics as [`program`] does.
pub fn binary(name: &str, isa: Isa) -> PathBuf {
    let mut path = program(name).into_os_string();
    path.push("_");
    path.push(isa.binary_suffix());
    path.into()
}

/// Where all binaries are: a root directory for a cluster that runs them by name.
pub fn directory() -> PathBuf {
    PathBuf::from(concat!(env!("OUT_DIR"), "/programs"))
}
