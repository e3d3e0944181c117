//! The modelled Popcorn Linux kernel of one node: tasks, scheduler, memory, the process, page and VMA servers, futexes, system calls.
//!
//! The crate knows no emulator: a [`Cpu`] runs user code until it traps, and everything else is here, as sequential async functions on a
//! deterministic executor in virtual time. Functions that Popcorn has bear Popcorn's names; the model is K52, the 5.2.21 port.
//!
//! Where to start reading: [`user::run_task`] is the life of a task, [`process_server`] is a migration from both ends, [`page_server`]
//! is the distributed shared memory.
#![forbid(unsafe_code)]

pub mod config;
pub mod costs;
mod cpu;
pub mod event;
pub mod exec;
pub mod fs;
pub mod futex;
mod ids;
mod kernel;
pub mod kmsg;
pub mod mm;
pub mod page_server;
pub mod process;
pub mod process_server;
pub mod random;
pub mod remote_context;
pub mod signal;
pub mod syscall;
pub mod task;
pub mod user;
pub mod vma_server;

pub use config::{NodeConfig, Profile};
pub use cpu::{Access, Cpu, CpuExit, Mmu, PhysMemory, RunResult, Translation, UserContext};
pub use event::{Event, EventSink};
pub use ids::{CpuId, Pid, Tgid, ThreadId};
pub use kernel::{Halt, Hardware, Kernel};
