//! Source packages of Debian: fetched by apt-get from the archive that the machine itself uses, checked, and unpacked into a cache.
//!
//! Machines seldom list source packages. So apt-get is given lists of its own, made from the machine's by asking for sources where those
//! ask for binaries, and directories of its own for everything it writes: the machine's configuration is only read. Only a package's original
//! archive is used, without Debian's own changes.

mod apt;
mod error;
mod tool;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

pub use error::SourceError;
pub use tool::run;

use apt::Apt;

/// One version of a source package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebianSource {
    /// Its name and Debian's version of it, as apt-get takes them: `bzip2=1.0.8-5`.
    pub package: &'static str,
    /// Its original archive.
    pub archive: &'static str,
    /// The SHA-256 checksum of that, as Debian's index of sources has it.
    pub checksum: &'static str,
    /// The directory in the archive.
    pub directory: &'static str,
}

impl DebianSource {
    /// The directory of the unpacked source in a cache. What is not there yet is fetched first, for all of `sources` at once.
    ///
    /// # Errors
    /// When apt-get cannot get a package, an archive is not the one that is known, or the cache cannot be written.
    pub fn unpacked(&self, cache: &Path, sources: &[Self]) -> Result<PathBuf, SourceError> {
        let directory = cache.join(self.directory);
        if directory.is_dir() {
            return Ok(directory);
        }
        fs::create_dir_all(cache).map_err(SourceError::file("create", cache))?;
        let lock = cache.join("sources.lock");
        let held = File::create(&lock).map_err(SourceError::file("create", &lock))?;
        held.lock().map_err(SourceError::file("lock", &lock))?;
        if directory.is_dir() {
            return Ok(directory);
        }
        let archive = cache.join(self.archive);
        if !archive.is_file() {
            fetch(cache, self, sources)?;
        }
        self.check(&archive)?;
        let making = cache.join("unpack");
        make_empty(&making)?;
        let arguments = [
            OsStr::new("-xf"),
            archive.as_os_str(),
            OsStr::new("-C"),
            making.as_os_str(),
        ];
        run(&format!("unpack {}", self.archive), "tar", arguments)?;
        let inner = making.join(self.directory);
        fs::rename(&inner, &directory).map_err(SourceError::file("write", &directory))?;
        fs::remove_dir(&making).map_err(SourceError::file("remove", &making))?;
        Ok(directory)
    }

    fn check(&self, archive: &Path) -> Result<(), SourceError> {
        let output = run(&format!("check {}", self.archive), "sha256sum", [archive])?;
        // A backslash in front says that the file's name has been escaped.
        let found = output
            .trim_start_matches('\\')
            .split(' ')
            .next()
            .unwrap_or_default();
        if found == self.checksum {
            return Ok(());
        }
        Err(SourceError::Checksum {
            path: archive.to_path_buf(),
            found: found.to_owned(),
            expected: self.checksum,
            package: self.package,
        })
    }
}

/// Fetches the archives that are not in the cache. Only `wanted` must be had.
fn fetch(cache: &Path, wanted: &DebianSource, sources: &[DebianSource]) -> Result<(), SourceError> {
    let package = wanted.package;
    eprintln!("kettle-cc: fetching the source of {package} with apt-get");
    let directory = cache.join("apt");
    make_empty(&directory)?;
    let no_source = |error: SourceError| SourceError::NoSource {
        package,
        message: error.to_string(),
        file: wanted.archive,
        directory: cache.to_path_buf(),
    };
    let apt = Apt::new(&directory).map_err(no_source)?;
    let others = sources.iter().filter(|other| *other != wanted);
    for source in [wanted].into_iter().chain(others) {
        let to = cache.join(source.archive);
        if to.is_file() {
            continue;
        }
        match apt.fetch(source.package) {
            Ok(packages) => {
                let archive = packages.join(source.archive);
                fs::rename(&archive, &to).map_err(SourceError::file("write", &to))?;
            }
            Err(error) if source == wanted => return Err(no_source(error)),
            // Who wants it will say so.
            Err(_) => {}
        }
    }
    fs::remove_dir_all(&directory).map_err(SourceError::file("remove", &directory))
}

fn make_empty(directory: &Path) -> Result<(), SourceError> {
    if directory.exists() {
        fs::remove_dir_all(directory).map_err(SourceError::file("remove", directory))?;
    }
    fs::create_dir_all(directory).map_err(SourceError::file("create", directory))
}
