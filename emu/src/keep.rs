//! Keeps what a run wrote: does in the root directory, when the run has ended, what the program did to its files.
//!
//! All goes through cap-std, so that nothing outside the directory can be reached, whatever symbolic links the program has made.

use std::io;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Permissions, PermissionsExt as _};
use kernel_model::fs::Change;
use thiserror::Error;

/// Why what a run wrote could not be kept.
#[derive(Debug, Error)]
#[error("--writable: cannot {what} {} below {}: {reason}; what comes after it in the order of names has not been kept", path.display(), root.display())]
pub struct KeepError {
    /// "write", "remove", ...
    what: &'static str,
    /// As the program knows it.
    path: PathBuf,
    /// The directory on the host.
    root: PathBuf,
    /// What the host says.
    reason: io::Error,
}

/// Does these changes below `root`, in their order.
///
/// # Errors
/// The first that the host does not allow. Those before it have been done.
pub fn write(root: &Path, changes: &[Change]) -> Result<(), KeepError> {
    let fail = |what, path: &str| {
        let (path, root) = (PathBuf::from(path), root.to_path_buf());
        move |reason| KeepError {
            what,
            path,
            root,
            reason,
        }
    };
    let directory = Dir::open_ambient_dir(root, ambient_authority()).map_err(fail("write", "/"))?;
    for change in changes {
        match change {
            Change::Remove { path } => remove(&directory, path).map_err(fail("remove", path))?,
            Change::Directory { path } => directory
                .create_dir_all(relative(path))
                .map_err(fail("make the directory", path))?,
            Change::File { path, bytes, mode } => {
                write_file(&directory, path, bytes, *mode).map_err(fail("write", path))?;
            }
            Change::Symlink { path, target } => directory
                .symlink_contents(target, relative(path))
                .map_err(fail("make the symbolic link", path))?,
        }
    }
    Ok(())
}

fn relative(path: &str) -> &Path {
    Path::new(path.trim_start_matches('/'))
}

fn remove(directory: &Dir, path: &str) -> io::Result<()> {
    let path = relative(path);
    match directory.symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => directory.remove_dir_all(path),
        Ok(_) => directory.remove_file(path),
        // The program's own files are in no directory of the host's.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn write_file(directory: &Dir, path: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
    let path = relative(path);
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        directory.create_dir_all(parent)?;
    }
    directory.write(path, bytes)?;
    // A set-user-ID program of the emulated root's is nobody's business on the host.
    directory.set_permissions(path, Permissions::from_mode(mode & 0o777))
}
