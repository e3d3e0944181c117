//! The machine-code verifier: proves that nothing but the described state is live across a possibly migrating call.
//!
//! A frame that is rebuilt on the other ISA holds its saved frame pointer, its return address and nothing else; of the registers
//! only SP, FP and the return value are defined. Whatever else the code behind the call reads is *poison*. For every call site
//! the verifier starts behind the call with everything else poisoned and follows the code forward to the next migrating call:
//! poison may be moved (an epilogue restores callee-saved registers from poisoned slots, and its caller takes them for poison
//! again), but computing with it, comparing, branching, addressing, storing it outside the frame, passing it to a call or
//! returning it is a violation. So is a return with a wrong SP, FP or return address.
//!
//! The way there: [`image`] finds a function's bytes, [`x86_64`] and [`aarch64`] lower each instruction once to a few
//! [`effect`]s, [`apply`] runs those on an abstract [`state`], [`tables`] finds where jump tables lead, and [`driver`] iterates to
//! the fixpoint. All sites of a function are followed together; only a function with findings is followed again site by site, to say
//! which call is to blame.
//!
//! Trusted: capstone's decoding, the call-site table, the ABI (a native callee keeps callee-saved registers). Not modelled, and
//! therefore reported as unresolved when met: AVX, x87, MMX, SVE, run-time sized stack frames. An access to a stack slot with
//! a run-time index counts as an access to the slot's first element.

mod aarch64;
mod aarch64_memory;
mod abi;
mod apply;
mod driver;
mod effect;
mod image;
mod report;
mod state;
mod tables;
mod x86_64;
mod x86_64_integer;
mod x86_64_simd;

pub use driver::verify;
pub use report::{Report, Unresolved, VerifyError, VerifySite, Violation};
