//! Programs as ELF files, one for each ISA with the same addresses, and the root file system that serves them.
//!
//! The code bytes are never executed; they and the read-only data hold the ISA's name, so that a test sees whose file a page came from.

use std::collections::BTreeSet;
use std::rc::Rc;

use isa::layout::{FileType, Stat};
use isa::{Errno, Isa, PAGE_SIZE};
use kernel_model::fs::{File, RootEntry, RootEntryKind, RootFs};

use super::script::{CODE, DATA, DATA_END, RODATA};

/// The program's path.
pub const PATH: &str = "/prog";
/// A directory of the root; [`DEPTH`] of them in each other lead to a data file called `f`, whose path does not fit into a message.
pub const DEEP: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// How many.
pub const DEPTH: usize = 5;
/// A data file of the root with a short name.
pub const FILE: &str = "/data";
/// What fills the data files, as 64-bit words.
pub const FILE_WORD: u64 = 0x2222_2222_2222_2222;
/// Bytes in the data files: a page and a half.
pub const FILE_LEN: u64 = 0x1800;

/// What fills the data page of the file, as 64-bit words.
pub const DATA_WORD: u64 = 0x1111_1111_1111_1111;

/// What fills code and read-only data of an ISA's file.
pub fn marker(isa: Isa) -> u64 {
    match isa {
        Isa::X86_64 => 0x3434_5f36_3878_7838,
        Isa::Aarch64 => 0x3436_6863_7261_6161,
    }
}

/// The root: the program, for the ISAs it was built for.
pub struct ProgramRoot {
    files: Vec<(Isa, Rc<Bytes>)>,
    data: Rc<Bytes>,
}

impl ProgramRoot {
    /// The program for `isas`, with `code_len` bytes of code.
    pub fn new(isas: &BTreeSet<Isa>, code_len: u64) -> Rc<Self> {
        Rc::new(Self {
            files: isas
                .iter()
                .map(|isa| (*isa, Rc::new(Bytes(program(*isa, code_len)))))
                .collect(),
            data: Rc::new(Bytes(FILE_WORD.to_le_bytes().repeat(FILE_LEN as usize / 8))),
        })
    }
}

fn deep(depth: usize) -> String {
    format!("/{DEEP}").repeat(depth)
}

impl RootFs for ProgramRoot {
    fn open(&self, path: &str, isa: Isa) -> Result<Rc<dyn File>, Errno> {
        if path == FILE || path == format!("{}/f", deep(DEPTH)) {
            return Ok(Rc::clone(&self.data) as Rc<dyn File>);
        }
        let found = self.files.iter().find(|(of, _)| path == PATH && *of == isa);
        found
            .map(|(_, file)| Rc::clone(file) as Rc<dyn File>)
            .ok_or(Errno::ENOENT)
    }

    fn list(&self, path: &str) -> Result<Vec<RootEntry>, Errno> {
        let entry = |name: &str, kind| RootEntry {
            name: name.trim_start_matches('/').to_owned(),
            kind,
        };
        let depth = (0..=DEPTH).find(|depth| path.trim_end_matches('/') == deep(*depth));
        match depth.ok_or(Errno::ENOENT)? {
            0 => Ok(vec![
                entry(PATH, RootEntryKind::File),
                entry(FILE, RootEntryKind::File),
                entry(DEEP, RootEntryKind::Directory),
            ]),
            DEPTH => Ok(vec![entry("f", RootEntryKind::File)]),
            _ => Ok(vec![entry(DEEP, RootEntryKind::Directory)]),
        }
    }
}

struct Bytes(Vec<u8>);

impl File for Bytes {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> usize {
        let rest = self
            .0
            .get(usize::try_from(offset).unwrap_or(usize::MAX)..)
            .unwrap_or(&[]);
        let len = rest.len().min(out.len());
        out[..len].copy_from_slice(&rest[..len]);
        len
    }

    fn stat(&self) -> Stat {
        Stat {
            mode: FileType::Regular.mode_bits() | 0o444,
            size: self.0.len() as i64,
            ..Stat::default()
        }
    }
}

const PT_LOAD: u32 = 1;
const PT_GNU_STACK: u32 = 0x6474_e551;
const READ: u32 = 4;
const READ_EXEC: u32 = 5;
const READ_WRITE: u32 = 6;

/// An ELF file: code, a page of read-only data, a page of data with zeroed memory behind it, no executable stack.
fn program(isa: Isa, code_len: u64) -> Vec<u8> {
    let code_pages = code_len.max(4).next_multiple_of(PAGE_SIZE);
    let (code, rodata, data) = (
        PAGE_SIZE,
        PAGE_SIZE + code_pages,
        2 * PAGE_SIZE + code_pages,
    );
    // (type, flags, offset, address, bytes in the file, bytes in memory)
    let segments = [
        (PT_LOAD, READ_EXEC, code, CODE, code_pages, code_pages),
        (PT_LOAD, READ, rodata, RODATA, PAGE_SIZE, PAGE_SIZE),
        (PT_LOAD, READ_WRITE, data, DATA, PAGE_SIZE, DATA_END - DATA),
        (PT_GNU_STACK, READ_WRITE, 0, 0, 0, 0),
    ];
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    file.extend([2_u16, isa.elf_machine()].map(u16::to_le_bytes).concat());
    file.extend(1_u32.to_le_bytes());
    file.extend([CODE, 64, 0].map(u64::to_le_bytes).concat());
    file.extend(0_u32.to_le_bytes());
    file.extend(
        [64_u16, 56, segments.len() as u16, 64, 0, 0]
            .map(u16::to_le_bytes)
            .concat(),
    );
    for (kind, flags, offset, addr, file_len, memory_len) in segments {
        file.extend([kind, flags].map(u32::to_le_bytes).concat());
        file.extend(
            [offset, addr, addr, file_len, memory_len, PAGE_SIZE]
                .map(u64::to_le_bytes)
                .concat(),
        );
    }
    file.resize(PAGE_SIZE as usize, 0);
    for (word, len) in [
        (marker(isa), code_pages + PAGE_SIZE),
        (DATA_WORD, PAGE_SIZE),
    ] {
        file.extend(word.to_le_bytes().repeat(len as usize / 8));
    }
    file
}
