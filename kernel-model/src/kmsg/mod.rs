//! The kernel's side of the message layer: sending, the receive threads, and handing each message to its handler by class.
//!
//! Models `pcn_kmsg_*` and `msg_socket` of K52 (`kernel/popcorn/pcn_kmsg.c`, `msg_layer/msg_socket.c`). Left out: send buffers, priorities
//! (K52 always writes NORMAL), the ring of 1024 entries (a sender never blocks), RDMA.

mod dispatch;
mod wait_station;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use msglayer::messages::NodeInfo;
use msglayer::{
    Counters, Envelope, HandlerTable, Header, LinkModel, Links, Message, Nid, SimDuration, SimTime,
};

use crate::event::Event;
use crate::exec::{ThreadClass, WaitQueue, WaitRecord};
use crate::kernel::Kernel;

pub(crate) use dispatch::parse;
pub use dispatch::{BoxFuture, Handler};
pub use wait_station::{Replies, WaitStation};

/// What the message layer of a node keeps.
pub struct Kmsg {
    links: RefCell<Links>,
    recv_cost: SimDuration,
    send_cost: SimDuration,
    outbox: RefCell<Vec<(SimTime, Envelope)>>,
    inboxes: BTreeMap<Nid, Inbox>,
    handlers: RefCell<HandlerTable<Handler>>,
    stations: wait_station::Stations,
    /// Messages and bytes by type.
    pub counters: RefCell<Counters>,
}

#[derive(Default)]
struct Inbox {
    arrived: RefCell<VecDeque<Envelope>>,
    readable: WaitQueue,
}

impl Kmsg {
    pub(crate) fn new(nid: Nid, link: LinkModel, peers: &[Nid]) -> Self {
        Self {
            links: RefCell::new(Links::new(link)),
            recv_cost: link.recv_cost,
            send_cost: link.send_cost,
            outbox: RefCell::default(),
            inboxes: peers
                .iter()
                .filter(|peer| **peer != nid)
                .map(|peer| (*peer, Inbox::default()))
                .collect(),
            handlers: RefCell::new(dispatch::handlers()),
            stations: wait_station::Stations::default(),
            counters: RefCell::default(),
        }
    }

    pub(crate) fn take_outbox(&self) -> Vec<(SimTime, Envelope)> {
        self.outbox.take()
    }

    /// The other nodes of the cluster.
    pub fn peers(&self) -> impl Iterator<Item = Nid> {
        self.inboxes.keys().copied()
    }
}

/// `pcn_kmsg_send`: fills the header, accounts, hands the message to the transport. Sending to oneself is a bug of the caller.
///
/// K52's difference between `send` (synchronous, the buffer is the caller's) and `post` (asynchronous, the transport frees it) is one of
/// buffers: the sender's CPU pays the same, and the link is FIFO for both.
pub fn pcn_kmsg_send<M: Message>(k: &Rc<Kernel>, to: Nid, mut message: M) {
    assert_ne!(to, k.nid(), "a node sends no message to itself");
    Header::fill(&mut message, k.nid());
    let bytes = message.as_bytes().to_vec();
    k.exec.charge(k.kmsg.send_cost);
    k.kmsg.counters.borrow_mut().sent(M::TYPE, bytes.len());
    k.event(&Event::Send {
        to,
        kind: M::TYPE,
        bytes: &bytes,
    });
    let arrival = k
        .kmsg
        .links
        .borrow_mut()
        .transmit(k.exec.now(), to, bytes.len());
    k.kmsg.outbox.borrow_mut().push((
        arrival,
        Envelope {
            from: k.nid(),
            to,
            bytes,
        },
    ));
}

/// `pcn_kmsg_post`: see [`pcn_kmsg_send`].
pub fn pcn_kmsg_post<M: Message>(k: &Rc<Kernel>, to: Nid, message: M) {
    pcn_kmsg_send(k, to, message);
}

/// Starts a receive thread per peer and tells everybody who this node is (`broadcast_my_node_info`).
///
/// All connections exist when a kernel starts: K52's module load blocks until they do. A peer is online at once, but its ISA is known only
/// after its NODE_INFO has been processed.
pub(crate) fn start_transport(k: &Rc<Kernel>) {
    let peers: Vec<_> = k.kmsg.peers().collect();
    k.nodes.borrow_mut().set_connected(k.nid());
    for peer in &peers {
        k.nodes.borrow_mut().set_connected(*peer);
        k.exec.spawn(
            format!("pcn_recv_{peer}"),
            ThreadClass::Kernel,
            recv_handler(Rc::clone(k), *peer),
        );
    }
    let kernel = Rc::clone(k);
    k.exec
        .spawn("pcn_bring_up", ThreadClass::Kernel, async move {
            for peer in peers {
                pcn_kmsg_send(&kernel, peer, NodeInfo::new(kernel.nid(), kernel.isa()));
            }
        });
}

/// A message has arrived at this node's socket.
pub(crate) fn arrive(k: &Rc<Kernel>, envelope: Envelope) {
    let Some(inbox) = k.kmsg.inboxes.get(&envelope.from) else {
        k.log(&format!(
            "a message from node {}, which is not in the node list, was dropped",
            envelope.from
        ));
        return;
    };
    inbox.arrived.borrow_mut().push_back(envelope);
    inbox.readable.wake(&k.exec, 1);
}

/// The receive thread of one peer (`recv_handler`): one message after the other, in the order of the link.
async fn recv_handler(k: Rc<Kernel>, peer: Nid) {
    let inbox = &k.kmsg.inboxes[&peer];
    loop {
        let next = inbox.arrived.borrow_mut().pop_front();
        match next {
            Some(envelope) => {
                k.exec.charge(k.kmsg.recv_cost);
                dispatch::pcn_kmsg_process(&k, envelope);
            }
            None => {
                inbox
                    .readable
                    .sleep(&k.exec, WaitRecord::new("a message").service())
                    .await;
            }
        }
    }
}

/// `handle_node_info`, on `popcorn_wq`: from now on the peer's ISA is known.
pub(crate) fn handle_node_info(k: Rc<Kernel>, envelope: Envelope) -> BoxFuture {
    Box::pin(async move {
        let Some(info) = dispatch::parse::<NodeInfo>(&k, &envelope) else {
            return;
        };
        let known = k.nodes.borrow_mut().process_node_info(info);
        match known {
            Ok(()) => k.event(&Event::NodeOnline {
                peer: envelope.from,
            }),
            Err(error) => k.log(&error.to_string()),
        }
    })
}
