//! Neutral variadic functions: the variable arguments are stored in memory and their address is one more parameter.
//!
//! `R f(A, ...)` becomes `R f(A, ptr va)`. The front end has already lowered `va_arg` for x86_64: it looks at `gp_offset` and
//! `fp_offset` of the `va_list` and takes an argument from the register save area or from the overflow area. `va_start` now says
//! that both register areas are used up, so every argument comes from the overflow area, which is what the caller has built: slots of
//! 8 bytes, aligned further where the type asks for it (a structure that is passed in pieces does not: see `kettle/va_arg.h`). So a `va_list` is
//! neutral memory and may live across a migration.
//!
//! A call without variable arguments passes the address of zeros: libraries read arguments that are not there, and ignore them (`fcntl(fd, F_GETFL)`).
//!
//! A call through a type without prototype, `f()`, looks variadic too. Where the function is known, its definition says what it is; through
//! a pointer nothing does, and arguments are refused.
//!
//! Left out: calls of variadic functions that are defined natively; those stay as they are.

use super::ir::{Ir, Type, Value};
use super::refuse::Refusal;

/// `va_list` of x86_64: offsets of its members, and the values that say "no registers left" (psABI 3.5.7).
const GP_OFFSET_USED_UP: u32 = 48;
const FP_OFFSET_USED_UP: u32 = 176;
const FP_OFFSET: i64 = 4;
const OVERFLOW_ARG_AREA: i64 = 8;
const REG_SAVE_AREA: i64 = 16;
const VA_LIST_SIZE: u64 = 24;

/// What stands for no arguments: as many bytes of zeros as six arguments have, which is what syscall(2) reads.
const NO_ARGUMENTS: &str = "__kettle_no_arguments";
const NO_ARGUMENTS_SIZE: u64 = 48;

/// Rewrites all definitions of and calls to variadic functions.
pub fn neutralise(ir: &Ir<'_>) -> Vec<Refusal> {
    let mut variadic = Vec::new();
    for function in ir.defined_functions() {
        if function.value_type().is_variadic() {
            variadic.extend(define_neutral(ir, function));
        }
    }
    let mut refusals = Vec::new();
    for function in ir.defined_functions() {
        for call in function.instructions().into_iter().filter(|i| i.is_call()) {
            match call.intrinsic() {
                Some(n) if n.starts_with("llvm.va_end") => call.erase(),
                Some(n) if n.starts_with("llvm.va_copy") => {
                    ir.before(call);
                    ir.copy((call.operand(0), 8), (call.operand(1), 8), VA_LIST_SIZE);
                    call.erase();
                }
                Some(n) if n.starts_with("llvm.va_start") => {
                    refusals.push(Refusal::at(
                        function,
                        call,
                        "va_start in a function without `...`",
                    ));
                }
                Some(_) => {}
                None => {
                    let native = call.callee().is_some_and(|f| !f.is_definition());
                    if !native && call.called_type().is_variadic() {
                        refusals.extend(call_neutral(ir, function, call, &variadic));
                    }
                }
            }
        }
    }
    refusals
}

/// The function that takes the place of a variadic one.
fn define_neutral(ir: &Ir<'_>, old: Value) -> Option<Value> {
    let ty = old.value_type();
    let mut parameters = ty.parameters();
    parameters.push(ir.pointer());
    let name = old.name();
    old.set_name("");
    let new = ir.add_function(
        &name,
        ir.function_type(ty.return_type(), &parameters),
        old.linkage(),
    );
    new.set_calling_convention(old.calling_convention());
    new.copy_attributes_of(old);
    ir.move_subprogram(old, new);
    let anchor = ir.append_block(new);
    let mut last = anchor;
    for block in old.blocks() {
        block.move_after(last);
        last = block;
    }
    anchor.delete();
    for (from, to) in old.arguments().into_iter().zip(new.arguments()) {
        from.replace_all_uses_with(to);
    }
    old.replace_all_uses_with(new);
    old.delete_function();
    let area = new.arguments().pop()?;
    for call in new.instructions() {
        if call.is_call()
            && call
                .intrinsic()
                .is_some_and(|n| n.starts_with("llvm.va_start"))
        {
            ir.before(call);
            let list = call.operand(0);
            ir.store(ir.number32(GP_OFFSET_USED_UP), list);
            ir.store(ir.number32(FP_OFFSET_USED_UP), ir.offset(list, FP_OFFSET));
            ir.store(area, ir.offset(list, OVERFLOW_ARG_AREA));
            ir.store(ir.pointer().zero(), ir.offset(list, REG_SAVE_AREA));
            call.erase();
        }
    }
    Some(new)
}

/// One variable argument and where it goes in the area.
struct Slot {
    value: Value,
    offset: u64,
    /// For a struct passed by value (`value` is its address): its size.
    by_value: Option<u64>,
}

fn call_neutral(ir: &Ir<'_>, function: Value, call: Value, variadic: &[Value]) -> Option<Refusal> {
    let ty = call.called_type();
    let mut fixed = ty.parameter_count();
    let mut arguments = call.call_arguments();
    let takes_area = match call.callee() {
        Some(callee) if variadic.contains(&callee) => {
            fixed = callee.value_type().parameter_count() - 1;
            true
        }
        Some(_) => false,
        None if fixed == 0 && !arguments.is_empty() => {
            let what = "arguments are passed through a pointer to a function whose parameters were not declared; declare their types";
            return Some(Refusal::at(function, call, what));
        }
        None => fixed > 0,
    };
    if takes_area {
        if arguments.len() < fixed as usize {
            let what = "a variadic function is called with fewer arguments than it declares";
            return Some(Refusal::at(function, call, what));
        }
        let area = Area::of(ir, call, &arguments[fixed as usize..], fixed);
        arguments.truncate(fixed as usize);
        arguments.push(area.build(ir, function, call));
    }
    ir.before(call);
    let types: Vec<Type> = arguments.iter().map(|a| a.type_of()).collect();
    let new = ir.call(
        ir.function_type(ty.return_type(), &types),
        call.called_value(),
        &arguments,
    );
    new.copy_call_attributes_of(call, fixed, &[]);
    call.replace_all_uses_with(new);
    call.erase();
    None
}

/// Where the variable arguments of one call lie.
struct Area {
    slots: Vec<Slot>,
    size: u64,
    align: u64,
}

impl Area {
    /// Lays out the values behind the `fixed` first arguments.
    fn of(ir: &Ir<'_>, call: Value, values: &[Value], fixed: u32) -> Self {
        let mut area = Self {
            slots: Vec::new(),
            size: 0,
            align: 16,
        };
        for (k, value) in (fixed + 1..).zip(values) {
            let by_value = call.call_attribute_type(k, "byval");
            let ty = by_value.unwrap_or_else(|| value.type_of());
            // LLVM's type of a structure does not know of alignments that the source asks for.
            let asked = by_value.and_then(|_| call.call_attribute_number(k, "align"));
            let align = asked.unwrap_or(1).max(ir.align_of(ty)).max(8);
            let offset = area.size.next_multiple_of(align);
            let size = ir.size_of(ty);
            area.slots.push(Slot {
                value: *value,
                offset,
                by_value: by_value.map(|_| size),
            });
            area.size = offset + size.next_multiple_of(8);
            area.align = area.align.max(align);
        }
        area
    }

    /// Stores them in front of the call; their address.
    fn build(self, ir: &Ir<'_>, function: Value, call: Value) -> Value {
        if self.size == 0 {
            return ir.define_zeros(NO_ARGUMENTS, NO_ARGUMENTS_SIZE);
        }
        ir.at_entry(function);
        let area = ir.alloca(ir.bytes(self.size), "va.area");
        area.set_alignment(self.align);
        ir.before(call);
        for slot in self.slots {
            let at = ir.offset(area, slot.offset as i64);
            match slot.by_value {
                Some(bytes) => ir.copy((at, 8), (slot.value, 8), bytes),
                None => ir.store(slot.value, at).set_alignment(8),
            }
        }
        area
    }
}
