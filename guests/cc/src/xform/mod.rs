//! The transformation: one bitcode module in, one out, whose machine frames carry no content at migration points.
//!
//! After it, whatever a possibly migrating function needs across a possibly migrating call is in its *data frame*, a block of neutral
//! memory on the thread's data stack (`__dsp`, and `__dfp` where a function allocates dynamically). So both back ends may lay out
//! their native frames as they like: at such a call a native frame holds a return address, a saved frame pointer, and junk.
//!
//! The phases, one file each, in this order:
//! 1. [`computed_goto`] becomes switch, [`constructors`] become tables; [`refuse`]: what cannot be made neutral is refused, with function and line;
//! 2. [`points`]: migration points that the user wants besides his own;
//! 3. [`varargs`] and [`abi`]: calls whose lowering differs between the ISAs become plain ones;
//! 4. [`migrating`]: which functions may migrate;
//! 5. for each of them [`calls`] (recorded calls, split blocks), [`liveness`], [`frame`] (the data frame's layout), [`extent`] and
//!    [`dominance`] (where to enter it and to store) and [`rewrite`] (stores, reloads, addresses of locals), with [`stack_limit`] where it is large;
//!    [`variables`] and [`described`] keep what debuggers need;
//! 6. [`symbols`]: names and sections that let the linker place every symbol at one address for both ISAs;
//! 7. `mem2reg`, and nothing else: other passes could carry values across calls again.

mod abi;
mod calls;
mod computed_goto;
mod constructors;
mod described;
mod dominance;
mod extent;
mod frame;
mod ir;
mod library_calls;
mod liveness;
mod migrating;
mod points;
mod refuse;
mod resident;
mod rewrite;
mod signatures;
mod stack_limit;
mod symbols;
mod varargs;
mod variables;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use inkwell::context::Context;
use isa::dataframes::DataFrames;

pub use points::MigrationPoints;
pub use refuse::Refusal;
pub use rewrite::BACK_END_ATTRIBUTES;
pub use symbols::External;

use crate::signature::Signature;
use crate::strictness::{FOLDED_CONSTANTS, SPLIT_BLOCKS, Strictness};
use ir::{FUNCTION_INDEX, Ir, Value};

/// What the transformation needs to know besides the module.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Natively defined functions that may migrate the calling thread.
    pub roots: Vec<String>,
    /// Symbols of native objects: a symbol local to the module may not take one of these names.
    pub native_symbols: BTreeSet<String>,
    /// Which migration points are put in; not the manual ones only if the program's modules have been marked ([`mark_program`]).
    pub points: MigrationPoints,
    /// What native objects and the linker define.
    pub defined_elsewhere: BTreeSet<String>,
    /// Whether debug information stays in the output.
    pub keep_debug_info: bool,
    /// The measures to take.
    pub strictness: Strictness,
}

/// What came out besides the module.
#[derive(Clone, Debug, Default)]
pub struct Transformed {
    /// Where the variables of the source are.
    pub data_frames: DataFrames,
    /// For each call site, by site id: the function it is in.
    pub sites: Vec<String>,
    /// For each call site, by site id: the signature of what it calls, where that is known.
    pub called: Vec<Option<Signature>>,
    /// The signatures of functions, by name, where they are known.
    pub signatures: BTreeMap<String, Signature>,
    /// The functions that may migrate, in module order.
    pub migrating: Vec<String>,
    /// Functions and variables that the module uses and does not define.
    pub declared: Vec<String>,
    /// Functions and variables that the module defines.
    pub defined: Vec<String>,
}

/// Why there is no output.
#[derive(Debug)]
pub enum Failure {
    /// The program uses what cannot migrate.
    Refused(Vec<Refusal>),
    /// The program uses what nobody defines.
    Incomplete(Vec<Refusal>),
    /// LLVM could not read, verify or write the module.
    Llvm(String),
}

/// The thread-local pointers into the data stack.
#[derive(Clone, Copy, Debug)]
struct DataStack {
    /// Lowest byte in use.
    dsp: Value,
    /// Base of the frame of a function that allocates dynamically.
    dfp: Value,
    /// Lowest byte that may be used, as a number.
    limit: Value,
}

/// The external symbols of the module in a file; an error is LLVM's message.
pub fn external(input: &Path) -> Result<External, String> {
    let context = Context::create();
    Ok(symbols::external(&Ir::read(&context, input)?))
}

/// The library functions that the back ends will call for the module in a file; an error is LLVM's message.
pub fn library_calls(input: &Path) -> Result<BTreeSet<String>, String> {
    let context = Context::create();
    Ok(library_calls::of(&Ir::read(&context, input)?))
}

/// Marks the module in a file as one of the program's, in place; an error is LLVM's message.
pub fn mark_program(module: &Path, points: MigrationPoints) -> Result<(), String> {
    let context = Context::create();
    let ir = Ir::read(&context, module)?;
    points::mark(&ir, points);
    if ir.write(module) {
        Ok(())
    } else {
        Err(format!("cannot write {}", module.display()))
    }
}

/// Transforms the module in `input` and writes it to `output`.
pub fn transform(input: &Path, output: &Path, options: &Options) -> Result<Transformed, Failure> {
    let context = Context::create();
    let ir = Ir::read(&context, input).map_err(Failure::Llvm)?;
    symbols::settle_weak(&ir, &options.native_symbols).map_err(Failure::Llvm)?;
    computed_goto::lower(&ir);
    constructors::lower(&ir);
    refused(refuse::check_module(&ir, &options.roots))?;
    if options.points != MigrationPoints::Manual {
        points::insert(&ir).map_err(Failure::Llvm)?;
    }
    let missing = refuse::check_complete(&ir, &options.defined_elsewhere);
    if !missing.is_empty() {
        return Err(Failure::Incomplete(missing));
    }
    let stack = DataStack {
        dsp: ir.define_thread_local_pointer("__dsp"),
        dfp: ir.define_thread_local_pointer("__dfp"),
        limit: ir.define_thread_local_pointer("__kettle_stack_limit"),
    };
    refused(varargs::neutralise(&ir))?;
    refused(abi::neutralise(&ir))?;
    // The back ends' loop passes move what has constant operands out of loops, and so over recorded calls.
    if options.strictness.takes(FOLDED_CONSTANTS) {
        ir.simplify_instructions().map_err(Failure::Llvm)?;
    }
    let set = migrating::MaybeMigrating::of(&ir, &options.roots);
    let migrating = set.defined(&ir);
    refused(refuse::check_migrating(&migrating))?;
    for function in ir.defined_functions() {
        if !set.contains(function) {
            stack_limit::probe_native_frames(&ir, function);
        }
    }
    let mut sites: Vec<Value> = Vec::new();
    let mut called = Vec::new();
    let mut described = Vec::new();
    for function in &migrating {
        let keep = options.keep_debug_info;
        let calls = calls::record(&ir, *function, &set, stack, &mut sites, keep);
        let signature = |call: &Value| signatures::of(&ir, call.called_type());
        called.extend(calls.iter().map(signature));
        described.push(rewrite::rewrite(&ir, *function, &calls, stack));
        if let Some(attribute) = options.strictness.left_out() {
            function.remove_attribute(FUNCTION_INDEX, attribute);
        }
    }
    symbols::settle(&ir, &options.native_symbols);
    let well_formed = || {
        ir.verify()
            .map_err(|e| Failure::Llvm(format!("ill-formed module: {e}")))
    };
    well_formed()?;
    ir.promote_memory_to_registers().map_err(Failure::Llvm)?;
    if !options.strictness.takes(SPLIT_BLOCKS) {
        ir.merge_blocks().map_err(Failure::Llvm)?;
    }
    if !options.keep_debug_info {
        ir.strip_debug_info();
    }
    well_formed()?;
    if !ir.write(output) {
        return Err(Failure::Llvm(format!("cannot write {}", output.display())));
    }
    let (declared, defined) = symbols::names(&ir);
    Ok(Transformed {
        data_frames: described::table(&described),
        sites: sites.into_iter().map(Value::name).collect(),
        called,
        signatures: signatures::of_functions(&ir),
        migrating: migrating.into_iter().map(Value::name).collect(),
        declared,
        defined,
    })
}

fn refused(refusals: Vec<Refusal>) -> Result<(), Failure> {
    if refusals.is_empty() {
        Ok(())
    } else {
        Err(Failure::Refused(refusals))
    }
}
