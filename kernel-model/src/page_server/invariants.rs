//! The page server's invariants, as a checker: always on in tests, a parameter of the node elsewhere.
//!
//! [`check_home_page`] looks at one page at home after each transaction. [`check_cluster`] looks at every page on every node, between any two
//! actions of a run.

use std::collections::BTreeMap;
use std::rc::Rc;

use isa::VirtAddr;
use msglayer::Nid;

use super::Ownership;
use crate::kernel::Kernel;
use crate::mm::Mm;
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

/// A page that more than one node could write, or that one could write while another could read it: the sentence that says so.
pub fn check_cluster(kernels: &[Rc<Kernel>]) -> Result<(), String> {
    let mut holders: BTreeMap<(Nid, i32, VirtAddr), Vec<(Nid, bool)>> = BTreeMap::new();
    for k in kernels {
        let contexts: Vec<_> = k
            .remote_contexts
            .iter()
            .flat_map(|list| list.borrow().clone())
            .collect();
        for rc in contexts {
            let Some(mm) = rc.mm.borrow().upgrade() else {
                continue;
            };
            let distributed: Vec<(VirtAddr, Ownership)> = rc
                .pages
                .borrow()
                .iter()
                .filter(|(_, word)| word.is_distributed())
                .collect();
            for (addr, _) in distributed {
                let pte = mm.page_table.borrow().get(addr).filter(|pte| pte.present);
                if let Some(pte) = pte {
                    holders
                        .entry((rc.home, rc.tgid.0, addr))
                        .or_default()
                        .push((k.nid(), pte.write));
                }
            }
        }
    }
    for ((home, tgid, addr), nodes) in holders {
        if nodes.len() > 1 && nodes.iter().any(|(_, write)| *write) {
            return Err(format!(
                "one-writer: page {addr} of process {tgid} of node {home} is held by {nodes:?} (node, may write)"
            ));
        }
    }
    Ok(())
}
