//! The call-site table that is patched into both files, byte for byte the same.
//!
//! Little endian. Header of 32 bytes: magic "KCST", version, count, zero, the return addresses in the start code that end a walk. Then for
//! each site 48 bytes: return addresses, then frame layouts. Then the site ids sorted by return address, once for each ISA.
//! Pairs are indexed by Popcorn's architecture code: aarch64 0, x86_64 1.

use std::collections::BTreeMap;

use isa::Isa;

use crate::sites::Site;

const MAGIC: u32 = 0x5453_434B;
const VERSION: u32 = 1;
const HEADER_SIZE: u64 = 32;
const SITE_SIZE: u64 = 48;
const INDEX_SIZE: u64 = 8;

/// ISAs in the order of their architecture codes.
pub const BY_ARCH_CODE: [Isa; 2] = [Isa::Aarch64, Isa::X86_64];

/// Bytes of a table of `count` sites.
pub fn size(count: usize) -> u64 {
    HEADER_SIZE + count as u64 * (SITE_SIZE + INDEX_SIZE)
}

/// The table of `count` sites. Pairs are in the order of [`BY_ARCH_CODE`]. A site that no back end has kept has zero addresses.
pub fn encode(count: usize, start_ra: [u64; 2], sites: [&BTreeMap<u32, Site>; 2]) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [MAGIC, VERSION, count as u32, 0] {
        out.extend(word.to_le_bytes());
    }
    for address in start_ra {
        out.extend(address.to_le_bytes());
    }
    let address = |k: usize, id: u32| sites[k].get(&id).map_or(0, |s| s.return_address);
    for id in 0..count as u32 {
        for k in [0, 1] {
            out.extend(address(k, id).to_le_bytes());
        }
        for one in sites {
            let site = one.get(&id);
            out.extend(site.map_or(0, |s| s.cfa_fp).to_le_bytes());
            out.extend(site.map_or(0, |s| s.size).to_le_bytes());
            out.extend(site.map_or(0, |s| s.fp_off).to_le_bytes());
            out.extend(site.map_or(0, |s| s.ra_off).to_le_bytes());
        }
    }
    for k in [0, 1] {
        let mut ids: Vec<u32> = (0..count as u32).collect();
        ids.sort_by_key(|id| address(k, *id));
        for id in ids {
            out.extend(id.to_le_bytes());
        }
    }
    out
}
