//! Making a task: the part of `copy_process` (kernel/fork.c) that threads, processes and remote workers have in common.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use isa::{Errno, RegisterFile};

use crate::cpu::UserContext;
use crate::fs::FileTable;
use crate::ids::Tgid;
use crate::kernel::Kernel;
use crate::mm::Mm;
use crate::signal::{GroupSignals, SignalState};
use crate::task::{PopcornFields, Task, ThreadGroup};

/// What a new task is made of.
pub struct TaskSpec {
    /// Its group; `None` makes it the leader of a new one.
    pub group: Option<Rc<ThreadGroup>>,
    /// Its name; cut to 15 bytes.
    pub comm: String,
    /// Its registers.
    pub regs: RegisterFile,
    /// Its address space, of which it becomes a user.
    pub mm: Option<Rc<Mm>>,
    /// Its open files.
    pub files: Rc<FileTable>,
    /// personality(2).
    pub personality: u32,
}

/// Makes a task and registers it; it does not run yet. EAGAIN: the node has as many tasks as it may. A task of a group that is ending ends
/// before it reaches user mode.
pub fn new_task(k: &Kernel, spec: TaskSpec) -> Result<Rc<Task>, Errno> {
    if k.tasks.borrow().len() >= k.config.max_tasks {
        return Err(Errno::EAGAIN);
    }
    let pid = k.alloc_pid().ok_or(Errno::EAGAIN)?;
    let group = spec.group.unwrap_or_else(|| {
        Rc::new(ThreadGroup {
            tgid: Tgid(pid.0),
            threads: RefCell::new(BTreeMap::new()),
            group_exit: Cell::new(None),
            leader_exit: Cell::new(None),
            signals: GroupSignals::default(),
        })
    });
    if let Some(mm) = &spec.mm {
        mm.users.set(mm.users.get() + 1);
    }
    let task = Rc::new(Task {
        pid,
        group: Rc::clone(&group),
        comm: RefCell::new(cut(spec.comm)),
        thread: Cell::new(None),
        context: RefCell::new(UserContext::new(k.alloc_id(), spec.regs)),
        loaded_on: Cell::new(None),
        mm: RefCell::new(spec.mm),
        files: spec.files,
        personality: Cell::new(spec.personality),
        clear_child_tid: Cell::new(None),
        robust_list: Cell::new(None),
        signals: SignalState::default(),
        fatal_signal: Cell::new(None),
        popcorn: PopcornFields::default(),
        exited: Cell::new(None),
    });
    group.threads.borrow_mut().insert(pid, Rc::clone(&task));
    k.tasks.borrow_mut().insert(pid, Rc::clone(&task));
    Ok(task)
}

/// Takes back a task that has never run: what it was made for has failed elsewhere.
pub(crate) fn discard_task(k: &Kernel, task: &Task) {
    if let Some(mm) = task.mm.take() {
        mm.users.set(mm.users.get() - 1);
    }
    task.group.threads.borrow_mut().remove(&task.pid);
    k.tasks.borrow_mut().remove(&task.pid);
}

/// TASK_COMM_LEN without its zero byte.
fn cut(mut comm: String) -> String {
    while comm.len() > 15 {
        comm.pop();
    }
    comm
}
