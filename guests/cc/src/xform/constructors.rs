//! Constructors and destructors: functions that run before `main` and at the end, in the order of their priorities.
//!
//! The lists of LLVM's module become two tables of functions, ended by a null pointer, which the runtime's start code runs through
//! (`guests/runtime/process.c`). So nothing depends on either ISA's sections for them, and the functions may migrate.

use super::ir::{Ir, Value};
use crate::contract::{CONSTRUCTORS, DESTRUCTORS};

/// Makes the tables. A module whose runtime wants none keeps its lists.
pub fn lower(ir: &Ir<'_>) {
    let constructors = list(ir, "llvm.global_ctors");
    let mut destructors = list(ir, "llvm.global_dtors");
    // The last constructor's counterpart comes first.
    destructors.reverse();
    for (table, functions, lowered) in [
        (CONSTRUCTORS, constructors, "llvm.global_ctors"),
        (DESTRUCTORS, destructors, "llvm.global_dtors"),
    ] {
        let Some(declared) = global(ir, table).filter(|g| !g.is_definition()) else {
            continue;
        };
        let defined = ir.define_table(&functions);
        declared.replace_all_uses_with(defined);
        declared.delete_global();
        defined.set_name(table);
        if let Some(list) = global(ir, lowered) {
            list.delete_global();
        }
    }
}

fn global(ir: &Ir<'_>, name: &str) -> Option<Value> {
    ir.globals().into_iter().find(|g| g.name() == name)
}

/// The functions of a list, lowest priority number first; of equal ones those that came first.
fn list(ir: &Ir<'_>, name: &str) -> Vec<Value> {
    let entries = global(ir, name).and_then(Value::initializer);
    let mut functions: Vec<(u64, Value)> = entries
        .into_iter()
        .flat_map(Value::operands)
        .map(|entry| {
            let priority = entry.operand(0).as_constant_integer().unwrap_or_default();
            (priority, entry.operand(1))
        })
        .filter(|(_, function)| function.is_function())
        .collect();
    functions.sort_by_key(|(priority, _)| *priority);
    functions
        .into_iter()
        .map(|(_, function)| function)
        .collect()
}
