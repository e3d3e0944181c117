//! Home takes pages: `claim_local_page` revokes every copy but one, `claim_remote_page` fetches a page that home does not own.

use std::rc::Rc;

use isa::VirtAddr;
use msglayer::Nid;
use msglayer::messages::{FaultFlags, PageInvalidateRequest, RemotePageRequest, VmFault};
use rand_core::Rng;
use zerocopy::FromZeros;

use super::local_fault::bug;
use super::reply::PageReply;
use crate::costs::Cost;
use crate::exec::WaitRecord;
use crate::ids::Pid;
use crate::kernel::Kernel;
use crate::kmsg::{Replies, WaitStation, pcn_kmsg_post, pcn_kmsg_send};
use crate::mm::Mm;
use crate::remote_context::RemoteContext;
use crate::task::Task;

/// Revokes every copy but `except`'s and home's. The invalidations go out together; returns when all are acknowledged.
pub(super) async fn claim_local_page(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    rc: &Rc<RemoteContext>,
    addr: VirtAddr,
    except: Nid,
) {
    let word = rc.pages.borrow().get(addr);
    let others: Vec<_> = word
        .owners()
        .filter(|nid| *nid != except && *nid != k.nid())
        .collect();
    if others.is_empty() {
        return;
    }
    let station = WaitStation::get(k, task.pid, Replies(others.len() as u32)).await;
    for nid in others {
        revoke(k, task.pid, rc, addr, nid, &station);
    }
    station
        .wait(
            k,
            WaitRecord::new("the acknowledgements of an invalidation").addr(addr),
        )
        .await;
}

/// Fetches a page from one owner, drawn at random; for a write every copy is revoked. `except` is the node on whose behalf home asks.
/// The caller holds `mmap_sem`, so that the owners are still the same after a sleep for a wait station.
///
/// K52 ignores a failing result and goes on with home's stale copy; here it is handed on.
pub(super) async fn claim_remote_page(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    mm: &Rc<Mm>,
    rc: &Rc<RemoteContext>,
    addr: VirtAddr,
    write: bool,
    except: Nid,
) -> VmFault {
    let owners: Vec<_> = rc
        .pages
        .borrow()
        .get(addr)
        .owners()
        .filter(|nid| *nid != k.nid())
        .collect();
    if owners.is_empty() {
        let why = format!("nobody has page {addr}, which node {except} wants: its data are lost");
        return bug(k, why);
    }
    let from = owners[(k.owner_choice.borrow_mut().next_u64() % owners.len() as u64) as usize];
    let replies = if write { owners.len() as u32 } else { 1 };
    let station = WaitStation::get(k, task.pid, Replies(replies)).await;
    if write {
        for nid in owners.into_iter().filter(|nid| *nid != from) {
            revoke(k, task.pid, rc, addr, nid, &station);
        }
    }
    let worker = rc.remote_tgid(from).unwrap_or(Pid::NONE);
    let mut flags = FaultFlags::USER_FAULT;
    flags.set(FaultFlags::WRITE, write);
    let mut request = RemotePageRequest::new_zeroed();
    request.origin_pid.set(task.pid.0);
    request.origin_ws.set(station.id().as_i32());
    request.remote_pid.set(worker.0);
    request.addr.set(addr.0);
    request.fault_flags.set(flags.bits());
    request.instr_addr.set(task.context.borrow().regs().pc().0);
    pcn_kmsg_send(k, from, request);
    let reply = station
        .wait(k, WaitRecord::new("a page").addr(addr).whom(from, worker))
        .await;
    let page = match PageReply::parse(k, reply) {
        Some(PageReply::Data(page)) => page,
        // Home asks for a page that it does not have: a grant without one is no answer.
        Some(PageReply::Result(result)) if !result.is_empty() && result != VmFault::CONTINUE => {
            return result;
        }
        _ => return VmFault::SIGBUS,
    };
    let pfn = mm.page_table.borrow().get(addr).map(|pte| pte.pfn);
    let Some(pfn) = pfn else {
        return VmFault::SIGBUS;
    };
    k.charge(Cost::CopyPage);
    k.write_frame(pfn, 0, &page[..]);
    // Whatever the page was here, it is now what another node has made of it.
    mm.page_table
        .borrow_mut()
        .update(addr, |pte| pte.dirty = true);
    if write {
        rc.pages.borrow_mut().clear_owner(addr, from);
    }
    VmFault::empty()
}

/// `__revoke_page_ownership`: clears a node's bit and asks it to drop its copy.
fn revoke(
    k: &Rc<Kernel>,
    me: Pid,
    rc: &RemoteContext,
    addr: VirtAddr,
    nid: Nid,
    station: &WaitStation,
) {
    rc.pages.borrow_mut().clear_owner(addr, nid);
    let mut request = PageInvalidateRequest::new_zeroed();
    request.origin_pid.set(me.0);
    request.origin_ws.set(station.id().as_i32());
    request
        .remote_pid
        .set(rc.remote_tgid(nid).unwrap_or(Pid::NONE).0);
    request.addr.set(addr.0);
    pcn_kmsg_post(k, nid, request);
}
