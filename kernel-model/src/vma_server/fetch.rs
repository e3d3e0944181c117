//! A guest fetches an area: VMA_INFO_REQUEST, its response, and mapping what it says.

use std::rc::Rc;

use isa::{Errno, VirtAddr};
use msglayer::Envelope;
use msglayer::messages::{VmaInfoRequest, VmaInfoResponse};
use zerocopy::FromZeros;

use super::Fetch;
use crate::config::Profile;
use crate::costs::Cost;
use crate::exec::WaitRecord;
use crate::ids::Pid;
use crate::kernel::Kernel;
use crate::kmsg::{parse, pcn_kmsg_send};
use crate::mm::{Mm, VmFlags, Vma, VmaFile};
use crate::task::Task;

/// `vma_server_fetch_vma`: makes the area around `addr` known here. Called without `mmap_sem`; the caller looks it up again.
///
/// ENOENT: nothing is mapped there at home. EIO: the file behind it cannot be opened on this node.
pub async fn vma_server_fetch_vma(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    addr: VirtAddr,
) -> Result<(), Errno> {
    let rc = task.remote().ok_or(Errno::EFAULT)?;
    let addr = Kernel::page_of(addr);
    let ongoing = rc.vmas.ongoing.borrow().get(&addr).cloned();
    if let Some(fetch) = ongoing {
        fetch
            .done
            .wait(
                &k.exec,
                WaitRecord::new("a VMA that is being fetched").addr(addr),
            )
            .await;
        return fetch
            .result
            .borrow()
            .expect("a fetch that is done has a result");
    }
    let fetch = Rc::new(Fetch::default());
    rc.vmas.ongoing.borrow_mut().insert(addr, Rc::clone(&fetch));
    let result = ask_and_map(k, task, addr, &fetch).await;
    rc.vmas.ongoing.borrow_mut().remove(&addr);
    *fetch.result.borrow_mut() = Some(result);
    fetch.done.complete_all(&k.exec);
    result
}

/// Asks until the answer still holds when it is made use of: home may have changed the area meanwhile.
async fn ask_and_map(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    addr: VirtAddr,
    fetch: &Fetch,
) -> Result<(), Errno> {
    let (rc, mm) = (task.remote().ok_or(Errno::EFAULT)?, task.mm());
    loop {
        let watch = rc.vmas.watches.begin();
        let area = area_in(k, &ask(k, task, addr, fetch).await?)?;
        let _guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
        // K52 does not look, and so can map what is gone.
        if k.config.profile == Profile::K52 || !watch.is_stale(area.start, area.end) {
            map_difference(k, &mm, &area);
            return Ok(());
        }
    }
}

async fn ask(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    addr: VirtAddr,
    fetch: &Fetch,
) -> Result<VmaInfoResponse, Errno> {
    let (home, home_pid) = (
        task.popcorn.peer_nid.get().ok_or(Errno::EFAULT)?,
        task.popcorn.peer_pid.get(),
    );
    let mut request = VmaInfoRequest::new_zeroed();
    request.origin_pid.set(home_pid.0);
    request.remote_pid.set(task.pid.0);
    request.addr.set(addr.0);
    pcn_kmsg_send(k, home, request);
    fetch
        .answered
        .wait(
            &k.exec,
            WaitRecord::new("a VMA").addr(addr).whom(home, home_pid),
        )
        .await;
    let envelope = fetch.response.borrow_mut().take().ok_or(Errno::EIO)?;
    let response = parse::<VmaInfoResponse>(k, &envelope)
        .cloned()
        .ok_or(Errno::EIO)?;
    match response.result.get() {
        0 => Ok(response),
        error => Err(Errno::from_raw(-error).unwrap_or(Errno::EIO)),
    }
}

/// The area that a response describes, with the file that this node has under its path.
fn area_in(k: &Rc<Kernel>, response: &VmaInfoResponse) -> Result<Vma, Errno> {
    let file = match response.vm_file_path.as_str() {
        Ok("") => None,
        Ok(path) => {
            let file = k.root.open(path, k.isa()).map_err(|_| Errno::EIO)?;
            Some(VmaFile::of_root(path, file))
        }
        Err(_) => return Err(Errno::EIO),
    };
    let area = Vma {
        start: VirtAddr(response.vm_start.get()),
        end: VirtAddr(response.vm_end.get()),
        flags: VmFlags::empty(),
        pgoff: response.vm_pgoff.get(),
        file,
    };
    Ok(area.with_flags(VmFlags::from_bits_truncate(response.vm_flags.get())))
}

/// Maps the whole area, filling only holes: what is here already stays. The caller holds `mmap_sem` for writing.
pub(super) fn map_difference(k: &Rc<Kernel>, mm: &Rc<Mm>, area: &Vma) {
    k.charge(Cost::VmaOperation);
    let mut vmas = mm.vmas.borrow_mut();
    for (start, end) in vmas.holes(area.start, area.end) {
        vmas.insert(area.clip(start, end));
    }
}

/// `handle_vma_info_response`: matched to its asker by process and address.
pub fn handle_vma_info_response(k: &Rc<Kernel>, envelope: Envelope) {
    let Some(response) = parse::<VmaInfoResponse>(k, &envelope) else {
        return;
    };
    let (pid, addr) = (
        Pid(response.remote_pid.get()),
        VirtAddr(response.addr.get()),
    );
    let rc = k.find_task(pid).and_then(|task| task.remote());
    let fetch = rc.and_then(|rc| rc.vmas.ongoing.borrow().get(&addr).cloned());
    let Some(fetch) = fetch else {
        return k.log(&format!(
            "a VMA for task {pid} at {addr} came, but nobody waits for it"
        ));
    };
    *fetch.response.borrow_mut() = Some(envelope);
    fetch.answered.complete(&k.exec);
}
