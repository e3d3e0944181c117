//! Threads that are created on a remote node: an extension. K52 creates a thread without a home, whose first fault hangs both nodes.
//!
//! The clone is forwarded to home like any other system call. Home makes the new thread's shadow, which begins its life serving, and
//! answers with its pid; then the guest starts the remote thread and pairs it as after a migration.

use std::rc::Rc;

use isa::{Errno, RegisterFile, VirtAddr};
use msglayer::Nid;

use super::one_life;
use super::pairing::pair_remote_task;
use super::shadow::{ShadowEnd, process_remote_works};
use super::worker::{home_of, new_remote_task};
use crate::config::Profile;
use crate::event::Event;
use crate::exec::ThreadClass;
use crate::ids::Pid;
use crate::kernel::{Halt, Kernel};
use crate::process::{self, CloneArgs, TaskSpec};
use crate::syscall::forward::{self, ForwardedCall};
use crate::task::{ExitStatus, Task};
use crate::user;

/// clone(2) of a remote thread. Returns the new thread's pid on this node. EAGAIN: this node or home has as many tasks as it may have.
///
/// The task is made first, so that nothing can fail any more once it has a shadow.
pub async fn clone_at_remote(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    args: CloneArgs,
) -> Result<u64, Errno> {
    if k.config.profile == Profile::K52 {
        k.halt(Halt::WouldHang(format!(
            "task {} creates a thread on a guest; its first fault goes to node -1",
            task.pid
        )));
        return Err(Errno::ENOSYS);
    }
    process::check_thread_clone(k, &args)?;
    let rc = task.remote().expect("a remote thread has its context");
    let worker = rc.remote_worker.borrow().clone().ok_or(Errno::EAGAIN)?;
    let clear_tid = process::clear_child_tid(&args).map_or(0, |addr| addr.0);
    let regs: RegisterFile = process::child_registers(k, task, &args);
    let child = new_remote_task(k, &rc, &worker, regs, Pid::NONE)?;
    let origin_pid =
        forward::call_home(k, task, ForwardedCall::Clone, [clear_tid, 0, 0, 0, 0, 0]).await;
    match origin_pid {
        Ok(pid) => child.popcorn.peer_pid.set(Pid(pid as i32)),
        Err(errno) => {
            process::discard_task(k, &child);
            return Err(errno);
        }
    }
    let mask = task.signals.blocked.get();
    child.signals.blocked.set(mask);
    child.signals.told.set((mask, 0));
    k.event(&Event::Clone {
        parent: task.pid,
        child: child.pid,
    });
    process::store_tids(k, task, &child, &args).await;
    pair_remote_task(k, &child, home_of(task));
    user::wake_up_new_task(k, &child);
    Ok(child.pid.0 as u64)
}

/// Home's part: a shadow for a thread that starts its life on node `guest`.
pub(crate) fn serve_remote_clone(
    k: &Rc<Kernel>,
    parent: &Rc<Task>,
    guest: Nid,
    clear_tid: u64,
) -> Result<u64, Errno> {
    let spec = TaskSpec {
        group: Some(Rc::clone(&parent.group)),
        comm: parent.comm.borrow().clone(),
        regs: RegisterFile::new(k.isa()),
        mm: Some(parent.mm()),
        files: Rc::clone(&parent.files),
        personality: parent.personality.get(),
    };
    let shadow = process::new_task(k, spec)?;
    one_life::shadow_begins(k, &shadow);
    *shadow.popcorn.remote.borrow_mut() = parent.remote();
    shadow.popcorn.peer_nid.set(Some(guest));
    shadow.signals.blocked.set(parent.signals.blocked.get());
    if clear_tid != 0 {
        shadow.clear_child_tid.set(Some(VirtAddr(clear_tid)));
    }
    k.event(&Event::Clone {
        parent: parent.pid,
        child: shadow.pid,
    });
    let (kernel, runner) = (Rc::clone(k), Rc::clone(&shadow));
    let name = format!("{}/{}", shadow.comm.borrow(), shadow.pid);
    let thread = k.exec.spawn(name, ThreadClass::User, async move {
        match process_remote_works(&kernel, &runner).await {
            ShadowEnd::Ended(status) => process::do_exit(&kernel, &runner, status).await,
            // Its registers are those it brought; popcorn_migrate returns 0 there.
            ShadowEnd::CameHome => {
                runner
                    .context
                    .borrow_mut()
                    .regs_mut()
                    .set_syscall_return(Ok(0));
                user::run_task(&kernel, &runner).await;
            }
            // Its twin was there before it was: only a confused guest says so.
            ShadowEnd::Refused(_) => {
                process::do_exit(&kernel, &runner, ExitStatus::Exited(0)).await
            }
        }
    });
    shadow.thread.set(Some(thread));
    Ok(shadow.pid.0 as u64)
}
