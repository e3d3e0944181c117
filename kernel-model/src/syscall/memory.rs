//! The mmap family: arguments checked, then to the vma_server, which changes this node's mm and those of the others.
//!
//! A remote thread asks home and has nothing to do itself. K52's remote threads also change their own node, before or after that; see
//! [`crate::vma_server`].

use isa::layout::{MapFlags, Prot};
use isa::{Errno, PAGE_SIZE};

use super::Call;
use crate::config::Profile;
use crate::mm::{self, MADV_RELEASE, MmapRequest, MremapFlags, MremapRequest};
use crate::{page_server, vma_server};

/// PROT_SEM: atomic operations, which all memory allows.
const PROT_SEM: u32 = 8;

/// mmap(2).
pub(super) async fn mmap(call: Call<'_>) -> Result<u64, Errno> {
    let (k, task) = (call.k, call.task);
    let offset = call.args[5];
    if !offset.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let (raw, flags) = (call.uint(3), MapFlags::decode(k.isa(), call.uint(3)));
    let fd = (!flags.contains(MapFlags::ANONYMOUS)).then(|| call.int(4));
    let mut request = MmapRequest {
        addr: call.addr(0),
        len: call.args[1],
        prot: Prot::from_bits_truncate(call.uint(2)),
        flags,
        file: None,
        pgoff: offset / PAGE_SIZE,
        may_write: false,
    };
    check_kind(raw, fd.is_some())?;
    let start = if task.popcorn.at_remote.get() {
        if let Some(fd) = fd.filter(|_| k.config.profile == Profile::K52) {
            // A guest's own table, which is empty.
            task.files.get(fd)?;
        }
        vma_server::vma_server_mmap_remote(k, task, &request, fd).await?
    } else {
        if let Some(fd) = fd {
            request.map_file(k, task, fd).await?;
        }
        vma_server::vma_server_mmap_origin(k, task, &request, k.nid()).await?
    };
    Ok(start.0)
}

/// The kind of sharing, as the program gave it. EINVAL: none that there is. EOPNOTSUPP: MAP_SHARED_VALIDATE with flags from after its time.
fn check_kind(raw: u32, of_file: bool) -> Result<(), Errno> {
    const MAP_TYPE: u32 = 0xf;
    const MAP_SHARED_VALIDATE: u32 = 3;
    const LEGACY_MAP_MASK: u32 = 0x7c07_f973;
    match raw & MAP_TYPE {
        1 | 2 => Ok(()),
        MAP_SHARED_VALIDATE if !of_file => Err(Errno::EINVAL),
        MAP_SHARED_VALIDATE if raw & !LEGACY_MAP_MASK != 0 => Err(Errno::EOPNOTSUPP),
        MAP_SHARED_VALIDATE => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

/// munmap(2).
pub(super) async fn munmap(call: Call<'_>) -> Result<u64, Errno> {
    let (k, task, start, len) = (call.k, call.task, call.addr(0), call.args[1]);
    if !task.popcorn.at_remote.get() {
        vma_server::vma_server_munmap_origin(k, task, start, len, k.nid()).await?;
        return Ok(0);
    }
    if k.config.profile == Profile::K52 {
        let mm = task.mm();
        let _guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
        mm::do_munmap(k, &mm, start, len)?;
    }
    vma_server::vma_server_munmap_remote(k, task, start, len).await?;
    Ok(0)
}

/// mprotect(2).
pub(super) async fn mprotect(call: Call<'_>) -> Result<u64, Errno> {
    let (k, task, start, len) = (call.k, call.task, call.addr(0), call.args[1]);
    let prot = Prot::from_bits(call.uint(2) & !PROT_SEM).ok_or(Errno::EINVAL)?;
    if !task.popcorn.at_remote.get() {
        vma_server::vma_server_mprotect_origin(k, task, start, len, prot, k.nid()).await?;
        return Ok(0);
    }
    vma_server::vma_server_mprotect_remote(k, task, start, len, prot.bits().into()).await?;
    if k.config.profile == Profile::K52 {
        let mm = task.mm();
        let _guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
        return match mm::do_mprotect(k, &mm, start, len, prot) {
            // Areas that this guest has not fetched yet: home has changed them.
            Ok(()) | Err(Errno::ENOMEM) => Ok(0),
            Err(errno) => Err(errno),
        };
    }
    Ok(0)
}

/// madvise(2).
pub(super) async fn madvise(call: Call<'_>) -> Result<u64, Errno> {
    let (k, task, start, len, advice) =
        (call.k, call.task, call.addr(0), call.args[1], call.uint(2));
    if !task.popcorn.at_remote.get() {
        vma_server::vma_server_madvise_origin(k, task, start, len, advice, k.nid()).await?;
        return Ok(0);
    }
    if k.config.profile == Profile::K52 {
        let mm = task.mm();
        let _guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
        for part in mm::do_madvise(k, &mm, start, len, advice)?.parts {
            if advice == MADV_RELEASE {
                page_server::release_pages(k, &mm, &part);
            } else {
                mm::zap_page_range(k, &mm, part.start, part.end);
            }
        }
    }
    vma_server::vma_server_madvise_remote(k, task, start, len, advice.into()).await?;
    Ok(0)
}

/// brk(2). A guest leaves the decision to home; new heap comes by fault. K52 decides on both nodes and ignores a difference: there the guest
/// follows home, which does not tell it what is gone.
pub(super) async fn brk(call: Call<'_>) -> Result<u64, Errno> {
    let (k, task, wanted) = (call.k, call.task, call.addr(0));
    if !task.popcorn.at_remote.get() {
        let end = vma_server::vma_server_brk_origin(k, task, wanted, k.nid()).await;
        return Ok(end.0);
    }
    let end = vma_server::vma_server_brk_remote(k, task, wanted).await?;
    let mm = task.mm();
    let mut layout = mm.layout.get();
    if k.config.profile == Profile::K52
        && let (Some(end), Some(old)) = (end.page_align_up(), layout.brk.page_align_up())
        && end < old
    {
        let _guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
        mm::do_munmap(k, &mm, end, old.0 - end.0)?;
    }
    layout.brk = end;
    mm.layout.set(layout);
    Ok(end.0)
}

/// mremap(2).
pub(super) async fn mremap(call: Call<'_>) -> Result<u64, Errno> {
    let (k, task) = (call.k, call.task);
    let request = MremapRequest {
        old: call.addr(0),
        old_len: call.args[1],
        new_len: call.args[2],
        flags: MremapFlags::from_bits(call.uint(3)).ok_or(Errno::EINVAL)?,
        new_addr: call.addr(4),
    };
    let start = if task.popcorn.at_remote.get() {
        vma_server::vma_server_mremap_remote(k, task, &request).await?
    } else {
        vma_server::vma_server_mremap_origin(k, task, &request, k.nid()).await?
    };
    Ok(start.0)
}

/// msync(2), always as if MS_SYNC. A remote thread's runs at home. ENOMEM: something of the range is not mapped (the rest has been brought
/// into its files). ENOSPC: a file has no room.
pub(super) async fn msync(call: Call<'_>) -> Result<u64, Errno> {
    const MS_ASYNC: u32 = 1;
    const MS_SYNC: u32 = 4;
    const MS_ALL: u32 = 7;
    let (start, flags) = (call.addr(0), call.uint(2));
    let both = MS_ASYNC | MS_SYNC;
    if flags & !MS_ALL != 0 || flags & both == both || start.page_offset() != 0 {
        return Err(Errno::EINVAL);
    }
    let len = mm::page_align_len(call.args[1]).ok_or(Errno::ENOMEM)?;
    let end = start.checked_add(len).ok_or(Errno::ENOMEM)?;
    mm::write_back(call.k, call.task, start, end).await?;
    match call.task.mm().vmas.borrow().holes(start, end).is_empty() {
        true => Ok(0),
        false => Err(Errno::ENOMEM),
    }
}
