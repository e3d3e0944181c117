//! The table of open files of a process, and the console's three descriptors.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use isa::Errno;

use super::File;

/// What an open file description leads to.
#[derive(Clone)]
pub enum FdTarget {
    /// Standard input: always at its end.
    ConsoleIn,
    /// Standard output or error of the cluster; the number says which.
    ConsoleOut(i32),
    /// A file of the root.
    File {
        /// Its contents.
        file: Rc<dyn File>,
        /// The absolute path it was opened by.
        path: Rc<str>,
    },
}

/// An open file description: shared by descriptors that were duplicated.
pub struct Description {
    /// Where it leads.
    pub target: FdTarget,
    /// The file offset.
    pub offset: Cell<u64>,
}

/// Descriptors of a process (`files_struct`).
pub struct FileTable {
    open: RefCell<BTreeMap<i32, Rc<Description>>>,
}

/// Most descriptors a process may have (RLIMIT_NOFILE's usual soft limit).
const MAX_DESCRIPTORS: usize = 1024;

impl FileTable {
    /// The table of a new process: 0, 1 and 2 are the console.
    pub fn console() -> Rc<Self> {
        let table = Self::empty();
        for (fd, target) in [
            (0, FdTarget::ConsoleIn),
            (1, FdTarget::ConsoleOut(1)),
            (2, FdTarget::ConsoleOut(2)),
        ] {
            table.open.borrow_mut().insert(
                fd,
                Rc::new(Description {
                    target,
                    offset: Cell::new(0),
                }),
            );
        }
        table
    }

    /// A table without descriptors: what guest threads of a process have on K44 and K52.
    pub fn empty() -> Rc<Self> {
        Rc::new(Self {
            open: RefCell::default(),
        })
    }

    /// The description behind a descriptor, or EBADF.
    pub fn get(&self, fd: i32) -> Result<Rc<Description>, Errno> {
        self.open.borrow().get(&fd).cloned().ok_or(Errno::EBADF)
    }

    /// Opens the lowest free descriptor that is not below `least`; EMFILE when the table is full.
    pub fn install(&self, description: Rc<Description>, least: i32) -> Result<i32, Errno> {
        let mut open = self.open.borrow_mut();
        let fd = (least.max(0)..MAX_DESCRIPTORS as i32)
            .find(|fd| !open.contains_key(fd))
            .ok_or(Errno::EMFILE)?;
        open.insert(fd, description);
        Ok(fd)
    }

    /// Makes `to` another name of `from`, closing what was there (dup2); returns `to`. EBADF for descriptors that are not or cannot be.
    pub fn duplicate_to(&self, from: i32, to: i32) -> Result<u64, Errno> {
        let description = self.get(from)?;
        if !(0..MAX_DESCRIPTORS as i32).contains(&to) {
            return Err(Errno::EBADF);
        }
        self.open.borrow_mut().insert(to, description);
        Ok(to.unsigned_abs().into())
    }

    /// Closes a descriptor, or EBADF.
    pub fn close(&self, fd: i32) -> Result<(), Errno> {
        self.open
            .borrow_mut()
            .remove(&fd)
            .map(|_| ())
            .ok_or(Errno::EBADF)
    }
}
