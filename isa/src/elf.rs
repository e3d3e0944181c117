//! ELF images: a static executable of either ISA, read from untrusted bytes.
//!
//! What Linux's `load_elf_binary` (fs/binfmt_elf.c) needs of a file, plus symbols, sections and notes for tools. Everything is
//! checked when the file is parsed; the accessors of [`ElfImage`] cannot fail. Left out: dynamic and position-independent executables,
//! core files, 32-bit and big-endian files.

mod error;
mod pair;
mod parse;
mod sections;
mod segments;
mod symbols;

use std::sync::Arc;

pub use error::ElfError;
pub use pair::{ISA_PRIVATE_PREFIX, PairError, check_pair};
pub use sections::{Note, Section};
pub use segments::{Segment, TlsSegment};
pub use symbols::{Binding, Location, Symbol, SymbolKind, Symbols};

use crate::{Isa, VirtAddr};

/// A parsed static executable. Cheap to clone: the bytes and the tables are shared.
#[derive(Clone, Debug)]
pub struct ElfImage {
    bytes: Arc<[u8]>,
    isa: Isa,
    entry: VirtAddr,
    segments: Arc<[Segment]>,
    program_headers: ProgramHeaders,
    tls: Option<TlsSegment>,
    executable_stack: bool,
    symbols: Arc<Symbols>,
    sections: Arc<[Section]>,
    notes: Arc<[Note]>,
}

/// Where the program headers are, for AT_PHDR, AT_PHNUM and AT_PHENT of the auxiliary vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramHeaders {
    /// Their address in memory; `None` when no segment holds them.
    pub address: Option<VirtAddr>,
    /// How many there are.
    pub count: u16,
    /// Bytes of each.
    pub entry_size: u16,
}

impl ElfImage {
    /// Checks and reads a file.
    ///
    /// The bytes are copied once. Any input is allowed; what is not a static executable that could be started is an [`ElfError`].
    pub fn parse(bytes: &[u8]) -> Result<ElfImage, ElfError> {
        parse::parse(Arc::from(bytes))
    }

    /// The whole file.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// The ISA it is for.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Address of the first instruction; it lies in an executable segment.
    pub fn entry(&self) -> VirtAddr {
        self.entry
    }

    /// The loadable segments by ascending address; no two share a page.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The segment that an address falls into.
    pub fn segment_at(&self, address: VirtAddr) -> Option<&Segment> {
        self.segments
            .iter()
            .find(|segment| segment.contains(address))
    }

    /// The first address after the last segment, where the heap may begin.
    pub fn end(&self) -> VirtAddr {
        self.segments.last().map_or(VirtAddr(0), Segment::end)
    }

    /// Where the program headers are.
    pub fn program_headers(&self) -> ProgramHeaders {
        self.program_headers
    }

    /// The template of thread-local storage, if there is one.
    pub fn tls(&self) -> Option<&TlsSegment> {
        self.tls.as_ref()
    }

    /// Whether the program wants an executable stack: PT_GNU_STACK with PF_X, or no PT_GNU_STACK at all on x86_64.
    pub fn executable_stack(&self) -> bool {
        self.executable_stack
    }

    /// The symbol table; empty for a stripped file.
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// The address of a symbol.
    pub fn symbol(&self, name: &str) -> Option<VirtAddr> {
        self.symbols.by_name(name).map(|symbol| symbol.address)
    }

    /// `function+0x14` for an address in code, otherwise the bare address.
    pub fn describe(&self, address: VirtAddr) -> String {
        match self.symbols.locate(address) {
            Some(location) => location.to_string(),
            None => address.to_string(),
        }
    }

    /// The sections, in the order of the file; empty when the section headers were stripped.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The first section of a name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// The contents of a section in the file; empty for .bss and its like.
    pub fn section_data(&self, section: &Section) -> &[u8] {
        &self.bytes[section.file.clone()]
    }

    /// The notes of all PT_NOTE segments.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The contents of a segment in the file: the first part of its memory; the rest is zero.
    pub fn segment_data(&self, segment: &Segment) -> &[u8] {
        &self.bytes[segment.file.clone()]
    }

    /// `len` bytes of memory as the file initialises them; `None` where they are not all in the file's part of one segment.
    pub fn read(&self, address: VirtAddr, len: usize) -> Option<&[u8]> {
        let segment = self.segment_at(address)?;
        let start = usize::try_from(address.0 - segment.address.0).ok()?;
        self.segment_data(segment)
            .get(start..start.checked_add(len)?)
    }
}
