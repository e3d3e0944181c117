//! DWARF's own locations, evaluated in the innermost frame, whose registers are known.

use gimli::{AttributeValue, EvaluationResult, Expression, Location, Piece, Register, Value};

use super::dwarf::{Dwarf, Found, Slice};
use super::{Located, Memory};
use crate::unwind::general_register;
use crate::{RegisterFile, VirtAddr};

/// The most registers, words of memory and the like that an expression may ask for.
const MOST_QUESTIONS: usize = 64;

/// DWARF's number of the first vector register.
const FIRST_XMM: u16 = 17;
const FIRST_V: u16 = 64;

/// Where `found` is when the thread stands at `pc` with the registers `regs`.
pub(super) fn locate(
    dwarf: &Dwarf<'_>,
    found: &Found,
    pc: u64,
    regs: &RegisterFile,
    cfa: Option<VirtAddr>,
    memory: &mut Memory<'_>,
) -> Located {
    let Some((unit, expression)) = expression(dwarf, found.entry, pc) else {
        return Located::OptimizedOut;
    };
    let mut context = Context {
        dwarf,
        found,
        regs,
        cfa,
        memory,
    };
    let pieces = context.evaluate(unit, expression, true);
    pieces
        .and_then(|pieces| context.read(&pieces))
        .unwrap_or(Located::OptimizedOut)
}

/// The expression that holds at `pc` for an entry, and its unit.
fn expression<'a>(
    dwarf: &Dwarf<'a>,
    entry: (usize, gimli::UnitOffset),
    pc: u64,
) -> Option<(usize, Expression<Slice<'a>>)> {
    let (unit, value) = dwarf.attribute(entry, gimli::DW_AT_location)?;
    if let AttributeValue::Exprloc(expression) = value {
        return Some((unit, expression));
    }
    let mut list = dwarf
        .sections
        .attr_locations(&dwarf.units[unit], value)
        .ok()??;
    while let Ok(Some(entry)) = list.next() {
        if entry.range.begin <= pc && pc < entry.range.end {
            return Some((unit, entry.data));
        }
    }
    None
}

struct Context<'c, 'a, 'm> {
    dwarf: &'c Dwarf<'a>,
    found: &'c Found,
    regs: &'c RegisterFile,
    cfa: Option<VirtAddr>,
    memory: &'c mut Memory<'m>,
}

impl<'a> Context<'_, 'a, '_> {
    fn evaluate(
        &mut self,
        unit: usize,
        expression: Expression<Slice<'a>>,
        frame_base_known: bool,
    ) -> Option<Vec<Piece<Slice<'a>>>> {
        let encoding = self.dwarf.units[unit].encoding();
        let mut evaluation = expression.evaluation(encoding);
        let mut result = evaluation.evaluate().ok()?;
        for _ in 0..MOST_QUESTIONS {
            result = match result {
                EvaluationResult::Complete => return Some(evaluation.result()),
                EvaluationResult::RequiresRegister { register, .. } => {
                    let value = general_register(self.regs, register.0)?;
                    evaluation
                        .resume_with_register(Value::Generic(value))
                        .ok()?
                }
                EvaluationResult::RequiresMemory { address, size, .. } => {
                    let bytes = (self.memory)(VirtAddr(address), usize::from(size))?;
                    let mut word = [0; 8];
                    word.get_mut(..bytes.len())?.copy_from_slice(&bytes);
                    let value = Value::Generic(u64::from_le_bytes(word));
                    evaluation.resume_with_memory(value).ok()?
                }
                EvaluationResult::RequiresFrameBase if frame_base_known => {
                    let base = self.frame_base()?;
                    evaluation.resume_with_frame_base(base).ok()?
                }
                EvaluationResult::RequiresCallFrameCfa => {
                    evaluation.resume_with_call_frame_cfa(self.cfa?.0).ok()?
                }
                EvaluationResult::RequiresIndexedAddress { index, .. } => {
                    let address = self.dwarf.sections.address(&self.dwarf.units[unit], index);
                    evaluation.resume_with_indexed_address(address.ok()?).ok()?
                }
                EvaluationResult::RequiresRelocatedAddress(address) => {
                    evaluation.resume_with_relocated_address(address).ok()?
                }
                _ => return None,
            };
        }
        None
    }

    fn frame_base(&mut self) -> Option<u64> {
        let (unit, value) = self
            .dwarf
            .attribute(self.found.function, gimli::DW_AT_frame_base)?;
        let AttributeValue::Exprloc(expression) = value else {
            return None;
        };
        let pieces = self.evaluate(unit, expression, false)?;
        match pieces.first()?.location {
            Location::Register { register } => general_register(self.regs, register.0),
            Location::Address { address } => Some(address),
            _ => None,
        }
    }

    fn read(&mut self, pieces: &[Piece<Slice<'a>>]) -> Option<Located> {
        if let [piece] = pieces
            && piece.size_in_bits.is_none()
        {
            return Some(match &piece.location {
                Location::Address { address } => Located::Memory(VirtAddr(*address)),
                location => Located::Bytes(self.bytes(location, None)?),
            });
        }
        let mut bytes = Vec::new();
        for piece in pieces {
            let size = piece.size_in_bits.filter(|bits| bits % 8 == 0)? as usize / 8;
            bytes.extend(self.bytes(&piece.location, Some(size))?.get(..size)?);
        }
        Some(Located::Bytes(bytes))
    }

    fn bytes(&mut self, location: &Location<Slice<'a>>, size: Option<usize>) -> Option<Vec<u8>> {
        match location {
            Location::Register { register } => self.register(*register),
            Location::Address { address } => (self.memory)(VirtAddr(*address), size?),
            Location::Value { value } => {
                let bits = match value {
                    Value::F32(value) => u64::from(value.to_bits()),
                    Value::F64(value) => value.to_bits(),
                    other => other.to_u64(u64::MAX).ok()?,
                };
                Some(bits.to_le_bytes().to_vec())
            }
            Location::Bytes { value } => Some(value.slice().to_vec()),
            _ => None,
        }
    }

    fn register(&self, register: Register) -> Option<Vec<u8>> {
        let vector = match self.regs {
            RegisterFile::X86_64(regs) => {
                let number = register.0.checked_sub(FIRST_XMM);
                number.and_then(|n| regs.xmm.get(usize::from(n)).copied())
            }
            RegisterFile::Aarch64(regs) => {
                let number = register.0.checked_sub(FIRST_V);
                number.and_then(|n| regs.v.get(usize::from(n)).copied())
            }
        };
        match general_register(self.regs, register.0) {
            Some(value) => Some(value.to_le_bytes().to_vec()),
            None => Some(vector?.to_le_bytes().to_vec()),
        }
    }
}
