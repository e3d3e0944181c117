//! What a guest's mmap, munmap, mprotect, madvise, brk and mremap do for home: VMA_OP_REQUEST and its response.

use std::rc::Rc;

use isa::{Errno, VirtAddr};
use msglayer::Envelope;
use msglayer::messages::{PathField, VmaOp, VmaOpRequest, VmaOpResponse};
use zerocopy::FromZeros;

use super::fetch::map_difference;
use crate::config::Profile;
use crate::exec::WaitRecord;
use crate::kernel::Kernel;
use crate::kmsg::{Replies, WaitStation, parse, pcn_kmsg_send};
use crate::mm::{MmapRequest, MremapRequest, area_of};
use crate::task::Task;

/// What the path of a delegated mmap begins with; a descriptor follows.
pub(super) const FD_PATH: &str = "/proc/self/fd/";

/// mmap: home chooses the place and clears it on every node, then the holes there are filled here. Returns the address.
///
/// A descriptor is home's, so that the path on the wire is its name there ([`FD_PATH`]); the area comes with the first fault.
pub async fn vma_server_mmap_remote(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    request: &MmapRequest,
    fd: Option<i32>,
) -> Result<VirtAddr, Errno> {
    let mut message = operation(VmaOp::Mmap, request.addr, request.len);
    message.prot.set(request.prot.bits().into());
    message.flags.set(request.flags.bits().into());
    message.pgoff.set(request.pgoff);
    if let Some(fd) = fd {
        message.path = PathField::new(&format!("{FD_PATH}{fd}")).map_err(|_| Errno::EINVAL)?;
    }
    let (mm, rc) = (task.mm(), task.remote().ok_or(Errno::EFAULT)?);
    let watch = rc.vmas.watches.begin();
    let addr = VirtAddr(delegate(k, task, message).await?);
    if fd.is_some() {
        return Ok(addr);
    }
    let area = area_of(&mm, request, addr)?;
    let _guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
    // Home may have changed the range since it answered: then the area comes by fault, as it is.
    if !watch.is_stale(area.start, area.end) {
        map_difference(k, &mm, &area);
    }
    Ok(addr)
}

/// munmap: home does it, on every node; in K52 this node has done its part before.
pub async fn vma_server_munmap_remote(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    addr: VirtAddr,
    len: u64,
) -> Result<(), Errno> {
    delegate(k, task, operation(VmaOp::Munmap, addr, len))
        .await
        .map(|_| ())
}

/// mprotect: as munmap; in K52 this node does its part afterwards.
pub async fn vma_server_mprotect_remote(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    addr: VirtAddr,
    len: u64,
    prot: u64,
) -> Result<(), Errno> {
    let mut message = operation(VmaOp::Mprotect, addr, len);
    message.prot.set(prot);
    delegate(k, task, message).await.map(|_| ())
}

/// madvise: as munmap.
pub async fn vma_server_madvise_remote(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    addr: VirtAddr,
    len: u64,
    behavior: u64,
) -> Result<(), Errno> {
    let mut message = operation(VmaOp::Madvise, addr, len);
    message.prot.set(behavior);
    delegate(k, task, message).await.map(|_| ())
}

/// brk: as munmap. Returns home's break.
pub async fn vma_server_brk_remote(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    brk: VirtAddr,
) -> Result<VirtAddr, Errno> {
    delegate(k, task, operation(VmaOp::Brk, brk, 0))
        .await
        .map(VirtAddr)
}

/// mremap: home does it, on every node; what moves is found at its new place by fault.
///
/// K52 warns, answers -EINVAL, and lets the guest remap on its own, so that the nodes differ from then on; there the call is refused.
pub async fn vma_server_mremap_remote(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    request: &MremapRequest,
) -> Result<VirtAddr, Errno> {
    if k.config.profile == Profile::K52 {
        return Err(Errno::EINVAL);
    }
    let mut message = operation(VmaOp::Mremap, request.old, request.old_len);
    message.prot.set(request.new_len);
    message.flags.set(request.flags.bits().into());
    message.pgoff.set(request.new_addr.0);
    delegate(k, task, message).await.map(VirtAddr)
}

fn operation(op: VmaOp, addr: VirtAddr, len: u64) -> VmaOpRequest {
    let mut message = VmaOpRequest::new_zeroed();
    message.operation.set(op.number());
    message.addr.set(addr.0);
    message.len.set(len);
    message
}

/// `__delegate_vma_op`: sends the operation home and waits. Returns the address in the response.
async fn delegate(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    mut message: VmaOpRequest,
) -> Result<u64, Errno> {
    let (home, home_pid) = (
        task.popcorn.peer_nid.get().ok_or(Errno::EFAULT)?,
        task.popcorn.peer_pid.get(),
    );
    let station = WaitStation::get(k, task.pid, Replies(1)).await;
    message.origin_pid.set(home_pid.0);
    message.remote_pid.set(task.pid.0);
    message.remote_ws.set(station.id().as_i32());
    pcn_kmsg_send(k, home, message);
    let reply = station
        .wait(
            k,
            WaitRecord::new("a delegated VMA operation").whom(home, home_pid),
        )
        .await
        .ok_or(Errno::EIO)?;
    let reply = parse::<VmaOpResponse>(k, &reply).ok_or(Errno::EIO)?;
    Errno::decode(reply.ret.get() as u64).map(|_| reply.addr.get())
}

/// `handle_vma_op_response`.
pub fn handle_vma_op_response(k: &Rc<Kernel>, envelope: Envelope) {
    let Some(station) = parse::<VmaOpResponse>(k, &envelope).map(|m| m.remote_ws.get()) else {
        return;
    };
    WaitStation::complete(k, station, Some(envelope));
}
