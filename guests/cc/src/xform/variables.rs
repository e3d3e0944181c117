//! Where the variables of the source are at each recorded call, for debuggers: followed through the records of the front end before the
//! function is rewritten, then said in two ways.
//!
//! The table of data frames ([`isa::dataframes`]) says for every recorded call which variables are in the data frame and where: there, and only
//! there, a thread can be found on either ISA. Between the calls the variables may be in registers; for that the records stay in the
//! module, and the back ends make DWARF of them. No record holds over a recorded call, because registers do not: a variable is declared lost before
//! the call, and found again when it has been loaded from its slot.

use std::collections::{BTreeMap, BTreeSet};

use isa::dataframes::VariableKey;

use super::frame::{FRAME_ALIGN, Frame, Locals};
use super::ir::{Block, DebugRecord, Instance, Ir, Lookup, Value};
use super::liveness::Liveness;

/// Functions with more records than this, counting each variable once for each call, get no DWARF locations; the table has them all the same.
const MOST_RECORDS: usize = 2_000;

/// Bits of a variable; none for all of it.
type Fragment = Option<(u32, u32)>;

/// What is known on all ways to a point, and what may be known on some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    /// For each variable and part of it: the number of the record that holds.
    known: BTreeMap<(usize, Fragment), usize>,
    /// The variables of which a record may hold.
    possible: BTreeSet<usize>,
}

/// What is known about the variables of a function.
pub struct Variables {
    records: Vec<DebugRecord>,
    /// Each variable once, in the order of its first record.
    instances: Vec<Instance>,
    /// Records of locals that are in the frame all the time.
    fixed: Vec<usize>,
    /// For each recorded call: what is known of the others there.
    at_calls: Vec<State>,
}

/// A place that the table will name.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Which variable, by its position among the keys.
    pub variable: usize,
    /// Which bits of it.
    pub fragment: Fragment,
    /// Where they are.
    pub at: At,
}

/// Where a variable is, or what it is.
#[derive(Clone, Copy, Debug)]
pub enum At {
    /// In the frame, at an offset; the address is rounded up to a multiple of an alignment.
    Frame(u64, u64),
    /// It is the address of that.
    FrameAddress(u64, u64),
    /// At the address that is in the frame at an offset.
    Indirect(u64),
    /// It is in a global variable.
    Global(Value),
    /// It is the address of a global variable or of a function.
    GlobalAddress(Value),
    /// It has these bytes.
    Constant(u64),
}

impl Variables {
    /// Follows the records of `function`.
    pub fn of(ir: &Ir<'_>, function: Value, calls: &[Value], locals: &Locals) -> Self {
        let records = ir.debug_records(function);
        let mut instances: Vec<Instance> = Vec::new();
        for record in &records {
            if !instances.contains(&record.instance) {
                instances.push(record.instance);
            }
        }
        let in_frame = |r: &DebugRecord| {
            r.declares
                && r.relation.is_some_and(|r| !r.dereferenced)
                && r.value.is_some_and(|v| locals.offsets.contains(v))
        };
        let fixed = (0..records.len())
            .filter(|k| in_frame(&records[*k]))
            .collect();
        let mut variables = Self {
            records,
            instances,
            fixed,
            at_calls: Vec::new(),
        };
        variables.at_calls = variables.follow(function, calls);
        variables
    }

    /// How the table names the variables.
    pub fn keys(&self, ir: &Ir<'_>) -> Vec<VariableKey> {
        let key = |instance: &Instance| VariableKey {
            name: instance.name(ir),
            line: instance.line(),
            inlined_at: instance.inlined_at(),
        };
        self.instances.iter().map(key).collect()
    }

    /// The places of the locals that are in the frame all the time.
    pub fn fixed_places(&self, locals: &Locals) -> Vec<Place> {
        let place = |k: &usize| {
            let record = &self.records[*k];
            let alloca = record.value?;
            let offset = locals.offsets.get(alloca)?;
            self.place(record, At::Frame(*offset, alloca.alignment()))
        };
        self.fixed.iter().filter_map(place).collect()
    }

    /// The places of the other variables at a call.
    pub fn places_at(
        &self,
        call: usize,
        locals: &Locals,
        liveness: &Liveness,
        frame: &Frame,
    ) -> Vec<Place> {
        let place = |k: &usize| {
            let record = &self.records[*k];
            let (value, relation) = (record.value?, record.relation?);
            if record.declares && relation.dereferenced {
                return None;
            }
            let memory = record.declares || relation.dereferenced;
            let slot = || {
                let index = liveness.index_of(value)?;
                let live = liveness.across[call].binary_search(&index).is_ok();
                frame.slots.get(index).copied().filter(|_| live)
            };
            let at = match (locals.offsets.get(value), memory) {
                (Some(offset), true) => At::Frame(*offset, value.alignment()),
                (Some(offset), false) => At::FrameAddress(*offset, value.alignment()),
                (None, true) if value.is_global() => At::Global(value),
                (None, false) if value.is_global() => At::GlobalAddress(value),
                (None, true) => At::Indirect(slot()?),
                (None, false) => match value.as_constant_bits() {
                    Some(bits) => At::Constant(bits),
                    None => At::Frame(slot()?, 1),
                },
            };
            self.place(record, at)
        };
        self.at_calls[call]
            .known
            .values()
            .filter_map(place)
            .collect()
    }

    fn place(&self, record: &DebugRecord, at: At) -> Option<Place> {
        let variable = self.instances.iter().position(|i| *i == record.instance)?;
        Some(Place {
            variable,
            fragment: record.relation.and_then(|r| r.fragment),
            at,
        })
    }

    /// Which records hold at each call, going forward from the entry; where paths meet, what they agree on.
    fn follow(&self, function: Value, calls: &[Value]) -> Vec<State> {
        let number: Lookup<Value, usize> = (self.records.iter().map(|r| r.call))
            .enumerate()
            .map(|(k, call)| (call, k))
            .collect();
        let is_call: Lookup<Value, ()> = calls.iter().map(|call| (*call, ())).collect();
        let blocks = function.blocks();
        let position: Lookup<Block, usize> =
            blocks.iter().enumerate().map(|(k, b)| (*b, k)).collect();
        let mut entry: Vec<Option<State>> = vec![None; blocks.len()];
        entry[0] = Some(State::default());
        let mut at_call: Lookup<Value, State> = Lookup::new();
        let mut changed = true;
        while changed {
            changed = false;
            for (k, block) in blocks.iter().enumerate() {
                let Some(mut state) = entry[k].clone() else {
                    continue;
                };
                for i in block.instructions() {
                    if let Some(record) = number.get(i) {
                        self.step(*record, &mut state);
                    } else if is_call.contains(i) {
                        at_call.insert(i, state.clone());
                        state.possible = state.known.keys().map(|(v, _)| *v).collect();
                    }
                }
                for next in block.successors() {
                    let Some(next) = position.get(next) else {
                        continue;
                    };
                    let met = match &entry[*next] {
                        Some(known) => self.met(known, &state),
                        None => state.clone(),
                    };
                    if entry[*next].as_ref() != Some(&met) {
                        entry[*next] = Some(met);
                        changed = true;
                    }
                }
            }
        }
        let of_call = |call: &Value| at_call.get(*call).cloned().unwrap_or_default();
        calls.iter().map(of_call).collect()
    }

    fn step(&self, record: usize, state: &mut State) {
        if self.fixed.contains(&record) {
            return;
        }
        let DebugRecord {
            instance,
            relation,
            lost,
            ..
        } = self.records[record];
        let Some(variable) = self.instances.iter().position(|i| *i == instance) else {
            return;
        };
        let fragment = relation.and_then(|r| r.fragment);
        state
            .known
            .retain(|(other, bits), _| *other != variable || !overlap(*bits, fragment));
        if !lost {
            state.known.insert((variable, fragment), record);
            state.possible.insert(variable);
        }
    }

    fn met(&self, a: &State, b: &State) -> State {
        let same = |x: usize, y: usize| {
            let (x, y) = (&self.records[x], &self.records[y]);
            x.value.is_some()
                && (x.value, x.relation, x.declares) == (y.value, y.relation, y.declares)
        };
        let both = |(key, record): (&(usize, Fragment), &usize)| {
            let agreed = b.known.get(key).is_some_and(|other| same(*record, *other));
            agreed.then_some((*key, *record))
        };
        State {
            known: a.known.iter().filter_map(both).collect(),
            possible: a.possible.union(&b.possible).copied().collect(),
        }
    }

    /// Says before each recorded call that what may be in registers is lost. False when there are too many records, and the function gets no
    /// locations at all.
    pub fn begin(&self, ir: &Ir<'_>, function: Value, calls: &[Value]) -> bool {
        ir.retain_variables(function, &self.instances);
        let about: Vec<&DebugRecord> = self
            .instances
            .iter()
            .filter_map(|i| self.first(*i))
            .collect();
        let count = |state: &State| state.possible.len() + self.fixed.len();
        let located = self.at_calls.iter().map(count).sum::<usize>() <= MOST_RECORDS;
        for (call, state) in calls.iter().zip(&self.at_calls).filter(|_| located) {
            ir.before(*call);
            for variable in &state.possible {
                ir.debug_lost(about[*variable]);
            }
            for k in &self.fixed {
                ir.debug_lost(&self.records[*k]);
            }
        }
        located
    }

    fn first(&self, instance: Instance) -> Option<&DebugRecord> {
        self.records.iter().find(|r| r.instance == instance)
    }

    /// Removes the records that name locals, which are about to go, and all where the function gets no locations.
    pub fn end(&self, ir: &Ir<'_>, locals: &Locals, located: bool) {
        for record in &self.records {
            let gone = record.value.is_some_and(|v| locals.offsets.contains(v));
            if gone || !located {
                record.call.erase();
            } else if record.declares {
                ir.debug_from_here(record);
            }
        }
    }

    /// Says that the locals are in the frame at `base` from here on.
    pub fn locals_at(&self, ir: &Ir<'_>, base: Value, locals: &Locals) {
        for record in self.fixed.iter().map(|k| &self.records[*k]) {
            if let Some(alloca) = record.value
                && let Some(offset) = locals.offsets.get(alloca)
            {
                let align = Some(alloca.alignment()).filter(|a| *a > FRAME_ALIGN);
                ir.debug_memory(record, base, *offset, align.unwrap_or(1));
            }
        }
    }

    /// Says that variables whose value was `old` before call number `call` have the value `new` from here on.
    pub fn reloaded(&self, ir: &Ir<'_>, call: usize, old: Value, new: Value) {
        for record in self.at_calls[call]
            .known
            .values()
            .map(|k| &self.records[*k])
        {
            if record.value == Some(old) && record.declares {
                ir.debug_memory(record, new, 0, 1);
            } else if record.value == Some(old) {
                ir.debug_value(record, new);
            }
        }
    }
}

fn overlap(a: Fragment, b: Fragment) -> bool {
    match (a, b) {
        (Some((a, a_bits)), Some((b, b_bits))) => a < b + b_bits && b < a + a_bits,
        _ => true,
    }
}
