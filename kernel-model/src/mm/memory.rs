//! First touch and last: giving a page of an area its frame, taking frames back. Models `mm/memory.c` of Linux 5.2 for 4 KiB pages.
//!
//! There is no page cache: every address space reads a file page into a frame of its own, so that a private copy is made by allowing the
//! write. Left out: the shared zero page (a first read gets a zeroed frame as well), fault-around, transparent huge pages.

use std::rc::Rc;

use isa::{PAGE_SIZE, Pfn, VirtAddr};

use super::{Mm, Pte, VmFault, VmFlags, Vma};
use crate::costs::Cost;
use crate::kernel::Kernel;
use crate::page_server;

const ZEROES: [u8; PAGE_SIZE as usize] = [0; PAGE_SIZE as usize];

/// The ordinary fault on a page that no other node is concerned with: first touch, or the first write to a private page.
///
/// `vma` covers `addr` and allows the access. Errors: `OOM` (no frame is free), `SIGBUS` (the file ends before the page). Panics when the
/// page was revoked: that is the page server's to solve.
pub fn fault_in_local(
    k: &Kernel,
    mm: &Mm,
    vma: &Vma,
    addr: VirtAddr,
    write: bool,
) -> Result<Pte, VmFault> {
    let page = addr.page_align_down();
    let old = mm.page_table.borrow().get(page);
    let pte = match old {
        Some(pte) => {
            assert!(
                pte.present,
                "an ordinary fault at {page}, which another node holds: {pte:?}"
            );
            refresh(k, vma, pte, write)
        }
        None => Pte {
            pfn: first_touch(k, vma, page)?,
            ..permissions(vma, write)
        },
    };
    if pte.exec {
        k.mark_code_frame(pte.pfn);
    }
    mm.page_table.borrow_mut().set(page, pte);
    Ok(pte)
}

/// What a new entry of the area allows: of a file's page, a write is allowed only once one was tried, so that clean pages are known.
fn permissions(vma: &Vma, write: bool) -> Pte {
    Pte {
        pfn: Pfn(0),
        present: true,
        read: vma
            .flags
            .intersects(VmFlags::READ | VmFlags::WRITE | VmFlags::EXEC),
        write: vma.flags.contains(VmFlags::WRITE) && (write || vma.is_anonymous()),
        exec: vma.flags.contains(VmFlags::EXEC),
        dirty: write,
    }
}

/// `do_wp_page`: the entry is there and lacks a permission that the area gives.
fn refresh(k: &Kernel, vma: &Vma, old: Pte, write: bool) -> Pte {
    let private = !vma.is_anonymous() && !vma.flags.contains(VmFlags::SHARED);
    let copies = write && !old.write && private && !old.dirty;
    if copies {
        k.charge(Cost::CopyPage);
    }
    let allowed = permissions(vma, write);
    Pte {
        read: allowed.read,
        write: old.write || (write && allowed.write),
        exec: allowed.exec,
        dirty: old.dirty || write,
        ..old
    }
}

/// A frame with the page's initial contents.
fn first_touch(k: &Kernel, vma: &Vma, page: VirtAddr) -> Result<Pfn, VmFault> {
    let contents = initial_contents(vma, page)?;
    let pfn = k.frames.borrow_mut().alloc().ok_or(VmFault::OOM)?;
    k.charge(Cost::CopyPage);
    k.write_frame(pfn, 0, &contents);
    Ok(pfn)
}

/// Gives a frame that has been allocated the page's initial contents. `SIGBUS`: the file ends before the page.
pub fn fill_frame(k: &Kernel, vma: &Vma, page: VirtAddr, pfn: Pfn) -> Result<(), VmFault> {
    let contents = initial_contents(vma, page)?;
    k.charge(Cost::CopyPage);
    k.write_frame(pfn, 0, &contents);
    Ok(())
}

fn initial_contents(vma: &Vma, page: VirtAddr) -> Result<[u8; PAGE_SIZE as usize], VmFault> {
    let mut bytes = ZEROES;
    if let Some(mapped) = &vma.file {
        let offset = (vma.pgoff + (page.0 - vma.start.0) / PAGE_SIZE)
            .checked_mul(PAGE_SIZE)
            .ok_or(VmFault::SIGBUS)?;
        if offset >= mapped.file.len() {
            return Err(VmFault::SIGBUS);
        }
        mapped.file.read_at(offset, &mut bytes);
    }
    Ok(bytes)
}

/// Takes the frames of `start..end` back (`zap_page_range`); the areas stay. Drops stale translations if anything was mapped.
pub fn zap_page_range(k: &Rc<Kernel>, mm: &Rc<Mm>, start: VirtAddr, end: VirtAddr) {
    let entries = mm.page_table.borrow().range(start, end);
    for (addr, _) in &entries {
        if mm.is_distributed() {
            page_server::page_server_zap_pte(k, mm, *addr);
        }
        if let Some(pte) = mm.page_table.borrow_mut().take(*addr) {
            k.frames.borrow_mut().free(pte.pfn);
        }
    }
    if !entries.is_empty() {
        mm.page_table.borrow_mut().prune(start, end);
        k.flush_tlb();
    }
}

/// The end of an address space, when its last user is gone (`exit_mmap`): all frames are free again.
pub fn exit_mmap(k: &Rc<Kernel>, mm: &Rc<Mm>) {
    zap_page_range(k, mm, VirtAddr(0), VirtAddr(u64::MAX));
    *mm.vmas.borrow_mut() = super::VmaTree::default();
    *mm.remote.borrow_mut() = None;
}

/// Writes into an address space that is being built and that nobody runs in: never sleeps, ignores write protection.
///
/// Errors: `SIGSEGV` where there is no area, else as [`fault_in_local`].
pub(crate) fn poke_user(k: &Kernel, mm: &Mm, addr: VirtAddr, bytes: &[u8]) -> Result<(), VmFault> {
    let mut at = addr;
    let mut rest = bytes;
    while !rest.is_empty() {
        let vma = mm
            .vmas
            .borrow()
            .covering(at)
            .cloned()
            .ok_or(VmFault::SIGSEGV)?;
        note_written(mm, &vma, at.page_align_down());
        let pte = fault_in_local(k, mm, &vma, at, true)?;
        let offset = at.page_offset();
        let (now, later) = rest.split_at(rest.len().min((PAGE_SIZE - offset) as usize));
        k.write_frame(pte.pfn, offset, now);
        at = at.wrapping_add(now.len() as u64);
        rest = later;
    }
    Ok(())
}

/// A page of a file's mapping, which may be read-only, is about to be written by the kernel.
fn note_written(mm: &Mm, vma: &Vma, page: VirtAddr) {
    if vma.named_file().is_none() || vma.flags.contains(VmFlags::WRITTEN) {
        return;
    }
    let mut vmas = mm.vmas.borrow_mut();
    for mut part in vmas.remove(page, page.wrapping_add(PAGE_SIZE)) {
        part.flags |= VmFlags::WRITTEN;
        vmas.insert(part);
    }
}
