//! VMA_OP_REQUEST: home executes what a guest delegated; a guest's worker executes the munmap or mprotect that home broadcasts.

use std::rc::Rc;

use isa::layout::{MapFlags, Prot};
use isa::{Errno, PAGE_SIZE, VirtAddr};
use msglayer::messages::{VmaOp, VmaOpRequest, VmaOpResponse};
use msglayer::{Envelope, Nid};
use zerocopy::FromZeros;

use crate::config::Profile;
use crate::exec::WaitRecord;
use crate::kernel::Kernel;
use crate::kmsg::{Replies, WaitStation, parse, pcn_kmsg_send};
use crate::mm::{self, MmapRequest, VmaFile};
use crate::page_server;
use crate::task::Task;

/// madvise(MADV_RELEASE): give a guest's copies of pages up.
const MADV_RELEASE: u64 = 20;

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

/// The guest's worker does munmap and, what K52's does not, mprotect; anything else is EPERM, as in K52.
async fn process_at_remote(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    op: VmaOp,
    request: &VmaOpRequest,
) -> Result<VirtAddr, Errno> {
    let (mm, addr, len) = (task.mm(), VirtAddr(request.addr.get()), request.len.get());
    match op {
        VmaOp::Munmap => {
            let _guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
            mm::do_munmap(k, &mm, addr, len)?;
        }
        VmaOp::Mprotect => {
            let prot = Prot::from_bits_truncate(low_word(request.prot.get())?);
            let end = addr.checked_add(len).ok_or(Errno::EINVAL)?;
            let _guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
            // Only what has been fetched; the rest comes with home's protection.
            let known = mm.vmas.borrow().overlapping(addr, end);
            for part in known.iter().map(|vma| vma.clip(addr, end)) {
                mm::do_mprotect(k, &mm, part.start, part.end.0 - part.start.0, prot)?;
            }
        }
        _ => {
            k.log(&format!(
                "home asks the worker {} for a VMA operation that is neither munmap nor mprotect",
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
    let (mm, addr, len) = (task.mm(), VirtAddr(request.addr.get()), request.len.get());
    if op == VmaOp::Munmap {
        vma_server_munmap_origin(k, task, addr, len, from).await;
    }
    let guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
    let result = match op {
        VmaOp::Mmap => mm::do_mmap(k, &mm, &mmap_request(k, request)?),
        VmaOp::Munmap => mm::do_munmap(k, &mm, addr, len).map(|()| addr),
        VmaOp::Mprotect => mm::do_mprotect(
            k,
            &mm,
            addr,
            len,
            Prot::from_bits_truncate(low_word(request.prot.get())?),
        )
        .map(|()| addr),
        VmaOp::Madvise if request.prot.get() == MADV_RELEASE => {
            page_server::release_pages(&mm, addr, len, from);
            Ok(addr)
        }
        VmaOp::Madvise => {
            mm::do_madvise(k, &mm, addr, len, low_word(request.prot.get())?).map(|()| addr)
        }
        VmaOp::Brk => mm::do_brk(k, &mm, addr),
        VmaOp::Nop | VmaOp::Mremap => Err(Errno::EINVAL),
    };
    drop(guard);
    if op == VmaOp::Mprotect && result.is_ok() {
        vma_server_mprotect_origin(k, task, addr, len, request.prot.get(), from).await;
    }
    result
}

/// `vma_server_munmap_origin`: tells every node that has the process, but `except` and this one, one after the other, waiting for each.
pub async fn vma_server_munmap_origin(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    addr: VirtAddr,
    len: u64,
    except: Nid,
) {
    let mut request = VmaOpRequest::new_zeroed();
    request.operation.set(VmaOp::Munmap.number());
    request.addr.set(addr.0);
    request.len.set(len);
    tell_guests(k, task, request, "a munmap on another node", except).await;
}

/// The same for a new protection, of `prot`'s bits. K52 tells nobody, so that a guest keeps to the old one.
pub async fn vma_server_mprotect_origin(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    addr: VirtAddr,
    len: u64,
    prot: u64,
    except: Nid,
) {
    if k.config.profile == Profile::K52 {
        return;
    }
    let mut request = VmaOpRequest::new_zeroed();
    request.operation.set(VmaOp::Mprotect.number());
    request.addr.set(addr.0);
    request.len.set(len.next_multiple_of(PAGE_SIZE));
    request.prot.set(prot);
    tell_guests(k, task, request, "an mprotect on another node", except).await;
}

async fn tell_guests(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    request: VmaOpRequest,
    what: &'static str,
    except: Nid,
) {
    let Some(rc) = task.mm().remote() else { return };
    for nid in Nid::all().filter(|nid| *nid != except && *nid != k.nid()) {
        let Some(worker) = rc
            .remote_tgid(nid)
            .filter(|_| k.nodes.borrow().get_popcorn_node_online(nid))
        else {
            continue;
        };
        let station = WaitStation::get(k, task.pid, Replies(1)).await;
        let mut request = request;
        request.origin_pid.set(worker.0);
        request.remote_pid.set(task.pid.0);
        request.remote_ws.set(station.id().as_i32());
        let addr = VirtAddr(request.addr.get());
        pcn_kmsg_send(k, nid, request);
        station
            .wait(k, WaitRecord::new(what).addr(addr).whom(nid, worker))
            .await;
    }
}

fn mmap_request(k: &Rc<Kernel>, request: &VmaOpRequest) -> Result<MmapRequest, Errno> {
    let file = match request.path.as_str().map_err(|_| Errno::EINVAL)? {
        "" => None,
        path => Some(VmaFile {
            path: path.into(),
            file: k.root.open(path, k.isa())?,
        }),
    };
    Ok(MmapRequest {
        addr: VirtAddr(request.addr.get()),
        len: request.len.get(),
        prot: Prot::from_bits_truncate(low_word(request.prot.get())?),
        flags: MapFlags::from_bits_truncate(low_word(request.flags.get())?),
        pgoff: request.pgoff.get(),
        file,
    })
}

fn low_word(value: u64) -> Result<u32, Errno> {
    u32::try_from(value).map_err(|_| Errno::EINVAL)
}
