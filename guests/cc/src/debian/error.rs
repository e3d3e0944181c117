//! Why a source package is not to be had.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// What can go wrong when a source package is fetched and unpacked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SourceError {
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
    /// A tool is missing.
    #[error("cannot {step}: {tool} cannot be run: {source}")]
    NoTool {
        /// What the tool was to do.
        step: String,
        /// Its name.
        tool: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A tool said no.
    #[error("cannot {step}: {tool} says:\n{message}")]
    Tool {
        /// What the tool was to do.
        step: String,
        /// Its name.
        tool: &'static str,
        /// Its output.
        message: String,
    },
    /// The source package is not to be had.
    #[error(
        "the source package {package} cannot be fetched by apt-get ({message}); put {file} of Debian 12 into {} instead",
        directory.display()
    )]
    NoSource {
        /// Its name and version.
        package: &'static str,
        /// What went wrong.
        message: String,
        /// The file that is wanted.
        file: &'static str,
        /// Where it is looked for.
        directory: PathBuf,
    },
    /// The source is not the one that is known.
    #[error(
        "{} has the SHA-256 checksum {found}, not {expected}: it is not the archive of {package} that is known here; remove it",
        path.display()
    )]
    Checksum {
        /// The file.
        path: PathBuf,
        /// What it has.
        found: String,
        /// What it should have.
        expected: &'static str,
        /// The package it should be of.
        package: &'static str,
    },
}

impl SourceError {
    /// A closure that wraps an I/O error.
    pub(super) fn file(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { what, path, source }
    }
}
