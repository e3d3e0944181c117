//! Source lines of machine code, from the DWARF line table of a linked file: for what the driver says about instructions.

use gimli::{Dwarf, EndianSlice, LittleEndian, SectionId, Unit};

use crate::BuildError;
use crate::object_file::Elf;

/// A row of a line table: the first address that belongs to a file and a line; line 0 is code of no line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    address: u64,
    file: String,
    line: u32,
}

/// The lines of a file, by address. A file without debug information has none.
#[derive(Debug, Default)]
pub struct Lines {
    rows: Vec<Row>,
}

impl Lines {
    /// Reads the line tables of `elf`; a damaged one counts as none.
    pub fn of(elf: &Elf<'_>) -> Result<Self, BuildError> {
        let mut sections = Vec::new();
        let load = |id: SectionId| -> Result<Vec<u8>, BuildError> {
            Ok(elf.section(id.name())?.map(|s| s.data).unwrap_or_default())
        };
        for id in [
            SectionId::DebugAbbrev,
            SectionId::DebugAddr,
            SectionId::DebugInfo,
            SectionId::DebugLine,
            SectionId::DebugLineStr,
            SectionId::DebugStr,
            SectionId::DebugStrOffsets,
        ] {
            sections.push((id, load(id)?));
        }
        let bytes = |id: SectionId| -> Result<EndianSlice<'_, LittleEndian>, gimli::Error> {
            let section = sections.iter().find(|(known, _)| *known == id);
            Ok(EndianSlice::new(
                section.map_or(&[], |(_, data)| data),
                LittleEndian,
            ))
        };
        let mut lines = Self::default();
        if let Ok(dwarf) = Dwarf::load(bytes) {
            // What could be read before a damaged part is as good as ever.
            let _ = lines.add_all(&dwarf);
        }
        lines.rows.sort();
        Ok(lines)
    }

    /// File and line of the instruction at `address`.
    pub fn at(&self, address: u64) -> Option<(&str, u32)> {
        let behind = self.rows.partition_point(|row| row.address <= address);
        let row = self.rows[..behind].last()?;
        (row.line != 0).then_some((row.file.as_str(), row.line))
    }

    fn add_all(&mut self, dwarf: &Dwarf<EndianSlice<'_, LittleEndian>>) -> gimli::Result<()> {
        let mut headers = dwarf.units();
        while let Some(header) = headers.next()? {
            self.add(dwarf, &dwarf.unit(header)?)?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        dwarf: &Dwarf<EndianSlice<'_, LittleEndian>>,
        unit: &Unit<EndianSlice<'_, LittleEndian>>,
    ) -> gimli::Result<()> {
        let Some(program) = unit.line_program.clone() else {
            return Ok(());
        };
        let mut rows = program.rows();
        while let Some((header, row)) = rows.next_row()? {
            let line = row.line().filter(|_| !row.end_sequence());
            let file = match row.file(header) {
                Some(file) => dwarf.attr_string(unit, file.path_name())?.to_string_lossy(),
                None => "".into(),
            };
            self.rows.push(Row {
                address: row.address(),
                file: file.into_owned(),
                line: line.map_or(0, |line| line.get() as u32),
            });
        }
        Ok(())
    }
}
