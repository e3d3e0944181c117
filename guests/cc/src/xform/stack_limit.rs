//! What does not fit the data stack faults where it is entered, as on a stack whose every page is touched, and never lands in the memory below.
//!
//! The thread-local `__kettle_stack_limit` is the lowest byte of the data stack that the thread is on; the runtime keeps it. A frame of more than
//! [`UNCHECKED`] bytes, and every array of run-time size, is held against it before `__dsp` moves. There is no branch: a byte is read either
//! of what has been allocated, or just below the limit, where the stack's guard lies, and then at address 0 for stacks that have no guard.
//! Smaller frames rely on the guard. So do native stacks: there the back ends touch a large frame bit by bit.

use super::DataStack;
use super::ir::{Ir, Value};

/// Bytes that a frame may have without being checked: half of the smallest guard, a page, so that a frame which is hardly used is no way round it.
const UNCHECKED: u64 = 2048;
/// What is read below the limit lies so far below it.
const INTO_GUARD: i64 = -16;

/// How a function that cannot migrate is compiled: the native guard is 16 KiB (`runtime/native/area.c`), and the return address of one more call
/// must not lie beyond it.
const PROBES: [(&str, &str); 2] = [("probe-stack", "inline-asm"), ("stack-probe-size", "8192")];

/// Lets native frames of `function` be touched bit by bit where they are large.
pub fn probe_native_frames(ir: &Ir<'_>, function: Value) {
    for (name, value) in PROBES {
        ir.add_text_attribute(function, name, value);
    }
}

/// Checks, where the builder is, a frame of `size` bytes with its lowest at `base`.
pub fn check_frame(ir: &Ir<'_>, stack: DataStack, base: Value, size: u64) {
    if size > UNCHECKED {
        let limit = ir.load(ir.i64(), stack.limit);
        let fits = ir.is_at_most(limit, ir.pointer_to_integer(base));
        fault_unless(ir, fits, base, limit);
    }
}

/// Checks, where the builder is, an array that begins at `address`. `low` is that address before it was aligned, `top` the end of what is free.
pub fn check_array(ir: &Ir<'_>, stack: DataStack, address: Value, low: Value, top: Value) {
    let limit = ir.load(ir.i64(), stack.limit);
    let above = ir.is_at_most(limit, ir.pointer_to_integer(address));
    // A size beyond all memory has gone round to the other end of it.
    let fits = ir.and(above, ir.is_at_most(low, top));
    fault_unless(ir, fits, address, limit);
}

fn fault_unless(ir: &Ir<'_>, fits: Value, address: Value, limit: Value) {
    let guard = ir.offset(ir.integer_to_pointer(limit), INTO_GUARD);
    for elsewhere in [guard, ir.pointer().zero()] {
        let read = ir.load(ir.i8(), ir.select(fits, address, elsewhere));
        read.set_volatile();
    }
}
