//! Processes and threads from their first to their last moment: exec, clone, exit. Models `fs/exec.c`, `fs/binfmt_elf.c`, `kernel/fork.c`
//! and `kernel/exit.c` of Linux 5.2.
//!
//! Left out: fork (a process begins only by [`start_process`]), execve, wait: a cluster runs the programs that its user starts.

mod clone;
mod exec;
mod exit;
mod stack;
mod task_new;

pub use clone::{check_thread_clone, child_registers, clear_child_tid, store_tids, sys_clone};
pub use exec::{ExecError, start_process};
pub use exit::{do_exit, do_group_exit};
pub use isa::layout::CloneArgs;
pub use stack::ProgramInfo;
pub(crate) use task_new::discard_task;
pub use task_new::{TaskSpec, new_task};
