//! The kernel at home and a page of user memory: pinned while it is looked at (`page_server_get_userpage` and `_put_userpage`), or written
//! whatever its protection is.

use std::rc::Rc;

use isa::{Errno, VirtAddr};
use msglayer::messages::VmFault;

use super::claim::{claim_local_page, claim_remote_page};
use super::fault_table::{FaultHandle, Start};
use super::local_fault::bug;
use crate::kernel::Kernel;
use crate::mm::Mm;
use crate::remote_context::RemoteContext;
use crate::task::Task;

/// A page that nobody can take away: a read fault on it is held open.
pub struct UserPage {
    rc: Rc<RemoteContext>,
    handle: Rc<FaultHandle>,
}

/// Makes the page of `addr` readable at home and pins it. `None` when the process is not distributed, or the page has never been anywhere
/// else: then nothing can take it away between two looks.
///
/// EFAULT: the page cannot be fetched. The page must be mapped (fault it in first). The caller holds `mmap_sem` for reading, so that nobody
/// takes the page's area away while the page is fetched; from then on the handle keeps the page here.
pub async fn get_userpage(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    addr: VirtAddr,
) -> Result<Option<UserPage>, Errno> {
    let mm = task.mm();
    let addr = Kernel::page_of(addr);
    let Some(rc) = mm.remote().filter(|rc| !rc.for_remote) else {
        return Ok(None);
    };
    loop {
        if !rc.pages.borrow().get(addr).is_distributed() {
            return Ok(None);
        }
        match rc
            .faults
            .start(&k.exec, addr, task.pid, false, false, false)
            .await
        {
            Start::Leader(handle) => {
                let result = make_readable(k, task, &mm, &rc, addr).await;
                if !result.is_empty() {
                    rc.faults.finish(&k.exec, &handle, result);
                    return Err(Errno::EFAULT);
                }
                return Ok(Some(UserPage { rc, handle }));
            }
            // Somebody made it readable just now; that is no pin yet.
            Start::Followed(_) | Start::Retry => k.exec.schedule().await,
            Start::Impossible(why) => {
                bug(k, why);
                return Err(Errno::EFAULT);
            }
        }
    }
}

/// Lets the page go.
pub fn put_userpage(k: &Rc<Kernel>, page: Option<UserPage>) {
    if let Some(page) = page {
        page.rc
            .faults
            .finish(&k.exec, &page.handle, VmFault::empty());
    }
}

async fn make_readable(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    mm: &Rc<Mm>,
    rc: &Rc<RemoteContext>,
    addr: VirtAddr,
) -> VmFault {
    let me = k.nid();
    let word = rc.pages.borrow().get(addr);
    if !word.is_distributed() || word.is_mine(me) {
        return VmFault::empty();
    }
    let result = claim_remote_page(k, task, mm, rc, addr, false, me).await;
    if result.is_empty() {
        mm.page_table.borrow_mut().update(addr, |pte| {
            pte.present = true;
            pte.write = false;
        });
        rc.pages.borrow_mut().set_owner(addr, me);
    }
    result
}

/// Writes into a page that home has a frame of: every other copy goes first. What its area allows is not asked.
///
/// EFAULT: the page cannot be fetched.
pub async fn write_page(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    addr: VirtAddr,
    offset: u64,
    bytes: &[u8],
) -> Result<(), Errno> {
    let mm = task.mm();
    let distributed = |rc: &Rc<RemoteContext>| rc.pages.borrow().get(addr).is_distributed();
    while let Some(rc) = mm.remote().filter(distributed) {
        let faults = &rc.faults;
        match faults
            .start(&k.exec, addr, task.pid, true, false, false)
            .await
        {
            Start::Leader(handle) => {
                let result = claim_all(k, task, &mm, &rc, addr).await;
                if result.is_empty() {
                    put(k, &mm, addr, offset, bytes);
                }
                faults.finish(&k.exec, &handle, result);
                return result.is_empty().then_some(()).ok_or(Errno::EFAULT);
            }
            Start::Followed(_) | Start::Retry => k.exec.schedule().await,
            Start::Impossible(why) => {
                bug(k, why);
                return Err(Errno::EFAULT);
            }
        }
    }
    put(k, &mm, addr, offset, bytes);
    Ok(())
}

/// Makes home the only owner, with the entry as it is for a reader: the next store faults.
async fn claim_all(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    mm: &Rc<Mm>,
    rc: &Rc<RemoteContext>,
    addr: VirtAddr,
) -> VmFault {
    let me = k.nid();
    if rc.pages.borrow().get(addr).is_mine(me) {
        claim_local_page(k, task, rc, addr, me).await;
        return VmFault::empty();
    }
    let result = claim_remote_page(k, task, mm, rc, addr, true, me).await;
    if result.is_empty() {
        mm.page_table.borrow_mut().update(addr, |pte| {
            pte.present = true;
            pte.write = false;
            pte.dirty = true;
        });
        rc.pages.borrow_mut().set_owner(addr, me);
    }
    result
}

fn put(k: &Kernel, mm: &Mm, addr: VirtAddr, offset: u64, bytes: &[u8]) {
    let pfn = mm.page_table.borrow().get(addr).map(|pte| pte.pfn);
    if let Some(pfn) = pfn {
        k.write_frame(pfn, offset, bytes);
    }
}
