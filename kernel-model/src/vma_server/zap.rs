//! The one way in which a range of a distributed process is taken away, replaced, protected or dropped, whoever asks for it.
//!
//! 1. Home takes `mmap_sem` for writing. No transaction on a page is under way then, and none begins: each holds it for reading. Page
//!    requests that come meanwhile are told to try again, requests for areas wait.
//! 2. The areas change at home.
//! 3. Every guest that has the process is told, one after the other, and answers when it has done the same: its worker changes the guest's
//!    areas and pages, and marks those who wait for home's word about them, so that they ask again ([`super::watch`]). The guest that
//!    asked is told like the others: it has not touched anything of its own yet.
//! 4. Home's pages go, and the lock is given back.
//!
//! K52 tells guests of munmap only, and not the one that asked, which has unmapped before.

use std::ops::Range;
use std::rc::Rc;

use isa::VirtAddr;
use msglayer::Nid;
use msglayer::messages::{VmaOp, VmaOpRequest};
use zerocopy::FromZeros;

use crate::config::Profile;
use crate::exec::WaitRecord;
use crate::kernel::Kernel;
use crate::kmsg::{Replies, WaitStation, pcn_kmsg_send};
use crate::mm::{Mm, zap_page_range};
use crate::task::Task;

/// What happens to a range on every node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// munmap(2): areas and pages go.
    Unmap,
    /// Another call takes the areas away, or puts others there (MAP_FIXED, brk, mremap).
    Replace,
    /// The areas stay, their pages go: this advice.
    Drop(u32),
    /// The areas get this protection.
    Protect(u64),
}

/// On whose behalf home changes something.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    /// The thread at home that does it: its own call, or that of its twin.
    pub task: &'a Rc<Task>,
    /// The node that asks.
    pub nid: Nid,
}

/// Steps 3 and 4, for one range. The caller holds `mmap_sem` of home for writing, and has changed the areas.
pub(super) async fn vma_server_zap_origin(
    k: &Rc<Kernel>,
    caller: Caller<'_>,
    mm: &Rc<Mm>,
    range: &Range<VirtAddr>,
    change: Change,
) {
    tell_guests(k, caller, mm, range, change).await;
    if !matches!(change, Change::Protect(_)) {
        zap_page_range(k, mm, range.start, range.end);
    }
}

/// Tells every node that has the process, one after the other, waiting for each.
async fn tell_guests(
    k: &Rc<Kernel>,
    caller: Caller<'_>,
    mm: &Rc<Mm>,
    range: &Range<VirtAddr>,
    change: Change,
) {
    let k52 = k.config.profile == Profile::K52;
    if k52 && change != Change::Unmap {
        return;
    }
    for nid in Nid::all().filter(|nid| *nid != k.nid() && !(k52 && *nid == caller.nid)) {
        let (op, prot, what) = match change {
            Change::Unmap | Change::Replace => (VmaOp::Munmap, 0, "a munmap on another node"),
            Change::Drop(advice) => (VmaOp::Madvise, advice.into(), "an madvise on another node"),
            Change::Protect(prot) => (VmaOp::Mprotect, prot, "an mprotect on another node"),
        };
        tell_guest(k, caller.task, mm, nid, range, op, prot, what).await;
    }
}

/// Tells one node, if it has the process, and waits for its answer.
#[expect(clippy::too_many_arguments, reason = "the fields of one message")]
pub(super) async fn tell_guest(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    mm: &Rc<Mm>,
    nid: Nid,
    range: &Range<VirtAddr>,
    op: VmaOp,
    prot: u64,
    what: &'static str,
) {
    let worker = mm
        .remote()
        .and_then(|rc| rc.remote_tgid(nid))
        .filter(|_| k.nodes.borrow().get_popcorn_node_online(nid));
    let Some(worker) = worker else { return };
    let station = WaitStation::get(k, task.pid, Replies(1)).await;
    let mut request = VmaOpRequest::new_zeroed();
    request.operation.set(op.number());
    request.addr.set(range.start.0);
    request.len.set(range.end.0 - range.start.0);
    request.prot.set(prot);
    request.origin_pid.set(worker.0);
    request.remote_pid.set(task.pid.0);
    request.remote_ws.set(station.id().as_i32());
    pcn_kmsg_send(k, nid, request);
    station
        .wait(k, WaitRecord::new(what).addr(range.start).whom(nid, worker))
        .await;
}
