//! From bytes to an [`ElfImage`]: the checks, in an order that gives the most telling error first.

use std::sync::Arc;

use object::LittleEndian;
use object::elf::{
    ET_CORE, ET_DYN, ET_EXEC, ET_REL, FileHeader64, PF_X, PT_GNU_STACK, PT_INTERP, PT_LOAD,
    PT_NOTE, PT_TLS, ProgramHeader64, SHT_SYMTAB,
};
use object::read::elf::{FileHeader as _, ProgramHeader as _};

use super::sections::{self, Note};
use super::segments::{self, Segment};
use super::{ElfError, ElfImage, ProgramHeaders, symbols};
use crate::{Isa, VirtAddr};

type Header = FileHeader64<LittleEndian>;
type ProgramHeader = ProgramHeader64<LittleEndian>;

/// Largest file that is accepted, in bytes.
const MAX_FILE: u64 = 1 << 30;

/// Most notes that are kept.
const MAX_NOTES: usize = 1024;

pub(super) fn parse(bytes: Arc<[u8]>) -> Result<ElfImage, ElfError> {
    let data: &[u8] = &bytes;
    let (isa, header) = file_header(data)?;
    let count = u64::from(header.e_phnum.get(LittleEndian));
    if count > segments::MAX_HEADERS {
        return Err(ElfError::TooMany {
            what: "program headers",
            count,
            limit: segments::MAX_HEADERS,
        });
    }
    let headers = header
        .program_headers(LittleEndian, data)
        .map_err(damaged("the program headers"))?;
    refuse_other_kinds(header, headers, data)?;

    let mut loads = Vec::new();
    for header in of_type(headers, PT_LOAD) {
        loads.extend(segments::load(header, data.len())?);
    }
    segments::sort_apart(&mut loads)?;
    if loads.is_empty() {
        return Err(ElfError::NoSegments);
    }
    let entry = VirtAddr(header.e_entry(LittleEndian));
    if !loads
        .iter()
        .any(|segment| segment.execute && segment.contains(entry))
    {
        return Err(ElfError::Entry(entry));
    }
    let tls = of_type(headers, PT_TLS)
        .next()
        .map(|header| segments::tls(header, data.len(), &loads))
        .transpose()?;
    let executable_stack = match of_type(headers, PT_GNU_STACK).next() {
        Some(header) => header.p_flags(LittleEndian).0 & PF_X.0 != 0,
        None => isa == Isa::X86_64,
    };
    let notes = notes(headers, data)?;

    let table = header
        .sections(LittleEndian, data)
        .map_err(damaged("the section headers"))?;
    let sections = sections::read(&table, data)?;
    let symbol_table = table
        .symbols(LittleEndian, data, SHT_SYMTAB)
        .map_err(damaged("the symbol table"))?;
    let symbols = symbols::read(&symbol_table)?;
    let program_headers = ProgramHeaders {
        address: headers_address(
            header.e_phoff(LittleEndian),
            size_of_val(headers) as u64,
            &loads,
        ),
        count: count as u16,
        entry_size: size_of::<ProgramHeader>() as u16,
    };
    Ok(ElfImage {
        isa,
        entry,
        segments: loads.into(),
        program_headers,
        tls,
        executable_stack,
        symbols: Arc::new(symbols),
        sections: sections.into(),
        notes: notes.into(),
        bytes,
    })
}

/// The file header and the ISA it names.
fn file_header(data: &[u8]) -> Result<(Isa, &Header), ElfError> {
    // The identification comes first: the header of a 32-bit file is shorter.
    let [0x7f, b'E', b'L', b'F', class, encoding, version, ..] = *data else {
        return Err(ElfError::NotElf);
    };
    if class != 2 {
        return Err(ElfError::Not64Bit);
    }
    if encoding != 1 {
        return Err(ElfError::NotLittleEndian);
    }
    if version != 1 {
        return Err(ElfError::Version(u32::from(version)));
    }
    if data.len() as u64 > MAX_FILE {
        return Err(ElfError::TooMany {
            what: "bytes",
            count: data.len() as u64,
            limit: MAX_FILE,
        });
    }
    let header = Header::parse(data).map_err(|_| ElfError::NotElf)?;
    let version = header.e_version(LittleEndian);
    if version != 1 {
        return Err(ElfError::Version(version));
    }
    let machine = header.e_machine(LittleEndian).0;
    let isa = Isa::from_elf_machine(machine).ok_or(ElfError::Machine(machine))?;
    Ok((isa, header))
}

/// Lets only static executables at fixed addresses pass.
fn refuse_other_kinds(
    header: &Header,
    headers: &[ProgramHeader],
    data: &[u8],
) -> Result<(), ElfError> {
    if let Some(interpreter) = of_type(headers, PT_INTERP).next() {
        let path = interpreter.data(LittleEndian, data).unwrap_or_default();
        let path = path.strip_suffix(b"\0").unwrap_or(path);
        let path = String::from_utf8_lossy(&path[..path.len().min(256)]);
        return Err(ElfError::Dynamic(path.escape_debug().to_string()));
    }
    match header.e_type(LittleEndian) {
        ET_EXEC => Ok(()),
        ET_DYN => Err(ElfError::PositionIndependent),
        ET_REL => Err(ElfError::NotExecutable("an object file")),
        ET_CORE => Err(ElfError::NotExecutable("a core dump")),
        _ => Err(ElfError::NotExecutable("of an unknown type")),
    }
}

fn of_type(
    headers: &[ProgramHeader],
    kind: object::elf::ProgramType,
) -> impl Iterator<Item = &ProgramHeader> {
    headers
        .iter()
        .filter(move |header| header.p_type(LittleEndian) == kind)
}

/// Where the headers end up in memory: inside the file part of some segment, or nowhere.
fn headers_address(offset: u64, size: u64, segments: &[Segment]) -> Option<VirtAddr> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(usize::try_from(size).ok()?)?;
    let segment = segments
        .iter()
        .find(|segment| segment.file.start <= start && end <= segment.file.end)?;
    segment
        .address
        .checked_add((start - segment.file.start) as u64)
}

fn notes(headers: &[ProgramHeader], data: &[u8]) -> Result<Vec<Note>, ElfError> {
    let mut notes = Vec::new();
    for header in of_type(headers, PT_NOTE) {
        let Some(mut iterator) = header
            .notes(LittleEndian, data)
            .map_err(damaged("the notes"))?
        else {
            continue;
        };
        while let Some(note) = iterator.next().map_err(damaged("the notes"))? {
            if notes.len() == MAX_NOTES {
                return Err(ElfError::TooMany {
                    what: "notes",
                    count: MAX_NOTES as u64 + 1,
                    limit: MAX_NOTES as u64,
                });
            }
            notes.push(Note {
                name: String::from_utf8_lossy(note.name()).into_owned(),
                kind: note.n_type(LittleEndian).0,
                description: note.desc().to_vec(),
            });
        }
    }
    Ok(notes)
}

fn damaged(what: &'static str) -> impl Fn(object::read::Error) -> ElfError {
    move |error| ElfError::Damaged {
        what,
        reason: error.to_string(),
    }
}
