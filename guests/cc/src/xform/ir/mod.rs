//! The thin layer over LLVM's C interface: the only place of the compiler driver with `unsafe` code.
//!
//! The transformation takes functions apart: it moves basic blocks between functions, re-creates calls with operand bundles,
//! replaces operands. inkwell's typed wrappers cover only part of that, so this layer wraps the C interface itself in plain `Copy`
//! handles ([`Value`], [`Type`], [`Block`]). The handles carry no lifetime: two rules, kept by `xform`, make them sound in use:
//! a handle comes from the one live [`Ir`], and a value that has been erased is not touched again.
//!
//! Handles are ordered by address only to be looked up ([`Lookup`]); nothing iterates in that order, so that the output does not
//! depend on where LLVM's allocator put things.
#![expect(
    unsafe_code,
    reason = "LLVM's C interface is unsafe by nature; it is fenced in this directory"
)]

/// One call into LLVM's C interface.
macro_rules! llvm {
    ($call:expr) => {{
        // SAFETY: the handles passed were obtained from the one live module and not erased since (rules of this layer, see `ir`);
        // pointers to arrays come from vectors that outlive the call, with their own lengths.
        unsafe { $call }
    }};
}

mod attribute;
mod builder;
mod debug;
mod module;
mod value;

pub use attribute::{FUNCTION_INDEX, RETURN_INDEX, kind};
pub use debug::{DebugRecord, Instance};
pub use module::Ir;
pub use value::{Block, Lookup, Type, Value};
