//! open(2) and its like, truncate(2), and the mask of new files' permissions.

use std::rc::Rc;

use isa::Errno;
use isa::layout::OpenFlags;

use super::{AT_FDCWD, Call, find, find_existing, now, read_path};
use crate::fs::{Description, FdTarget, Found, Inode, InodeKind};
use crate::mm;

/// open(2).
pub(in super::super) async fn open(call: Call<'_>) -> Result<u64, Errno> {
    let flags = OpenFlags::decode(call.caller.abi, call.uint(1));
    open_path(&call, AT_FDCWD, 0, flags, call.uint(2)).await
}

/// creat(2).
pub(in super::super) async fn creat(call: Call<'_>) -> Result<u64, Errno> {
    let flags = OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::TRUNC;
    open_path(&call, AT_FDCWD, 0, flags, call.uint(1)).await
}

/// openat(2).
pub(in super::super) async fn openat(call: Call<'_>) -> Result<u64, Errno> {
    let flags = OpenFlags::decode(call.caller.abi, call.uint(2));
    open_path(&call, call.int(0), 1, flags, call.uint(3)).await
}

async fn open_path(
    call: &Call<'_>,
    dir: i32,
    index: usize,
    flags: OpenFlags,
    mode: u32,
) -> Result<u64, Errno> {
    let path = read_path(call, index).await?;
    let exclusive = flags.contains(OpenFlags::CREAT | OpenFlags::EXCL);
    let follow = !flags.contains(OpenFlags::NOFOLLOW) && !exclusive;
    let found = find(call, dir, &path, follow)?;
    let is_directory = found
        .inode
        .as_ref()
        .is_some_and(|inode| inode.is_directory());
    let path = match is_directory {
        true => Rc::from(""),
        false => Rc::from(found.path()),
    };
    let mode = new_mode(call, mode);
    let inode = if flags.contains(OpenFlags::TMPFILE) {
        unnamed(call, found, flags, mode)?
    } else {
        named(call, found, flags, mode).await?
    };
    let kept = flags - (OpenFlags::CREAT | OpenFlags::EXCL | OpenFlags::TRUNC | OpenFlags::NOCTTY);
    let description = Description::new(FdTarget::File { inode, path }, kept - OpenFlags::CLOEXEC);
    let close_on_exec = flags.contains(OpenFlags::CLOEXEC);
    call.task.files.install(description, 0, close_on_exec)
}

/// O_TMPFILE: a file without a name in a directory.
fn unnamed(call: &Call<'_>, found: Found, flags: OpenFlags, mode: u32) -> Result<Rc<Inode>, Errno> {
    if !flags.writable() {
        return Err(Errno::EINVAL);
    }
    found.existing()?.as_directory()?;
    Ok(call.k.fs.unnamed(mode, now(call)))
}

async fn named(
    call: &Call<'_>,
    found: Found,
    flags: OpenFlags,
    mode: u32,
) -> Result<Rc<Inode>, Errno> {
    let creates = flags.contains(OpenFlags::CREAT);
    if found.inode.is_none() && creates {
        return call.k.fs.create(&found, mode, now(call));
    }
    if found.inode.is_some() && creates && flags.contains(OpenFlags::EXCL) {
        return Err(Errno::EEXIST);
    }
    let inode = found.existing()?;
    let opens = !flags.contains(OpenFlags::PATH);
    match inode.kind {
        InodeKind::Symlink(_) if opens => return Err(Errno::ELOOP),
        InodeKind::Directory(_) if opens && (flags.writable() || creates) => {
            return Err(Errno::EISDIR);
        }
        InodeKind::Directory(_) => {}
        _ if flags.contains(OpenFlags::DIRECTORY) => return Err(Errno::ENOTDIR),
        InodeKind::File(_) if opens => {
            call.k.fs.open(&inode)?;
            if flags.contains(OpenFlags::TRUNC) && inode.size() > 0 {
                truncate_to(call, &inode, 0).await?;
            }
        }
        _ => {}
    }
    Ok(inode)
}

/// Permissions of a new file: what is asked for, less the process' mask.
pub(super) fn new_mode(call: &Call<'_>, mode: u32) -> u32 {
    mode & 0o7777 & !call.task.files.umask.get()
}

/// umask(2).
pub(in super::super) async fn umask(call: Call<'_>) -> Result<u64, Errno> {
    Ok(call.task.files.umask.replace(call.uint(0) & 0o777).into())
}

/// Cuts or extends a file, and clears what shared mappings have of the part that goes.
async fn truncate_to(call: &Call<'_>, inode: &Rc<Inode>, len: u64) -> Result<(), Errno> {
    let truncate = || call.k.fs.truncate(inode, len, now(call));
    let gone = match inode.is_mapped_shared() {
        true => inode.size().saturating_sub(len) as usize,
        false => 0,
    };
    mm::write_through(call.k, call.task, inode, len, &vec![0; gone], truncate).await
}

/// truncate(2).
pub(in super::super) async fn truncate(call: Call<'_>) -> Result<u64, Errno> {
    let inode = find_existing(&call, AT_FDCWD, 0, true).await?;
    set_size(&call, &inode).await
}

/// Cuts or extends a file to the length in the second argument. EINVAL: negative, or no regular file; EISDIR.
pub(super) async fn set_size(call: &Call<'_>, inode: &Rc<Inode>) -> Result<u64, Errno> {
    if call.args[1].cast_signed() < 0 {
        return Err(Errno::EINVAL);
    }
    match inode.kind {
        InodeKind::Directory(_) => Err(Errno::EISDIR),
        InodeKind::File(_) => {
            truncate_to(call, inode, call.args[1]).await?;
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}
