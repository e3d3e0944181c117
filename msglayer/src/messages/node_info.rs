//! NODE_INFO: a node says what it is, to everybody, once all connections exist.

use isa::Isa;
use zerocopy::little_endian::I32;

use super::Message;
use super::layout::kmsg;
use crate::error::KmsgError;
use crate::node::Nid;
use crate::types::MessageType;

kmsg! {
    /// What a node is (`node_info_t`).
    pub struct NodeInfo: NodeInfo {
        /// Which node.
        pub nid: I32,
        /// Never set to anything that means something.
        pub bundle_id: I32,
        /// Its architecture, in Popcorn's numbers: aarch64 0, x86_64 1.
        pub arch: I32,
    }
}

impl NodeInfo {
    /// What node `nid` says of itself; the bundle id is the -1 that it always is.
    pub fn new(nid: Nid, isa: Isa) -> Self {
        Self {
            nid: nid.as_i32().into(),
            bundle_id: (-1).into(),
            arch: isa.arch_code().into(),
            ..Self::blank()
        }
    }

    /// The architecture.
    ///
    /// # Errors
    /// When the number is none of a modelled ISA.
    pub fn isa(&self) -> Result<Isa, KmsgError> {
        Isa::from_arch_code(self.arch.get()).ok_or(KmsgError::BadField {
            message: MessageType::NodeInfo,
            field: "arch",
            value: self.arch.get().into(),
        })
    }
}
