//! `struct epoll_event`: packed to 12 bytes on x86_64 alone (EPOLL_PACKED, include/uapi/linux/eventpoll.h), 16 bytes elsewhere.

use crate::Isa;

/// An event and the user's word that goes with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EpollEvent {
    /// EPOLLIN and its like.
    pub events: u32,
    /// What the user registered with the file descriptor.
    pub data: u64,
}

impl EpollEvent {
    /// Size in bytes on an ISA, which is also the distance in arrays.
    pub const fn size_on(isa: Isa) -> usize {
        match isa {
            Isa::X86_64 => 12,
            Isa::Aarch64 => 16,
        }
    }

    /// Offset of `data`.
    const fn data_offset(isa: Isa) -> usize {
        Self::size_on(isa) - 8
    }

    /// The bytes that a program of an ISA expects.
    pub fn encode(&self, isa: Isa) -> Vec<u8> {
        let mut bytes = vec![0; Self::size_on(isa)];
        bytes[..4].copy_from_slice(&self.events.to_le_bytes());
        bytes[Self::data_offset(isa)..].copy_from_slice(&self.data.to_le_bytes());
        bytes
    }

    /// Reads what a program of an ISA wrote; `None` when there are not exactly [`EpollEvent::size_on`] bytes.
    pub fn decode(isa: Isa, bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::size_on(isa) {
            return None;
        }
        let events = u32::from_le_bytes(*bytes.first_chunk()?);
        let data = u64::from_le_bytes(*bytes.last_chunk()?);
        Some(Self { events, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_on_x86_64_only() {
        let event = EpollEvent {
            events: 0x0403_0201,
            data: 0x1817_1615_1413_1211,
        };
        let data = [0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18];
        assert_eq!(
            event.encode(Isa::X86_64),
            [&[1, 2, 3, 4][..], &data].concat()
        );
        assert_eq!(
            event.encode(Isa::Aarch64),
            [&[1, 2, 3, 4, 0, 0, 0, 0][..], &data].concat()
        );
        for isa in Isa::ALL {
            let bytes = event.encode(isa);
            assert_eq!(EpollEvent::decode(isa, &bytes), Some(event));
            assert_eq!(EpollEvent::decode(isa, &bytes[1..]), None);
        }
    }
}
