//! How the nodes of a cluster come to know each other: the start of K52's TCP transport (msg_socket) as a list of steps.
//!
//! Each pair of nodes has one connection. A node connects to every lower id, in order and each until it succeeds; then counts
//! itself as online; then accepts every higher id; and in the end tells everybody what it is. Loading the transport blocks until
//! all listed nodes are up, and membership never changes afterwards. No bytes are exchanged to open a connection: the first ones
//! are a message header.
//!
//! Left out: how addresses map to ids (line numbers of `/etc/popcorn/nodes`, port 30467), and the retry each second while a lower
//! node is not listening yet: simulated nodes start together.

use crate::node::{Nid, NodeList};
use crate::time::SimDuration;

/// The pause between listening and the first connection attempt in K52's transport.
pub const LISTEN_SETTLE: SimDuration = SimDuration::from_ms(100);

/// One step of a node's bring-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BringUpStep {
    /// Listen for the higher nodes.
    Listen,
    /// Wait this long.
    Sleep(SimDuration),
    /// Connect to this lower node, which is online from then on.
    Connect(Nid),
    /// Mark oneself online.
    OnlineSelf(Nid),
    /// Accept the connection of this higher node, which is online from then on.
    Accept(Nid),
    /// Send NODE_INFO to this node.
    SendNodeInfo(Nid),
}

impl BringUpStep {
    /// What the step does to the list of nodes.
    pub const fn apply(self, list: &mut NodeList) {
        match self {
            Self::Connect(nid) | Self::OnlineSelf(nid) | Self::Accept(nid) => {
                list.set_popcorn_node_online(nid, true)
            }
            Self::Listen | Self::Sleep(_) | Self::SendNodeInfo(_) => {}
        }
    }
}

/// The steps of node `me` in a cluster of `nodes` nodes, in order.
pub fn bring_up_steps(me: Nid, nodes: usize) -> Vec<BringUpStep> {
    use BringUpStep as Step;
    let lower = Nid::first(nodes).filter(|nid| *nid < me);
    let higher = Nid::first(nodes).filter(|nid| *nid > me);
    let others = Nid::first(nodes).filter(|nid| *nid != me);
    [Step::Listen, Step::Sleep(LISTEN_SETTLE)]
        .into_iter()
        .chain(lower.map(Step::Connect))
        .chain([Step::OnlineSelf(me)])
        .chain(higher.map(Step::Accept))
        .chain(others.map(Step::SendNodeInfo))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_connects_downwards_and_accepts_upwards() {
        use BringUpStep::*;
        let [n0, n1, n2] = [0, 1, 2].map(|nid| Nid::checked(nid).unwrap());
        assert_eq!(
            bring_up_steps(n1, 3),
            [
                Listen,
                Sleep(LISTEN_SETTLE),
                Connect(n0),
                OnlineSelf(n1),
                Accept(n2),
                SendNodeInfo(n0),
                SendNodeInfo(n2)
            ]
        );
        assert_eq!(
            bring_up_steps(n0, 1),
            [Listen, Sleep(LISTEN_SETTLE), OnlineSelf(n0)]
        );
    }

    #[test]
    fn every_pair_has_one_connection_and_everybody_is_online_in_the_end() {
        for nodes in [1, 2, 3, 8, 32] {
            let mut pairs = Vec::new();
            for me in Nid::first(nodes) {
                let mut list = NodeList::new(me, isa::Isa::X86_64);
                for step in bring_up_steps(me, nodes) {
                    step.apply(&mut list);
                    if let BringUpStep::Connect(nid) = step {
                        pairs.push((me, nid));
                    }
                }
                assert_eq!(list.online_peers().count(), nodes - 1);
                assert!(list.get_popcorn_node_online(me));
            }
            assert_eq!(pairs.len(), nodes * (nodes - 1) / 2);
            assert!(pairs.iter().all(|(me, peer)| peer < me));
        }
    }
}
