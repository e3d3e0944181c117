//! What cannot be compiled for both ISAs, or cannot migrate, is refused here with function and source line.

use std::collections::BTreeSet;
use std::fmt;

use inkwell::llvm_sys::{LLVMOpcode, LLVMTypeKind};

use super::ir::{FUNCTION_INDEX, Ir, Type, Value};
use crate::contract::TLS_ALIGN;

/// One thing that the program may not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The function it is in; empty at file level.
    pub function: String,
    /// File and line, where known.
    pub source: Option<(String, u32)>,
    /// What it is, and what would be right.
    pub what: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((file, line)) = &self.source {
            write!(f, "{file}:{line}: ")?;
        }
        if !self.function.is_empty() {
            write!(f, "in function {}: ", self.function)?;
        }
        f.write_str(&self.what)
    }
}

impl Refusal {
    /// A refusal of an instruction.
    pub(super) fn at(function: Value, instruction: Value, what: impl Into<String>) -> Self {
        let source = instruction.source_line().or_else(|| function.source_line());
        Self {
            function: function.name(),
            source,
            what: what.into(),
        }
    }
    /// A refusal of a function as a whole, or of a variable. One whose own line is not known is refused where it is used first.
    fn of(global: Value, what: impl Into<String>) -> Self {
        let what = what.into();
        if let (None, Some(user)) = (global.source_line(), global.first_user()) {
            return Self::at(user.function(), user, what);
        }
        let function = if global.is_function() {
            global.name()
        } else {
            String::new()
        };
        Self {
            function,
            source: global.source_line(),
            what,
        }
    }
}

/// Constraint letters of inline assembly that mean the same on both ISAs, given that the template is empty.
const NEUTRAL_CONSTRAINTS: [&str; 7] = ["r", "m", "i", "n", "X", "g", "imr"];

/// Checks what neither ISA-neutral code nor migration allows, in every function. `roots` are the native functions whose calls are recorded.
pub fn check_module(ir: &Ir<'_>, roots: &[String]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if let Some(first) = ir.module_asm().lines().find(|l| !l.trim().is_empty()) {
        let what = format!(
            "assembly at file level, \"{}\", is for one instruction set; write C",
            first.trim()
        );
        refusals.push(Refusal {
            function: String::new(),
            source: None,
            what,
        });
    }
    for global in ir.globals() {
        let what = match global.name().as_str() {
            "llvm.global_ctors" | "llvm.global_dtors" => {
                "constructors and destructors are not run without the C library; call the function from main".into()
            }
            name if is_long_double(global.value_type()) => {
                format!("variable {name} is an 80-bit or 128-bit float; use double")
            }
            name if global.is_thread_local() && global.alignment() > TLS_ALIGN => {
                format!(
                    "thread-local variable {name} asks for an alignment of {}; at most {TLS_ALIGN} is possible: align a pointer into a larger variable, or allocate it",
                    global.alignment()
                )
            }
            _ => continue,
        };
        refusals.push(Refusal::of(global, what));
    }
    for alias in ir.aliases() {
        let what = format!(
            "{} is an alias or an ifunc that does not come down to one function; define a function of that name that calls the other",
            alias.name()
        );
        refusals.push(Refusal::of(alias, what));
    }
    for function in ir.defined_functions() {
        let signature = function.value_type();
        if is_long_double(signature.return_type())
            || signature.parameters().into_iter().any(is_long_double)
        {
            refusals.push(Refusal::of(
                function,
                "80-bit and 128-bit floats are not the same on both ISAs; use double",
            ));
            continue;
        }
        for instruction in function.instructions() {
            if let Some(what) = refusal_of(instruction, roots) {
                refusals.push(Refusal::at(function, instruction, what));
            }
        }
    }
    once_each(refusals)
}

/// Checks that somebody defines what the module uses: itself, or native code, whose names are `elsewhere`. Weak symbols are settled.
pub fn check_complete(ir: &Ir<'_>, elsewhere: &BTreeSet<String>) -> Vec<Refusal> {
    let mut all = ir.functions();
    all.extend(ir.globals());
    let mut refusals = Vec::new();
    for symbol in all {
        let name = symbol.name();
        if symbol.is_definition()
            || name.starts_with("llvm.")
            || name.starts_with("__kettle_")
            || elsewhere.contains(&name)
        {
            continue;
        }
        let kind = if symbol.is_function() {
            "function"
        } else {
            "variable"
        };
        let what = format!(
            "{kind} {name} is used and defined nowhere; define it, or name the library that has it with -l"
        );
        let user = symbol.first_user();
        refusals.push(match user {
            Some(user) => Refusal::at(user.function(), user, what),
            None => Refusal {
                function: String::new(),
                source: None,
                what,
            },
        });
    }
    refusals
}

/// One line of C often becomes several instructions.
fn once_each(refusals: Vec<Refusal>) -> Vec<Refusal> {
    let mut once: Vec<Refusal> = Vec::new();
    for refusal in refusals {
        if !once.contains(&refusal) {
            once.push(refusal);
        }
    }
    once
}

/// Checks what only a function that may migrate must not do.
pub fn check_migrating(functions: &[Value]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for function in functions {
        for call in function.instructions().into_iter().filter(|i| i.is_call()) {
            let what = match call.intrinsic().as_deref() {
                Some(n)
                    if n.starts_with("llvm.frameaddress")
                        || n.starts_with("llvm.returnaddress") =>
                {
                    "a frame or return address means nothing after a migration; take it in a function that calls nothing that may migrate"
                }
                None if !call.called_value().is_inline_asm()
                    && wide_aggregate(call.called_type().return_type()) =>
                {
                    "the call returns an aggregate of more than two registers; return it through a pointer"
                }
                _ => continue,
            };
            refusals.push(Refusal::at(*function, call, what));
        }
    }
    refusals
}

fn refusal_of(i: Value, roots: &[String]) -> Option<String> {
    if is_long_double(i.type_of())
        || i.operands()
            .into_iter()
            .any(|o| is_long_double(o.type_of()))
    {
        return Some("80-bit and 128-bit floats are not the same on both ISAs; use double".into());
    }
    match i.opcode()? {
        LLVMOpcode::LLVMInvoke | LLVMOpcode::LLVMLandingPad | LLVMOpcode::LLVMResume => {
            Some("exceptions cannot be thrown across machine frames that migrate; return an error instead".into())
        }
        LLVMOpcode::LLVMCallBr => Some("asm goto is for one instruction set; write C".into()),
        LLVMOpcode::LLVMVAArg => Some(
            "the va_arg instruction is lowered differently by each ISA; compile C with clang"
                .into(),
        ),
        LLVMOpcode::LLVMCall => refusal_of_call(i, roots),
        _ => None,
    }
}

fn refusal_of_call(call: Value, roots: &[String]) -> Option<String> {
    if call.is_must_tail() {
        return Some("musttail leaves no frame to migrate; drop the attribute".into());
    }
    let called = call.called_value();
    if called.is_inline_asm() {
        let (template, constraints) = called.asm_text();
        if !template.trim().is_empty() {
            return Some(format!(
                "inline assembly \"{}\" is for one instruction set; write C",
                template.trim()
            ));
        }
        return unknown_constraint(&constraints)
            .map(|c| format!("the constraint \"{c}\" of empty inline assembly is for one instruction set; use \"r\" or \"m\""));
    }
    let name = call.callee().map(Value::name)?;
    let returns_twice = call.has_call_attribute(FUNCTION_INDEX, "returns_twice")
        || call
            .callee()
            .is_some_and(|f| f.has_attribute(FUNCTION_INDEX, "returns_twice"));
    // What returns twice through a recorded call does so into frames without content.
    if (returns_twice && !roots.contains(&name)) || name.starts_with("llvm.eh.sjlj") {
        return Some(format!(
            "{name} keeps registers of one instruction set in memory; setjmp and longjmp cannot migrate"
        ));
    }
    let of_a_caller =
        name.starts_with("llvm.frameaddress") || name.starts_with("llvm.returnaddress");
    if of_a_caller && call.operand(0).as_constant_integer() != Some(0) {
        return Some("frame and return addresses of callers cannot be found, because frames differ between the ISAs; pass what is needed as an argument".into());
    }
    if name.starts_with("llvm.x86.") {
        return Some(format!(
            "{name} is an instruction of x86 only; write generic C or generic vectors (vector_size)"
        ));
    }
    None
}

/// The first constraint that is not neutral, without its modifiers.
fn unknown_constraint(constraints: &str) -> Option<&str> {
    constraints
        .split(',')
        .map(|one| one.trim_start_matches(['=', '+', '&', '*', '%']))
        .find(|bare| {
            let tied = !bare.is_empty() && bare.bytes().all(|b| b.is_ascii_digit());
            let clobber = bare.starts_with("~{");
            !(bare.is_empty() || tied || clobber || NEUTRAL_CONSTRAINTS.contains(bare))
        })
}

fn is_long_double(ty: Type) -> bool {
    match ty.kind() {
        LLVMTypeKind::LLVMX86_FP80TypeKind
        | LLVMTypeKind::LLVMFP128TypeKind
        | LLVMTypeKind::LLVMPPC_FP128TypeKind => true,
        LLVMTypeKind::LLVMArrayTypeKind | LLVMTypeKind::LLVMVectorTypeKind => {
            is_long_double(ty.element())
        }
        LLVMTypeKind::LLVMStructTypeKind => ty.members().into_iter().any(is_long_double),
        _ => false,
    }
}

/// LLVM 19's x86 back end cannot record a call that returns more than two registers when another block uses the result.
fn wide_aggregate(ty: Type) -> bool {
    match ty.kind() {
        LLVMTypeKind::LLVMStructTypeKind => ty.members().len() > 2,
        LLVMTypeKind::LLVMArrayTypeKind => true,
        _ => false,
    }
}
