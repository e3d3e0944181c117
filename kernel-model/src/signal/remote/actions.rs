//! SIGNAL_ACTION: what a process does about its signals, told to each node that it is on.

use std::rc::Rc;

use msglayer::messages::SignalAction;
use msglayer::{Envelope, Nid};
use zerocopy::FromZeros;

use super::process_of;
use crate::config::Profile;
use crate::ids::Tgid;
use crate::kernel::Kernel;
use crate::kmsg::{parse, pcn_kmsg_send};
use crate::remote_context::RemoteContext;
use crate::signal::{SigAction, SigHand, Signal};
use crate::task::Task;

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
