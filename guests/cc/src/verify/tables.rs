//! Jump tables: where an indirect jump can lead.
//!
//! LLVM's shapes: x86_64 `jmp *table(,%r,8)` on absolute addresses, and `lea table(%rip)` + `movslq (base,%r,4)` + `add` + `jmp` on
//! offsets; aarch64 `adrp/add` table, `ldrb`/`ldrh`/`ldrsw` element, `adr` or the table as base, `add .. lsl #2`, `br`. The
//! abstract state carries the table's address to the jump, wherever it was computed. The number of elements comes from the
//! range check in front of the load; a switch without one (its default is unreachable) is bounded by the next table and by the
//! first element that leads out of the function, which can only add paths.

use std::collections::{BTreeMap, BTreeSet};

use super::abi::Reg;
use super::driver::Function;
use super::effect::{Bound, Effect, Flow, Hint, Insn, Operand};
use super::image::Image;
use super::state::{Known, State, TableLoad};

/// How far to search backwards for a range check, in instructions.
const SEARCH: usize = 256;
/// More elements than this has no switch.
const MOST_ELEMENTS: u64 = 1 << 16;

/// The addresses to which `jump` may go from `state`, or why they cannot be told.
pub(super) fn targets(
    image: &Image<'_>,
    function: &Function,
    bases: &BTreeSet<u64>,
    jump: &Insn,
    through: Operand,
    state: &State,
) -> Result<BTreeSet<u64>, String> {
    let (base, shift, load) =
        shape(jump, through, state).ok_or("an indirect jump that is no known jump table")?;
    let limit = limit(function, load);
    let next = bases
        .range(load.table + 1..)
        .next()
        .copied()
        .unwrap_or(u64::MAX);
    let most = match limit {
        Limit::Exactly(count) => count,
        Limit::AtMost(count) => count.min((next - load.table) / u64::from(load.size)),
        Limit::None => (next - load.table) / u64::from(load.size),
    };
    let mut found = BTreeSet::new();
    for element in 0..most.min(MOST_ELEMENTS) {
        let target = image
            .bytes(
                load.table.wrapping_add(element * u64::from(load.size)),
                u64::from(load.size),
            )
            .map(|bytes| base.wrapping_add(number(bytes, load.signed) << shift))
            .filter(|target| function.index(*target).is_some());
        match (target, limit) {
            (Some(target), _) => {
                found.insert(target);
            }
            (None, Limit::Exactly(count)) => {
                return Err(format!(
                    "element {element} of {count} of the jump table at {:#x} leads out of the function",
                    load.table
                ));
            }
            (None, _) => break,
        }
    }
    if found.is_empty() {
        return Err(format!(
            "the jump table at {:#x} has no element that leads into the function",
            load.table
        ));
    }
    Ok(found)
}

/// Base address, shift and load behind an indirect jump.
fn shape(jump: &Insn, through: Operand, state: &State) -> Option<(u64, u8, TableLoad)> {
    match through {
        Operand::Reg(slice) => match state.reg(slice.reg).known {
            Known::Target { base, shift, load } => Some((base, shift, load)),
            Known::Element(load) if load.size == 8 => Some((0, 0, load)),
            _ => None,
        },
        Operand::Mem(mem) => {
            let index = mem.index?;
            let start = match mem.base.map(|base| state.reg(base).known) {
                None => 0,
                Some(Known::Constant(base)) => base,
                Some(_) => return None,
            };
            let table = start.wrapping_add_signed(mem.disp);
            Some((
                0,
                0,
                TableLoad {
                    table,
                    size: mem.len,
                    signed: false,
                    index,
                    at: jump.address,
                },
            ))
        }
        Operand::Clean | Operand::Bytes { .. } => None,
    }
    .filter(|(_, _, load)| load.size > 0)
}

fn number(bytes: &[u8], signed: bool) -> u64 {
    let mut wide = [if signed && bytes.last().is_some_and(|top| top & 0x80 != 0) {
        0xff
    } else {
        0
    }; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(wide)
}

/// The number of elements that a table can have, by the code in front of its load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    /// A range check allows exactly these.
    Exactly(u64),
    /// A mask allows no more.
    AtMost(u64),
    /// Nothing was found.
    None,
}

/// Searches backwards from the load, as long as there is only one way to come from, for what bounds the index.
fn limit(function: &Function, load: TableLoad) -> Limit {
    // The registers that hold the index here, and how many of their bytes count.
    let mut holders: BTreeMap<Reg, u8> = BTreeMap::from([(load.index, 8)]);
    // Whether the branch just passed lets `index <= limit` (true) or `index < limit` (false) through.
    let mut relation: Option<bool> = None;
    let Some(mut at) = function.index(load.at) else {
        return Limit::None;
    };
    for _ in 0..SEARCH {
        let [from] = function.predecessors(at) else {
            return Limit::None;
        };
        let insn = &function.insns[*from];
        if let Flow::Branch(target, bound) = insn.flow {
            let taken = function.index(target) == Some(at);
            relation = match (bound, taken) {
                _ if target == insn.end() => None,
                (Bound::TakenAbove, false) | (Bound::TakenBelowEqual, true) => Some(true),
                (Bound::TakenAboveEqual, false) | (Bound::TakenBelow, true) => Some(false),
                _ => None,
            };
        }
        match insn.hint {
            Hint::Compare(slice, limit) => {
                let wide = holders
                    .get(&slice.reg)
                    .is_some_and(|needed| slice.len() >= (*needed).min(4));
                match relation {
                    Some(inclusive) if wide => {
                        return Limit::Exactly(limit.saturating_add(u64::from(inclusive)));
                    }
                    _ => relation = None,
                }
            }
            Hint::AtMost(reg, most) if holders.contains_key(&reg) => {
                return Limit::AtMost(most.saturating_add(1));
            }
            Hint::CopyOf(to, from) if holders.contains_key(&to) => {
                let needed = holders.remove(&to).unwrap_or(8).min(from.len());
                let entry = holders.entry(from.reg).or_insert(needed);
                *entry = (*entry).min(needed);
            }
            _ => {
                if insn.sets_flags() {
                    relation = None;
                }
                if matches!(insn.flow, Flow::Call(_)) {
                    return Limit::None;
                }
                for reg in insn.writes() {
                    holders.remove(&reg);
                }
                if holders.is_empty() {
                    return Limit::None;
                }
            }
        }
        at = *from;
    }
    Limit::None
}

/// Addresses that functions with indirect jumps form: the starts of their tables, among others. None lies inside a table.
pub(super) fn bases<'a>(functions: impl Iterator<Item = &'a Function>) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    for function in functions.filter(|f| {
        f.insns
            .iter()
            .any(|insn| matches!(insn.flow, Flow::Indirect(_)))
    }) {
        let mut pages: BTreeMap<Reg, u64> = BTreeMap::new();
        for insn in &function.insns {
            if let Flow::Indirect(Operand::Mem(mem)) = insn.flow
                && mem.base.is_none()
            {
                found.insert(mem.disp as u64);
            }
            for effect in &insn.effects {
                match effect {
                    Effect::Constant { to, value } => {
                        pages.insert(*to, *value);
                        found.insert(*value);
                    }
                    Effect::Offset { base, delta, .. } => {
                        if let Some(page) = pages.get(base) {
                            found.insert(page.wrapping_add_signed(*delta));
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    found
}
