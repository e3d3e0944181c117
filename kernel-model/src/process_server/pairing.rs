//! TASK_PAIRING: the remote thread tells its shadow who it is.

use std::rc::Rc;

use msglayer::messages::RemoteTaskPairing;
use msglayer::{Envelope, Nid};
use zerocopy::FromZeros;

use super::shadow::answer_hop;
use crate::config::Profile;
use crate::ids::Pid;
use crate::kernel::Kernel;
use crate::kmsg::{parse, pcn_kmsg_send};
use crate::signal;
use crate::task::Task;

/// `__pair_remote_task`: sent by a new remote thread just before it enters user mode.
pub(super) fn pair_remote_task(k: &Rc<Kernel>, task: &Task, home: Nid) {
    let mut request = RemoteTaskPairing::new_zeroed();
    request.my_tgid.set(task.tgid().0);
    request.my_pid.set(task.pid.0);
    request.your_pid.set(task.popcorn.peer_pid.get().0);
    pcn_kmsg_send(k, home, request);
}

/// `handle_task_pairing`: from now on the shadow knows its twin, and the process its worker on that node. An unknown pid is dropped.
pub fn handle_task_pairing(k: &Rc<Kernel>, envelope: Envelope) {
    let Some(request) = parse::<RemoteTaskPairing>(k, &envelope) else {
        return;
    };
    let pid = Pid(request.your_pid.get());
    let Some(task) = k.find_task(pid) else {
        return k.log(&format!(
            "node {} paired a thread with task {pid}, which does not exist",
            envelope.from
        ));
    };
    let Some(rc) = task.remote().filter(|_| !task.popcorn.at_remote.get()) else {
        return k.halt_broken(format!(
            "node {} paired a thread with task {pid}, which is not away",
            envelope.from
        ));
    };
    let popcorn = &task.popcorn;
    let (nid, before) = (popcorn.peer_nid.get(), popcorn.peer_pid.get());
    if (nid, before) != (Some(envelope.from), Pid::NONE) && k.config.profile == Profile::Kettle {
        return k.halt_broken(format!(
            "one-life: node {} paired a thread with task {pid}, whose twin is task {before} of node {nid:?}",
            envelope.from
        ));
    }
    let twin = Pid(request.my_pid.get());
    popcorn.peer_nid.set(Some(envelope.from));
    popcorn.peer_pid.set(twin);
    popcorn.last_twin.set(twin);
    if popcorn.first_twin.get() == Pid::NONE {
        popcorn.first_twin.set(twin);
    }
    rc.set_remote_tgid(envelope.from, Pid(request.my_tgid.get()));
    if let Some(hop) = popcorn.hop.take() {
        answer_hop(k, &task, hop, Ok(()));
    }
    signal::remote::forward(k, &task);
    // A signal may have come while there was nobody to forward it to.
    if task.is_dying()
        && let Some(thread) = task.thread.get()
    {
        k.exec.interrupt(thread);
    }
}
