//! What a run has changed: the difference between the overlay and the root, for those who want to keep it.

use std::rc::Rc;

use isa::Errno;

use super::{FileSystem, Inode, InodeKind};

/// One step from the root to what the run left. Steps are done in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The name is gone, with all that was below it.
    Remove {
        /// The absolute path.
        path: String,
    },
    /// A directory was made.
    Directory {
        /// The absolute path.
        path: String,
    },
    /// A file was made or written to.
    File {
        /// The absolute path.
        path: String,
        /// All of its bytes.
        bytes: Vec<u8>,
        /// Its permission bits.
        mode: u32,
    },
    /// A symbolic link was made.
    Symlink {
        /// The absolute path.
        path: String,
        /// What it says.
        target: String,
    },
}

impl FileSystem {
    /// All changes, by path. /dev, and /tmp where the root has none, are the run's own and left out. Errors are those of the root, where a
    /// file of its was moved and cannot be read.
    pub fn changes(&self) -> Result<Vec<Change>, Errno> {
        let mut changes = Vec::new();
        self.compare(&self.top, "", &mut changes)?;
        Ok(changes)
    }

    /// Compares a directory that is still the root's.
    fn compare(&self, inode: &Inode, path: &str, out: &mut Vec<Change>) -> Result<(), Errno> {
        let directory = inode.as_directory()?;
        let entries = directory.entries.borrow();
        for name in directory.original.borrow().iter() {
            let place = format!("{path}/{name}");
            let stays = entries
                .get(name)
                .is_some_and(|e| e.private || is_from(e, &place));
            if !stays {
                out.push(Change::Remove { path: place });
            }
        }
        for (name, entry) in &*entries {
            let place = format!("{path}/{name}");
            if entry.private {
                continue;
            }
            if !is_from(entry, &place) {
                self.copy(entry, place, out)?;
            } else if entry.is_directory() {
                self.compare(entry, &place, out)?;
            } else if entry.changed.get() {
                self.copy(entry, place, out)?;
            }
        }
        Ok(())
    }

    /// All of something that is not where, or not what, it was.
    fn copy(&self, inode: &Rc<Inode>, path: String, out: &mut Vec<Change>) -> Result<(), Errno> {
        match &inode.kind {
            InodeKind::Device(_) => {}
            InodeKind::Symlink(target) => out.push(Change::Symlink {
                path,
                target: target.clone(),
            }),
            InodeKind::File(_) => {
                self.open(inode)?;
                let mut bytes = vec![0; inode.size() as usize];
                inode.read_at(0, &mut bytes);
                out.push(Change::File {
                    path,
                    bytes,
                    mode: inode.permissions(),
                });
            }
            InodeKind::Directory(_) => {
                out.push(Change::Directory { path: path.clone() });
                for (name, entry) in self.entries(inode)? {
                    self.copy(&entry, format!("{path}/{name}"), out)?;
                }
            }
        }
        Ok(())
    }
}

fn is_from(inode: &Inode, place: &str) -> bool {
    inode.origin.as_deref() == Some(place)
}
