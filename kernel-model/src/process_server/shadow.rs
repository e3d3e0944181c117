//! The shadow thread: the original thread at home, serving its remote twin until that comes back or ends (`process_remote_works`).

use std::rc::Rc;

use isa::Errno;
use msglayer::messages::{BackMigrationRequest, OnwardReply, RemoteTaskExit, SignalTrans};
use msglayer::{Envelope, MessageType, SimDuration};
use zerocopy::FromZeros;

use super::migrate::{Onward, request_clone_remote};
use super::one_life;
use super::thread_info::restore_thread_info;
use super::worker::NODE_IS_FULL;
use crate::config::Profile;
use crate::event::Event;
use crate::exec::{WaitRecord, Wake};
use crate::ids::Pid;
use crate::kernel::{Halt, Kernel};
use crate::kmsg::{parse, pcn_kmsg_send};
use crate::signal::{self, Signal};
use crate::task::{ExitStatus, Hop, Task};
use crate::{futex, syscall, vma_server};

/// Why a shadow's service ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShadowEnd {
    /// The thread is home; its registers are those it brought.
    CameHome,
    /// The remote thread has ended, and so must this one.
    Ended(ExitStatus),
    /// The destination could not take it: it never left.
    Refused(Errno),
}

/// How often the loop looks up without having been woken.
const PERIOD: SimDuration = SimDuration::from_secs(1);

/// The loop of the original: one message at a time, in the shadow's own context, so that `current` is the right process.
///
/// Deviation of the default profile: when the thread group ends while the twin is away, the shadow tells the twin (SIGNAL_FWD) and goes on
/// serving until it has ended. K52 sends the signal and leaves at once, so that a twin that waits for an answer waits for ever.
pub(super) async fn process_remote_works(k: &Rc<Kernel>, task: &Rc<Task>) -> ShadowEnd {
    let told = &task.popcorn.end_told;
    told.set(false);
    loop {
        // Before the wait: a signal that came while a request was served wakes nobody.
        if task.is_dying() && !told.get() {
            told.set(forward_group_exit(k, task));
            if told.get() && k.config.profile == Profile::K52 {
                return ShadowEnd::CameHome;
            }
        }
        let mut record = WaitRecord::new("work from its remote thread").service();
        if let Some(nid) = task.popcorn.peer_nid.get() {
            record = record.whom(nid, task.popcorn.peer_pid.get());
        }
        if !told.get() {
            record = record.interruptible();
        }
        let wake = task
            .popcorn
            .remote_work_pended
            .wait_timeout(&k.exec, record, PERIOD)
            .await;
        if wake == Wake::Interrupted && !task.is_dying() && k.config.profile == Profile::K52 {
            k.halt(Halt::WouldHang(format!(
                "the shadow thread {} spins on a pending signal",
                task.pid
            )));
        }
        let Some(envelope) = task.popcorn.remote_work.take() else {
            continue;
        };
        if let Some(end) = serve(k, task, envelope).await {
            return end;
        }
    }
}

/// Serves one request; the answer says whether the service ends with it.
async fn serve(k: &Rc<Kernel>, task: &Rc<Task>, envelope: Envelope) -> Option<ShadowEnd> {
    match envelope.kind() {
        Ok(MessageType::VmaOpRequest) => {
            vma_server::process_vma_op_request(k, task, envelope).await
        }
        Ok(MessageType::VmaInfoRequest) => {
            vma_server::process_vma_info_request(k, task, envelope).await
        }
        Ok(MessageType::FutexRequest) => {
            futex::process_remote_futex_request(k, task, envelope).await;
            task.popcorn.interrupted.set(None);
        }
        Ok(MessageType::SyscallFwd) => {
            syscall::forward::process_remote_syscall(k, task, envelope).await;
            task.popcorn.interrupted.set(None);
        }
        Ok(MessageType::TaskExitRemote) => return process_remote_task_exit(k, task, &envelope),
        Ok(MessageType::TaskMigrateBack) => return process_back_migration(k, task, &envelope),
        _ => k.log(&format!(
            "a shadow thread does not serve this message from node {}",
            envelope.from
        )),
    }
    None
}

/// `process_back_migration`: the thread is home, or passes through on its way to a third node.
fn process_back_migration(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    envelope: &Envelope,
) -> Option<ShadowEnd> {
    let request = parse::<BackMigrationRequest>(k, envelope)?;
    let from_pid = Pid(request.remote_pid.get());
    if task.popcorn.peer_pid.get() != from_pid || from_pid == Pid::NONE {
        // K52 logs it and lets the shadow resume at its old point: two copies of one thread. Nothing is resumed here.
        k.log(&format!(
            "task {} was told to come home by task {from_pid} of node {}, which is not its twin",
            task.pid, envelope.from
        ));
        return (k.config.profile == Profile::K52).then_some(ShadowEnd::CameHome);
    }
    task.personality.set(request.personality.get());
    signal::remote::restore_state(k, task, &request.arch);
    let mut arch = request.arch;
    if let Some(onward) = Onward::take(&mut arch) {
        let hop = Hop {
            nid: envelope.from,
            pid: from_pid,
            station: onward.station,
        };
        if task.is_dying() {
            // It ends where it is, and not a step further on: it hears of the end first.
            end_before_reply(k, task);
            answer_hop(k, task, hop, Err(Errno::EAGAIN));
            signal::remote::forward(k, task);
        } else {
            task.popcorn.hop.set(Some(hop));
            request_clone_remote(k, task, onward.nid, arch);
        }
        return None;
    }
    detach(task);
    restore_thread_info(k, task, &arch);
    let (pc, sp) = {
        let context = task.context.borrow();
        (context.regs().pc(), context.regs().sp())
    };
    k.event(&Event::MigrateIn {
        pid: task.pid,
        from: envelope.from,
        from_pid,
        pc,
        sp,
        back: true,
    });
    Some(ShadowEnd::CameHome)
}

/// `process_remote_task_exit`: the twin has ended; its exit code becomes this thread's.
///
/// Extension: a guest that cannot build the process says so with remote pid -1 and a negated errno instead of leaving home to wait.
fn process_remote_task_exit(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    envelope: &Envelope,
) -> Option<ShadowEnd> {
    let request = parse::<RemoteTaskExit>(k, envelope)?;
    let (from_pid, code) = (Pid(request.remote_pid.get()), request.exit_code.get());
    let errno = Errno::from_raw(code.wrapping_neg());
    let unpaired = task.popcorn.peer_pid.get() == Pid::NONE
        && task.popcorn.peer_nid.get() == Some(envelope.from);
    if let (Pid::NONE, true, Some(errno)) = (from_pid, unpaired, errno) {
        if let Some(rc) = task.remote().filter(|_| errno != NODE_IS_FULL) {
            rc.set_knows_actions(envelope.from, false);
        }
        if let Some(hop) = task.popcorn.hop.take() {
            task.popcorn.peer_nid.set(Some(hop.nid));
            task.popcorn.peer_pid.set(hop.pid);
            end_before_reply(k, task);
            answer_hop(k, task, hop, Err(errno));
            // What has come for it meanwhile; it looks for signals before it goes on.
            signal::remote::forward(k, task);
            return None;
        }
        detach(task);
        return Some(ShadowEnd::Refused(errno));
    }
    if task.popcorn.peer_pid.get() != from_pid || from_pid == Pid::NONE {
        k.log(&format!(
            "task {} was told of the end of task {from_pid} of node {}, which is not its twin",
            task.pid, envelope.from
        ));
        return None;
    }
    detach(task);
    let status = ExitStatus::from_code(code);
    if let ExitStatus::Signaled(_) = status {
        // force_sig on itself: the whole process ends by the signal that ended the twin.
        crate::process::do_group_exit(k, task, status);
    }
    Some(ShadowEnd::Ended(status))
}

/// Tells a twin that wanted to go on to another node whether the thread has been taken there. If it has, the twin ends.
pub(super) fn answer_hop(k: &Rc<Kernel>, task: &Task, hop: Hop, result: Result<(), Errno>) {
    let mut answer = OnwardReply::new_zeroed();
    answer.origin_pid.set(task.pid.0);
    answer.remote_pid.set(hop.pid.0);
    answer.remote_ws.set(hop.station);
    answer
        .ret
        .set(result.map_or_else(|errno| -errno.raw(), |()| 0));
    pcn_kmsg_send(k, hop.nid, answer);
}

/// Tells the twin of the group's end before it learns the result of the call that has brought it about: it does not go on.
pub(crate) fn end_before_reply(k: &Rc<Kernel>, task: &Rc<Task>) {
    let told = &task.popcorn.end_told;
    if task.is_dying() && !told.get() {
        told.set(forward_group_exit(k, task));
    }
}

/// Tells the twin that its group has ended; false while there is no twin to tell.
fn forward_group_exit(k: &Rc<Kernel>, task: &Rc<Task>) -> bool {
    let (Some(nid), pid) = (task.popcorn.peer_nid.get(), task.popcorn.peer_pid.get()) else {
        return false;
    };
    if pid == Pid::NONE {
        return false;
    }
    let mut signal = SignalTrans::new_zeroed();
    signal.origin_pid.set(task.pid.0);
    signal.remote_pid.set(pid.0);
    signal.remote_nid.set(nid.as_i32());
    signal.sig.set(SIGINT.0);
    signal.group = 1;
    pcn_kmsg_send(k, nid, signal);
    true
}

const SIGINT: Signal = Signal(2);

/// The thread is nobody's twin any more.
fn detach(task: &Task) {
    one_life::shadow_ends(task);
    *task.popcorn.remote.borrow_mut() = None;
    task.popcorn.peer_nid.set(None);
    task.popcorn.peer_pid.set(Pid::NONE);
}
