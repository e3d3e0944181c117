//! Page messages: the distributed shared memory's requests, answers and invalidations.
//!
//! In these, unlike in all others, `origin_*` is the side that *asks* and `remote_*` the side that *answers*.
//!
//! Left out: the page flush messages, which nothing in K52 sends; and page data by RDMA, for which the two RDMA fields of the
//! request stand ready.

use zerocopy::little_endian::{I32, U32, U64};

use super::layout::kmsg;
use super::vm_fault::{FaultFlags, VmFault};

/// Bytes of page data in a message. Both ISAs have 4 KiB pages.
pub const MESSAGE_PAGE_SIZE: usize = 4096;
const _: () = assert!(MESSAGE_PAGE_SIZE as u64 == isa::PAGE_SIZE);

kmsg! {
    /// Give me this page, or the right to write it (`remote_page_request_t`).
    pub struct RemotePageRequest: RemotePageRequest {
        /// The thread that asks.
        pub origin_pid: I32,
        /// Where the answer is awaited.
        pub origin_ws: I32,
        /// The thread at the receiver whose address space is meant.
        pub remote_pid: I32,
        /// The address, on a page boundary.
        pub addr: U64,
        /// [`FaultFlags`].
        pub fault_flags: U64,
        /// The instruction that faulted.
        pub instr_addr: U64,
        /// Where to write the page by RDMA; 0 without.
        pub rdma_addr: U64,
        /// The key for it.
        pub rdma_key: U32,
    }
}

kmsg! {
    /// The page (`remote_page_response_t`).
    pub struct RemotePageResponse: RemotePageResponse {
        /// The thread that answers.
        pub remote_pid: I32,
        /// The thread that asked.
        pub origin_pid: I32,
        /// Where the answer is awaited.
        pub origin_ws: I32,
        /// The address, on a page boundary.
        pub addr: U64,
        /// [`VmFault`], 0 where there is a page.
        pub result: I32,
        /// The page's bytes.
        pub page: [u8; MESSAGE_PAGE_SIZE],
    }
}

kmsg! {
    /// An answer without data (`remote_page_response_short_t`): a grant of ownership, a retry, an error.
    pub struct RemotePageResponseShort: RemotePageResponseShort {
        /// The thread that answers.
        pub remote_pid: I32,
        /// The thread that asked.
        pub origin_pid: I32,
        /// Where the answer is awaited.
        pub origin_ws: I32,
        /// The address, on a page boundary.
        pub addr: U64,
        /// [`VmFault`]; CONTINUE grants ownership of the copy that the asker has.
        pub result: I32,
    }
}

kmsg! {
    /// Your copy of this page is void (`page_invalidate_request_t`).
    pub struct PageInvalidateRequest: PageInvalidateRequest {
        /// The thread that asks.
        pub origin_pid: I32,
        /// Where the answer is awaited.
        pub origin_ws: I32,
        /// The receiver's worker.
        pub remote_pid: I32,
        /// The address, on a page boundary.
        pub addr: U64,
    }
}

kmsg! {
    /// It is gone (`page_invalidate_response_t`).
    pub struct PageInvalidateResponse: PageInvalidateResponse {
        /// The thread that asked.
        pub origin_pid: I32,
        /// Where the answer is awaited.
        pub origin_ws: I32,
        /// The worker that answers.
        pub remote_pid: I32,
    }
}

impl RemotePageRequest {
    /// How the page was touched.
    pub fn flags(&self) -> FaultFlags {
        FaultFlags::from_bits_retain(self.fault_flags.get())
    }
}

impl RemotePageResponse {
    /// How the fault ended.
    pub fn vm_fault(&self) -> VmFault {
        VmFault::from_wire(self.result.get())
    }
}

impl RemotePageResponseShort {
    /// How the fault ended.
    pub fn vm_fault(&self) -> VmFault {
        VmFault::from_wire(self.result.get())
    }
}
