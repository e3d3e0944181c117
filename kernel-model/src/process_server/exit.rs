//! What the end of a task means for the rest of a distributed process (`process_server_task_exit`, called before the mm is dropped).

use std::rc::Rc;

use msglayer::Nid;
use msglayer::messages::{OriginTaskExit, RemoteTaskExit};
use zerocopy::FromZeros;

use crate::ids::Pid;
use crate::kernel::Kernel;
use crate::kmsg::pcn_kmsg_send;
use crate::remote_context::RemoteContext;
use crate::task::{ExitStatus, Task};

/// The hook in exit_mm. A parked thread and a worker say nothing; a remote thread tells its shadow; the last thread at home tells every node.
pub async fn process_server_task_exit(k: &Rc<Kernel>, task: &Rc<Task>, status: ExitStatus) {
    let mm = task.mm.borrow().clone();
    let Some((mm, rc)) = mm.and_then(|mm| mm.remote().map(|rc| (mm, rc))) else {
        return;
    };
    if task.popcorn.is_worker.get() {
        return;
    }
    if task.popcorn.at_remote.get() {
        exit_remote_task(k, task, &rc, status);
    } else {
        *task.popcorn.remote.borrow_mut() = None;
        if mm.users.get() == 1 {
            exit_origin_task(k, task, &rc, status);
        }
    }
}

/// `__exit_remote_task`.
fn exit_remote_task(k: &Rc<Kernel>, task: &Task, rc: &RemoteContext, status: ExitStatus) {
    if task.popcorn.parked.get() || rc.stop_remote_worker.get() {
        return;
    }
    let Some(home) = task.popcorn.peer_nid.get() else {
        return;
    };
    send_exit_remote(
        k,
        home,
        task.popcorn.peer_pid.get(),
        task.pid,
        status.code(),
    );
}

/// Sends TASK_EXIT_REMOTE; see the shadow's side for the pid -1 of the extension.
pub(super) fn send_exit_remote(
    k: &Rc<Kernel>,
    home: Nid,
    origin_pid: Pid,
    remote_pid: Pid,
    code: i32,
) {
    let mut request = RemoteTaskExit::new_zeroed();
    request.origin_pid.set(origin_pid.0);
    request.remote_pid.set(remote_pid.0);
    request.exit_code.set(code);
    pcn_kmsg_send(k, home, request);
}

/// `__exit_origin_task`: the process is over; every node that has a worker of it is told.
fn exit_origin_task(k: &Rc<Kernel>, task: &Task, rc: &Rc<RemoteContext>, status: ExitStatus) {
    for nid in Nid::all().filter(|nid| *nid != k.nid()) {
        let Some(worker) = rc.remote_tgid(nid) else {
            continue;
        };
        let mut request = OriginTaskExit::new_zeroed();
        request.origin_pid.set(task.pid.0);
        request.remote_pid.set(worker.0);
        request.exit_code.set(status.code());
        pcn_kmsg_send(k, nid, request);
    }
    k.remote_contexts[0]
        .borrow_mut()
        .retain(|other| !Rc::ptr_eq(other, rc));
}
