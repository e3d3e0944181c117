//! Names and sections: every function and variable becomes a symbol with a section of its own, so that the linker script can place it.

use std::collections::BTreeSet;

use inkwell::llvm_sys::LLVMLinkage;

use super::ir::{Ir, Value};

/// Appended to a local symbol whose name a native object uses.
const LOCAL_SUFFIX: &str = ".local";

/// Makes every local symbol an external, hidden one, under its own name wherever that is free.
///
/// Hidden also means to the back ends that the symbol is in this very image: no global offset table. A significant address keeps
/// equal strings and constants apart, which the back ends would otherwise merge each in its own way.
pub fn settle(ir: &Ir<'_>, native_symbols: &BTreeSet<String>) {
    for symbol in symbols(ir) {
        let local = matches!(
            symbol.linkage(),
            LLVMLinkage::LLVMPrivateLinkage | LLVMLinkage::LLVMInternalLinkage
        );
        if local && symbol.is_definition() {
            let name = symbol.name();
            if native_symbols.contains(&name) {
                symbol.set_name(&format!("{name}{LOCAL_SUFFIX}"));
            }
            symbol.set_linkage(LLVMLinkage::LLVMExternalLinkage);
            symbol.set_hidden();
        }
        symbol.set_address_significant();
    }
}

/// Settles weak references that nothing in the module defines: to native symbols they become ordinary ones; the others are null, and what
/// depends on that is folded, as the linker is too late to do it.
pub fn settle_weak(ir: &Ir<'_>, native_symbols: &BTreeSet<String>) -> Result<(), String> {
    let mut absent = false;
    for symbol in symbols(ir) {
        if symbol.linkage() != LLVMLinkage::LLVMExternalWeakLinkage {
            continue;
        }
        if native_symbols.contains(&symbol.name()) {
            symbol.set_linkage(LLVMLinkage::LLVMExternalLinkage);
        } else {
            symbol.replace_all_uses_with(symbol.type_of().zero());
            absent = true;
        }
    }
    if absent {
        ir.fold_constants()?;
    }
    Ok(())
}

/// The names that the module declares, and those that it defines.
pub fn names(ir: &Ir<'_>) -> (Vec<String>, Vec<String>) {
    let (defined, declared): (Vec<Value>, Vec<Value>) =
        symbols(ir).into_iter().partition(|s| s.is_definition());
    let named = |all: Vec<Value>| all.into_iter().map(Value::name).collect();
    (named(declared), named(defined))
}

/// What other modules can see of a module, and what it needs of them.
#[derive(Clone, Debug, Default)]
pub struct External {
    /// Symbols that it defines for others.
    pub defined: Vec<String>,
    /// Symbols that it cannot do without.
    pub undefined: Vec<String>,
}

/// The external symbols of a module as the front end made it.
pub fn external(ir: &Ir<'_>) -> External {
    let mut external = External::default();
    for symbol in symbols(ir).into_iter().chain(ir.aliases()) {
        let inline_copy = symbol.linkage() == LLVMLinkage::LLVMAvailableExternallyLinkage;
        match symbol.linkage() {
            LLVMLinkage::LLVMPrivateLinkage
            | LLVMLinkage::LLVMInternalLinkage
            | LLVMLinkage::LLVMExternalWeakLinkage => {}
            _ if symbol.is_definition() && !inline_copy => external.defined.push(symbol.name()),
            _ => external.undefined.push(symbol.name()),
        }
    }
    external
}

fn symbols(ir: &Ir<'_>) -> Vec<Value> {
    let mut all = ir.globals();
    all.extend(ir.functions());
    all.retain(|s| !s.name().starts_with("llvm."));
    all
}
