//! The ELF file under test: its bytes by address, its functions by symbol, its instructions decoded once.

use std::collections::BTreeMap;

use capstone::prelude::*;
use isa::Isa;
use object::{Architecture, Object, ObjectSection, ObjectSymbol, SectionFlags, SymbolKind};

use super::effect::{Flow, Insn};
use super::report::VerifyError;
use super::{aarch64, x86_64};

/// A linked program.
pub(super) struct Image<'a> {
    /// Allocated sections with content, by address.
    sections: BTreeMap<u64, &'a [u8]>,
    /// Sizes of functions, by address.
    functions: BTreeMap<u64, u64>,
}

impl<'a> Image<'a> {
    /// Reads section and symbol tables of `elf`.
    pub(super) fn parse(elf: &'a [u8], isa: Isa) -> Result<Self, VerifyError> {
        let file = object::File::parse(elf)?;
        let (wanted, name) = match isa {
            Isa::X86_64 => (Architecture::X86_64, "x86_64"),
            Isa::Aarch64 => (Architecture::Aarch64, "aarch64"),
        };
        if file.architecture() != wanted {
            return Err(VerifyError::Machine {
                found: format!("{:?}", file.architecture()),
                wanted: name,
            });
        }
        let mut sections = BTreeMap::new();
        for section in file.sections() {
            let allocated = matches!(section.flags(), SectionFlags::Elf { sh_flags, .. } if sh_flags.0 & object::elf::SHF_ALLOC.0 != 0);
            if let (true, Ok(data)) = (allocated, section.data())
                && !data.is_empty()
            {
                sections.insert(section.address(), data);
            }
        }
        let functions = file
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
            .map(|symbol| (symbol.address(), symbol.size()))
            .collect();
        Ok(Self {
            sections,
            functions,
        })
    }

    /// `len` bytes at `address`, if the file has them all.
    pub(super) fn bytes(&self, address: u64, len: u64) -> Option<&'a [u8]> {
        let (start, data) = self.sections.range(..=address).next_back()?;
        let from = usize::try_from(address - start).ok()?;
        data.get(from..from.checked_add(usize::try_from(len).ok()?)?)
    }

    /// The bytes of the function whose symbol is at `address`.
    pub(super) fn function(&self, address: u64) -> Option<&'a [u8]> {
        self.bytes(address, *self.functions.get(&address)?)
    }
}

/// Decodes functions of one ISA.
pub(super) struct Decoder {
    isa: Isa,
    capstone: Capstone,
}

impl Decoder {
    /// Sets up the disassembler.
    pub(super) fn new(isa: Isa) -> Result<Self, VerifyError> {
        let capstone = match isa {
            Isa::X86_64 => Capstone::new()
                .x86()
                .mode(arch::x86::ArchMode::Mode64)
                .detail(true)
                .build()?,
            Isa::Aarch64 => Capstone::new()
                .arm64()
                .mode(arch::arm64::ArchMode::Arm)
                .detail(true)
                .build()?,
        };
        Ok(Self { isa, capstone })
    }

    /// Decodes and lowers all instructions of `code` at `address`. What cannot be decoded becomes an unknown instruction.
    pub(super) fn decode(&self, code: &[u8], address: u64) -> Result<Vec<Insn>, VerifyError> {
        let mut insns = Vec::new();
        let mut at = 0;
        while at < code.len() {
            let decoded = self.capstone.disasm_all(&code[at..], address + at as u64)?;
            for insn in decoded.iter() {
                let detail = self.capstone.insn_detail(insn)?;
                insns.push(match self.isa {
                    Isa::X86_64 => x86_64::lower(&self.capstone, insn, &detail),
                    Isa::Aarch64 => aarch64::lower(&self.capstone, insn, &detail),
                });
                at += insn.len();
            }
            if at < code.len() {
                let len = if self.isa == Isa::Aarch64 { 4 } else { 1 };
                insns.push(Insn::unknown(
                    address + at as u64,
                    len,
                    "(undecodable)".to_owned(),
                ));
                at += usize::from(len);
            }
        }
        Ok(insns)
    }
}

impl Insn {
    /// An instruction that is not modelled.
    pub(super) fn unknown(address: u64, len: u8, text: String) -> Self {
        Self {
            address,
            len,
            text,
            effects: Vec::new(),
            flow: Flow::Unknown,
            hint: super::effect::Hint::None,
        }
    }
}
