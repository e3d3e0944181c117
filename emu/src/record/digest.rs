//! The digest of a run: 128 bits of xxh3 over the canonical bytes of all events.

use std::fmt;

use kernel_model::Event;
use msglayer::{Nid, SimTime};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::encode::encode;

/// A run's digest. Equal inputs give equal digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u128);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// One rolling hash per node.
pub(super) struct NodeDigests {
    nodes: Vec<Xxh3>,
    buffer: Vec<u8>,
}

impl NodeDigests {
    pub fn new(nodes: usize) -> Self {
        Self {
            nodes: vec![Xxh3::new(); nodes],
            buffer: Vec::new(),
        }
    }

    pub fn update(&mut self, at: SimTime, nid: Nid, event: &Event<'_>) {
        self.buffer.clear();
        encode(at, event, &mut self.buffer);
        self.nodes[nid.index()].update(&self.buffer);
    }

    pub fn finish(&self) -> Digest {
        let all: Vec<u8> = self
            .nodes
            .iter()
            .flat_map(|node| node.digest128().to_le_bytes())
            .collect();
        Digest(xxh3_128(&all))
    }
}
