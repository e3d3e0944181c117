//! The file system of a node: an overlay in memory over the root, and the walk along a path (path_resolution(7)).

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use isa::layout::{Stat, Timespec};
use isa::{Errno, Isa};

use super::inode::{Contents, Directory};
use super::{Device, Inode, InodeKind, RootEntryKind, RootFs};

/// Longest name of one file, in bytes (NAME_MAX).
const NAME_MAX: usize = 255;
/// Most symbolic links on one walk, as Linux has it.
const MAX_LINKS: u32 = 40;

/// A node's files.
pub struct FileSystem {
    pub(super) root: Rc<dyn RootFs>,
    pub(super) isa: Isa,
    pub(super) top: Rc<Inode>,
    /// Most bytes that the files of the overlay may have together.
    limit: u64,
    used: Rc<Cell<u64>>,
    next_ino: Cell<u64>,
}

/// Where a path led.
pub struct Found {
    /// The directory that has, or would have, the name; of the top, the top itself.
    pub parent: Rc<Inode>,
    /// The last name; empty for the top.
    pub name: String,
    /// What the name stands for, if anything.
    pub inode: Option<Rc<Inode>>,
    /// The path ended with a slash: only a directory can be meant.
    pub wants_directory: bool,
}

impl Found {
    /// The absolute path without links, as it is now.
    pub fn path(&self) -> String {
        let above = directory_path(&self.parent);
        format!("{}/{}", above.trim_end_matches('/'), self.name)
    }

    /// What is there. ENOENT: nothing. ENOTDIR: no directory, where one is meant.
    pub fn existing(self) -> Result<Rc<Inode>, Errno> {
        let wants_directory = self.wants_directory;
        self.inode.ok_or(Errno::ENOENT).and_then(|inode| {
            match wants_directory && !inode.is_directory() {
                true => Err(Errno::ENOTDIR),
                false => Ok(inode),
            }
        })
    }
}

/// The absolute path of a directory, as it is now; of a removed one, as it was.
pub fn directory_path(inode: &Rc<Inode>) -> String {
    let mut names = Vec::new();
    let mut here = Rc::clone(inode);
    while let Some((above, name)) = here.as_directory().ok().and_then(Directory::place) {
        names.push(name);
        here = above;
    }
    let names: Vec<_> = names.iter().rev().map(String::as_str).collect();
    format!("/{}", names.join("/"))
}

impl FileSystem {
    /// Nothing but the root; what is written later may have `limit` bytes.
    pub fn new(root: Rc<dyn RootFs>, isa: Isa, limit: u64) -> Self {
        let used = Rc::default();
        let unread = Directory::default();
        unread.unread.set(true);
        let kind = InodeKind::Directory(unread);
        let fs = Self {
            root,
            isa,
            top: Rc::new(Inode::new(2, kind, Some("/".to_owned()), &used)),
            limit,
            used,
            next_ino: Cell::new(0x100),
        };
        fs.add_devices();
        fs
    }

    /// /dev with what it always has, and /tmp.
    fn add_devices(&self) {
        // A root that cannot be listed has nothing; what it cannot do is said when it is asked for.
        let _ = self.read(&self.top);
        let dev = Directory::default();
        for (name, device) in [
            ("null", Device::Null),
            ("zero", Device::Zero),
            ("full", Device::Full),
            ("random", Device::Random),
            ("urandom", Device::Random),
        ] {
            let inode = self.inode(InodeKind::Device(device), None);
            dev.entries
                .borrow_mut()
                .insert(name.to_owned(), Rc::new(inode));
        }
        let Ok(top) = self.top.as_directory() else {
            return;
        };
        let mut entries = top.entries.borrow_mut();
        for (name, directory) in [("dev", Some(dev)), ("tmp", None)] {
            if directory.is_none() && entries.contains_key(name) {
                continue;
            }
            let kind = InodeKind::Directory(directory.unwrap_or_default());
            if let InodeKind::Directory(directory) = &kind {
                directory.set_place(&self.top, name);
            }
            let mut inode = self.inode(kind, None);
            inode.private = true;
            entries.insert(name.to_owned(), Rc::new(inode));
        }
    }

    pub(super) fn inode(&self, kind: InodeKind, origin: Option<String>) -> Inode {
        let ino = self.next_ino.get();
        self.next_ino.set(ino + 1);
        Inode::new(ino, kind, origin, &self.used)
    }

    /// Opens a regular file's contents for reading and writing.
    pub fn open(&self, inode: &Inode) -> Result<(), Errno> {
        inode.open(&*self.root, self.isa)
    }

    /// What fstat(2) says.
    pub fn stat(&self, inode: &Inode) -> Result<Stat, Errno> {
        self.open(inode)?;
        Ok(inode.stat())
    }

    /// Writes; see [`Inode::write_at`].
    pub fn write_at(
        &self,
        inode: &Inode,
        offset: u64,
        bytes: &[u8],
        now: Timespec,
    ) -> Result<(), Errno> {
        inode.write_at(offset, bytes, self.limit, now)
    }

    /// Cuts or extends; see [`Inode::truncate`].
    pub fn truncate(&self, inode: &Inode, len: u64, now: Timespec) -> Result<(), Errno> {
        self.open(inode)?;
        inode.truncate(len, self.limit, now)
    }

    /// What statfs(2) needs: the most bytes, and how many of them are used.
    pub fn space(&self) -> (u64, u64) {
        (self.limit, self.used.get())
    }

    /// The directory above all.
    pub fn top(&self) -> Rc<Inode> {
        Rc::clone(&self.top)
    }

    /// Walks along a path that is absolute or begins at the directory `start`, at the cost of its own length: how deep it begins does not matter. The last
    /// name may be missing; if it is a symbolic link, that is followed when `follow` says so.
    pub fn walk(&self, start: Rc<Inode>, path: &str, follow: bool) -> Result<Found, Errno> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        let mut walk = Walk {
            fs: self,
            here: start,
            links: 0,
        };
        let found = walk.along(path, follow)?;
        walk.found(found, path)
    }

    /// Fetches a directory's names from the root, the first time.
    pub(super) fn read(&self, inode: &Rc<Inode>) -> Result<(), Errno> {
        let directory = inode.as_directory()?;
        if !directory.unread.get() {
            return Ok(());
        }
        let path = inode.origin.as_deref().unwrap_or("/");
        let mut listed = self.root.list(path)?;
        directory.unread.set(false);
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        let mut entries = directory.entries.borrow_mut();
        for entry in listed {
            let kind = match entry.kind {
                RootEntryKind::File => InodeKind::File(RefCell::new(Contents::Unopened)),
                RootEntryKind::Symlink(target) => InodeKind::Symlink(target),
                RootEntryKind::Directory => {
                    let unread = Directory::default();
                    unread.unread.set(true);
                    InodeKind::Directory(unread)
                }
            };
            if let InodeKind::Directory(below) = &kind {
                below.set_place(inode, &entry.name);
            }
            let origin = format!("{}/{}", path.trim_end_matches('/'), entry.name);
            let inode = self.inode(kind, Some(origin));
            directory.original.borrow_mut().insert(entry.name.clone());
            entries.insert(entry.name, Rc::new(inode));
        }
        Ok(())
    }

    /// A name in a directory.
    pub(super) fn look_up(
        &self,
        inode: &Rc<Inode>,
        name: &str,
    ) -> Result<Option<Rc<Inode>>, Errno> {
        let directory = inode.as_directory()?;
        self.read(inode)?;
        Ok(directory.entries.borrow().get(name).cloned())
    }
}

/// A walk under way: the directory where it is.
struct Walk<'a> {
    fs: &'a FileSystem,
    here: Rc<Inode>,
    links: u32,
}

/// Where the last part of a path leads, seen from the directory where the walk is.
enum Last {
    /// The directory itself (`/`, `.`, `..`).
    Here,
    /// A name in it.
    Name(String, Option<Rc<Inode>>),
}

impl Walk<'_> {
    fn along(&mut self, path: &str, follow: bool) -> Result<Last, Errno> {
        if path.starts_with('/') {
            self.here = self.fs.top();
        }
        let mut last = Last::Here;
        let mut parts = path.split('/').filter(|p| !p.is_empty()).peekable();
        while let Some(part) = parts.next() {
            let is_last = parts.peek().is_none();
            match part {
                "." => {}
                ".." => {
                    if let Some(above) = self.here.as_directory()?.above() {
                        self.here = above;
                    }
                }
                name if name.len() > NAME_MAX => return Err(Errno::ENAMETOOLONG),
                name => {
                    let inode = self.fs.look_up(&self.here, name)?;
                    let follows = !is_last || follow || path.ends_with('/');
                    last = match inode.as_deref().map(|inode| &inode.kind) {
                        Some(InodeKind::Symlink(target)) if follows => {
                            self.links += 1;
                            if self.links > MAX_LINKS {
                                return Err(Errno::ELOOP);
                            }
                            self.along(target, true)?
                        }
                        _ => Last::Name(name.to_owned(), inode),
                    };
                    if !is_last {
                        let entered = std::mem::replace(&mut last, Last::Here);
                        self.enter(entered)?;
                    }
                }
            }
        }
        Ok(last)
    }

    fn enter(&mut self, last: Last) -> Result<(), Errno> {
        if let Last::Name(_, inode) = last {
            let inode = inode.ok_or(Errno::ENOENT)?;
            inode.as_directory()?;
            self.here = inode;
        }
        Ok(())
    }

    fn found(self, last: Last, path: &str) -> Result<Found, Errno> {
        let (parent, name, inode) = match last {
            Last::Name(name, inode) => (self.here, name, inode),
            Last::Here => match self.here.as_directory()?.place() {
                Some((above, name)) => (above, name, Some(self.here)),
                None => (Rc::clone(&self.here), String::new(), Some(self.here)),
            },
        };
        Ok(Found {
            parent,
            name,
            inode,
            wants_directory: path.ends_with('/'),
        })
    }
}

/// An absolute path without `.`, `..` and doubled slashes, by its text alone; a relative one begins at the top.
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
