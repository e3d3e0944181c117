//! Whole runs: real guest programs, built for both ISAs by kettle-cc, on emulated clusters, in this process and through the `kettle` command.
//!
//! The measure of what a program prints is what it prints on this host and under qemu-user ([`native`]).

mod cli;
mod cluster_files;
mod clusters;
mod determinism;
mod freed;
mod golden;
mod in_process;
mod kettle;
mod matrix;
mod native;
mod npb_ep;
mod plain;
mod plain_signals;
mod points;
mod poison;
mod refusals;
mod start_up;
mod trap_loops;
