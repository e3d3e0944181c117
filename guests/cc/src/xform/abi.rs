//! The rest of the neutral ABI: structs by value, returned structs, addresses of thread-local variables, inline assembly without
//! instructions, attributes of one ISA.
//!
//! Only functions of the module change, together with all calls of them. A call of a native function keeps its attributes, and may
//! not pass a struct by value, because each ISA does that its own way.

use super::ir::{FUNCTION_INDEX, Ir, Value};
use super::refuse::Refusal;

/// Attributes that tie a function to x86, or that let a back end treat or place it in a way of its own.
const DROPPED_ATTRIBUTES: [&str; 9] = [
    "target-cpu",
    "target-features",
    "tune-cpu",
    "min-legal-vector-width",
    "stack-protector-buffer-size",
    "probe-stack",
    "stack-probe-size",
    "hot",
    "cold",
];

/// What is no longer true of a parameter that the callee copies.
const BYVAL_COMPANIONS: [&str; 7] = [
    "byval",
    "align",
    "noalias",
    "readonly",
    "readnone",
    "writeonly",
    "nocapture",
];

/// Makes all functions and calls neutral; variadic ones have been made plain before.
pub fn neutralise(ir: &Ir<'_>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for function in ir.defined_functions() {
        for call in function.instructions().into_iter().filter(|i| i.is_call()) {
            let called = call.called_value();
            if called.is_inline_asm() {
                neutral_asm(ir, call);
            } else if let Some(name) = call.intrinsic() {
                if name.starts_with("llvm.threadlocal.address") {
                    // The variable itself: a constant, which no loop pass hoists as it would the call.
                    call.replace_all_uses_with(call.operand(0));
                    call.erase();
                }
            } else if let Some(native) = call.callee().filter(|f| !f.is_definition()) {
                refusals.extend(by_value_to_native(function, call, native));
            } else {
                plain_call(call);
            }
        }
    }
    for function in ir.defined_functions() {
        plain_definition(ir, function);
    }
    for variable in ir.globals().into_iter().filter(|g| g.is_thread_local()) {
        variable.set_local_exec();
    }
    refusals
}

fn by_value_to_native(function: Value, call: Value, native: Value) -> Option<Refusal> {
    let by_value =
        (1..=call.call_arguments().len() as u32).any(|k| call.has_call_attribute(k, "byval"));
    by_value.then(|| {
        let what = format!(
            "{} is a native function: pass the struct through a pointer",
            native.name()
        );
        Refusal::at(function, call, what)
    })
}

fn plain_call(call: Value) {
    for k in 1..=call.call_arguments().len() as u32 {
        if call.has_call_attribute(k, "byval") {
            // The callee copies out of our memory, so it is no longer true that it does not look at our locals.
            call.clear_tail();
            call.remove_call_attribute(k, "byval");
        }
        call.remove_call_attribute(k, "sret");
    }
}

fn plain_definition(ir: &Ir<'_>, function: Value) {
    for (k, argument) in (1..).zip(function.arguments()) {
        if let Some(ty) = function.attribute_type(k, "byval") {
            let align = function.attribute_number(k, "align").unwrap_or(8);
            ir.at_entry(function);
            let copy = ir.alloca(ty, "byval.copy");
            copy.set_alignment(align);
            argument.replace_all_uses_with(copy);
            ir.copy((copy, align), (argument, 1), ir.size_of(ty));
            for name in BYVAL_COMPANIONS {
                function.remove_attribute(k, name);
            }
        }
        function.remove_attribute(k, "sret");
    }
    for name in DROPPED_ATTRIBUTES {
        function.remove_attribute(FUNCTION_INDEX, name);
    }
    // A table for unwinding in every function: the debugger's call chains and the call-site table are read from it.
    ir.add_attribute(function, "uwtable", 1);
}

/// Clobbers name registers of x86; with an empty template none of them is touched, only the memory clobber keeps its meaning.
fn neutral_asm(ir: &Ir<'_>, call: Value) {
    let asm = call.called_value();
    let (_, constraints) = asm.asm_text();
    let neutral: Vec<&str> = constraints
        .split(',')
        .filter(|c| !c.starts_with("~{") || *c == "~{memory}")
        .collect();
    let asm = ir.empty_asm(call.called_type(), &neutral.join(","), true);
    let callee = call.operands().len() as u32 - 1;
    call.set_operand(callee, asm);
}
