//! Transports: what carries messages between nodes (`struct pcn_kmsg_transport`).
//!
//! K52's transport has calls to get and put send buffers, to send, to post and to finish with a received message. In a simulated
//! machine buffers cost nothing and sending never blocks; what is left is *when* a message arrives and what it costs. So a
//! transport here is a timing model, and moving the bytes is the engine's.

use bitflags::bitflags;

use crate::link::{LinkModel, Links};
use crate::node::Nid;
use crate::time::{SimDuration, SimTime};

bitflags! {
    /// What a transport can do besides messages (`PCN_KMSG_FEATURE_*`).
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct Features: u32 {
        /// Write into another node's memory.
        const RDMA = 0x1;
    }
}

/// The transport's line in `/proc/popcorn_stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransportStat {
    /// Bytes of send buffer in use.
    pub usage: u64,
    /// Most bytes of send buffer ever in use.
    pub peak_usage: u64,
    /// What the line says behind the figures.
    pub label: &'static str,
}

/// A transport, seen from one sending node.
pub trait Transport {
    /// Its name ("socket").
    fn name(&self) -> &'static str;

    /// What it can do besides messages.
    fn features(&self) -> Features;

    /// CPU time that sending a message to `to` takes.
    fn send_cost(&self, to: Nid) -> SimDuration;

    /// CPU time that receiving a message from `from` takes.
    fn recv_cost(&self, from: Nid) -> SimDuration;

    /// The time that any message to `to` takes at least: how far `to` can run ahead of this node.
    fn latency(&self, to: Nid) -> SimDuration;

    /// Sends `len` bytes to `to` at `now`; returns when they are there. Never reorders messages of one link.
    fn transmit(&mut self, now: SimTime, to: Nid, len: usize) -> SimTime;

    /// Its line in the statistics.
    fn stat(&self) -> TransportStat;
}

/// TCP (module msg_socket): a connection for each pair of nodes, a sender and a receiver thread for each peer.
///
/// Left out: TCP's own packets, acknowledgements and retransmissions; the ring of 1024 outgoing messages, at the end of which a
/// sender blocks; the 60 s after which K52 gives up waiting for its sender thread; and peers that go away, which K52 does not
/// notice.
#[derive(Debug, Clone)]
pub struct Socket {
    links: Links,
}

impl Socket {
    /// A transport whose links are all alike.
    pub const fn new(model: LinkModel) -> Self {
        Self {
            links: Links::new(model),
        }
    }

    /// A transport with these links.
    pub const fn with_links(links: Links) -> Self {
        Self { links }
    }
}

impl Transport for Socket {
    fn name(&self) -> &'static str {
        "socket"
    }

    fn features(&self) -> Features {
        Features::empty()
    }

    fn send_cost(&self, to: Nid) -> SimDuration {
        self.links.model(to).send_cost
    }

    fn recv_cost(&self, from: Nid) -> SimDuration {
        self.links.model(from).recv_cost
    }

    fn latency(&self, to: Nid) -> SimDuration {
        self.links.model(to).latency
    }

    fn transmit(&mut self, now: SimTime, to: Nid, len: usize) -> SimTime {
        self.links.transmit(now, to, len)
    }

    /// Always zero: K52 allocates each message instead of using its ring of send memory.
    fn stat(&self) -> TransportStat {
        TransportStat {
            usage: 0,
            peak_usage: 0,
            label: "Send buffer usage",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_its_links() {
        let (model, to) = (
            LinkModel::profile("10gbe").unwrap(),
            Nid::checked(1).unwrap(),
        );
        let mut socket = Socket::new(model);
        let arrival = socket.transmit(SimTime::ZERO, to, 4130);
        assert_eq!(
            arrival,
            SimTime::ZERO + model.bandwidth.time_for(4130) + socket.latency(to)
        );
        assert_eq!(
            (socket.send_cost(to), socket.recv_cost(to)),
            (model.send_cost, model.recv_cost)
        );
        assert_eq!(
            (socket.name(), socket.features()),
            ("socket", Features::empty())
        );
    }
}
