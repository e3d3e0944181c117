//! The ELF file under test: its bytes by address, its functions by symbol, its instructions decoded once.

use std::collections::BTreeMap;

use capstone::prelude::*;
use isa::Isa;
use object::{Architecture, Object, ObjectSection, ObjectSymbol, SectionFlags, SymbolKind};

use super::effect::{Effect, Flow, Insn, Operand, Spread};
use super::report::VerifyError;
use super::{aarch64, x86_64};
use crate::signature::Signature;

/// A linked program.
pub(super) struct Image<'a> {
    /// Allocated sections with content, by address.
    sections: BTreeMap<u64, &'a [u8]>,
    /// Those of them that nobody writes, by address: how many bytes.
    constant: BTreeMap<u64, u64>,
    /// Sizes of functions, by address.
    functions: BTreeMap<u64, u64>,
    /// Signatures of functions, by address, where they are known for one of the names.
    called: BTreeMap<u64, Signature>,
}

impl<'a> Image<'a> {
    /// Reads section and symbol tables of `elf`, whose functions have these signatures, by name.
    pub(super) fn parse(
        elf: &'a [u8],
        isa: Isa,
        signatures: &BTreeMap<String, Signature>,
    ) -> Result<Self, VerifyError> {
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
        let mut constant = BTreeMap::new();
        for section in file.sections() {
            let has = |flag: u64| matches!(section.flags(), SectionFlags::Elf { sh_flags, .. } if sh_flags.0 & flag != 0);
            if let (true, Ok(data)) = (has(object::elf::SHF_ALLOC.0), section.data())
                && !data.is_empty()
            {
                sections.insert(section.address(), data);
                if !has(object::elf::SHF_WRITE.0) {
                    constant.insert(section.address(), section.size());
                }
            }
        }
        let functions = file
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
            .map(|symbol| (symbol.address(), symbol.size()))
            .collect();
        let mut called: BTreeMap<u64, Signature> = BTreeMap::new();
        for symbol in file.symbols().filter(|s| s.kind() == SymbolKind::Text) {
            if let Some(known) = symbol.name().ok().and_then(|name| signatures.get(name)) {
                called
                    .entry(symbol.address())
                    .and_modify(|other| *other = other.or(*known))
                    .or_insert(*known);
            }
        }
        Ok(Self {
            sections,
            constant,
            functions,
            called,
        })
    }

    /// Writes constants from memory into the effects that read them: which of their bytes are all zeros and all ones.
    pub(super) fn resolve_constants(&self, insns: &mut [Insn]) {
        for effect in insns.iter_mut().flat_map(|insn| &mut insn.effects) {
            match effect {
                Effect::Copy { from, .. } => self.resolve(from),
                Effect::Compute {
                    from,
                    spread: Spread::Mask { .. },
                    ..
                } => from.iter_mut().for_each(|from| self.resolve(from)),
                _ => {}
            }
        }
    }

    fn resolve(&self, operand: &mut Operand) {
        let Operand::Mem(mem) = *operand else { return };
        let (None, None, address, 16) = (mem.base, mem.index, mem.disp as u64, mem.len) else {
            return;
        };
        let section = self.constant.range(..=address).next_back();
        let inside = section.is_some_and(|(start, size)| address - start < *size);
        if let Some(bytes) = self.bytes(address, 16).filter(|_| inside) {
            let those = |value: u8| {
                let bits = bytes.iter().enumerate();
                bits.fold(0, |set, (n, byte)| set | u16::from(*byte == value) << n)
            };
            *operand = Operand::Bytes {
                zero: those(0x00),
                ones: those(0xff),
            };
        }
    }

    /// `len` bytes at `address`, if the file has them all.
    pub(super) fn bytes(&self, address: u64, len: u64) -> Option<&'a [u8]> {
        let (start, data) = self.sections.range(..=address).next_back()?;
        let from = usize::try_from(address - start).ok()?;
        data.get(from..from.checked_add(usize::try_from(len).ok()?)?)
    }

    /// The signature of the function at `address`, where it is known.
    pub(super) fn signature(&self, address: u64) -> Option<Signature> {
        self.called.get(&address).copied()
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
