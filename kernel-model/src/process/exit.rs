//! The end of threads and processes: `do_exit`, `do_group_exit`, `exit_mm` (kernel/exit.c, kernel/fork.c). Left out: wait, zombies, core
//! dumps.

use std::rc::Rc;

use isa::VirtAddr;

use crate::event::Event;
use crate::futex::{self, FutexCall};
use crate::kernel::Kernel;
use crate::mm::{copy_to_user, exit_mmap, write_back_all};
use crate::process_server::process_server_task_exit;
use crate::signal;
use crate::task::{ExitStatus, Task};

/// Ends a task: address space, registers, registration. Returns at once when it has ended already.
pub async fn do_exit(k: &Rc<Kernel>, task: &Rc<Task>, status: ExitStatus) {
    if task.exited.get().is_some() {
        return;
    }
    exit_mm(k, task, status).await;
    k.sync_context(task);
    task.exited.set(Some(status));
    task.group.threads.borrow_mut().remove(&task.pid);
    signal::thread_ended(k, task);
    if task.pid.0 == task.tgid().0 {
        task.group.leader_exit.set(Some(status));
    }
    k.tasks.borrow_mut().remove(&task.pid);
    k.event(&Event::Exit {
        pid: task.pid,
        code: status.code(),
    });
}

/// Ends the whole group with one status: the first one counts. The caller and every sibling end before they return to user mode; those
/// that sleep interruptibly are woken, those that wait for another node end when it has answered.
pub fn do_group_exit(k: &Rc<Kernel>, task: &Rc<Task>, status: ExitStatus) {
    if task.group.group_exit.get().is_some() {
        return;
    }
    task.group.group_exit.set(Some(status));
    for sibling in task.group.threads.borrow().values() {
        if let Some(thread) = sibling.thread.get().filter(|_| sibling.pid != task.pid) {
            k.exec.interrupt(thread);
        }
    }
}

/// `exit_mm`: the last stores and wakes of a thread (`mm_release`), Popcorn's hook, then the address space is let go.
///
/// The stores come before the hook: they may need a page that another node has, and after the hook a remote thread has no shadow to ask.
async fn exit_mm(k: &Rc<Kernel>, task: &Rc<Task>, status: ExitStatus) {
    let Some(mm) = task.mm.borrow().clone() else {
        return;
    };
    if let Some(head) = task.robust_list.take()
        && !task.popcorn.parked.get()
    {
        futex::exit_robust_list(k, task, head).await;
    }
    if let Some(addr) = task.clear_child_tid.take()
        && mm.users.get() > 1
        && !task.popcorn.parked.get()
    {
        mm_release(k, task, addr).await;
    }
    if mm.users.get() == 1 && !task.popcorn.at_remote.get() {
        write_back_all(k, task).await;
    }
    process_server_task_exit(k, task, status).await;
    *task.mm.borrow_mut() = None;
    mm.users.set(mm.users.get() - 1);
    if mm.users.get() == 0 {
        exit_mmap(k, &mm);
    }
}

/// Clears the tid word and wakes one waiter: those of a distributed process wait at home. Errors are nobody's business any more.
async fn mm_release(k: &Rc<Kernel>, task: &Rc<Task>, addr: VirtAddr) {
    if copy_to_user(k, task, addr, &[0; 4]).await.is_err() {
        return;
    }
    if task.popcorn.at_remote.get() {
        let wake = FutexCall::wake_one(addr);
        let _ = futex::process_server_do_futex_remote(k, task, wake).await;
    } else {
        futex::wake_address(k, &task.mm(), addr, 1);
    }
}
