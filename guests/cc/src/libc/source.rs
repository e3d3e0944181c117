//! musl's source: Debian 12's package, as [`crate::debian`] gets it.

use std::path::{Path, PathBuf};

use super::LibcError;
use crate::debian::DebianSource;

/// The source package.
pub const MUSL: DebianSource = DebianSource {
    package: "musl=1.2.3-1",
    archive: "musl_1.2.3.orig.tar.gz",
    checksum: "7d5b0b6062521e4627e099e4c9dc8248d32a30285e959b7eecaa780cf8cfd4a4",
    directory: "musl-1.2.3",
};

/// The directory of the unpacked source.
pub fn unpacked(cache: &Path) -> Result<PathBuf, LibcError> {
    Ok(MUSL.unpacked(cache, &[])?)
}
