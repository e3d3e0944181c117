//! What the module says about the variables of the source: records (`llvm.dbg.declare`, `llvm.dbg.value`) and the variables they are about.

use inkwell::llvm_sys::LLVMTypeKind;
use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::debuginfo::*;
use inkwell::llvm_sys::prelude::{LLVMMetadataRef, LLVMValueRef};

use super::value::owned_text;
use super::{Ir, Value};

/// A variable of the source in one function: the same variable of an inlined function is another one at each place it is inlined at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance {
    variable: LLVMMetadataRef,
    inlined_at: LLVMMetadataRef,
}

/// One record of where a variable is.
#[derive(Clone, Copy, Debug)]
pub struct DebugRecord {
    /// The record: a call of an intrinsic.
    pub call: Value,
    /// Which variable.
    pub instance: Instance,
    /// Whether the value is the variable's address all through the function, and not the variable's value from here on.
    pub declares: bool,
    /// The value; none when it is none, or made of several.
    pub value: Option<Value>,
    /// Whether the record says that the variable is lost.
    pub lost: bool,
    /// How variable and value are related; none when it is more than the transformation follows.
    pub relation: Option<Relation>,
    location: LLVMMetadataRef,
}

/// How a variable and the value of its record are related.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relation {
    /// The value is the address of the variable.
    pub dereferenced: bool,
    /// The record is about so many bits of the variable, from an offset in bits on.
    pub fragment: Option<(u32, u32)>,
}

/// DWARF's operations, as LLVM's expressions use them.
const DW_OP_DEREF: u64 = 0x06;
const DW_OP_CONSTU: u64 = 0x10;
const DW_OP_AND: u64 = 0x1a;
const DW_OP_PLUS_UCONST: u64 = 0x23;
const DW_OP_LLVM_FRAGMENT: u64 = 0x1000;

/// Which operand of a subprogram is the list of its variables.
const RETAINED_NODES: usize = 7;

impl Instance {
    /// The variable's name.
    pub fn name(self, ir: &Ir<'_>) -> String {
        let node = llvm!(LLVMMetadataAsValue(ir.context, self.variable));
        let count = llvm!(LLVMGetMDNodeNumOperands(node)) as usize;
        let mut operands: Vec<LLVMValueRef> = vec![std::ptr::null_mut(); count];
        llvm!(LLVMGetMDNodeOperands(node, operands.as_mut_ptr()));
        // Scope, name, file, ...
        let Some(name) = operands.get(1).filter(|o| !o.is_null()) else {
            return String::new();
        };
        let mut len = 0;
        let bytes = llvm!(LLVMGetMDString(*name, &mut len));
        owned_text(bytes, len as usize)
    }
    /// The line it is declared in.
    pub fn line(self) -> u32 {
        llvm!(LLVMDIVariableGetLine(self.variable))
    }
    /// Line and column of the calls through which it was inlined, innermost first.
    pub fn inlined_at(self) -> Vec<(u32, u32)> {
        let mut calls = Vec::new();
        let mut at = self.inlined_at;
        while !at.is_null() {
            let line = llvm!(LLVMDILocationGetLine(at));
            calls.push((line, llvm!(LLVMDILocationGetColumn(at))));
            at = llvm!(LLVMDILocationGetInlinedAt(at));
        }
        calls
    }
}

impl Ir<'_> {
    /// The records of a function, in its order.
    pub fn debug_records(&self, function: Value) -> Vec<DebugRecord> {
        let calls = function.instructions().into_iter().filter(|i| i.is_call());
        calls.filter_map(|call| self.debug_record(call)).collect()
    }

    fn debug_record(&self, call: Value) -> Option<DebugRecord> {
        let declares = match call.intrinsic()?.as_str() {
            "llvm.dbg.declare" => true,
            "llvm.dbg.value" => false,
            _ => return None,
        };
        let metadata = |k| llvm!(LLVMValueAsMetadata(call.operand(k).0));
        let location = llvm!(LLVMInstructionGetDebugLoc(call.0));
        if location.is_null() {
            return None;
        }
        let kind = llvm!(LLVMGetMetadataKind(metadata(0)));
        let one = matches!(
            kind,
            LLVMMetadataKind::LLVMLocalAsMetadataMetadataKind
                | LLVMMetadataKind::LLVMConstantAsMetadataMetadataKind
        );
        let several = matches!(kind, LLVMMetadataKind::LLVMDIArgListMetadataKind);
        let value = one.then(|| {
            let mut value: LLVMValueRef = std::ptr::null_mut();
            llvm!(LLVMGetMDNodeOperands(call.operand(0).0, &mut value));
            Value(value)
        });
        Some(DebugRecord {
            call,
            instance: Instance {
                variable: metadata(1),
                inlined_at: llvm!(LLVMDILocationGetInlinedAt(location)),
            },
            declares,
            value: value.filter(|v| !v.is_undef()),
            lost: !several && value.is_none_or(Value::is_undef),
            relation: relation(&call.operand(2).printed()),
            location,
        })
    }

    /// Builds a record like `record`: the variable's value is `value` from here on.
    pub fn debug_value(&self, record: &DebugRecord, value: Value) {
        self.build_debug_value(record, value, record.call.operand(2));
    }

    /// Builds a record like `record`: the variable is in memory from here on, at `base` + `offset` rounded up to a multiple of `align`.
    pub fn debug_memory(&self, record: &DebugRecord, base: Value, offset: u64, align: u64) {
        let mut operations = vec![DW_OP_PLUS_UCONST, offset + align - 1];
        if align > 1 {
            operations.extend([DW_OP_CONSTU, !(align - 1), DW_OP_AND]);
        }
        operations.push(DW_OP_DEREF);
        if let Some((at, bits)) = record.relation.and_then(|r| r.fragment) {
            operations.extend([DW_OP_LLVM_FRAGMENT, at.into(), bits.into()]);
        }
        self.build_debug_value(record, base, self.expression(&mut operations));
    }

    /// Builds a record about the variable of `record`: all of it is lost from here on.
    pub fn debug_lost(&self, record: &DebugRecord) {
        let lost = Value(llvm!(LLVMGetPoison(self.pointer().0)));
        self.build_debug_value(record, lost, self.expression(&mut []));
    }

    /// Puts a record that holds from here on in the place of a declaration, which would hold all through the function.
    pub fn debug_from_here(&self, record: &DebugRecord) {
        self.before(record.call);
        let expression = self.expression(&mut [DW_OP_DEREF]);
        self.build_debug_record(record, record.call.operand(0), expression);
        record.call.erase();
    }

    /// Lets the back ends know of variables even if nothing is ever said of where they are.
    pub fn retain_variables(&self, function: Value, instances: &[Instance]) {
        let subprogram = llvm!(LLVMGetSubprogram(function.0));
        let own = instances.iter().filter(|i| i.inlined_at.is_null());
        let mut variables: Vec<LLVMMetadataRef> = own.map(|i| i.variable).collect();
        if subprogram.is_null() || variables.is_empty() {
            return;
        }
        let node = llvm!(LLVMMetadataAsValue(self.context, subprogram));
        let count = llvm!(LLVMGetMDNodeNumOperands(node)) as usize;
        let mut operands: Vec<LLVMValueRef> = vec![std::ptr::null_mut(); count];
        llvm!(LLVMGetMDNodeOperands(node, operands.as_mut_ptr()));
        let retained = operands.get(RETAINED_NODES).copied();
        // With optimisation the front end has done it.
        let done = retained
            .is_none_or(|node| !node.is_null() && llvm!(LLVMGetMDNodeNumOperands(node)) > 0);
        if !done {
            let list = llvm!(LLVMMDNodeInContext2(
                self.context,
                variables.as_mut_ptr(),
                variables.len()
            ));
            llvm!(LLVMReplaceMDNodeOperandWith(
                node,
                RETAINED_NODES as u32,
                list
            ));
        }
    }

    fn expression(&self, operations: &mut [u64]) -> Value {
        let builder = llvm!(LLVMCreateDIBuilder(self.raw()));
        let expression = llvm!(LLVMDIBuilderCreateExpression(
            builder,
            operations.as_mut_ptr(),
            operations.len()
        ));
        llvm!(LLVMDisposeDIBuilder(builder));
        Value(llvm!(LLVMMetadataAsValue(self.context, expression)))
    }

    fn build_debug_value(&self, record: &DebugRecord, value: Value, expression: Value) {
        let metadata = llvm!(LLVMValueAsMetadata(value.0));
        let value = Value(llvm!(LLVMMetadataAsValue(self.context, metadata)));
        self.build_debug_record(record, value, expression);
    }

    fn build_debug_record(&self, record: &DebugRecord, value: Value, expression: Value) {
        let name = "llvm.dbg.value";
        let id = llvm!(LLVMLookupIntrinsicID(name.as_ptr().cast(), name.len()));
        let intrinsic = llvm!(LLVMGetIntrinsicDeclaration(
            self.raw(),
            id,
            std::ptr::null_mut(),
            0
        ));
        let intrinsic = Value(intrinsic);
        let arguments = [value, record.call.operand(1), expression];
        let call = self.call(intrinsic.value_type(), intrinsic, &arguments);
        llvm!(LLVMInstructionSetDebugLoc(call.0, record.location));
    }
}

impl Value {
    fn printed(self) -> String {
        let text = llvm!(LLVMPrintValueToString(self.0));
        let copy = llvm!(std::ffi::CStr::from_ptr(text))
            .to_string_lossy()
            .into_owned();
        llvm!(LLVMDisposeMessage(text));
        copy
    }

    /// The bytes of a number, pointer or float constant of up to 64 bits, as an integer.
    pub fn as_constant_bits(self) -> Option<u64> {
        if !llvm!(LLVMIsAConstantPointerNull(self.0)).is_null() {
            return Some(0);
        }
        if !llvm!(LLVMIsAConstantFP(self.0)).is_null() {
            let mut lossy = 0;
            let number = llvm!(LLVMConstRealGetDouble(self.0, &mut lossy));
            return match self.type_of().kind() {
                LLVMTypeKind::LLVMDoubleTypeKind => Some(number.to_bits()),
                LLVMTypeKind::LLVMFloatTypeKind => Some(u64::from((number as f32).to_bits())),
                _ => None,
            };
        }
        let narrow = self.type_of().kind() == LLVMTypeKind::LLVMIntegerTypeKind
            && llvm!(LLVMGetIntTypeWidth(self.type_of().0)) <= 64;
        narrow.then(|| self.as_constant_integer()).flatten()
    }

    /// Whether this is a function or a variable of the module.
    pub fn is_global(self) -> bool {
        !llvm!(LLVMIsAGlobalValue(self.0)).is_null()
    }
}

/// Reads `!DIExpression(...)`; the C interface has no other way to its operations.
fn relation(text: &str) -> Option<Relation> {
    let operations = text.split_once("!DIExpression(")?.1.strip_suffix(')')?;
    let mut words = operations.split(", ").filter(|w| !w.is_empty());
    let mut relation = Relation::default();
    while let Some(word) = words.next() {
        match word {
            "DW_OP_deref" if relation == Relation::default() => relation.dereferenced = true,
            "DW_OP_LLVM_fragment" => {
                relation.fragment =
                    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?));
            }
            _ => return None,
        }
    }
    Some(relation)
}

#[cfg(test)]
mod tests {
    use super::{Relation, relation};

    #[test]
    fn expressions_are_followed_or_not() {
        let of = |dereferenced, fragment| {
            Some(Relation {
                dereferenced,
                fragment,
            })
        };
        for (text, expected) in [
            ("!DIExpression()", of(false, None)),
            ("!DIExpression(DW_OP_deref)", of(true, None)),
            (
                "!DIExpression(DW_OP_LLVM_fragment, 32, 64)",
                of(false, Some((32, 64))),
            ),
            (
                "!DIExpression(DW_OP_deref, DW_OP_LLVM_fragment, 0, 8)",
                of(true, Some((0, 8))),
            ),
            ("!DIExpression(DW_OP_plus_uconst, 4)", None),
            ("!DIExpression(DW_OP_deref, DW_OP_deref)", None),
            ("!7", None),
        ] {
            assert_eq!(relation(text), expected, "{text}");
        }
    }
}
