//! The calls that change mappings, as home carries them out: for its own threads, and for remote ones that have delegated them.
//!
//! Each takes `mmap_sem` for writing, changes the areas, and leaves guests and pages to [`super::zap`].

use std::ops::Range;
use std::rc::Rc;

use isa::layout::{MapFlags, Prot};
use isa::{Errno, VirtAddr};
use msglayer::Nid;
use msglayer::messages::VmaOp;

use super::zap::{Caller, Change, tell_guest, vma_server_zap_origin};
use crate::config::Profile;
use crate::costs::Cost;
use crate::kernel::Kernel;
use crate::mm::{self, MADV_RELEASE, Mm, MmapRequest, MremapFlags, MremapRequest, Remap};
use crate::page_server;
use crate::task::Task;

/// mmap(2). What a fixed mapping replaces goes on every node.
pub async fn vma_server_mmap_origin(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    request: &MmapRequest,
    from: Nid,
) -> Result<VirtAddr, Errno> {
    let (mm, caller) = (task.mm(), Caller { task, nid: from });
    if request.flags.contains(MapFlags::FIXED) {
        write_back(k, task, &mm, request.addr, request.len).await;
    }
    let _guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
    let (start, replaced) = mm::map_area(k, &mm, request)?;
    if let Some(range) = replaced {
        vma_server_zap_origin(k, caller, &mm, &range, Change::Replace).await;
    }
    Ok(start)
}

/// Before pages go, and before the lock: what was stored into shared mappings of files goes into the files. What fails is the program's loss, as
/// in Linux.
async fn write_back(k: &Rc<Kernel>, task: &Rc<Task>, mm: &Mm, addr: VirtAddr, len: u64) {
    if let Ok(end) = mm::munmap_range(mm, addr, len) {
        let _ = mm::write_back(k, task, addr, end).await;
    }
}

/// munmap(2).
pub async fn vma_server_munmap_origin(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    addr: VirtAddr,
    len: u64,
    from: Nid,
) -> Result<(), Errno> {
    let (mm, caller) = (task.mm(), Caller { task, nid: from });
    write_back(k, task, &mm, addr, len).await;
    let _guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
    let end = mm::munmap_range(&mm, addr, len)?;
    let mapped = mm.vmas.borrow().overlaps(addr, end);
    let range = mm::detach_vmas(k, &mm, addr, len)?;
    // K52 tells everybody of everything; a guest has nothing where home has nothing.
    if mapped || k.config.profile == Profile::K52 {
        vma_server_zap_origin(k, caller, &mm, &range, Change::Unmap).await;
    }
    Ok(())
}

/// brk(2). Returns where the heap ends afterwards.
pub async fn vma_server_brk_origin(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    wanted: VirtAddr,
    from: Nid,
) -> VirtAddr {
    let (mm, caller) = (task.mm(), Caller { task, nid: from });
    let _guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
    let (end, given_back) = mm::do_brk(k, &mm, wanted);
    if let Some(range) = given_back {
        vma_server_zap_origin(k, caller, &mm, &range, Change::Replace).await;
    }
    end
}

/// madvise(2).
pub async fn vma_server_madvise_origin(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    addr: VirtAddr,
    len: u64,
    advice: u32,
    from: Nid,
) -> Result<(), Errno> {
    let (mm, caller) = (task.mm(), Caller { task, nid: from });
    write_back(k, task, &mm, addr, len).await;
    let _guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
    let advised = mm::do_madvise(k, &mm, addr, len, advice)?;
    for part in &advised.parts {
        if advice == MADV_RELEASE {
            release(k, caller, &mm, part).await;
        } else {
            vma_server_zap_origin(k, caller, &mm, part, Change::Drop(advice)).await;
        }
    }
    advised.result
}

/// The guest that asks gives up its copies in a range. A page that only this guest holds stays its own.
///
/// K52's guest has given all up before, home takes its word, and the data of such a page are lost. At home the advice does nothing.
async fn release(k: &Rc<Kernel>, caller: Caller<'_>, mm: &Rc<Mm>, range: &Range<VirtAddr>) {
    let (Some(rc), true) = (mm.remote(), caller.nid != k.nid()) else {
        return;
    };
    if k.config.profile == Profile::K52 {
        return page_server::forget_owner(&rc, range, caller.nid);
    }
    let what = "a release of pages";
    for run in page_server::shared_runs(&rc, range, caller.nid) {
        let advice = MADV_RELEASE.into();
        tell_guest(
            k,
            caller.task,
            mm,
            caller.nid,
            &run,
            VmaOp::Madvise,
            advice,
            what,
        )
        .await;
        page_server::forget_owner(&rc, &run, caller.nid);
    }
}

/// mprotect(2), of the protection's bits. Guests are told what has changed, also when the call fails half-way.
pub async fn vma_server_mprotect_origin(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    addr: VirtAddr,
    len: u64,
    prot: Prot,
    from: Nid,
) -> Result<(), Errno> {
    let (mm, caller) = (task.mm(), Caller { task, nid: from });
    let _guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
    let (changed, result) = mm::mprotect_range(k, &mm, addr, len, prot);
    if !changed.is_empty() {
        let bits = (prot - Prot::GROWSDOWN).bits().into();
        vma_server_zap_origin(k, caller, &mm, &changed, Change::Protect(bits)).await;
    }
    result
}

/// mremap(2). Before a mapping moves, home fetches what others own of it: the pages are home's alone afterwards, at the new place.
pub async fn vma_server_mremap_origin(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    request: &MremapRequest,
    from: Nid,
) -> Result<VirtAddr, Errno> {
    let (mm, caller) = (task.mm(), Caller { task, nid: from });
    write_back(k, task, &mm, request.old, request.old_len).await;
    if request.flags.contains(MremapFlags::FIXED) {
        write_back(k, task, &mm, request.new_addr, request.new_len).await;
    }
    let _guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
    k.charge(Cost::VmaOperation);
    match mm::plan_mremap(&mm, request)? {
        Remap::Keep => {}
        Remap::Grow(more) => mm::grow_vma(&mm, &more),
        Remap::Shrink(rest) => {
            let range = mm::detach_vmas(k, &mm, rest.start, rest.end.0 - rest.start.0)?;
            vma_server_zap_origin(k, caller, &mm, &range, Change::Replace).await;
        }
        Remap::Move(old, new) => {
            page_server::bring_home(k, task, &mm, &old).await?;
            if mm.vmas.borrow().overlaps(new.start, new.end) {
                let gone = mm::detach_vmas(k, &mm, new.start, new.end.0 - new.start.0)?;
                vma_server_zap_origin(k, caller, &mm, &gone, Change::Replace).await;
            }
            mm::move_vma(k, &mm, &old, &new)?;
            // Home's pages leave the old place before the guests are told: what is told there is that the rest goes.
            mm::move_page_tables(k, &mm, &old, &new);
            vma_server_zap_origin(k, caller, &mm, &old, Change::Replace).await;
            if let Some(rc) = mm.remote() {
                rc.pages.borrow_mut().clear_range(old.start, old.end);
            }
            return Ok(new.start);
        }
    }
    Ok(request.old)
}
