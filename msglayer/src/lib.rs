//! kmsg: the kernel message layer of Popcorn Linux.
//!
//! Popcorn's kernels share no memory. Everything that one wants from another (start this thread, give me this page, wake that
//! futex) is a message: a packed C structure behind a 10-byte header, handed to a transport, delivered in order per link, and
//! given at the other side to the one handler of its type. This crate is that layer, after Popcorn's 5.2.21 kernel ("K52"):
//!
//! * [`header`] and [`types`]: what every message begins with, and the one table of all message types;
//! * [`messages`]: each message as a type, byte for byte as on K52's wire;
//! * [`envelope`]: a message under way between two nodes;
//! * [`handlers`] and [`wait_station`]: who takes a message, and where an answer finds who asked;
//! * [`node`] and [`bring_up`]: which nodes there are, and how they come to know each other;
//! * [`transport`] and [`link`]: how long a message takes and what it costs;
//! * [`stats`]: what `/proc/popcorn_stat` counts;
//! * [`time`] and [`bandwidth`]: simulated time, which starts here because messages are what nodes have in common.
//!
//! The layer knows no kernel and waits for nothing. A handler is whatever the kernel says it is, a wait station holds an answer
//! and leaves the sleeping to the kernel, and a transport only says *when* a message arrives: the engine delivers it. That keeps
//! every part of it a value that a test can drive.
//!
//! Left out: RDMA and the other transports (the [`transport::Transport`] trait is their place), message priorities (K52 has the
//! field and always writes "normal"), and the payloads of message types that no modelled protocol sends; [`types`] lists these.
#![forbid(unsafe_code)]

pub mod bandwidth;
pub mod bring_up;
pub mod envelope;
mod error;
pub mod handlers;
pub mod header;
pub mod link;
pub mod messages;
pub mod node;
mod quantity;
pub mod stats;
pub mod time;
pub mod transport;
pub mod types;
pub mod wait_station;

pub use bandwidth::Bandwidth;
pub use envelope::Envelope;
pub use error::KmsgError;
pub use handlers::HandlerTable;
pub use header::{Header, PCN_KMSG_MAX_PAYLOAD_SIZE, PCN_KMSG_MAX_SIZE, PcnKmsgHdr, Prio};
pub use link::{LinkModel, Links};
pub use messages::Message;
pub use node::{MAX_POPCORN_NODES, Nid, NodeList};
pub use quantity::QuantityError;
pub use stats::Counters;
pub use time::{SimDuration, SimTime};
pub use transport::Transport;
pub use types::{HandlerClass, MessageType};
pub use wait_station::{WaitStationError, WaitStations, WsId};
