//! Futexes of remote threads: FUTEX_REQUEST to home, where every waiter of every node meets (`futex_remote.c` of K52).
//!
//! The shadow executes the call on the same address in its own context and may sleep in it. Deviation of the default profile: every timeout
//! is right (K52 adds "now" to absolute ones as well).

use std::rc::Rc;

use isa::{Errno, VirtAddr};
use msglayer::Envelope;
use msglayer::messages::{RemoteFutexRequest, RemoteFutexResponse};
use zerocopy::FromZeros;

use super::{FutexCall, Timespec, do_futex};
use crate::exec::WaitRecord;
use crate::kernel::Kernel;
use crate::kmsg::{Replies, WaitStation, parse, pcn_kmsg_send};
use crate::signal;
use crate::task::Task;

/// futex(2) of a remote thread.
pub async fn process_server_do_futex_remote(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    call: FutexCall,
) -> Result<u64, Errno> {
    let home = task
        .popcorn
        .peer_nid
        .get()
        .expect("a remote thread knows its home");
    let station = WaitStation::get(k, task.pid, Replies(1)).await;
    let mut request = RemoteFutexRequest::new_zeroed();
    request.origin_pid.set(task.popcorn.peer_pid.get().0);
    request.remote_ws.set(station.id().as_i32());
    request.op.set(call.op);
    request.val.set(call.val);
    let (sec, nsec) = call
        .timeout
        .map_or((-1, 0), |t| (t.sec.get(), t.nsec.get()));
    request.tv_sec.set(sec);
    request.tv_nsec.set(nsec);
    request.uaddr.set(call.uaddr.0);
    request.uaddr2.set(call.uaddr2.0);
    request.val2.set(call.val2);
    request.val3.set(call.val3);
    pcn_kmsg_send(k, home, request);
    signal::remote::begin_call(k, task, station.id());
    let record = WaitRecord::new("the reply to a futex call")
        .addr(call.uaddr)
        .whom(home, task.popcorn.peer_pid.get());
    let reply = station.wait(k, record).await;
    task.popcorn.forwarded.set(None);
    let reply = reply.ok_or(Errno::EIO)?;
    let reply = parse::<RemoteFutexResponse>(k, &reply).ok_or(Errno::EIO)?;
    Errno::decode(reply.ret.get() as u64)
}

/// The shadow's side (`process_remote_futex_request`).
pub async fn process_remote_futex_request(k: &Rc<Kernel>, task: &Rc<Task>, envelope: Envelope) {
    let Some(request) = parse::<RemoteFutexRequest>(k, &envelope) else {
        return;
    };
    let timeout = (request.tv_sec.get() >= 0)
        .then(|| Timespec::new(request.tv_sec.get(), request.tv_nsec.get()));
    let call = FutexCall {
        uaddr: VirtAddr(request.uaddr.get()),
        op: request.op.get(),
        val: request.val.get(),
        timeout,
        uaddr2: VirtAddr(request.uaddr2.get()),
        val2: request.val2.get(),
        val3: request.val3.get(),
    };
    task.popcorn.serving.set(Some(request.remote_ws.get()));
    let result = do_futex(k, task, call).await;
    task.popcorn.serving.set(None);
    let mut reply = RemoteFutexResponse::new_zeroed();
    reply.remote_ws.set(request.remote_ws.get());
    reply.ret.set(Errno::encode(result) as i64);
    pcn_kmsg_send(k, envelope.from, reply);
}

/// `handle_remote_futex_response`.
pub fn handle_futex_response(k: &Rc<Kernel>, envelope: Envelope) {
    let Some(reply) = parse::<RemoteFutexResponse>(k, &envelope) else {
        return;
    };
    WaitStation::complete(k, reply.remote_ws.get(), Some(envelope.clone()));
}
