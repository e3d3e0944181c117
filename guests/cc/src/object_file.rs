//! What the layout, the checks and the table want to know of an object or ELF file, read with `object`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use object::elf;
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionFlags, SymbolKind};

use crate::BuildError;

/// One section that takes memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// `.text.main`
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Bytes.
    pub align: u64,
    /// Whether the linker may merge its contents with equal ones.
    pub mergeable: bool,
}

/// A section of a linked file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Address of the first byte.
    pub address: u64,
    /// Bytes in memory.
    pub size: u64,
    /// The bytes in the file; empty for a section without any.
    pub data: Vec<u8>,
    /// Where those are in the file.
    pub file_offset: u64,
}

/// A symbol of a linked file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its value: an address, or for a thread-local variable the offset in the image.
    pub value: u64,
    /// Whether other objects could see it.
    pub global: bool,
    /// Whether it is a function.
    pub function: bool,
}

/// The contents of an ELF file, parsed.
#[derive(Debug)]
pub struct Elf<'a> {
    file: ElfFile64<'a>,
    path: &'a Path,
}

/// Reads a whole file.
pub fn read(path: &Path) -> Result<Vec<u8>, BuildError> {
    std::fs::read(path).map_err(BuildError::file("read", path))
}

impl<'a> Elf<'a> {
    /// Parses the bytes of the file at `path`.
    pub fn parse(path: &'a Path, data: &'a [u8]) -> Result<Self, BuildError> {
        let file = ElfFile64::parse(data).map_err(BuildError::malformed(path))?;
        Ok(Self { file, path })
    }

    /// The sections that take memory at run time, in file order.
    pub fn allocated_sections(&self) -> Result<Vec<Section>, BuildError> {
        let mut sections = Vec::new();
        for section in self.file.sections() {
            let SectionFlags::Elf { sh_flags, .. } = section.flags() else {
                continue;
            };
            if !sh_flags.contains(elf::SHF_ALLOC) {
                continue;
            }
            sections.push(Section {
                name: section
                    .name()
                    .map_err(BuildError::malformed(self.path))?
                    .to_owned(),
                size: section.size(),
                align: section.align().max(1),
                mergeable: sh_flags.contains(elf::SHF_MERGE),
            });
        }
        Ok(sections)
    }

    /// The names of symbols that the object leaves undefined, and of the global ones that it defines.
    pub fn symbol_names(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let named = |undefined: bool| {
            self.file
                .symbols()
                .filter(|s| s.is_global() && s.is_undefined() == undefined)
                .filter_map(|s| s.name().ok().map(str::to_owned))
                .filter(|n| !n.is_empty())
                .collect()
        };
        (named(true), named(false))
    }

    /// Symbols of a linked file by name; of several with one name a global one wins, then the first.
    pub fn symbols(&self) -> BTreeMap<String, Symbol> {
        let mut symbols = BTreeMap::new();
        let mut all: Vec<_> = self.file.symbols().collect();
        all.sort_by_key(|s| !s.is_global());
        for symbol in all {
            let special = matches!(symbol.kind(), SymbolKind::File | SymbolKind::Section);
            if let Ok(name) = symbol.name()
                && !(special || name.is_empty() || symbol.is_undefined())
            {
                symbols.entry(name.to_owned()).or_insert(Symbol {
                    value: symbol.address(),
                    global: symbol.is_global(),
                    function: symbol.kind() == SymbolKind::Text,
                });
            }
        }
        symbols
    }

    /// A section of a linked file.
    pub fn section(&self, name: &str) -> Result<Option<Placed>, BuildError> {
        let Some(section) = self.file.section_by_name(name) else {
            return Ok(None);
        };
        Ok(Some(Placed {
            address: section.address(),
            size: section.size(),
            data: section
                .data()
                .map_err(BuildError::malformed(self.path))?
                .to_vec(),
            file_offset: section.file_range().map_or(0, |(offset, _)| offset),
        }))
    }
}
