//! Building instructions: the position is the builder's state, as in LLVM.

use std::ffi::CString;

use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::debuginfo::{
    LLVMDIBuilderCreateDebugLocation, LLVMDISubprogramGetLine, LLVMGetSubprogram,
    LLVMInstructionGetDebugLoc, LLVMSetSubprogram,
};
use inkwell::llvm_sys::{LLVMIntPredicate, LLVMLinkage, LLVMOpcode};

use super::{Block, FUNCTION_INDEX, Ir, Type, Value, kind};

/// LLVM's name of an instruction without a name.
const NAMELESS: *const std::ffi::c_char = c"".as_ptr();

impl Ir<'_> {
    /// Builds before `instruction` from now on, with its source line.
    pub fn before(&self, instruction: Value) {
        llvm!(LLVMPositionBuilderBefore(self.builder, instruction.0));
    }
    /// Builds before the first instruction of the entry block that is no alloca of constant size: one of run-time size uses what comes before it.
    pub fn at_entry(&self, function: Value) {
        let mut first = function.entry().first();
        while first.is(LLVMOpcode::LLVMAlloca) && first.operand(0).as_constant_integer().is_some() {
            first = first.next();
        }
        self.before(first);
    }
    /// Builds at the end of a block from now on, without a source line.
    pub fn at_end(&self, block: Block) {
        llvm!(LLVMPositionBuilderAtEnd(self.builder, block.0));
        llvm!(LLVMSetCurrentDebugLocation2(
            self.builder,
            std::ptr::null_mut()
        ));
    }
    /// Adds an empty block at the end of `function`.
    pub fn append_block(&self, function: Value) -> Block {
        Block(llvm!(LLVMAppendBasicBlockInContext(
            self.context,
            function.0,
            NAMELESS
        )))
    }
    /// Moves everything behind `instruction` into a new block and jumps there. Phi nodes of the successors are rebuilt, because the
    /// C interface cannot replace the block of an incoming edge; handles of phi nodes are stale after this.
    pub fn split_after(&self, instruction: Value) {
        self.split_before(instruction.next());
    }
    /// Moves `instruction`, which is no phi node, and everything behind it into a new block and jumps there; the two blocks. Phi nodes as
    /// in [`Ir::split_after`].
    pub fn split_before(&self, instruction: Value) -> (Block, Block) {
        let head = instruction.block();
        let tail = Block(llvm!(LLVMInsertBasicBlockInContext(
            self.context,
            head.0,
            NAMELESS
        )));
        tail.move_after(head);
        let mut successors = Vec::new();
        for successor in head.successors() {
            if !successors.contains(&successor) {
                successors.push(successor);
            }
        }
        // Without a location of its own the builder leaves every moved instruction its source line.
        self.at_end(tail);
        let mut next = instruction;
        while !next.0.is_null() {
            let moved = next;
            next = moved.next();
            llvm!(LLVMInstructionRemoveFromParent(moved.0));
            llvm!(LLVMInsertIntoBuilder(self.builder, moved.0));
        }
        self.at_end(head);
        self.jump(tail);
        for phi in successors.into_iter().flat_map(Block::phis) {
            if phi.incoming().iter().any(|(_, from)| *from == head) {
                self.redirect_phi(phi, head, tail, false);
            }
        }
        (head, tail)
    }
    /// Puts a new block on the way from one block to another, all edges between them together. Phi nodes of `to` are rebuilt, so that handles of
    /// them are stale after this.
    pub fn split_edge(&self, from: Block, to: Block) -> Block {
        let between = Block(llvm!(LLVMInsertBasicBlockInContext(
            self.context,
            to.0,
            NAMELESS
        )));
        between.move_after(from);
        self.at_end(between);
        llvm!(LLVMBuildBr(self.builder, to.0));
        let end = from.terminator().0;
        for (k, successor) in (0..).zip(from.successors()) {
            if successor == to {
                llvm!(LLVMSetSuccessor(end, k, between.0));
            }
        }
        for phi in to.phis() {
            self.redirect_phi(phi, from, between, true);
        }
        between
    }
    /// Lets a phi node come from `to` instead of `from`, `once` however often it has come from there.
    fn redirect_phi(&self, phi: Value, from: Block, to: Block, once: bool) {
        self.before(phi);
        let new = Value(llvm!(LLVMBuildPhi(self.builder, phi.type_of().0, NAMELESS)));
        let mut redirected = false;
        for (value, block) in phi.incoming() {
            if once && redirected && block == from {
                continue;
            }
            redirected |= block == from;
            let mut value = if value == phi { new.0 } else { value.0 };
            let mut block = if block == from { to.0 } else { block.0 };
            llvm!(LLVMAddIncoming(new.0, &mut value, &mut block, 1));
        }
        phi.replace_all_uses_with(new);
        phi.erase();
    }

    /// `*pointer`
    pub fn load(&self, ty: Type, pointer: Value) -> Value {
        Value(llvm!(LLVMBuildLoad2(
            self.builder,
            ty.0,
            pointer.0,
            NAMELESS
        )))
    }
    /// `*pointer = value`
    pub fn store(&self, value: Value, pointer: Value) -> Value {
        Value(llvm!(LLVMBuildStore(self.builder, value.0, pointer.0)))
    }
    /// `(char *)pointer + bytes`
    pub fn offset(&self, pointer: Value, bytes: i64) -> Value {
        let mut index = [self.number(bytes as u64).0];
        Value(llvm!(LLVMBuildGEP2(
            self.builder,
            self.i8().0,
            pointer.0,
            index.as_mut_ptr(),
            1,
            NAMELESS
        )))
    }
    /// A stack slot of the given type.
    pub fn alloca(&self, ty: Type, name: &str) -> Value {
        let slot = Value(llvm!(LLVMBuildAlloca(self.builder, ty.0, NAMELESS)));
        slot.set_name(name);
        slot
    }
    /// `memcpy(to, from, bytes)`
    pub fn copy(&self, (to, to_align): (Value, u64), (from, from_align): (Value, u64), bytes: u64) {
        let (to_align, from_align) = (to_align as u32, from_align as u32);
        let bytes = self.number(bytes).0;
        llvm!(LLVMBuildMemCpy(
            self.builder,
            to.0,
            to_align,
            from.0,
            from_align,
            bytes
        ));
    }
    /// `(uint64_t)pointer`
    pub fn pointer_to_integer(&self, pointer: Value) -> Value {
        Value(llvm!(LLVMBuildPtrToInt(
            self.builder,
            pointer.0,
            self.i64().0,
            NAMELESS
        )))
    }
    /// `(void *)integer`
    pub fn integer_to_pointer(&self, integer: Value) -> Value {
        Value(llvm!(LLVMBuildIntToPtr(
            self.builder,
            integer.0,
            self.pointer().0,
            NAMELESS
        )))
    }
    /// `(uint64_t)integer`, of an integer of up to 64 bits.
    pub fn widen(&self, integer: Value) -> Value {
        Value(llvm!(LLVMBuildZExtOrBitCast(
            self.builder,
            integer.0,
            self.i64().0,
            NAMELESS
        )))
    }
    /// `a + b`
    pub fn add(&self, a: Value, b: Value) -> Value {
        Value(llvm!(LLVMBuildAdd(self.builder, a.0, b.0, NAMELESS)))
    }
    /// `a - b`
    pub fn subtract(&self, a: Value, b: Value) -> Value {
        Value(llvm!(LLVMBuildSub(self.builder, a.0, b.0, NAMELESS)))
    }
    /// `a * b`
    pub fn multiply(&self, a: Value, b: Value) -> Value {
        Value(llvm!(LLVMBuildMul(self.builder, a.0, b.0, NAMELESS)))
    }
    /// `a & b`
    pub fn and(&self, a: Value, b: Value) -> Value {
        Value(llvm!(LLVMBuildAnd(self.builder, a.0, b.0, NAMELESS)))
    }
    /// Gives what is built from now on the source line of `place`, or else that of `function`: a call needs one where its function has.
    pub fn locate(&self, function: Value, place: Value) {
        let subprogram = llvm!(LLVMGetSubprogram(function.0));
        if subprogram.is_null() {
            return;
        }
        let mut location = llvm!(LLVMInstructionGetDebugLoc(place.0));
        if location.is_null() {
            location = llvm!(LLVMDIBuilderCreateDebugLocation(
                self.context,
                LLVMDISubprogramGetLine(subprogram),
                0,
                subprogram,
                std::ptr::null_mut()
            ));
        }
        llvm!(LLVMSetCurrentDebugLocation2(self.builder, location));
    }
    /// `a <= b`, without a sign
    pub fn is_at_most(&self, a: Value, b: Value) -> Value {
        Value(llvm!(LLVMBuildICmp(
            self.builder,
            LLVMIntPredicate::LLVMIntULE,
            a.0,
            b.0,
            NAMELESS
        )))
    }
    /// `condition ? yes : no`
    pub fn select(&self, condition: Value, yes: Value, no: Value) -> Value {
        Value(llvm!(LLVMBuildSelect(
            self.builder,
            condition.0,
            yes.0,
            no.0,
            NAMELESS
        )))
    }
    /// `integer != 0`
    pub fn is_not_zero(&self, integer: Value) -> Value {
        Value(llvm!(LLVMBuildICmp(
            self.builder,
            LLVMIntPredicate::LLVMIntNE,
            integer.0,
            integer.type_of().zero().0,
            NAMELESS
        )))
    }
    /// Ends a block.
    pub fn jump(&self, to: Block) {
        llvm!(LLVMBuildBr(self.builder, to.0));
    }
    /// Ends a block with a condition, one way and the other being that likely.
    pub fn branch(&self, condition: Value, yes: Block, no: Block, weights: [u32; 2]) {
        let branch = llvm!(LLVMBuildCondBr(self.builder, condition.0, yes.0, no.0));
        let name = "branch_weights";
        let mut parts = vec![llvm!(LLVMMDStringInContext2(
            self.context,
            name.as_ptr().cast(),
            name.len()
        ))];
        parts.extend(weights.map(|w| llvm!(LLVMValueAsMetadata(self.number32(w).0))));
        let node = llvm!(LLVMMDNodeInContext2(
            self.context,
            parts.as_mut_ptr(),
            parts.len()
        ));
        let kind = "prof";
        llvm!(LLVMSetMetadata(
            branch,
            LLVMGetMDKindIDInContext(self.context, kind.as_ptr().cast(), kind.len() as u32),
            LLVMMetadataAsValue(self.context, node)
        ));
    }
    /// `switch (integer)` over 64-bit cases.
    pub fn switch(&self, integer: Value, otherwise: Block, cases: &[(u64, Block)]) {
        let count = cases.len() as u32;
        let switch = llvm!(LLVMBuildSwitch(self.builder, integer.0, otherwise.0, count));
        for (case, block) in cases {
            llvm!(LLVMAddCase(switch, self.number(*case).0, block.0));
        }
    }
    /// The end of a block that is never reached.
    pub fn unreachable(&self) {
        llvm!(LLVMBuildUnreachable(self.builder));
    }
    /// A plain call.
    pub fn call(&self, ty: Type, callee: Value, arguments: &[Value]) -> Value {
        let mut raw: Vec<_> = arguments.iter().map(|a| a.0).collect();
        Value(llvm!(LLVMBuildCall2(
            self.builder,
            ty.0,
            callee.0,
            raw.as_mut_ptr(),
            raw.len() as u32,
            NAMELESS
        )))
    }
    /// A call with an empty `deopt` bundle and a statepoint id: the back end records its return address under that id.
    pub fn recorded_call(&self, ty: Type, callee: Value, arguments: &[Value], id: u32) -> Value {
        let mut raw: Vec<_> = arguments.iter().map(|a| a.0).collect();
        let tag = "deopt";
        let bundle = llvm!(LLVMCreateOperandBundle(
            tag.as_ptr().cast(),
            tag.len(),
            std::ptr::null_mut(),
            0
        ));
        let mut bundles = [bundle];
        let call = Value(llvm!(LLVMBuildCallWithOperandBundles(
            self.builder,
            ty.0,
            callee.0,
            raw.as_mut_ptr(),
            raw.len() as u32,
            bundles.as_mut_ptr(),
            1,
            NAMELESS
        )));
        llvm!(LLVMDisposeOperandBundle(bundle));
        let attribute = self.text_attribute("statepoint-id", &id.to_string());
        llvm!(LLVMAddCallSiteAttribute(call.0, FUNCTION_INDEX, attribute));
        call
    }
    /// Inline assembly without instructions.
    pub fn empty_asm(&self, ty: Type, constraints: &str, volatile: bool) -> Value {
        Value(llvm!(LLVMGetInlineAsm(
            ty.0,
            c"".as_ptr(),
            0,
            constraints.as_ptr().cast(),
            constraints.len(),
            i32::from(volatile),
            0,
            inkwell::llvm_sys::LLVMInlineAsmDialect::LLVMInlineAsmDialectATT,
            0
        )))
    }

    fn text_attribute(
        &self,
        name: &str,
        value: &str,
    ) -> inkwell::llvm_sys::prelude::LLVMAttributeRef {
        llvm!(LLVMCreateStringAttribute(
            self.context,
            name.as_ptr().cast(),
            name.len() as u32,
            value.as_ptr().cast(),
            value.len() as u32
        ))
    }
    /// Adds a string attribute to a function.
    pub fn add_text_attribute(&self, function: Value, name: &str, value: &str) {
        let attribute = self.text_attribute(name, value);
        llvm!(LLVMAddAttributeAtIndex(
            function.0,
            FUNCTION_INDEX,
            attribute
        ));
    }
    /// Adds an attribute with a number (0 for a plain one) to a function.
    pub fn add_attribute(&self, function: Value, name: &str, value: u64) {
        let attribute = llvm!(LLVMCreateEnumAttribute(self.context, kind(name), value));
        llvm!(LLVMAddAttributeAtIndex(
            function.0,
            FUNCTION_INDEX,
            attribute
        ));
    }
    /// Declares a function.
    pub fn add_function(&self, name: &str, ty: Type, linkage: LLVMLinkage) -> Value {
        let name = CString::new(name).unwrap_or_default();
        let function = Value(llvm!(LLVMAddFunction(self.raw(), name.as_ptr(), ty.0)));
        function.set_linkage(linkage);
        function
    }
    /// Gives `new` the debug description of the function `old`, which is about to be deleted.
    pub fn move_subprogram(&self, old: Value, new: Value) {
        let subprogram = llvm!(LLVMGetSubprogram(old.0));
        if !subprogram.is_null() {
            llvm!(LLVMSetSubprogram(new.0, subprogram));
        }
    }
}
