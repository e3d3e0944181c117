//! Pages of a range as a whole, while home holds `mmap_sem` for writing so that no transaction is under way: home fetches them all (mremap), or
//! a guest gives its copies up (MADV_RELEASE).

use std::ops::Range;
use std::rc::Rc;

use isa::{Errno, PAGE_SIZE, VirtAddr};
use msglayer::Nid;

use super::Ownership;
use super::claim::claim_remote_page;
use crate::event::Event;
use crate::kernel::Kernel;
use crate::mm::{self, Mm};
use crate::remote_context::RemoteContext;
use crate::task::Task;

/// Home gets every page of the range that it does not own, and forgets that any of them was distributed: the caller tells the guests next that
/// the range is gone. EFAULT: an owner does not give its page; ENOMEM and others as the fault would.
pub async fn bring_home(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    mm: &Rc<Mm>,
    range: &Range<VirtAddr>,
) -> Result<(), Errno> {
    let Some(rc) = mm.remote() else { return Ok(()) };
    for (addr, word) in words(&rc, range) {
        if !word.is_mine(k.nid()) {
            let result = claim_remote_page(k, task, mm, &rc, addr, true, k.nid()).await;
            if !result.is_empty() {
                return Err(Errno::EFAULT);
            }
            mm.page_table
                .borrow_mut()
                .update(addr, |pte| pte.present = true);
            rc.pages.borrow_mut().set_owner(addr, k.nid());
            k.event(&Event::PageGranted {
                pid: task.pid,
                addr,
                write: true,
                data: true,
            });
        }
    }
    Ok(())
}

/// At home: the parts of a range, as long as possible, in which a guest owns each page together with others.
pub fn shared_runs(
    rc: &RemoteContext,
    range: &Range<VirtAddr>,
    guest: Nid,
) -> Vec<Range<VirtAddr>> {
    let mut runs: Vec<Range<VirtAddr>> = Vec::new();
    for (addr, word) in words(rc, range) {
        if !word.is_owned_by(guest) || word.count() < 2 {
            continue;
        }
        let end = addr.wrapping_add(PAGE_SIZE);
        match runs.last_mut() {
            Some(run) if run.end == addr => run.end = end,
            _ => runs.push(addr..end),
        }
    }
    runs
}

/// At home: a guest owns nothing of the range any more.
pub fn forget_owner(rc: &RemoteContext, range: &Range<VirtAddr>, guest: Nid) {
    for (addr, word) in words(rc, range) {
        if word.is_owned_by(guest) {
            rc.pages.borrow_mut().clear_owner(addr, guest);
        }
    }
}

/// `page_server_release_page_ownership`, at a guest: its copies of the range become invalid.
pub fn release_pages(k: &Rc<Kernel>, mm: &Rc<Mm>, range: &Range<VirtAddr>) {
    let Some(rc) = mm.remote() else { return };
    for (addr, word) in words(&rc, range) {
        if !word.is_distributed() || !word.is_owned_by(k.nid()) {
            continue;
        }
        rc.pages.borrow_mut().clear_owner(addr, k.nid());
        mm.page_table.borrow_mut().update(addr, |pte| {
            pte.present = false;
            pte.write = false;
        });
        k.event(&Event::PageRevoked {
            addr,
            keeps_read: false,
        });
    }
    k.flush_tlb();
}

/// At a guest: pages that came from this node's own file go. Under another protection the rule may be another, and they come again by fault.
pub fn drop_local_pages(k: &Rc<Kernel>, mm: &Rc<Mm>, range: &Range<VirtAddr>) {
    let Some(rc) = mm.remote() else { return };
    let local: Vec<_> = mm
        .page_table
        .borrow()
        .range(range.start, range.end)
        .into_iter()
        .filter(|(addr, _)| !rc.pages.borrow().get(*addr).is_distributed())
        .collect();
    for (addr, _) in local {
        mm::zap_page_range(k, mm, addr, addr.wrapping_add(PAGE_SIZE));
    }
}

fn words(rc: &RemoteContext, range: &Range<VirtAddr>) -> Vec<(VirtAddr, Ownership)> {
    rc.pages.borrow().range(range.start, range.end)
}
