//! What can be wrong with a message, a node id or a registration.
//!
//! K52 answers most of these with BUG (`CONFIG_POPCORN_CHECK_SANITY`) or not at all; here each is an error, because message
//! bytes may come from anywhere.

use thiserror::Error;

use crate::header::{PCN_KMSG_HDR_SIZE, PCN_KMSG_MAX_SIZE};
use crate::node::{MAX_POPCORN_NODES, Nid};
use crate::types::MessageType;

/// Why the message layer refuses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KmsgError {
    /// Fewer bytes than a header has.
    #[error(
        "a message needs at least its {PCN_KMSG_HDR_SIZE} bytes of header, {0} bytes were given"
    )]
    NoHeader(usize),
    /// The header's type number belongs to no message.
    #[error("message type {0} belongs to no message of Popcorn's")]
    UnknownType(u8),
    /// The header's sender is negative as the wire's six signed bits have it.
    #[error("node id {0} is not one of 0..={max}", max = MAX_POPCORN_NODES - 1)]
    BadNid(i32),
    /// The header's priority is none of low, normal, high.
    #[error("message priority {0} is none of 0 (low), 1 (normal), 2 (high)")]
    BadPrio(u8),
    /// The header's size cannot be that of a message.
    #[error(
        "a message of {0} bytes cannot be: the size is at least {PCN_KMSG_HDR_SIZE} and at most {PCN_KMSG_MAX_SIZE}"
    )]
    BadSize(u64),
    /// The header's size and the number of bytes differ.
    #[error("the header of this {message} says {header} bytes, but {given} bytes were given")]
    SizeMismatch {
        /// The type that the header names.
        message: MessageType,
        /// The size that the header names.
        header: u64,
        /// The bytes at hand.
        given: usize,
    },
    /// The header names another sender than the connection that it came over.
    #[error(
        "the header of this message names node {header} as its sender, but it came from node {connection}"
    )]
    WrongSender {
        /// Who the header says.
        header: Nid,
        /// Whose connection it is.
        connection: Nid,
    },
    /// The message is not as long as its type is.
    #[error("a {message} has {expected} bytes, this one has {given}")]
    WrongSize {
        /// The type.
        message: MessageType,
        /// Its size, with the header.
        expected: usize,
        /// The size of this one.
        given: usize,
    },
    /// The message is of another type than the reader expects.
    #[error("expected a {expected}, this is a {found}")]
    WrongType {
        /// The type that the reader expects.
        expected: MessageType,
        /// The type that the header names.
        found: MessageType,
    },
    /// The type has no layout here: nothing modelled sends it.
    #[error("{0} is not modelled: only its number is known")]
    NotModelled(MessageType),
    /// The type is not delivered by parking it on a task.
    #[error("{0} is not remote work: it names no task to be handed to")]
    NotRemoteWork(MessageType),
    /// A path is too long for its field.
    #[error(
        "a path of {0} bytes does not fit: a message carries at most 511 bytes and a terminating NUL"
    )]
    PathTooLong(usize),
    /// A path has a NUL inside.
    #[error("a path in a message ends at its first NUL, and `{0}` has one inside")]
    PathWithNul(String),
    /// A path field that never ends.
    #[error("the path field of this message has no terminating NUL in its 512 bytes")]
    PathUnterminated,
    /// A path field that is no UTF-8.
    #[error("the path field of this message is no UTF-8: `{0}`")]
    PathNotUtf8(String),
    /// A field whose value means nothing.
    #[error("field `{field}` of {message} cannot be {value}")]
    BadField {
        /// The type.
        message: MessageType,
        /// The field.
        field: &'static str,
        /// Its value.
        value: i64,
    },
    /// A message to oneself.
    #[error("node {0} cannot send a message to itself")]
    ToItself(Nid),
    /// A second handler for a type.
    #[error("{0} has a handler already; unregister it first")]
    HandlerTaken(MessageType),
    /// No handler for a type.
    #[error("{0} has no handler")]
    NoHandler(MessageType),
}
