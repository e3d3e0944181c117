//! Attributes of functions, their parameters and calls.

use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::prelude::LLVMAttributeRef;

use super::value::owned_text;
use super::{Type, Value};

/// The attribute index of the function itself.
pub const FUNCTION_INDEX: u32 = u32::MAX;
/// The attribute index of the return value; parameter `k` (from 0) has index `k + 1`.
pub const RETURN_INDEX: u32 = 0;

/// LLVM's number of an attribute kind by name; 0 for a name that this LLVM does not know.
pub fn kind(name: &str) -> u32 {
    llvm!(LLVMGetEnumAttributeKindForName(
        name.as_ptr().cast(),
        name.len()
    ))
}

fn is_one_of(attribute: LLVMAttributeRef, kinds: &[u32]) -> bool {
    llvm!(LLVMIsStringAttribute(attribute)) == 0
        && kinds.contains(&llvm!(LLVMGetEnumAttributeKind(attribute)))
}

/// Indices of function, return value and `parameters` parameters.
fn indices(parameters: u32) -> impl Iterator<Item = u32> {
    [FUNCTION_INDEX, RETURN_INDEX]
        .into_iter()
        .chain(1..=parameters)
}

impl Value {
    /// Removes an attribute of a function.
    pub fn remove_attribute(self, index: u32, name: &str) {
        match kind(name) {
            0 => llvm!(LLVMRemoveStringAttributeAtIndex(
                self.0,
                index,
                name.as_ptr().cast(),
                name.len() as u32
            )),
            known => llvm!(LLVMRemoveEnumAttributeAtIndex(self.0, index, known)),
        }
    }
    /// The value of a function's string attribute.
    pub fn text_attribute(self, name: &str) -> Option<String> {
        let attribute = llvm!(LLVMGetStringAttributeAtIndex(
            self.0,
            FUNCTION_INDEX,
            name.as_ptr().cast(),
            name.len() as u32
        ));
        if attribute.is_null() {
            return None;
        }
        let mut len = 0;
        let value = llvm!(LLVMGetStringAttributeValue(attribute, &mut len));
        Some(owned_text(value, len as usize))
    }
    /// Whether a function has an attribute.
    pub fn has_attribute(self, index: u32, name: &str) -> bool {
        !llvm!(LLVMGetEnumAttributeAtIndex(self.0, index, kind(name))).is_null()
    }
    /// The type in a type attribute (`byval`, `sret`) of a function's parameter.
    pub fn attribute_type(self, index: u32, name: &str) -> Option<Type> {
        let attribute = llvm!(LLVMGetEnumAttributeAtIndex(self.0, index, kind(name)));
        (!attribute.is_null()).then(|| Type(llvm!(LLVMGetTypeAttributeValue(attribute))))
    }
    /// The number in an integer attribute (`align`) of a function's parameter.
    pub fn attribute_number(self, index: u32, name: &str) -> Option<u64> {
        let attribute = llvm!(LLVMGetEnumAttributeAtIndex(self.0, index, kind(name)));
        (!attribute.is_null()).then(|| llvm!(LLVMGetEnumAttributeValue(attribute)))
    }
    /// Gives this function every attribute of `old`, which has no more parameters than this one.
    pub fn copy_attributes_of(self, old: Value) {
        for index in indices(llvm!(LLVMCountParams(old.0))) {
            let count = llvm!(LLVMGetAttributeCountAtIndex(old.0, index));
            let mut attributes = vec![std::ptr::null_mut(); count as usize];
            llvm!(LLVMGetAttributesAtIndex(
                old.0,
                index,
                attributes.as_mut_ptr()
            ));
            for attribute in attributes {
                llvm!(LLVMAddAttributeAtIndex(self.0, index, attribute));
            }
        }
    }
    /// Gives this call the attributes of the call `old` for the first `parameters` parameters, without those named in `dropped`;
    /// also its calling convention.
    pub fn copy_call_attributes_of(self, old: Value, parameters: u32, dropped: &[&str]) {
        let kinds: Vec<u32> = dropped
            .iter()
            .map(|n| kind(n))
            .filter(|k| *k != 0)
            .collect();
        for index in indices(parameters) {
            let count = llvm!(LLVMGetCallSiteAttributeCount(old.0, index));
            let mut attributes = vec![std::ptr::null_mut(); count as usize];
            if count > 0 {
                llvm!(LLVMGetCallSiteAttributes(
                    old.0,
                    index,
                    attributes.as_mut_ptr()
                ));
            }
            for attribute in attributes {
                if !is_one_of(attribute, &kinds) {
                    llvm!(LLVMAddCallSiteAttribute(self.0, index, attribute));
                }
            }
        }
        self.set_call_convention(old.call_convention());
    }
    /// The type in a type attribute of a call's parameter.
    pub fn call_attribute_type(self, index: u32, name: &str) -> Option<Type> {
        let attribute = llvm!(LLVMGetCallSiteEnumAttribute(self.0, index, kind(name)));
        (!attribute.is_null()).then(|| Type(llvm!(LLVMGetTypeAttributeValue(attribute))))
    }
    /// The number in an integer attribute of a call's parameter.
    pub fn call_attribute_number(self, index: u32, name: &str) -> Option<u64> {
        let attribute = llvm!(LLVMGetCallSiteEnumAttribute(self.0, index, kind(name)));
        (!attribute.is_null()).then(|| llvm!(LLVMGetEnumAttributeValue(attribute)))
    }
    /// Whether a call carries an attribute itself.
    pub fn has_call_attribute(self, index: u32, name: &str) -> bool {
        !llvm!(LLVMGetCallSiteEnumAttribute(self.0, index, kind(name))).is_null()
    }
    /// Removes an attribute of a call.
    pub fn remove_call_attribute(self, index: u32, name: &str) {
        llvm!(LLVMRemoveCallSiteEnumAttribute(self.0, index, kind(name)));
    }
}
