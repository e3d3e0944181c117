//! Page tables: what the hardware sees. Two levels of ours stand for the four of the architectures.
//!
//! As in Popcorn, a revoked page keeps its frame in a non-present entry, so that it can be refilled or made valid again in place. Left out:
//! huge pages, swap entries.

use std::collections::BTreeMap;

use isa::{PAGE_SHIFT, Pfn, VirtAddr};

use crate::cpu::{Access, Translation};

/// A page table entry. "None" is the absence of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pte {
    /// The frame; kept when the entry is made invalid.
    pub pfn: Pfn,
    /// The valid bit: the page is here. Popcorn clears it, and it alone, when a page is revoked.
    pub present: bool,
    /// Loads succeed; off only where PROT_NONE covers a page that is here.
    pub read: bool,
    /// Stores succeed.
    pub write: bool,
    /// Fetches succeed.
    pub exec: bool,
    /// Stored to since it was mapped, as far as the kernel knows.
    pub dirty: bool,
}

const LEAF_BITS: u32 = 9;
const LEAF_LEN: usize = 1 << LEAF_BITS;

type Leaf = Box<[Option<Pte>; LEAF_LEN]>;

/// The page table of one address space.
#[derive(Default)]
pub struct PageTable {
    leaves: BTreeMap<u64, Leaf>,
}

impl PageTable {
    /// The entry of the page that holds `addr`.
    pub fn get(&self, addr: VirtAddr) -> Option<Pte> {
        let (key, slot) = position(addr);
        self.leaves.get(&key)?[slot]
    }

    /// Sets the entry. Whoever withdraws a permission flushes the TLBs (`Kernel::flush_tlb`).
    pub fn set(&mut self, addr: VirtAddr, pte: Pte) {
        let (key, slot) = position(addr);
        self.leaves
            .entry(key)
            .or_insert_with(|| Box::new([None; LEAF_LEN]))[slot] = Some(pte);
    }

    /// Changes the entry if there is one; returns whether there was.
    pub fn update(&mut self, addr: VirtAddr, change: impl FnOnce(&mut Pte)) -> bool {
        let (key, slot) = position(addr);
        match self
            .leaves
            .get_mut(&key)
            .and_then(|leaf| leaf[slot].as_mut())
        {
            Some(pte) => {
                change(pte);
                true
            }
            None => false,
        }
    }

    /// Removes the entry.
    pub fn take(&mut self, addr: VirtAddr) -> Option<Pte> {
        let (key, slot) = position(addr);
        self.leaves.get_mut(&key)?[slot].take()
    }

    /// Gives back the tables of `start..end` that have no entry left, so that a program that wanders through its address space does not
    /// leave them behind.
    pub fn prune(&mut self, start: VirtAddr, end: VirtAddr) {
        if start < end {
            let touched = position(start).0..=position(VirtAddr(end.0 - 1)).0;
            let empty: Vec<_> = self
                .leaves
                .range(touched)
                .filter(|(_, leaf)| leaf.iter().all(Option::is_none))
                .map(|(key, _)| *key)
                .collect();
            for key in empty {
                self.leaves.remove(&key);
            }
        }
    }

    /// The walk of the hardware.
    pub fn translate(&self, addr: VirtAddr, access: Access) -> Option<Translation> {
        let pte = self.get(addr).filter(|pte| pte.present)?;
        let allowed = match access {
            Access::Read => pte.read,
            Access::Write => pte.write,
            Access::Fetch => pte.exec,
        };
        allowed.then_some(Translation {
            pfn: pte.pfn,
            write: pte.write,
            exec: pte.exec,
        })
    }

    /// The entries with a frame in `start..end`, lowest address first. Costs by entries, not by the length of the range.
    pub fn range(&self, start: VirtAddr, end: VirtAddr) -> Vec<(VirtAddr, Pte)> {
        if start >= end {
            return Vec::new();
        }
        let leaves = self
            .leaves
            .range(position(start).0..=position(VirtAddr(end.0 - 1)).0);
        let entries = leaves.flat_map(|(key, leaf)| {
            leaf.iter().enumerate().filter_map(move |(slot, pte)| {
                Some((
                    VirtAddr(((key << LEAF_BITS) + slot as u64) << PAGE_SHIFT),
                    (*pte)?,
                ))
            })
        });
        entries
            .filter(|(addr, _)| start <= *addr && *addr < end)
            .collect()
    }

    /// All entries with a frame, lowest address first.
    pub fn iter(&self) -> impl Iterator<Item = (VirtAddr, Pte)> {
        self.leaves.iter().flat_map(|(key, leaf)| {
            leaf.iter().enumerate().filter_map(move |(slot, pte)| {
                let vpn = (key << LEAF_BITS) + slot as u64;
                pte.map(|pte| (VirtAddr(vpn << PAGE_SHIFT), pte))
            })
        })
    }
}

fn position(addr: VirtAddr) -> (u64, usize) {
    let vpn = addr.0 >> PAGE_SHIFT;
    (vpn >> LEAF_BITS, (vpn as usize) & (LEAF_LEN - 1))
}
