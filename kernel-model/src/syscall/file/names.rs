//! Names: mkdir(2), symlink(2), link(2), unlink(2), rmdir(2), rename(2), and the forms of them that begin at a directory's descriptor.

use isa::Errno;

use super::open::new_mode;
use super::{AT_EMPTY_PATH, AT_FDCWD, Call, find, inode_of, now, read_path};
use crate::fs::Renaming;

const AT_REMOVEDIR: u32 = 0x200;
const AT_SYMLINK_FOLLOW: u32 = 0x400;

/// mkdir(2).
pub(in super::super) async fn mkdir(call: Call<'_>) -> Result<u64, Errno> {
    make_directory(&call, AT_FDCWD, 0).await
}

/// mkdirat(2).
pub(in super::super) async fn mkdirat(call: Call<'_>) -> Result<u64, Errno> {
    make_directory(&call, call.int(0), 1).await
}

async fn make_directory(call: &Call<'_>, dir: i32, index: usize) -> Result<u64, Errno> {
    let path = read_path(call, index).await?;
    let found = find(call, dir, &path, false)?;
    let mode = new_mode(call, call.uint(index + 1) & 0o1777);
    call.k.fs.make_directory(&found, mode, now(call))?;
    Ok(0)
}

/// symlink(2).
pub(in super::super) async fn symlink(call: Call<'_>) -> Result<u64, Errno> {
    make_symlink(&call, AT_FDCWD, 1).await
}

/// symlinkat(2).
pub(in super::super) async fn symlinkat(call: Call<'_>) -> Result<u64, Errno> {
    make_symlink(&call, call.int(1), 2).await
}

async fn make_symlink(call: &Call<'_>, dir: i32, index: usize) -> Result<u64, Errno> {
    let target = read_path(call, 0).await?;
    if target.is_empty() {
        return Err(Errno::ENOENT);
    }
    let path = read_path(call, index).await?;
    let found = find(call, dir, &path, false)?;
    call.k.fs.make_symlink(&found, &target, now(call))?;
    Ok(0)
}

/// link(2).
pub(in super::super) async fn link(call: Call<'_>) -> Result<u64, Errno> {
    make_link(&call, (AT_FDCWD, 0), (AT_FDCWD, 1), 0).await
}

/// linkat(2).
pub(in super::super) async fn linkat(call: Call<'_>) -> Result<u64, Errno> {
    let flags = call.uint(4);
    if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    make_link(&call, (call.int(0), 1), (call.int(2), 3), flags).await
}

async fn make_link(
    call: &Call<'_>,
    (from_dir, from): (i32, usize),
    (to_dir, to): (i32, usize),
    flags: u32,
) -> Result<u64, Errno> {
    let (from, to) = (read_path(call, from).await?, read_path(call, to).await?);
    let inode = if from.is_empty() && flags & AT_EMPTY_PATH != 0 {
        inode_of(call, from_dir)?
    } else {
        find(call, from_dir, &from, flags & AT_SYMLINK_FOLLOW != 0)?.existing()?
    };
    let found = find(call, to_dir, &to, false)?;
    call.k.fs.link(&inode, &found, now(call))?;
    Ok(0)
}

/// unlink(2).
pub(in super::super) async fn unlink(call: Call<'_>) -> Result<u64, Errno> {
    let path = read_path(&call, 0).await?;
    let found = find(&call, AT_FDCWD, &path, false)?;
    call.k.fs.unlink(&found, now(&call))?;
    Ok(0)
}

/// rmdir(2).
pub(in super::super) async fn rmdir(call: Call<'_>) -> Result<u64, Errno> {
    let path = read_path(&call, 0).await?;
    remove_directory(&call, AT_FDCWD, &path)
}

/// unlinkat(2).
pub(in super::super) async fn unlinkat(call: Call<'_>) -> Result<u64, Errno> {
    let path = read_path(&call, 1).await?;
    match call.uint(2) {
        0 => {
            let found = find(&call, call.int(0), &path, false)?;
            call.k.fs.unlink(&found, now(&call))?;
            Ok(0)
        }
        AT_REMOVEDIR => remove_directory(&call, call.int(0), &path),
        _ => Err(Errno::EINVAL),
    }
}

/// EINVAL: the path ends with `.`. ENOTEMPTY: it ends with `..`, which is never empty. EBUSY: it is the top's.
fn remove_directory(call: &Call<'_>, dir: i32, path: &str) -> Result<u64, Errno> {
    let found = find(call, dir, path, false)?;
    match path.trim_end_matches('/').rsplit('/').next() {
        Some(".") => return Err(Errno::EINVAL),
        Some("..") => return Err(Errno::ENOTEMPTY),
        Some("") => return Err(Errno::EBUSY),
        _ => {}
    }
    call.k.fs.remove_directory(&found, now(call))?;
    Ok(0)
}

/// rename(2).
pub(in super::super) async fn rename(call: Call<'_>) -> Result<u64, Errno> {
    move_name(&call, (AT_FDCWD, 0), (AT_FDCWD, 1), Renaming::Replace).await
}

/// renameat(2).
pub(in super::super) async fn renameat(call: Call<'_>) -> Result<u64, Errno> {
    let (from, to) = ((call.int(0), 1), (call.int(2), 3));
    move_name(&call, from, to, Renaming::Replace).await
}

/// renameat2(2); whiteouts are not modelled.
pub(in super::super) async fn renameat2(call: Call<'_>) -> Result<u64, Errno> {
    let how = match call.uint(4) {
        0 => Renaming::Replace,
        1 => Renaming::NoReplace,
        2 => Renaming::Exchange,
        _ => return Err(Errno::EINVAL),
    };
    move_name(&call, (call.int(0), 1), (call.int(2), 3), how).await
}

/// Whether a path ends with no name of its own: it is the top's, or ends with `.` or `..`.
fn is_nameless(path: &str) -> bool {
    let last = path.trim_end_matches('/').rsplit('/').next();
    matches!(last, None | Some("" | "." | ".."))
}

/// EBUSY: there is no name to move, or to move to. EEXIST: that, where nothing is to be replaced.
async fn move_name(
    call: &Call<'_>,
    (from_dir, from): (i32, usize),
    (to_dir, to): (i32, usize),
    how: Renaming,
) -> Result<u64, Errno> {
    // Reading a path may sleep; what is found must not change afterwards.
    let (from_path, to_path) = (read_path(call, from).await?, read_path(call, to).await?);
    let from = find(call, from_dir, &from_path, false)?;
    let to = find(call, to_dir, &to_path, false)?;
    if is_nameless(&from_path) {
        return Err(Errno::EBUSY);
    }
    if is_nameless(&to_path) {
        return Err(match how {
            Renaming::NoReplace => Errno::EEXIST,
            _ => Errno::EBUSY,
        });
    }
    call.k.fs.rename(&from, &to, how, now(call))?;
    Ok(0)
}
