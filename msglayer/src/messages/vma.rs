//! VMA_*: what is mapped where, fetched lazily by remotes, and changes of it, which the origin decides.

use zerocopy::little_endian::{I32, I64, U64};

use super::layout::kmsg;
use super::path::PathField;
use crate::error::KmsgError;
use crate::types::MessageType;

kmsg! {
    /// What is mapped at this address? (`vma_info_request_t`)
    pub struct VmaInfoRequest: VmaInfoRequest {
        /// The thread at its origin, which answers.
        pub origin_pid: I32,
        /// The thread that asks.
        pub remote_pid: I32,
        /// The address, on a page boundary.
        pub addr: U64,
    }
}

kmsg! {
    /// This is (`vma_info_response_t`). The asker is found by process and address, not by a wait station.
    pub struct VmaInfoResponse: VmaInfoResponse {
        /// The thread that asked.
        pub remote_pid: I32,
        /// 0, or a negative errno: -ENOENT where nothing is mapped.
        pub result: I32,
        /// The address that was asked for.
        pub addr: U64,
        /// First byte of the mapping.
        pub vm_start: U64,
        /// Behind the mapping.
        pub vm_end: U64,
        /// VM_READ, VM_WRITE and so on.
        pub vm_flags: U64,
        /// Where in the file the mapping begins, in pages.
        pub vm_pgoff: U64,
        /// The file; empty for anonymous memory.
        pub vm_file_path: PathField,
    }
}

kmsg! {
    /// Change the mappings (`vma_op_request_t`): delegated by a remote to the origin, or a munmap from the origin to a remote.
    ///
    /// Where K52 has a union the field bears the name that mmap has for it.
    pub struct VmaOpRequest: VmaOpRequest {
        /// The thread that is to do it: at the origin, or for a munmap broadcast the receiver's worker.
        pub origin_pid: I32,
        /// The thread that asks.
        pub remote_pid: I32,
        /// Where the answer is awaited.
        pub remote_ws: I32,
        /// A [`VmaOp`].
        pub operation: I32,
        /// Address; also `start`, and `brk` of brk.
        pub addr: U64,
        /// Length; also `old_len` of mremap.
        pub len: U64,
        /// Protection; also `behavior` of madvise (an int in its lower half), and `new_len` of mremap.
        pub prot: U64,
        /// Flags of mmap and mremap.
        pub flags: U64,
        /// Offset in the file, in pages; also `new_addr` of mremap.
        pub pgoff: U64,
        /// The file of a file mapping; it is opened again by this path.
        pub path: PathField,
    }
}

kmsg! {
    /// What became of it (`vma_op_response_t`).
    pub struct VmaOpResponse: VmaOpResponse {
        /// As in the request.
        pub origin_pid: I32,
        /// As in the request.
        pub remote_pid: I32,
        /// Where the answer is awaited.
        pub remote_ws: I32,
        /// A [`VmaOp`].
        pub operation: I32,
        /// The result of the operation, or a negative errno.
        pub ret: I64,
        /// Where it took place; also `start`, and `brk` of brk.
        pub addr: U64,
        /// How long it is.
        pub len: U64,
    }
}

/// What a VMA operation is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum VmaOp {
    /// Nothing.
    Nop = -1,
    /// mmap.
    Mmap = 0,
    /// munmap.
    Munmap = 1,
    /// mprotect.
    Mprotect = 2,
    /// mremap.
    Mremap = 3,
    /// madvise.
    Madvise = 4,
    /// brk.
    Brk = 5,
}

impl VmaOp {
    /// All of them, by number.
    pub const ALL: [VmaOp; 7] = [
        Self::Nop,
        Self::Mmap,
        Self::Munmap,
        Self::Mprotect,
        Self::Mremap,
        Self::Madvise,
        Self::Brk,
    ];

    /// The number on the wire.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The operation with this number.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.number() == number)
    }
}

impl VmaOpRequest {
    /// What is to be done.
    ///
    /// # Errors
    /// When `operation` is no operation.
    pub fn op(&self) -> Result<VmaOp, KmsgError> {
        checked_op(MessageType::VmaOpRequest, self.operation.get())
    }
}

impl VmaOpResponse {
    /// What was to be done.
    ///
    /// # Errors
    /// When `operation` is no operation.
    pub fn op(&self) -> Result<VmaOp, KmsgError> {
        checked_op(MessageType::VmaOpResponse, self.operation.get())
    }
}

fn checked_op(message: MessageType, number: i32) -> Result<VmaOp, KmsgError> {
    VmaOp::from_number(number).ok_or(KmsgError::BadField {
        message,
        field: "operation",
        value: number.into(),
    })
}
