//! The data frame of one function: where its locals and the values live across calls are, relative to the frame's base.
//!
//! ```text
//! base + size   the caller's data frame
//!        ...    saved __dfp (only in a function that allocates dynamically)
//!        ...    slots for the values that are live across recorded calls
//! base          locals (allocas of the entry block)
//! ```

use inkwell::llvm_sys::LLVMOpcode;

use super::ir::{Ir, Lookup, Value};
use super::liveness::Liveness;
use super::resident::Residents;

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

/// A slot of the frame and the values, by position in [`Liveness::spilled`], that share it.
struct Slot {
    offset: u64,
    size: u64,
    owners: Vec<usize>,
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
    /// Lays out the frame. With `sharing`, spilled values that do not conflict share a slot; the largest come first, each into the first slot
    /// that it can have. Resident values have slots of their own.
    pub fn lay_out(
        ir: &Ir<'_>,
        locals: &Locals,
        liveness: &Liveness,
        residents: &Residents,
        sharing: bool,
    ) -> Self {
        let type_of = |p: usize| liveness.values[liveness.spilled[p]].type_of();
        let align_of = |p: usize| ir.align_of(type_of(p)).min(FRAME_ALIGN);
        let mut order: Vec<usize> = (0..liveness.spilled.len()).collect();
        order.sort_by_key(|p| std::cmp::Reverse((align_of(*p), ir.size_of(type_of(*p)))));
        let mut shared: Vec<Slot> = Vec::new();
        let mut end = locals.size;
        let mut slots = Lookup::new();
        for p in order {
            let (size, align) = (ir.size_of(type_of(p)), align_of(p));
            let fits = |slot: &&mut Slot| {
                slot.size >= size
                    && slot.offset.is_multiple_of(align)
                    && !slot.owners.iter().any(|o| liveness.conflict(p, *o))
            };
            let shares = sharing && !residents.contains(liveness.spilled[p]);
            let slot = shared.iter_mut().find(fits).filter(|_| shares);
            let offset = if let Some(slot) = slot {
                slot.owners.push(p);
                slot.offset
            } else {
                let offset = end.next_multiple_of(align);
                end = offset + size;
                if shares {
                    shared.push(Slot {
                        offset,
                        size,
                        owners: vec![p],
                    });
                }
                offset
            };
            slots.insert(liveness.spilled[p], offset);
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
