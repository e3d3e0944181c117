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

/// The names that the module declares, and those that it defines.
pub fn names(ir: &Ir<'_>) -> (Vec<String>, Vec<String>) {
    let (defined, declared): (Vec<Value>, Vec<Value>) =
        symbols(ir).into_iter().partition(|s| s.is_definition());
    let named = |all: Vec<Value>| all.into_iter().map(Value::name).collect();
    (named(declared), named(defined))
}

fn symbols(ir: &Ir<'_>) -> Vec<Value> {
    let mut all = ir.globals();
    all.extend(ir.functions());
    all.retain(|s| !s.name().starts_with("llvm."));
    all
}
