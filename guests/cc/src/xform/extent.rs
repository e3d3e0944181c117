//! Where a function enters its data frame, and where it leaves it: paths without a recorded call and without a local in memory do not
//! touch `__dsp`.
//!
//! The frame is entered at the block nearest to everything that needs it which dominates it all and lies on no cycle, and left wherever
//! control returns from, or goes on to a block not dominated by, that block. No path then enters it twice without leaving it. A function with
//! resident values has its frame from its beginning, so that they can be stored where they are defined.

use super::calls::returns_twice;
use super::dominance::Dominance;
use super::frame::Locals;
use super::ir::{Block, Ir, Lookup, Value};
use super::resident::is_crowded;
use inkwell::llvm_sys::LLVMOpcode;

/// The part of a function in which its data frame exists.
#[derive(Debug)]
pub struct Extent {
    /// The block that begins with entering the frame.
    pub entry: Block,
    /// The blocks that end with leaving it.
    pub exits: Vec<Block>,
}

impl Extent {
    /// The extent in `function`, whose recorded calls are `calls`. Edges that leave the frame get blocks of their own where they need
    /// them, so that handles of phi nodes are stale after this.
    pub fn settle(ir: &Ir<'_>, function: Value, calls: &[Value], locals: &Locals) -> Self {
        let dominance = Dominance::of(function);
        let entry = function.entry();
        let entry = latest(function, calls, locals, &dominance).unwrap_or(entry);
        let mut exits = Vec::new();
        for block in function.blocks() {
            if entry != function.entry() && !dominance.is_above(entry, block) {
                continue;
            }
            if block.terminator().is(LLVMOpcode::LLVMRet) {
                exits.push(block);
            } else if entry != function.entry() {
                leave_by_edges(ir, block, entry, &dominance, &mut exits);
            }
        }
        Self { entry, exits }
    }
}

/// Finds the ends of the extent at the edges out of `block`, a block inside.
fn leave_by_edges(
    ir: &Ir<'_>,
    block: Block,
    entry: Block,
    dominance: &Dominance,
    exits: &mut Vec<Block>,
) {
    let successors = block.successors();
    let mut outside: Vec<Block> = Vec::new();
    for successor in &successors {
        if !dominance.is_above(entry, *successor) && !outside.contains(successor) {
            outside.push(*successor);
        }
    }
    let all = successors.iter().all(|s| outside.contains(s));
    if all && !successors.is_empty() {
        exits.push(block);
    } else {
        exits.extend(outside.into_iter().map(|to| ir.split_edge(block, to)));
    }
}

/// The block to enter the frame at, where that need not be the function's first.
fn latest(
    function: Value,
    calls: &[Value],
    locals: &Locals,
    dominance: &Dominance,
) -> Option<Block> {
    if !locals.dynamic.is_empty() || is_crowded(calls) || calls.iter().any(returns_twice) {
        return None;
    }
    let mut needs: Vec<Block> = calls.iter().map(|c| c.block()).collect();
    for user in function.instructions() {
        for (k, operand) in user.operands().into_iter().enumerate() {
            if locals.offsets.contains(operand) {
                needs.push(user.block_of_use(k));
            }
        }
    }
    let entry = dominance.before_all(function.entry(), &needs)?;
    (!on_cycle(entry)).then_some(entry)
}

/// Whether control can come back to a block: also by ways that are no loop to [`Dominance`].
fn on_cycle(block: Block) -> bool {
    let mut seen = Lookup::new();
    let mut open = block.successors();
    while let Some(next) = open.pop() {
        if next == block {
            return true;
        }
        if seen.insert(next, ()) {
            open.extend(next.successors());
        }
    }
    false
}
