//! The bytes of a call-site table: header and site. What follows them is two plain lists of site numbers.

use zerocopy::little_endian::{I32, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{CallSite, ISAS, SiteFrame, slot};
use crate::{Isa, VirtAddr};

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct WireHeader {
    pub(super) magic: U32,
    pub(super) version: U32,
    pub(super) count: U32,
    pub(super) zero: U32,
    pub(super) start: [U64; ISAS],
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct WireFrame {
    pub(super) cfa_from_fp: I32,
    pub(super) size: U32,
    pub(super) saved_fp: I32,
    pub(super) saved_return_address: I32,
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct WireSite {
    pub(super) return_address: [U64; ISAS],
    pub(super) frame: [WireFrame; ISAS],
}

const _: () = assert!(size_of::<WireHeader>() == 32 && size_of::<WireSite>() == 48);

impl WireSite {
    /// The frame on an ISA.
    pub(super) fn frame(&self, isa: Isa) -> SiteFrame {
        let frame = &self.frame[slot(isa)];
        SiteFrame {
            return_address: VirtAddr(self.return_address[slot(isa)].get()),
            cfa_from_fp: frame.cfa_from_fp.get(),
            size: frame.size.get(),
            saved_fp: frame.saved_fp.get(),
            saved_return_address: frame.saved_return_address.get(),
        }
    }
}

impl From<&CallSite> for WireSite {
    fn from(site: &CallSite) -> WireSite {
        let wire = |frame: &SiteFrame| WireFrame {
            cfa_from_fp: frame.cfa_from_fp.into(),
            size: frame.size.into(),
            saved_fp: frame.saved_fp.into(),
            saved_return_address: frame.saved_return_address.into(),
        };
        WireSite {
            return_address: [
                site.aarch64.return_address.0.into(),
                site.x86_64.return_address.0.into(),
            ],
            frame: [wire(&site.aarch64), wire(&site.x86_64)],
        }
    }
}
