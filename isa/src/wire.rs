//! The register sets that Popcorn sends: `regset_x86_64`, `regset_aarch64` and `field_arch` of the 5.2 kernel, byte for byte.
//!
//! Source: include/popcorn/regset.h and arch/*/kernel/process_server.c of the Popcorn 5.2.21 kernel. The sets are also the user
//! ABI: a migrating thread passes the bare set, in the *destination's* format, as `uregs`. Everything is little-endian and
//! unaligned, because `field_arch` sits at odd offsets of packed messages. Left out: the ppc64 set.

mod aarch64;
mod field_arch;
mod x86_64;

pub use aarch64::RegsetAarch64;
pub use field_arch::{FieldArch, Regset, RegsetSize};
pub use x86_64::RegsetX86_64;
