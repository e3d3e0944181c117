//! What changes names: creat, mkdir, symlink, link, unlink, rmdir and rename, with Linux's errors.

use std::cell::RefCell;
use std::rc::Rc;

use isa::Errno;
use isa::layout::Timespec;

use super::inode::{Contents, Directory};
use super::{FileSystem, Found, Inode, InodeKind};

/// How renameat2(2) treats a target that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renaming {
    /// It is replaced.
    Replace,
    /// EEXIST (RENAME_NOREPLACE).
    NoReplace,
    /// Both change places (RENAME_EXCHANGE).
    Exchange,
}

impl FileSystem {
    /// Makes an empty regular file where `found` has none. EISDIR: the path ends with a slash.
    pub fn create(&self, found: &Found, mode: u32, now: Timespec) -> Result<Rc<Inode>, Errno> {
        if found.wants_directory {
            return Err(Errno::EISDIR);
        }
        let contents = Contents::Own(Vec::new());
        self.insert(found, InodeKind::File(RefCell::new(contents)), mode, now)
    }

    /// An empty regular file without a name (O_TMPFILE).
    pub fn unnamed(&self, mode: u32, now: Timespec) -> Rc<Inode> {
        let contents = Contents::Own(Vec::new());
        let inode = self.inode(InodeKind::File(RefCell::new(contents)), None);
        inode.set_permissions(mode, now);
        inode.touch(now, now);
        inode.add_links(-1, now);
        Rc::new(inode)
    }

    /// mkdir(2).
    pub fn make_directory(&self, found: &Found, mode: u32, now: Timespec) -> Result<(), Errno> {
        let kind = InodeKind::Directory(Directory::default());
        self.insert(found, kind, mode, now).map(|_| ())
    }

    /// symlink(2).
    pub fn make_symlink(&self, found: &Found, target: &str, now: Timespec) -> Result<(), Errno> {
        if found.wants_directory && found.inode.is_none() {
            return Err(Errno::ENOENT);
        }
        let kind = InodeKind::Symlink(target.to_owned());
        self.insert(found, kind, 0o777, now).map(|_| ())
    }

    fn insert(
        &self,
        found: &Found,
        kind: InodeKind,
        mode: u32,
        now: Timespec,
    ) -> Result<Rc<Inode>, Errno> {
        if found.inode.is_some() {
            return Err(Errno::EEXIST);
        }
        let inode = Rc::new(self.inode(kind, None));
        inode.set_permissions(mode, now);
        inode.touch(now, now);
        put(found, Rc::clone(&inode), now)?;
        Ok(inode)
    }

    /// link(2). EPERM for directories.
    pub fn link(&self, inode: &Rc<Inode>, found: &Found, now: Timespec) -> Result<(), Errno> {
        if inode.is_directory() {
            return Err(Errno::EPERM);
        }
        if found.inode.is_some() {
            return Err(Errno::EEXIST);
        }
        put(found, Rc::clone(inode), now)?;
        inode.add_links(1, now);
        Ok(())
    }

    /// unlink(2). EISDIR for directories. An open file lives on.
    pub fn unlink(&self, found: &Found, now: Timespec) -> Result<(), Errno> {
        let inode = found.inode.as_ref().ok_or(Errno::ENOENT)?;
        if inode.is_directory() {
            return Err(Errno::EISDIR);
        }
        if found.wants_directory {
            return Err(Errno::ENOTDIR);
        }
        take(found, now)?;
        inode.add_links(-1, now);
        Ok(())
    }

    /// rmdir(2). ENOTEMPTY, ENOTDIR; EBUSY for the top.
    pub fn remove_directory(&self, found: &Found, now: Timespec) -> Result<(), Errno> {
        let inode = found.inode.as_ref().ok_or(Errno::ENOENT)?;
        self.check_empty(inode)?;
        take(found, now)?;
        inode.as_directory()?.remove();
        Ok(())
    }

    fn check_empty(&self, inode: &Rc<Inode>) -> Result<(), Errno> {
        let directory = inode.as_directory()?;
        self.read(inode)?;
        match directory.entries.borrow().is_empty() {
            true => Ok(()),
            false => Err(Errno::ENOTEMPTY),
        }
    }

    /// rename(2). EINVAL: a directory into itself. EISDIR, ENOTDIR, ENOTEMPTY: the target is of another sort, or not empty.
    pub fn rename(
        &self,
        from: &Found,
        to: &Found,
        how: Renaming,
        now: Timespec,
    ) -> Result<(), Errno> {
        let inode = from.inode.as_ref().ok_or(Errno::ENOENT)?;
        if from.name.is_empty() || to.name.is_empty() {
            return Err(Errno::EBUSY);
        }
        if !inode.is_directory() && (from.wants_directory || to.wants_directory) {
            return Err(Errno::ENOTDIR);
        }
        if inode.is_directory() && is_within(&to.parent, inode) {
            return Err(Errno::EINVAL);
        }
        match (&to.inode, how) {
            (None, Renaming::Exchange) => return Err(Errno::ENOENT),
            (Some(_), Renaming::NoReplace) => return Err(Errno::EEXIST),
            (Some(target), Renaming::Exchange) => {
                if target.is_directory() && is_within(&from.parent, target) {
                    return Err(Errno::EINVAL);
                }
                put(from, Rc::clone(target), now)?;
                return put(to, Rc::clone(inode), now);
            }
            (Some(target), Renaming::Replace) => {
                if Rc::ptr_eq(target, inode) {
                    return Ok(());
                }
                self.check_replaceable(inode, target)?;
                target.add_links(-1, now);
                if let Ok(directory) = target.as_directory() {
                    directory.remove();
                }
            }
            (None, _) => {}
        }
        put(to, Rc::clone(inode), now)?;
        take(from, now)?;
        inode.add_links(0, now);
        Ok(())
    }

    fn check_replaceable(&self, inode: &Inode, target: &Rc<Inode>) -> Result<(), Errno> {
        match (inode.is_directory(), target.is_directory()) {
            (true, true) => self.check_empty(target),
            (true, false) => Err(Errno::ENOTDIR),
            (false, true) => Err(Errno::EISDIR),
            (false, false) => Ok(()),
        }
    }

    /// The names in a directory, in order, with what they stand for.
    pub fn entries(&self, inode: &Rc<Inode>) -> Result<Vec<(String, Rc<Inode>)>, Errno> {
        let directory = inode.as_directory()?;
        self.read(inode)?;
        let entries = directory.entries.borrow();
        Ok(entries
            .iter()
            .map(|(name, inode)| (name.clone(), Rc::clone(inode)))
            .collect())
    }
}

/// Whether a directory is `other` or below it.
fn is_within(directory: &Rc<Inode>, other: &Rc<Inode>) -> bool {
    let mut here = Rc::clone(directory);
    while !Rc::ptr_eq(&here, other) {
        match here.as_directory().ok().and_then(Directory::above) {
            Some(above) => here = above,
            None => return false,
        }
    }
    true
}

/// Gives the name that was looked for an inode.
fn put(found: &Found, inode: Rc<Inode>, now: Timespec) -> Result<(), Errno> {
    let directory = found.parent.as_directory()?;
    if directory.removed.get() {
        return Err(Errno::ENOENT);
    }
    if let InodeKind::Directory(moved) = &inode.kind {
        moved.set_place(&found.parent, &found.name);
    }
    directory
        .entries
        .borrow_mut()
        .insert(found.name.clone(), inode);
    found.parent.touch(now, now);
    Ok(())
}

/// Takes the name away.
fn take(found: &Found, now: Timespec) -> Result<(), Errno> {
    if found.name.is_empty() {
        return Err(Errno::EBUSY);
    }
    let directory = found.parent.as_directory()?;
    directory.entries.borrow_mut().remove(&found.name);
    found.parent.touch(now, now);
    Ok(())
}
