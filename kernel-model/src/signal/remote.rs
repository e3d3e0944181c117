//! Signals of a distributed process. K52 has none: a signal for a thread that is away makes its shadow spin, and nothing of a thread's signal
//! state travels. Everything here is an extension of the default profile.
//!
//! Home decides who gets a signal: it holds the group's queue, and of each thread that is away the mask that the thread said last (SIGNAL_MASK).
//! A signal for such a thread goes after it at once, with all that siginfo says (SIGNAL_INFO), and waits in the thread's own queue there. One
//! that misses its thread, because that is on its way, comes back and is kept until the thread has arrived somewhere; one for the group
//! that has been blocked meanwhile comes back too, and another thread may have it. Links are FIFO: home has heard of the new mask by then.
//!
//! Actions are told to each node that the process goes to, and every later change as well (SIGNAL_ACTION). Mask and alternate stack travel in
//! `field_arch.oob`, words 1 to 3, which K52 leaves 0. A signal that finds its thread waiting for a call that home makes for it ends that call
//! by SIGNAL_INTERRUPT: only the thread's own node knows both.
//!
//! Left out: a signal for the group that a remote thread holds when it ends is lost with it.

use std::rc::Rc;

use isa::layout::{Sigaltstack, Siginfo};
use isa::wire::FieldArch;
use msglayer::messages::{SignalAction, SignalInfo, SignalInterrupt, SignalMask};
use msglayer::{Envelope, MessageType, Nid, WsId};
use zerocopy::little_endian::U64;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use super::pending::signal_of;
use super::send::{complete, wake};
use super::{SigAction, SigHand, Signal, send_signal};
use crate::config::Profile;
use crate::ids::{Pid, Tgid};
use crate::kernel::Kernel;
use crate::kmsg::{parse, pcn_kmsg_send};
use crate::remote_context::RemoteContext;
use crate::task::Task;

/// Words of `field_arch.oob`.
const OOB_MASK: usize = 1;
const OOB_STACK: usize = 2;
const OOB_STACK_SIZE: usize = 3;
/// In the word of the stack's size: SS_AUTODISARM.
const AUTODISARM: u64 = 1 << 63;

/// What of a thread's signal state travels with its registers.
pub(crate) fn save_state(k: &Kernel, task: &Task, arch: &mut FieldArch) {
    if k.config.profile == Profile::K52 {
        return;
    }
    let stack = task.signals.altstack.get();
    let disarms = stack.flags.get() & Sigaltstack::AUTODISARM != 0;
    arch.oob[OOB_MASK].set(task.signals.blocked.get());
    arch.oob[OOB_STACK].set(stack.sp.get());
    let size = stack.size.get() | if disarms { AUTODISARM } else { 0 };
    arch.oob[OOB_STACK_SIZE].set(size);
}

/// The reverse, where the thread has arrived. Home has the same mask.
pub(crate) fn restore_state(k: &Kernel, task: &Task, arch: &FieldArch) {
    if k.config.profile == Profile::K52 {
        return;
    }
    let mask = arch.oob[OOB_MASK].get() & !super::ALWAYS_UNBLOCKED;
    let size = arch.oob[OOB_STACK_SIZE].get();
    let flags = match (size & !AUTODISARM, size & AUTODISARM) {
        (0, _) => Sigaltstack::DISABLE,
        (_, 0) => 0,
        _ => Sigaltstack::AUTODISARM,
    };
    task.signals.blocked.set(mask);
    task.signals.real_blocked.set(0);
    task.signals.told.set((mask, 0));
    task.signals.altstack.set(Sigaltstack {
        sp: arch.oob[OOB_STACK],
        flags: flags.into(),
        pad: 0.into(),
        size: U64::new(size & !AUTODISARM),
    });
}

/// Before a thread goes to `nid`: the node learns the process' actions, unless it has already.
pub(crate) fn tell_actions(k: &Rc<Kernel>, task: &Task, nid: Nid) {
    let Some(rc) = task.mm().remote() else { return };
    if k.config.profile == Profile::K52 || rc.knows_actions(nid) {
        return;
    }
    rc.set_knows_actions(nid, true);
    for (signal, action) in task.group.signals.actions().changed() {
        send_action(k, nid, task.tgid(), signal, action);
    }
}

/// Sets an action, here and wherever the process is.
pub(crate) fn set_action(k: &Rc<Kernel>, task: &Task, signal: Signal, action: SigAction) {
    task.group.signals.actions().set(signal, action);
    if k.config.profile == Profile::K52 {
        return;
    }
    let Some(rc) = task.mm().remote() else { return };
    if task.popcorn.at_remote.get() {
        send_action(k, rc.home, rc.tgid, signal, action);
    } else {
        spread_action(k, &rc, signal, action, None);
    }
}

fn spread_action(
    k: &Rc<Kernel>,
    rc: &RemoteContext,
    signal: Signal,
    action: SigAction,
    except: Option<Nid>,
) {
    for nid in Nid::all().filter(|nid| rc.knows_actions(*nid) && Some(*nid) != except) {
        send_action(k, nid, rc.tgid, signal, action);
    }
}

fn send_action(k: &Rc<Kernel>, to: Nid, tgid: Tgid, signal: Signal, action: SigAction) {
    let mut message = SignalAction::new_zeroed();
    message.origin_tgid.set(tgid.0);
    message.sig.set(signal.0);
    message.handler.set(action.handler);
    message.flags.set(action.flags);
    message.restorer.set(action.restorer);
    message.mask.set(action.mask);
    pcn_kmsg_send(k, to, message);
}

/// SIGNAL_ACTION: at a guest what home says; at home that a handler with SA_RESETHAND has run elsewhere.
pub fn handle_signal_action(k: &Rc<Kernel>, envelope: Envelope) {
    let Some(message) = parse::<SignalAction>(k, &envelope) else {
        return;
    };
    let Ok(signal) = Signal::new(message.sig.get()) else {
        return k.log(&format!(
            "node {} gave an action for signal {}, which does not exist",
            envelope.from,
            message.sig.get()
        ));
    };
    let action = SigAction {
        handler: message.handler.get(),
        flags: message.flags.get(),
        restorer: message.restorer.get(),
        mask: message.mask.get(),
    };
    let tgid = Tgid(message.origin_tgid.get());
    match k.lookup_remote_context(false, k.nid(), tgid) {
        Some(rc) => {
            let leader = process_of(k, tgid);
            if let Some(task) = leader.filter(|_| rc.knows_actions(envelope.from)) {
                task.group.signals.actions().set(signal, action);
                spread_action(k, &rc, signal, action, Some(envelope.from));
            }
        }
        None => actions_of(k, envelope.from, tgid).set(signal, action),
    }
}

/// At a guest: the actions of a process of `home`; they may come before the process does.
pub(crate) fn actions_of(k: &Kernel, home: Nid, tgid: Tgid) -> Rc<SigHand> {
    let mut all = k.remote_actions.borrow_mut();
    Rc::clone(all.entry((home, tgid)).or_default())
}

/// At a guest: the process is gone from this node.
pub(crate) fn forget_actions(k: &Kernel, home: Nid, tgid: Tgid) {
    k.remote_actions.borrow_mut().remove(&(home, tgid));
}

/// At a guest: home is to know what this thread blocks.
pub(super) fn report_mask(k: &Rc<Kernel>, task: &Task) {
    let away = task.popcorn.at_remote.get() && !task.popcorn.is_worker.get();
    let masks = (task.signals.blocked.get(), task.signals.real_blocked.get());
    if !away || k.config.profile == Profile::K52 || task.signals.told.replace(masks) == masks {
        return;
    }
    let Some(home) = task.popcorn.peer_nid.get() else {
        return;
    };
    let mut message = SignalMask::new_zeroed();
    message.origin_pid.set(task.popcorn.peer_pid.get().0);
    message.remote_pid.set(task.pid.0);
    message.blocked.set(masks.0);
    message.real_blocked.set(masks.1);
    pcn_kmsg_send(k, home, message);
}

/// SIGNAL_MASK: what the group has for the thread and it did not want before goes after it.
pub fn handle_signal_mask(k: &Rc<Kernel>, envelope: Envelope) {
    let Some(message) = parse::<SignalMask>(k, &envelope) else {
        return;
    };
    let twin = Pid(message.remote_pid.get());
    let shadow = k.find_task(Pid(message.origin_pid.get()));
    let Some(shadow) = shadow.filter(|task| task.is_away() && task.popcorn.peer_pid.get() == twin)
    else {
        return;
    };
    shadow.signals.blocked.set(message.blocked.get());
    shadow.signals.real_blocked.set(message.real_blocked.get());
    forward(k, &shadow);
}

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
        send_info(k, nid, shadow, (shadow.pid, twin), &info, false, false);
    }
    let alone = shadow.group.threads.borrow().len() == 1;
    let wanted = if alone {
        !0
    } else {
        !shadow.signals.blocked.get()
    };
    while let Some(info) = shadow.group.signals.pending.take(wanted) {
        send_info(k, nid, shadow, (shadow.pid, twin), &info, !alone, false);
    }
}

/// At a guest: a thread goes home, and its pending signals before it.
pub(crate) fn return_pending(k: &Rc<Kernel>, task: &Task) {
    let Some(home) = task.popcorn.peer_nid.get() else {
        return;
    };
    let pids = (task.popcorn.peer_pid.get(), task.pid);
    while let Some(info) = task.signals.pending.take(!0) {
        send_info(k, home, task, pids, &info, false, true);
    }
}

fn send_info(
    k: &Rc<Kernel>,
    to: Nid,
    task: &Task,
    (origin, twin): (Pid, Pid),
    info: &Siginfo,
    group: bool,
    back: bool,
) {
    let tgid = task.mm().remote().map_or(task.tgid(), |rc| rc.tgid);
    let mut message = SignalInfo::new_zeroed();
    message.origin_tgid.set(tgid.0);
    message.origin_pid.set(origin.0);
    message.remote_pid.set(twin.0);
    message.group = group.into();
    message.back = back.into();
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

fn arrive(
    k: &Rc<Kernel>,
    home: Nid,
    mut message: SignalInfo,
    info: Siginfo,
) -> Result<(), isa::Errno> {
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

fn come_back(k: &Rc<Kernel>, message: &SignalInfo, info: Siginfo) -> Result<(), isa::Errno> {
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

/// At a guest: a call goes home, where it may sleep. From now on a signal for this thread ends it.
pub(crate) fn begin_call(k: &Rc<Kernel>, task: &Task, station: WsId) {
    if k.config.profile == Profile::K52 {
        return;
    }
    if super::deliver::has_due(task) {
        interrupt_call(k, task, station.as_i32());
    } else {
        task.signals.forwarded.set(Some(station.as_i32()));
    }
}

/// At a guest: the call that home makes for this thread is to end, because of a signal.
pub(super) fn interrupt_call(k: &Rc<Kernel>, task: &Task, station: i32) {
    let Some(home) = task.popcorn.peer_nid.get() else {
        return;
    };
    let mut message = SignalInterrupt::new_zeroed();
    message.origin_pid.set(task.popcorn.peer_pid.get().0);
    message.remote_pid.set(task.pid.0);
    message.remote_ws.set(station);
    pcn_kmsg_send(k, home, message);
}

/// SIGNAL_INTERRUPT: the shadow's wait ends, if it still makes that call or is about to.
pub fn handle_signal_interrupt(k: &Rc<Kernel>, envelope: Envelope) {
    let Some(message) = parse::<SignalInterrupt>(k, &envelope) else {
        return;
    };
    let shadow = k.find_task(Pid(message.origin_pid.get()));
    let Some(shadow) = shadow.filter(|task| task.is_away()) else {
        return;
    };
    let station = Some(message.remote_ws.get());
    let waits = shadow.popcorn.remote_work.borrow().is_some();
    if shadow.signals.serving.get() != station && !waits {
        return;
    }
    shadow.signals.interrupted.set(station);
    if let Some(thread) = shadow.thread.get() {
        k.exec.interrupt(thread);
    }
}

/// Any living thread of a process of this node.
fn process_of(k: &Kernel, tgid: Tgid) -> Option<Rc<Task>> {
    let leader = k.find_task(Pid(tgid.0));
    leader.or_else(|| {
        let tasks = k.tasks.borrow();
        tasks.values().find(|task| task.tgid() == tgid).cloned()
    })
}
