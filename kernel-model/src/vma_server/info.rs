//! VMA_INFO_REQUEST at home: which area covers the address.

use std::rc::Rc;

use isa::{Errno, VirtAddr};
use msglayer::Envelope;
use msglayer::messages::{PathField, VmaInfoRequest, VmaInfoResponse};
use zerocopy::FromZeros;

use crate::config::Profile;
use crate::kernel::Kernel;
use crate::kmsg::{parse, pcn_kmsg_send};
use crate::mm::{self, Mm, VmFlags, Vma};
use crate::task::Task;

/// `process_vma_info_request`, in the shadow's context.
pub async fn process_vma_info_request(k: &Rc<Kernel>, task: &Rc<Task>, envelope: Envelope) {
    let Some(request) = parse::<VmaInfoRequest>(k, &envelope) else {
        return;
    };
    let mm = task.mm();
    let addr = VirtAddr(request.addr.get());
    let found = find(k, &mm, addr).await;
    let mut response = VmaInfoResponse::new_zeroed();
    response.remote_pid.set(request.remote_pid.get());
    response.addr.set(addr.0);
    match found {
        Some(vma) => {
            response.vm_start.set(vma.start.0);
            response.vm_end.set(vma.end.0);
            // What is writable now is as good as written, so that only what was has to say so, in a bit that K52 does not know.
            let said = k.config.profile == Profile::K52 || vma.flags.contains(VmFlags::WRITE);
            let flags = if said {
                vma.flags - VmFlags::WRITTEN
            } else {
                vma.flags
            };
            response.vm_flags.set(flags.bits());
            response.vm_pgoff.set(vma.pgoff);
            // Without a name the guest takes it for anonymous memory, whose pages all come from here.
            let name = vma.named_file().map(|mapped| PathField::new(&mapped.path));
            if let Some(Ok(path)) = name {
                response.vm_file_path = path;
            }
        }
        None => response.result.set(-Errno::ENOENT.raw()),
    }
    pcn_kmsg_send(k, envelope.from, response);
}

/// The area, or the stack above the address.
///
/// K52 answers with the stack as it is, and the guest's page request below it then gets SIGBUS; by default the stack grows at home first.
async fn find(k: &Rc<Kernel>, mm: &Rc<Mm>, addr: VirtAddr) -> Option<Vma> {
    let vma = {
        let _guard = mm.mmap_sem.read(&k.exec, "mmap_sem").await;
        mm.vmas.borrow().find(addr).cloned()?
    };
    if vma.contains(addr) {
        return Some(vma);
    }
    if !vma.flags.contains(VmFlags::GROWSDOWN) {
        return None;
    }
    if k.config.profile == Profile::K52 {
        return Some(vma);
    }
    let _guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
    mm::expand_stack(mm, addr).ok()?;
    mm.vmas.borrow().covering(addr).cloned()
}
