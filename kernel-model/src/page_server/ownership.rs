//! Who holds a valid copy of each page: the radix tree of ownership words.
//!
//! A word has an owner bit per node (0 to 31), COWED at bit 62 and DISTRIBUTED at bit 63. At home it is the directory; at a guest only the
//! guest's own bit and DISTRIBUTED mean something.

use std::collections::BTreeMap;

use isa::{PAGE_SHIFT, VirtAddr};
use msglayer::Nid;

/// One page's ownership word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ownership(u64);

const COWED: u64 = 1 << 62;
const DISTRIBUTED: u64 = 1 << 63;
const OWNERS: u64 = 0xffff_ffff;

impl Ownership {
    /// Whether the page has ever been asked for by, or granted to, another node.
    pub fn is_distributed(self) -> bool {
        self.0 & DISTRIBUTED != 0
    }

    /// Whether the private copy of a file page has been made.
    pub fn is_cowed(self) -> bool {
        self.0 & COWED != 0
    }

    /// `page_is_mine`: never distributed, or this node's bit is set.
    pub fn is_mine(self, nid: Nid) -> bool {
        !self.is_distributed() || self.is_owned_by(nid)
    }

    /// Whether a node's bit is set.
    pub fn is_owned_by(self, nid: Nid) -> bool {
        self.0 >> nid.index() & 1 != 0
    }

    /// The owners, lowest number first.
    pub fn owners(self) -> impl Iterator<Item = Nid> {
        Nid::all().filter(move |nid| self.is_owned_by(*nid))
    }

    /// How many own it.
    pub fn count(self) -> u32 {
        (self.0 & OWNERS).count_ones()
    }
}

/// The words of all pages of a process on one node.
#[derive(Debug, Default)]
pub struct OwnershipTree {
    /// As in K52: one metadata page holds the words of 512 pages.
    leaves: BTreeMap<u64, Box<[u64; LEAF_LEN]>>,
}

const LEAF_LEN: usize = 512;

impl OwnershipTree {
    /// The word of a page; a page without metadata has an empty one.
    pub fn get(&self, addr: VirtAddr) -> Ownership {
        let (key, slot) = position(addr);
        Ownership(self.leaves.get(&key).map_or(0, |leaf| leaf[slot]))
    }

    /// `SetPageDistributed`, with the owner bit of `nid`.
    pub fn set_owner(&mut self, addr: VirtAddr, nid: Nid) {
        *self.word(addr) |= DISTRIBUTED | 1 << nid.index();
    }

    /// Clears the owner bit of `nid`; the page stays distributed.
    pub fn clear_owner(&mut self, addr: VirtAddr, nid: Nid) {
        *self.word(addr) |= DISTRIBUTED;
        *self.word(addr) &= !(1 << nid.index());
    }

    /// `SetPageCowed`.
    pub fn set_cowed(&mut self, addr: VirtAddr) {
        *self.word(addr) |= COWED;
    }

    /// Forgets a page.
    pub fn clear(&mut self, addr: VirtAddr) {
        let (key, slot) = position(addr);
        if let Some(leaf) = self.leaves.get_mut(&key) {
            leaf[slot] = 0;
        }
    }

    /// Forgets the pages of `start..end`.
    pub fn clear_range(&mut self, start: VirtAddr, end: VirtAddr) {
        for (addr, _) in self.range(start, end) {
            self.clear(addr);
        }
    }

    /// Pages with a word, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = (VirtAddr, Ownership)> {
        self.leaves.iter().flat_map(|(key, leaf)| {
            let words = leaf.iter().enumerate().filter(|(_, word)| **word != 0);
            words.map(move |(slot, word)| {
                (
                    VirtAddr((key * LEAF_LEN as u64 + slot as u64) << PAGE_SHIFT),
                    Ownership(*word),
                )
            })
        })
    }

    /// Pages with a word in `start..end`, lowest first. Costs by leaves, not by the length of the range.
    pub fn range(&self, start: VirtAddr, end: VirtAddr) -> Vec<(VirtAddr, Ownership)> {
        if start >= end {
            return Vec::new();
        }
        let keys = position(start).0..=position(VirtAddr(end.0 - 1)).0;
        let words = self.leaves.range(keys).flat_map(|(key, leaf)| {
            leaf.iter().enumerate().map(move |(slot, word)| {
                let page = (key * LEAF_LEN as u64 + slot as u64) << PAGE_SHIFT;
                (VirtAddr(page), Ownership(*word))
            })
        });
        words
            .filter(|(addr, word)| word.0 != 0 && start <= *addr && *addr < end)
            .collect()
    }

    fn word(&mut self, addr: VirtAddr) -> &mut u64 {
        let (key, slot) = position(addr);
        &mut self
            .leaves
            .entry(key)
            .or_insert_with(|| Box::new([0; LEAF_LEN]))[slot]
    }
}

fn position(addr: VirtAddr) -> (u64, usize) {
    let vpn = addr.0 >> PAGE_SHIFT;
    (vpn / LEAF_LEN as u64, (vpn % LEAF_LEN as u64) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_tells_owners_apart_from_flags() {
        let mut tree = OwnershipTree::default();
        let (page, nid) = (VirtAddr(0x40_1000), |n| Nid::new(n).unwrap());
        assert!(
            tree.get(page).is_mine(nid(3)),
            "an untouched page is everybody's"
        );
        tree.set_owner(page, nid(0));
        tree.set_owner(page, nid(31));
        tree.set_cowed(page);
        let word = tree.get(page);
        assert_eq!(word.owners().collect::<Vec<_>>(), [nid(0), nid(31)]);
        assert!(word.is_distributed() && word.is_cowed() && !word.is_mine(nid(3)));
        tree.clear_owner(page, nid(0));
        assert_eq!(tree.get(page).count(), 1);
        assert_eq!(
            tree.iter().map(|(addr, _)| addr).collect::<Vec<_>>(),
            [page]
        );
        tree.clear(page);
        assert_eq!(tree.iter().count(), 0);
    }
}
