//! The module being transformed: reading, writing, its symbols and types.

use std::ffi::CString;
use std::path::Path;

use inkwell::OptimizationLevel;
use inkwell::context::Context;
use inkwell::llvm_sys::core::*;
use inkwell::llvm_sys::debuginfo::LLVMStripModuleDebugInfo;
use inkwell::llvm_sys::prelude::{LLVMBuilderRef, LLVMContextRef, LLVMModuleRef};
use inkwell::llvm_sys::target::{LLVMABIAlignmentOfType, LLVMABISizeOfType};
use inkwell::memory_buffer::MemoryBuffer;
use inkwell::module::Module;
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::{
    CodeModel, InitializationConfig, RelocMode, Target, TargetData, TargetMachine, TargetTriple,
};

use super::value::owned_text;
use super::{Type, Value};

/// One module with everything needed to change it.
pub struct Ir<'ctx> {
    module: Module<'ctx>,
    machine: TargetMachine,
    layout: TargetData,
    pub(super) context: LLVMContextRef,
    pub(super) builder: LLVMBuilderRef,
}

impl Drop for Ir<'_> {
    fn drop(&mut self) {
        llvm!(LLVMDisposeBuilder(self.builder));
    }
}

impl<'ctx> Ir<'ctx> {
    /// Reads bitcode. The front end's target is x86_64; its data layout (sizes, alignments) is that of both ISAs.
    pub fn read(context: &'ctx Context, path: &Path) -> Result<Self, String> {
        let buffer = MemoryBuffer::create_from_file(path).map_err(|e| e.to_string())?;
        let module = context
            .create_module_from_ir(buffer)
            .map_err(|e| e.to_string())?;
        Target::initialize_x86(&InitializationConfig::default());
        let triple = TargetTriple::create("x86_64-unknown-linux-gnu");
        let machine = Target::from_triple(&triple)
            .map_err(|e| e.to_string())?
            .create_target_machine(
                &triple,
                "x86-64",
                "",
                OptimizationLevel::Default,
                RelocMode::Static,
                CodeModel::Small,
            )
            .ok_or("LLVM has no x86-64 code generator")?;
        let layout = machine.get_target_data();
        module.set_triple(&triple);
        module.set_data_layout(&layout.get_data_layout());
        let raw = module.as_mut_ptr();
        // Variable locations as calls (`llvm.dbg.value`), which can be found and erased through the C interface; records cannot.
        llvm!(LLVMSetIsNewDbgInfoFormat(raw, 0));
        let context = llvm!(LLVMGetModuleContext(raw));
        let builder = llvm!(LLVMCreateBuilderInContext(context));
        Ok(Self {
            module,
            machine,
            layout,
            context,
            builder,
        })
    }
    /// Writes bitcode.
    pub fn write(&self, path: &Path) -> bool {
        self.module.write_bitcode_to_path(path)
    }
    /// Checks that the module is well formed.
    pub fn verify(&self) -> Result<(), String> {
        self.module.verify().map_err(|e| e.to_string())
    }
    /// Turns allocas that are only loaded and stored into SSA values; no other optimisation.
    pub fn promote_memory_to_registers(&self) -> Result<(), String> {
        self.module
            .run_passes("mem2reg", &self.machine, PassBuilderOptions::create())
            .map_err(|e| e.to_string())
    }
    /// Folds what has become constant, and removes what is never reached then.
    pub fn fold_constants(&self) -> Result<(), String> {
        let passes = "function(sccp,simplifycfg),globaldce";
        self.module
            .run_passes(passes, &self.machine, PassBuilderOptions::create())
            .map_err(|e| e.to_string())
    }
    /// Folds instructions whose operands have become constants.
    pub fn simplify_instructions(&self) -> Result<(), String> {
        self.module
            .run_passes(
                "function(instsimplify)",
                &self.machine,
                PassBuilderOptions::create(),
            )
            .map_err(|e| e.to_string())
    }
    /// Merges blocks that follow each other only.
    pub fn merge_blocks(&self) -> Result<(), String> {
        self.module
            .run_passes(
                "function(simplifycfg)",
                &self.machine,
                PassBuilderOptions::create(),
            )
            .map_err(|e| e.to_string())
    }
    /// Removes all debug information.
    pub fn strip_debug_info(&self) {
        llvm!(LLVMStripModuleDebugInfo(self.raw()));
    }
    /// Assembly at file level.
    pub fn module_asm(&self) -> String {
        let mut len = 0;
        let text = llvm!(LLVMGetModuleInlineAsm(self.raw(), &mut len));
        owned_text(text, len)
    }

    pub(super) fn raw(&self) -> LLVMModuleRef {
        self.module.as_mut_ptr()
    }
    /// All functions, in module order.
    pub fn functions(&self) -> Vec<Value> {
        let mut all = Vec::new();
        let mut next = llvm!(LLVMGetFirstFunction(self.raw()));
        while !next.is_null() {
            all.push(Value(next));
            next = llvm!(LLVMGetNextFunction(next));
        }
        all
    }
    /// The functions with a body.
    pub fn defined_functions(&self) -> Vec<Value> {
        let mut all = self.functions();
        all.retain(|f| f.is_definition());
        all
    }
    /// All global variables, in module order.
    pub fn globals(&self) -> Vec<Value> {
        let mut all = Vec::new();
        let mut next = llvm!(LLVMGetFirstGlobal(self.raw()));
        while !next.is_null() {
            all.push(Value(next));
            next = llvm!(LLVMGetNextGlobal(next));
        }
        all
    }
    /// Aliases and indirect functions.
    pub fn aliases(&self) -> Vec<Value> {
        let mut all = Vec::new();
        let mut next = llvm!(LLVMGetFirstGlobalAlias(self.raw()));
        while !next.is_null() {
            all.push(Value(next));
            next = llvm!(LLVMGetNextGlobalAlias(next));
        }
        let mut next = llvm!(LLVMGetFirstGlobalIFunc(self.raw()));
        while !next.is_null() {
            all.push(Value(next));
            next = llvm!(LLVMGetNextGlobalIFunc(next));
        }
        all
    }
    /// A constant of so many zero bytes, which is defined by the first who asks for it.
    pub fn define_zeros(&self, name: &str, bytes: u64) -> Value {
        let text = CString::new(name).unwrap_or_default();
        let mut global = llvm!(LLVMGetNamedGlobal(self.raw(), text.as_ptr()));
        if global.is_null() {
            let ty = self.bytes(bytes);
            global = llvm!(LLVMAddGlobal(self.raw(), ty.0, text.as_ptr()));
            llvm!(LLVMSetInitializer(global, ty.zero().0));
            llvm!(LLVMSetGlobalConstant(global, 1));
            Value(global).set_alignment(16);
            Value(global).set_hidden();
        }
        Value(global)
    }
    /// Defines a thread-local pointer, initially null, in a section of its own; takes over a declaration of that name.
    pub fn define_thread_local_pointer(&self, name: &str) -> Value {
        let text = CString::new(name).unwrap_or_default();
        let mut global = llvm!(LLVMGetNamedGlobal(self.raw(), text.as_ptr()));
        if global.is_null() {
            global = llvm!(LLVMAddGlobal(self.raw(), self.pointer().0, text.as_ptr()));
        }
        let section = CString::new(format!(".tdata.{name}")).unwrap_or_default();
        llvm!(LLVMSetInitializer(global, self.pointer().zero().0));
        llvm!(LLVMSetSection(global, section.as_ptr()));
        let global = Value(global);
        global.set_alignment(8);
        global.set_linkage(inkwell::llvm_sys::LLVMLinkage::LLVMExternalLinkage);
        global.set_hidden();
        global.set_local_exec();
        global
    }

    /// Defines a nameless constant array of pointers, ended by a null pointer.
    pub fn define_table(&self, pointers: &[Value]) -> Value {
        let mut all: Vec<_> = pointers.iter().map(|p| p.0).collect();
        all.push(self.pointer().zero().0);
        let array = llvm!(LLVMConstArray2(
            self.pointer().0,
            all.as_mut_ptr(),
            all.len() as u64
        ));
        let ty = llvm!(LLVMTypeOf(array));
        let global = llvm!(LLVMAddGlobal(self.raw(), ty, c"".as_ptr()));
        llvm!(LLVMSetInitializer(global, array));
        llvm!(LLVMSetGlobalConstant(global, 1));
        let global = Value(global);
        global.set_alignment(8);
        global.set_linkage(inkwell::llvm_sys::LLVMLinkage::LLVMExternalLinkage);
        global.set_hidden();
        global
    }

    /// Size in memory of a type, bytes.
    pub fn size_of(&self, ty: Type) -> u64 {
        llvm!(LLVMABISizeOfType(self.layout.as_mut_ptr(), ty.0))
    }
    /// Alignment in memory of a type, bytes.
    pub fn align_of(&self, ty: Type) -> u64 {
        u64::from(llvm!(LLVMABIAlignmentOfType(
            self.layout.as_mut_ptr(),
            ty.0
        )))
    }
    /// The type of every pointer.
    pub fn pointer(&self) -> Type {
        Type(llvm!(LLVMPointerTypeInContext(self.context, 0)))
    }
    /// 8-bit integers.
    pub fn i8(&self) -> Type {
        Type(llvm!(LLVMInt8TypeInContext(self.context)))
    }
    /// 32-bit integers.
    pub fn i32(&self) -> Type {
        Type(llvm!(LLVMInt32TypeInContext(self.context)))
    }
    /// 64-bit integers.
    pub fn i64(&self) -> Type {
        Type(llvm!(LLVMInt64TypeInContext(self.context)))
    }
    /// An array of bytes.
    pub fn bytes(&self, count: u64) -> Type {
        Type(llvm!(LLVMArrayType2(self.i8().0, count)))
    }
    /// A function type without `...`.
    pub fn function_type(&self, result: Type, parameters: &[Type]) -> Type {
        let mut raw: Vec<_> = parameters.iter().map(|t| t.0).collect();
        Type(llvm!(LLVMFunctionType(
            result.0,
            raw.as_mut_ptr(),
            raw.len() as u32,
            0
        )))
    }
    /// A 64-bit constant.
    pub fn number(&self, value: u64) -> Value {
        Value(llvm!(LLVMConstInt(self.i64().0, value, 0)))
    }
    /// A number as a constant pointer.
    pub fn constant_pointer(&self, value: u64) -> Value {
        let number = self.number(value);
        Value(llvm!(LLVMConstIntToPtr(number.0, self.pointer().0)))
    }
    /// A 32-bit constant.
    pub fn number32(&self, value: u32) -> Value {
        Value(llvm!(LLVMConstInt(self.i32().0, u64::from(value), 0)))
    }
}
