//! Which library functions the back ends will call though the module does not: those behind intrinsics, remainders and 128-bit integers.
//!
//! A library that is linked by need must know of them before. On one ISA or the other an instruction may do instead; the function is then not
//! called there, which does no harm.

use std::collections::BTreeSet;

use inkwell::llvm_sys::{LLVMOpcode, LLVMTypeKind};

use super::ir::{Ir, Type, Value};

/// Integers of more bytes have no instructions to divide and convert them.
const WIDEST_REGISTER: u64 = 8;

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
        "smul" if types == "with.overflow.i128" => return Some("__muloti4".into()),
        _ => *MATH.iter().find(|m| **m == base)?,
    };
    let suffix = if types.contains("f32") { "f" } else { "" };
    Some(format!("{function}{suffix}"))
}

fn behind_instruction(ir: &Ir<'_>, instruction: Value) -> Option<&'static str> {
    let ty = instruction.type_of();
    let wide = |ty: Type| {
        ty.kind() == LLVMTypeKind::LLVMIntegerTypeKind && ir.size_of(ty) > WIDEST_REGISTER
    };
    let single = |ty: Type| ty.kind() == LLVMTypeKind::LLVMFloatTypeKind;
    let by_precision =
        |ty, of_single, of_double| Some(if single(ty) { of_single } else { of_double });
    let opcode = instruction.opcode()?;
    let of = || instruction.operand(0).type_of();
    match opcode {
        LLVMOpcode::LLVMFRem => by_precision(ty, "fmodf", "fmod"),
        LLVMOpcode::LLVMUDiv if wide(ty) => Some("__udivti3"),
        LLVMOpcode::LLVMURem if wide(ty) => Some("__umodti3"),
        LLVMOpcode::LLVMSDiv if wide(ty) => Some("__divti3"),
        LLVMOpcode::LLVMSRem if wide(ty) => Some("__modti3"),
        LLVMOpcode::LLVMUIToFP if wide(of()) => by_precision(ty, "__floatuntisf", "__floatuntidf"),
        LLVMOpcode::LLVMSIToFP if wide(of()) => by_precision(ty, "__floattisf", "__floattidf"),
        LLVMOpcode::LLVMFPToUI if wide(ty) => by_precision(of(), "__fixunssfti", "__fixunsdfti"),
        LLVMOpcode::LLVMFPToSI if wide(ty) => by_precision(of(), "__fixsfti", "__fixdfti"),
        _ => None,
    }
}
