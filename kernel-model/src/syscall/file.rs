//! Files and the console: open(2), read(2), write(2) and what goes with descriptors.
//!
//! The root is read-only and holds regular files; the working directory is `/`. A remote thread's calls run here at home.

use std::cell::Cell;
use std::rc::Rc;

use isa::Errno;
use isa::layout::{Iovec, OpenFlags, Stat};

use super::Call;
use crate::event::Event;
use crate::fs::{Description, FdTarget, console_stat, resolve};
use crate::mm::{UserPtr, copy_from_user, copy_to_user, read_cstring};

/// PATH_MAX, its zero byte included.
const PATH_MAX: usize = 4096;
/// Most buffers of one readv or writev.
const IOV_MAX: i32 = 1024;
/// Most bytes of one call (MAX_RW_COUNT).
const MAX_RW_COUNT: u64 = 0x7fff_f000;
/// How much goes through the kernel at once.
const CHUNK: u64 = 64 << 10;
const AT_FDCWD: i32 = -100;
const AT_EMPTY_PATH: u32 = 0x1000;

/// read(2).
pub(super) async fn read(call: Call<'_>) -> Result<u64, Errno> {
    read_into(
        &call,
        &[Iovec {
            base: call.args[1].into(),
            len: call.args[2].into(),
        }],
    )
    .await
}

/// readv(2).
pub(super) async fn readv(call: Call<'_>) -> Result<u64, Errno> {
    let buffers = iovecs(&call).await?;
    read_into(&call, &buffers).await
}

/// pread(2).
pub(super) async fn pread64(call: Call<'_>) -> Result<u64, Errno> {
    let description = call.task.files.get(call.int(0))?;
    let FdTarget::File { file, .. } = &description.target else {
        return Err(Errno::ESPIPE);
    };
    if call.args[3].cast_signed() < 0 {
        return Err(Errno::EINVAL);
    }
    let mut done = 0;
    let len = call.args[2].min(MAX_RW_COUNT);
    while done < len {
        let mut bytes = vec![0; CHUNK.min(len - done) as usize];
        let count = file.read_at(call.args[3] + done, &mut bytes);
        if count == 0 {
            break;
        }
        copy_to_user(
            call.k,
            call.task,
            call.addr(1).wrapping_add(done),
            &bytes[..count],
        )
        .await?;
        done += count as u64;
    }
    Ok(done)
}

async fn read_into(call: &Call<'_>, buffers: &[Iovec]) -> Result<u64, Errno> {
    let description = call.task.files.get(call.int(0))?;
    let FdTarget::File { file, .. } = &description.target else {
        return Ok(0);
    };
    let mut done = 0;
    for buffer in buffers {
        let mut filled = 0;
        let len = buffer.len.get().min(MAX_RW_COUNT - done);
        while filled < len {
            let mut bytes = vec![0; CHUNK.min(len - filled) as usize];
            let offset = description.offset.get();
            let count = file.read_at(offset, &mut bytes);
            if count == 0 {
                return Ok(done);
            }
            match copy_to_user(
                call.k,
                call.task,
                buffer.address().wrapping_add(filled),
                &bytes[..count],
            )
            .await
            {
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => return Ok(done),
                Ok(()) => {}
            }
            description.offset.set(offset + count as u64);
            filled += count as u64;
            done += count as u64;
        }
    }
    Ok(done)
}

/// write(2).
pub(super) async fn write(call: Call<'_>) -> Result<u64, Errno> {
    write_from(
        &call,
        &[Iovec {
            base: call.args[1].into(),
            len: call.args[2].into(),
        }],
    )
    .await
}

/// writev(2). What fits in one piece is one piece of output.
pub(super) async fn writev(call: Call<'_>) -> Result<u64, Errno> {
    let buffers = iovecs(&call).await?;
    write_from(&call, &buffers).await
}

async fn write_from(call: &Call<'_>, buffers: &[Iovec]) -> Result<u64, Errno> {
    let description = call.task.files.get(call.int(0))?;
    let FdTarget::ConsoleOut(fd) = description.target else {
        return Err(Errno::EBADF);
    };
    let mut done = 0;
    let mut piece = Vec::new();
    let mut failed = None;
    'all: for buffer in buffers {
        let mut taken = 0;
        while taken < buffer.len.get() && done + (piece.len() as u64) < MAX_RW_COUNT {
            let room = CHUNK - piece.len() as u64;
            let mut bytes = vec![0; room.min(buffer.len.get() - taken) as usize];
            if let Err(errno) = copy_from_user(
                call.k,
                call.task,
                buffer.address().wrapping_add(taken),
                &mut bytes,
            )
            .await
            {
                failed = Some(errno);
                break 'all;
            }
            taken += bytes.len() as u64;
            piece.append(&mut bytes);
            if piece.len() as u64 == CHUNK {
                done += emit(call, fd, &mut piece);
            }
        }
    }
    done += emit(call, fd, &mut piece);
    match failed {
        Some(errno) if done == 0 => Err(errno),
        _ => Ok(done),
    }
}

fn emit(call: &Call<'_>, fd: i32, piece: &mut Vec<u8>) -> u64 {
    let bytes = std::mem::take(piece);
    if !bytes.is_empty() {
        call.k.event(&Event::Output { fd, bytes: &bytes });
    }
    bytes.len() as u64
}

/// The buffers of readv and writev. EINVAL: too many, or more bytes than a result can say.
async fn iovecs(call: &Call<'_>) -> Result<Vec<Iovec>, Errno> {
    let count = call.int(2);
    if !(0..=IOV_MAX).contains(&count) {
        return Err(Errno::EINVAL);
    }
    let mut buffers = Vec::new();
    let mut total = 0_u64;
    for index in 0..u64::from(count.unsigned_abs()) {
        let at = call.args[1].wrapping_add(index * size_of::<Iovec>() as u64);
        let buffer: Iovec = UserPtr::new(at).read(call.k, call.task).await?;
        total = total
            .checked_add(buffer.len.get())
            .filter(|total| *total <= i64::MAX as u64)
            .ok_or(Errno::EINVAL)?;
        buffers.push(buffer);
    }
    Ok(buffers)
}

/// open(2).
pub(super) async fn open(call: Call<'_>) -> Result<u64, Errno> {
    open_path(&call, AT_FDCWD, 0, call.uint(1)).await
}

/// openat(2). Directories cannot be opened, so that relative paths begin at the root.
pub(super) async fn openat(call: Call<'_>) -> Result<u64, Errno> {
    open_path(&call, call.int(0), 1, call.uint(2)).await
}

async fn open_path(call: &Call<'_>, dir: i32, path: usize, flags: u32) -> Result<u64, Errno> {
    let path = read_path(call, dir, path).await?;
    let flags = OpenFlags::decode(call.caller.abi, flags);
    if flags.intersects(OpenFlags::WRONLY | OpenFlags::RDWR | OpenFlags::TRUNC | OpenFlags::TMPFILE)
    {
        return Err(Errno::EROFS);
    }
    let file = match call.k.root.open(&path, call.k.isa()) {
        Err(Errno::ENOENT) if flags.contains(OpenFlags::CREAT) => return Err(Errno::EROFS),
        Err(errno) => return Err(errno),
        Ok(_) if flags.contains(OpenFlags::CREAT | OpenFlags::EXCL) => return Err(Errno::EEXIST),
        Ok(_) if flags.contains(OpenFlags::DIRECTORY) => return Err(Errno::ENOTDIR),
        Ok(file) => file,
    };
    let description = Description {
        target: FdTarget::File {
            file,
            path: Rc::from(path),
        },
        offset: Cell::new(0),
    };
    let fd = call.task.files.install(Rc::new(description), 0)?;
    Ok(fd.unsigned_abs().into())
}

/// A path argument as an absolute path; `/proc/self/exe` is the program.
async fn read_path(call: &Call<'_>, dir: i32, index: usize) -> Result<String, Errno> {
    let bytes = read_cstring(call.k, call.task, call.addr(index), PATH_MAX).await?;
    let path = String::from_utf8(bytes).map_err(|_| Errno::ENOENT)?;
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    if !path.starts_with('/') && dir != AT_FDCWD {
        call.task.files.get(dir)?;
        return Err(Errno::ENOTDIR);
    }
    let path = resolve(&path);
    if path == PROC_SELF_EXE {
        Ok(call.task.mm().exe_path.borrow().clone())
    } else {
        Ok(path)
    }
}

const PROC_SELF_EXE: &str = "/proc/self/exe";

/// close(2).
pub(super) async fn close(call: Call<'_>) -> Result<u64, Errno> {
    call.task.files.close(call.int(0))?;
    Ok(0)
}

/// fstat(2).
pub(super) async fn fstat(call: Call<'_>) -> Result<u64, Errno> {
    let stat = stat_fd(&call, call.int(0))?;
    put_stat(&call, 1, &stat).await
}

/// stat(2) and lstat(2): the root has no symbolic links.
pub(super) async fn stat(call: Call<'_>) -> Result<u64, Errno> {
    let path = read_path(&call, AT_FDCWD, 0).await?;
    let stat = call.k.root.open(&path, call.k.isa())?.stat();
    put_stat(&call, 1, &stat).await
}

/// newfstatat(2).
pub(super) async fn newfstatat(call: Call<'_>) -> Result<u64, Errno> {
    let stat = if call.uint(3) & AT_EMPTY_PATH != 0
        && read_cstring(call.k, call.task, call.addr(1), PATH_MAX)
            .await?
            .is_empty()
    {
        stat_fd(&call, call.int(0))?
    } else {
        let path = read_path(&call, call.int(0), 1).await?;
        call.k.root.open(&path, call.k.isa())?.stat()
    };
    put_stat(&call, 2, &stat).await
}

fn stat_fd(call: &Call<'_>, fd: i32) -> Result<Stat, Errno> {
    Ok(match &call.task.files.get(fd)?.target {
        FdTarget::File { file, .. } => file.stat(),
        FdTarget::ConsoleIn | FdTarget::ConsoleOut(_) => console_stat(),
    })
}

async fn put_stat(call: &Call<'_>, index: usize, stat: &Stat) -> Result<u64, Errno> {
    copy_to_user(
        call.k,
        call.task,
        call.addr(index),
        &stat.encode(call.caller.abi),
    )
    .await?;
    Ok(0)
}

/// lseek(2).
pub(super) async fn lseek(call: Call<'_>) -> Result<u64, Errno> {
    let description = call.task.files.get(call.int(0))?;
    let FdTarget::File { file, .. } = &description.target else {
        return Err(Errno::ESPIPE);
    };
    let base = match call.int(2) {
        0 => 0,
        1 => description.offset.get(),
        2 => file.len(),
        _ => return Err(Errno::EINVAL),
    };
    let target = base
        .checked_add_signed(call.args[1].cast_signed())
        .filter(|target| *target <= i64::MAX as u64);
    description.offset.set(target.ok_or(Errno::EINVAL)?);
    Ok(description.offset.get())
}

/// ioctl(2): nothing here is a terminal.
pub(super) async fn ioctl(call: Call<'_>) -> Result<u64, Errno> {
    call.task.files.get(call.int(0))?;
    Err(Errno::ENOTTY)
}

const F_DUPFD: i32 = 0;
const F_GETFD: i32 = 1;
const F_SETFD: i32 = 2;
const F_GETFL: i32 = 3;
const F_SETFL: i32 = 4;
const F_DUPFD_CLOEXEC: i32 = 1030;
const O_RDWR: u64 = 2;

/// fcntl(2), without locks. Close-on-exec means nothing without execve.
pub(super) async fn fcntl(call: Call<'_>) -> Result<u64, Errno> {
    let description = call.task.files.get(call.int(0))?;
    match call.int(1) {
        F_DUPFD | F_DUPFD_CLOEXEC if call.int(2) < 0 => Err(Errno::EINVAL),
        F_DUPFD | F_DUPFD_CLOEXEC => Ok(call
            .task
            .files
            .install(description, call.int(2))?
            .unsigned_abs()
            .into()),
        F_GETFD | F_SETFD | F_SETFL => Ok(0),
        F_GETFL => Ok(if matches!(description.target, FdTarget::File { .. }) {
            0
        } else {
            O_RDWR
        }),
        _ => Err(Errno::EINVAL),
    }
}

/// dup(2).
pub(super) async fn dup(call: Call<'_>) -> Result<u64, Errno> {
    let description = call.task.files.get(call.int(0))?;
    Ok(call
        .task
        .files
        .install(description, 0)?
        .unsigned_abs()
        .into())
}

/// dup2(2).
pub(super) async fn dup2(call: Call<'_>) -> Result<u64, Errno> {
    call.task.files.duplicate_to(call.int(0), call.int(1))
}

/// dup3(2): as dup2, but refuses equal descriptors.
pub(super) async fn dup3(call: Call<'_>) -> Result<u64, Errno> {
    if call.int(0) == call.int(1) {
        return Err(Errno::EINVAL);
    }
    call.task.files.duplicate_to(call.int(0), call.int(1))
}

const W_OK: u32 = 2;

/// access(2).
pub(super) async fn access(call: Call<'_>) -> Result<u64, Errno> {
    accessible(&call, AT_FDCWD, 0, call.uint(1)).await
}

/// faccessat(2).
pub(super) async fn faccessat(call: Call<'_>) -> Result<u64, Errno> {
    accessible(&call, call.int(0), 1, call.uint(2)).await
}

async fn accessible(call: &Call<'_>, dir: i32, path: usize, mode: u32) -> Result<u64, Errno> {
    let path = read_path(call, dir, path).await?;
    call.k.root.open(&path, call.k.isa())?;
    if mode & W_OK != 0 {
        Err(Errno::EROFS)
    } else {
        Ok(0)
    }
}

/// readlink(2): `/proc/self/exe` is the only link there is.
pub(super) async fn readlink(call: Call<'_>) -> Result<u64, Errno> {
    read_link(&call, 0).await
}

/// readlinkat(2).
pub(super) async fn readlinkat(call: Call<'_>) -> Result<u64, Errno> {
    read_link(&call, 1).await
}

async fn read_link(call: &Call<'_>, index: usize) -> Result<u64, Errno> {
    let path = read_cstring(call.k, call.task, call.addr(index), PATH_MAX).await?;
    let room = call.int(index + 2);
    if room <= 0 {
        return Err(Errno::EINVAL);
    }
    let path = String::from_utf8(path).map_err(|_| Errno::ENOENT)?;
    if resolve(&path) != PROC_SELF_EXE {
        return Err(call
            .k
            .root
            .open(&resolve(&path), call.k.isa())
            .err()
            .unwrap_or(Errno::EINVAL));
    }
    let target = call.task.mm().exe_path.borrow().clone();
    let bytes = &target.as_bytes()[..target.len().min(room.unsigned_abs() as usize)];
    copy_to_user(call.k, call.task, call.addr(index + 1), bytes).await?;
    Ok(bytes.len() as u64)
}

/// getcwd(2): always the root.
pub(super) async fn getcwd(call: Call<'_>) -> Result<u64, Errno> {
    let cwd = b"/\0";
    if call.args[1] < cwd.len() as u64 {
        return Err(Errno::ERANGE);
    }
    copy_to_user(call.k, call.task, call.addr(0), cwd).await?;
    Ok(cwd.len() as u64)
}
