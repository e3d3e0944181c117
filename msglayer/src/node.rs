//! Node ids and each node's list of all nodes (K52's `popcorn_nodes`, in bundle.c).
//!
//! A node knows of another, in this order: that it is *online*, as soon as their connection exists; and its *architecture*, only
//! when its NODE_INFO message has been processed. Migrating in between is the trap of issue 97 of Popcorn's tracker, so the two
//! are kept apart here as there.
//!
//! Left out: leaving and coming back. K52 never clears the online flag, and neither does anything here unless the caller does.

use std::fmt;

use isa::Isa;

use crate::error::KmsgError;
use crate::messages::NodeInfo;

/// Nodes in a cluster at most. K52's limit; the header's signed six bits of node id reach no further.
pub const MAX_POPCORN_NODES: usize = 32;

/// The id of a node: its line in the list of nodes, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nid(u8);

impl Nid {
    /// Node 0, the first line of the list. K52 forwards system calls here, whatever a thread's origin.
    pub const ZERO: Nid = Nid(0);

    /// The node with this number, if there can be one: 0..=31.
    pub const fn new(nid: i32) -> Option<Nid> {
        if 0 <= nid && nid < MAX_POPCORN_NODES as i32 {
            Some(Nid(nid as u8))
        } else {
            None
        }
    }

    /// The node with this number, or the error that says which there are.
    pub const fn checked(nid: i32) -> Result<Nid, KmsgError> {
        match Nid::new(nid) {
            Some(nid) => Ok(nid),
            None => Err(KmsgError::BadNid(nid)),
        }
    }

    /// All ids that can be, in order.
    pub fn all() -> impl DoubleEndedIterator<Item = Nid> + ExactSizeIterator {
        (0..MAX_POPCORN_NODES as u8).map(Nid)
    }

    /// The ids of a cluster of `nodes` nodes, in order (at most [`MAX_POPCORN_NODES`]).
    pub fn first(nodes: usize) -> impl DoubleEndedIterator<Item = Nid> + ExactSizeIterator {
        Nid::all().take(nodes)
    }

    /// As an index into an array of nodes.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// As messages and system calls carry it.
    pub const fn as_i32(self) -> i32 {
        self.0 as i32
    }
}

/// Writes the bare number.
impl fmt::Display for Nid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What a node knows of one node (`struct popcorn_node`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PopcornNode {
    /// The instruction set, once NODE_INFO has told.
    pub arch: Option<Isa>,
    /// Never set by K52 to anything that means something: -1.
    pub bundle_id: i32,
    /// Whether the connection exists ("online").
    pub is_connected: bool,
}

impl PopcornNode {
    const UNKNOWN: PopcornNode = PopcornNode {
        arch: None,
        bundle_id: -1,
        is_connected: false,
    };
}

/// One node's view of the cluster: `popcorn_nodes[32]` and `my_nid`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeList {
    my_nid: Nid,
    nodes: [PopcornNode; MAX_POPCORN_NODES],
}

impl NodeList {
    /// The list of node `my_nid`, which knows its own architecture and nobody else; not even itself counts as online yet.
    pub const fn new(my_nid: Nid, arch: Isa) -> Self {
        let mut nodes = [PopcornNode::UNKNOWN; MAX_POPCORN_NODES];
        nodes[my_nid.index()].arch = Some(arch);
        Self { my_nid, nodes }
    }

    /// Which node this is.
    pub const fn my_nid(&self) -> Nid {
        self.my_nid
    }

    /// What is known of `nid`.
    pub const fn get(&self, nid: Nid) -> &PopcornNode {
        &self.nodes[nid.index()]
    }

    /// Marks `nid` online or offline (`set_popcorn_node_online`).
    pub const fn set_popcorn_node_online(&mut self, nid: Nid, online: bool) {
        self.nodes[nid.index()].is_connected = online;
    }

    /// The connection to `nid` exists: it is online. Its architecture stays as unknown as it was.
    pub const fn set_connected(&mut self, nid: Nid) {
        self.set_popcorn_node_online(nid, true);
    }

    /// `nid` has said what it is.
    pub const fn set_arch(&mut self, nid: Nid, arch: Isa) {
        self.nodes[nid.index()].arch = Some(arch);
    }

    /// Whether `nid` is online (`get_popcorn_node_online`).
    pub const fn get_popcorn_node_online(&self, nid: Nid) -> bool {
        self.nodes[nid.index()].is_connected
    }

    /// The architecture of `nid`, once known (`get_popcorn_node_arch`).
    pub const fn get_popcorn_node_arch(&self, nid: Nid) -> Option<Isa> {
        self.nodes[nid.index()].arch
    }

    /// Online nodes other than this one, by rising id.
    pub fn online_peers(&self) -> impl Iterator<Item = Nid> + '_ {
        Nid::all().filter(|nid| *nid != self.my_nid && self.get_popcorn_node_online(*nid))
    }

    /// The message that tells the others what this node is (`broadcast_my_node_info` sends one to each).
    pub fn my_node_info(&self) -> Option<NodeInfo> {
        self.get_popcorn_node_arch(self.my_nid)
            .map(|arch| NodeInfo::new(self.my_nid, arch))
    }

    /// The NODE_INFO handler (`process_node_info`): notes what the sender says it is. It does not make anybody online.
    ///
    /// # Errors
    /// When the message names a node that cannot be, or an architecture that there is not.
    pub fn process_node_info(&mut self, info: &NodeInfo) -> Result<(), KmsgError> {
        let nid = Nid::checked(info.nid.get())?;
        let arch = info.isa()?;
        let node = &mut self.nodes[nid.index()];
        node.arch = Some(arch);
        node.bundle_id = info.bundle_id.get();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Message;

    #[test]
    fn a_node_id_is_in_range_or_is_not() {
        for bad in [-1, 32, i32::MIN, i32::MAX] {
            assert_eq!(Nid::new(bad), None);
            assert_eq!(Nid::checked(bad), Err(KmsgError::BadNid(bad)));
        }
        assert_eq!(
            Nid::all().map(Nid::as_i32).collect::<Vec<_>>(),
            (0..32).collect::<Vec<_>>()
        );
        assert_eq!(Nid::first(2).last().map(Nid::index), Some(1));
    }

    #[test]
    fn a_node_is_online_before_its_architecture_is_known() {
        let (zero, one) = (Nid::ZERO, Nid::checked(1).unwrap());
        let mut home = NodeList::new(zero, Isa::X86_64);
        home.set_connected(zero);
        home.set_connected(one);
        assert_eq!(home.get_popcorn_node_arch(one), None);
        assert_eq!(home.online_peers().collect::<Vec<_>>(), [one]);

        let guest = NodeList::new(one, Isa::Aarch64);
        home.process_node_info(&guest.my_node_info().unwrap())
            .unwrap();
        assert_eq!(home.get_popcorn_node_arch(one), Some(Isa::Aarch64));
        assert_eq!(home.get(one).bundle_id, -1);
    }

    #[test]
    fn a_node_info_that_makes_no_sense_changes_nothing() {
        let mut list = NodeList::new(Nid::ZERO, Isa::X86_64);
        let untouched = list.clone();
        for (nid, arch) in [(32, 0), (-1, 0), (1, 2), (1, -1)] {
            let info = NodeInfo {
                nid: nid.into(),
                arch: arch.into(),
                ..NodeInfo::blank()
            };
            assert!(
                list.process_node_info(&info).is_err(),
                "nid {nid} arch {arch}"
            );
            assert_eq!(list, untouched);
        }
    }
}
