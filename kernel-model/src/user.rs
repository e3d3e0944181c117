//! The life of a user task: user mode until it traps, the trap, and again, until it ends.

use std::rc::Rc;

use crate::cpu::CpuExit;
use crate::exec::ThreadClass;
use crate::kernel::Kernel;
use crate::process::{do_exit, do_group_exit};
use crate::signal::Signal;
use crate::syscall;
use crate::task::{ExitStatus, Task};
use crate::{costs::Cost, mm};

/// Puts a complete task on a run queue: from now on it runs.
pub fn wake_up_new_task(k: &Rc<Kernel>, task: &Rc<Task>) {
    let (kernel, runner) = (Rc::clone(k), Rc::clone(task));
    let name = format!("{}/{}", task.comm.borrow(), task.pid);
    let thread = k.exec.spawn(name, ThreadClass::User, async move {
        run_task(&kernel, &runner).await
    });
    task.thread.set(Some(thread));
}

/// Runs a task from its present registers to its end.
pub async fn run_task(k: &Rc<Kernel>, task: &Rc<Task>) {
    while task.exited.get().is_none() {
        if let Some(status) = pending_end(task) {
            do_exit(k, task, status).await;
            return;
        }
        match user_mode(k, task).await {
            CpuExit::Budget => {}
            CpuExit::Syscall => {
                if let Some(status) = syscall::enter(k, task).await {
                    do_exit(k, task, status).await;
                    return;
                }
            }
            CpuExit::PageFault { addr, access } => {
                k.charge(Cost::PageFault);
                if let Err(signal) = mm::do_user_addr_fault(k, task, addr, access).await {
                    die(k, task, signal);
                }
            }
            CpuExit::IllegalInstruction => die(k, task, Signal::SIGILL),
            CpuExit::Breakpoint => die(k, task, Signal::SIGTRAP),
            CpuExit::DivideError => die(k, task, Signal::SIGFPE),
            CpuExit::AlignmentFault => die(k, task, Signal::SIGBUS),
            CpuExit::GeneralProtection => die(k, task, Signal::SIGSEGV),
        }
    }
}

/// `user_mode(task)`: guest code, quantum after quantum, until it traps or has to end.
async fn user_mode(k: &Rc<Kernel>, task: &Rc<Task>) -> CpuExit {
    let mm = task.mm();
    loop {
        // A kernel that has hit BUG runs nobody's code any more.
        while k.halted().is_some() {
            k.exec.schedule().await;
        }
        let exit = k.run_quantum(task, &mm);
        if exit != CpuExit::Budget || task.is_dying() {
            return exit;
        }
        k.exec.end_quantum().await;
        if task.is_dying() {
            return CpuExit::Budget;
        }
    }
}

/// A fatal signal ends the whole thread group, as the default action does.
fn die(k: &Rc<Kernel>, task: &Rc<Task>, signal: Signal) {
    k.event(&crate::event::Event::Signal {
        pid: task.pid,
        signal: signal.0,
    });
    do_group_exit(k, task, ExitStatus::Signaled(signal));
}

/// How a task that has to end before it returns to user mode will end.
pub(crate) fn pending_end(task: &Task) -> Option<ExitStatus> {
    task.group
        .group_exit
        .get()
        .or(task.fatal_signal.get().map(ExitStatus::Signaled))
}
