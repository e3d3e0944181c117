//! The data frame of one function: where its locals and the values live across calls are, relative to the frame's base.
//!
//! ```text
//! base + size   the caller's data frame
//!        ...    saved __dfp (only in a function that allocates dynamically)
//!        ...    one slot for each value that is live across a recorded call
//! base          locals (allocas of the entry block)
//! ```

use inkwell::llvm_sys::LLVMOpcode;

use super::ir::{Ir, Lookup, Value};
use super::liveness::Liveness;

/// Data frames, and so `__dsp`, are multiples of this.
pub const FRAME_ALIGN: u64 = 16;

/// The locals of a function.
#[derive(Debug)]
pub struct Locals {
    /// Allocas of constant size in the entry block: they get a place in the frame.
    pub fixed: Vec<Value>,
    /// Offset of each of `fixed`.
    pub offsets: Lookup<Value, u64>,
    /// Allocas that move `__dsp` when they are executed.
    pub dynamic: Vec<Value>,
    size: u64,
}

/// The layout of a data frame.
#[derive(Debug)]
pub struct Frame {
    /// Offset of the slot of each spilled value, by its index in [`Liveness`].
    pub slots: Lookup<usize, u64>,
    /// Offset of the caller's `__dfp`.
    pub saved_dfp: Option<u64>,
    /// Bytes, a multiple of [`FRAME_ALIGN`]; 0 when there is nothing to keep.
    pub size: u64,
}

impl Locals {
    /// Finds and places the locals of `function`.
    pub fn of(ir: &Ir<'_>, function: Value) -> Self {
        let mut locals = Self {
            fixed: Vec::new(),
            offsets: Lookup::new(),
            dynamic: Vec::new(),
            size: 0,
        };
        let entry = function.entry();
        for alloca in function.instructions() {
            if !alloca.is(LLVMOpcode::LLVMAlloca) {
                continue;
            }
            match alloca
                .operand(0)
                .as_constant_integer()
                .filter(|_| alloca.block() == entry)
            {
                Some(count) => {
                    let bytes = ir.size_of(alloca.allocated_type()) * count;
                    locals.place(alloca, bytes, alloca.alignment().max(1));
                }
                None => locals.dynamic.push(alloca),
            }
        }
        locals
    }

    fn place(&mut self, alloca: Value, bytes: u64, align: u64) {
        let offset = self.size.next_multiple_of(align.min(FRAME_ALIGN));
        // The base is only aligned to 16: room to round the address up at run time.
        let room = if align > FRAME_ALIGN { align } else { 0 };
        self.offsets.insert(alloca, offset);
        self.fixed.push(alloca);
        self.size = offset + bytes + room;
    }
}

impl Frame {
    /// Lays out the frame: each spilled value has a slot of its own.
    pub fn lay_out(ir: &Ir<'_>, locals: &Locals, liveness: &Liveness) -> Self {
        let type_of = |k: &usize| liveness.values[*k].type_of();
        let mut order = liveness.spilled.clone();
        order.sort_by_key(|k| std::cmp::Reverse(ir.align_of(type_of(k))));
        let mut end = locals.size;
        let mut slots = Lookup::new();
        for k in order {
            let offset = end.next_multiple_of(ir.align_of(type_of(&k)).min(FRAME_ALIGN));
            slots.insert(k, offset);
            end = offset + ir.size_of(type_of(&k));
        }
        let saved_dfp = (!locals.dynamic.is_empty()).then(|| {
            let offset = end.next_multiple_of(8);
            end = offset + 8;
            offset
        });
        Self {
            slots,
            saved_dfp,
            size: end.next_multiple_of(FRAME_ALIGN),
        }
    }
}
