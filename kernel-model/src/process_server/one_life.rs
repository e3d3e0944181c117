//! `one-life`: of a thread and its twins, one can be in user mode.
//!
//! A shadow begins when its thread goes, or is created, elsewhere, and ends when the thread is back, has ended, or was not taken; both ends are held
//! against what the task knows of its twin. [`check_one_life`] compares what all nodes hold, between any two actions of a run.

use std::collections::BTreeMap;
use std::rc::Rc;

use msglayer::Nid;

use crate::config::Profile;
use crate::ids::Pid;
use crate::kernel::Kernel;
use crate::task::Task;

/// Panics if the thread has a twin already, or is one. Under K52 it may: that lets a shadow go on whose twin is somewhere.
pub(super) fn shadow_begins(k: &Kernel, task: &Task) {
    let popcorn = &task.popcorn;
    assert!(
        k.config.profile == Profile::K52
            || !popcorn.at_remote.get()
                && popcorn.remote.borrow().is_none()
                && popcorn.peer_nid.get().is_none()
                && popcorn.peer_pid.get() == Pid::NONE,
        "one-life: task {} is to become a shadow, but has a twin: {}",
        task.pid,
        twin_of(task)
    );
}

/// Panics if the task is no shadow, or its thread is between two other nodes.
pub(super) fn shadow_ends(task: &Task) {
    assert!(
        task.is_away() && task.popcorn.hop.get().is_none(),
        "one-life: task {} is to go on as a thread, but its twin may: {}, {:?}",
        task.pid,
        twin_of(task),
        task.popcorn.hop.get()
    );
}

fn twin_of(task: &Task) -> String {
    let (nid, pid) = (task.popcorn.peer_nid.get(), task.popcorn.peer_pid.get());
    format!("pid {pid} on node {nid:?}")
}

/// A thread that could be in user mode more than once: the sentence that says so.
pub fn check_one_life(kernels: &[Rc<Kernel>]) -> Result<(), String> {
    let mut twins: BTreeMap<(Nid, Pid), (Nid, Pid)> = BTreeMap::new();
    for k in kernels {
        for task in k.tasks.borrow().values() {
            let popcorn = &task.popcorn;
            let origin = (popcorn.peer_nid.get(), popcorn.peer_pid.get());
            let ((Some(home), pid), true) = (origin, lives_here(task)) else {
                continue;
            };
            let here = (k.nid(), task.pid);
            if pid != Pid::NONE
                && let Some(other) = twins.insert((home, pid), here)
            {
                return Err(format!(
                    "one-life: thread {pid} of node {home} runs as {here:?} and as {other:?} (node, pid)"
                ));
            }
        }
    }
    for k in kernels {
        for task in k.tasks.borrow().values() {
            let twin = twins.get(&(k.nid(), task.pid));
            if let Some(twin) = twin.filter(|_| !task.popcorn.at_remote.get() && !task.is_away()) {
                return Err(format!(
                    "one-life: thread {} of node {} is at home, and runs as {twin:?} (node, pid)",
                    task.pid,
                    k.nid()
                ));
            }
        }
    }
    Ok(())
}

/// Whether a task is a remote thread that may be in user mode.
fn lives_here(task: &Task) -> bool {
    let popcorn = &task.popcorn;
    let is_twin = popcorn.at_remote.get() && !popcorn.is_worker.get();
    is_twin && !popcorn.parked.get() && task.exited.get().is_none() && !task.is_dying()
}
