//! SIGNAL_INFO: a signal goes after its thread, and comes back if it misses it.

use std::rc::Rc;

use isa::Errno;
use isa::layout::Siginfo;
use msglayer::messages::SignalInfo;
use msglayer::{Envelope, MessageType, Nid};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use super::process_of;
use crate::config::Profile;
use crate::ids::{Pid, Tgid};
use crate::kernel::Kernel;
use crate::kmsg::{parse, pcn_kmsg_send};
use crate::signal::pending::signal_of;
use crate::signal::send::{complete, wake};
use crate::signal::{Signal, send_signal};
use crate::task::Task;

/// At home: sends a thread that is away its own signals, and those of the group that it wants; all of them if it is the only thread, so that what it
/// unblocks has come before it goes on. Before it is paired, they wait.
pub(crate) fn forward(k: &Rc<Kernel>, shadow: &Task) {
    let (Some(nid), twin) = (shadow.popcorn.peer_nid.get(), shadow.popcorn.peer_pid.get()) else {
        return;
    };
    if k.config.profile == Profile::K52 || twin == Pid::NONE {
        return;
    }
    while let Some(info) = shadow.signals.pending.take(!0) {
        send_info(k, nid, shadow, (shadow.pid, twin), &info, Way::ToThread);
    }
    let alone = shadow.group.threads.borrow().len() == 1;
    let (wanted, way) = if alone {
        (!0, Way::ToThread)
    } else {
        (!shadow.signals.blocked.get(), Way::ToOneOfGroup)
    };
    while let Some(info) = shadow.group.signals.pending.take(wanted) {
        send_info(k, nid, shadow, (shadow.pid, twin), &info, way);
    }
}

/// At a guest: a thread goes home, and its pending signals before it.
pub(crate) fn return_pending(k: &Rc<Kernel>, task: &Task) {
    let Some(home) = task.popcorn.peer_nid.get() else {
        return;
    };
    let pids = (task.popcorn.peer_pid.get(), task.pid);
    while let Some(info) = task.signals.pending.take(!0) {
        send_info(k, home, task, pids, &info, Way::Back);
    }
}

/// For whom a signal is under way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// For the thread that is there.
    ToThread,
    /// For that thread, or any other of its group.
    ToOneOfGroup,
    /// For home: its thread has left.
    Back,
}

fn send_info(
    k: &Rc<Kernel>,
    to: Nid,
    task: &Task,
    (origin, twin): (Pid, Pid),
    info: &Siginfo,
    way: Way,
) {
    let tgid = task.mm().remote().map_or(task.tgid(), |rc| rc.tgid);
    let mut message = SignalInfo::new_zeroed();
    message.origin_tgid.set(tgid.0);
    message.origin_pid.set(origin.0);
    message.remote_pid.set(twin.0);
    message.group = (way == Way::ToOneOfGroup).into();
    message.back = (way == Way::Back).into();
    for (word, bytes) in message.info.iter_mut().zip(info.as_bytes().chunks_exact(8)) {
        word.as_mut_bytes().copy_from_slice(bytes);
    }
    pcn_kmsg_send(k, to, message);
}

/// SIGNAL_INFO: a signal for a thread that is here, or one that has missed its thread and is home again.
pub fn handle_signal_info(k: &Rc<Kernel>, envelope: Envelope) {
    let Some(message) = parse::<SignalInfo>(k, &envelope).copied() else {
        return;
    };
    let info = Siginfo::read_from_bytes(message.info.as_bytes()).expect("both have 48 bytes");
    if Signal::new(info.signo.get()).is_err() {
        return k.log(&format!(
            "node {} sent signal {}, which does not exist",
            envelope.from,
            info.signo.get()
        ));
    }
    let outcome = if message.back == 0 {
        arrive(k, envelope.from, message, info)
    } else {
        come_back(k, &message, info)
    };
    if outcome.is_err() {
        k.log(&format!(
            "{} for task {} was dropped: its queue is full",
            signal_of(&info),
            message.remote_pid.get()
        ));
    }
}

fn arrive(k: &Rc<Kernel>, home: Nid, mut message: SignalInfo, info: Siginfo) -> Result<(), Errno> {
    let origin = Pid(message.origin_pid.get());
    let bit = signal_of(&info).bit();
    let group = message.group != 0;
    let twin = k.find_task(Pid(message.remote_pid.get())).filter(|task| {
        let popcorn = &task.popcorn;
        let is_it = popcorn.at_remote.get()
            && popcorn.peer_pid.get() == origin
            && popcorn.peer_nid.get() == Some(home);
        let takes_it = !group || task.signals.blocked.get() & bit == 0;
        is_it && takes_it && !popcorn.parked.get() && task.exited.get().is_none()
    });
    let Some(twin) = twin else {
        message.back = 1;
        pcn_kmsg_send(k, home, message);
        return Ok(());
    };
    twin.signals.pending.add(info)?;
    if twin.signals.blocked.get() & bit == 0 {
        wake(k, &twin);
    }
    Ok(())
}

fn come_back(k: &Rc<Kernel>, message: &SignalInfo, info: Siginfo) -> Result<(), Errno> {
    let group = message.group != 0;
    let task = k.find_task(Pid(message.origin_pid.get()));
    let task = task.filter(|task| !task.popcorn.at_remote.get());
    let task = match task {
        None if group => process_of(k, Tgid(message.origin_tgid.get())),
        task => task,
    };
    // A thread that has ended needs its signals no more.
    let Some(task) = task else { return Ok(()) };
    // The shadow has not taken the message yet with which its twin has left: it will look when it has.
    let left = [MessageType::TaskMigrateBack, MessageType::TaskExitRemote];
    let mail = task
        .popcorn
        .remote_work
        .borrow()
        .as_ref()
        .map(Envelope::kind);
    let under_way = mail.is_some_and(|kind| kind.is_ok_and(|kind| left.contains(&kind)));
    let blocked = task.signals.blocked.get() & signal_of(&info).bit() != 0;
    match (group, under_way) {
        (true, true) if !blocked => task.group.signals.pending.add(info).map(|_| ()),
        (true, _) => {
            if task.group.signals.pending.add(info)? {
                complete(k, &task, signal_of(&info), true);
            }
            Ok(())
        }
        (false, true) => task.signals.pending.add(info).map(|_| ()),
        (false, false) => send_signal(k, &task, info, false),
    }
}
