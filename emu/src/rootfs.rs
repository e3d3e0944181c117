//! The root file system of a node: the program, and a directory of the host, read-only.
//!
//! Files of the directory are opened through cap-std, which lets no path leave it. Everything that would differ from host to host is
//! made up: inode numbers come from the path, times are 0, owners are root. Left out: writing, device files, listing directories.

use std::io::Read;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use isa::layout::{FileType, Stat, Timespec};
use isa::{Errno, Isa};
use kernel_model::fs::{File, RootFs};

use crate::program::Program;

/// A read-only root.
pub struct HostRoot {
    program: Program,
    directory: Option<Dir>,
}

impl HostRoot {
    /// A root that has the program, and the files of `directory` if one is given.
    pub fn new(program: Program, directory: Option<&Path>) -> std::io::Result<Rc<Self>> {
        let directory = directory
            .map(|path| Dir::open_ambient_dir(path, ambient_authority()))
            .transpose()?;
        Ok(Rc::new(Self { program, directory }))
    }

    /// The program's binary for `path`: the plain path means the one of `isa`, a suffixed path the one it names.
    fn program_file(&self, path: &str, isa: Isa) -> Option<Result<Rc<dyn File>, Errno>> {
        let rest = path.strip_prefix(self.program.guest_path())?;
        let wanted = match rest {
            "" => isa,
            suffix => Isa::ALL
                .into_iter()
                .find(|isa| suffix.strip_prefix('_') == Some(isa.binary_suffix()))?,
        };
        let image = self.program.image(wanted).ok_or(Errno::ENOENT);
        Some(
            image.map(|image| Rc::new(Bytes::new(path, Arc::clone(image.bytes()))) as Rc<dyn File>),
        )
    }
}

impl RootFs for HostRoot {
    fn open(&self, path: &str, isa: Isa) -> Result<Rc<dyn File>, Errno> {
        if let Some(file) = self.program_file(path, isa) {
            return file;
        }
        let directory = self.directory.as_ref().ok_or(Errno::ENOENT)?;
        let relative = path.trim_start_matches('/');
        let mut file = directory.open(relative).map_err(|error| errno_of(&error))?;
        let metadata = file.metadata().map_err(|error| errno_of(&error))?;
        if metadata.is_dir() {
            return Err(Errno::EISDIR);
        }
        if !metadata.is_file() {
            return Err(Errno::EACCES);
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .map_err(|error| errno_of(&error))?;
        Ok(Rc::new(Bytes::new(path, bytes.into())))
    }
}

fn errno_of(error: &std::io::Error) -> Errno {
    error
        .raw_os_error()
        .and_then(Errno::from_raw)
        .unwrap_or(Errno::EACCES)
}

/// A file whose bytes are in memory: they cannot change during a run.
struct Bytes {
    bytes: Arc<[u8]>,
    inode: u64,
}

impl Bytes {
    fn new(path: &str, bytes: Arc<[u8]>) -> Self {
        Self {
            bytes,
            inode: xxhash_rust::xxh3::xxh3_64(path.as_bytes()) >> 16,
        }
    }
}

impl File for Bytes {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> usize {
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(self.bytes.len());
        let count = out.len().min(self.bytes.len() - start);
        out[..count].copy_from_slice(&self.bytes[start..start + count]);
        count
    }

    fn stat(&self) -> Stat {
        let epoch = Timespec::from_nanos(0);
        let size = self.bytes.len() as i64;
        Stat {
            dev: 1,
            ino: self.inode,
            mode: FileType::Regular.mode_bits() | 0o555,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            size,
            blksize: 4096,
            blocks: size.div_euclid(512) + i64::from(size % 512 != 0),
            atime: epoch,
            mtime: epoch,
            ctime: epoch,
        }
    }
}
