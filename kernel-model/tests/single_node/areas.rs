//! Properties of the area operations: any sequence of mmap, munmap, mprotect and brk agrees with a model that keeps one entry for every page.

use std::collections::BTreeMap;
use std::rc::Rc;

use isa::layout::{MapFlags, Prot};
use isa::{Errno, PAGE_SIZE, VirtAddr};
use kernel_model::mm::{self, Mm, MmLayout, MmapRequest, TASK_SIZE, VmFlags};
use proptest::prelude::*;

use crate::script::Node;

const BASE: u64 = 0x1000_0000;
const PAGES: u64 = 24;

#[derive(Clone, Debug)]
enum Change {
    Map { page: u64, len: u64, prot: u32 },
    Unmap { page: u64, len: u64 },
    Protect { page: u64, len: u64, prot: u32 },
    Touch { page: u64, write: bool },
    Anywhere { len: u64, prot: u32 },
}

fn change() -> impl Strategy<Value = Change> {
    let (page, len, prot) = (0..PAGES, 1..6_u64, 0..8_u32);
    prop_oneof![
        (page.clone(), len.clone(), prot.clone()).prop_map(|(page, len, prot)| Change::Map {
            page,
            len,
            prot
        }),
        (page.clone(), len.clone()).prop_map(|(page, len)| Change::Unmap { page, len }),
        (page.clone(), len.clone(), prot.clone()).prop_map(|(page, len, prot)| Change::Protect {
            page,
            len,
            prot
        }),
        (page, any::<bool>()).prop_map(|(page, write)| Change::Touch { page, write }),
        (len, prot).prop_map(|(len, prot)| Change::Anywhere { len, prot }),
    ]
}

/// What every page is, by number.
type Model = BTreeMap<u64, u32>;

struct Subject {
    node: Node,
    mm: Rc<Mm>,
    model: Model,
}

impl Subject {
    fn new() -> Self {
        let node = Node::new(Vec::new(), &[], 512);
        let mm = Mm::new(1, String::new());
        mm.layout.set(MmLayout {
            task_size: TASK_SIZE,
            ..MmLayout::default()
        });
        Self {
            node,
            mm,
            model: Model::new(),
        }
    }

    fn apply(&mut self, change: &Change) {
        let (k, address) = (&self.node.kernel, |page: u64| {
            VirtAddr(BASE + page * PAGE_SIZE)
        });
        let pages =
            |page: u64, len: u64| (BASE / PAGE_SIZE + page)..(BASE / PAGE_SIZE + page + len);
        match *change {
            Change::Map { page, len, prot } => {
                let request = MmapRequest::anonymous_at(
                    address(page),
                    len * PAGE_SIZE,
                    Prot::from_bits_truncate(prot),
                );
                assert_eq!(mm::do_mmap(k, &self.mm, &request), Ok(address(page)));
                self.model.extend(pages(page, len).map(|page| (page, prot)));
            }
            Change::Unmap { page, len } => {
                assert_eq!(
                    mm::do_munmap(k, &self.mm, address(page), len * PAGE_SIZE),
                    Ok(())
                );
                self.model.retain(|at, _| !pages(page, len).contains(at));
            }
            Change::Protect { page, len, prot } => {
                let mapped = pages(page, len)
                    .take_while(|page| self.model.contains_key(page))
                    .count() as u64;
                let expected = if mapped == len {
                    Ok(())
                } else {
                    Err(Errno::ENOMEM)
                };
                let wanted = Prot::from_bits_truncate(prot);
                assert_eq!(
                    mm::do_mprotect(k, &self.mm, address(page), len * PAGE_SIZE, wanted),
                    expected
                );
                self.model
                    .extend(pages(page, mapped).map(|page| (page, prot)));
            }
            Change::Touch { page, write } => {
                let covering = self.mm.vmas.borrow().covering(address(page)).cloned();
                assert_eq!(
                    covering.is_some(),
                    self.model.contains_key(&(BASE / PAGE_SIZE + page))
                );
                if let Some(vma) =
                    covering.filter(|vma| !write || vma.flags.contains(VmFlags::WRITE))
                {
                    mm::fault_in_local(k, &self.mm, &vma, address(page), write)
                        .expect("memory is large enough");
                }
            }
            Change::Anywhere { len, prot } => {
                let request = MmapRequest {
                    addr: VirtAddr(0),
                    flags: MapFlags::PRIVATE | MapFlags::ANONYMOUS,
                    ..MmapRequest::anonymous_at(
                        VirtAddr(0),
                        len * PAGE_SIZE,
                        Prot::from_bits_truncate(prot),
                    )
                };
                let start = mm::do_mmap(k, &self.mm, &request)
                    .expect("there is room")
                    .page_number();
                for page in start..start + len {
                    assert_eq!(
                        self.model.insert(page, prot),
                        None,
                        "a place was chosen where something is"
                    );
                }
            }
        }
    }

    fn check(&self) {
        let vmas = self.mm.vmas.borrow();
        let mut seen = Model::new();
        for vma in vmas.iter() {
            assert!(
                vma.start < vma.end && vma.start.is_page_aligned() && vma.end.is_page_aligned()
            );
            for page in vma.start.page_number()..vma.end.page_number() {
                let rwx =
                    (vma.flags & (VmFlags::READ | VmFlags::WRITE | VmFlags::EXEC)).bits() as u32;
                assert_eq!(seen.insert(page, rwx), None, "areas overlap");
            }
        }
        assert_eq!(seen, self.model);
        for (before, after) in vmas.iter().zip(vmas.iter().skip(1)) {
            let one = before.end == after.start && before.flags == after.flags;
            assert!(!one, "{} to {} should be one area", before.start, after.end);
        }
        let mut frames = Vec::new();
        for (addr, pte) in self.mm.page_table.borrow().iter() {
            let prot = self
                .model
                .get(&addr.page_number())
                .copied()
                .expect("only mapped pages have frames");
            assert!(
                !pte.write || prot & 2 != 0,
                "a page may be written against its area"
            );
            assert_eq!((pte.read, pte.exec), (prot != 0, prot & 4 != 0));
            frames.push(pte.pfn);
        }
        frames.sort();
        frames.dedup();
        assert_eq!(
            frames.len() as u64,
            self.node.kernel.frames.borrow().used(),
            "every frame belongs to one page"
        );
    }
}

proptest! {
    #[test]
    fn areas_agree_with_a_model_of_pages(changes in prop::collection::vec(change(), 1..60)) {
        let mut subject = Subject::new();
        for change in &changes {
            subject.apply(change);
            subject.check();
        }
        mm::exit_mmap(&subject.node.kernel, &subject.mm);
        prop_assert_eq!(subject.node.kernel.frames.borrow().used(), 0);
    }
}
