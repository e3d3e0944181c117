//! The table of open files of a process with its working directory and file mode mask, and the console's three descriptors.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use isa::Errno;
use isa::layout::OpenFlags;

use super::{Inode, PipeEnd};

/// What an open file description leads to.
pub enum FdTarget {
    /// Standard input: these bytes, and then its end.
    ConsoleIn(Rc<[u8]>),
    /// Standard output or error of the cluster; the number says which.
    ConsoleOut(i32),
    /// A file, directory or device.
    File {
        /// What was opened.
        inode: Rc<Inode>,
        /// The absolute path it was opened by; empty for a directory, which knows where it is.
        path: Rc<str>,
    },
    /// One end of a pipe.
    Pipe(PipeEnd),
}

/// What getdents64(2) tells of a directory: number, type and name of each entry.
pub type Listing = Rc<[(u64, u8, String)]>;

/// An open file description: shared by descriptors that were duplicated.
pub struct Description {
    /// Where it leads.
    pub target: FdTarget,
    /// The file offset.
    pub offset: Cell<u64>,
    /// How it was opened; `APPEND` and `NONBLOCK` can change.
    pub flags: Cell<OpenFlags>,
    /// Of a directory: its entries as they were when it was last read from its beginning.
    pub listing: RefCell<Option<Listing>>,
}

impl Description {
    /// A description at offset 0.
    pub fn new(target: FdTarget, flags: OpenFlags) -> Rc<Self> {
        Rc::new(Self {
            target,
            offset: Cell::new(0),
            flags: Cell::new(flags),
            listing: RefCell::default(),
        })
    }
}

/// A descriptor.
#[derive(Clone)]
struct Slot {
    description: Rc<Description>,
    close_on_exec: bool,
}

/// What threads of a process share about files (`files_struct` and `fs_struct`).
pub struct FileTable {
    open: RefCell<BTreeMap<i32, Slot>>,
    /// The working directory, if it is not the top.
    pub cwd: RefCell<Option<Rc<Inode>>>,
    /// Permissions that new files do not get.
    pub umask: Cell<u32>,
}

/// Most descriptors a process may have (RLIMIT_NOFILE's usual soft limit).
const MAX_DESCRIPTORS: usize = 1024;
/// The mask of a new process.
const UMASK: u32 = 0o022;

impl FileTable {
    /// The table of a new process: 0, 1 and 2 are the console, from which `input` can be read.
    pub fn console(input: Rc<[u8]>) -> Rc<Self> {
        let table = Self::empty();
        for (fd, target) in [
            (0, FdTarget::ConsoleIn(input)),
            (1, FdTarget::ConsoleOut(1)),
            (2, FdTarget::ConsoleOut(2)),
        ] {
            let slot = Slot {
                description: Description::new(target, OpenFlags::RDWR),
                close_on_exec: false,
            };
            table.open.borrow_mut().insert(fd, slot);
        }
        table
    }

    /// A table without descriptors: what guest threads of a process have on K44 and K52.
    pub fn empty() -> Rc<Self> {
        Rc::new(Self {
            open: RefCell::default(),
            cwd: RefCell::default(),
            umask: Cell::new(UMASK),
        })
    }

    /// Whether a process may have such a descriptor.
    pub fn may_have(fd: i32) -> bool {
        (0..MAX_DESCRIPTORS as i32).contains(&fd)
    }

    /// The description behind a descriptor, or EBADF.
    pub fn get(&self, fd: i32) -> Result<Rc<Description>, Errno> {
        let open = self.open.borrow();
        let slot = open.get(&fd).ok_or(Errno::EBADF)?;
        Ok(Rc::clone(&slot.description))
    }

    /// Opens the lowest free descriptor that is not below `least`; EMFILE when the table is full.
    pub fn install(
        &self,
        description: Rc<Description>,
        least: i32,
        close_on_exec: bool,
    ) -> Result<u64, Errno> {
        let mut open = self.open.borrow_mut();
        let fd = (least.max(0)..MAX_DESCRIPTORS as i32)
            .find(|fd| !open.contains_key(fd))
            .ok_or(Errno::EMFILE)?;
        let slot = Slot {
            description,
            close_on_exec,
        };
        open.insert(fd, slot);
        Ok(fd.unsigned_abs().into())
    }

    /// Makes `to` another name of `from`, closing what was there (dup2); returns `to`. EBADF for descriptors that are not or cannot be.
    pub fn duplicate_to(&self, from: i32, to: i32, close_on_exec: bool) -> Result<u64, Errno> {
        let description = self.get(from)?;
        if !Self::may_have(to) {
            return Err(Errno::EBADF);
        }
        if from != to {
            let slot = Slot {
                description,
                close_on_exec,
            };
            // What was there may be the end of a pipe, whose last words are about the table.
            let before = self.open.borrow_mut().insert(to, slot);
            drop(before);
        }
        Ok(to.unsigned_abs().into())
    }

    /// Whether a descriptor is closed by execve(2), or EBADF.
    pub fn close_on_exec(&self, fd: i32) -> Result<bool, Errno> {
        let open = self.open.borrow();
        open.get(&fd)
            .map(|slot| slot.close_on_exec)
            .ok_or(Errno::EBADF)
    }

    /// Says whether a descriptor is closed by execve(2).
    pub fn set_close_on_exec(&self, fd: i32, close: bool) -> Result<(), Errno> {
        let mut open = self.open.borrow_mut();
        open.get_mut(&fd).ok_or(Errno::EBADF)?.close_on_exec = close;
        Ok(())
    }

    /// Closes a descriptor, or EBADF.
    pub fn close(&self, fd: i32) -> Result<(), Errno> {
        let before = self.open.borrow_mut().remove(&fd);
        before.map(|_| ()).ok_or(Errno::EBADF)
    }
}
