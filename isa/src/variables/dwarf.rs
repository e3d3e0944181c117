//! What DWARF says about a place in the code: the line, and the variables in scope.

use gimli::{
    AttributeValue, DebuggingInformationEntry, EndianSlice, EntriesTreeNode, LittleEndian,
    UnitOffset,
};

use crate::ElfImage;
use crate::dataframes::VariableKey;

pub(super) type Slice<'a> = EndianSlice<'a, LittleEndian>;
type Unit<'a> = gimli::Unit<Slice<'a>>;
type Entry<'a> = DebuggingInformationEntry<Slice<'a>>;

/// How deep scopes and references may be nested.
const MOST_DEPTH: usize = 64;

/// An entry of the debug information: unit and place in it.
pub(super) type Reference = (usize, UnitOffset);

/// The debug information of a program.
pub(super) struct Dwarf<'a> {
    pub(super) sections: gimli::Dwarf<Slice<'a>>,
    pub(super) units: Vec<Unit<'a>>,
    rows: Vec<Row>,
}

/// A row of a line table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    address: u64,
    file: String,
    line: u32,
    prologue_end: bool,
}

/// A variable in scope.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) key: VariableKey,
    pub(super) inlined: Option<String>,
    pub(super) ty: Option<Reference>,
    /// The entry that has its location.
    pub(super) entry: Reference,
    /// The entry of the function that the code belongs to.
    pub(super) function: Reference,
}

/// The scope that is being gone through.
#[derive(Clone, Default)]
struct Scope {
    inlined: Option<String>,
    /// Calls through which it was inlined, innermost first.
    calls: Vec<(u32, u32)>,
}

impl std::fmt::Debug for Dwarf<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dwarf of {} units", self.units.len())
    }
}

impl<'a> Dwarf<'a> {
    /// Reads the units and line tables of a program; one without debug information has none.
    pub(super) fn of(image: &'a ElfImage) -> gimli::Result<Self> {
        let sections = gimli::Dwarf::load(|id| {
            let section = image.section(id.name());
            let bytes = section.map_or(&[][..], |s| image.section_data(s));
            Ok::<_, gimli::Error>(Slice::new(bytes, LittleEndian))
        })?;
        let mut dwarf = Self {
            units: Vec::new(),
            rows: Vec::new(),
            sections,
        };
        let mut headers = dwarf.sections.units();
        while let Some(header) = headers.next()? {
            let unit = dwarf.sections.unit(header)?;
            dwarf.add_rows(&unit)?;
            dwarf.units.push(unit);
        }
        dwarf.rows.sort();
        Ok(dwarf)
    }

    fn add_rows(&mut self, unit: &Unit<'a>) -> gimli::Result<()> {
        let Some(program) = unit.line_program.clone() else {
            return Ok(());
        };
        let mut rows = program.rows();
        while let Some((header, row)) = rows.next_row()? {
            let line = row.line().filter(|_| !row.end_sequence());
            let file = match row.file(header) {
                Some(file) => self
                    .sections
                    .attr_string(unit, file.path_name())?
                    .to_string_lossy(),
                None => "".into(),
            };
            self.rows.push(Row {
                address: row.address(),
                file: file.into_owned(),
                line: line.map_or(0, |line| line.get() as u32),
                prologue_end: row.prologue_end(),
            });
        }
        Ok(())
    }

    /// File and line of the instruction at `address`.
    pub(super) fn line(&self, address: u64) -> Option<(String, u32)> {
        let behind = self.rows.partition_point(|row| row.address <= address);
        let row = self.rows[..behind].last()?;
        (row.line != 0).then(|| (row.file.clone(), row.line))
    }

    /// Whether `address`, in the function at `start`, is behind the function's prologue. A function without lines counts as entered.
    pub(super) fn behind_prologue(&self, start: u64, address: u64) -> bool {
        let first = self.rows.partition_point(|row| row.address < start);
        let mut rows = self.rows[first..].iter();
        let end = rows.find(|row| row.prologue_end).map(|row| row.address);
        end.is_none_or(|end| {
            // That of another function would be far away.
            address >= end
                || self.rows[first..]
                    .first()
                    .is_none_or(|row| row.address != start)
        })
    }

    /// The variables in scope at `address`, outer scopes first, parameters before variables, those by line.
    pub(super) fn in_scope(&self, address: u64) -> gimli::Result<Vec<Found>> {
        let mut found = Vec::new();
        for (number, unit) in self.units.iter().enumerate() {
            let mut tree = unit.entries_tree(None)?;
            let mut children = tree.root()?.children();
            while let Some(child) = children.next()? {
                let function = child.entry().tag() == gimli::DW_TAG_subprogram;
                if function && self.covers(number, child.entry(), address)? {
                    let function = (number, child.entry().offset());
                    self.collect(
                        number,
                        child,
                        address,
                        function,
                        &Scope::default(),
                        &mut found,
                    )?;
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    fn covers(&self, unit: usize, entry: &Entry<'a>, address: u64) -> gimli::Result<bool> {
        let mut ranges = self.sections.die_ranges(&self.units[unit], entry)?;
        while let Some(range) = ranges.next()? {
            if range.begin <= address && address < range.end {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn collect(
        &self,
        unit: usize,
        node: EntriesTreeNode<'_, '_, Slice<'a>>,
        address: u64,
        function: Reference,
        scope: &Scope,
        found: &mut Vec<Found>,
    ) -> gimli::Result<()> {
        if scope.calls.len() > MOST_DEPTH {
            return Ok(());
        }
        let (mut parameters, mut own, mut inner) = (Vec::new(), Vec::new(), Vec::new());
        let mut children = node.children();
        while let Some(child) = children.next()? {
            let entry = child.entry();
            match entry.tag() {
                gimli::DW_TAG_formal_parameter => {
                    parameters.extend(self.found(unit, entry, function, scope));
                }
                gimli::DW_TAG_variable => own.extend(self.found(unit, entry, function, scope)),
                gimli::DW_TAG_lexical_block if self.covers(unit, entry, address)? => {
                    self.collect(unit, child, address, function, scope, &mut inner)?;
                }
                gimli::DW_TAG_inlined_subroutine if self.covers(unit, entry, address)? => {
                    let call = (
                        number(entry, gimli::DW_AT_call_line),
                        number(entry, gimli::DW_AT_call_column),
                    );
                    let mut deeper = scope.clone();
                    deeper.calls.insert(0, call);
                    deeper.inlined = self.name((unit, entry.offset()));
                    self.collect(unit, child, address, function, &deeper, &mut inner)?;
                }
                _ => {}
            }
        }
        // The back ends have each an order of their own.
        own.sort_by(|a, b| (a.key.line, &a.key.name).cmp(&(b.key.line, &b.key.name)));
        found.extend(parameters.into_iter().chain(own).chain(inner));
        Ok(())
    }

    fn found(
        &self,
        unit: usize,
        entry: &Entry<'a>,
        function: Reference,
        scope: &Scope,
    ) -> Option<Found> {
        let here = (unit, entry.offset());
        if self.attribute(here, gimli::DW_AT_artificial).is_some() {
            // Made by the compiler: the length of an array, say.
            return None;
        }
        let line = self.attribute(here, gimli::DW_AT_decl_line);
        Some(Found {
            key: VariableKey {
                name: self.name(here)?,
                line: line.and_then(|(_, value)| value.udata_value()).unwrap_or(0) as u32,
                inlined_at: scope.calls.clone(),
            },
            inlined: scope.inlined.clone(),
            ty: self.referenced(here, gimli::DW_AT_type),
            entry: here,
            function,
        })
    }

    /// The name of an entry.
    pub(super) fn name(&self, at: Reference) -> Option<String> {
        let (unit, value) = self.attribute(at, gimli::DW_AT_name)?;
        let text = self.sections.attr_string(&self.units[unit], value).ok()?;
        Some(text.to_string_lossy().into_owned())
    }

    /// An attribute of an entry, or of the abstract one that it is an instance of; and its unit.
    pub(super) fn attribute(
        &self,
        mut at: Reference,
        name: gimli::DwAt,
    ) -> Option<(usize, AttributeValue<Slice<'a>>)> {
        for _ in 0..MOST_DEPTH {
            let entry = self.entry(at)?;
            if let Some(value) = entry.attr_value(name) {
                return Some((at.0, value));
            }
            let origin = entry.attr_value(gimli::DW_AT_abstract_origin);
            let origin = origin.or_else(|| entry.attr_value(gimli::DW_AT_specification))?;
            at = self.resolve(at.0, origin)?;
        }
        None
    }

    /// The entry that an attribute refers to.
    pub(super) fn referenced(&self, at: Reference, name: gimli::DwAt) -> Option<Reference> {
        let (unit, value) = self.attribute(at, name)?;
        self.resolve(unit, value)
    }

    fn resolve(&self, unit: usize, value: AttributeValue<Slice<'a>>) -> Option<Reference> {
        match value {
            AttributeValue::UnitRef(offset) => Some((unit, offset)),
            AttributeValue::DebugInfoRef(offset) => (self.units.iter().enumerate())
                .find_map(|(number, unit)| Some((number, offset.to_unit_offset(&unit.header)?))),
            _ => None,
        }
    }

    /// An entry.
    pub(super) fn entry(&self, (unit, offset): Reference) -> Option<Entry<'a>> {
        self.units.get(unit)?.entry(offset).ok()
    }
}

/// A numeric attribute of the entry itself; 0 when there is none.
pub(super) fn number(entry: &Entry<'_>, name: gimli::DwAt) -> u32 {
    let value = entry.attr_value(name).and_then(|value| value.udata_value());
    value.unwrap_or(0) as u32
}
