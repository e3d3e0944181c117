//! REMOTE_PAGE_REQUEST: another node wants a page. `process_remote_page_request` and its two sides.

use std::rc::Rc;

use isa::VirtAddr;
use msglayer::messages::{
    FaultFlags, RemotePageRequest, RemotePageResponse, RemotePageResponseShort, VmFault,
};
use msglayer::{Envelope, Nid};
use zerocopy::FromZeros;

use super::PAGE;
use super::claim::{claim_local_page, claim_remote_page};
use super::fault_table::Start;
use super::invariants::check_home_page;
use super::local_fault::{bug, touch};
use crate::config::Profile;
use crate::costs::Cost;
use crate::event::Event;
use crate::ids::Pid;
use crate::kernel::Kernel;
use crate::kmsg::{BoxFuture, parse, pcn_kmsg_post};
use crate::mm::{Mm, VmFlags, Vma};
use crate::remote_context::RemoteContext;
use crate::task::Task;

/// What a request is answered with.
enum Answer {
    Page(Box<[u8; PAGE]>),
    Result(VmFault),
}

/// How often home tries for `mmap_sem` before it says RETRY.
const LOCK_ATTEMPTS: u32 = 5;

/// Runs on `popcorn_wq`.
pub fn handle_remote_page_request(k: Rc<Kernel>, envelope: Envelope) -> BoxFuture {
    Box::pin(async move {
        let Some(request) = parse::<RemotePageRequest>(&k, &envelope).cloned() else {
            return;
        };
        let answer = process_remote_page_request(&k, envelope.from, &request).await;
        match answer {
            Answer::Page(page) => {
                let mut response = RemotePageResponse::new_zeroed();
                response.remote_pid.set(request.remote_pid.get());
                response.origin_pid.set(request.origin_pid.get());
                response.origin_ws.set(request.origin_ws.get());
                response.addr.set(request.addr.get());
                response.page = *page;
                pcn_kmsg_post(&k, envelope.from, response);
            }
            Answer::Result(result) => {
                let mut response = RemotePageResponseShort::new_zeroed();
                response.remote_pid.set(request.remote_pid.get());
                response.origin_pid.set(request.origin_pid.get());
                response.origin_ws.set(request.origin_ws.get());
                response.addr.set(request.addr.get());
                response.result.set(result.to_wire());
                pcn_kmsg_post(&k, envelope.from, response);
            }
        }
    })
}

async fn process_remote_page_request(
    k: &Rc<Kernel>,
    from: Nid,
    request: &RemotePageRequest,
) -> Answer {
    let task = k.find_task(Pid(request.remote_pid.get()));
    let mm = task.as_ref().and_then(|task| task.mm.borrow().clone());
    let (Some(task), Some(mm)) = (task, mm) else {
        return Answer::Result(VmFault::SIGBUS);
    };
    let Some(rc) = mm.remote() else {
        return Answer::Result(VmFault::SIGBUS);
    };
    let served = Served {
        task: &task,
        mm: &mm,
        rc: &rc,
        from,
        addr: Kernel::page_of(VirtAddr(request.addr.get())),
        write: FaultFlags::from_bits_retain(request.fault_flags.get()).contains(FaultFlags::WRITE),
    };
    let k52 = k.config.profile == Profile::K52;
    let mut attempts = 0;
    loop {
        // At home a writer that waits comes first, or a page that goes to and fro could keep it waiting for ever.
        let pass = rc.for_remote || !mm.mmap_sem.is_write_wanted();
        let Some(guard) = pass.then(|| mm.mmap_sem.try_read(&k.exec)).flatten() else {
            attempts += 1;
            if attempts >= LOCK_ATTEMPTS && !rc.for_remote {
                return Answer::Result(VmFault::RETRY);
            }
            k.exec.schedule().await;
            continue;
        };
        let vma = mm.vmas.borrow().covering(served.addr).cloned();
        let answer = match vma {
            None => Answer::Result(VmFault::SIGBUS),
            Some(vma) if k52 && vma.flags.contains(VmFlags::EXEC) => Answer::Result(bug(
                k,
                format!(
                    "node {from} asks for page {} of an executable area",
                    served.addr
                ),
            )),
            Some(vma) if rc.for_remote => served.at_remote(k, &vma).await,
            Some(vma) => served.at_origin(k, &vma).await,
        };
        drop(guard);
        match answer {
            Answer::Result(VmFault::LOCKED) => k.exec.schedule().await,
            answer => return answer,
        }
    }
}

struct Served<'a> {
    task: &'a Rc<Task>,
    mm: &'a Rc<Mm>,
    rc: &'a Rc<RemoteContext>,
    from: Nid,
    addr: VirtAddr,
    write: bool,
}

impl Served<'_> {
    /// `__handle_remotefault_at_origin`.
    async fn at_origin(&self, k: &Rc<Kernel>, vma: &Vma) -> Answer {
        if self.write && !vma.flags.contains(VmFlags::WRITE) {
            // Home took the permission back after the guest had cached the area.
            return Answer::Result(VmFault::SIGSEGV);
        }
        let touched = self.mm.page_table.borrow().get(self.addr).is_some();
        if !touched && let Err(result) = touch(k, self.mm, self.rc, vma, self.addr, self.write) {
            return Answer::Result(result);
        }
        let start = self
            .rc
            .faults
            .start(&k.exec, self.addr, self.task.pid, self.write, true, false)
            .await;
        let handle = match start {
            Start::Leader(handle) => handle,
            Start::Followed(_) | Start::Retry => return Answer::Result(VmFault::RETRY),
            Start::Impossible(why) => return Answer::Result(bug(k, why)),
        };
        let answer = self.lead_at_origin(k, vma).await;
        let result = match &answer {
            Answer::Result(result) if *result != VmFault::CONTINUE => *result,
            _ => VmFault::empty(),
        };
        self.rc.faults.finish(&k.exec, &handle, result);
        check_home_page(k, self.mm, self.rc, self.addr);
        answer
    }

    async fn lead_at_origin(&self, k: &Rc<Kernel>, vma: &Vma) -> Answer {
        let (me, addr, from) = (k.nid(), self.addr, self.from);
        let word = self.rc.pages.borrow().get(addr);
        let mut grant = self.is_unwritten_code(vma);
        if word.is_distributed() && word.is_owned_by(from) {
            if !self.write {
                return Answer::Result(bug(
                    k,
                    format!("a read fault from owner {from} of page {addr}"),
                ));
            }
            claim_local_page(k, self.task, self.rc, addr, from).await;
            grant = true;
        } else if !word.is_mine(me) {
            let result =
                claim_remote_page(k, self.task, self.mm, self.rc, addr, self.write, from).await;
            if !result.is_empty() {
                return Answer::Result(result);
            }
        } else if self.write {
            claim_local_page(k, self.task, self.rc, addr, me).await;
        }
        let answer = if grant {
            Answer::Result(VmFault::CONTINUE)
        } else {
            self.copy_page(k)
        };
        self.hand_over(k);
        answer
    }

    /// Code of a file that each node has for its own instruction set, and that nobody has changed.
    fn is_unwritten_code(&self, vma: &Vma) -> bool {
        let dirty = (self.mm.page_table.borrow().get(self.addr)).is_none_or(|pte| pte.dirty);
        vma.flags.contains(VmFlags::EXEC) && vma.named_file().is_some() && !dirty
    }

    /// The requester becomes an owner: the only one for a write, next to home for a read.
    fn hand_over(&self, k: &Rc<Kernel>) {
        let (me, addr) = (k.nid(), self.addr);
        let mut pages = self.rc.pages.borrow_mut();
        pages.set_owner(addr, self.from);
        if self.write {
            pages.clear_owner(addr, me);
        } else {
            pages.set_owner(addr, me);
        }
        drop(pages);
        self.restrict(k, !self.write);
    }

    /// `__handle_remotefault_at_remote`: home wants this guest's copy.
    async fn at_remote(&self, k: &Rc<Kernel>, _vma: &Vma) -> Answer {
        let start = self
            .rc
            .faults
            .start(&k.exec, self.addr, self.task.pid, self.write, true, true)
            .await;
        let handle = match start {
            Start::Leader(handle) => handle,
            Start::Followed(_) | Start::Retry => return Answer::Result(VmFault::LOCKED),
            Start::Impossible(why) => return Answer::Result(bug(k, why)),
        };
        let answer = self.lead_at_remote(k);
        self.rc.faults.finish(&k.exec, &handle, VmFault::empty());
        answer
    }

    fn lead_at_remote(&self, k: &Rc<Kernel>) -> Answer {
        let present = self
            .mm
            .page_table
            .borrow()
            .get(self.addr)
            .is_some_and(|pte| pte.present);
        if !present {
            return Answer::Result(VmFault::SIGSEGV);
        }
        if !self.rc.pages.borrow().get(self.addr).is_mine(k.nid()) {
            return Answer::Result(bug(
                k,
                format!("home asks for page {}, which is not here", self.addr),
            ));
        }
        let answer = self.copy_page(k);
        if self.write {
            self.rc.pages.borrow_mut().clear_owner(self.addr, k.nid());
        }
        self.restrict(k, !self.write);
        answer
    }

    fn copy_page(&self, k: &Rc<Kernel>) -> Answer {
        let pte = self.mm.page_table.borrow().get(self.addr);
        let Some(pte) = pte else {
            return Answer::Result(VmFault::SIGSEGV);
        };
        k.charge(Cost::CopyPage);
        let mut page = Box::new([0; PAGE]);
        k.read_frame(pte.pfn, 0, &mut page[..]);
        Answer::Page(page)
    }

    /// This node's entry is write-protected, or made invalid.
    fn restrict(&self, k: &Rc<Kernel>, keeps_read: bool) {
        self.mm.page_table.borrow_mut().update(self.addr, |pte| {
            pte.present = keeps_read;
            pte.write = false;
            // Whoever asked writes to it.
            pte.dirty |= !keeps_read;
        });
        k.flush_tlb();
        k.event(&Event::PageRevoked {
            addr: self.addr,
            keeps_read,
        });
    }
}
