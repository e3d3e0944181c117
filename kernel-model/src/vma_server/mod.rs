//! The VMA server: what is mapped where in a distributed process. Models `kernel/popcorn/vma_server.c` of K52.
//!
//! Home decides. A guest fetches an area lazily, at the first fault without one, and keeps it until home says otherwise. Whatever changes a
//! range of a distributed process - munmap, a fixed mmap, brk, mremap, madvise, mprotect, on any node - goes one way ([`zap`]): at home first,
//! under `mmap_sem`, then on every guest, and a guest asks home before it touches anything of its own. In K52 a guest unmaps and drops first
//! and asks then, and of what happens at home only munmap is told to guests.

mod change;
mod fetch;
mod info;
mod operations;
mod origin;
mod watch;
mod zap;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use isa::{Errno, VirtAddr};

use crate::exec::Completion;

pub use change::{
    vma_server_brk_origin, vma_server_madvise_origin, vma_server_mmap_origin,
    vma_server_mprotect_origin, vma_server_mremap_origin, vma_server_munmap_origin,
};
pub use fetch::{handle_vma_info_response, vma_server_fetch_vma};
pub use info::process_vma_info_request;
pub use operations::{
    handle_vma_op_response, vma_server_brk_remote, vma_server_madvise_remote,
    vma_server_mmap_remote, vma_server_mprotect_remote, vma_server_mremap_remote,
    vma_server_munmap_remote,
};
pub use origin::process_vma_op_request;

/// Ongoing fetches of a process on one node (`vmas`): by page, because the response names no wait station. And whoever else waits for home's
/// word about areas.
#[derive(Default)]
pub struct VmaFetches {
    ongoing: RefCell<BTreeMap<VirtAddr, Rc<Fetch>>>,
    watches: watch::Watches,
}

/// One fetch; its first asker does the work, later ones share the result.
#[derive(Default)]
struct Fetch {
    answered: Completion,
    response: RefCell<Option<msglayer::Envelope>>,
    done: Completion,
    result: RefCell<Option<Result<(), Errno>>>,
}
