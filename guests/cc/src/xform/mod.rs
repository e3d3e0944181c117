//! The transformation: one bitcode module in, one out, whose machine frames carry no content at migration points.
//!
//! After it, whatever a possibly migrating function needs across a possibly migrating call is in its *data frame*, a block of neutral
//! memory on the thread's data stack (`__dsp`, and `__dfp` where a function allocates dynamically). So both back ends may lay out
//! their native frames as they like: at such a call a native frame holds a return address, a saved frame pointer, and junk.
//!
//! The phases, one file each, in this order:
//! 1. [`computed_goto`] becomes switch; [`refuse`]: what cannot be made neutral is refused, with function and line;
//! 2. [`points`]: migration points that the user wants besides his own;
//! 3. [`varargs`] and [`abi`]: calls whose lowering differs between the ISAs become plain ones;
//! 4. [`migrating`]: which functions may migrate;
//! 5. for each of them [`calls`] (recorded calls, split blocks), [`liveness`], [`frame`] (the data frame's layout), [`extent`] and
//!    [`dominance`] (where to enter it and to store) and [`rewrite`] (stores, reloads, addresses of locals); [`variables`] and
//!    [`described`] keep what debuggers need;
//! 6. [`symbols`]: names and sections that let the linker place every symbol at one address for both ISAs;
//! 7. `mem2reg`, and nothing else: other passes could carry values across calls again.
//! 2. [`points`]: migration points that the user wants besides his own;
//! 3. [`varargs`] and [`abi`]: calls whose lowering differs between the ISAs become plain ones;
//! 4. [`migrating`]: which functions may migrate;
//! 5. for each of them [`calls`] (recorded calls, split blocks), [`liveness`], [`frame`] (the data frame's layout), [`dominance`] (where to
//!    store) and [`rewrite`] (stores, reloads, addresses of locals); [`variables`] and [`described`] keep what debuggers need;
//! 6. [`symbols`]: names and sections that let the linker place every symbol at one address for both ISAs;
//! 7. `mem2reg`, and nothing else: other passes could carry values across calls again.
