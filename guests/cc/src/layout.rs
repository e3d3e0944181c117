//! Where everything goes: one address for both ISAs.
//!
//! Each function and variable is an input section of its own. It gets a slot whose size is the larger of its two versions, at an
//! explicit address. What has no counterpart on the other ISA (constant pools, jump tables, helpers) goes behind all slots.
//!
//! ```text
//! 0x400000  headers, note, .rodata, .kettle.callsites, image of thread-local variables      R    equal bytes
//!           .text                                                                           RX   equal addresses
//!           .data, .bss                                                                     RW   equal bytes
//!           .isa_rodata, .eh_frame                                                          R    each ISA's own
//!           .isa_text                                                                       RX   each ISA's own
//! ```
//! What is each ISA's own has the same room in both files, that of the larger one: the program headers are equal, so that a kernel that
//! knows a mapping of one file can map the other file by it.
//!
//! Groups begin at multiples of 64 KiB, the largest page size of either ISA, so that no page is of two kinds. There is no writable
//! memory of one ISA only: the two ISAs share what is writable, so two variables would be one.

use std::collections::BTreeMap;

use crate::BuildError;
use crate::contract::TLS_ALIGN;
use crate::object_file::Section;

/// Where the first page of the image is.
pub const IMAGE_BASE: u64 = 0x40_0000;
/// Groups of different protection are this far apart at least.
const GROUP_ALIGN: u64 = 0x1_0000;
/// Rooms for what has no slot are multiples of this.
const PRIVATE_ALIGN: u64 = 64;
/// Room for the ELF header and the program headers.
const HEADERS_SIZE: u64 = 0x1000;
/// Functions begin at multiples of this on both ISAs.
const TEXT_ALIGN: u64 = 16;

/// What kind of memory a slot is in. In the order of addresses, except that the private parts come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Constants, equal on both ISAs.
    Rodata,
    /// Initialised thread-local variables.
    Tdata,
    /// Zero thread-local variables.
    Tbss,
    /// Code.
    Text,
    /// Initialised variables.
    Data,
    /// Zero variables.
    Bss,
    /// Constants of native code: equal addresses, but each ISA's own bytes.
    IsaRodata,
}

/// One input section and its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Path of the object file below the directory of its ISA.
    pub object: String,
    /// Name of the input section.
    pub section: String,
    /// Kind of memory.
    pub group: Group,
    /// Address of its first byte.
    pub address: u64,
    size: u64,
    align: u64,
}

/// The layout of a program.
#[derive(Debug)]
pub struct Layout {
    /// All slots, by address within each group.
    pub slots: Vec<Slot>,
    ranges: BTreeMap<Group, (u64, u64)>,
    /// Address of the call-site table.
    pub callsites: u64,
    /// Address of the first byte that is each ISA's own and read-only.
    pub isa_rodata: u64,
    /// Address of the unwind tables, behind the room for constants that have no slot.
    pub eh_frame: u64,
    /// End of the read-only part that is each ISA's own.
    pub isa_rodata_end: u64,
    /// Address of the code that is each ISA's own.
    pub isa_text: u64,
    /// Its end.
    pub isa_text_end: u64,
}

/// Room in bytes for what has no slot, on the ISAs in the order of [`isa::Isa::ALL`]; never too little.
#[derive(Debug, Default)]
struct PrivateRoom {
    rodata: [u64; 2],
    eh_frame: [u64; 2],
    text: [u64; 2],
}

impl PrivateRoom {
    fn add(&mut self, name: &str, both: [Option<&Section>; 2]) {
        let room = match name.split('.').nth(1) {
            Some("rodata") => &mut self.rodata,
            Some("eh_frame") => &mut self.eh_frame,
            Some("text") => &mut self.text,
            _ => return,
        };
        for (room, section) in room.iter_mut().zip(both) {
            *room += section.map_or(0, |s| s.size + s.align);
        }
    }

    fn largest(room: [u64; 2]) -> u64 {
        room[0].max(room[1]).next_multiple_of(PRIVATE_ALIGN)
    }
}

/// An object file, compiled for both ISAs.
#[derive(Debug)]
pub struct ObjectPair {
    /// Path below the directory of each ISA.
    pub name: String,
    /// Whether it was compiled from native sources.
    pub native: bool,
    /// The allocated sections of the two, in the order of [`isa::Isa::ALL`].
    pub sections: [Vec<Section>; 2],
}

/// What one section is, looking at both versions.
enum Fate {
    Slot(Group),
    Private,
}

impl Layout {
    /// Lays out `objects`, with a call-site table of `table_size` bytes.
    pub fn of(objects: &[ObjectPair], table_size: u64) -> Result<Self, BuildError> {
        let mut slots = Vec::new();
        let mut room = PrivateRoom::default();
        for object in objects {
            collect(object, &mut slots, &mut room)?;
        }
        let mut layout = Self {
            slots,
            ranges: BTreeMap::new(),
            callsites: 0,
            isa_rodata: 0,
            eh_frame: 0,
            isa_rodata_end: 0,
            isa_text: 0,
            isa_text_end: 0,
        };
        let mut at = layout.place(Group::Rodata, IMAGE_BASE + HEADERS_SIZE);
        layout.callsites = at.next_multiple_of(TLS_ALIGN);
        at = (layout.callsites + table_size).next_multiple_of(TLS_ALIGN);
        at = layout.place(Group::Tdata, at);
        at = layout.place(Group::Tbss, at);
        at = layout.place(Group::Text, at.next_multiple_of(GROUP_ALIGN));
        at = layout.place(Group::Data, at.next_multiple_of(GROUP_ALIGN));
        at = layout.place(Group::Bss, at);
        layout.isa_rodata = at.next_multiple_of(GROUP_ALIGN);
        at = layout.place(Group::IsaRodata, layout.isa_rodata);
        layout.eh_frame = at.next_multiple_of(PRIVATE_ALIGN) + PrivateRoom::largest(room.rodata);
        layout.isa_rodata_end = layout.eh_frame + PrivateRoom::largest(room.eh_frame);
        layout.isa_text = (layout.isa_rodata_end + PRIVATE_ALIGN).next_multiple_of(GROUP_ALIGN);
        layout.isa_text_end = layout.isa_text + PrivateRoom::largest(room.text);
        Ok(layout)
    }

    /// First address and end of a group.
    pub fn range(&self, group: Group) -> (u64, u64) {
        self.ranges
            .get(&group)
            .copied()
            .unwrap_or((IMAGE_BASE, IMAGE_BASE))
    }

    fn place(&mut self, group: Group, start: u64) -> u64 {
        let mut end = start;
        for slot in self.slots.iter_mut().filter(|s| s.group == group) {
            slot.address = end.next_multiple_of(slot.align);
            end = slot.address + slot.size;
        }
        self.ranges.insert(group, (start, end));
        end
    }
}

fn collect(
    object: &ObjectPair,
    slots: &mut Vec<Slot>,
    room: &mut PrivateRoom,
) -> Result<(), BuildError> {
    let by_name: [BTreeMap<&str, &Section>; 2] = [0, 1].map(|k| {
        object.sections[k]
            .iter()
            .map(|s| (s.name.as_str(), s))
            .collect()
    });
    let mut names: Vec<&str> = object.sections[0].iter().map(|s| s.name.as_str()).collect();
    names.extend(object.sections[1].iter().map(|s| s.name.as_str()));
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            continue;
        }
        let both = [by_name[0].get(name).copied(), by_name[1].get(name).copied()];
        let sizes = both.map(|s| s.map_or(0, |s| s.size));
        if sizes == [0, 0] {
            continue;
        }
        let Fate::Slot(group) = fate(object, name, both, &by_name)? else {
            room.add(name, both);
            continue;
        };
        let mut align = both
            .into_iter()
            .flatten()
            .map(|s| s.align)
            .max()
            .unwrap_or(1);
        if group == Group::Text {
            align = align.max(TEXT_ALIGN);
        }
        if matches!(group, Group::Tdata | Group::Tbss) && align > TLS_ALIGN {
            return Err(BuildError::Misaligned(format!(
                "thread-local variable {name} asks for an alignment of {align}; at most {TLS_ALIGN} is possible"
            )));
        }
        slots.push(Slot {
            object: object.name.clone(),
            section: name.to_owned(),
            group,
            address: 0,
            size: sizes[0].max(sizes[1]),
            align,
        });
    }
    Ok(())
}

fn fate(
    object: &ObjectPair,
    name: &str,
    both: [Option<&Section>; 2],
    by_name: &[BTreeMap<&str, &Section>; 2],
) -> Result<Fate, BuildError> {
    let error = |what: &str| {
        Err(BuildError::Misaligned(format!(
            "section {name} of {}: {what}",
            object.name
        )))
    };
    let on_both = both.iter().all(|s| s.is_some_and(|s| s.size > 0));
    let sizes_equal = both[0].map(|s| s.size) == both[1].map(|s| s.size);
    let group = match kind(name) {
        Some(group) => group,
        None if name == ".eh_frame"
            || name == ".llvm_stackmaps"
            || name.starts_with(".note.")
            || name == isa::callsites::SECTION =>
        {
            return Ok(Fate::Private);
        }
        None => {
            return error("not a section that can be laid out; take the section attribute away");
        }
    };
    let mergeable = both.into_iter().flatten().any(|s| s.mergeable);
    match group {
        Group::Text if on_both => Ok(Fate::Slot(Group::Text)),
        Group::Text => Ok(Fate::Private),
        Group::Rodata if mergeable || !on_both => Ok(Fate::Private),
        Group::Rodata if object.native => Ok(Fate::Slot(Group::IsaRodata)),
        Group::Rodata if is_jump_table(name, by_name) => Ok(Fate::Private),
        _ if !on_both => {
            error("writable data on one ISA only; the other one needs the same variable")
        }
        _ if !sizes_equal => error("its size differs between the ISAs"),
        group => Ok(Fate::Slot(group)),
    }
}

/// The group of an input section by its name; `None` for one that C code does not produce.
fn kind(name: &str) -> Option<Group> {
    let groups = [
        (".text", Group::Text),
        (".rodata", Group::Rodata),
        (".data.rel.ro", Group::Rodata),
        (".data", Group::Data),
        (".bss", Group::Bss),
        (".tdata", Group::Tdata),
        (".tbss", Group::Tbss),
    ];
    let belongs = |prefix: &str| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    groups
        .into_iter()
        .find(|(prefix, _)| belongs(prefix))
        .map(|(_, group)| group)
}

/// Jump tables are named after their function; a variable cannot have that name too.
fn is_jump_table(name: &str, by_name: &[BTreeMap<&str, &Section>; 2]) -> bool {
    let Some(function) = name.strip_prefix(".rodata.") else {
        return name == ".rodata";
    };
    let text = format!(".text.{function}");
    by_name
        .iter()
        .any(|sections| sections.contains_key(text.as_str()))
}
