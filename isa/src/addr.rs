//! Addresses and pages: virtual and physical addresses, frame numbers, and the 4 KiB page that both ISAs and the DSM share.
//!
//! Popcorn requires 4 KiB pages on every node, so the page size is a constant. Canonical-address rules belong to the memory
//! model: any u64 is a representable [`VirtAddr`].

use std::fmt;

/// log2 of [`PAGE_SIZE`].
pub const PAGE_SHIFT: u32 = 12;

/// Bytes in a page.
pub const PAGE_SIZE: u64 = 1 << PAGE_SHIFT;

/// A virtual address of some address space.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtAddr(pub u64);

/// A physical address of one node.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhysAddr(pub u64);

/// Number of a physical page frame of one node: the physical address divided by [`PAGE_SIZE`].
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pfn(pub u64);

macro_rules! address {
    ($type:ident) => {
        impl $type {
            /// The start of the page that holds this address.
            #[must_use]
            pub const fn page_align_down(self) -> Self {
                Self(self.0 & !(PAGE_SIZE - 1))
            }

            /// The first page boundary at or above this address; `None` when that would be 2^64.
            #[must_use]
            pub const fn page_align_up(self) -> Option<Self> {
                match self.0.checked_add(PAGE_SIZE - 1) {
                    Some(sum) => Some(Self(sum & !(PAGE_SIZE - 1))),
                    None => None,
                }
            }

            /// Distance in bytes from the start of the page, below [`PAGE_SIZE`].
            pub const fn page_offset(self) -> u64 {
                self.0 & (PAGE_SIZE - 1)
            }

            /// Whether this is the start of a page.
            pub const fn is_page_aligned(self) -> bool {
                self.page_offset() == 0
            }

            /// The address `bytes` higher, or `None` past 2^64 - 1.
            #[must_use]
            pub const fn checked_add(self, bytes: u64) -> Option<Self> {
                match self.0.checked_add(bytes) {
                    Some(sum) => Some(Self(sum)),
                    None => None,
                }
            }

            /// The address `bytes` lower, or `None` below 0.
            #[must_use]
            pub const fn checked_sub(self, bytes: u64) -> Option<Self> {
                match self.0.checked_sub(bytes) {
                    Some(difference) => Some(Self(difference)),
                    None => None,
                }
            }

            /// The address at a signed distance, or `None` outside the 64-bit space.
            #[must_use]
            pub const fn checked_offset(self, bytes: i64) -> Option<Self> {
                match self.0.checked_add_signed(bytes) {
                    Some(sum) => Some(Self(sum)),
                    None => None,
                }
            }

            /// The address `bytes` higher, modulo 2^64, as the hardware computes it.
            #[must_use]
            pub const fn wrapping_add(self, bytes: u64) -> Self {
                Self(self.0.wrapping_add(bytes))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({:#x})"), self.0)
            }
        }

        impl fmt::LowerHex for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::LowerHex::fmt(&self.0, f)
            }
        }
    };
}

address!(VirtAddr);
address!(PhysAddr);

impl VirtAddr {
    /// Number of the virtual page (Linux: `addr >> PAGE_SHIFT`).
    pub const fn page_number(self) -> u64 {
        self.0 >> PAGE_SHIFT
    }

    /// Start of the virtual page of a number. Bits that do not fit are lost, as in a shift.
    pub const fn from_page_number(number: u64) -> Self {
        Self(number << PAGE_SHIFT)
    }
}

impl PhysAddr {
    /// The frame that holds this address.
    pub const fn pfn(self) -> Pfn {
        Pfn(self.0 >> PAGE_SHIFT)
    }
}

impl Pfn {
    /// The first byte of the frame. A frame number comes from the node's own allocator, so it always fits.
    pub const fn start(self) -> PhysAddr {
        PhysAddr(self.0 << PAGE_SHIFT)
    }
}

impl fmt::Display for Pfn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Debug for Pfn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pfn({:#x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_addresses() {
        // (address, page below, page boundary above, offset)
        let cases = [
            (0, 0, Some(0), 0),
            (1, 0, Some(0x1000), 1),
            (0xfff, 0, Some(0x1000), 0xfff),
            (0x1000, 0x1000, Some(0x1000), 0),
            (
                0x7fff_ffff_f123,
                0x7fff_ffff_f000,
                Some(0x8000_0000_0000),
                0x123,
            ),
            (
                u64::MAX - 0xfff,
                u64::MAX - 0xfff,
                Some(u64::MAX - 0xfff),
                0,
            ),
            (u64::MAX, u64::MAX - 0xfff, None, 0xfff),
        ];
        for (address, down, up, offset) in cases {
            let address = VirtAddr(address);
            assert_eq!(address.page_align_down(), VirtAddr(down), "{address}");
            assert_eq!(address.page_align_up(), up.map(VirtAddr), "{address}");
            assert_eq!(address.page_offset(), offset, "{address}");
            assert_eq!(address.is_page_aligned(), offset == 0, "{address}");
            assert_eq!(
                VirtAddr::from_page_number(address.page_number()),
                VirtAddr(down)
            );
        }
    }

    #[test]
    fn arithmetic_does_not_wrap_unless_asked() {
        assert_eq!(VirtAddr(8).checked_add(8), Some(VirtAddr(16)));
        assert_eq!(VirtAddr(u64::MAX).checked_add(1), None);
        assert_eq!(VirtAddr(8).checked_sub(9), None);
        assert_eq!(VirtAddr(8).checked_offset(-8), Some(VirtAddr(0)));
        assert_eq!(VirtAddr(8).checked_offset(-9), None);
        assert_eq!(VirtAddr(u64::MAX).wrapping_add(1), VirtAddr(0));
    }

    #[test]
    fn frames_and_display() {
        assert_eq!(PhysAddr(0x5123).pfn(), Pfn(5));
        assert_eq!(Pfn(5).start(), PhysAddr(0x5000));
        assert_eq!(VirtAddr(0x400000).to_string(), "0x400000");
        assert_eq!(
            format!("{:?} {:?}", VirtAddr(16), Pfn(16)),
            "VirtAddr(0x10) Pfn(0x10)"
        );
    }
}
