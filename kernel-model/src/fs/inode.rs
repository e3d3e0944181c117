//! Inodes: what a name stands for, with its contents. A file of the root is read from there until it is written to for the first time.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::{Rc, Weak};

use isa::layout::{FileType, Stat, Timespec};
use isa::{Errno, Isa};

use super::{File, RootFs};

/// Permission bits of files that the root has no others for.
const DIRECTORY_MODE: u32 = 0o755;
const SYMLINK_MODE: u32 = 0o777;
const DEVICE_MODE: u32 = 0o666;
/// Preferred size of transfers, in bytes.
const BLOCK: u64 = 4096;

/// A file, directory, symbolic link or device.
pub struct Inode {
    /// Its number.
    pub ino: u64,
    /// What it is.
    pub kind: InodeKind,
    /// Where the root has it; `None` if it was made during the run.
    pub(super) origin: Option<String>,
    /// Contents or permissions are no longer the root's.
    pub(super) changed: Cell<bool>,
    /// It never leaves the run: /dev, and /tmp where the root has none.
    pub(super) private: bool,
    mapped_shared: Cell<bool>,
    mode: Cell<u32>,
    nlink: Cell<u32>,
    mtime: Cell<Timespec>,
    ctime: Cell<Timespec>,
    /// Bytes that all files of the overlay have together.
    used: Rc<Cell<u64>>,
}

/// The sorts of inodes.
pub enum InodeKind {
    /// A regular file.
    File(RefCell<Contents>),
    /// A directory.
    Directory(Directory),
    /// A symbolic link: what it says.
    Symlink(String),
    /// A device of memory's.
    Device(Device),
}

/// The devices there are (mem(4), random(4)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// `/dev/null`.
    Null,
    /// `/dev/zero`.
    Zero,
    /// `/dev/full`: zeros, and no room.
    Full,
    /// `/dev/random` and `/dev/urandom`: the node's own generator.
    Random,
}

/// A regular file's bytes.
pub enum Contents {
    /// The root's, not looked at yet.
    Unopened,
    /// The root's.
    Root(Rc<dyn File>),
    /// The overlay's.
    Own(Vec<u8>),
}

/// A directory's names.
#[derive(Default)]
pub struct Directory {
    pub(super) entries: RefCell<BTreeMap<String, Rc<Inode>>>,
    /// The names are still to be fetched from the root.
    pub(super) unread: Cell<bool>,
    /// What the root has here.
    pub(super) original: RefCell<BTreeSet<String>>,
    /// It has been removed: nothing can be made in it.
    pub(super) removed: Cell<bool>,
    place: RefCell<Place>,
}

/// Where a directory is. There is one such place, since directories have no second links; who works in a directory needs to know no more than it.
#[derive(Default)]
struct Place {
    /// The directory above; none of the top.
    above: Weak<Inode>,
    /// Its name there; of a removed one, its last.
    name: String,
    /// Keeps the directory above of a removed one, which does not have it any more: `..` still leads there.
    kept: Option<Rc<Inode>>,
}

impl Directory {
    /// Notes where it is from now on.
    pub(super) fn set_place(&self, above: &Rc<Inode>, name: &str) {
        *self.place.borrow_mut() = Place {
            above: Rc::downgrade(above),
            name: name.to_owned(),
            kept: None,
        };
    }

    /// The directory above with its name there; nothing of the top.
    pub(super) fn place(&self) -> Option<(Rc<Inode>, String)> {
        let place = self.place.borrow();
        Some((place.above.upgrade()?, place.name.clone()))
    }

    /// The directory above; nothing of the top.
    pub(super) fn above(&self) -> Option<Rc<Inode>> {
        self.place.borrow().above.upgrade()
    }

    /// Notes that it has lost its name.
    pub(super) fn remove(&self) {
        self.removed.set(true);
        let mut place = self.place.borrow_mut();
        place.kept = place.above.upgrade();
    }

    /// Whether it has been removed.
    pub fn is_removed(&self) -> bool {
        self.removed.get()
    }

    /// Takes out all that it keeps alive.
    fn take_all(&self, out: &mut Vec<Rc<Inode>>) {
        out.extend(std::mem::take(&mut *self.entries.borrow_mut()).into_values());
        out.extend(self.place.borrow_mut().kept.take());
    }
}

impl Inode {
    pub(super) fn new(
        ino: u64,
        kind: InodeKind,
        origin: Option<String>,
        used: &Rc<Cell<u64>>,
    ) -> Self {
        let mode = match &kind {
            InodeKind::File(_) => 0,
            InodeKind::Directory(_) => DIRECTORY_MODE,
            InodeKind::Symlink(_) => SYMLINK_MODE,
            InodeKind::Device(_) => DEVICE_MODE,
        };
        Self {
            ino,
            kind,
            origin,
            changed: Cell::new(false),
            private: false,
            mapped_shared: Cell::new(false),
            mode: Cell::new(mode),
            nlink: Cell::new(1),
            mtime: Cell::default(),
            ctime: Cell::default(),
            used: Rc::clone(used),
        }
    }

    /// The directory, or ENOTDIR.
    pub fn as_directory(&self) -> Result<&Directory, Errno> {
        match &self.kind {
            InodeKind::Directory(directory) => Ok(directory),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        matches!(self.kind, InodeKind::Directory(_))
    }

    /// Whether it is a symbolic link.
    pub fn is_symlink(&self) -> bool {
        matches!(self.kind, InodeKind::Symlink(_))
    }

    /// The type of file.
    pub fn file_type(&self) -> FileType {
        match self.kind {
            InodeKind::File(_) => FileType::Regular,
            InodeKind::Directory(_) => FileType::Directory,
            InodeKind::Symlink(_) => FileType::Symlink,
            InodeKind::Device(_) => FileType::CharDevice,
        }
    }

    /// Fetches what the root has, for a node of `isa`; nothing where that has been done or the file is the overlay's.
    pub fn open(&self, root: &dyn RootFs, isa: Isa) -> Result<(), Errno> {
        let (InodeKind::File(contents), Some(origin)) = (&self.kind, &self.origin) else {
            return Ok(());
        };
        if matches!(*contents.borrow(), Contents::Unopened) {
            let file = root.open(origin, isa)?;
            let stat = file.stat();
            if !self.changed.get() {
                self.mode.set(stat.mode & 0o7777);
                self.mtime.set(stat.mtime);
                self.ctime.set(stat.ctime);
            }
            *contents.borrow_mut() = Contents::Root(file);
        }
        Ok(())
    }

    /// The root's own file and where the root has it, as long as nobody has written to it.
    pub fn root_file(&self) -> Option<(&str, Rc<dyn File>)> {
        let origin = self.origin.as_deref()?;
        match &self.kind {
            InodeKind::File(contents) => match &*contents.borrow() {
                Contents::Root(file) => Some((origin, Rc::clone(file))),
                _ => None,
            },
            _ => None,
        }
    }

    /// Notes that there is, or was, a shared mapping of it.
    pub fn map_shared(&self) {
        self.mapped_shared.set(true);
    }

    /// Whether there ever was a shared mapping of it.
    pub fn is_mapped_shared(&self) -> bool {
        self.mapped_shared.get()
    }

    /// Size in bytes of an opened file; of a symbolic link, that of what it says.
    pub fn size(&self) -> u64 {
        match &self.kind {
            InodeKind::File(contents) => match &*contents.borrow() {
                Contents::Unopened => 0,
                Contents::Root(file) => file.len(),
                Contents::Own(bytes) => bytes.len() as u64,
            },
            InodeKind::Directory(_) => BLOCK,
            InodeKind::Symlink(target) => target.len() as u64,
            InodeKind::Device(_) => 0,
        }
    }

    /// Reads an opened file; returns how many bytes there were.
    pub fn read_at(&self, offset: u64, out: &mut [u8]) -> usize {
        let InodeKind::File(contents) = &self.kind else {
            return 0;
        };
        match &*contents.borrow() {
            Contents::Unopened => 0,
            Contents::Root(file) => file.read_at(offset, out),
            Contents::Own(bytes) => {
                let rest = usize::try_from(offset).ok().and_then(|at| bytes.get(at..));
                let rest = rest.unwrap_or(&[]);
                let count = rest.len().min(out.len());
                out[..count].copy_from_slice(&rest[..count]);
                count
            }
        }
    }

    /// Writes to an opened file. ENOSPC: more than `limit` bytes in all files of the overlay.
    pub fn write_at(
        &self,
        offset: u64,
        bytes: &[u8],
        limit: u64,
        now: Timespec,
    ) -> Result<(), Errno> {
        if bytes.is_empty() {
            return Ok(());
        }
        let end = offset.checked_add(bytes.len() as u64).ok_or(Errno::EFBIG)?;
        let len = self.size().max(end);
        self.own(len, limit, now, |own| {
            own[offset as usize..end as usize].copy_from_slice(bytes);
        })
    }

    /// Cuts or extends an opened file. ENOSPC as [`Inode::write_at`].
    pub fn truncate(&self, len: u64, limit: u64, now: Timespec) -> Result<(), Errno> {
        self.own(len, limit, now, |_| {})
    }

    /// Makes the contents the overlay's, `len` bytes long, and changes them.
    fn own(
        &self,
        len: u64,
        limit: u64,
        now: Timespec,
        change: impl FnOnce(&mut [u8]),
    ) -> Result<(), Errno> {
        let InodeKind::File(contents) = &self.kind else {
            return Err(Errno::EINVAL);
        };
        let mut contents = contents.borrow_mut();
        let before = match &*contents {
            Contents::Own(bytes) => bytes.len() as u64,
            _ => 0,
        };
        let used = self.used.get() - before;
        if len > limit.saturating_sub(used) {
            return Err(Errno::ENOSPC);
        }
        if let Contents::Root(file) = &*contents {
            let mut bytes = vec![0; file.len().min(len) as usize];
            file.read_at(0, &mut bytes);
            *contents = Contents::Own(bytes);
        }
        if matches!(*contents, Contents::Unopened) {
            *contents = Contents::Own(Vec::new());
        }
        if let Contents::Own(bytes) = &mut *contents {
            bytes.resize(len as usize, 0);
            change(bytes);
        }
        self.used.set(used + len);
        self.changed.set(true);
        self.touch(now, now);
        Ok(())
    }

    /// Sets the time of the last change of the contents, and of the inode.
    pub fn touch(&self, mtime: Timespec, ctime: Timespec) {
        self.mtime.set(mtime);
        self.ctime.set(ctime);
    }

    /// The permission bits.
    pub fn permissions(&self) -> u32 {
        self.mode.get()
    }

    /// Replaces the permission bits.
    pub fn set_permissions(&self, mode: u32, now: Timespec) {
        self.mode.set(mode & 0o7777);
        self.changed.set(true);
        self.ctime.set(now);
    }

    /// Counts names that were made (or, negative, taken away).
    pub(super) fn add_links(&self, links: i32, now: Timespec) {
        self.nlink
            .set(self.nlink.get().saturating_add_signed(links));
        self.ctime.set(now);
    }

    /// What fstat(2) says.
    pub fn stat(&self) -> Stat {
        let size = self.size();
        let nlink = match &self.kind {
            InodeKind::Directory(directory) if directory.removed.get() => 0,
            InodeKind::Directory(directory) => {
                let entries = directory.entries.borrow();
                2 + entries.values().filter(|e| e.is_directory()).count() as u32
            }
            _ => self.nlink.get(),
        };
        Stat {
            dev: 1,
            ino: self.ino,
            mode: self.file_type().mode_bits() | self.mode.get(),
            nlink,
            rdev: match self.kind {
                InodeKind::Device(Device::Null) => 0x103,
                InodeKind::Device(Device::Zero) => 0x105,
                InodeKind::Device(Device::Full) => 0x107,
                InodeKind::Device(Device::Random) => 0x109,
                _ => 0,
            },
            size: size as i64,
            blksize: BLOCK as i32,
            blocks: size.div_ceil(512) as i64,
            atime: self.mtime.get(),
            mtime: self.mtime.get(),
            ctime: self.ctime.get(),
            ..Stat::default()
        }
    }
}

/// A mapping's view of a file that was opened: its contents as they are when it looks.
impl File for Inode {
    fn len(&self) -> u64 {
        self.size()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> usize {
        Inode::read_at(self, offset, out)
    }

    fn stat(&self) -> Stat {
        Inode::stat(self)
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        if let InodeKind::File(contents) = &self.kind
            && let Contents::Own(bytes) = &*contents.borrow()
        {
            self.used.set(self.used.get() - bytes.len() as u64);
        }
        if let InodeKind::Directory(directory) = &self.kind {
            // One after the other: directories are nested as deeply as a program likes, and the host's stack has an end.
            let mut left = Vec::new();
            directory.take_all(&mut left);
            while let Some(inode) = left.pop() {
                if let Some(inode) = Rc::into_inner(inode)
                    && let InodeKind::Directory(directory) = &inode.kind
                {
                    directory.take_all(&mut left);
                }
            }
        }
    }
}
