//! The mmap family: arguments checked, then to the mm, with the vma_server before or after it where the process is distributed.
//!
//! Which node goes first is K52's order; see [`crate::vma_server`].

use isa::layout::{MapFlags, Prot};
use isa::{Errno, PAGE_SIZE, VirtAddr};

use super::Call;
use crate::fs::FdTarget;
use crate::mm::{self, MmapRequest, MremapFlags, VmaFile};
use crate::vma_server;

/// PROT_SEM: atomic operations, which all memory allows.
const PROT_SEM: u32 = 8;

/// mmap(2).
pub(super) async fn mmap(call: Call<'_>) -> Result<u64, Errno> {
    let (k, task) = (call.k, call.task);
    let offset = call.args[5];
    if !offset.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let flags = MapFlags::decode(k.isa(), call.uint(3));
    let file = if flags.contains(MapFlags::ANONYMOUS) {
        None
    } else {
        Some(file_behind(&call, call.int(4))?)
    };
    let request = MmapRequest {
        addr: call.addr(0),
        len: call.args[1],
        prot: Prot::from_bits_truncate(call.uint(2)),
        flags,
        file,
        pgoff: offset / PAGE_SIZE,
    };
    if task.popcorn.at_remote.get() {
        return Ok(vma_server::vma_server_mmap_remote(k, task, &request)
            .await?
            .0);
    }
    let mm = task.mm();
    if flags.contains(MapFlags::FIXED) && !flags.contains(MapFlags::FIXED_NOREPLACE) {
        // What the mapping replaces must go on the other nodes as well; K52 leaves it there.
        tell_guests(&call, request.addr, request.len).await;
    }
    let _guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
    Ok(mm::do_mmap(k, &mm, &request)?.0)
}

/// The file to map. ENODEV: something else, or a file that has been written to, which the other nodes' roots do not have.
fn file_behind(call: &Call<'_>, fd: i32) -> Result<VmaFile, Errno> {
    match &call.task.files.get(fd)?.target {
        FdTarget::File { inode, path } => Ok(VmaFile {
            path: path.clone(),
            file: inode.root_file().ok_or(Errno::ENODEV)?,
        }),
        _ => Err(Errno::ENODEV),
    }
}

/// munmap(2): a guest first here and then at home; home first on the guests and then here.
pub(super) async fn munmap(call: Call<'_>) -> Result<u64, Errno> {
    let (k, task, start, len) = (call.k, call.task, call.addr(0), call.args[1]);
    let mm = task.mm();
    let at_remote = task.popcorn.at_remote.get();
    if !at_remote {
        tell_guests(&call, start, len).await;
    }
    let guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
    mm::do_munmap(k, &mm, start, len)?;
    drop(guard);
    if at_remote {
        vma_server::vma_server_munmap_remote(k, task, start, len).await?;
    }
    Ok(0)
}

/// mprotect(2): a guest first asks home; home first here and then on the guests.
pub(super) async fn mprotect(call: Call<'_>) -> Result<u64, Errno> {
    let (k, task, start, len) = (call.k, call.task, call.addr(0), call.args[1]);
    let prot = Prot::from_bits(call.uint(2) & !PROT_SEM).ok_or(Errno::EINVAL)?;
    let bits = prot.bits().into();
    let mm = task.mm();
    let at_remote = task.popcorn.at_remote.get();
    if at_remote {
        vma_server::vma_server_mprotect_remote(k, task, start, len, bits).await?;
    }
    let guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
    let result = mm::do_mprotect(k, &mm, start, len, prot);
    drop(guard);
    match result {
        // Areas that this guest has not fetched yet: home has changed them.
        Err(Errno::ENOMEM) if at_remote => Ok(0),
        Ok(()) if !at_remote => {
            vma_server::vma_server_mprotect_origin(k, task, start, len, bits, k.nid()).await;
            Ok(0)
        }
        result => result.map(|()| 0),
    }
}

/// madvise(2): a guest first here and then at home.
pub(super) async fn madvise(call: Call<'_>) -> Result<u64, Errno> {
    let (k, task, start, len, advice) =
        (call.k, call.task, call.addr(0), call.args[1], call.uint(2));
    let mm = task.mm();
    let guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
    let result = mm::do_madvise(k, &mm, start, len, advice);
    drop(guard);
    if task.popcorn.at_remote.get() && matches!(result, Ok(()) | Err(Errno::ENOMEM)) {
        return vma_server::vma_server_madvise_remote(k, task, start, len, advice.into())
            .await
            .map(|()| 0);
    }
    result.map(|()| 0)
}

/// brk(2). A guest leaves the decision to home and follows it; new heap comes by fault. K52 decides on both nodes and ignores a difference.
pub(super) async fn brk(call: Call<'_>) -> Result<u64, Errno> {
    let (k, task, wanted) = (call.k, call.task, call.addr(0));
    let mm = task.mm();
    if task.popcorn.at_remote.get() {
        let end = vma_server::vma_server_brk_remote(k, task, wanted).await?;
        let _guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
        let mut layout = mm.layout.get();
        if let (Some(end), Some(old)) = (end.page_align_up(), layout.brk.page_align_up())
            && end < old
        {
            mm::do_munmap(k, &mm, end, old.0 - end.0)?;
        }
        layout.brk = end;
        mm.layout.set(layout);
        return Ok(end.0);
    }
    let layout = mm.layout.get();
    if layout.start_brk <= wanted
        && let (Some(from), Some(to)) = (wanted.page_align_up(), layout.brk.page_align_up())
        && from < to
    {
        tell_guests(&call, from, to.0 - from.0).await;
    }
    let _guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
    Ok(mm::do_brk(k, &mm, wanted)?.0)
}

/// mremap(2): not on a guest.
pub(super) async fn mremap(call: Call<'_>) -> Result<u64, Errno> {
    let (k, task, old, old_len, new_len) =
        (call.k, call.task, call.addr(0), call.args[1], call.args[2]);
    let flags = MremapFlags::from_bits(call.uint(3)).ok_or(Errno::EINVAL)?;
    if task.popcorn.at_remote.get() {
        return Ok(vma_server::vma_server_mremap_remote()?.0);
    }
    let mm = task.mm();
    if let (Some(kept), Some(before)) = (mm::page_align_len(new_len), mm::page_align_len(old_len))
        && 0 < kept
        && kept < before
        && let Some(from) = old.checked_add(kept)
    {
        tell_guests(&call, from, before - kept).await;
    }
    let _guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
    Ok(mm::do_mremap(k, &mm, old, old_len, new_len, flags, call.addr(4))?.0)
}

/// Home is about to unmap: guests that have the process unmap first. Nothing where nothing is mapped.
async fn tell_guests(call: &Call<'_>, start: VirtAddr, len: u64) {
    let mm = call.task.mm();
    let Ok(end) = mm::munmap_range(&mm, start, len) else {
        return;
    };
    let mapped = !mm.vmas.borrow().overlapping(start, end).is_empty();
    if mm.is_distributed() && mapped {
        vma_server::vma_server_munmap_origin(call.k, call.task, start, len, call.k.nid()).await;
    }
}

/// msync(2): no mapping of a file can be written to, so that there is nothing to bring back. ENOMEM: something of the range is not mapped.
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
    match call.task.mm().vmas.borrow().holes(start, end).is_empty() {
        true => Ok(0),
        false => Err(Errno::ENOMEM),
    }
}
