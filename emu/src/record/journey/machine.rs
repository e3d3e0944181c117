//! What a journey looks up in the machine while it goes on: functions by address, guest memory, the call chain that a thread takes along.
//!
//! Looking changes nothing: it reads page tables and frames, and takes no fault. What is not there is reported as not known.

use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use isa::callsites::{CallSites, SiteId};
use isa::elf::{ElfImage, Segment};
use isa::wire::Regset;
use isa::{Isa, VirtAddr};
use kernel_model::mm::Mm;
use kernel_model::{Kernel, Pid};
use msglayer::Nid;

use crate::program::Program;

/// Longest call chain that is walked, in frames.
const MAX_FRAMES: usize = 1 << 20;

/// The nodes, and the program with its binaries.
#[derive(Default)]
pub struct Machine {
    kernels: Vec<Weak<Kernel>>,
    isas: Vec<Isa>,
    images: BTreeMap<Isa, Arc<ElfImage>>,
    call_sites: Option<CallSites>,
}

/// The calls that a thread was inside of when it left.
#[derive(Debug, Default)]
pub struct Chain {
    /// The call sites, innermost first.
    pub sites: Vec<SiteId>,
    /// Whether the walk reached the thread's start.
    pub whole: bool,
}

/// One side of a frame.
#[derive(Debug, PartialEq, Eq)]
pub struct FrameSide {
    /// Where the call in it returns to.
    pub return_address: VirtAddr,
    /// The same as function and distance.
    pub place: String,
    /// Its size in bytes.
    pub size: u32,
}

/// What a page is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// Machine code.
    Code,
    /// Constants of the program.
    Constants,
    /// Global variables.
    Globals,
    /// A stack of native frames of an ISA.
    NativeStack(Isa),
    /// The stack of everything that lives across a migration.
    DataStack,
    /// Thread-local variables.
    ThreadLocals,
    /// Anything else: heap, mappings.
    Other,
}

/// A stack of native frames, end exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NativeStack {
    start: VirtAddr,
    end: VirtAddr,
    isa: Isa,
}

/// The areas around a thread that arrives.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    native: Vec<NativeStack>,
    data: Option<(VirtAddr, VirtAddr)>,
    /// First and last page.
    thread_locals: Option<(VirtAddr, VirtAddr)>,
}

/// Room for what each ISA keeps beside its thread pointer, on both sides of the thread-local variables, in bytes: aarch64's is before, x86_64's behind.
const TCB: u64 = 64;

impl Machine {
    pub fn new(kernels: &[Rc<Kernel>], program: &Program) -> Self {
        let images: BTreeMap<_, _> = program
            .images()
            .map(|(isa, image)| (isa, Arc::clone(image)))
            .collect();
        Self {
            kernels: kernels.iter().map(Rc::downgrade).collect(),
            isas: kernels.iter().map(|k| k.isa()).collect(),
            call_sites: images
                .values()
                .find_map(|image| CallSites::of_image(image).ok()),
            images,
        }
    }

    /// The nodes' ISAs.
    pub fn isas(&self) -> &[Isa] {
        &self.isas
    }

    /// A node's ISA.
    pub fn isa(&self, nid: Nid) -> Isa {
        self.isas[nid.index()]
    }

    /// Whether the program has a call-site table: then its call chains can be followed.
    pub fn has_call_sites(&self) -> bool {
        self.call_sites.is_some()
    }

    /// The function that `address` is in, on a node.
    pub fn function(&self, nid: Nid, address: VirtAddr) -> Option<String> {
        let symbols = self.images.get(&self.isa(nid))?.symbols();
        Some(symbols.locate(address)?.symbol.name.clone())
    }

    /// Whether two addresses are in one function, on a node.
    pub fn same_function(&self, nid: Nid, one: VirtAddr, other: VirtAddr) -> bool {
        let Some(image) = self.images.get(&self.isa(nid)) else {
            return false;
        };
        let symbol = |address| {
            image
                .symbols()
                .locate(address)
                .map(|place| place.symbol.address)
        };
        symbol(one).is_some() && symbol(one) == symbol(other)
    }

    /// The function that made the call of a site.
    pub fn caller(&self, site: SiteId) -> String {
        let name = self.isas.iter().find_map(|isa| {
            let address = self
                .call_sites
                .as_ref()?
                .get(site)?
                .frame(*isa)
                .return_address;
            let place = self
                .images
                .get(isa)?
                .symbols()
                .locate(address.checked_sub(1)?)?;
            Some(place.symbol.name.clone())
        });
        name.unwrap_or_else(|| "?".to_owned())
    }

    /// A frame as an ISA has it.
    pub fn frame(&self, site: SiteId, isa: Isa) -> Option<FrameSide> {
        let frame = self.call_sites.as_ref()?.get(site)?.frame(isa);
        let place = match self.images.get(&isa) {
            Some(image) => image.describe(frame.return_address),
            None => String::new(),
        };
        Some(FrameSide {
            return_address: frame.return_address,
            place,
            size: frame.size,
        })
    }

    /// Follows the frames that `set` leads to, in the memory of the task `pid` of `nid`: the arrival code returns through the word at its SP.
    pub fn chain(&self, nid: Nid, pid: Pid, set: &Regset) -> Chain {
        let mut chain = Chain::default();
        let (Some(table), Some(mm)) = (&self.call_sites, self.mm(nid, pid)) else {
            return chain;
        };
        let read = |address: VirtAddr| self.read_word(nid, &mm, address);
        let isa = set.isa();
        let mut fp = set.fp();
        let mut return_address = read(set.sp());
        while let Some(address) = return_address.map(VirtAddr) {
            if table.ends_walk(isa, address) {
                chain.whole = true;
                break;
            }
            let Some((id, site)) = table.find(isa, address) else {
                break;
            };
            if chain.sites.len() == MAX_FRAMES {
                break;
            }
            chain.sites.push(id);
            let frame = site.frame(isa);
            let cfa = fp.checked_offset(i64::from(frame.cfa_from_fp));
            let word = |offset: i32| read(cfa?.checked_offset(i64::from(offset))?);
            return_address = word(frame.saved_return_address);
            fp = VirtAddr(word(frame.saved_fp).unwrap_or(0));
        }
        chain
    }

    /// The area of the stack that `sp` of a task points into, for frames of `isa`.
    pub fn native_stack(&self, nid: Nid, pid: Pid, sp: VirtAddr, isa: Isa) -> Option<NativeStack> {
        let (start, end) = self.area(nid, pid, sp)?;
        Some(NativeStack { start, end, isa })
    }

    /// The areas around a thread of `nid` that will go on with thread pointer `tls` on `isa`, among these stacks.
    pub fn surroundings(
        &self,
        nid: Nid,
        pid: Pid,
        (tls, isa): (VirtAddr, Isa),
        stacks: &[NativeStack],
    ) -> Surroundings {
        let block = self
            .thread_locals(tls, isa)
            .filter(|_| self.has_call_sites());
        let last = |(base, size): (VirtAddr, u64)| base.checked_add(size + TCB - 1);
        Surroundings {
            native: stacks.to_vec(),
            data: block.and_then(|(base, _)| self.data_stack(nid, pid, base)),
            thread_locals: block.and_then(|block| {
                let first = block.0.checked_offset(-(TCB as i64))?;
                Some((first.page_align_down(), last(block)?.page_align_down()))
            }),
        }
    }

    /// Where the thread-local variables begin for a thread pointer, and their size in bytes, rounded up as their alignment wants.
    fn thread_locals(&self, tls: VirtAddr, isa: Isa) -> Option<(VirtAddr, u64)> {
        let segment = self.images.get(&isa)?.tls()?;
        let size = segment.memory_size.next_multiple_of(TCB);
        let base = match isa {
            Isa::Aarch64 => tls.checked_add(TCB)?,
            Isa::X86_64 => tls.checked_offset(-(size as i64))?,
        };
        Some((base, size))
    }

    /// The area that the thread's data stack is in: the variable that points to its top says it.
    fn data_stack(&self, nid: Nid, pid: Pid, base: VirtAddr) -> Option<(VirtAddr, VirtAddr)> {
        let variable = self.images.get(&self.isa(nid))?.symbol("__dsp")?;
        let top = self.read_word(nid, &*self.mm(nid, pid)?, base.checked_add(variable.0)?)?;
        self.area(nid, pid, VirtAddr(top))
    }

    /// What a page of the program is for.
    pub fn page_kind(&self, nid: Nid, addr: VirtAddr, around: &Surroundings) -> PageKind {
        let page = addr.page_align_down();
        let image = self.images.get(&self.isa(nid));
        let segment = image.and_then(|image| {
            let covers = |s: &&Segment| s.address.page_align_down() <= page && page < s.end();
            image.segments().iter().find(covers)
        });
        let stack = || {
            around
                .native
                .iter()
                .find(|s| s.start <= addr && addr < s.end)
        };
        match segment {
            Some(segment) if segment.execute => PageKind::Code,
            Some(segment) if segment.write => PageKind::Globals,
            Some(_) => PageKind::Constants,
            None if (around.thread_locals)
                .is_some_and(|(first, last)| first <= page && page <= last) =>
            {
                PageKind::ThreadLocals
            }
            None => match (stack(), around.data) {
                (Some(stack), _) => PageKind::NativeStack(stack.isa),
                (None, Some((start, end))) if start <= addr && addr < end => PageKind::DataStack,
                _ => PageKind::Other,
            },
        }
    }

    fn area(&self, nid: Nid, pid: Pid, addr: VirtAddr) -> Option<(VirtAddr, VirtAddr)> {
        let mm = self.mm(nid, pid)?;
        let areas = mm.vmas.borrow();
        areas.covering(addr).map(|vma| (vma.start, vma.end))
    }

    fn mm(&self, nid: Nid, pid: Pid) -> Option<Rc<Mm>> {
        let kernel = self.kernels.get(nid.index())?.upgrade()?;
        let task = kernel.find_task(pid)?;
        task.mm.borrow().clone()
    }

    fn read_word(&self, nid: Nid, mm: &Mm, address: VirtAddr) -> Option<u64> {
        let kernel = self.kernels.get(nid.index())?.upgrade()?;
        if !address.0.is_multiple_of(8) {
            return None;
        }
        let pte = mm
            .page_table
            .borrow()
            .get(address)
            .filter(|pte| pte.present)?;
        let mut bytes = [0; 8];
        kernel.read_frame(pte.pfn, address.page_offset(), &mut bytes);
        Some(u64::from_le_bytes(bytes))
    }
}
