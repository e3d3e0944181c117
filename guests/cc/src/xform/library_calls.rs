//! Which library functions the back ends will call though the module does not: those behind intrinsics, remainders and 128-bit division.
//!
//! A library that is linked by need must know of them before. On one ISA or the other an instruction may do instead; the function is then not
//! called there, which does no harm.

use std::collections::BTreeSet;

use inkwell::llvm_sys::{LLVMOpcode, LLVMTypeKind};

use super::ir::{Ir, Value};

/// Intrinsics `llvm.NAME.f64` and `llvm.NAME.f32` that are the C functions NAME and NAMEf.
const MATH: [&str; 24] = [
    "ceil",
    "cos",
    "exp",
    "exp10",
    "exp2",
    "floor",
    "fma",
    "ldexp",
    "llrint",
    "llround",
    "log",
    "log10",
    "log2",
    "lrint",
    "lround",
    "nearbyint",
    "pow",
    "rint",
    "round",
    "roundeven",
    "sin",
    "sqrt",
    "tan",
    "trunc",
];

/// The functions behind the module's intrinsics and instructions.
pub fn of(ir: &Ir<'_>) -> BTreeSet<String> {
    let functions = ir.functions();
    let mut calls: BTreeSet<String> = functions
        .into_iter()
        .filter_map(|f| behind_intrinsic(&f.name()))
        .collect();
    for function in ir.defined_functions() {
        let behind = function
            .instructions()
            .into_iter()
            .filter_map(|i| behind_instruction(ir, i));
        calls.extend(behind.map(str::to_owned));
    }
    calls
}

fn behind_intrinsic(name: &str) -> Option<String> {
    let (base, types) = name.strip_prefix("llvm.")?.split_once('.')?;
    let function = match base {
        "minnum" => "fmin",
        "maxnum" => "fmax",
        "powi" => return None,
        _ => *MATH.iter().find(|m| **m == base)?,
    };
    let suffix = if types.contains("f32") { "f" } else { "" };
    Some(format!("{function}{suffix}"))
}

fn behind_instruction(ir: &Ir<'_>, instruction: Value) -> Option<&'static str> {
    let ty = instruction.type_of();
    let wide = || ty.kind() == LLVMTypeKind::LLVMIntegerTypeKind && ir.size_of(ty) > 8;
    match instruction.opcode()? {
        LLVMOpcode::LLVMFRem if ty.kind() == LLVMTypeKind::LLVMFloatTypeKind => Some("fmodf"),
        LLVMOpcode::LLVMFRem => Some("fmod"),
        LLVMOpcode::LLVMUDiv if wide() => Some("__udivti3"),
        LLVMOpcode::LLVMURem if wide() => Some("__umodti3"),
        LLVMOpcode::LLVMSDiv if wide() => Some("__divti3"),
        LLVMOpcode::LLVMSRem if wide() => Some("__modti3"),
        _ => None,
    }
}
