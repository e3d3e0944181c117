//! Files, directories, pipes and the console: what goes with paths and descriptors. A remote thread's calls run here at home.
//!
//! A family has a file. What they share is here: paths among the arguments, and the time that changes are stamped with.

mod descriptor;
mod directory;
mod io;
mod names;
mod open;
mod poll;
mod status;

use std::rc::Rc;

use isa::Errno;
use isa::layout::Timespec;

use super::Call;
use super::time::REALTIME_EPOCH;
use crate::fs::{FdTarget, Found, Inode, resolve};
use crate::mm::read_cstring;

pub(super) use descriptor::{
    close, dup, dup2, dup3, fcntl, fsync, ftruncate, ioctl, lseek, pipe, pipe2,
};
pub(super) use directory::{chdir, fchdir, getcwd, getdents64};
pub(super) use io::{pread64, preadv, pwrite64, pwritev, read, readv, write, writev};
pub(super) use names::{
    link, linkat, mkdir, mkdirat, rename, renameat, renameat2, rmdir, symlink, symlinkat, unlink,
    unlinkat,
};
pub(super) use open::{creat, open, openat, truncate, umask};
pub(super) use poll::{poll, ppoll};
pub(super) use status::{
    access, chmod, chown, faccessat, fchmod, fchmodat, fchown, fchownat, fstat, fstatfs, lchown,
    lstat, newfstatat, readlink, readlinkat, stat, statfs, statx, utimensat,
};

/// PATH_MAX, its zero byte included.
const PATH_MAX: usize = 4096;
const AT_FDCWD: i32 = -100;
const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
const AT_EMPTY_PATH: u32 = 0x1000;
const PROC_SELF_EXE: &str = "/proc/self/exe";

/// The time of a change made now.
fn now(call: &Call<'_>) -> Timespec {
    Timespec::from_nanos(REALTIME_EPOCH * 1_000_000_000 + call.k.exec.now().as_ns())
}

/// A path argument. ENOENT: it is not text, which no name here is.
async fn read_path(call: &Call<'_>, index: usize) -> Result<String, Errno> {
    let bytes = read_cstring(call.k, call.task, call.addr(index), PATH_MAX).await?;
    String::from_utf8(bytes).map_err(|_| Errno::ENOENT)
}

/// Where relative paths begin.
fn working_directory(call: &Call<'_>) -> Rc<Inode> {
    let cwd = call.task.files.cwd.borrow().clone();
    cwd.unwrap_or_else(|| call.k.fs.top())
}

/// Where a path leads that begins at a directory's descriptor, at the working directory (AT_FDCWD), or is absolute; `/proc/self/exe` is the
/// program.
fn find(call: &Call<'_>, dir: i32, path: &str, follow: bool) -> Result<Found, Errno> {
    let start = match dir {
        _ if path.starts_with('/') => call.k.fs.top(),
        AT_FDCWD => working_directory(call),
        fd => match &call.task.files.get(fd)?.target {
            FdTarget::File { inode, .. } if inode.is_directory() => Rc::clone(inode),
            _ => return Err(Errno::ENOTDIR),
        },
    };
    if path.starts_with('/') && resolve(path) == PROC_SELF_EXE {
        let program = call.task.mm().exe_path.borrow().clone();
        return call.k.fs.walk(start, &program, true);
    }
    call.k.fs.walk(start, path, follow)
}

/// What a path argument stands for.
async fn find_existing(
    call: &Call<'_>,
    dir: i32,
    index: usize,
    follow: bool,
) -> Result<Rc<Inode>, Errno> {
    let path = read_path(call, index).await?;
    find(call, dir, &path, follow)?.existing()
}

/// The inode behind a descriptor; EINVAL for pipes and the console.
fn inode_of(call: &Call<'_>, fd: i32) -> Result<Rc<Inode>, Errno> {
    match &call.task.files.get(fd)?.target {
        FdTarget::File { inode, .. } => Ok(Rc::clone(inode)),
        _ => Err(Errno::EINVAL),
    }
}
