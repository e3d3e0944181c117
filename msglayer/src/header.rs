//! The header of every message (`struct pcn_kmsg_hdr`): ten packed bytes.
//!
//! | bytes | bits | field |
//! |---|---|---|
//! | 0 | 0..=5 | `from_nid`, signed: of its 64 values only 0..=31 are nodes |
//! | 0 | 6..=7 | `prio` |
//! | 1 | | `type` |
//! | 2..=9 | | `size`, little endian, the header included |
//!
//! There is no magic number, version, checksum, sequence number or authentication. [`PcnKmsgHdr`] is the bytes as they are on the
//! wire, whatever they say; [`Header`] is what they mean once checked.

use zerocopy::little_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::KmsgError;
use crate::messages::Message;
use crate::node::Nid;
use crate::types::MessageType;

/// Bytes of a header.
pub const PCN_KMSG_HDR_SIZE: usize = size_of::<PcnKmsgHdr>();
/// Bytes of a message at most, header included.
pub const PCN_KMSG_MAX_SIZE: usize = 64 << 10;
/// Bytes of a message's payload at most.
pub const PCN_KMSG_MAX_PAYLOAD_SIZE: usize = PCN_KMSG_MAX_SIZE - PCN_KMSG_HDR_SIZE;

const NID_BITS: u32 = 6;

/// The header as it is on the wire.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(C)]
pub struct PcnKmsgHdr {
    from_nid_and_prio: u8,
    message_type: u8,
    size: U64,
}

/// How urgent a message is. Every message is sent as [`Prio::Normal`]: K52 supports no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Prio {
    /// PCN_KMSG_PRIO_LOW.
    Low = 0,
    /// PCN_KMSG_PRIO_NORMAL.
    Normal = 1,
    /// PCN_KMSG_PRIO_HIGH.
    High = 2,
}

/// The meaning of a header that makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Who sent the message.
    pub from_nid: Nid,
    /// How urgent it is.
    pub prio: Prio,
    /// What it is.
    pub message_type: MessageType,
    /// How many bytes it has, these ten included.
    pub size: usize,
}

impl Header {
    /// The header of a message of `size` bytes, as K52's send path fills it.
    pub const fn new(from_nid: Nid, message_type: MessageType, size: usize) -> Self {
        Self {
            from_nid,
            prio: Prio::Normal,
            message_type,
            size,
        }
    }

    /// Fills the header of `message` as K52's send path does: sender, type, size, normal priority.
    pub fn fill<M: Message>(message: &mut M, from_nid: Nid) {
        *message.header_mut() = Header::new(from_nid, M::TYPE, size_of::<M>()).encode();
    }

    /// As bytes for the wire.
    pub fn encode(&self) -> PcnKmsgHdr {
        PcnKmsgHdr {
            from_nid_and_prio: self.from_nid.as_i32() as u8 | (self.prio as u8) << NID_BITS,
            message_type: self.message_type.number(),
            size: U64::new(self.size as u64),
        }
    }

    /// Reads the header that `bytes` begin with. What follows it may be missing: a receiver reads the header first.
    ///
    /// # Errors
    /// When there are fewer than ten bytes, or they name a sender, priority, type or size that cannot be.
    pub fn decode(bytes: &[u8]) -> Result<Self, KmsgError> {
        let (header, _) =
            PcnKmsgHdr::ref_from_prefix(bytes).map_err(|_| KmsgError::NoHeader(bytes.len()))?;
        header.check()
    }
}

impl PcnKmsgHdr {
    /// What the bytes mean.
    ///
    /// # Errors
    /// When they name a sender, priority, type or size that cannot be.
    pub fn check(&self) -> Result<Header, KmsgError> {
        let size = self.size.get();
        Ok(Header {
            from_nid: Nid::checked(self.signed_from_nid())?,
            prio: match self.from_nid_and_prio >> NID_BITS {
                0 => Prio::Low,
                1 => Prio::Normal,
                2 => Prio::High,
                other => return Err(KmsgError::BadPrio(other)),
            },
            message_type: MessageType::from_number(self.message_type)
                .ok_or(KmsgError::UnknownType(self.message_type))?,
            size: usize::try_from(size)
                .ok()
                .filter(|size| (PCN_KMSG_HDR_SIZE..=PCN_KMSG_MAX_SIZE).contains(size))
                .ok_or(KmsgError::BadSize(size))?,
        })
    }

    /// The sender's six bits, sign extended.
    fn signed_from_nid(&self) -> i32 {
        let unused = u8::BITS - NID_BITS;
        i32::from((self.from_nid_and_prio << unused).cast_signed() >> unused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bytes_are_those_of_the_wire() {
        let header = Header::new(
            Nid::checked(5).unwrap(),
            MessageType::RemotePageResponse,
            4130,
        );
        assert_eq!(
            header.encode().as_bytes(),
            [0x45, 12, 0x22, 0x10, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!((PCN_KMSG_HDR_SIZE, PCN_KMSG_MAX_PAYLOAD_SIZE), (10, 65526));
    }

    #[test]
    fn a_header_that_makes_no_sense_is_refused() {
        for (bytes, error) in [
            (&[][..], KmsgError::NoHeader(0)),
            (&[0x40, 0, 10, 0, 0, 0, 0, 0, 0], KmsgError::NoHeader(9)),
            (&[0x7f, 0, 10, 0, 0, 0, 0, 0, 0, 0], KmsgError::BadNid(-1)),
            (&[0x60, 0, 10, 0, 0, 0, 0, 0, 0, 0], KmsgError::BadNid(-32)),
            (&[0xc0, 0, 10, 0, 0, 0, 0, 0, 0, 0], KmsgError::BadPrio(3)),
            (
                &[0x40, 99, 10, 0, 0, 0, 0, 0, 0, 0],
                KmsgError::UnknownType(99),
            ),
            (&[0x40, 0, 9, 0, 0, 0, 0, 0, 0, 0], KmsgError::BadSize(9)),
            (
                &[0x40, 0, 1, 0, 1, 0, 0, 0, 0, 0],
                KmsgError::BadSize(65537),
            ),
            (
                &[0x40, 0, 10, 0, 0, 0, 0, 0, 0, 0x80],
                KmsgError::BadSize(0x8000_0000_0000_000a),
            ),
        ] {
            assert_eq!(Header::decode(bytes), Err(error));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_header_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..16)) {
            if let Ok(header) = Header::decode(&bytes) {
                let again = header.encode();
                prop_assert_eq!(again.as_bytes(), &bytes[..PCN_KMSG_HDR_SIZE]);
            }
        }

        #[test]
        fn what_is_encoded_is_decoded(nid in 0..32, number in 0u8..=48, size in PCN_KMSG_HDR_SIZE..=PCN_KMSG_MAX_SIZE) {
            let message_type = MessageType::from_number(number).unwrap();
            let header = Header::new(Nid::checked(nid).unwrap(), message_type, size);
            prop_assert_eq!(Header::decode(header.encode().as_bytes()), Ok(header));
        }
    }
}
