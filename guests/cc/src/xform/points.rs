//! Migration points that the compiler puts in: `--migration-points=functions` and `loops`.
//!
//! At a point the thread looks at a word of its own, `__kettle_pending`, and only when that is not 0 calls the runtime's `__kettle_point`, which may
//! migrate it. Points are put into the program's functions (marked before the library is linked to them), at their entries and, in the
//! mode `loops`, at the head of every loop, so that each round passes one. In both modes every system call of the library is a point
//! too: the runtime's wrapper takes the place of the native call.
//!
//! This is done behind the optimiser: a function that has been inlined has no entry of its own any more.

use inkwell::llvm_sys::LLVMOpcode;

use super::dominance::Dominance;
use super::ir::{Ir, Value};
use crate::contract::{PENDING, POINT, SYSTEM_CALLS};

/// Where threads may migrate besides calls of migrate() and check_migrate().
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MigrationPoints {
    /// Nowhere.
    #[default]
    Manual,
    /// At the entry of every function of the program, and at system calls.
    Functions,
    /// Also at the head of every loop.
    Loops,
}

/// The attribute by which a function of the program is known.
const MARK: &str = "kettle-points";
/// Its value in the mode `loops`.
const LOOPS: &str = "loops";

/// How likely a point's call is against its being passed by.
const WEIGHTS: [u32; 2] = [1, 1 << 20];

/// Marks the functions of a module as the program's.
pub fn mark(ir: &Ir<'_>, points: MigrationPoints) {
    let value = match points {
        MigrationPoints::Manual => return,
        MigrationPoints::Functions => "functions",
        MigrationPoints::Loops => LOOPS,
    };
    for function in ir.defined_functions() {
        ir.add_text_attribute(function, MARK, value);
    }
}

/// Puts points into the marked functions, and into all system calls.
pub fn insert(ir: &Ir<'_>) -> Result<(), String> {
    let runtime = Runtime::of(ir)?;
    for function in ir.defined_functions() {
        if let Some(value) = function.text_attribute(MARK) {
            function.remove_attribute(super::ir::FUNCTION_INDEX, MARK);
            let heads = match value.as_str() {
                LOOPS => Dominance::of(function).loop_heads(),
                _ => Vec::new(),
            };
            // Handles of phi nodes do not outlive a split, those of other instructions do.
            let mut places = vec![behind_allocas(function)];
            places.extend(
                heads
                    .into_iter()
                    .map(|b| b.first_other_than(LLVMOpcode::LLVMPHI)),
            );
            for place in places {
                runtime.point(ir, function, place);
            }
        }
        runtime.redirect_system_calls(function);
    }
    Ok(())
}

/// Where the entry's point goes: allocas in front of it stay in the entry block.
fn behind_allocas(function: Value) -> Value {
    let all = function.entry().instructions();
    let is_local =
        |i: &Value| i.is(LLVMOpcode::LLVMAlloca) && i.operand(0).as_constant_integer().is_some();
    let last = all.iter().rposition(is_local);
    all[last.map_or(0, |k| k + 1)]
}

/// What points refer to.
struct Runtime {
    pending: Value,
    point: Value,
    /// Native system calls that the program makes, and what takes their place.
    system_calls: Vec<(Value, Value)>,
}

impl Runtime {
    fn of(ir: &Ir<'_>) -> Result<Self, String> {
        let missing = |name: &str| format!("the runtime has no {name}");
        let functions = ir.functions();
        let function = |name: &str| functions.iter().copied().find(|f| f.name() == name);
        let pending = ir.globals().into_iter().find(|g| g.name() == PENDING);
        let mut system_calls = Vec::new();
        for (native, at_point) in SYSTEM_CALLS {
            if let Some(native) = function(native) {
                let at_point = function(at_point).ok_or_else(|| missing(at_point))?;
                system_calls.push((native, at_point));
            }
        }
        Ok(Self {
            pending: pending.ok_or_else(|| missing(PENDING))?,
            point: function(POINT).ok_or_else(|| missing(POINT))?,
            system_calls,
        })
    }

    /// `if (__kettle_pending) __kettle_point();` in front of an instruction that is no phi node.
    fn point(&self, ir: &Ir<'_>, function: Value, place: Value) {
        let (before, behind) = ir.split_before(place);
        let slow = ir.append_block(function);
        let jump = before.terminator();
        ir.before(jump);
        ir.locate(function, place);
        let pending = ir.load(ir.i32(), self.pending);
        pending.set_alignment(4);
        pending.set_volatile();
        let is_pending = ir.is_not_zero(pending);
        ir.branch(is_pending, slow, behind, WEIGHTS);
        jump.erase();
        ir.at_end(slow);
        ir.locate(function, place);
        ir.call(self.point.value_type(), self.point, &[]);
        ir.jump(behind);
    }

    fn redirect_system_calls(&self, function: Value) {
        if self.system_calls.iter().any(|(_, own)| *own == function) {
            return;
        }
        for call in function.instructions().into_iter().filter(|i| i.is_call()) {
            let of = |(native, _): &&(Value, Value)| call.callee() == Some(*native);
            if let Some((_, at_point)) = self.system_calls.iter().find(of) {
                let callee = call.operands().len() as u32 - 1;
                call.set_operand(callee, *at_point);
            }
        }
    }
}
