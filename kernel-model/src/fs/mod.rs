//! Files as the guests see them: a root that is read-only below and written to in memory, the console, pipes, and the tables of open files.
//!
//! The kernel model does no I/O: `emu` implements [`RootFs`] over a directory of the host. What programs change lies over it as an overlay of a
//! [`FileSystem`] of this node's; other nodes do not see it, which is why a remote thread's file calls run at home. Everybody is root: permissions are
//! kept and not enforced. Left out: sockets, device files beyond five of memory's, access times, extended attributes.

mod changes;
mod directory;
mod inode;
mod path;
mod pipe;
mod table;

use std::rc::Rc;

use isa::layout::{FileType, Stat};
use isa::{Errno, Isa};

pub use changes::Change;
pub use directory::Renaming;
pub use inode::{Device, Inode, InodeKind};
pub use path::{FileSystem, Found, directory_path, resolve};
pub use pipe::{Pipe, PipeEnd};
pub use table::{Description, FdTarget, FileTable};

/// A regular file's contents. Those of the root do not change during a run.
pub trait File {
    /// Length in bytes.
    fn len(&self) -> u64;
    /// Whether it has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Reads at an offset; returns how many bytes there were.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> usize;
    /// What fstat(2) says, less its inode number.
    fn stat(&self) -> Stat;
}

/// The root file system of a node, as it is before anybody writes.
pub trait RootFs {
    /// Opens a file by absolute path. A path that names a multi-ISA program gives the binary of `isa`.
    fn open(&self, path: &str, isa: Isa) -> Result<Rc<dyn File>, Errno>;
    /// What is in a directory, by absolute path, in any order. ENOENT and ENOTDIR where there is none.
    fn list(&self, path: &str) -> Result<Vec<RootEntry>, Errno>;
}

/// One name in a directory of the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootEntry {
    /// The name.
    pub name: String,
    /// What it names.
    pub kind: RootEntryKind,
}

/// What a name in a directory of the root stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootEntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, and what it says.
    Symlink(String),
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
