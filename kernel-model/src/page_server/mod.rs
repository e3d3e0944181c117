//! The page server: Popcorn's distributed shared memory. Models `kernel/popcorn/page_server.c` of K52.
//!
//! Pages of 4 KiB, readers replicate, a writer invalidates. The home node of a process is the directory and the only place where
//! transactions on a page meet; guests never talk to each other. A page at a node is
//!
//! | state | own bit | page table entry |
//! |---|---|---|
//! | untouched | no ownership word | none, or an ordinary one at home |
//! | Invalid | 0 | not present, frame kept |
//! | Shared | 1 | present, write-protected |
//! | Exclusive | 1, the only one | present, writable |
//!
//! Invariants, checked by [`invariants`]: at most one node may write (`one-writer`); if home is no owner exactly one guest is
//! (`somebody-owns`); only home revokes; at most one transaction per page is in progress at home.
//!
//! Text and read-only file pages do not come from here as long as they are what the file says: each node has them in its own ISA's binary.
//! That an area was ever writable travels with its description ([`crate::mm::VmFlags::WRITTEN`]); its pages are asked for, and home answers
//! for code that nobody has written "granted, without data": the guest takes its own. Bytes that a program made code of travel as bytes.
//!
//! In the page messages `origin_*` is who asks and `remote_*` who answers, whichever side is home.
//!
//! Order of locks, outermost first; who holds one of them takes only those after it:
//!
//! 1. `mmap_sem` of the node. A fault and a page request hold it for reading until they are done, also while they wait for another node. Who
//!    changes areas holds it for writing. A guest never sleeps while it does; home does, until all guests have answered ([`crate::vma_server`]).
//! 2. The fault handle of a page ([`FaultTable`]): from the look at the ownership word until all that follows from it has been done.
//! 3. A wait station, and with it the sleep for an answer.
//!
//! A cycle over nodes would have to pass through one of these waits, and each ends by itself:
//!
//! * A fault at a guest holds the guest's `mmap_sem` and waits for home. Home never sleeps for its own `mmap_sem` in order to answer, but
//!   tries it a few times and says RETRY (`down_read_trylock`): the fault ends, and with it what the guest's worker may be waiting for, who is
//!   to change the areas that home has changed.
//! * A page request of home's at a guest tries the guest's `mmap_sem` until it gets it, past writers that wait: they may wait for a fault that
//!   waits for this very request. The holder for writing never sleeps.
//! * An invalidation takes no `mmap_sem`. It waits for the ongoing fault on its page, which home answers without it.
//! * A guest's thread that waits for home's word about areas (VMA_INFO_REQUEST, VMA_OP_REQUEST) holds nothing. Its shadow may therefore sleep
//!   for home's `mmap_sem`.
//!
//! Left out: the flush protocol (dead code in K52), RDMA.

mod actions;
mod claim;
mod collect;
mod fault_table;
mod foreign_code;
mod invalidate;
pub mod invariants;
mod local_fault;
mod ownership;
mod remote_fault;
mod reply;
mod userpage;

use std::rc::Rc;

use isa::{PAGE_SIZE, VirtAddr};
use msglayer::SimDuration;

use crate::exec::WaitRecord;
use crate::kernel::Kernel;
use crate::mm::Mm;
use crate::task::Task;

pub use collect::{bring_home, drop_local_pages, forget_owner, release_pages, shared_runs};
pub use fault_table::FaultTable;
pub use foreign_code::note_foreign_code;
pub use invalidate::{handle_page_invalidate_request, handle_page_invalidate_response};
pub use local_fault::page_server_handle_pte_fault;
pub use ownership::{Ownership, OwnershipTree};
pub use remote_fault::handle_remote_page_request;
pub use reply::{handle_remote_page_response, handle_remote_page_response_short};
pub use userpage::{get_userpage, put_userpage, write_page};

/// Bytes of a page, as an array length.
pub(crate) const PAGE: usize = PAGE_SIZE as usize;

/// `page_server_zap_pte`: a page of a distributed process is unmapped here; nobody is asked.
pub fn page_server_zap_pte(_k: &Rc<Kernel>, mm: &Rc<Mm>, addr: VirtAddr) {
    if let Some(rc) = mm.remote() {
        rc.pages.borrow_mut().clear(addr);
        mm.page_table
            .borrow_mut()
            .update(addr, |pte| pte.present = true);
    }
}

/// After a fault that has to be tried again: up to 10 times a busy delay that grows by 100 us, then sleeps that grow by 1 ms.
pub async fn back_off(k: &Rc<Kernel>, task: &Rc<Task>) {
    let weight = task.popcorn.backoff_weight.get() + 1;
    task.popcorn.backoff_weight.set(weight);
    if weight <= BUSY_RETRIES {
        k.busy_wait(SimDuration::from_us(100 * u64::from(weight)))
            .await;
        k.exec.schedule().await;
    } else {
        let span = SimDuration::from_ms(u64::from(weight - BUSY_RETRIES));
        k.exec
            .sleep(
                span,
                WaitRecord::new("the back-off after a contended page fault"),
            )
            .await;
    }
}

/// A fault went through: the next retry starts lower.
pub fn relax(task: &Task) {
    task.popcorn
        .backoff_weight
        .set(task.popcorn.backoff_weight.get() / 2);
}

const BUSY_RETRIES: u32 = 10;
