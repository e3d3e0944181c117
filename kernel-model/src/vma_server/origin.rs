//! VMA_OP_REQUEST: home executes what a guest delegated; a guest's worker executes what home tells.

use std::rc::Rc;

use isa::layout::{MapFlags, Prot};
use isa::{Errno, VirtAddr};
use msglayer::messages::{VmaOp, VmaOpRequest, VmaOpResponse};
use msglayer::{Envelope, Nid};
use zerocopy::FromZeros;

use super::change::{
    vma_server_brk_origin, vma_server_madvise_origin, vma_server_mmap_origin,
    vma_server_mprotect_origin, vma_server_mremap_origin, vma_server_munmap_origin,
};
use super::operations::FD_PATH;
use crate::config::Profile;
use crate::costs::Cost;
use crate::kernel::Kernel;
use crate::kmsg::{parse, pcn_kmsg_send};
use crate::mm::{self, MADV_RELEASE, MmapRequest, MremapFlags, MremapRequest, VmaFile};
use crate::page_server;
use crate::task::Task;

/// `process_vma_op_request`, in the context of the shadow (at home) or of the worker (at a guest).
pub async fn process_vma_op_request(k: &Rc<Kernel>, task: &Rc<Task>, envelope: Envelope) {
    let Some(request) = parse::<VmaOpRequest>(k, &envelope) else {
        return;
    };
    let op = VmaOp::ALL
        .into_iter()
        .find(|op| op.number() == request.operation.get());
    let result = match op {
        Some(op) if task.popcorn.at_remote.get() => process_at_remote(k, task, op, request).await,
        Some(op) => process_at_origin(k, task, envelope.from, op, request).await,
        None => Err(Errno::EINVAL),
    };
    let mut response = VmaOpResponse::new_zeroed();
    response.origin_pid.set(request.origin_pid.get());
    response.remote_pid.set(request.remote_pid.get());
    response.remote_ws.set(request.remote_ws.get());
    response.operation.set(request.operation.get());
    response.ret.set(Errno::encode(result.map(|_| 0)) as i64);
    response
        .addr
        .set(result.map_or(request.addr.get(), |addr| addr.0));
    response.len.set(request.len.get());
    pcn_kmsg_send(k, envelope.from, response);
}

/// The guest's worker does munmap and, what K52's does not, madvise and mprotect; anything else is EPERM, as in K52. It never sleeps while it
/// holds `mmap_sem`: home holds its own until the answer comes.
async fn process_at_remote(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    op: VmaOp,
    request: &VmaOpRequest,
) -> Result<VirtAddr, Errno> {
    let (mm, addr) = (task.mm(), VirtAddr(request.addr.get()));
    let rc = task.remote().ok_or(Errno::EINVAL)?;
    let range = addr..mm::munmap_range(&mm, addr, request.len.get())?;
    let _guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
    k.charge(Cost::VmaOperation);
    match op {
        VmaOp::Munmap => {
            // Whatever limits this node has: home has decided.
            mm.vmas.borrow_mut().remove(range.start, range.end);
            mm::zap_page_range(k, &mm, range.start, range.end);
            rc.vmas.watches.changed(&range);
        }
        VmaOp::Mprotect => {
            let prot = Prot::from_bits_truncate(low_word(request.prot.get())?);
            rc.vmas.watches.changed(&range);
            // Only what has been fetched; the rest comes with home's protection.
            let known = mm.vmas.borrow().overlapping(range.start, range.end);
            for part in known.iter().map(|vma| vma.clip(range.start, range.end)) {
                page_server::drop_local_pages(k, &mm, &(part.start..part.end));
                mm::do_mprotect(k, &mm, part.start, part.end.0 - part.start.0, prot)?;
            }
        }
        VmaOp::Madvise if request.prot.get() == MADV_RELEASE.into() => {
            page_server::release_pages(k, &mm, &range);
        }
        VmaOp::Madvise => mm::zap_page_range(k, &mm, range.start, range.end),
        _ => {
            k.log(&format!(
                "home asks the worker {} for {op:?}, which is nothing that is told to guests",
                task.pid
            ));
            return Err(Errno::EPERM);
        }
    }
    Ok(addr)
}

async fn process_at_origin(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    from: Nid,
    op: VmaOp,
    request: &VmaOpRequest,
) -> Result<VirtAddr, Errno> {
    let (addr, len, prot) = (
        VirtAddr(request.addr.get()),
        request.len.get(),
        request.prot.get(),
    );
    match op {
        VmaOp::Mmap => {
            let request = mmap_request(k, task, request).await?;
            vma_server_mmap_origin(k, task, &request, from).await
        }
        VmaOp::Munmap => vma_server_munmap_origin(k, task, addr, len, from)
            .await
            .map(|()| addr),
        VmaOp::Mprotect => {
            let prot = Prot::from_bits_truncate(low_word(prot)?);
            vma_server_mprotect_origin(k, task, addr, len, prot, from)
                .await
                .map(|()| addr)
        }
        VmaOp::Madvise => vma_server_madvise_origin(k, task, addr, len, low_word(prot)?, from)
            .await
            .map(|()| addr),
        VmaOp::Brk => Ok(vma_server_brk_origin(k, task, addr, from).await),
        VmaOp::Mremap if k.config.profile != Profile::K52 => {
            let request = MremapRequest {
                old: addr,
                old_len: len,
                new_len: prot,
                flags: MremapFlags::from_bits(low_word(request.flags.get())?)
                    .ok_or(Errno::EINVAL)?,
                new_addr: VirtAddr(request.pgoff.get()),
            };
            vma_server_mremap_origin(k, task, &request, from).await
        }
        VmaOp::Nop | VmaOp::Mremap => Err(Errno::EINVAL),
    }
}

async fn mmap_request(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    request: &VmaOpRequest,
) -> Result<MmapRequest, Errno> {
    let path = request.path.as_str().map_err(|_| Errno::EINVAL)?;
    let fd = path.strip_prefix(FD_PATH).map(str::parse);
    let file = match path {
        _ if path.is_empty() || fd.is_some() => None,
        path => Some(VmaFile::of_root(path, k.root.open(path, k.isa())?)),
    };
    let mut request = MmapRequest {
        addr: VirtAddr(request.addr.get()),
        len: request.len.get(),
        prot: Prot::from_bits_truncate(low_word(request.prot.get())?),
        flags: MapFlags::from_bits_truncate(low_word(request.flags.get())?),
        pgoff: request.pgoff.get(),
        file,
        may_write: false,
    };
    if let Some(fd) = fd {
        let fd = fd.map_err(|_| Errno::EINVAL)?;
        request.map_file(k, task, fd).await?;
    }
    Ok(request)
}

fn low_word(value: u64) -> Result<u32, Errno> {
    u32::try_from(value).map_err(|_| Errno::EINVAL)
}
