//! The VMA server: what is mapped where in a distributed process. Models `kernel/popcorn/vma_server.c` of K52.
//!
//! Home decides. A guest fetches an area lazily, at the first fault without one, and keeps it until munmap. Operations that a guest makes
//! are delegated: mmap and mprotect first there and then here, munmap, madvise and brk first here and then there. Of what home does
//! munmap and mprotect are told to the guests; in K52 only munmap is, and a guest that has an area already does not see an mprotect at home.
//!
//! Left out: mremap at a guest (K52 warns and diverges; here it is refused), process-shared file mappings.

mod fetch;
mod info;
mod operations;
mod origin;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use isa::{Errno, VirtAddr};

use crate::exec::Completion;

pub use fetch::{handle_vma_info_response, vma_server_fetch_vma};
pub use info::process_vma_info_request;
pub use operations::{
    handle_vma_op_response, vma_server_brk_remote, vma_server_madvise_remote,
    vma_server_mmap_remote, vma_server_mprotect_remote, vma_server_mremap_remote,
    vma_server_munmap_remote,
};
pub use origin::{process_vma_op_request, vma_server_mprotect_origin, vma_server_munmap_origin};

/// Ongoing fetches of a process on one node (`vmas`): by page, because the response names no wait station.
#[derive(Default)]
pub struct VmaFetches {
    ongoing: RefCell<BTreeMap<VirtAddr, Rc<Fetch>>>,
}

/// One fetch; its first asker does the work, later ones share the result.
#[derive(Default)]
struct Fetch {
    answered: Completion,
    response: RefCell<Option<msglayer::Envelope>>,
    done: Completion,
    result: RefCell<Option<Result<(), Errno>>>,
}
