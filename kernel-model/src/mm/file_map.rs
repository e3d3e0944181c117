//! Mappings of files: what a descriptor maps, and how shared mappings and the files behind them stay together.
//!
//! There is no page cache. A mapping of a file that the root has, private and unwritten, shows the root's contents, on each node from its own
//! root. Every other mapping shows the overlay's file at home, and its pages travel as those of anonymous memory do. A shared mapping's pages
//! are brought into the file before a read(2) of it, at msync(2), munmap(2) and exit, and a write(2) goes into the pages that were touched;
//! both go by contents, so that nobody has to know which page was written on which node.
//!
//! Left out: that two shared mappings of the same part of a file see each other's stores at once (they do when the second is made, and when
//! the file is written to), and shared mappings across processes.

use std::ops::Range;
use std::rc::Rc;

use isa::layout::{MapFlags, OpenFlags, Prot, Timespec};
use isa::{Errno, PAGE_SIZE, VirtAddr};

use super::{Mm, MmapRequest, VmFlags, Vma, VmaFile};
use crate::costs::Cost;
use crate::fs::{Device, FdTarget, File, Inode, InodeKind};
use crate::kernel::Kernel;
use crate::page_server::{self, PAGE};
use crate::syscall::REALTIME_EPOCH;
use crate::task::Task;

/// What mmap(2) found behind a descriptor.
struct Mappable {
    /// The file; `None` for `/dev/zero`, which gives zeroed memory.
    file: Option<VmaFile>,
    /// A shared mapping may be written to.
    may_write: bool,
}

/// Looks a descriptor of a task at home up, for a mapping of `prot` and `flags`.
async fn file_behind(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    fd: i32,
    prot: Prot,
    flags: MapFlags,
) -> Result<Mappable, Errno> {
    let description = task.files.get(fd)?;
    let opened = description.flags.get();
    if opened.contains(OpenFlags::PATH) {
        return Err(Errno::EBADF);
    }
    let shared = flags.contains(MapFlags::SHARED);
    if !opened.readable() || (shared && prot.contains(Prot::WRITE) && !opened.writable()) {
        return Err(Errno::EACCES);
    }
    let FdTarget::File { inode, path } = &description.target else {
        return Err(Errno::ENODEV);
    };
    let file = match inode.kind {
        InodeKind::Device(Device::Zero) => None,
        InodeKind::File(_) => Some(mapped_file(k, task, inode, path, shared).await?),
        _ => return Err(Errno::ENODEV),
    };
    Ok(Mappable {
        file,
        may_write: opened.writable(),
    })
}

impl MmapRequest {
    /// Puts the file behind a descriptor into the request. EINVAL: length 0, or an unaligned fixed address. EBADF; EACCES: not
    /// opened for what the mapping allows; ENODEV: nothing that can be mapped.
    pub async fn map_file(
        &mut self,
        k: &Rc<Kernel>,
        task: &Rc<Task>,
        fd: i32,
    ) -> Result<(), Errno> {
        task.files.get(fd)?;
        let misplaced = self.flags.contains(MapFlags::FIXED) && !self.addr.is_page_aligned();
        if self.len == 0 || misplaced {
            return Err(Errno::EINVAL);
        }
        let found = file_behind(k, task, fd, self.prot, self.flags).await?;
        self.file = found.file;
        self.may_write = found.may_write;
        Ok(())
    }
}

async fn mapped_file(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    inode: &Rc<Inode>,
    path: &Rc<str>,
    shared: bool,
) -> Result<VmaFile, Errno> {
    if let Some((origin, file)) = inode.root_file().filter(|_| !shared) {
        return Ok(VmaFile::of_root(origin, file));
    }
    // What another mapping of it has been given belongs to what this one shows first.
    collect(k, task, inode, 0..u64::MAX).await?;
    if shared {
        inode.map_shared();
    }
    Ok(VmaFile {
        path: Rc::clone(path),
        file: Rc::clone(inode) as Rc<dyn File>,
        inode: Some(Rc::clone(inode)),
    })
}

/// Brings what was stored into shared mappings between `start` and `end` into their files. ENOSPC: it does not fit there, and that page's
/// stores are lost when the mapping goes.
pub async fn write_back(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    start: VirtAddr,
    end: VirtAddr,
) -> Result<(), Errno> {
    let mm = task.mm();
    let areas: Vec<_> = mm.vmas.borrow().overlapping(start, end);
    let mut result = Ok(());
    for area in areas.iter().map(|area| area.clip(start, end)) {
        let inode = area.file.as_ref().and_then(|mapped| mapped.inode.clone());
        if let Some(inode) = inode.filter(|_| area.flags.contains(VmFlags::SHARED)) {
            let first = area.pgoff.saturating_mul(PAGE_SIZE);
            let part = first..first.saturating_add(area.end.0 - area.start.0);
            result = result.and(collect(k, task, &inode, part).await);
        }
    }
    result
}

/// As [`write_back`], for all of an address space that is about to end.
pub async fn write_back_all(k: &Rc<Kernel>, task: &Rc<Task>) {
    if let Err(errno) = write_back(k, task, VirtAddr(0), VirtAddr(u64::MAX)).await {
        k.log(&format!(
            "what process {} stored into a shared mapping of a file is lost ({errno})",
            task.tgid()
        ));
    }
}

/// Brings what the process stored into shared mappings of these bytes of a file into the file. ENOSPC as [`write_back`].
pub async fn collect(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    inode: &Rc<Inode>,
    bytes: Range<u64>,
) -> Result<(), Errno> {
    if !inode.is_mapped_shared() {
        return Ok(());
    }
    let mm = task.mm();
    let _order = mm.file_sync.write(&k.exec, "the files' mappings").await;
    let mut result = Ok(());
    for (addr, offset) in touched(&mm, inode, VmFlags::SHARED, &bytes) {
        let _guard = mm.mmap_sem.read(&k.exec, "mmap_sem").await;
        // A page that went away meanwhile was another's to bring.
        let Ok(pinned) = page_server::get_userpage(k, task, addr).await else {
            continue;
        };
        let pte = mm.page_table.borrow().get(addr);
        if let Some(pte) = pte.filter(|_| shows(&mm, addr, inode, offset)) {
            let mut page = [0; PAGE];
            k.read_frame(pte.pfn, 0, &mut page);
            result = result.and(store(k, inode, offset, &page));
        }
        page_server::put_userpage(k, pinned);
    }
    result
}

/// Puts a page into the file, as far as the file goes.
fn store(k: &Rc<Kernel>, inode: &Inode, offset: u64, page: &[u8; PAGE]) -> Result<(), Errno> {
    let len = inode.size().saturating_sub(offset).min(PAGE_SIZE) as usize;
    let mut before = [0; PAGE];
    inode.read_at(offset, &mut before[..len]);
    if before[..len] == page[..len] {
        return Ok(());
    }
    k.charge(Cost::CopyPage);
    k.fs.write_at(inode, offset, &page[..len], realtime(k))
}

/// Writes to a file (`write`, which fails as it does), and to the pages that the process has of it in shared mappings.
pub async fn write_through(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    inode: &Rc<Inode>,
    offset: u64,
    bytes: &[u8],
    write: impl FnOnce() -> Result<(), Errno>,
) -> Result<(), Errno> {
    if !inode.is_mapped_shared() {
        return write();
    }
    let mm = task.mm();
    let _order = mm.file_sync.write(&k.exec, "the files' mappings").await;
    write()?;
    let range = offset..offset.saturating_add(bytes.len() as u64);
    for (addr, page) in touched(&mm, inode, VmFlags::MAYSHARE, &range) {
        let _guard = mm.mmap_sem.read(&k.exec, "mmap_sem").await;
        if !shows(&mm, addr, inode, page) {
            continue;
        }
        let from = page.max(offset);
        let to = page.saturating_add(PAGE_SIZE).min(range.end);
        let part = &bytes[(from - offset) as usize..(to - offset) as usize];
        // Its owner may be gone; the file has been written all the same.
        let _ = page_server::write_page(k, task, addr, from - page, part).await;
    }
    Ok(())
}

/// Whether an address still shows this offset of a file.
fn shows(mm: &Mm, addr: VirtAddr, inode: &Rc<Inode>, offset: u64) -> bool {
    let vmas = mm.vmas.borrow();
    let area = vmas.covering(addr).filter(|area| maps(area, inode));
    area.is_some_and(|area| file_offset(area, addr) == offset)
}

fn maps(area: &Vma, inode: &Rc<Inode>) -> bool {
    let mapped = area.file.as_ref().and_then(|mapped| mapped.inode.as_ref());
    mapped.is_some_and(|mapped| Rc::ptr_eq(mapped, inode))
}

fn file_offset(area: &Vma, addr: VirtAddr) -> u64 {
    let page = area.pgoff + (addr.0 - area.start.0) / PAGE_SIZE;
    page.saturating_mul(PAGE_SIZE)
}

/// The process' pages of a part of a file, with their offsets in it: in areas with the flag, as far as home has a frame.
fn touched(mm: &Mm, inode: &Rc<Inode>, flag: VmFlags, bytes: &Range<u64>) -> Vec<(VirtAddr, u64)> {
    let (vmas, table) = (mm.vmas.borrow(), mm.page_table.borrow());
    let mut pages = Vec::new();
    let areas = vmas.iter().filter(|area| area.flags.contains(flag));
    for area in areas.filter(|area| maps(area, inode)) {
        let entries = table.range(area.start, area.end).into_iter();
        let offsets = entries.map(|(addr, _)| (addr, file_offset(area, addr)));
        pages.extend(offsets.filter(|(_, offset)| {
            *offset < bytes.end && bytes.start < offset.saturating_add(PAGE_SIZE)
        }));
    }
    pages
}

/// The node's wall clock.
fn realtime(k: &Kernel) -> Timespec {
    Timespec::from_nanos(REALTIME_EPOCH * 1_000_000_000 + k.exec.now().as_ns())
}
