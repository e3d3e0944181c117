//! The root file system of a node: the program, and a directory of the host, read-only.
//!
//! Files of the directory are opened through cap-std, which lets no path leave it. Everything that would differ from host to host is
//! made up: times are 0, owners are root, permissions are the same for all. Left out: device files, and names that are no text.

use std::io::Read;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use isa::layout::{FileType, Stat, Timespec};
use isa::{Errno, Isa};
use kernel_model::fs::{File, RootEntry, RootEntryKind, RootFs};

use crate::program::{GUEST_DIRECTORY, Program};

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
            image
                .map(|image| Rc::new(Bytes::new(Arc::clone(image.bytes()), 0o755)) as Rc<dyn File>),
        )
    }

    /// What is in a directory because of the program.
    fn of_program(&self, path: &str) -> Vec<RootEntry> {
        let entry = |name: String, kind| RootEntry { name, kind };
        match path {
            "/" => vec![entry(
                GUEST_DIRECTORY.trim_start_matches('/').to_owned(),
                RootEntryKind::Directory,
            )],
            GUEST_DIRECTORY => {
                let name = self.program.guest_path().rsplit('/').next().unwrap_or("");
                let suffixed = self
                    .program
                    .images()
                    .map(|(isa, _)| format!("{name}_{}", isa.binary_suffix()));
                suffixed
                    .chain([name.to_owned()])
                    .map(|name| entry(name, RootEntryKind::File))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// What is in a directory of the host's.
    fn of_host(&self, path: &str) -> Result<Vec<RootEntry>, Errno> {
        let directory = self.directory.as_ref().ok_or(Errno::ENOENT)?;
        let relative = match path.trim_start_matches('/') {
            "" => Path::new("."),
            relative => Path::new(relative),
        };
        let mut entries = Vec::new();
        for entry in directory.read_dir(relative).map_err(|e| errno_of(&e))? {
            let entry = entry.map_err(|e| errno_of(&e))?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let sort = entry.file_type().map_err(|e| errno_of(&e))?;
            let kind = if sort.is_dir() {
                RootEntryKind::Directory
            } else if sort.is_symlink() {
                let target = directory.read_link_contents(relative.join(&name));
                match target
                    .map_err(|e| errno_of(&e))?
                    .into_os_string()
                    .into_string()
                {
                    Ok(target) => RootEntryKind::Symlink(target),
                    Err(_) => continue,
                }
            } else if sort.is_file() {
                RootEntryKind::File
            } else {
                continue;
            };
            entries.push(RootEntry { name, kind });
        }
        Ok(entries)
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
        Ok(Rc::new(Bytes::new(bytes.into(), 0o644)))
    }

    fn list(&self, path: &str) -> Result<Vec<RootEntry>, Errno> {
        let mut entries = self.of_program(path);
        match self.of_host(path) {
            Ok(of_host) => {
                let ours: Vec<_> = entries.iter().map(|e| e.name.clone()).collect();
                entries.extend(of_host.into_iter().filter(|e| !ours.contains(&e.name)));
            }
            Err(_) if !entries.is_empty() => {}
            Err(errno) => return Err(errno),
        }
        Ok(entries)
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
    permissions: u32,
}

impl Bytes {
    fn new(bytes: Arc<[u8]>, permissions: u32) -> Self {
        Self { bytes, permissions }
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
            mode: FileType::Regular.mode_bits() | self.permissions,
            nlink: 1,
            size,
            blksize: 4096,
            blocks: size.div_euclid(512) + i64::from(size % 512 != 0),
            atime: epoch,
            mtime: epoch,
            ctime: epoch,
            ..Stat::default()
        }
    }
}
