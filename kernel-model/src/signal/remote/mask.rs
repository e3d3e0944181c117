//! SIGNAL_MASK: what a remote thread blocks, as home has to know it to choose who gets a signal of the group.

use std::rc::Rc;

use msglayer::Envelope;
use msglayer::messages::SignalMask;
use zerocopy::FromZeros;

use super::forward;
use crate::config::Profile;
use crate::ids::Pid;
use crate::kernel::Kernel;
use crate::kmsg::{parse, pcn_kmsg_send};
use crate::task::Task;

/// At a guest: home is to know what this thread blocks.
pub(in crate::signal) fn report_mask(k: &Rc<Kernel>, task: &Task) {
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
