//! Values that stay in their slots, in functions with so many recorded calls that loading everything again behind each would be most of the code.
//!
//! An interpreter's loop keeps a hundred addresses and pointers from before the loop; each instruction that it interprets needs a few of them,
//! and each of some hundred calls would load all. Such a value is stored once and loaded where it is used.

use super::dominance::Dominance;
use super::ir::{Block, Lookup, Value};
use super::liveness::Liveness;

/// As many recorded calls make a function crowded.
const CROWDED: usize = 128;

/// How much more often than outside something is taken to run in a loop, and how many loops around count.
const PER_LOOP: u64 = 8;
const MOST_LOOPS: usize = 4;

/// The indices of values that are resident.
pub type Residents = Lookup<usize, ()>;

/// Whether a function with these recorded calls may have resident values.
pub fn is_crowded(calls: &[Value]) -> bool {
    calls.len() >= CROWDED
}

/// The values for which loading where they are used costs less than loading behind each call that they are live across.
pub fn residents(function: Value, calls: &[Value], liveness: &Liveness) -> Residents {
    if !is_crowded(calls) {
        return Residents::new();
    }
    let dominance = Dominance::of(function);
    let cost = |block: Block| PER_LOOP.pow(dominance.depth(block).min(MOST_LOOPS) as u32);
    let mut by_call = vec![0u64; liveness.values.len()];
    for (call, across) in calls.iter().zip(&liveness.across) {
        for k in across {
            by_call[*k] += cost(call.block());
        }
    }
    let mut by_use = vec![0u64; liveness.values.len()];
    for user in function.instructions() {
        for (n, operand) in user.operands().into_iter().enumerate() {
            if let Some(k) = liveness.index_of(operand) {
                by_use[k] += cost(user.block_of_use(n));
            }
        }
    }
    let cheaper = |k: &&usize| by_use[**k] < by_call[**k];
    let residents = liveness.spilled.iter().filter(cheaper);
    residents.map(|k| (*k, ())).collect()
}
