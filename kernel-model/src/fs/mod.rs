//! Files as the guests see them: a read-only root, the console, and the tables of open files.
//!
//! The kernel model does no I/O: `emu` implements [`RootFs`] over a directory of the host. Left out: writing to files, directories
//! beyond lookup, pipes, sockets, permissions (everybody is root and everything is read-only).

mod table;

use std::rc::Rc;

use isa::{Errno, Isa};
use isa::layout::Stat;

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
