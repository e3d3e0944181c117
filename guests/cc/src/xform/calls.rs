//! Prepares a function for its data frame: calls that may migrate become recorded calls, each the last one of its block.

use inkwell::llvm_sys::LLVMOpcode;

use super::DataStack;
use super::frame::Locals;
use super::ir::{FUNCTION_INDEX, Ir, Value};
use super::migrating::MaybeMigrating;

/// Attributes that would let LLVM move memory accesses over a call, or that the neutral ABI has taken back.
const DROPPED_CALL_ATTRIBUTES: [&str; 12] = [
    "memory",
    "returned",
    "byval",
    "sret",
    "willreturn",
    "nofree",
    "nosync",
    "speculatable",
    "readnone",
    "readonly",
    "convergent",
    "returns_twice",
];

/// Records every possibly migrating call of `function`: the call's id is its index in `sites`. Returns the new calls.
pub fn record(
    ir: &Ir<'_>,
    function: Value,
    set: &MaybeMigrating,
    stack: DataStack,
    sites: &mut Vec<Value>,
    keep_variables: bool,
) -> Vec<Value> {
    lower_markers(ir, function, stack, keep_variables);
    let mut recorded = Vec::new();
    for call in function.instructions() {
        if call.is_call() && set.may_migrate(call) {
            recorded.push(record_call(ir, call, sites.len() as u32));
            sites.push(function);
        }
    }
    clear_undefined_operands(function);
    // Inside one block instruction selection shares constants and addresses across the call.
    for call in &recorded {
        ir.split_after(*call);
    }
    recorded
}

fn record_call(ir: &Ir<'_>, call: Value, id: u32) -> Value {
    ir.before(call);
    let arguments = call.call_arguments();
    let new = ir.recorded_call(call.called_type(), call.called_value(), &arguments, id);
    new.copy_call_attributes_of(call, arguments.len() as u32, &DROPPED_CALL_ATTRIBUTES);
    call.replace_all_uses_with(new);
    call.erase();
    new
}

/// The native stack holds no locals any more, so their lifetimes go; saving the stack pointer becomes saving the data stack's, where
/// the function still allocates dynamically: otherwise there is nothing to restore, and the frame may be entered in between.
/// Records of variables go too, unless they are wanted.
fn lower_markers(ir: &Ir<'_>, function: Value, stack: DataStack, keep_variables: bool) {
    let dynamic = !Locals::of(ir, function).dynamic.is_empty();
    for call in function.instructions().into_iter().filter(|i| i.is_call()) {
        let Some(name) = call.intrinsic() else {
            continue;
        };
        if keep_variables && ["llvm.dbg.declare", "llvm.dbg.value"].contains(&name.as_str()) {
            continue;
        }
        if ["llvm.lifetime.", "llvm.invariant.", "llvm.dbg."]
            .iter()
            .any(|p| name.starts_with(p))
        {
            call.erase();
        } else if name.starts_with("llvm.stacksave") {
            ir.before(call);
            call.replace_all_uses_with(match dynamic {
                true => ir.load(ir.pointer(), stack.dsp),
                false => ir.pointer().zero(),
            });
            call.erase();
        } else if name.starts_with("llvm.stackrestore") {
            if dynamic {
                ir.before(call);
                ir.store(call.operand(0), stack.dsp);
            }
            call.erase();
        }
    }
}

/// An undefined operand would let whatever is in a register be stored, and so be carried over a call.
fn clear_undefined_operands(function: Value) {
    for instruction in function.instructions() {
        let operands = match instruction.opcode() {
            Some(LLVMOpcode::LLVMPHI | LLVMOpcode::LLVMStore | LLVMOpcode::LLVMSelect) => {
                instruction.operands()
            }
            Some(LLVMOpcode::LLVMCall) => instruction.call_arguments(),
            _ => continue,
        };
        for (k, operand) in (0..).zip(operands) {
            if operand.is_undef() {
                instruction.set_operand(k, operand.type_of().zero());
            }
        }
    }
}

/// A call like setjmp's, behind which the function may find itself again long after: what is live there must not have lost its slot.
pub fn returns_twice(call: &Value) -> bool {
    call.callee()
        .is_some_and(|f| f.has_attribute(FUNCTION_INDEX, "returns_twice"))
}
