//! Why there is no C library.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::debian::SourceError;

/// What can go wrong when the C library is fetched and compiled.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LibcError {
    /// No place for the cache.
    #[error(
        "there is no directory to keep the compiled C library in: neither XDG_CACHE_HOME nor HOME is set"
    )]
    NoCache,
    /// A file cannot be read or written.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// "read", "write", ...
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The source is not to be had, or a tool does not work.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl LibcError {
    /// A closure that wraps an I/O error.
    pub(super) fn file(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { what, path, source }
    }
}
