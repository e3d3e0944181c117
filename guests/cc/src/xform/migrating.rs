//! Which functions may migrate: those from which a root (`migrate`) can be reached by calls.
//!
//! An indirect call may migrate when some function of the same type, whose address is taken, may. Being wrong there is safe: the
//! return address of such a call is not in the call-site table, and the run-time walk refuses to migrate over it.

use super::ir::{Ir, Lookup, Type, Value};

/// The set of functions that may migrate the thread that calls them.
#[derive(Debug)]
pub struct MaybeMigrating {
    functions: Lookup<Value, ()>,
    indirect_types: Lookup<Type, ()>,
}

impl MaybeMigrating {
    /// The set for a whole program, given the names of the native functions that migrate.
    pub fn of(ir: &Ir<'_>, roots: &[String]) -> Self {
        let all = ir.functions();
        let is_root = |f: &&Value| roots.contains(&f.name());
        let mut set = Self {
            functions: all.iter().filter(is_root).map(|f| (*f, ())).collect(),
            indirect_types: Lookup::new(),
        };
        let taken: Vec<Value> = all.iter().copied().filter(|f| address_taken(*f)).collect();
        let calls: Vec<(Value, Vec<Value>)> = ir
            .defined_functions()
            .into_iter()
            .map(|f| {
                (
                    f,
                    f.instructions()
                        .into_iter()
                        .filter(|i| i.is_call())
                        .collect(),
                )
            })
            .collect();
        loop {
            let mut grown = false;
            for function in taken
                .iter()
                .filter(|f| set.contains(**f))
                .copied()
                .collect::<Vec<_>>()
            {
                grown |= set.indirect_types.insert(function.value_type(), ());
            }
            for (function, calls) in &calls {
                if !set.contains(*function) && calls.iter().any(|c| set.may_migrate(*c)) {
                    grown |= set.functions.insert(*function, ());
                }
            }
            if !grown {
                return set;
            }
        }
    }

    /// Whether a function is in the set.
    pub fn contains(&self, function: Value) -> bool {
        self.functions.contains(function)
    }

    /// Whether a call may migrate.
    pub fn may_migrate(&self, call: Value) -> bool {
        match call.callee() {
            Some(callee) => self.contains(callee),
            None if call.called_value().is_inline_asm() => false,
            None => self.indirect_types.contains(call.called_type()),
        }
    }

    /// The members with a body, in module order.
    pub fn defined(&self, ir: &Ir<'_>) -> Vec<Value> {
        let mut functions = ir.defined_functions();
        functions.retain(|f| self.contains(*f));
        functions
    }
}

/// Whether a function is used in any way but being called by name.
fn address_taken(function: Value) -> bool {
    function.users().into_iter().any(|user| {
        !(user.is_call()
            && user.called_value() == function
            && !user.call_arguments().contains(&function))
    })
}
