//! What is known of a file, and what of that can be changed: stat(2), statx(2), access(2), readlink(2), chmod(2), utimensat(2), statfs(2).
//!
//! Everybody is root and owns everything: permissions are kept and not enforced, owners are taken and forgotten.

use isa::Errno;
use isa::layout::{FileType, Stat, Timespec};

use super::{
    AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, Call, PROC_SELF_EXE, find, find_existing,
    inode_of, now, read_path,
};
use crate::fs::{FdTarget, Inode, InodeKind, console_stat, resolve};
use crate::mm::{UserPtr, copy_to_user};

/// fstat(2).
pub(in super::super) async fn fstat(call: Call<'_>) -> Result<u64, Errno> {
    let stat = stat_fd(&call, call.int(0))?;
    put_stat(&call, 1, &stat).await
}

/// stat(2).
pub(in super::super) async fn stat(call: Call<'_>) -> Result<u64, Errno> {
    stat_path(&call, true).await
}

/// lstat(2).
pub(in super::super) async fn lstat(call: Call<'_>) -> Result<u64, Errno> {
    stat_path(&call, false).await
}

async fn stat_path(call: &Call<'_>, follow: bool) -> Result<u64, Errno> {
    let inode = find_existing(call, AT_FDCWD, 0, follow).await?;
    put_stat(call, 1, &call.k.fs.stat(&inode)?).await
}

/// newfstatat(2).
pub(in super::super) async fn newfstatat(call: Call<'_>) -> Result<u64, Errno> {
    let stat = stat_at(&call, call.uint(3)).await?;
    put_stat(&call, 2, &stat).await
}

/// statx(2): all that [`Stat`] has, whatever is asked for. EINVAL: unknown flags, both ways of synchronizing, or the reserved bit of the mask.
pub(in super::super) async fn statx(call: Call<'_>) -> Result<u64, Errno> {
    const STATX_RESERVED: u32 = 1 << 31;
    const BOTH_WAYS: u32 = 0x6000;
    if call.uint(3) & STATX_RESERVED != 0 || call.uint(2) & BOTH_WAYS == BOTH_WAYS {
        return Err(Errno::EINVAL);
    }
    let stat = stat_at(&call, call.uint(2)).await?;
    copy_to_user(call.k, call.task, call.addr(4), &encode_statx(&stat)).await?;
    Ok(0)
}

/// What the first two arguments, a directory's descriptor and a path, stand for. EINVAL: unknown flags.
async fn stat_at(call: &Call<'_>, flags: u32) -> Result<Stat, Errno> {
    const AT_NO_AUTOMOUNT: u32 = 0x800;
    const AT_STATX_SYNC_TYPE: u32 = 0x6000;
    const KNOWN: u32 = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE;
    if flags & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    let path = read_path(call, 1).await?;
    if path.is_empty() && flags & AT_EMPTY_PATH != 0 && call.int(0) != AT_FDCWD {
        return stat_fd(call, call.int(0));
    }
    let path = if path.is_empty() && flags & AT_EMPTY_PATH != 0 {
        ".".to_owned()
    } else {
        path
    };
    let follow = flags & AT_SYMLINK_NOFOLLOW == 0;
    let inode = find(call, call.int(0), &path, follow)?.existing()?;
    call.k.fs.stat(&inode)
}

fn stat_fd(call: &Call<'_>, fd: i32) -> Result<Stat, Errno> {
    Ok(match &call.task.files.get(fd)?.target {
        FdTarget::File { inode, .. } => call.k.fs.stat(inode)?,
        FdTarget::ConsoleIn(_) | FdTarget::ConsoleOut(_) => console_stat(),
        FdTarget::Pipe(_) => Stat {
            mode: FileType::Fifo.mode_bits() | 0o600,
            nlink: 1,
            blksize: 4096,
            ..Stat::default()
        },
    })
}

async fn put_stat(call: &Call<'_>, index: usize, stat: &Stat) -> Result<u64, Errno> {
    let bytes = stat.encode(call.caller.abi);
    copy_to_user(call.k, call.task, call.addr(index), &bytes).await?;
    Ok(0)
}

/// `struct statx` (include/uapi/linux/stat.h), the same on all ISAs.
fn encode_statx(stat: &Stat) -> [u8; 256] {
    const STATX_BASIC_STATS: u32 = 0x7ff;
    let mut bytes = [0; 256];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    for (at, value) in [
        (0, STATX_BASIC_STATS),
        (4, stat.blksize.unsigned_abs()),
        (16, stat.nlink),
        (20, stat.uid),
        (24, stat.gid),
        (128, (stat.rdev >> 8) as u32),
        (132, (stat.rdev & 0xff) as u32),
        (136, (stat.dev >> 8) as u32),
        (140, (stat.dev & 0xff) as u32),
    ] {
        put(at, &value.to_le_bytes());
    }
    put(28, &(stat.mode as u16).to_le_bytes());
    put(32, &stat.ino.to_le_bytes());
    put(40, &stat.size.to_le_bytes());
    put(48, &stat.blocks.to_le_bytes());
    for (at, time) in [(64, stat.atime), (96, stat.ctime), (112, stat.mtime)] {
        put(at, &time.sec.get().to_le_bytes());
        put(at + 8, &(time.nsec.get() as u32).to_le_bytes());
    }
    bytes
}

const X_OK: u32 = 1;

/// access(2).
pub(in super::super) async fn access(call: Call<'_>) -> Result<u64, Errno> {
    accessible(&call, AT_FDCWD, 0).await
}

/// faccessat(2) and faccessat2(2).
pub(in super::super) async fn faccessat(call: Call<'_>) -> Result<u64, Errno> {
    accessible(&call, call.int(0), 1).await
}

/// Root may read and write everything, and execute what anybody may.
async fn accessible(call: &Call<'_>, dir: i32, index: usize) -> Result<u64, Errno> {
    let mode = call.uint(index + 1);
    if mode & !0o7 != 0 {
        return Err(Errno::EINVAL);
    }
    let inode = find_existing(call, dir, index, true).await?;
    let permissions = call.k.fs.stat(&inode)?.mode;
    if mode & X_OK != 0 && !inode.is_directory() && permissions & 0o111 == 0 {
        return Err(Errno::EACCES);
    }
    Ok(0)
}

/// readlink(2).
pub(in super::super) async fn readlink(call: Call<'_>) -> Result<u64, Errno> {
    read_link(&call, AT_FDCWD, 0).await
}

/// readlinkat(2).
pub(in super::super) async fn readlinkat(call: Call<'_>) -> Result<u64, Errno> {
    read_link(&call, call.int(0), 1).await
}

async fn read_link(call: &Call<'_>, dir: i32, index: usize) -> Result<u64, Errno> {
    let path = read_path(call, index).await?;
    let room = call.int(index + 2);
    if room <= 0 {
        return Err(Errno::EINVAL);
    }
    let target = if path.starts_with('/') && resolve(&path) == PROC_SELF_EXE {
        call.task.mm().exe_path.borrow().clone()
    } else {
        match &find(call, dir, &path, false)?.existing()?.kind {
            InodeKind::Symlink(target) => target.clone(),
            _ => return Err(Errno::EINVAL),
        }
    };
    let bytes = &target.as_bytes()[..target.len().min(room.unsigned_abs() as usize)];
    copy_to_user(call.k, call.task, call.addr(index + 1), bytes).await?;
    Ok(bytes.len() as u64)
}

/// chmod(2).
pub(in super::super) async fn chmod(call: Call<'_>) -> Result<u64, Errno> {
    let inode = find_existing(&call, AT_FDCWD, 0, true).await?;
    set_mode(&call, &inode, 1)
}

/// fchmodat(2).
pub(in super::super) async fn fchmodat(call: Call<'_>) -> Result<u64, Errno> {
    let inode = find_existing(&call, call.int(0), 1, true).await?;
    set_mode(&call, &inode, 2)
}

/// fchmod(2).
pub(in super::super) async fn fchmod(call: Call<'_>) -> Result<u64, Errno> {
    set_mode(&call, &*inode_of(&call, call.int(0))?, 1)
}

fn set_mode(call: &Call<'_>, inode: &Inode, index: usize) -> Result<u64, Errno> {
    call.k.fs.open(inode)?;
    inode.set_permissions(call.uint(index), now(call));
    Ok(0)
}

/// chown(2).
pub(in super::super) async fn chown(call: Call<'_>) -> Result<u64, Errno> {
    find_existing(&call, AT_FDCWD, 0, true).await.map(|_| 0)
}

/// lchown(2).
pub(in super::super) async fn lchown(call: Call<'_>) -> Result<u64, Errno> {
    find_existing(&call, AT_FDCWD, 0, false).await.map(|_| 0)
}

/// fchown(2).
pub(in super::super) async fn fchown(call: Call<'_>) -> Result<u64, Errno> {
    call.task.files.get(call.int(0)).map(|_| 0)
}

/// fchownat(2). EINVAL: unknown flags.
pub(in super::super) async fn fchownat(call: Call<'_>) -> Result<u64, Errno> {
    if call.uint(4) & !(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0 {
        return Err(Errno::EINVAL);
    }
    let path = read_path(&call, 1).await?;
    if path.is_empty() && call.uint(4) & AT_EMPTY_PATH != 0 {
        return fchown(call).await;
    }
    let follow = call.uint(4) & AT_SYMLINK_NOFOLLOW == 0;
    find(&call, call.int(0), &path, follow)?
        .existing()
        .map(|_| 0)
}

const UTIME_NOW: i64 = 0x3fff_ffff;
const UTIME_OMIT: i64 = 0x3fff_fffe;

/// utimensat(2); the time of the last access, which nothing keeps, is taken and forgotten. Where both times are to stay, nobody looks whether there is such a
/// file.
pub(in super::super) async fn utimensat(call: Call<'_>) -> Result<u64, Errno> {
    let mtime = match UserPtr::<[Timespec; 2]>::new(call.args[2]).non_null() {
        None => Some(now(&call)),
        Some(times) => {
            let [access, change] = times.read(call.k, call.task).await?;
            if access.nsec.get() == UTIME_OMIT && change.nsec.get() == UTIME_OMIT {
                return Ok(0);
            }
            let valid = |time: Timespec| match time.nsec.get() {
                UTIME_NOW | UTIME_OMIT | 0..1_000_000_000 => Ok(()),
                _ => Err(Errno::EINVAL),
            };
            valid(access)?;
            valid(change)?;
            match change.nsec.get() {
                UTIME_NOW => Some(now(&call)),
                UTIME_OMIT => None,
                _ => Some(change),
            }
        }
    };
    if call.uint(3) & !AT_SYMLINK_NOFOLLOW != 0 {
        return Err(Errno::EINVAL);
    }
    let inode = if call.args[1] == 0 {
        inode_of(&call, call.int(0))?
    } else {
        let follow = call.uint(3) & AT_SYMLINK_NOFOLLOW == 0;
        find_existing(&call, call.int(0), 1, follow).await?
    };
    if let Some(mtime) = mtime {
        call.k.fs.open(&inode)?;
        inode.touch(mtime, now(&call));
    }
    Ok(0)
}

/// statfs(2).
pub(in super::super) async fn statfs(call: Call<'_>) -> Result<u64, Errno> {
    find_existing(&call, AT_FDCWD, 0, true).await?;
    put_statfs(&call).await
}

/// fstatfs(2).
pub(in super::super) async fn fstatfs(call: Call<'_>) -> Result<u64, Errno> {
    call.task.files.get(call.int(0))?;
    put_statfs(&call).await
}

/// `struct statfs`, fifteen 64-bit words on both ISAs: an overlay file system with as much room as may still be written.
async fn put_statfs(call: &Call<'_>) -> Result<u64, Errno> {
    const OVERLAYFS_SUPER_MAGIC: u64 = 0x794c_7630;
    const BLOCK: u64 = 4096;
    const NAME_MAX: u64 = 255;
    let (limit, used) = call.k.fs.space();
    let (all, free) = (limit / BLOCK, (limit - used) / BLOCK);
    let mut words = [0; 15];
    words[..5].copy_from_slice(&[OVERLAYFS_SUPER_MAGIC, BLOCK, all, free, free]);
    (words[8], words[9]) = (NAME_MAX, BLOCK);
    let bytes = words.map(u64::to_le_bytes).concat();
    copy_to_user(call.k, call.task, call.addr(1), &bytes).await?;
    Ok(0)
}
