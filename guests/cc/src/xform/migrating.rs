//! Which functions may migrate: those from which a root (`migrate`) can be reached by calls.
//!
//! An indirect call may migrate when some function that it could call, whose address is taken, may. That it could is told by what travels, not by
//! types, because C programs cast pointers to functions: the registers that the arguments of the call take must hold those of the function,
//! or the other way round where some are left out; what comes back does not matter. Where that is not known, the types must be equal.
//! Calls in the C library are judged more strictly: they take as many registers as the program's function does, or it takes none, and the library
//! calls its own functions by their types. Otherwise the first function that a thread begins with would make all of stdio migrate, which calls the
//! functions of its streams by pointers.
//!
//! Being wrong is safe either way. A call that is recorded for nothing costs time; the return address of one that is not recorded is not in the
//! call-site table, and the run-time walk refuses to migrate over it. So a function that could not be compiled if it migrated is in the set only if
//! calls and equal types lead to it.

use super::ir::{Ir, Lookup, Type, Value};
use super::refuse;
use super::signatures;
use crate::signature::Signature;

/// The set of functions that may migrate the thread that calls them.
#[derive(Debug)]
pub struct MaybeMigrating {
    functions: Lookup<Value, ()>,
    /// The types of the members whose address is taken.
    indirect_types: Lookup<Type, ()>,
    /// What their arguments take up; empty while types must be equal.
    indirect_signatures: Vec<Taken>,
    /// What arguments of each type of indirect calls take up, where that is known.
    of_calls: Lookup<Type, Signature>,
}

/// What the arguments of a member take up whose address is taken, and whether it is the library's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Taken {
    signature: Signature,
    of_library: bool,
}

/// The attribute of functions that are compiled without a library to stand on: those of the library itself.
const OF_LIBRARY: &str = "no-builtins";

impl MaybeMigrating {
    /// The set for a whole program, given the names of the native functions that migrate.
    pub fn of(ir: &Ir<'_>, roots: &[String]) -> Self {
        let all = ir.functions();
        let is_root = |f: &&Value| roots.contains(&f.name());
        let taken: Vec<Value> = all.iter().copied().filter(|f| address_taken(*f)).collect();
        let calls: Vec<(Value, Vec<Value>)> = ir
            .defined_functions()
            .into_iter()
            .map(|f| (f, calls_in(f)))
            .collect();
        let mut set = Self {
            functions: all.iter().filter(is_root).map(|f| (*f, ())).collect(),
            indirect_types: Lookup::new(),
            indirect_signatures: Vec::new(),
            of_calls: Lookup::new(),
        };
        set.grow(&taken, &calls);
        for call in calls.iter().flat_map(|(_, calls)| calls) {
            let ty = call.called_type();
            if call.callee().is_none()
                && let Some(signature) = signatures::of(ir, ty)
            {
                set.of_calls.insert(ty, signature);
            }
        }
        let possible: Vec<_> = calls
            .into_iter()
            .filter(|(f, _)| set.contains(*f) || refuse::check_migrating(&[*f]).is_empty())
            .collect();
        loop {
            let known = set.indirect_signatures.len();
            for function in taken.iter().filter(|f| set.functions.contains(**f)) {
                let taken = signatures::of(ir, function.value_type()).map(|signature| Taken {
                    signature,
                    of_library: is_of_library(*function),
                });
                if let Some(taken) = taken
                    && !set.indirect_signatures.contains(&taken)
                {
                    set.indirect_signatures.push(taken);
                }
            }
            if set.indirect_signatures.len() == known {
                return set;
            }
            set.grow(&taken, &possible);
        }
    }

    /// Adds all functions of `calls` from which members can be reached.
    fn grow(&mut self, taken: &[Value], calls: &[(Value, Vec<Value>)]) {
        loop {
            let mut grown = false;
            for function in taken {
                if self.contains(*function) {
                    grown |= self.indirect_types.insert(function.value_type(), ());
                }
            }
            for (function, calls) in calls {
                if !self.contains(*function) && calls.iter().any(|c| self.may_migrate(*c)) {
                    grown |= self.functions.insert(*function, ());
                }
            }
            if !grown {
                return;
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
            None => self.some_may_be_called(call),
        }
    }

    /// Whether a member could be called by an indirect call.
    fn some_may_be_called(&self, call: Value) -> bool {
        let ty = call.called_type();
        if self.indirect_types.contains(ty) {
            return true;
        }
        let in_library = is_of_library(call.function());
        let some_matches = |passed: &Signature| {
            let mut members = self.indirect_signatures.iter();
            members.any(|taken| taken.may_be_called_with(*passed, in_library))
        };
        self.of_calls.get(ty).is_some_and(some_matches)
    }

    /// The members with a body, in module order.
    pub fn defined(&self, ir: &Ir<'_>) -> Vec<Value> {
        let mut functions = ir.defined_functions();
        functions.retain(|f| self.contains(*f));
        functions
    }
}

impl Taken {
    /// Whether a call that passes so much could be of this function.
    fn may_be_called_with(self, passed: Signature, in_library: bool) -> bool {
        let takes = self.signature;
        if in_library {
            !self.of_library && (takes == passed || takes == Signature::default())
        } else {
            takes.within(passed) || passed.within(takes)
        }
    }
}

fn is_of_library(function: Value) -> bool {
    function.text_attribute(OF_LIBRARY).is_some()
}

fn calls_in(function: Value) -> Vec<Value> {
    let mut instructions = function.instructions();
    instructions.retain(|i| i.is_call());
    instructions
}

/// Whether a function is used in any way but being called by name.
fn address_taken(function: Value) -> bool {
    function.users().into_iter().any(|user| {
        !(user.is_call()
            && user.called_value() == function
            && !user.call_arguments().contains(&function))
    })
}
