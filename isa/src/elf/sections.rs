//! Sections and notes: not needed to run a program, but to unwind, disassemble and check it.

use std::ops::Range;

use object::LittleEndian;
use object::elf::{FileHeader64, SHT_NOBITS};
use object::read::elf::{SectionHeader as _, SectionTable};

use super::ElfError;
use super::segments::file_range;
use crate::VirtAddr;

/// Most sections of a file that is accepted.
const MAX_SECTIONS: u64 = 65_536;

/// A section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name, as `.text`.
    pub name: String,
    /// `sh_type`.
    pub kind: u32,
    /// `sh_flags`.
    pub flags: u64,
    /// Its address in memory; 0 when it is not loaded.
    pub address: VirtAddr,
    /// Its size in bytes.
    pub size: u64,
    /// Its contents in the file; empty for SHT_NOBITS.
    pub file: Range<usize>,
}

/// A note of a PT_NOTE segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Whose note it is, as `GNU`.
    pub name: String,
    /// `n_type`; its meaning depends on the name.
    pub kind: u32,
    /// The contents.
    pub description: Vec<u8>,
}

/// Reads the section headers. A file may have none.
pub(super) fn read(
    table: &SectionTable<'_, FileHeader64<LittleEndian>>,
    bytes: &[u8],
) -> Result<Vec<Section>, ElfError> {
    let count = table.len() as u64;
    if count > MAX_SECTIONS {
        return Err(ElfError::TooMany {
            what: "sections",
            count,
            limit: MAX_SECTIONS,
        });
    }
    let mut sections = Vec::with_capacity(table.len());
    // Section 0 is a placeholder.
    for header in table.iter().skip(1) {
        let damaged = |reason: String| ElfError::Damaged {
            what: "the section headers",
            reason,
        };
        let name = table
            .section_name(LittleEndian, header)
            .map_err(|error| damaged(error.to_string()))?;
        let name = String::from_utf8_lossy(&name[..name.len().min(256)]).into_owned();
        let (offset, size) = (header.sh_offset(LittleEndian), header.sh_size(LittleEndian));
        let file = if header.sh_type(LittleEndian) == SHT_NOBITS {
            0..0
        } else {
            let end = offset.checked_add(size);
            let range = end.and_then(|end| file_range(offset, end, bytes.len()));
            range.ok_or_else(|| damaged(format!("section '{name}' lies outside the file")))?
        };
        sections.push(Section {
            name,
            kind: header.sh_type(LittleEndian).0,
            flags: header.sh_flags(LittleEndian).0,
            address: VirtAddr(header.sh_addr(LittleEndian)),
            size,
            file,
        });
    }
    Ok(sections)
}
