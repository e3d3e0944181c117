//! The C library: musl, compiled as one neutral bitcode, so that threads migrate inside it like inside the program.
//!
//! musl's source comes from Debian's source package ([`source`]); what is ISA-specific in it is replaced by an overlay (guests/libc/musl):
//! an architecture of its own, whose system calls have Linux's generic numbers and x86_64's structures. What must be native (start, threads,
//! system calls) is in guests/libc/native, and migration itself is the freestanding runtime's. The compiled library is kept in a
//! cache ([`cache`]); a program takes from it what it uses, and its own definitions go before the library's.
//!
//! Left out: dynamic linking, constructors, other locales' character sets, floating-point environments (musl's generic, empty ones).

mod cache;
mod compile;
mod error;
mod headers;
mod link;
mod source;

use std::path::{Path, PathBuf};

pub use cache::default_directory;
pub use error::LibcError;

use crate::runtime::{Runtime, SourceFile};

/// The version of musl; the source package is Debian 12's.
const VERSION: &str = "1.2.3";

/// Kettle's parts of the library as of this build of the driver: `musl/...` the overlay, the rest linked into each program.
const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/libc_files.rs"));

/// What the library takes from the freestanding runtime.
const SHARED: &[&str] = &[
    "node.c",
    "native/arch.c",
    "native/arch.h",
    "native/callsites.c",
    "native/callsites.h",
    "native/frames.c",
    "native/frames.h",
    "native/link.h",
    "native/memory.c",
    "native/migrate.c",
    "native/regset.h",
    "native/aarch64/migrate.S",
    "native/aarch64/syscall.S",
    "native/x86_64/migrate.S",
    "native/x86_64/syscall.S",
];

/// A compiled C library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Libc {
    directory: PathBuf,
}

impl Libc {
    /// Native functions of the library that return into rebuilt frames, so that their calls must be recorded as those of migrate() are.
    pub const ROOTS: &[&str] = &["setjmp", "_setjmp", "sigsetjmp"];

    /// The library in a cache directory, fetched and compiled first where it is not there yet; that takes a minute or two and is told on
    /// standard error.
    pub fn prepare(cache: &Path) -> Result<Self, LibcError> {
        let directory = cache::library(cache, &|to| {
            let source = source::unpacked(cache)?;
            headers::install(&source, &to.join("include"))?;
            compile::library(&source, to)
        })?;
        Ok(Self { directory })
    }

    /// Flags of the front end by which C code sees the library's headers.
    pub fn flags(&self) -> Vec<String> {
        vec![
            "-fbuiltin".into(),
            "-isystem".into(),
            self.directory.join("include").display().to_string(),
        ]
    }

    /// What is linked into each program besides.
    pub fn runtime(&self) -> Runtime {
        let mut files: Vec<SourceFile> = Runtime::embedded()
            .files()
            .iter()
            .filter(|f| f.name.starts_with("include/") || SHARED.contains(&f.name.as_str()))
            .cloned()
            .collect();
        files.extend(
            EMBEDDED
                .iter()
                .filter(|(name, _)| !name.starts_with("musl/") && !name.starts_with("include/"))
                .map(|(name, text)| SourceFile {
                    name: (*name).into(),
                    text: (*text).into(),
                }),
        );
        Runtime::from_files(files).with_flags(self.flags())
    }

    fn bitcode(&self) -> PathBuf {
        self.directory.join("libc.bc")
    }
}

/// The overlay's files: names below `guests/libc/musl`, and texts.
fn overlay() -> impl Iterator<Item = (&'static str, &'static str)> {
    EMBEDDED
        .iter()
        .filter_map(|(name, text)| Some((name.strip_prefix("musl/")?, *text)))
}
