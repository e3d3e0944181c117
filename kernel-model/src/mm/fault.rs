//! Page faults, from the trap to the page: `do_user_addr_fault` (arch/x86/mm/fault.c) and its twin for the kernel's own accesses.
//!
//! Popcorn's two hooks are where K52 has them: a remote thread without an area asks home for it (vma_server), and every fault of a
//! distributed process goes through the page server before the ordinary path. Left out: signal information (si_addr), vsyscall pages.

use std::rc::Rc;

use isa::{Errno, PAGE_SIZE, VirtAddr};

use super::{Mm, VmFault, VmFlags, Vma, fault_in_local};
use crate::cpu::Access;
use crate::event::Event;
use crate::kernel::Kernel;
use crate::signal::Signal;
use crate::task::Task;
use crate::{page_server, vma_server};

/// RLIMIT_STACK's usual soft limit: how far a stack may grow, in bytes.
pub const STACK_LIMIT: u64 = 8 << 20;
/// What is kept free below a growing stack, in bytes. Linux keeps 256 pages; one is enough for programs without stack clash attacks.
const STACK_GUARD_GAP: u64 = PAGE_SIZE;

/// A fault in user mode. An error is the signal that the task has to get.
pub async fn do_user_addr_fault(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    addr: VirtAddr,
    access: Access,
) -> Result<(), Signal> {
    let result = resolve(k, task, addr, access, Task::is_dying).await;
    match result {
        _ if result.is_empty() || result == VmFault::RETRY => Ok(()),
        _ if result.contains(VmFault::OOM) => {
            k.log(&format!(
                "node {} is out of memory: process {} ({}) is killed",
                k.nid(),
                task.tgid(),
                task.comm.borrow()
            ));
            Err(Signal::SIGKILL)
        }
        _ if result.contains(VmFault::SIGBUS) => Err(Signal::SIGBUS),
        _ => Err(Signal::SIGSEGV),
    }
}

/// A fault that the kernel takes on a user address, on the task's behalf. EFAULT where the task may not go, ENOMEM without a free frame.
pub async fn fixup_user_fault(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    addr: VirtAddr,
    access: Access,
) -> Result<(), Errno> {
    // A dying task goes on: the last store of a thread (clear_child_tid) comes here.
    let result = resolve(k, task, addr, access, |_| false).await;
    match result {
        _ if result.is_empty() => Ok(()),
        _ if result.contains(VmFault::OOM) => Err(Errno::ENOMEM),
        _ => Err(Errno::EFAULT),
    }
}

/// Faults until the page is there or cannot be had; `RETRY` is left over only when `give_up` says so.
async fn resolve(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    addr: VirtAddr,
    access: Access,
    give_up: impl Fn(&Task) -> bool,
) -> VmFault {
    loop {
        let result = attempt(k, task, addr, access).await;
        let pc = task.context.borrow().regs().pc();
        k.event(&Event::PageFault {
            pid: task.pid,
            pc,
            addr,
            access,
            result: result.bits(),
        });
        if result != VmFault::RETRY || give_up(task) {
            return result;
        }
        page_server::back_off(k, task).await;
    }
}

/// One pass: area, permission, page.
async fn attempt(k: &Rc<Kernel>, task: &Rc<Task>, addr: VirtAddr, access: Access) -> VmFault {
    let mm = task.mm();
    if addr >= mm.layout.get().task_size {
        return VmFault::SIGSEGV;
    }
    let guard = mm.mmap_sem.read(&k.exec, "mmap_sem").await;
    let found = mm.vmas.borrow().covering(addr).cloned();
    let (guard, vma) = match found {
        Some(vma) => (guard, vma),
        None if task.popcorn.at_remote.get() => {
            drop(guard);
            if vma_server::vma_server_fetch_vma(k, task, addr)
                .await
                .is_err()
            {
                return VmFault::SIGSEGV;
            }
            let guard = mm.mmap_sem.read(&k.exec, "mmap_sem").await;
            let fetched = mm.vmas.borrow().covering(addr).cloned();
            match fetched {
                Some(vma) => (guard, vma),
                None => return VmFault::SIGSEGV,
            }
        }
        None => match expand_stack(&mm, addr) {
            Ok(vma) => (guard, vma),
            Err(result) => return result,
        },
    };
    if !allows(&vma, access) {
        return VmFault::SIGSEGV;
    }
    let result = handle_mm_fault(k, task, &mm, &vma, addr, access).await;
    drop(guard);
    result
}

/// `handle_pte_fault` with Popcorn's hook in front.
async fn handle_mm_fault(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    mm: &Rc<Mm>,
    vma: &Vma,
    addr: VirtAddr,
    access: Access,
) -> VmFault {
    if mm.is_distributed() {
        let result =
            page_server::page_server_handle_pte_fault(k, task, mm, vma, addr, access).await;
        if result != VmFault::CONTINUE {
            return result;
        }
    }
    match fault_in_local(k, mm, vma, addr, access == Access::Write) {
        Ok(_) => VmFault::empty(),
        Err(result) => result,
    }
}

/// `access_error`, turned round. As on both ISAs, whatever may be written or fetched may be read.
fn allows(vma: &Vma, access: Access) -> bool {
    vma.flags.intersects(match access {
        Access::Read => VmFlags::READ | VmFlags::WRITE | VmFlags::EXEC,
        Access::Write => VmFlags::WRITE,
        Access::Fetch => VmFlags::EXEC,
    })
}

/// Lets the stack above `addr` grow down to it; returns its area. `SIGSEGV` when there is none, when it would pass its limit or come too
/// close to its neighbour.
pub fn expand_stack(mm: &Mm, addr: VirtAddr) -> Result<Vma, VmFault> {
    let page = addr.page_align_down();
    let mut vmas = mm.vmas.borrow_mut();
    let stack = vmas.find(page).cloned().ok_or(VmFault::SIGSEGV)?;
    if stack.contains(page) {
        return Ok(stack);
    }
    let gap = page.checked_sub(STACK_GUARD_GAP).ok_or(VmFault::SIGSEGV)?;
    let has_room = !vmas.overlaps(gap, page);
    if !stack.flags.contains(VmFlags::GROWSDOWN) || stack.end.0 - page.0 > STACK_LIMIT || !has_room
    {
        return Err(VmFault::SIGSEGV);
    }
    vmas.grow_down(stack.start, page);
    vmas.covering(page).cloned().ok_or(VmFault::SIGSEGV)
}
