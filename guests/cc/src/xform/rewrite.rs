//! Puts a function's locals and its values live across recorded calls into the data frame.
//!
//! Each spilled value gets a variable (an alloca, which `mem2reg` turns back into SSA form). Right after its definition the value is
//! stored to its variable; it is stored to its slot on the way to the calls that it is live across, as late as one store does for all of
//! them, but in no loop that it comes from outside of: a path without such a call often stores nothing. After each recorded call the
//! values live across that call are loaded from their slots into their variables; every original use reads the variable. So behind a
//! call nothing refers to a register filled before it. A [resident](super::resident) value has no variable: its uses read its slot.

use inkwell::llvm_sys::LLVMOpcode;

use super::DataStack;
use super::calls::returns_twice;
use super::described::Described;
use super::dominance::Dominance;
use super::extent::Extent;
use super::frame::{FRAME_ALIGN, Frame, Locals};
use super::ir::{Block, FUNCTION_INDEX, Ir, Lookup, RETURN_INDEX, Value};
use super::liveness::Liveness;
use super::resident::{self, Residents};
use super::stack_limit;
use super::variables::Variables;

/// Attributes of a function that are no longer true or would let memory accesses move over calls of it.
const DROPPED_ATTRIBUTES: [&str; 7] = [
    "memory",
    "willreturn",
    "nofree",
    "nosync",
    "norecurse",
    "speculatable",
    "mustprogress",
];

/// What the back ends must do with a function that may migrate: a frame pointer to walk by, no jump instead of a call, and a frame
/// whose size does not depend on where it begins.
pub const BACK_END_ATTRIBUTES: [(&str, &str); 3] = [
    ("frame-pointer", "all"),
    ("disable-tail-calls", "true"),
    ("no-realign-stack", ""),
];

/// Rewrites `function`, whose recorded calls are `calls`. Says what its data frame is and where its variables are.
pub fn rewrite(ir: &Ir<'_>, function: Value, calls: &[Value], stack: DataStack) -> Described {
    let locals = Locals::of(ir, function);
    let extent = Extent::settle(ir, function, calls, &locals);
    let liveness = Liveness::of(function, calls, &locals.offsets);
    let residents = resident::residents(function, calls, &liveness);
    let sharing = !calls.iter().any(returns_twice);
    let frame = Frame::lay_out(ir, &locals, &liveness, &residents, sharing);
    let variables = Variables::of(ir, function, calls, &locals);
    let described = Described::of(ir, function, &variables, &locals, &liveness, &frame);
    let source = Source {
        located: variables.begin(ir, function, calls),
        variables,
    };
    if frame.size > 0 {
        let layout = (locals, extent, liveness, frame);
        Rewriter::new(ir, function, calls, stack, layout, &residents, source).run();
    } else {
        source.variables.end(ir, &locals, source.located);
    }
    for name in DROPPED_ATTRIBUTES {
        function.remove_attribute(FUNCTION_INDEX, name);
    }
    for index in RETURN_INDEX..=function.arguments().len() as u32 {
        function.remove_attribute(index, "returned");
    }
    for (name, value) in BACK_END_ATTRIBUTES {
        ir.add_text_attribute(function, name, value);
    }
    described
}

/// The variables of the source, and whether they get locations in registers.
struct Source {
    variables: Variables,
    located: bool,
}

struct Rewriter<'a, 'ctx> {
    ir: &'a Ir<'ctx>,
    function: Value,
    calls: &'a [Value],
    stack: DataStack,
    locals: Locals,
    extent: Extent,
    liveness: Liveness,
    frame: Frame,
    source: Source,
    /// The variable that holds the frame's base.
    base: Value,
    /// The variable of each spilled value that is not resident, by index.
    variables: Lookup<usize, Value>,
    /// The block at whose end a spilled value is stored to its slot, where that is not right after its definition.
    late: Lookup<usize, Block>,
}

/// One use of a local or of a spilled value.
struct Use {
    user: Value,
    operand: u32,
    value: Value,
}

impl<'a, 'ctx> Rewriter<'a, 'ctx> {
    fn new(
        ir: &'a Ir<'ctx>,
        function: Value,
        calls: &'a [Value],
        stack: DataStack,
        (locals, extent, liveness, frame): (Locals, Extent, Liveness, Frame),
        residents: &Residents,
        source: Source,
    ) -> Self {
        ir.at_entry(function);
        let base = ir.alloca(ir.pointer(), "base");
        let variable = |k: &usize| (*k, ir.alloca(liveness.values[*k].type_of(), "spilled"));
        let spilled = liveness.spilled.iter().copied();
        let moving: Vec<usize> = spilled.filter(|k| !residents.contains(*k)).collect();
        let variables = moving.iter().map(variable).collect();
        let late = late_stores(function, calls, &liveness, &moving);
        Self {
            ir,
            function,
            calls,
            stack,
            locals,
            extent,
            liveness,
            frame,
            source,
            base,
            variables,
            late,
        }
    }

    fn run(self) {
        let uses = self.uses();
        for k in &self.liveness.spilled {
            self.spill(*k);
        }
        for (number, across) in self.liveness.across.iter().enumerate() {
            self.reload(number, across);
        }
        for k in &self.liveness.spilled {
            self.store_late(*k);
        }
        for one in uses {
            self.redirect(one);
        }
        self.unify_duplicate_edges();
        // Last, so that it comes before all that has been built where the frame is entered.
        self.enter();
        for block in &self.extent.exits {
            self.leave(block.terminator());
        }
        for alloca in &self.locals.dynamic {
            self.allocate(*alloca);
        }
        self.source
            .variables
            .end(self.ir, &self.locals, self.source.located);
        for alloca in &self.locals.fixed {
            alloca.erase();
        }
    }

    /// The original uses, before anything is built.
    fn uses(&self) -> Vec<Use> {
        let mut uses = Vec::new();
        for user in self.function.instructions() {
            for (operand, value) in (0..).zip(user.operands()) {
                let spilled = self.liveness.index_of(value).is_some_and(|k| {
                    self.variables.contains(k)
                        || self.frame.slots.contains(k) && !self.is_defined_beside(value, user)
                });
                if spilled || self.locals.offsets.contains(value) {
                    uses.push(Use {
                        user,
                        operand,
                        value,
                    });
                }
            }
        }
        uses
    }

    fn enter(&self) {
        let (ir, stack) = (self.ir, self.stack);
        if self.extent.entry == self.function.entry() {
            ir.at_entry(self.function);
        } else {
            ir.before(self.extent.entry.first_other_than(LLVMOpcode::LLVMPHI));
        }
        let base = ir.offset(ir.load(ir.pointer(), stack.dsp), -(self.frame.size as i64));
        stack_limit::check_frame(ir, stack, base, self.frame.size);
        ir.store(base, stack.dsp);
        ir.store(base, self.base);
        if let Some(saved) = self.frame.saved_dfp {
            ir.store(
                ir.load(ir.pointer(), stack.dfp),
                ir.offset(base, saved as i64),
            );
            ir.store(base, stack.dfp);
        }
        if self.source.located {
            self.source.variables.locals_at(ir, base, &self.locals);
        }
        if self.extent.entry != self.function.entry() {
            ir.at_entry(self.function);
        }
        // Where the frame is entered later, arguments are stored to it later too.
        for k in self
            .liveness
            .spilled
            .iter()
            .filter(|k| **k < self.liveness.arguments)
        {
            self.define(*k, base);
        }
    }

    fn leave(&self, end: Value) {
        let (ir, stack) = (self.ir, self.stack);
        ir.before(end);
        let base = ir.load(ir.pointer(), self.base);
        if let Some(saved) = self.frame.saved_dfp {
            ir.store(
                ir.load(ir.pointer(), ir.offset(base, saved as i64)),
                stack.dfp,
            );
        }
        ir.store(ir.offset(base, self.frame.size as i64), stack.dsp);
    }

    /// The frame's base as memory knows it, after a call.
    fn base_from_memory(&self) -> Value {
        let register = if self.frame.saved_dfp.is_some() {
            self.stack.dfp
        } else {
            self.stack.dsp
        };
        self.ir.load(self.ir.pointer(), register)
    }

    fn slot(&self, k: usize, base: Value) -> Value {
        let offset = self.frame.slots.get(k).copied().unwrap_or_default();
        self.ir.offset(base, offset as i64)
    }

    fn load_slot(&self, k: usize, base: Value) -> Value {
        let ty = self.liveness.values[k].type_of();
        let value = self.ir.load(ty, self.slot(k, base));
        value.set_alignment(self.slot_align(k));
        value
    }

    fn define(&self, k: usize, base: Value) {
        let value = self.liveness.values[k];
        if !self.late.contains(k) {
            self.ir
                .store(value, self.slot(k, base))
                .set_alignment(self.slot_align(k));
        }
        if let Some(variable) = self.variables.get(k) {
            self.ir.store(value, *variable);
        }
    }

    fn store_late(&self, k: usize) {
        let (Some(block), Some(variable)) = (self.late.get(k), self.variables.get(k)) else {
            return;
        };
        let ir = self.ir;
        let call = self.calls.iter().find(|c| c.block() == *block);
        ir.before(call.copied().unwrap_or_else(|| block.terminator()));
        let value = ir.load(self.liveness.values[k].type_of(), *variable);
        let base = ir.load(ir.pointer(), self.base);
        ir.store(value, self.slot(k, base))
            .set_alignment(self.slot_align(k));
    }

    fn slot_align(&self, k: usize) -> u64 {
        self.ir
            .align_of(self.liveness.values[k].type_of())
            .min(FRAME_ALIGN)
    }

    /// Stores a spilled instruction, to its variable at least, right after its definition; arguments have been stored on entry.
    fn spill(&self, k: usize) {
        if k < self.liveness.arguments {
            return;
        }
        let value = self.liveness.values[k];
        let recorded = self.calls.contains(&value);
        self.ir.before(if recorded {
            behind_call(value)
        } else if value.is(LLVMOpcode::LLVMPHI) {
            value.block().first_other_than(LLVMOpcode::LLVMPHI)
        } else {
            value.next()
        });
        let base = if recorded {
            self.base_from_memory()
        } else {
            self.ir.load(self.ir.pointer(), self.base)
        };
        self.define(k, base);
    }

    fn reload(&self, number: usize, across: &[usize]) {
        self.ir.before(behind_call(self.calls[number]));
        let base = self.base_from_memory();
        self.ir.store(base, self.base);
        let source = Some(&self.source).filter(|s| s.located);
        if let Some(source) = source {
            source.variables.locals_at(self.ir, base, &self.locals);
        }
        for k in across {
            let Some(variable) = self.variables.get(*k) else {
                continue;
            };
            let value = self.load_slot(*k, base);
            self.ir.store(value, *variable);
            if let Some(source) = source {
                let old = self.liveness.values[*k];
                source.variables.reloaded(self.ir, number, old, value);
            }
        }
    }

    fn redirect(&self, one: Use) {
        let ir = self.ir;
        if one.user.is(LLVMOpcode::LLVMPHI) {
            let from = one.user.block_of_use(one.operand as usize);
            ir.before(from.terminator());
        } else {
            ir.before(one.user);
        }
        let value = match self.locals.offsets.get(one.value) {
            Some(offset) => self.address_of_local(one.value, *offset),
            None => {
                let Some(k) = self.liveness.index_of(one.value) else {
                    return;
                };
                match self.variables.get(k) {
                    Some(variable) => ir.load(one.value.type_of(), *variable),
                    None => self.load_slot(k, ir.load(ir.pointer(), self.base)),
                }
            }
        };
        one.user.set_operand(one.operand, value);
    }

    /// Whether a value is defined in the block of its user, before it, and there is no recorded call between.
    fn is_defined_beside(&self, value: Value, user: Value) -> bool {
        if user.is(LLVMOpcode::LLVMPHI) || self.calls.contains(&value) {
            return false;
        }
        let argument = self
            .liveness
            .index_of(value)
            .is_some_and(|k| k < self.liveness.arguments);
        let defined = if argument {
            self.function.entry()
        } else {
            value.block()
        };
        user.block() == defined
    }

    fn address_of_local(&self, alloca: Value, offset: u64) -> Value {
        let ir = self.ir;
        let address = ir.offset(ir.load(ir.pointer(), self.base), offset as i64);
        let align = alloca.alignment();
        if align <= FRAME_ALIGN {
            return address;
        }
        let up = ir.add(ir.pointer_to_integer(address), ir.number(align - 1));
        ir.integer_to_pointer(ir.and(up, ir.number(!(align - 1))))
    }

    /// A phi node may name a predecessor several times (switch): LLVM wants the very same value for each.
    fn unify_duplicate_edges(&self) {
        for phi in self.function.blocks().into_iter().flat_map(|b| b.phis()) {
            let mut seen = Lookup::new();
            for (k, (value, from)) in (0..).zip(phi.incoming()) {
                match seen.get(from) {
                    Some(first) => phi.set_operand(k, *first),
                    None => {
                        seen.insert(from, value);
                    }
                }
            }
        }
    }

    /// A dynamic alloca takes memory off the data stack.
    fn allocate(&self, alloca: Value) {
        let ir = self.ir;
        ir.before(alloca);
        let count = ir.widen(alloca.operand(0));
        let bytes = ir.multiply(count, ir.number(ir.size_of(alloca.allocated_type())));
        let align = alloca.alignment().max(FRAME_ALIGN);
        let top = ir.pointer_to_integer(ir.load(ir.pointer(), self.stack.dsp));
        let low = ir.subtract(top, bytes);
        let address = ir.integer_to_pointer(ir.and(low, ir.number(!(align - 1))));
        stack_limit::check_array(ir, self.stack, address, low, top);
        ir.store(address, self.stack.dsp);
        alloca.replace_all_uses_with(address);
        alloca.erase();
    }
}

/// Where those of the `moving` values, which have variables, are stored that are not stored right after their definitions, by index.
fn late_stores(
    function: Value,
    calls: &[Value],
    liveness: &Liveness,
    moving: &[usize],
) -> Lookup<usize, Block> {
    let dominance = Dominance::of(function);
    let mut blocks: Vec<Vec<Block>> = vec![Vec::new(); liveness.values.len()];
    for (call, across) in calls.iter().zip(&liveness.across) {
        for k in across {
            blocks[*k].push(call.block());
        }
    }
    let late = |k: &usize| {
        let value = liveness.values[*k];
        let defined = if *k < liveness.arguments {
            function.entry()
        } else if calls.contains(&value) {
            value.block().successors()[0]
        } else {
            value.block()
        };
        let place = dominance.before_all(defined, &blocks[*k])?;
        (place != defined).then_some((*k, place))
    };
    moving.iter().filter_map(late).collect()
}

/// The first instruction of the block that a recorded call continues in.
fn behind_call(call: Value) -> Value {
    let continuation = call.block().successors();
    continuation[0].first()
}
