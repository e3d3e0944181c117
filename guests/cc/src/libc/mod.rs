//! The C library: musl, compiled as one neutral bitcode, so that threads migrate inside it like inside the program.
//!
//! musl's source comes from Debian's source package ([`source`]); what is ISA-specific in it is replaced by an overlay (guests/runtime/musl):
//! an architecture of its own, whose system calls have Linux's generic numbers and x86_64's structures. What must be native (start, threads,
//! system calls, migration) is the rest of the runtime ([`crate::runtime`]), whose compiled form is kept with the library in a
//! cache ([`cache`]). A program takes from the library what it uses, and its own definitions go before the library's.
//!
//! Left out: dynamic linking, other locales' character sets, floating-point environments (musl's generic, empty ones).

mod cache;
mod compile;
mod error;
mod headers;
mod link;
mod source;

use std::path::{Path, PathBuf};

pub use cache::default_directory;
pub use error::LibcError;

use crate::BuildError;
use crate::runtime::{EMBEDDED, Runtime};

/// The version of musl; the source package is Debian 12's.
const VERSION: &str = "1.2.3";

/// A compiled C library, with the runtime that completes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Libc {
    directory: PathBuf,
    runtime: Runtime,
}

impl Libc {
    /// Native functions of the library that return into rebuilt frames, so that their calls must be recorded as those of migrate() are.
    pub const ROOTS: &[&str] = &["setjmp", "_setjmp", "sigsetjmp"];

    /// The library in a cache directory, fetched and compiled first where it is not there yet; that takes a minute or two and is told on
    /// standard error.
    ///
    /// # Errors
    /// What of it could not be had, compiled or written.
    pub fn prepare(cache: &Path) -> Result<Self, BuildError> {
        let directory = cache::entry(cache, &cache::library_name()?, &|to| {
            let source = source::unpacked(cache)?;
            headers::install(&source, &to.join("include"))?;
            Ok(compile::library(&source, to)?)
        })?;
        let runtime = Runtime::embedded(directory.join("include"));
        let name = cache::runtime_name(&directory, &runtime);
        let compiled = cache::entry(cache, &name, &|to| runtime.compile_into(to))?;
        Ok(Self {
            directory,
            runtime: runtime.compiled_in(compiled),
        })
    }

    /// Where its headers are.
    pub(crate) fn headers(&self) -> PathBuf {
        self.directory.join("include")
    }

    /// What is linked into each program besides.
    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    fn bitcode(&self) -> PathBuf {
        self.directory.join("libc.bc")
    }
}

/// The directory of musl's source in a cache directory, fetched first where it is not there yet.
///
/// # Errors
/// Why it cannot be fetched or unpacked.
pub fn source(cache: &Path) -> Result<PathBuf, LibcError> {
    source::unpacked(cache)
}

/// The overlay's files: names below `guests/runtime/musl`, and texts.
fn overlay() -> impl Iterator<Item = (&'static str, &'static str)> {
    EMBEDDED
        .iter()
        .filter_map(|(name, text)| Some((name.strip_prefix("musl/")?, *text)))
}
