//! Descriptors: close, dup, fcntl, lseek, ftruncate, fsync, ioctl, pipe.

use std::rc::Rc;

use isa::Errno;
use isa::layout::OpenFlags;
use zerocopy::little_endian::I32;

use super::open::set_size;
use super::{Call, inode_of};
use crate::fs::{Description, FdTarget, FileTable, InodeKind, Pipe};
use crate::mm::{UserPtr, copy_from_user, copy_to_user};

/// close(2).
pub(in super::super) async fn close(call: Call<'_>) -> Result<u64, Errno> {
    call.task.files.close(call.int(0)).map(|()| 0)
}

/// dup(2).
pub(in super::super) async fn dup(call: Call<'_>) -> Result<u64, Errno> {
    let description = call.task.files.get(call.int(0))?;
    call.task.files.install(description, 0, false)
}

/// dup2(2).
pub(in super::super) async fn dup2(call: Call<'_>) -> Result<u64, Errno> {
    let files = &call.task.files;
    files.duplicate_to(call.int(0), call.int(1), false)
}

/// dup3(2): as dup2, but refuses equal descriptors and takes O_CLOEXEC.
pub(in super::super) async fn dup3(call: Call<'_>) -> Result<u64, Errno> {
    let flags = OpenFlags::decode(call.caller.abi, call.uint(2));
    if call.int(0) == call.int(1) || !(flags - OpenFlags::CLOEXEC).is_empty() {
        return Err(Errno::EINVAL);
    }
    let files = &call.task.files;
    files.duplicate_to(call.int(0), call.int(1), !flags.is_empty())
}

const F_DUPFD: i32 = 0;
const F_GETFD: i32 = 1;
const F_SETFD: i32 = 2;
const F_GETFL: i32 = 3;
const F_SETFL: i32 = 4;
const F_GETLK: i32 = 5;
const F_SETLK: i32 = 6;
const F_SETLKW: i32 = 7;
const F_DUPFD_CLOEXEC: i32 = 1030;
const FD_CLOEXEC: u64 = 1;
/// What F_SETFL can change.
const SETTABLE: OpenFlags = OpenFlags::APPEND
    .union(OpenFlags::NONBLOCK)
    .union(OpenFlags::NOATIME);

/// fcntl(2): duplicates, flags and record locks.
pub(in super::super) async fn fcntl(call: Call<'_>) -> Result<u64, Errno> {
    let (files, fd, abi) = (&call.task.files, call.int(0), call.caller.abi);
    let description = files.get(fd)?;
    match call.int(1) {
        F_DUPFD | F_DUPFD_CLOEXEC if !FileTable::may_have(call.int(2)) => Err(Errno::EINVAL),
        command @ (F_DUPFD | F_DUPFD_CLOEXEC) => {
            files.install(description, call.int(2), command == F_DUPFD_CLOEXEC)
        }
        F_GETFD => Ok(u64::from(files.close_on_exec(fd)?)),
        F_SETFD => {
            files.set_close_on_exec(fd, call.args[2] & FD_CLOEXEC != 0)?;
            Ok(0)
        }
        F_GETFL => Ok(description.flags.get().encode(abi).into()),
        F_SETFL => {
            let wanted = OpenFlags::decode(abi, call.uint(2)) & SETTABLE;
            let kept = description.flags.get() - SETTABLE;
            description.flags.set(kept | wanted);
            Ok(0)
        }
        F_GETLK | F_SETLK | F_SETLKW => lock(&call, &description).await,
        _ => Err(Errno::EINVAL),
    }
}

const F_RDLCK: i16 = 0;
const F_WRLCK: i16 = 1;
const F_UNLCK: i16 = 2;

/// Record locks belong to processes, and a node's file system serves one process only: nobody holds a lock that another could want, and
/// there is nothing to keep. What is wrong with a request is said all the same.
async fn lock(call: &Call<'_>, description: &Description) -> Result<u64, Errno> {
    // struct flock begins with l_type and l_whence, both 16 bits wide.
    let mut kind = [0; 4];
    copy_from_user(call.k, call.task, call.addr(2), &mut kind).await?;
    let whence = i16::from_le_bytes([kind[2], kind[3]]);
    let kind = i16::from_le_bytes([kind[0], kind[1]]);
    if !(F_RDLCK..=F_UNLCK).contains(&kind) || !(0..=2).contains(&whence) {
        return Err(Errno::EINVAL);
    }
    if call.int(1) == F_GETLK {
        if kind == F_UNLCK {
            return Err(Errno::EINVAL);
        }
        copy_to_user(call.k, call.task, call.addr(2), &F_UNLCK.to_le_bytes()).await?;
        return Ok(0);
    }
    let flags = description.flags.get();
    match kind {
        F_RDLCK if !flags.readable() => Err(Errno::EBADF),
        F_WRLCK if !flags.writable() => Err(Errno::EBADF),
        _ => Ok(0),
    }
}

/// lseek(2).
pub(in super::super) async fn lseek(call: Call<'_>) -> Result<u64, Errno> {
    const SEEK_DATA: i32 = 3;
    const SEEK_HOLE: i32 = 4;
    let description = call.task.files.get(call.int(0))?;
    let FdTarget::File { inode, .. } = &description.target else {
        return Err(Errno::ESPIPE);
    };
    if matches!(inode.kind, InodeKind::Device(_)) {
        return Ok(0);
    }
    let (size, by) = (inode.size(), call.args[1].cast_signed());
    let base = match call.int(2) {
        0 => 0,
        1 => description.offset.get(),
        2 => size,
        // A file is data to its end.
        SEEK_DATA | SEEK_HOLE if by < 0 || call.args[1] >= size => return Err(Errno::ENXIO),
        SEEK_DATA => 0,
        SEEK_HOLE => {
            description.offset.set(size);
            return Ok(size);
        }
        _ => return Err(Errno::EINVAL),
    };
    let target = base
        .checked_add_signed(by)
        .filter(|target| *target <= i64::MAX as u64);
    description.offset.set(target.ok_or(Errno::EINVAL)?);
    Ok(description.offset.get())
}

/// ftruncate(2).
pub(in super::super) async fn ftruncate(call: Call<'_>) -> Result<u64, Errno> {
    if !call.task.files.get(call.int(0))?.flags.get().writable() {
        return Err(Errno::EINVAL);
    }
    set_size(&call, &inode_of(&call, call.int(0))?).await
}

/// fsync(2) and fdatasync(2): what is written is where it will ever be. EINVAL for pipes and the console.
pub(in super::super) async fn fsync(call: Call<'_>) -> Result<u64, Errno> {
    inode_of(&call, call.int(0)).map(|_| 0)
}

/// ioctl(2): nothing here is a terminal; FIONREAD tells what a pipe holds.
pub(in super::super) async fn ioctl(call: Call<'_>) -> Result<u64, Errno> {
    const FIONREAD: u32 = 0x541b;
    let description = call.task.files.get(call.int(0))?;
    match &description.target {
        FdTarget::Pipe(end) if call.uint(1) == FIONREAD => {
            let count = I32::new(end.pipe.filled() as i32);
            let out = UserPtr::new(call.args[2]);
            out.write(call.k, call.task, &count).await?;
            Ok(0)
        }
        _ => Err(Errno::ENOTTY),
    }
}

/// pipe(2).
pub(in super::super) async fn pipe(call: Call<'_>) -> Result<u64, Errno> {
    make_pipe(&call, OpenFlags::empty()).await
}

/// pipe2(2).
pub(in super::super) async fn pipe2(call: Call<'_>) -> Result<u64, Errno> {
    let flags = OpenFlags::decode(call.caller.abi, call.uint(1));
    if !(flags - OpenFlags::CLOEXEC - OpenFlags::NONBLOCK).is_empty() {
        return Err(Errno::EINVAL);
    }
    make_pipe(&call, flags).await
}

async fn make_pipe(call: &Call<'_>, flags: OpenFlags) -> Result<u64, Errno> {
    let files = &call.task.files;
    let close_on_exec = flags.contains(OpenFlags::CLOEXEC);
    let status = flags & OpenFlags::NONBLOCK;
    let [reads, writes] = Pipe::ends(&call.k.exec);
    let install = |end, mode| {
        let description = Description::new(FdTarget::Pipe(end), status | mode);
        files.install(Rc::clone(&description), 0, close_on_exec)
    };
    let first = install(reads, OpenFlags::empty())? as i32;
    let second = install(writes, OpenFlags::WRONLY).map(|fd| fd as i32);
    let stored = match second {
        Ok(second) => {
            let pair = [I32::new(first), I32::new(second)];
            let out = UserPtr::new(call.args[0]);
            out.write(call.k, call.task, &pair).await
        }
        Err(errno) => Err(errno),
    };
    if stored.is_err() {
        files.close(first)?;
        if let Ok(second) = second {
            files.close(second)?;
        }
    }
    stored.map(|()| 0)
}
