//! Faults of this node's own tasks on pages of a distributed process: `page_server_handle_pte_fault` and what it leads to.

use std::rc::Rc;

use isa::{Pfn, VirtAddr};
use msglayer::messages::{FaultFlags, RemotePageRequest, VmFault};
use zerocopy::FromZeros;

use super::claim::{claim_local_page, claim_remote_page};
use super::fault_table::Start;
use super::invariants::check_home_page;
use super::reply::PageReply;
use super::{PAGE, relax};
use crate::config::Profile;
use crate::costs::Cost;
use crate::cpu::Access;
use crate::event::Event;
use crate::exec::WaitRecord;
use crate::kernel::{Halt, Kernel};
use crate::kmsg::{Replies, WaitStation, pcn_kmsg_send};
use crate::mm::{self, Mm, Pte, VmFlags, Vma};
use crate::remote_context::RemoteContext;
use crate::task::Task;

/// The hook in `handle_pte_fault`, called with `mmap_sem` held for reading and an access that the area allows.
///
/// Empty: fixed. CONTINUE: an ordinary fault. RETRY: release `mmap_sem`, back off, fault again. Others are errors.
pub async fn page_server_handle_pte_fault(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    mm: &Rc<Mm>,
    vma: &Vma,
    addr: VirtAddr,
    access: Access,
) -> VmFault {
    let Some(rc) = mm.remote() else {
        return VmFault::CONTINUE;
    };
    let addr = Kernel::page_of(addr);
    let pte = mm.page_table.borrow().get(addr);
    let fault = LocalFault {
        task,
        mm,
        rc: &rc,
        vma,
        addr,
        access,
    };
    let result = if rc.for_remote {
        fault.at_guest(k, pte).await
    } else {
        fault.at_home(k, pte).await
    };
    if !result.contains(VmFault::RETRY) {
        relax(task);
    }
    result
}

struct LocalFault<'a> {
    task: &'a Rc<Task>,
    mm: &'a Rc<Mm>,
    rc: &'a Rc<RemoteContext>,
    vma: &'a Vma,
    addr: VirtAddr,
    access: Access,
}

impl LocalFault<'_> {
    fn is_write(&self) -> bool {
        self.access == Access::Write
    }

    /// `__handle_localfault_at_origin`.
    async fn at_home(&self, k: &Rc<Kernel>, pte: Option<Pte>) -> VmFault {
        if pte.is_none() || !self.rc.pages.borrow().get(self.addr).is_distributed() {
            return VmFault::CONTINUE;
        }
        if allows(pte, self.access) {
            return VmFault::empty();
        }
        let start = self
            .rc
            .faults
            .start(
                &k.exec,
                self.addr,
                self.task.pid,
                self.is_write(),
                false,
                false,
            )
            .await;
        let handle = match start {
            Start::Leader(handle) => handle,
            Start::Followed(result) => return result,
            Start::Retry => return VmFault::RETRY,
            Start::Impossible(why) => return bug(k, why),
        };
        let result = self.lead_at_home(k).await;
        self.rc.faults.finish(&k.exec, &handle, result);
        check_home_page(k, self.mm, self.rc, self.addr);
        result
    }

    async fn lead_at_home(&self, k: &Rc<Kernel>) -> VmFault {
        let (me, write) = (k.nid(), self.is_write());
        let word = self.rc.pages.borrow().get(self.addr);
        let fetched = !word.is_mine(me);
        if fetched {
            let claimed =
                claim_remote_page(k, self.task, self.mm, self.rc, self.addr, write, me).await;
            if !claimed.is_empty() {
                return claimed;
            }
        } else if write {
            claim_local_page(k, self.task, self.rc, self.addr, me).await;
        } else {
            // A racy exit: somebody made it ours meanwhile.
            return VmFault::empty();
        }
        self.make_valid(write);
        self.rc.pages.borrow_mut().set_owner(self.addr, me);
        k.event(&Event::PageGranted {
            pid: self.task.pid,
            addr: self.addr,
            write,
            data: fetched,
        });
        VmFault::empty()
    }

    /// The guest's decision: local text and read-only data, a remote fault, or nothing to do.
    async fn at_guest(&self, k: &Rc<Kernel>, pte: Option<Pte>) -> VmFault {
        match pte {
            None if self.is_local(k.config.profile) => VmFault::CONTINUE,
            pte if allows(pte, self.access) => VmFault::empty(),
            _ => self.at_remote(k).await,
        }
    }

    /// Whether a page that is not here yet is read from this node's own file. K52 takes all executable areas for text and all areas that are
    /// read-only now for read-only data, whatever was written there.
    fn is_local(&self, profile: Profile) -> bool {
        let flags = self.vma.flags;
        match profile {
            Profile::Kettle => self.vma.named_file().is_some() && !flags.contains(VmFlags::WRITTEN),
            Profile::K52 => {
                let changes = flags.intersects(VmFlags::WRITE | VmFlags::SHARED);
                flags.contains(VmFlags::EXEC) || (!self.vma.is_anonymous() && !changes)
            }
        }
    }

    /// `__handle_localfault_at_remote`.
    async fn at_remote(&self, k: &Rc<Kernel>) -> VmFault {
        let start = self
            .rc
            .faults
            .start(
                &k.exec,
                self.addr,
                self.task.pid,
                self.is_write(),
                false,
                true,
            )
            .await;
        let handle = match start {
            Start::Leader(handle) => handle,
            Start::Followed(result) => return result,
            Start::Retry => return VmFault::RETRY,
            Start::Impossible(why) => return bug(k, why),
        };
        let result = self.lead_at_remote(k).await;
        self.rc.faults.finish(&k.exec, &handle, result);
        result
    }

    async fn lead_at_remote(&self, k: &Rc<Kernel>) -> VmFault {
        let kept = self.mm.page_table.borrow().get(self.addr);
        let populated = kept.is_none();
        let pfn = match kept {
            Some(pte) => pte.pfn,
            None => match k.frames.borrow_mut().alloc() {
                Some(pfn) => pfn,
                None => return VmFault::OOM,
            },
        };
        let reply = self.fetch_page_from_origin(k).await;
        let result = self.install(k, pfn, populated, reply.as_ref());
        if !result.is_empty() && populated {
            k.frames.borrow_mut().free(pfn);
        }
        result
    }

    /// Asks home and waits.
    async fn fetch_page_from_origin(&self, k: &Rc<Kernel>) -> Option<PageReply> {
        let home = self.task.popcorn.peer_nid.get()?;
        let station = WaitStation::get(k, self.task.pid, Replies(1)).await;
        let mut flags = FaultFlags::USER_FAULT;
        flags.set(FaultFlags::WRITE, self.is_write());
        flags.set(FaultFlags::INSTRUCTION, self.access == Access::Fetch);
        let mut request = RemotePageRequest::new_zeroed();
        request.origin_pid.set(self.task.pid.0);
        request.origin_ws.set(station.id().as_i32());
        request.remote_pid.set(self.task.popcorn.peer_pid.get().0);
        request.addr.set(self.addr.0);
        request.fault_flags.set(flags.bits());
        request
            .instr_addr
            .set(self.task.context.borrow().regs().pc().0);
        pcn_kmsg_send(k, home, request);
        let record = WaitRecord::new("a page")
            .addr(self.addr)
            .whom(home, self.task.popcorn.peer_pid.get());
        PageReply::parse(k, station.wait(k, record).await)
    }

    /// Data goes into the frame, a grant makes the kept copy valid again; everything else is handed on.
    fn install(
        &self,
        k: &Rc<Kernel>,
        pfn: Pfn,
        populated: bool,
        reply: Option<&PageReply>,
    ) -> VmFault {
        let write = self.is_write();
        let data = match reply {
            Some(PageReply::Data(bytes)) => {
                k.charge(Cost::CopyPage);
                k.write_frame(pfn, 0, &bytes[..PAGE]);
                true
            }
            Some(PageReply::Result(result)) if *result == VmFault::CONTINUE => {
                if populated && self.vma.named_file().is_some() {
                    // Code that nobody has written to: this node's own binary has it.
                    if let Err(result) = mm::fill_frame(k, self.vma, self.addr, pfn) {
                        return result;
                    }
                } else if populated {
                    return bug(
                        k,
                        format!(
                            "home granted page {} without data to a node that has no copy",
                            self.addr
                        ),
                    );
                }
                false
            }
            Some(PageReply::Result(result)) => return *result,
            None => return VmFault::SIGBUS,
        };
        if populated {
            let exec = self.vma.flags.contains(VmFlags::EXEC);
            let pte = Pte {
                pfn,
                present: true,
                read: true,
                write: false,
                exec,
                dirty: false,
            };
            self.mm.page_table.borrow_mut().set(self.addr, pte);
            if exec {
                k.mark_code_frame(pfn);
            }
        }
        self.make_valid(write);
        self.rc.pages.borrow_mut().set_owner(self.addr, k.nid());
        k.event(&Event::PageGranted {
            pid: self.task.pid,
            addr: self.addr,
            write,
            data,
        });
        VmFault::empty()
    }

    /// The entry becomes present, and writable for a write.
    fn make_valid(&self, write: bool) {
        self.mm.page_table.borrow_mut().update(self.addr, |pte| {
            pte.present = true;
            pte.read = true;
            pte.write = write;
            pte.dirty |= write;
        });
    }
}

/// Whether the hardware would let the access pass.
fn allows(pte: Option<Pte>, access: Access) -> bool {
    pte.is_some_and(|pte| {
        pte.present
            && match access {
                Access::Read => pte.read,
                Access::Write => pte.write,
                Access::Fetch => pte.exec,
            }
    })
}

/// BUG under K52; by default the access fails.
pub(super) fn bug(k: &Rc<Kernel>, why: String) -> VmFault {
    if k.config.profile == Profile::K52 {
        k.halt(Halt::WouldBug(why));
    } else {
        k.log(&why);
    }
    VmFault::SIGBUS
}

/// A first touch at home on behalf of a guest: the ordinary fault, with a real frame even for a read.
pub(super) fn touch(
    k: &Rc<Kernel>,
    mm: &Rc<Mm>,
    rc: &RemoteContext,
    vma: &Vma,
    addr: VirtAddr,
    write: bool,
) -> Result<Pte, VmFault> {
    let pte = mm::fault_in_local(k, mm, vma, addr, write)?;
    if write && !vma.is_anonymous() {
        rc.pages.borrow_mut().set_cowed(addr);
    }
    Ok(pte)
}
