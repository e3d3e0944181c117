//! How many registers the arguments of functions take (System V x86_64 psABI 3.2.3, AAPCS64 6.8.2), for calls whose types both back ends pass alike.

use std::collections::BTreeMap;

use inkwell::llvm_sys::LLVMTypeKind;

use super::ir::{Ir, Type};
use crate::signature::Signature;

/// Attributes of a parameter that is not passed as its type says.
const PASSED_OTHERWISE: [&str; 5] = ["byval", "sret", "inreg", "nest", "swiftself"];

/// The signatures of all functions, by name, as far as they are known.
pub fn of_functions(ir: &Ir<'_>) -> BTreeMap<String, Signature> {
    let functions = ir.functions().into_iter().filter(|function| {
        let parameters = 1..=function.arguments().len() as u32;
        !parameters.into_iter().any(|k| {
            PASSED_OTHERWISE
                .iter()
                .any(|a| function.has_attribute(k, a))
        })
    });
    functions
        .filter_map(|function| Some((function.name(), of(ir, function.value_type())?)))
        .collect()
}

/// The signature of functions of a type; `None` where it does not say what all arguments are.
pub fn of(ir: &Ir<'_>, ty: Type) -> Option<Signature> {
    let mut signature = Signature::default();
    if ty.is_variadic() {
        return None;
    }
    for parameter in ty.parameters() {
        add(ir, parameter, &mut signature)?;
    }
    Some(signature)
}

fn add(ir: &Ir<'_>, ty: Type, signature: &mut Signature) -> Option<()> {
    match ty.kind() {
        LLVMTypeKind::LLVMPointerTypeKind => signature.integers += 1,
        LLVMTypeKind::LLVMIntegerTypeKind => match ir.size_of(ty) {
            0..=8 => signature.integers += 1,
            // AAPCS64 may leave one out, so that the number of the first is even.
            9..=16 => signature.integers += 2 + signature.integers % 2,
            _ => return None,
        },
        LLVMTypeKind::LLVMFloatTypeKind | LLVMTypeKind::LLVMDoubleTypeKind => {
            signature.vectors += 1;
        }
        // Wide ones are passed in parts.
        LLVMTypeKind::LLVMVectorTypeKind if matches!(ir.size_of(ty), 8 | 16 | 32 | 64) => {
            signature.vectors += ir.size_of(ty).div_ceil(16) as usize;
        }
        LLVMTypeKind::LLVMStructTypeKind => {
            for member in ty.members() {
                add(ir, member, signature)?;
            }
        }
        _ => return None,
    }
    Some(())
}
