//! Memory management: address spaces, areas, page tables, demand paging, access to user memory.
//!
//! Models `mm/` of Linux 5.2 as far as user programs and Popcorn's page and VMA servers see it. Left out: swap, reclaim, huge pages,
//! NUMA, memory cgroups (a node has a fixed number of frames; running out is an out-of-memory error).

mod brk;
mod fault;
mod file_map;
mod frames;
mod gaps;
mod madvise;
mod memory;
mod mmap;
mod mprotect;
mod mremap;
mod page_table;
mod uaccess;
mod vma;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use isa::VirtAddr;

use crate::cpu::{Access, Mmu, Translation};
use crate::exec::RwSem;
use crate::remote_context::RemoteContext;

pub use brk::do_brk;
pub use fault::{STACK_LIMIT, do_user_addr_fault, expand_stack, fixup_user_fault};
pub use file_map::{collect, write_back, write_back_all, write_through};
pub use frames::FrameAllocator;
pub use madvise::{Advised, MADV_DONTNEED, MADV_RELEASE, do_madvise};
pub(crate) use memory::poke_user;
pub use memory::{exit_mmap, fault_in_local, fill_frame, zap_page_range};
pub use mmap::{
    MAX_MAP_COUNT, MmapRequest, TASK_SIZE, area_of, detach_vmas, do_mmap, do_munmap, map_area,
    munmap_range, page_align_len, unmapped_area, vm_prot,
};
pub use mprotect::{do_mprotect, mprotect_range};
pub use mremap::{
    MremapFlags, MremapRequest, Remap, grow_vma, move_page_tables, move_vma, plan_mremap,
};
pub use msglayer::messages::VmFault;
pub use page_table::{PageTable, Pte};
pub use uaccess::{
    UserPtr, compare_exchange_user, copy_from_user, copy_part_to_user, copy_to_user, read_cstring,
};
pub use vma::{VmFlags, Vma, VmaFile, VmaTree};

/// The layout fields of `mm_struct` that travel in TASK_MIGRATE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MmLayout {
    /// First address that user space cannot have.
    pub task_size: VirtAddr,
    /// Stack pointer at process start.
    pub stack_start: VirtAddr,
    /// The environment strings.
    pub env_start: VirtAddr,
    /// Their end.
    pub env_end: VirtAddr,
    /// The argument strings.
    pub arg_start: VirtAddr,
    /// Their end.
    pub arg_end: VirtAddr,
    /// Where the heap begins.
    pub start_brk: VirtAddr,
    /// Where the heap ends now.
    pub brk: VirtAddr,
    /// Program text.
    pub start_code: VirtAddr,
    /// Its end.
    pub end_code: VirtAddr,
    /// Program data.
    pub start_data: VirtAddr,
    /// Its end.
    pub end_data: VirtAddr,
    /// Flags that new areas get.
    pub def_flags: VmFlags,
}

/// An address space (`struct mm_struct`).
pub struct Mm {
    /// Unique on the node; what a CPU recognises its TLB by.
    pub id: u64,
    /// Layout fields.
    pub layout: Cell<MmLayout>,
    /// The areas. Changed only with `mmap_sem` held for writing.
    pub vmas: RefCell<VmaTree>,
    /// What the hardware sees.
    pub page_table: RefCell<PageTable>,
    /// Guards the areas across sleeps; faults hold it for reading.
    pub mmap_sem: RwSem,
    /// One at a time makes mappings of files and the files the same.
    pub file_sync: RwSem,
    /// Tasks that run in it (`mm_users`).
    pub users: Cell<u32>,
    /// The executable's path as guests see it.
    pub exe_path: RefCell<String>,
    /// The page that signal handlers without a restorer return to, once there is one.
    pub trampoline: Cell<Option<VirtAddr>>,
    /// Set once the process is distributed; never reset.
    pub remote: RefCell<Option<Rc<RemoteContext>>>,
}

impl Mm {
    /// An empty address space.
    pub fn new(id: u64, exe_path: String) -> Rc<Self> {
        Rc::new(Self {
            id,
            layout: Cell::default(),
            vmas: RefCell::default(),
            page_table: RefCell::default(),
            mmap_sem: RwSem::new(),
            file_sync: RwSem::new(),
            users: Cell::new(0),
            exe_path: RefCell::new(exe_path),
            trampoline: Cell::new(None),
            remote: RefCell::new(None),
        })
    }

    /// Popcorn's `mm_is_distributed`: some thread of the process is, or was, on another node.
    pub fn is_distributed(&self) -> bool {
        self.remote.borrow().is_some()
    }

    /// The remote context; `None` when the process never left.
    pub fn remote(&self) -> Option<Rc<RemoteContext>> {
        self.remote.borrow().clone()
    }
}

impl Mmu for Mm {
    fn asid(&self) -> u64 {
        self.id
    }

    fn translate(&self, addr: VirtAddr, access: Access) -> Option<Translation> {
        self.page_table.borrow().translate(addr, access)
    }
}
