//! The machine: vCPUs, memory, nodes, the cluster with its virtual-time engine, the event record, and what the `kettle` command does.
//!
//! Reading order: [`cluster`] is the engine, [`node`] is what a node is made of, [`record`] is what a run leaves behind, [`cli`] is the
//! command. The two modules that may hold `unsafe` are [`memory`] and [`vcpu`].
#![deny(unsafe_code)]

pub mod cli;
pub mod cluster;
pub mod config;
pub mod keep;
#[expect(
    unsafe_code,
    reason = "the physical memory arena is a mapping of the host that the vCPUs write to"
)]
pub mod memory;
pub mod node;
pub mod program;
pub mod record;
pub mod rootfs;
#[expect(
    unsafe_code,
    reason = "Unicorn is a C library, and its hooks are called from C"
)]
pub mod vcpu;
