//! The call-site table of a multi-ISA program: for each call that may migrate, what its native frame looks like on either ISA.
//!
//! `kettle-cc` writes it, the guest runtime walks with it, tools read it. It lives in section [`SECTION`], at the same address and with
//! identical bytes in both files. All numbers are little-endian:
//!
//! | offset | field |
//! |--:|---|
//! | 0 | u32 magic, "KCST" |
//! | 4 | u32 version, 1 |
//! | 8 | u32 number of sites |
//! | 12 | u32 zero |
//! | 16 | u64 return addresses that end a walk in the process's start code |
//! | 32 | sites of 48 bytes: u64 return addresses; then {i32 FP to CFA, u32 frame size, i32 saved FP, i32 return address} |
//! | 32 + 48 n | u32 site numbers by ascending return address, first for aarch64, then for x86_64 |
//!
//! Where a field exists once for each ISA, the index is the arch code: aarch64 first, then x86_64.

mod error;
mod wire;

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes as _, IntoBytes as _};

pub use error::CallSitesError;

use crate::{ElfImage, Isa, VirtAddr};
use wire::{WireHeader, WireSite};

/// Name of the section that holds the table.
pub const SECTION: &str = ".kettle.callsites";

/// Name of the symbol at its start.
pub const SYMBOL: &str = "__kettle_callsites";

const MAGIC: u32 = u32::from_le_bytes(*b"KCST");
const VERSION: u32 = 1;
const ISAS: usize = 2;

/// A native frame as it is while the call that made the site is under way. All distances are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteFrame {
    /// The address that the call returns to, just after the call instruction. Never 0: that ends a walk.
    pub return_address: VirtAddr,
    /// CFA = frame pointer + this.
    pub cfa_from_fp: i32,
    /// Stack pointer at the call = CFA - this; a multiple of 16.
    pub size: u32,
    /// The caller's frame pointer is saved at CFA + this.
    pub saved_fp: i32,
    /// The caller's return address is saved at CFA + this.
    pub saved_return_address: i32,
}

/// One call site: the same call on both ISAs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallSite {
    /// Its frame on aarch64.
    pub aarch64: SiteFrame,
    /// Its frame on x86_64.
    pub x86_64: SiteFrame,
}

impl CallSite {
    /// Its frame on an ISA.
    pub fn frame(&self, isa: Isa) -> &SiteFrame {
        match isa {
            Isa::Aarch64 => &self.aarch64,
            Isa::X86_64 => &self.x86_64,
        }
    }
}

/// Number of a call site: its index in the table, the same on both ISAs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SiteId(pub u32);

/// A valid table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSites {
    start: [VirtAddr; ISAS],
    sites: Vec<CallSite>,
    /// Site numbers by ascending return address, for each arch code.
    by_address: [Vec<u32>; ISAS],
}

/// Index of an ISA in the table's arrays.
const fn slot(isa: Isa) -> usize {
    isa.arch_code() as usize
}

impl CallSites {
    /// A table of sites. `start` gives, for each ISA, the return address that ends a walk in the process's start code.
    pub fn new(
        start: impl Fn(Isa) -> VirtAddr,
        sites: Vec<CallSite>,
    ) -> Result<CallSites, CallSitesError> {
        let mut table = CallSites {
            start: [VirtAddr(0); ISAS],
            sites,
            by_address: [vec![], vec![]],
        };
        for isa in Isa::ALL {
            table.start[slot(isa)] = start(isa);
            for (site, number) in table.sites.iter().zip(0..) {
                check_frame(site.frame(isa)).map_err(|reason| CallSitesError::Site {
                    site: number,
                    isa,
                    reason,
                })?;
            }
            let address = |&site: &u32| table.sites[site as usize].frame(isa).return_address;
            let mut order: Vec<u32> = (0..table.sites.len() as u32).collect();
            order.sort_by_key(address);
            if let Some(pair) = order
                .windows(2)
                .find(|pair| address(&pair[0]) == address(&pair[1]))
            {
                let reason = format!("it has the same return address as site {}", pair[0]);
                return Err(CallSitesError::Site {
                    site: pair[1],
                    isa,
                    reason,
                });
            }
            table.by_address[slot(isa)] = order;
        }
        Ok(table)
    }

    /// Size in bytes of a table of so many sites; known before the sites are.
    pub const fn byte_len(count: usize) -> usize {
        size_of::<WireHeader>() + count * (size_of::<WireSite>() + ISAS * size_of::<u32>())
    }

    /// Reads and checks exactly the bytes of a table.
    pub fn parse(bytes: &[u8]) -> Result<CallSites, CallSitesError> {
        let length = |count: u64| CallSitesError::Length {
            found: bytes.len() as u64,
            count,
            expected: CallSites::byte_len(count as usize) as u64,
        };
        let (header, rest) = WireHeader::read_from_prefix(bytes).map_err(|_| length(0))?;
        let (magic, version) = (header.magic.get(), header.version.get());
        if magic != MAGIC || version != VERSION {
            return Err(CallSitesError::Header { magic, version });
        }
        if header.zero.get() != 0 {
            return Err(CallSitesError::Reserved(header.zero.get()));
        }
        let count = header.count.get() as usize;
        if bytes.len() != CallSites::byte_len(count) {
            return Err(length(count as u64));
        }
        let (wire, index) = rest.split_at(count * size_of::<WireSite>());
        let wire = <[WireSite]>::ref_from_bytes(wire).expect("the length was checked");
        let sites = wire.iter().map(|site| CallSite {
            aarch64: site.frame(Isa::Aarch64),
            x86_64: site.frame(Isa::X86_64),
        });
        let table = CallSites::new(
            |isa| VirtAddr(header.start[slot(isa)].get()),
            sites.collect(),
        )?;
        let index = <[U32]>::ref_from_bytes(index).expect("the length was checked");
        for isa in Isa::ALL {
            let given = &index[slot(isa) * count..][..count];
            let wrong = given
                .iter()
                .zip(&table.by_address[slot(isa)])
                .position(|(given, right)| given.get() != *right);
            if let Some(position) = wrong {
                return Err(CallSitesError::Index { isa, position });
            }
        }
        Ok(table)
    }

    /// Reads the table of a program.
    pub fn of_image(image: &ElfImage) -> Result<CallSites, CallSitesError> {
        let section = image
            .section(SECTION)
            .ok_or(CallSitesError::NoSection(image.isa()))?;
        CallSites::parse(image.section_data(section))
    }

    /// The bytes of the table, [`CallSites::byte_len`] of them.
    pub fn encode(&self) -> Vec<u8> {
        let header = WireHeader {
            magic: MAGIC.into(),
            version: VERSION.into(),
            count: (self.sites.len() as u32).into(),
            zero: U32::ZERO,
            start: self.start.map(|address| address.0.into()),
        };
        let mut bytes = header.as_bytes().to_vec();
        for site in &self.sites {
            bytes.extend_from_slice(WireSite::from(site).as_bytes());
        }
        for site in self.by_address.iter().flatten() {
            bytes.extend_from_slice(&site.to_le_bytes());
        }
        bytes
    }

    /// All sites; a site's index is its [`SiteId`].
    pub fn sites(&self) -> &[CallSite] {
        &self.sites
    }

    /// The site of a number.
    pub fn get(&self, id: SiteId) -> Option<&CallSite> {
        self.sites.get(id.0 as usize)
    }

    /// The site that a call on an ISA returns to.
    pub fn find(&self, isa: Isa, return_address: VirtAddr) -> Option<(SiteId, &CallSite)> {
        let order = &self.by_address[slot(isa)];
        let address = |&site: &u32| self.sites[site as usize].frame(isa).return_address;
        let position = order.binary_search_by_key(&return_address, address).ok()?;
        Some((
            SiteId(order[position]),
            &self.sites[order[position] as usize],
        ))
    }

    /// Whether a return address ends a walk: thread start (0) or the process's start code.
    pub fn ends_walk(&self, isa: Isa, return_address: VirtAddr) -> bool {
        return_address == VirtAddr(0) || return_address == self.start[slot(isa)]
    }

    /// The return address in the process's start code.
    pub fn start_return_address(&self, isa: Isa) -> VirtAddr {
        self.start[slot(isa)]
    }
}

/// What holds of every frame on either ISA; the reason when it does not.
fn check_frame(frame: &SiteFrame) -> Result<(), String> {
    if frame.return_address == VirtAddr(0) {
        return Err("its return address is 0, which marks the start of a thread".to_owned());
    }
    if !frame.size.is_multiple_of(16) {
        return Err(format!(
            "its frame size {} is not a multiple of 16",
            frame.size
        ));
    }
    for (what, offset) in [
        ("saved frame pointer", frame.saved_fp),
        ("return address", frame.saved_return_address),
    ] {
        let inside = i64::from(offset) <= -8 && i64::from(offset) >= -i64::from(frame.size);
        if !inside || offset % 8 != 0 {
            return Err(format!(
                "its {what} at CFA{offset:+} is not a word of its frame of {} bytes",
                frame.size
            ));
        }
    }
    if frame.saved_fp == frame.saved_return_address {
        return Err(format!(
            "its saved frame pointer and return address are both at CFA{:+}",
            frame.saved_fp
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(return_address: u64, size: u32) -> SiteFrame {
        SiteFrame {
            return_address: VirtAddr(return_address),
            cfa_from_fp: 16,
            size,
            saved_fp: -16,
            saved_return_address: -8,
        }
    }

    fn sample() -> CallSites {
        let sites = vec![
            CallSite {
                aarch64: frame(0x40_0204, 32),
                x86_64: frame(0x40_0105, 16),
            },
            CallSite {
                aarch64: frame(0x40_0108, 64),
                x86_64: frame(0x40_0209, 48),
            },
        ];
        let start = |isa| {
            VirtAddr(if isa == Isa::Aarch64 {
                0x40_0010
            } else {
                0x40_0020
            })
        };
        CallSites::new(start, sites).expect("the sample is valid")
    }

    #[test]
    fn lookup_by_return_address() {
        let table = sample();
        // (ISA, return address, site)
        let cases = [
            (Isa::Aarch64, 0x40_0204, Some(0)),
            (Isa::Aarch64, 0x40_0108, Some(1)),
            (Isa::Aarch64, 0x40_0105, None),
            (Isa::X86_64, 0x40_0105, Some(0)),
            (Isa::X86_64, 0x40_0209, Some(1)),
            (Isa::X86_64, 0, None),
        ];
        for (isa, address, site) in cases {
            assert_eq!(
                table.find(isa, VirtAddr(address)).map(|(id, _)| id.0),
                site,
                "{isa} {address:#x}"
            );
        }
        assert_eq!(
            table
                .get(SiteId(1))
                .map(|site| site.frame(Isa::X86_64).size),
            Some(48)
        );
        assert_eq!(table.get(SiteId(2)), None);
        for (isa, start, other) in [
            (Isa::Aarch64, 0x40_0010, 0x40_0020),
            (Isa::X86_64, 0x40_0020, 0x40_0010),
        ] {
            assert!(table.ends_walk(isa, VirtAddr(0)) && table.ends_walk(isa, VirtAddr(start)));
            assert!(!table.ends_walk(isa, VirtAddr(other)));
        }
    }

    #[test]
    fn bytes_are_as_documented() {
        let bytes = sample().encode();
        assert_eq!(bytes.len(), CallSites::byte_len(2));
        assert_eq!(bytes.len(), 32 + 2 * 48 + 2 * 2 * 4);
        assert_eq!(&bytes[..16], b"KCST\x01\0\0\0\x02\0\0\0\0\0\0\0");
        let word = |at: usize| u64::from_le_bytes(*bytes[at..].first_chunk().unwrap());
        let half = |at: usize| i32::from_le_bytes(*bytes[at..].first_chunk().unwrap());
        assert_eq!((word(16), word(24)), (0x40_0010, 0x40_0020));
        assert_eq!((word(32), word(40)), (0x40_0204, 0x40_0105));
        assert_eq!(
            [half(48), half(52), half(56), half(60)],
            [16, 32, -16, -8],
            "aarch64"
        );
        assert_eq!(
            [half(64), half(68), half(72), half(76)],
            [16, 16, -16, -8],
            "x86_64"
        );
        assert_eq!([half(128), half(132), half(136), half(140)], [1, 0, 0, 1]);
        assert_eq!(CallSites::parse(&bytes), Ok(sample()));
    }

    #[test]
    fn damaged_tables_are_refused() {
        let good = sample().encode();
        let patched = |at: usize, with: &[u8]| {
            let mut bytes = good.clone();
            bytes[at..at + with.len()].copy_from_slice(with);
            bytes
        };
        // (bytes, complaint)
        let cases = [
            (
                vec![],
                "the call-site table has 0 bytes; with 0 sites it must have 32",
            ),
            (
                patched(0, b"X"),
                "the call-site table begins with magic 0x54534358 version 1; it must be 0x5453434b version 1",
            ),
            (
                patched(4, b"\x02"),
                "the call-site table begins with magic 0x5453434b version 2; it must be 0x5453434b version 1",
            ),
            (
                patched(8, b"\x03"),
                "the call-site table has 144 bytes; with 3 sites it must have 200",
            ),
            (
                good[..143].to_vec(),
                "the call-site table has 143 bytes; with 2 sites it must have 144",
            ),
            (
                patched(12, b"\x01"),
                "the reserved word of the call-site table's header is 0x1; it must be 0",
            ),
            (
                patched(32, &[0; 8]),
                "call site 0 on aarch64: its return address is 0, which marks the start of a thread",
            ),
            (
                patched(68, b"\x18"),
                "call site 0 on x86_64: its frame size 24 is not a multiple of 16",
            ),
            (
                patched(56, b"\x08\0\0\0"),
                "call site 0 on aarch64: its saved frame pointer at CFA+8 is not a word of its frame of 32 bytes",
            ),
            (
                patched(60, b"\xd8"),
                "call site 0 on aarch64: its return address at CFA-40 is not a word of its frame of 32 bytes",
            ),
            (
                patched(56, b"\xf8"),
                "call site 0 on aarch64: its saved frame pointer and return address are both at CFA-8",
            ),
            (
                patched(88, b"\x05\x01"),
                "call site 1 on x86_64: it has the same return address as site 0",
            ),
            (
                patched(128, b"\0"),
                "the aarch64 index of the call-site table is not sorted by return address at position 0",
            ),
            (
                patched(140, b"\x09"),
                "the x86_64 index of the call-site table is not sorted by return address at position 1",
            ),
        ];
        for (bytes, complaint) in cases {
            assert_eq!(CallSites::parse(&bytes).unwrap_err().to_string(), complaint);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_accepted_or_refused_and_what_is_accepted_comes_back(
            edits in prop::collection::vec((0usize..144, any::<u8>()), 0..4),
        ) {
            let mut bytes = sample().encode();
            for (at, with) in edits {
                bytes[at] = with;
            }
            if let Ok(table) = CallSites::parse(&bytes) {
                prop_assert_eq!(table.encode(), bytes);
            }
        }
    }
}
