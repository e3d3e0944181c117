//! Directories: getdents64(2), and the working directory.

use std::rc::Rc;

use isa::Errno;
use isa::layout::FileType;

use super::{AT_FDCWD, Call, find, read_path, working_directory};
use crate::fs::{Description, FdTarget, Inode, directory_path};
use crate::mm::copy_to_user;

/// Bytes of struct linux_dirent64 before the name.
const HEADER: usize = 19;

/// getdents64(2): `.`, `..`, and the names in order. ENOENT: it has been removed. EINVAL: no room for even one entry.
pub(in super::super) async fn getdents64(call: Call<'_>) -> Result<u64, Errno> {
    let description = call.task.files.get(call.int(0))?;
    let FdTarget::File { inode, .. } = &description.target else {
        return Err(Errno::ENOTDIR);
    };
    inode.as_directory()?;
    let at = description.offset.get();
    if at == 0 || description.listing.borrow().is_none() {
        list(&call, &description, inode)?;
    }
    let listing = description.listing.borrow().clone();
    let listing = listing.ok_or(Errno::ENOENT)?;
    let room = call.uint(2) as usize;
    let mut bytes = Vec::new();
    let mut next = at;
    for (ino, kind, name) in listing
        .iter()
        .skip(usize::try_from(at).unwrap_or(usize::MAX))
    {
        let len = (HEADER + name.len() + 1).next_multiple_of(8);
        if bytes.len() + len > room {
            break;
        }
        next += 1;
        let end = bytes.len() + len;
        bytes.extend(ino.to_le_bytes());
        bytes.extend(next.to_le_bytes());
        bytes.extend((len as u16).to_le_bytes());
        bytes.push(*kind);
        bytes.extend(name.as_bytes());
        bytes.resize(end, 0);
    }
    if bytes.is_empty() && (at as usize) < listing.len() {
        return Err(Errno::EINVAL);
    }
    copy_to_user(call.k, call.task, call.addr(1), &bytes).await?;
    description.offset.set(next);
    Ok(bytes.len() as u64)
}

/// Keeps what a directory has now, for as long as it is being read.
fn list(call: &Call<'_>, description: &Description, inode: &Rc<Inode>) -> Result<(), Errno> {
    if inode.as_directory()?.is_removed() {
        return Err(Errno::ENOENT);
    }
    let above = call.k.fs.walk(Rc::clone(inode), "..", true)?.existing()?;
    let entry = |name: &str, inode: &Inode| (inode.ino, directory_type(inode), name.to_owned());
    let mut all = vec![entry(".", inode), entry("..", &above)];
    for (name, inode) in call.k.fs.entries(inode)? {
        all.push(entry(&name, &inode));
    }
    *description.listing.borrow_mut() = Some(all.into());
    Ok(())
}

/// `d_type`: the type bits of the mode, moved down.
fn directory_type(inode: &Inode) -> u8 {
    (FileType::mode_bits(inode.file_type()) >> 12) as u8
}

/// chdir(2).
pub(in super::super) async fn chdir(call: Call<'_>) -> Result<u64, Errno> {
    let path = read_path(&call, 0).await?;
    let found = find(&call, AT_FDCWD, &path, true)?;
    let to = found.existing()?;
    to.as_directory()?;
    call.task.files.cwd.replace(Some(to));
    Ok(0)
}

/// fchdir(2).
pub(in super::super) async fn fchdir(call: Call<'_>) -> Result<u64, Errno> {
    match &call.task.files.get(call.int(0))?.target {
        FdTarget::File { inode, .. } if inode.is_directory() => {
            call.task.files.cwd.replace(Some(Rc::clone(inode)));
            Ok(0)
        }
        _ => Err(Errno::ENOTDIR),
    }
}

/// getcwd(2). ENOENT: it has been removed.
pub(in super::super) async fn getcwd(call: Call<'_>) -> Result<u64, Errno> {
    let inode = working_directory(&call);
    if inode.as_directory()?.is_removed() {
        return Err(Errno::ENOENT);
    }
    let mut cwd = directory_path(&inode).into_bytes();
    cwd.push(0);
    if call.args[1] < cwd.len() as u64 {
        return Err(Errno::ERANGE);
    }
    copy_to_user(call.k, call.task, call.addr(0), &cwd).await?;
    Ok(cwd.len() as u64)
}
