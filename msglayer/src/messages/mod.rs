//! The messages themselves, as K52's packed structures: one file for each family.
//!
//! Every message is a value that *is* its bytes: the 10-byte header, then little-endian fields without padding. Reading one is a
//! check and a cast, sending one is a copy. [`Message::WIRE`] says the same as data, for tests, traces and documentation.
//!
//! A message is built by naming its fields, so that two pids cannot change places unseen:
//!
//! ```
//! use msglayer::messages::{Message, RemoteTaskExit};
//! let message = RemoteTaskExit {
//!     origin_pid: 70.into(),
//!     remote_pid: 81.into(),
//!     exit_code: 0.into(),
//!     ..RemoteTaskExit::blank()
//! };
//! assert_eq!(message.origin_pid.get(), 70);
//! ```
//!
//! The header of such a message is empty: the transport fills it when the message is sent ([`crate::Envelope::seal`]).
//!
//! A trap in the names, which are the kernel's: in the process, VMA and futex messages *origin* and *remote* are a process's home
//! node and another one. In the *page* messages `origin_*` is whoever asks and `remote_*` whoever answers, whichever is home.

mod futex;
mod layout;
mod node_info;
mod page;
mod path;
mod signal;
mod syscall_fwd;
mod task;
#[cfg(test)]
mod tests;
mod vm_fault;
mod vma;

pub use futex::{NO_TIMEOUT, RemoteFutexRequest, RemoteFutexResponse};
pub use layout::{Field, FieldKind, LAYOUTS, Layout, WireField};
pub use node_info::NodeInfo;
pub use page::{
    MESSAGE_PAGE_SIZE, PageInvalidateRequest, PageInvalidateResponse, RemotePageRequest,
    RemotePageResponse, RemotePageResponseShort,
};
pub use path::{PATH_FIELD_SIZE, PathField};
pub use signal::{SignalAction, SignalInfo, SignalInterrupt, SignalMask};
pub use syscall_fwd::{PcnSyscall, SignalTrans, SyscallFwd, SyscallRep, SyscallRepLong};
pub use task::{
    BackMigrationRequest, CloneRequest, OnwardReply, OriginTaskExit, RemoteTaskExit,
    RemoteTaskPairing,
};
pub use vm_fault::{FaultFlags, VmFault};
pub use vma::{VmaInfoRequest, VmaInfoResponse, VmaOp, VmaOpRequest, VmaOpResponse};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::KmsgError;
use crate::header::{Header, PcnKmsgHdr};
use crate::types::{HandlerClass, MessageType};

/// A message that is its own wire format.
pub trait Message: FromBytes + IntoBytes + KnownLayout + Immutable + Unaligned + Copy {
    /// What it is.
    const TYPE: MessageType;
    /// Its fields, in order.
    const WIRE: &'static Layout;

    /// The message with every field zero and the header not filled yet.
    fn blank() -> Self {
        Self::new_zeroed()
    }

    /// The header as it is: zero until the message is sent.
    fn header(&self) -> &PcnKmsgHdr;

    /// The header, for [`Header::fill`].
    fn header_mut(&mut self) -> &mut PcnKmsgHdr;

    /// Reads a whole message.
    ///
    /// # Errors
    /// When `bytes` have no header that makes sense, are of another type, or are not exactly as many as header and type say.
    fn parse(bytes: &[u8]) -> Result<&Self, KmsgError> {
        let header = Header::decode(bytes)?;
        let message = header.message_type;
        if message != Self::TYPE {
            return Err(KmsgError::WrongType {
                expected: Self::TYPE,
                found: message,
            });
        }
        check_sizes(&header, bytes, size_of::<Self>())?;
        Self::ref_from_bytes(bytes).map_err(|_| KmsgError::WrongSize {
            message,
            expected: size_of::<Self>(),
            given: bytes.len(),
        })
    }
}

/// The pid of the task that a message of class [`HandlerClass::RemoteWork`] is to be parked on.
///
/// # Errors
/// When `bytes` are no whole message, or one of another class.
pub fn remote_work_pid(bytes: &[u8]) -> Result<i32, KmsgError> {
    let header = Header::decode(bytes)?;
    let message = header.message_type;
    if message.class() != Some(HandlerClass::RemoteWork) {
        return Err(KmsgError::NotRemoteWork(message));
    }
    match message {
        MessageType::TaskMigrateBack => {
            BackMigrationRequest::parse(bytes).map(|m| m.origin_pid.get())
        }
        MessageType::TaskExitOrigin => OriginTaskExit::parse(bytes).map(|m| m.remote_pid.get()),
        MessageType::TaskExitRemote => RemoteTaskExit::parse(bytes).map(|m| m.origin_pid.get()),
        MessageType::VmaInfoRequest => VmaInfoRequest::parse(bytes).map(|m| m.origin_pid.get()),
        MessageType::VmaOpRequest => VmaOpRequest::parse(bytes).map(|m| m.origin_pid.get()),
        MessageType::FutexRequest => RemoteFutexRequest::parse(bytes).map(|m| m.origin_pid.get()),
        MessageType::SyscallFwd => SyscallFwd::parse(bytes).map(|m| m.origin_pid.get()),
        other => Err(KmsgError::NotModelled(other)),
    }
}

/// Holds the bytes at hand against the header and against the size of the type.
pub(crate) fn check_sizes(header: &Header, bytes: &[u8], expected: usize) -> Result<(), KmsgError> {
    let message = header.message_type;
    if header.size != bytes.len() {
        return Err(KmsgError::SizeMismatch {
            message,
            header: header.size as u64,
            given: bytes.len(),
        });
    }
    if bytes.len() != expected {
        return Err(KmsgError::WrongSize {
            message,
            expected,
            given: bytes.len(),
        });
    }
    Ok(())
}
