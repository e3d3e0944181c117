//! SIGNAL_INTERRUPT: a signal ends the call that home makes for a remote thread.

use std::rc::Rc;

use msglayer::messages::SignalInterrupt;
use msglayer::{Envelope, WsId};
use zerocopy::FromZeros;

use crate::config::Profile;
use crate::ids::Pid;
use crate::kernel::Kernel;
use crate::kmsg::{parse, pcn_kmsg_send};
use crate::signal::deliver::has_due;
use crate::task::Task;

/// At a guest: a call goes home, where it may sleep. From now on a signal for this thread ends it.
pub(crate) fn begin_call(k: &Rc<Kernel>, task: &Task, station: WsId) {
    if k.config.profile == Profile::K52 {
        return;
    }
    if has_due(task) {
        interrupt_call(k, task, station.as_i32());
    } else {
        task.popcorn.forwarded.set(Some(station.as_i32()));
    }
}

/// At a guest: the call that home makes for this thread is to end, because of a signal.
pub(in crate::signal) fn interrupt_call(k: &Rc<Kernel>, task: &Task, station: i32) {
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
    if shadow.popcorn.serving.get() != station && !waits {
        return;
    }
    shadow.popcorn.interrupted.set(station);
    if let Some(thread) = shadow.thread.get() {
        k.exec.interrupt(thread);
    }
}
