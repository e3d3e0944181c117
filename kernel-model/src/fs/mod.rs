//! Files as the guests see them: a read-only root, the console, and the tables of open files.
//!
//! The kernel model does no I/O: `emu` implements [`RootFs`] over a directory of the host. Left out: writing to files, directories
//! beyond lookup, pipes, sockets, permissions (everybody is root and everything is read-only).

mod table;

use std::rc::Rc;

use isa::layout::{FileType, Stat};
use isa::{Errno, Isa};

pub use table::{Description, FdTarget, FileTable};

/// A regular file's contents: immutable during a run.
pub trait File {
    /// Length in bytes.
    fn len(&self) -> u64;
    /// Whether it has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Reads at an offset; returns how many bytes there were.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> usize;
    /// What fstat(2) says.
    fn stat(&self) -> Stat;
}

/// The root file system of a node.
pub trait RootFs {
    /// Opens a file by absolute path. A path that names a multi-ISA program gives the binary of `isa`.
    fn open(&self, path: &str, isa: Isa) -> Result<Rc<dyn File>, Errno>;
}

/// What fstat(2) says of the console: a terminal of root's.
pub fn console_stat() -> Stat {
    const PTS: u64 = 136 << 8;
    Stat {
        ino: 3,
        mode: FileType::CharDevice.mode_bits() | 0o620,
        nlink: 1,
        rdev: PTS,
        blksize: 1024,
        ..Stat::default()
    }
}

/// An absolute path without `.`, `..` and doubled slashes; a relative one begins at the working directory, which is the root.
pub fn resolve(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_under_the_root() {
        let cases = [
            ("/a/b", "/a/b"),
            ("a", "/a"),
            ("./a//b/.", "/a/b"),
            ("/../../etc", "/etc"),
            ("/a/../b", "/b"),
            ("", "/"),
            ("/", "/"),
        ];
        for (given, resolved) in cases {
            assert_eq!(resolve(given), resolved, "{given:?}");
        }
    }
}
