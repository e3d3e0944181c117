//! PAGE_INVALIDATE_REQUEST at a guest: the copy is dropped, after the ongoing fault on it if there is one.

use std::rc::Rc;

use isa::VirtAddr;
use msglayer::Envelope;
use msglayer::messages::{PageInvalidateRequest, PageInvalidateResponse};
use zerocopy::FromZeros;

use super::local_fault::bug;
use crate::config::Profile;
use crate::event::Event;
use crate::ids::Pid;
use crate::kernel::{Halt, Kernel};
use crate::kmsg::{BoxFuture, WaitStation, parse, pcn_kmsg_post};
use crate::task::Task;

/// Runs on `popcorn_wq`.
pub fn handle_page_invalidate_request(k: Rc<Kernel>, envelope: Envelope) -> BoxFuture {
    Box::pin(async move {
        let Some(request) = parse::<PageInvalidateRequest>(&k, &envelope).cloned() else {
            return;
        };
        let pid = Pid(request.remote_pid.get());
        match k.find_task(pid) {
            Some(task) => invalidate_page(&k, &task, VirtAddr(request.addr.get())).await,
            // The process has ended here meanwhile. K52 sends no reply and home hangs; there is no copy left, which is what was asked.
            None if k.config.profile == Profile::K52 => {
                return k.halt(Halt::WouldHang(format!(
                    "an invalidation names task {pid}, which does not exist; no reply is sent"
                )));
            }
            None => {}
        }
        let mut response = PageInvalidateResponse::new_zeroed();
        response.origin_pid.set(request.origin_pid.get());
        response.origin_ws.set(request.origin_ws.get());
        response.remote_pid.set(request.remote_pid.get());
        pcn_kmsg_post(&k, envelope.from, response);
    })
}

/// `__invalidate_page`.
async fn invalidate_page(k: &Rc<Kernel>, task: &Rc<Task>, addr: VirtAddr) {
    let mm = task.mm.borrow().clone();
    let Some((mm, rc)) = mm.and_then(|mm| mm.remote().map(|rc| (mm, rc))) else {
        return;
    };
    let waited = rc.faults.is_ongoing(addr);
    if waited && let Err(why) = rc.faults.wait_for_ongoing(&k.exec, addr).await {
        bug(k, why);
        return;
    }
    rc.pages.borrow_mut().clear_owner(addr, k.nid());
    mm.page_table.borrow_mut().update(addr, |pte| {
        pte.present = false;
        pte.write = false;
    });
    k.flush_tlb();
    k.event(&Event::PageRevoked {
        addr,
        keeps_read: false,
    });
    if waited {
        rc.faults.release(&k.exec, addr);
    }
}

/// An acknowledgement: counts, brings nothing.
pub fn handle_page_invalidate_response(k: &Rc<Kernel>, envelope: Envelope) {
    let Some(response) = parse::<PageInvalidateResponse>(k, &envelope) else {
        return;
    };
    WaitStation::complete(k, response.origin_ws.get(), None);
}
