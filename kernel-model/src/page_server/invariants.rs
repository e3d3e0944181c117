//! The page server's invariants, as a checker: always on in tests, a parameter of the node elsewhere.
//!
//! [`check_home_page`] looks at one page at home after each transaction. [`check_cluster`] looks at every page and every area on every node,
//! between any two actions of a run, and [`check_pages`] at some pages only, which is cheap enough to be done after each change of long runs:
//!
//! * `one-writer`, at any time: while one node may write a page, no other has it.
//! * `home-decides`, for a page without an ongoing fault on any node: a node's bit in home's directory, the node's own bit and the valid bit
//!   of its page table entry are the same thing. A guest's area is a part of home's, with the same flags and the same file; every page
//!   table entry lies in an area. While home holds `mmap_sem` for writing the process is being changed, and none of this is asked.
//! * `somebody-owns`: if home does not own a distributed page, exactly one guest does.
//!
//! Profile k52 keeps the original's gaps, so that only `one-writer` is asked of it.

use std::collections::BTreeSet;
use std::rc::Rc;

use isa::VirtAddr;

use crate::config::Profile;
use crate::kernel::Kernel;
use crate::mm::{Mm, Vma};
use crate::process_server::check_one_life;
use crate::remote_context::RemoteContext;

/// After a transaction: who owns the page and what home's page table says fit together. Panics with the state that does not.
pub(super) fn check_home_page(k: &Rc<Kernel>, mm: &Rc<Mm>, rc: &Rc<RemoteContext>, addr: VirtAddr) {
    if !k.config.check_invariants || rc.faults.is_ongoing(addr) {
        return;
    }
    let word = rc.pages.borrow().get(addr);
    let pte = mm.page_table.borrow().get(addr);
    let (true, Some(pte)) = (word.is_distributed(), pte) else {
        return;
    };
    let (me, owners) = (k.nid(), word.count());
    let state = || format!("page {addr} at home node {me}: {word:?}, {pte:?}");
    if word.is_owned_by(me) {
        assert!(
            pte.present,
            "home owns a page that is not present: {}",
            state()
        );
        assert!(
            !pte.write || owners == 1,
            "one-writer: home may write a page that others hold: {}",
            state()
        );
    } else {
        assert!(
            !pte.present,
            "home holds a page that it does not own: {}",
            state()
        );
        assert_eq!(owners, 1, "somebody-owns: {}", state());
    }
}

/// Looks at every distributed process whose home is alive, and at the twins of every thread: the sentence that says what is broken.
pub fn check_cluster(kernels: &[Rc<Kernel>]) -> Result<(), String> {
    check_one_life(kernels)?;
    of_each_process(kernels, check_process)
}

/// Looks at these pages of every distributed process whose home is alive.
pub fn check_pages(kernels: &[Rc<Kernel>], pages: &[VirtAddr]) -> Result<(), String> {
    of_each_process(kernels, |origin, guests| {
        pages
            .iter()
            .try_for_each(|addr| check_page(origin, guests, *addr))
    })
}

fn of_each_process(
    kernels: &[Rc<Kernel>],
    check: impl Fn(&Side, &[Side]) -> Result<(), String>,
) -> Result<(), String> {
    for home in kernels {
        let contexts = home.remote_contexts[0].borrow().clone();
        for rc in contexts {
            let Some(origin) = Side::of(home, &rc) else {
                continue;
            };
            let guests: Vec<_> = kernels
                .iter()
                .filter_map(|k| {
                    let rc = k.lookup_remote_context(true, rc.home, rc.tgid)?;
                    Side::of(k, &rc)
                })
                .collect();
            check(&origin, &guests)
                .map_err(|why| format!("{why} (process {} of node {})", rc.tgid, rc.home))?;
        }
    }
    Ok(())
}

/// A distributed process on one node.
struct Side {
    k: Rc<Kernel>,
    rc: Rc<RemoteContext>,
    mm: Rc<Mm>,
}

impl Side {
    fn of(k: &Rc<Kernel>, rc: &Rc<RemoteContext>) -> Option<Self> {
        let mm = rc.mm.borrow().upgrade()?;
        Some(Self {
            k: Rc::clone(k),
            rc: Rc::clone(rc),
            mm,
        })
    }

    /// What this node says about a page.
    fn state(&self, addr: VirtAddr) -> String {
        let (word, pte) = (
            self.rc.pages.borrow().get(addr),
            self.mm.page_table.borrow().get(addr),
        );
        format!("node {}: {word:?}, {pte:?}", self.k.nid())
    }
}

fn check_process(origin: &Side, guests: &[Side]) -> Result<(), String> {
    let sides: Vec<_> = std::iter::once(origin).chain(guests).collect();
    let pages: BTreeSet<_> = sides
        .iter()
        .flat_map(|side| {
            let words = side.rc.pages.borrow();
            let distributed = words.iter().filter(|(_, word)| word.is_distributed());
            distributed.map(|(addr, _)| addr).collect::<Vec<_>>()
        })
        .collect();
    for addr in pages {
        check_page(origin, guests, addr)?;
    }
    if is_settled(origin) {
        for side in &sides {
            every_page_has_an_area(side)?;
        }
        for guest in guests {
            areas_agree(origin, guest)?;
        }
    }
    Ok(())
}

/// Whether the process is not being changed, and its profile keeps all of the invariants.
fn is_settled(origin: &Side) -> bool {
    origin.k.config.profile != Profile::K52 && !origin.mm.mmap_sem.is_write_locked()
}

fn check_page(origin: &Side, guests: &[Side], addr: VirtAddr) -> Result<(), String> {
    let sides: Vec<_> = std::iter::once(origin).chain(guests).collect();
    let broken = one_writer(&sides, addr).or_else(|| {
        let idle = sides.iter().all(|side| !side.rc.faults.is_ongoing(addr));
        (idle && is_settled(origin)).then(|| ownership(origin, guests, addr))?
    });
    let Some(what) = broken else { return Ok(()) };
    let states: Vec<_> = sides.iter().map(|side| side.state(addr)).collect();
    Err(format!("{what}: page {addr}: {}", states.join("; ")))
}

fn one_writer(sides: &[&Side], addr: VirtAddr) -> Option<&'static str> {
    let (mut holders, mut writers) = (0, 0);
    for side in sides {
        let distributed = side.rc.pages.borrow().get(addr).is_distributed();
        let pte = side.mm.page_table.borrow().get(addr);
        if let Some(pte) = pte.filter(|pte| distributed && pte.present) {
            holders += 1;
            writers += u32::from(pte.write);
        }
    }
    (writers > 0 && holders > 1).then_some("one-writer: a page is written while others hold it")
}

/// The directory against what the nodes hold.
fn ownership(origin: &Side, guests: &[Side], addr: VirtAddr) -> Option<&'static str> {
    let directory = origin.rc.pages.borrow().get(addr);
    let home = origin.k.nid();
    let mut known = 0;
    for side in std::iter::once(origin).chain(guests) {
        let nid = side.k.nid();
        let word = side.rc.pages.borrow().get(addr);
        let present = (side.mm.page_table.borrow().get(addr)).is_some_and(|pte| pte.present);
        if word.is_distributed() && word.is_owned_by(nid) != present {
            return Some("home-decides: a node's own bit and its page table differ");
        }
        let holds = word.is_distributed() && word.is_owned_by(nid);
        if directory.is_owned_by(nid) != holds {
            return Some("home-decides: home's directory and a node differ");
        }
        known += u32::from(directory.is_owned_by(nid));
    }
    if known != directory.count() {
        return Some("home-decides: an owner is a node where the process is not");
    }
    if directory.is_distributed() && !directory.is_owned_by(home) && directory.count() != 1 {
        return Some("somebody-owns: home does not, and not exactly one guest does");
    }
    None
}

fn every_page_has_an_area(side: &Side) -> Result<(), String> {
    let vmas = side.mm.vmas.borrow();
    let table = side.mm.page_table.borrow();
    match table
        .iter()
        .find(|(addr, _)| vmas.covering(*addr).is_none())
    {
        Some((addr, pte)) => Err(format!(
            "home-decides: node {} has page {addr} ({pte:?}) where nothing is mapped",
            side.k.nid()
        )),
        None => Ok(()),
    }
}

/// Each area of a guest is a part of home's.
fn areas_agree(origin: &Side, guest: &Side) -> Result<(), String> {
    let home = origin.mm.vmas.borrow();
    for area in guest.mm.vmas.borrow().iter() {
        let mut at = area.start;
        for part in home.overlapping(area.start, area.end) {
            let part = part.clip(area.start, area.end);
            if part.start != at || !same_memory(&part, &area.clip(part.start, part.end)) {
                break;
            }
            at = part.end;
        }
        if at < area.end {
            let found = home.covering(at).map(describe);
            return Err(format!(
                "home-decides: node {} has {} mapped, home has {} at {at}",
                guest.k.nid(),
                describe(area),
                found.unwrap_or_else(|| "nothing".to_owned())
            ));
        }
    }
    Ok(())
}

fn same_memory(a: &Vma, b: &Vma) -> bool {
    let file = |vma: &Vma| {
        vma.named_file()
            .map(|mapped| (Rc::clone(&mapped.path), vma.pgoff))
    };
    a.flags == b.flags && file(a) == file(b)
}

fn describe(vma: &Vma) -> String {
    format!("{}..{} ({:?})", vma.start, vma.end, vma.flags)
}
