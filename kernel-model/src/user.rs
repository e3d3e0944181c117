//! The life of a user task: user mode until it traps, the trap, and again, until it ends.

use std::rc::Rc;

use isa::disasm::Disassembler;
use isa::layout::Siginfo;
use isa::layout::signal_frame::FaultContext;
use isa::{Isa, PAGE_SIZE, VirtAddr};

use crate::cpu::{Access, CpuExit};
use crate::exec::ThreadClass;
use crate::kernel::Kernel;
use crate::page_server;
use crate::process::do_exit;
use crate::signal::{self, Signal};
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
        signal::deliver(k, task).await;
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
                    bad_area(k, task, signal, addr, access).await;
                }
            }
            trap => raise(k, task, trap),
        }
    }
}

/// `user_mode(task)`: guest code until it traps or has to end. Each quantum is a poll of its own, and a quantum goes on over traps: a task that is
/// back from one gives way here when it has used its quantum up, as on Linux where the way back to user mode looks at `TIF_NEED_RESCHED`.
async fn user_mode(k: &Rc<Kernel>, task: &Rc<Task>) -> CpuExit {
    let mm = task.mm();
    loop {
        // A kernel that has hit BUG runs nobody's code any more.
        while k.halted().is_some() {
            k.exec.schedule().await;
        }
        let budget = k.quantum_left();
        if budget == 0 {
            k.exec.end_quantum().await;
            if signal::signal_pending(task) {
                return CpuExit::Budget;
            }
            continue;
        }
        let exit = k.run_quantum(task, &mm, budget);
        if exit != CpuExit::Budget {
            return exit;
        }
    }
}

/// The signal of a page fault that cannot be resolved (`bad_area`).
async fn bad_area(k: &Rc<Kernel>, task: &Rc<Task>, signal: Signal, page: VirtAddr, access: Access) {
    let addr = exact(k, task, page, access).await;
    let present = task.mm().vmas.borrow().covering(addr).is_some();
    let code = match (signal, present) {
        (Signal::SIGBUS, _) => Siginfo::BUS_ADRERR,
        (Signal::SIGSEGV, true) => Siginfo::SEGV_ACCERR,
        (Signal::SIGSEGV, false) => Siginfo::SEGV_MAPERR,
        _ => Siginfo::SI_KERNEL,
    };
    let fault = FaultContext {
        addr,
        write: access == Access::Write,
        fetch: access == Access::Fetch,
        present,
    };
    page_server::note_foreign_code(k, task);
    let info = Siginfo::fault(signal.0, code, addr);
    signal::force_fault(k, task, info, Some(fault));
}

/// The address of a fault of which the CPU has told the page (see [`CpuExit::PageFault`]): the instruction's operands say the rest.
async fn exact(k: &Rc<Kernel>, task: &Rc<Task>, page: VirtAddr, access: Access) -> VirtAddr {
    if access == Access::Fetch || !page.is_page_aligned() {
        return page;
    }
    let regs = task.context.borrow().regs().clone();
    let mut code = [0; LONGEST_INSTRUCTION];
    let in_page = (PAGE_SIZE - regs.pc().page_offset()) as usize;
    for len in [code.len(), in_page.min(code.len())] {
        if mm::copy_from_user(k, task, regs.pc(), &mut code[..len])
            .await
            .is_ok()
        {
            let accesses = Disassembler::new(k.isa()).map(|d| d.accesses(&regs, &code[..len]));
            let inside = |addr: &VirtAddr| addr.page_align_down() == page;
            return accesses
                .unwrap_or_default()
                .into_iter()
                .find(inside)
                .unwrap_or(page);
        }
    }
    page
}

/// x86_64's, in bytes.
const LONGEST_INSTRUCTION: usize = 15;

/// The signal of an instruction that cannot be executed, with what Linux says of it on this ISA.
fn raise(k: &Rc<Kernel>, task: &Rc<Task>, trap: CpuExit) {
    let pc = task.context.borrow().regs().pc();
    let x86 = k.isa() == Isa::X86_64;
    let (signal, code, addr) = match trap {
        CpuExit::IllegalInstruction if x86 => (Signal::SIGILL, Siginfo::ILL_ILLOPN, pc),
        CpuExit::Breakpoint if x86 => (Signal::SIGTRAP, Siginfo::SI_KERNEL, VirtAddr(0)),
        CpuExit::Breakpoint => (Signal::SIGTRAP, Siginfo::TRAP_BRKPT, pc),
        CpuExit::DivideError => (Signal::SIGFPE, Siginfo::FPE_INTDIV, pc),
        CpuExit::AlignmentFault => (Signal::SIGBUS, Siginfo::BUS_ADRALN, pc),
        CpuExit::GeneralProtection => (Signal::SIGSEGV, Siginfo::SI_KERNEL, VirtAddr(0)),
        _ => (Signal::SIGILL, Siginfo::ILL_ILLOPC, pc),
    };
    page_server::note_foreign_code(k, task);
    signal::force_fault(k, task, Siginfo::fault(signal.0, code, addr), None);
}

/// How a task that has to end before it returns to user mode will end.
pub(crate) fn pending_end(task: &Task) -> Option<ExitStatus> {
    task.group
        .group_exit
        .get()
        .or(task.fatal_signal.get().map(ExitStatus::Signaled))
}
