//! Handles of values, types and basic blocks, and what can be asked of them.

use std::collections::BTreeMap;

use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::prelude::{LLVMBasicBlockRef, LLVMTypeRef, LLVMValueRef};
use inkwell::llvm_sys::{LLVMLinkage, LLVMOpcode, LLVMTailCallKind, LLVMTypeKind};

/// A function, global, argument, instruction or constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value(pub(super) LLVMValueRef);

/// A type. Types are unique in their context, so equality of handles is equality of types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Type(pub(super) LLVMTypeRef);

/// A basic block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Block(pub(super) LLVMBasicBlockRef);

/// A map from handles that can be asked but not iterated: the addresses of handles must not order anything.
#[derive(Debug)]
pub struct Lookup<K, V>(BTreeMap<K, V>);

impl<K: Ord, V> Lookup<K, V> {
    /// An empty map.
    pub fn new() -> Self {
        Self(BTreeMap::new())
    }
    /// Sets the value of `key`; true when there was none.
    pub fn insert(&mut self, key: K, value: V) -> bool {
        self.0.insert(key, value).is_none()
    }
    /// The value of `key`.
    pub fn get(&self, key: K) -> Option<&V> {
        self.0.get(&key)
    }
    /// Whether `key` has a value.
    pub fn contains(&self, key: K) -> bool {
        self.0.contains_key(&key)
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Lookup<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

/// Bytes of a string that LLVM owns.
pub(super) fn owned_text(bytes: *const std::ffi::c_char, len: usize) -> String {
    if bytes.is_null() || len == 0 {
        return String::new();
    }
    let slice = llvm!(std::slice::from_raw_parts(bytes.cast::<u8>(), len));
    String::from_utf8_lossy(slice).into_owned()
}

impl Type {
    /// Which family of types.
    pub fn kind(self) -> LLVMTypeKind {
        llvm!(LLVMGetTypeKind(self.0))
    }
    /// Whether this is the type of instructions without a result.
    pub fn is_void(self) -> bool {
        self.kind() == LLVMTypeKind::LLVMVoidTypeKind
    }
    /// Result of a function type.
    pub fn return_type(self) -> Type {
        Type(llvm!(LLVMGetReturnType(self.0)))
    }
    /// Fixed parameters of a function type.
    pub fn parameters(self) -> Vec<Type> {
        let mut types = vec![std::ptr::null_mut(); self.parameter_count() as usize];
        llvm!(LLVMGetParamTypes(self.0, types.as_mut_ptr()));
        types.into_iter().map(Type).collect()
    }
    /// Number of fixed parameters of a function type.
    pub fn parameter_count(self) -> u32 {
        llvm!(LLVMCountParamTypes(self.0))
    }
    /// Whether a function type ends in `...`.
    pub fn is_variadic(self) -> bool {
        llvm!(LLVMIsFunctionVarArg(self.0)) != 0
    }
    /// Members of a struct type.
    pub fn members(self) -> Vec<Type> {
        let mut types =
            vec![std::ptr::null_mut(); llvm!(LLVMCountStructElementTypes(self.0)) as usize];
        llvm!(LLVMGetStructElementTypes(self.0, types.as_mut_ptr()));
        types.into_iter().map(Type).collect()
    }
    /// Element of an array or vector type.
    pub fn element(self) -> Type {
        Type(llvm!(LLVMGetElementType(self.0)))
    }
    /// The zero of this type.
    pub fn zero(self) -> Value {
        Value(llvm!(LLVMConstNull(self.0)))
    }
}

impl Block {
    /// Its instructions, as they are now.
    pub fn instructions(self) -> Vec<Value> {
        let mut all = Vec::new();
        let mut next = llvm!(LLVMGetFirstInstruction(self.0));
        while !next.is_null() {
            all.push(Value(next));
            next = llvm!(LLVMGetNextInstruction(next));
        }
        all
    }
    /// Its phi nodes.
    pub fn phis(self) -> Vec<Value> {
        let mut all = self.instructions();
        all.retain(|i| i.is(LLVMOpcode::LLVMPHI));
        all
    }
    /// Its first instruction.
    pub fn first(self) -> Value {
        Value(llvm!(LLVMGetFirstInstruction(self.0)))
    }
    /// Its first instruction that is neither of opcode `skipped`.
    pub fn first_other_than(self, skipped: LLVMOpcode) -> Value {
        let mut at = self.first();
        while at.is(skipped) {
            at = at.next();
        }
        at
    }
    /// The instruction that ends it.
    pub fn terminator(self) -> Value {
        Value(llvm!(LLVMGetBasicBlockTerminator(self.0)))
    }
    /// Where control may go from here.
    pub fn successors(self) -> Vec<Block> {
        let end = self.terminator().0;
        (0..llvm!(LLVMGetNumSuccessors(end)))
            .map(|k| Block(llvm!(LLVMGetSuccessor(end, k))))
            .collect()
    }
    /// Moves it behind `other`, also into another function.
    pub fn move_after(self, other: Block) {
        llvm!(LLVMMoveBasicBlockAfter(self.0, other.0));
    }
    /// Deletes it; nothing may refer to it.
    pub fn delete(self) {
        llvm!(LLVMDeleteBasicBlock(self.0));
    }
}

impl Value {
    /// Its name; empty for most instructions.
    pub fn name(self) -> String {
        let mut len = 0;
        let bytes = llvm!(LLVMGetValueName2(self.0, &mut len));
        owned_text(bytes, len)
    }
    /// Renames it; LLVM adds a number when the name is taken.
    pub fn set_name(self, name: &str) {
        llvm!(LLVMSetValueName2(self.0, name.as_ptr().cast(), name.len()));
    }
    /// Its type (for functions and globals: a pointer).
    pub fn type_of(self) -> Type {
        Type(llvm!(LLVMTypeOf(self.0)))
    }
    /// The type of what a function or global names.
    pub fn value_type(self) -> Type {
        Type(llvm!(LLVMGlobalGetValueType(self.0)))
    }
    /// Whether a function or global is defined in this module.
    pub fn is_definition(self) -> bool {
        llvm!(LLVMIsDeclaration(self.0)) == 0
    }
    /// Whether this is a function, as opposed to anything else.
    pub fn is_function(self) -> bool {
        !llvm!(LLVMIsAFunction(self.0)).is_null()
    }
    /// Whether this is undef or poison.
    pub fn is_undef(self) -> bool {
        llvm!(LLVMIsUndef(self.0)) != 0 || llvm!(LLVMIsPoison(self.0)) != 0
    }
    /// The number, when this is an integer constant of up to 64 bits.
    pub fn as_constant_integer(self) -> Option<u64> {
        (!llvm!(LLVMIsAConstantInt(self.0)).is_null())
            .then(|| llvm!(LLVMConstIntGetZExtValue(self.0)))
    }
    /// The block whose address this constant is, when it is the address of a label.
    pub fn labelled_block(self) -> Option<Block> {
        (!llvm!(LLVMIsABlockAddress(self.0)).is_null())
            .then(|| Block(llvm!(LLVMGetBlockAddressBasicBlock(self.0))))
    }
    /// Who uses this value; a user appears once for each use.
    pub fn users(self) -> Vec<Value> {
        let mut all = Vec::new();
        let mut next = llvm!(LLVMGetFirstUse(self.0));
        while !next.is_null() {
            all.push(Value(llvm!(LLVMGetUser(next))));
            next = llvm!(LLVMGetNextUse(next));
        }
        all
    }
    /// Makes every user use `new` instead.
    pub fn replace_all_uses_with(self, new: Value) {
        llvm!(LLVMReplaceAllUsesWith(self.0, new.0));
    }

    // Functions and globals

    /// The arguments of a function.
    pub fn arguments(self) -> Vec<Value> {
        (0..llvm!(LLVMCountParams(self.0)))
            .map(|k| Value(llvm!(LLVMGetParam(self.0, k))))
            .collect()
    }
    /// The blocks of a function, entry first.
    pub fn blocks(self) -> Vec<Block> {
        let mut all = Vec::new();
        let mut next = llvm!(LLVMGetFirstBasicBlock(self.0));
        while !next.is_null() {
            all.push(Block(next));
            next = llvm!(LLVMGetNextBasicBlock(next));
        }
        all
    }
    /// All instructions of a function, block by block.
    pub fn instructions(self) -> Vec<Value> {
        self.blocks()
            .into_iter()
            .flat_map(Block::instructions)
            .collect()
    }
    /// The block a function starts in.
    pub fn entry(self) -> Block {
        Block(llvm!(LLVMGetEntryBasicBlock(self.0)))
    }
    /// Deletes a function that has no uses.
    pub fn delete_function(self) {
        llvm!(LLVMDeleteFunction(self.0));
    }
    /// Deletes a global that has no uses.
    pub fn delete_global(self) {
        llvm!(LLVMDeleteGlobal(self.0));
    }
    /// The initial value of a global that is defined here.
    pub fn initializer(self) -> Option<Value> {
        let value = llvm!(LLVMGetInitializer(self.0));
        (!value.is_null()).then_some(Value(value))
    }
    /// Linkage of a function or global.
    pub fn linkage(self) -> LLVMLinkage {
        llvm!(LLVMGetLinkage(self.0))
    }
    /// Sets the linkage.
    pub fn set_linkage(self, linkage: LLVMLinkage) {
        llvm!(LLVMSetLinkage(self.0, linkage));
    }
    /// Makes a symbol hidden, which also tells LLVM that it is in this very image.
    pub fn set_hidden(self) {
        llvm!(LLVMSetVisibility(
            self.0,
            inkwell::llvm_sys::LLVMVisibility::LLVMHiddenVisibility
        ));
    }
    /// Declares that the address of a symbol matters, so that it is never merged with an equal one.
    pub fn set_address_significant(self) {
        llvm!(LLVMSetUnnamedAddress(
            self.0,
            inkwell::llvm_sys::LLVMUnnamedAddr::LLVMNoUnnamedAddr
        ));
    }
    /// Whether a global is thread-local.
    pub fn is_thread_local(self) -> bool {
        llvm!(LLVMIsThreadLocal(self.0)) != 0
    }
    /// Makes a global thread-local with addresses relative to the thread pointer, known at link time.
    pub fn set_local_exec(self) {
        llvm!(LLVMSetThreadLocalMode(
            self.0,
            inkwell::llvm_sys::LLVMThreadLocalMode::LLVMLocalExecTLSModel
        ));
    }
    /// Alignment in bytes of a global, alloca, load or store; 0 when not given.
    pub fn alignment(self) -> u64 {
        u64::from(llvm!(LLVMGetAlignment(self.0)))
    }
    /// Sets the alignment in bytes.
    pub fn set_alignment(self, bytes: u64) {
        llvm!(LLVMSetAlignment(self.0, bytes as u32));
    }
    /// Declares that a load must be made each time it is come to.
    pub fn set_volatile(self) {
        llvm!(LLVMSetVolatile(self.0, 1));
    }
    /// The calling convention of a function.
    pub fn calling_convention(self) -> u32 {
        llvm!(LLVMGetFunctionCallConv(self.0))
    }
    /// Sets the calling convention of a function.
    pub fn set_calling_convention(self, convention: u32) {
        llvm!(LLVMSetFunctionCallConv(self.0, convention));
    }

    // Instructions

    /// Whether this is an instruction of that opcode.
    pub fn is(self, opcode: LLVMOpcode) -> bool {
        self.opcode() == Some(opcode)
    }
    /// The opcode, when this is an instruction.
    pub fn opcode(self) -> Option<LLVMOpcode> {
        (!llvm!(LLVMIsAInstruction(self.0)).is_null())
            .then(|| llvm!(LLVMGetInstructionOpcode(self.0)))
    }
    /// The operands, callee of a call included.
    pub fn operands(self) -> Vec<Value> {
        (0..llvm!(LLVMGetNumOperands(self.0)))
            .map(|k| self.operand(k as u32))
            .collect()
    }
    /// Operand number `k`.
    pub fn operand(self, k: u32) -> Value {
        Value(llvm!(LLVMGetOperand(self.0, k)))
    }
    /// Replaces operand number `k`.
    pub fn set_operand(self, k: u32, value: Value) {
        llvm!(LLVMSetOperand(self.0, k, value.0));
    }
    /// The instruction behind this one.
    pub fn next(self) -> Value {
        Value(llvm!(LLVMGetNextInstruction(self.0)))
    }
    /// The first instruction that uses this value, also through constants.
    pub fn first_user(self) -> Option<Value> {
        let mut users = self.users();
        let mut seen = 0;
        while seen < users.len() {
            let user = users[seen];
            seen += 1;
            if user.opcode().is_some() {
                return Some(user);
            }
            users.extend(user.users());
        }
        None
    }
    /// The function an instruction is in.
    pub fn function(self) -> Value {
        Value(llvm!(LLVMGetBasicBlockParent(LLVMGetInstructionParent(
            self.0
        ))))
    }
    /// The block an instruction is in.
    pub fn block(self) -> Block {
        Block(llvm!(LLVMGetInstructionParent(self.0)))
    }
    /// Erases an instruction that has no uses.
    pub fn erase(self) {
        llvm!(LLVMInstructionEraseFromParent(self.0));
    }
    /// What an alloca allocates.
    pub fn allocated_type(self) -> Type {
        Type(llvm!(LLVMGetAllocatedType(self.0)))
    }
    /// Values and blocks a phi node may come from.
    pub fn incoming(self) -> Vec<(Value, Block)> {
        (0..llvm!(LLVMCountIncoming(self.0)))
            .map(|k| {
                (
                    Value(llvm!(LLVMGetIncomingValue(self.0, k))),
                    Block(llvm!(LLVMGetIncomingBlock(self.0, k))),
                )
            })
            .collect()
    }
    /// The block in which this instruction uses operand number `k`; a phi node uses it at the end of the block that it comes from.
    pub fn block_of_use(self, k: usize) -> Block {
        if self.is(LLVMOpcode::LLVMPHI) {
            Block(llvm!(LLVMGetIncomingBlock(self.0, k as u32)))
        } else {
            self.block()
        }
    }
    /// File name and line in the source, where the debug information knows it.
    pub fn source_line(self) -> Option<(String, u32)> {
        let mut len = 0;
        let file = llvm!(LLVMGetDebugLocFilename(self.0, &mut len));
        let line = llvm!(LLVMGetDebugLocLine(self.0));
        // The C interface answers -1 for what has no place in a source, an alias say.
        (line != 0 && line != u32::MAX).then(|| (owned_text(file, len as usize), line))
    }

    // Calls

    /// Whether this is a call instruction (not an invoke).
    pub fn is_call(self) -> bool {
        self.is(LLVMOpcode::LLVMCall)
    }
    /// What a call calls: a function, inline assembly, or a computed pointer.
    pub fn called_value(self) -> Value {
        Value(llvm!(LLVMGetCalledValue(self.0)))
    }
    /// The function a call names, when it names one.
    pub fn callee(self) -> Option<Value> {
        Some(self.called_value()).filter(|v| v.is_function())
    }
    /// The name of the LLVM intrinsic a call names, when it names one.
    pub fn intrinsic(self) -> Option<String> {
        self.callee()
            .map(Value::name)
            .filter(|n| n.starts_with("llvm."))
    }
    /// Whether a called value is inline assembly.
    pub fn is_inline_asm(self) -> bool {
        !llvm!(LLVMIsAInlineAsm(self.0)).is_null()
    }
    /// Template and constraints of inline assembly.
    pub fn asm_text(self) -> (String, String) {
        let (mut a, mut b) = (0, 0);
        let template = llvm!(LLVMGetInlineAsmAsmString(self.0, &mut a));
        let constraints = llvm!(LLVMGetInlineAsmConstraintString(self.0, &mut b));
        (owned_text(template, a), owned_text(constraints, b))
    }
    /// The function type a call was made with.
    pub fn called_type(self) -> Type {
        Type(llvm!(LLVMGetCalledFunctionType(self.0)))
    }
    /// The arguments of a call.
    pub fn call_arguments(self) -> Vec<Value> {
        (0..llvm!(LLVMGetNumArgOperands(self.0)))
            .map(|k| self.operand(k))
            .collect()
    }
    /// Whether a call must be made as a jump.
    pub fn is_must_tail(self) -> bool {
        llvm!(LLVMGetTailCallKind(self.0)) == LLVMTailCallKind::LLVMTailCallKindMustTail
    }
    /// Takes back the promise that the callee does not touch the caller's locals.
    pub fn clear_tail(self) {
        llvm!(LLVMSetTailCall(self.0, 0));
    }
    /// The calling convention of a call.
    pub fn call_convention(self) -> u32 {
        llvm!(LLVMGetInstructionCallConv(self.0))
    }
    /// Sets the calling convention of a call.
    pub fn set_call_convention(self, convention: u32) {
        llvm!(LLVMSetInstructionCallConv(self.0, convention));
    }
}
