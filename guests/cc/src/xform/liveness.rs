//! Which SSA values are live across which recorded call, exactly: backward data flow over bit sets.
//!
//! Arguments and instructions get indices in order of appearance; everything downstream is ordered by them.

use inkwell::llvm_sys::LLVMOpcode;

use super::ir::{Block, Lookup, Value};

/// The values of one function and what is live where.
#[derive(Debug)]
pub struct Liveness {
    /// The value of each index: arguments first, then instructions.
    pub values: Vec<Value>,
    /// How many of them are arguments.
    pub arguments: usize,
    index: Lookup<Value, usize>,
    /// For each recorded call, in the order given: the indices of the values live across it, ascending.
    pub across: Vec<Vec<usize>>,
    /// The indices of the values live across any recorded call, ascending.
    pub spilled: Vec<usize>,
    /// For each of `spilled`: which of `spilled` (by position) must not have its slot, because each is stored while the other's is still to
    /// be loaded from.
    conflicts: Vec<Set>,
}

/// A set of value indices.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Set(Vec<u64>);

impl Set {
    fn empty(values: usize) -> Self {
        Self(vec![0; values / 64 + 1])
    }
    fn add(&mut self, k: usize) {
        self.0[k / 64] |= 1 << (k % 64);
    }
    fn remove(&mut self, k: usize) {
        self.0[k / 64] &= !(1 << (k % 64));
    }
    fn add_all(&mut self, other: &Set) {
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            *a |= b;
        }
    }
    fn has(&self, k: usize) -> bool {
        self.0[k / 64] >> (k % 64) & 1 == 1
    }
    fn members(&self) -> Vec<usize> {
        (0..self.0.len() * 64).filter(|k| self.has(*k)).collect()
    }
}

impl Liveness {
    /// Liveness of `function` across `calls`. Allocas in `excluded` are addresses in the data frame, not values.
    pub fn of(function: Value, calls: &[Value], excluded: &Lookup<Value, u64>) -> Self {
        let mut values = function.arguments();
        let arguments = values.len();
        let has_value = |i: &Value| !i.type_of().is_void() && !excluded.contains(*i);
        values.extend(function.instructions().into_iter().filter(has_value));
        let index = values.iter().enumerate().map(|(k, v)| (*v, k)).collect();
        let mut liveness = Self {
            values,
            arguments,
            index,
            across: Vec::new(),
            spilled: Vec::new(),
            conflicts: Vec::new(),
        };
        liveness.solve(function, calls);
        liveness.find_conflicts(function, calls);
        liveness
    }

    /// The index of a value, when it is an argument or an instruction with a result.
    pub fn index_of(&self, value: Value) -> Option<usize> {
        self.index.get(value).copied()
    }

    fn solve(&mut self, function: Value, calls: &[Value]) {
        let blocks = function.blocks();
        let number: Lookup<Block, usize> =
            blocks.iter().enumerate().map(|(k, b)| (*b, k)).collect();
        let mut live_in = vec![Set::empty(self.values.len()); blocks.len()];
        let mut changed = true;
        while changed {
            changed = false;
            for (k, block) in blocks.iter().enumerate().rev() {
                let mut live = self.live_out(*block, &number, &live_in);
                for i in block.instructions().into_iter().rev() {
                    self.step_back(i, &mut live);
                }
                if live != live_in[k] {
                    live_in[k] = live;
                    changed = true;
                }
            }
        }
        let place: Lookup<Value, usize> = calls.iter().enumerate().map(|(k, c)| (*c, k)).collect();
        self.across = vec![Vec::new(); calls.len()];
        let mut spilled = Set::empty(self.values.len());
        for block in &blocks {
            let mut live = self.live_out(*block, &number, &live_in);
            for i in block.instructions().into_iter().rev() {
                if let Some(k) = place.get(i) {
                    let mut across = live.clone();
                    if let Some(result) = self.index_of(i) {
                        across.remove(result);
                    }
                    spilled.add_all(&across);
                    self.across[*k] = across.members();
                }
                self.step_back(i, &mut live);
            }
        }
        self.spilled = spilled.members();
    }

    fn live_out(&self, block: Block, number: &Lookup<Block, usize>, live_in: &[Set]) -> Set {
        let mut live = Set::empty(self.values.len());
        for successor in block.successors() {
            if let Some(k) = number.get(successor) {
                live.add_all(&live_in[*k]);
            }
            for (value, from) in successor.phis().into_iter().flat_map(Value::incoming) {
                if let Some(k) = self.index_of(value).filter(|_| from == block) {
                    live.add(k);
                }
            }
        }
        live
    }

    fn step_back(&self, i: Value, live: &mut Set) {
        if let Some(k) = self.index_of(i) {
            live.remove(k);
        }
        // The operands of a phi are used on the incoming edges.
        if !i.is(LLVMOpcode::LLVMPHI) {
            for k in i.operands().into_iter().filter_map(|o| self.index_of(o)) {
                live.add(k);
            }
        }
    }

    /// Whether two members of `spilled`, given by their positions, need slots of their own.
    pub fn conflict(&self, a: usize, b: usize) -> bool {
        self.conflicts[a].has(b)
    }

    /// A slot is in use from the definition of its value to the last call that the value is live across. Two values conflict when one's slot
    /// is in use where the other is defined; of values defined at one place, arguments or phi nodes, all do.
    fn find_conflicts(&mut self, function: Value, calls: &[Value]) {
        let blocks = function.blocks();
        let number: Lookup<Block, usize> =
            blocks.iter().enumerate().map(|(k, b)| (*b, k)).collect();
        let slots = Slots {
            position: self
                .spilled
                .iter()
                .enumerate()
                .map(|(p, k)| (self.values[*k], p))
                .collect(),
            loaded: calls
                .iter()
                .zip(&self.across)
                .map(|(call, across)| {
                    let position = |k: &usize| self.spilled.binary_search(k).ok();
                    (*call, across.iter().filter_map(position).collect())
                })
                .collect(),
        };
        let none = Set::empty(self.spilled.len());
        let mut conflicts = vec![none.clone(); self.spilled.len()];
        let mut in_use = vec![none.clone(); blocks.len()];
        let mut changed = true;
        while changed {
            changed = false;
            for (k, block) in blocks.iter().enumerate().rev() {
                let mut used = none.clone();
                for successor in block.successors() {
                    if let Some(s) = number.get(successor) {
                        used.add_all(&in_use[*s]);
                    }
                }
                slots.step_back(*block, &mut used, &mut conflicts);
                if used != in_use[k] {
                    in_use[k] = used;
                    changed = true;
                }
            }
        }
        let arguments: Vec<usize> = function
            .arguments()
            .into_iter()
            .filter_map(|a| slots.position.get(a).copied())
            .collect();
        if let (false, Some(entry)) = (arguments.is_empty(), in_use.first()) {
            note(&arguments, entry, &mut conflicts);
        }
        self.conflicts = conflicts;
    }
}

/// What the search for conflicts knows of a function.
struct Slots {
    /// Position in `spilled`.
    position: Lookup<Value, usize>,
    /// What is loaded behind each recorded call.
    loaded: Lookup<Value, Vec<usize>>,
}

impl Slots {
    /// From the slots in use behind a block to those in use before it. Sets only grow from round to round, so that conflicts once noted are true.
    fn step_back(&self, block: Block, used: &mut Set, conflicts: &mut [Set]) {
        let mut phis = Vec::new();
        for i in block.instructions().into_iter().rev() {
            if let Some(p) = self.position.get(i).copied() {
                if i.is(LLVMOpcode::LLVMPHI) {
                    phis.push(p);
                    continue;
                }
                note(&[p], used, conflicts);
                used.remove(p);
            }
            // The loads come before the result is stored.
            for p in self.loaded.get(i).into_iter().flatten() {
                used.add(*p);
            }
        }
        note(&phis, used, conflicts);
        for p in phis {
            used.remove(p);
        }
    }
}

/// Notes that `stored`, stored at one place, conflict with whatever is in use there, and so with each other.
fn note(stored: &[usize], used: &Set, conflicts: &mut [Set]) {
    for p in stored {
        conflicts[*p].add_all(used);
        for other in used.members() {
            conflicts[other].add(*p);
        }
        for other in stored {
            conflicts[*p].add(*other);
        }
    }
}
