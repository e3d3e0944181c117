//! A cluster of modelled kernels without an emulator: scripted CPUs, memory in vectors, programs made of a few bytes, and a tiny engine.
//!
//! A test writes a program as a list of [`Op`]s, boots a [`Cluster`] of nodes of any ISA, runs it, and looks at what was recorded.

pub mod cluster;
pub mod cpu;
pub mod image;
pub mod record;
pub mod script;
pub mod wire;

pub use cluster::{Cluster, Draws, Horizon, Outcome, Setup};
pub use record::What;
pub use script::{Op, Val};
