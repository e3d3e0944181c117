//! `pcn_kmsg_process`: which handler a message type has, and in which context it runs.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use msglayer::messages::remote_work_pid;
use msglayer::{Envelope, HandlerTable, Message, MessageType};

use crate::event::Event;
use crate::ids::Pid;
use crate::kernel::Kernel;
use crate::task::Task;
use crate::{futex, page_server, process_server, signal, syscall, vma_server};

/// A boxed async function's future.
pub type BoxFuture = Pin<Box<dyn Future<Output = ()>>>;

/// A handler and the context it runs in; the classes of K52.
#[derive(Clone, Copy)]
pub enum Handler {
    /// In the receive thread: short, never sleeps.
    Direct(fn(&Rc<Kernel>, Envelope)),
    /// On `popcorn_wq`: concurrent, in no order.
    Work(fn(Rc<Kernel>, Envelope) -> BoxFuture),
    /// Parked on the task that the message names ("remote work").
    RemoteWork,
}

/// Every type that this kernel serves. The classes are those of the table in `msglayer`.
pub(super) fn handlers() -> HandlerTable<Handler> {
    use Handler::{Direct, RemoteWork, Work};
    let mut table = HandlerTable::default();
    let rows = [
        (MessageType::NodeInfo, Work(super::handle_node_info)),
        (
            MessageType::TaskMigrate,
            Direct(process_server::handle_clone_request),
        ),
        (MessageType::TaskMigrateBack, RemoteWork),
        (
            MessageType::TaskPairing,
            Direct(process_server::handle_task_pairing),
        ),
        (
            MessageType::TaskOnwardReply,
            Direct(process_server::handle_onward_reply),
        ),
        (MessageType::TaskExitOrigin, RemoteWork),
        (MessageType::TaskExitRemote, RemoteWork),
        (MessageType::VmaInfoRequest, RemoteWork),
        (
            MessageType::VmaInfoResponse,
            Direct(vma_server::handle_vma_info_response),
        ),
        (MessageType::VmaOpRequest, RemoteWork),
        (
            MessageType::VmaOpResponse,
            Direct(vma_server::handle_vma_op_response),
        ),
        (
            MessageType::RemotePageRequest,
            Work(page_server::handle_remote_page_request),
        ),
        (
            MessageType::RemotePageResponse,
            Direct(page_server::handle_remote_page_response),
        ),
        (
            MessageType::RemotePageResponseShort,
            Direct(page_server::handle_remote_page_response_short),
        ),
        (
            MessageType::PageInvalidateRequest,
            Work(page_server::handle_page_invalidate_request),
        ),
        (
            MessageType::PageInvalidateResponse,
            Direct(page_server::handle_page_invalidate_response),
        ),
        (MessageType::FutexRequest, RemoteWork),
        (
            MessageType::FutexResponse,
            Direct(futex::handle_futex_response),
        ),
        (MessageType::SyscallFwd, RemoteWork),
        (
            MessageType::SyscallRep,
            Direct(syscall::forward::handle_syscall_reply),
        ),
        (
            MessageType::SyscallRepLong,
            Direct(syscall::forward::handle_syscall_reply_long),
        ),
        (
            MessageType::SignalFwd,
            Direct(process_server::handle_signal_fwd),
        ),
        (
            MessageType::SignalInfo,
            Direct(signal::remote::handle_signal_info),
        ),
        (
            MessageType::SignalAction,
            Direct(signal::remote::handle_signal_action),
        ),
        (
            MessageType::SignalMask,
            Direct(signal::remote::handle_signal_mask),
        ),
        (
            MessageType::SignalInterrupt,
            Direct(signal::remote::handle_signal_interrupt),
        ),
    ];
    for (kind, handler) in rows {
        table
            .register_callback(kind, handler)
            .expect("one handler per type");
    }
    table
}

/// Accounts a received message and gives it to its handler. A type without one is logged and dropped.
pub(super) fn pcn_kmsg_process(k: &Rc<Kernel>, envelope: Envelope) {
    let kind = match envelope.kind() {
        Ok(kind) => kind,
        Err(error) => {
            return k.log(&format!(
                "a message from node {} was dropped: {error}",
                envelope.from
            ));
        }
    };
    k.kmsg
        .counters
        .borrow_mut()
        .received(kind, envelope.bytes.len());
    k.event(&Event::Receive {
        from: envelope.from,
        kind,
        size: envelope.bytes.len(),
    });
    let handler = k.kmsg.handlers.borrow().get(kind).copied();
    match handler {
        Some(Handler::Direct(handle)) => handle(k, envelope),
        Some(Handler::Work(handle)) => {
            k.charge(crate::costs::Cost::QueueWork);
            k.popcorn_wq
                .queue_work(&k.exec, handle(Rc::clone(k), envelope));
        }
        Some(Handler::RemoteWork) => request_remote_work(k, envelope),
        None => k.log(&format!(
            "no handler for a {} message from node {}",
            kind.name(),
            envelope.from
        )),
    }
}

/// A message's typed view; a malformed one is logged and gives `None`.
pub(crate) fn parse<'a, M: Message>(k: &Rc<Kernel>, envelope: &'a Envelope) -> Option<&'a M> {
    match M::parse(&envelope.bytes) {
        Ok(message) => Some(message),
        Err(error) => {
            k.log(&format!(
                "a message from node {} was dropped: {error}",
                envelope.from
            ));
            None
        }
    }
}

/// `request_remote_work`: parks a message on the task it names. At home that is the shadow thread's mailbox, at a guest the process' worker.
/// An unknown pid gets no reply, as in K52.
fn request_remote_work(k: &Rc<Kernel>, envelope: Envelope) {
    let pid = remote_work_pid(&envelope.bytes).ok().map(Pid);
    let Some(task) = pid.and_then(|pid| k.find_task(pid)) else {
        let pid = pid.unwrap_or(Pid::NONE);
        return k.log(&format!(
            "a message from node {} names task {pid}, which does not exist; it was dropped",
            envelope.from
        ));
    };
    if task.popcorn.at_remote.get() {
        park_on_worker(k, &task, envelope)
    } else {
        park_on_shadow(k, &task, envelope)
    }
}

fn park_on_worker(k: &Rc<Kernel>, task: &Rc<Task>, envelope: Envelope) {
    let Some(rc) = task.remote().filter(|_| task.popcorn.is_worker.get()) else {
        return k.halt_broken(format!(
            "remote work for task {}, which is not a remote worker",
            task.pid
        ));
    };
    rc.remote_works.borrow_mut().push_front(envelope);
    rc.remote_works_ready.complete(&k.exec);
}

fn park_on_shadow(k: &Rc<Kernel>, task: &Rc<Task>, envelope: Envelope) {
    let occupied = task.popcorn.remote_work.borrow().is_some();
    if occupied {
        return k.halt_broken(format!(
            "the remote work slot of task {} is occupied",
            task.pid
        ));
    }
    *task.popcorn.remote_work.borrow_mut() = Some(envelope);
    task.popcorn.remote_work_pended.complete(&k.exec);
}

#[cfg(test)]
mod tests {
    use msglayer::HandlerClass;
    use msglayer::types::MESSAGE_TYPES;

    use super::*;

    #[test]
    fn every_handler_runs_where_the_originals_does() {
        let handlers = handlers();
        for kind in MESSAGE_TYPES.iter().map(|info| info.message_type) {
            let class = handlers.get(kind).map(|handler| match handler {
                Handler::Direct(_) => HandlerClass::Direct,
                Handler::Work(_) => HandlerClass::WorkQueue,
                Handler::RemoteWork => HandlerClass::RemoteWork,
            });
            assert!(
                class.is_none() || class == kind.class(),
                "{}: {class:?}",
                kind.name()
            );
        }
    }
}
