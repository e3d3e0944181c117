//! Where the compiled library and runtime are kept, one directory for each: named by a hash of all that goes into one.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use super::{LibcError, VERSION, compile, overlay, source};
use crate::BuildError;
use crate::backend::NATIVE_FLAGS;
use crate::debian;
use crate::frontend::NEUTRAL_FLAGS;
use crate::runtime::Runtime;
use crate::tools::CLANG;

/// What cargo leaves in its target directory.
const CARGO_MARK: &str = "CACHEDIR.TAG";

/// The cache of this compiler: `kettle` in the target directory when it runs from there, else in the user's cache directory.
#[expect(
    clippy::disallowed_methods,
    reason = "where a user's caches are is said by the environment only"
)]
pub fn default_directory() -> Result<PathBuf, LibcError> {
    let own = std::env::current_exe().unwrap_or_default();
    if let Some(target) = own.ancestors().find(|d| d.join(CARGO_MARK).is_file()) {
        return Ok(target.join("kettle"));
    }
    let of = |name: &str| std::env::var(name).ok().filter(|d| !d.is_empty());
    let caches = of("XDG_CACHE_HOME").map(PathBuf::from);
    let caches = caches.or_else(|| Some(PathBuf::from(of("HOME")?).join(".cache")));
    Ok(caches.ok_or(LibcError::NoCache)?.join("kettle"))
}

/// The directory of one thing that is kept in a cache; when it is not there, `make` fills a new one. Others that want it at the same time wait.
pub fn entry(
    cache: &Path,
    name: &str,
    make: &dyn Fn(&Path) -> Result<(), BuildError>,
) -> Result<PathBuf, BuildError> {
    let directory = cache.join(name);
    if directory.is_dir() {
        return Ok(directory);
    }
    fs::create_dir_all(cache).map_err(BuildError::file("create", cache))?;
    let lock = cache.join("lock");
    let held = File::create(&lock).map_err(BuildError::file("create", &lock))?;
    held.lock().map_err(BuildError::file("lock", &lock))?;
    if directory.is_dir() {
        return Ok(directory);
    }
    // Only what is complete gets its name.
    let making = cache.join(format!("{name}.part"));
    if making.exists() {
        fs::remove_dir_all(&making).map_err(BuildError::file("remove", &making))?;
    }
    fs::create_dir_all(&making).map_err(BuildError::file("create", &making))?;
    make(&making)?;
    fs::rename(&making, &directory).map_err(BuildError::file("write", &directory))?;
    Ok(directory)
}

/// The name of the library that this compiler makes.
pub fn library_name() -> Result<String, LibcError> {
    let mut hasher = DefaultHasher::new();
    source::MUSL.checksum.hash(&mut hasher);
    compile::FLAGS.hash(&mut hasher);
    for file in overlay() {
        file.hash(&mut hasher);
    }
    debian::run("tell clang's version", CLANG, ["--version"])?.hash(&mut hasher);
    Ok(format!("musl-{VERSION}-{:016x}", hasher.finish()))
}

/// The name of a runtime that is compiled on the library in a directory.
pub fn runtime_name(library: &Path, runtime: &Runtime) -> String {
    let mut hasher = DefaultHasher::new();
    library.file_name().hash(&mut hasher);
    for file in runtime.files() {
        file.hash(&mut hasher);
    }
    (NEUTRAL_FLAGS, NATIVE_FLAGS).hash(&mut hasher);
    format!("runtime-{:016x}", hasher.finish())
}
