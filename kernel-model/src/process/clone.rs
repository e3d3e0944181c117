//! clone(2) for threads (kernel/fork.c). Other shapes need fork, which is left out: they are refused with ENOSYS and a sentence.

use std::rc::Rc;

use isa::layout::{CloneArgs, CloneFlags};
use isa::{Errno, RegisterFile, VirtAddr};

use super::{TaskSpec, new_task};
use crate::costs::Cost;
use crate::event::Event;
use crate::kernel::Kernel;
use crate::mm::copy_to_user;
use crate::task::Task;
use crate::{process_server, user};

/// Creates a thread; returns its pid. At a guest, home has a part in it (an extension; see `process_server::clone_at_remote`).
///
/// EINVAL: flags that exclude each other; ENOSYS: not a thread; EAGAIN: too many tasks.
pub async fn sys_clone(k: &Rc<Kernel>, task: &Rc<Task>, args: CloneArgs) -> Result<u64, Errno> {
    if task.popcorn.at_remote.get() {
        return process_server::clone_at_remote(k, task, args).await;
    }
    check_thread_clone(k, &args)?;
    k.charge(Cost::CloneThread);
    let spec = TaskSpec {
        group: Some(Rc::clone(&task.group)),
        comm: task.comm.borrow().clone(),
        regs: child_registers(k, task, &args),
        mm: Some(task.mm()),
        files: Rc::clone(&task.files),
        personality: task.personality.get(),
    };
    let child = new_task(k, spec)?;
    child.signals.blocked.set(task.signals.blocked.get());
    child.clear_child_tid.set(clear_child_tid(&args));
    store_tids(k, task, &child, &args).await;
    k.event(&Event::Clone {
        parent: task.pid,
        child: child.pid,
    });
    user::wake_up_new_task(k, &child);
    Ok(child.pid.0.unsigned_abs().into())
}

/// Whether the arguments ask for a thread. EINVAL where Linux says so, ENOSYS (and a sentence in the log) for everything else.
pub fn check_thread_clone(k: &Kernel, args: &CloneArgs) -> Result<(), Errno> {
    let flags = args.flags;
    let needs = [
        (CloneFlags::NEWNS, CloneFlags::FS, false),
        (CloneFlags::NEWUSER, CloneFlags::FS, false),
        (CloneFlags::THREAD, CloneFlags::SIGHAND, true),
        (CloneFlags::SIGHAND, CloneFlags::VM, true),
    ];
    if needs
        .into_iter()
        .any(|(if_set, other, wanted)| flags.contains(if_set) && flags.contains(other) != wanted)
    {
        return Err(Errno::EINVAL);
    }
    let thread = CloneFlags::VM | CloneFlags::SIGHAND | CloneFlags::THREAD;
    let namespaces = CloneFlags::NEWNS
        | CloneFlags::NEWCGROUP
        | CloneFlags::NEWUTS
        | CloneFlags::NEWIPC
        | CloneFlags::NEWUSER
        | CloneFlags::NEWPID
        | CloneFlags::NEWNET
        | CloneFlags::PIDFD;
    if flags.contains(thread) && !flags.intersects(namespaces) {
        return Ok(());
    }
    k.log(&format!("clone with flags {:#x} was refused: only threads (CLONE_VM|CLONE_SIGHAND|CLONE_THREAD) are modelled", flags.bits()));
    Err(Errno::ENOSYS)
}

/// The child's registers: the caller's, with result 0, its own stack and its own thread pointer.
pub fn child_registers(k: &Kernel, task: &Task, args: &CloneArgs) -> RegisterFile {
    k.sync_context(task);
    let mut regs = task.context.borrow().regs().clone();
    regs.set_syscall_return(Ok(0));
    if args.stack.0 != 0 {
        regs.set_sp(args.stack);
    }
    if args.flags.contains(CloneFlags::SETTLS) {
        regs.set_tls(args.tls);
    }
    regs
}

/// CLONE_CHILD_CLEARTID: which word is cleared and woken when the child ends.
pub fn clear_child_tid(args: &CloneArgs) -> Option<VirtAddr> {
    args.flags
        .contains(CloneFlags::CHILD_CLEARTID)
        .then_some(args.child_tid)
}

/// CLONE_PARENT_SETTID and CLONE_CHILD_SETTID: both are stores into the memory that parent and child share. As in Linux, a tid that cannot be stored
/// does not undo the thread.
pub async fn store_tids(k: &Rc<Kernel>, task: &Rc<Task>, child: &Task, args: &CloneArgs) {
    let tid = child.pid.0.to_le_bytes();
    for (flag, at) in [
        (CloneFlags::PARENT_SETTID, args.parent_tid),
        (CloneFlags::CHILD_SETTID, args.child_tid),
    ] {
        if args.flags.contains(flag) {
            let _ = copy_to_user(k, task, at, &tid).await;
        }
    }
}
