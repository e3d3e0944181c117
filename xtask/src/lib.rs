//! Developer chores and house rules: what `cargo xtask` does, and the tidy checks that run as ordinary tests.
//!
//! * [`verbs`]: demo, test, setup, fuzz, soak, bench, doc, tidy, each a short table of steps;
//! * [`steps`]: one step: announce it, run a program, say how long it took, keep a quiet terminal alive;
//! * [`needs`]: what must be installed, how its presence is seen, how it is installed;
//! * [`tidy`]: the house rules that a program can check.
//!
//! It depends on the standard library alone, so that it compiles in a second on a machine that has Rust and nothing else.
//! It reads no LLVM and no Unicorn; the programs that need those are started as processes.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

pub mod needs;
pub mod steps;
pub mod tidy;
pub mod verbs;

/// The directory of the workspace, the parent of this crate's.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Cargo's target directory: the one that this program is in, which is not always `target`.
#[must_use]
pub fn target() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let marked = own.ancestors().find(|d| d.join("CACHEDIR.TAG").is_file());
    marked.map_or_else(|| root().join("target"), Path::to_path_buf)
}
