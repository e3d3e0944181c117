//! Reading and writing: read(2), write(2) and their scattered, gathered and positioned forms.

use std::rc::Rc;

use isa::Errno;
use isa::layout::{Iovec, OpenFlags, Siginfo};
use rand_core::Rng;

use super::{Call, now};
use crate::event::Event;
use crate::exec::WaitRecord;
use crate::fs::{Description, Device, FdTarget, Inode, InodeKind, PipeEnd};
use crate::mm::{self, UserPtr, copy_from_user, copy_part_to_user};
use crate::signal::{Signal, send_signal, signal_pending};

/// Most buffers of one call.
const IOV_MAX: i32 = 1024;
/// Most bytes of one call (MAX_RW_COUNT).
const MAX_RW_COUNT: u64 = 0x7fff_f000;
/// How much goes through the kernel at once.
const CHUNK: u64 = 64 << 10;
/// Writes of so many bytes go into a pipe in one piece.
const PIPE_BUF: u64 = 4096;

/// Where in a file a call reads or writes.
#[derive(Clone, Copy)]
enum At {
    /// At the file offset, which moves along.
    Offset,
    /// Here.
    Position(u64),
}

impl At {
    /// The position that pread(2) and its like give. EINVAL: negative.
    fn argument(position: u64) -> Result<Self, Errno> {
        match position.cast_signed() {
            0.. => Ok(Self::Position(position)),
            _ => Err(Errno::EINVAL),
        }
    }
}

/// read(2).
pub(in super::super) async fn read(call: Call<'_>) -> Result<u64, Errno> {
    read_into(&call, &[one_buffer(&call)], At::Offset).await
}

/// readv(2).
pub(in super::super) async fn readv(call: Call<'_>) -> Result<u64, Errno> {
    read_into(&call, &iovecs(&call).await?, At::Offset).await
}

/// pread(2).
pub(in super::super) async fn pread64(call: Call<'_>) -> Result<u64, Errno> {
    read_into(&call, &[one_buffer(&call)], At::argument(call.args[3])?).await
}

/// preadv(2).
pub(in super::super) async fn preadv(call: Call<'_>) -> Result<u64, Errno> {
    let at = At::argument(call.args[3])?;
    read_into(&call, &iovecs(&call).await?, at).await
}

/// write(2).
pub(in super::super) async fn write(call: Call<'_>) -> Result<u64, Errno> {
    write_from(&call, &[one_buffer(&call)], At::Offset).await
}

/// writev(2). What fits in one piece is one piece of output.
pub(in super::super) async fn writev(call: Call<'_>) -> Result<u64, Errno> {
    write_from(&call, &iovecs(&call).await?, At::Offset).await
}

/// pwrite(2).
pub(in super::super) async fn pwrite64(call: Call<'_>) -> Result<u64, Errno> {
    write_from(&call, &[one_buffer(&call)], At::argument(call.args[3])?).await
}

/// pwritev(2).
pub(in super::super) async fn pwritev(call: Call<'_>) -> Result<u64, Errno> {
    let at = At::argument(call.args[3])?;
    write_from(&call, &iovecs(&call).await?, at).await
}

fn one_buffer(call: &Call<'_>) -> Iovec {
    Iovec {
        base: call.args[1].into(),
        len: call.args[2].into(),
    }
}

/// The buffers of readv and its like. EINVAL: too many, or more bytes than a result can say.
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

async fn read_into(call: &Call<'_>, buffers: &[Iovec], at: At) -> Result<u64, Errno> {
    let description = call.task.files.get(call.int(0))?;
    check_access(&description, at, OpenFlags::readable)?;
    let mut done = 0;
    for buffer in buffers {
        let mut filled = 0;
        let len = buffer.len.get().min(MAX_RW_COUNT - done);
        while filled < len {
            let most = CHUNK.min(len - filled);
            let bytes = match fetch(call, &description, at, done, most).await {
                Ok(bytes) if bytes.is_empty() => return Ok(done),
                Ok(bytes) => bytes,
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => return Ok(done),
            };
            let to = buffer.address().wrapping_add(filled);
            let (count, failed) = match copy_part_to_user(call.k, call.task, to, &bytes).await {
                Ok(()) => (bytes.len() as u64, None),
                Err((copied, errno)) => match &description.target {
                    // It keeps what could not be handed over as a whole.
                    FdTarget::Pipe(end) => {
                        end.pipe.put_back(bytes);
                        (0, Some(errno))
                    }
                    _ => (copied as u64, Some(errno)),
                },
            };
            if matches!(at, At::Offset) {
                description.offset.set(description.offset.get() + count);
            }
            filled += count;
            done += count;
            match failed {
                Some(errno) if done == 0 => return Err(errno),
                Some(_) => return Ok(done),
                None => {}
            }
        }
    }
    Ok(done)
}

/// Reads at most `most` bytes, of which nothing is an end; `done` is how much the call has got already: a pipe gives what there is.
async fn fetch(
    call: &Call<'_>,
    description: &Description,
    at: At,
    done: u64,
    most: u64,
) -> Result<Vec<u8>, Errno> {
    let offset = match at {
        At::Offset => description.offset.get(),
        At::Position(position) => position + done,
    };
    match &description.target {
        FdTarget::ConsoleOut(_) => Ok(Vec::new()),
        FdTarget::ConsoleIn(input) => {
            let start = usize::try_from(offset)
                .unwrap_or(usize::MAX)
                .min(input.len());
            let end = input.len().min(start + most as usize);
            Ok(input[start..end].to_vec())
        }
        FdTarget::Pipe(_) if done > 0 && !readable_now(description) => Ok(Vec::new()),
        FdTarget::Pipe(end) => fetch_from_pipe(call, description, end, most).await,
        FdTarget::File { inode, .. } => {
            let mut bytes = vec![0; most as usize];
            let part = offset..offset.saturating_add(most);
            mm::collect(call.k, call.task, inode, part).await?;
            let count = match inode.kind {
                InodeKind::Directory(_) => return Err(Errno::EISDIR),
                InodeKind::Device(Device::Null) | InodeKind::Symlink(_) => 0,
                InodeKind::Device(Device::Zero | Device::Full) => bytes.len(),
                InodeKind::Device(Device::Random) => {
                    call.k.guest_random.borrow_mut().fill_bytes(&mut bytes);
                    bytes.len()
                }
                InodeKind::File(_) => inode.read_at(offset, &mut bytes),
            };
            bytes.truncate(count);
            Ok(bytes)
        }
    }
}

fn readable_now(description: &Description) -> bool {
    matches!(&description.target, FdTarget::Pipe(end) if end.pipe.filled() > 0)
}

async fn fetch_from_pipe(
    call: &Call<'_>,
    description: &Description,
    end: &PipeEnd,
    most: u64,
) -> Result<Vec<u8>, Errno> {
    let pipe = &end.pipe;
    while pipe.filled() == 0 {
        if !pipe.has_writers() {
            return Ok(Vec::new());
        }
        wait(call, description, end, "bytes in a pipe").await?;
    }
    Ok(pipe.take(most as usize))
}

/// Sleeps until something about a pipe has changed. EAGAIN: the description is not to wait. ERESTARTSYS: a
/// signal.
async fn wait(
    call: &Call<'_>,
    description: &Description,
    end: &PipeEnd,
    what: &str,
) -> Result<(), Errno> {
    if description.flags.get().contains(OpenFlags::NONBLOCK) {
        return Err(Errno::EAGAIN);
    }
    if signal_pending(call.task) {
        return Err(Errno::ERESTARTSYS);
    }
    let record = WaitRecord::new(what).interruptible();
    end.pipe.waiters.sleep(&call.k.exec, record).await;
    Ok(())
}

async fn write_from(call: &Call<'_>, buffers: &[Iovec], at: At) -> Result<u64, Errno> {
    let description = call.task.files.get(call.int(0))?;
    check_access(&description, at, OpenFlags::writable)?;
    let mut done = 0;
    let mut piece = Vec::new();
    let mut failed = None;
    'all: for buffer in buffers {
        let mut taken = 0;
        while taken < buffer.len.get() && done + (piece.len() as u64) < MAX_RW_COUNT {
            let room = CHUNK - piece.len() as u64;
            let mut bytes = vec![0; room.min(buffer.len.get() - taken) as usize];
            let from = buffer.address().wrapping_add(taken);
            if let Err(errno) = copy_from_user(call.k, call.task, from, &mut bytes).await {
                failed = Some(errno);
                break 'all;
            }
            taken += bytes.len() as u64;
            piece.append(&mut bytes);
            if piece.len() as u64 == CHUNK {
                match store(call, &description, at, done, &piece).await {
                    Ok(()) => done += piece.len() as u64,
                    Err((stored, errno)) => {
                        done += stored;
                        return if done == 0 { Err(errno) } else { Ok(done) };
                    }
                }
                piece.clear();
            }
        }
    }
    if !piece.is_empty() {
        match store(call, &description, at, done, &piece).await {
            Ok(()) => done += piece.len() as u64,
            Err((stored, errno)) => {
                done += stored;
                failed = Some(errno);
            }
        }
    }
    match failed {
        Some(errno) if done == 0 => Err(errno),
        _ => Ok(done),
    }
}

/// Writes a piece; `done` is how much of the call has been written already. The error comes with how much of the piece was.
async fn store(
    call: &Call<'_>,
    description: &Description,
    at: At,
    done: u64,
    piece: &[u8],
) -> Result<(), (u64, Errno)> {
    match &description.target {
        FdTarget::ConsoleIn(_) => Err((0, Errno::EBADF)),
        FdTarget::ConsoleOut(fd) => {
            call.k.event(&Event::Output {
                fd: *fd,
                bytes: piece,
            });
            Ok(())
        }
        FdTarget::Pipe(end) => store_in_pipe(call, description, end, piece).await,
        FdTarget::File { inode, .. } => {
            let stored = store_in_file(call, description, inode, at, done, piece).await;
            stored.map_err(|errno| (0, errno))
        }
    }
}

async fn store_in_file(
    call: &Call<'_>,
    description: &Description,
    inode: &Rc<Inode>,
    at: At,
    done: u64,
    piece: &[u8],
) -> Result<(), Errno> {
    match inode.kind {
        InodeKind::Device(Device::Full) => return Err(Errno::ENOSPC),
        InodeKind::Device(_) => return Ok(()),
        InodeKind::File(_) => {}
        _ => return Err(Errno::EISDIR),
    }
    let appends = description.flags.get().contains(OpenFlags::APPEND);
    let offset = match at {
        _ if appends => inode.size(),
        At::Offset => description.offset.get(),
        At::Position(position) => position + done,
    };
    let end = offset.checked_add(piece.len() as u64);
    let end = end
        .filter(|end| *end <= i64::MAX as u64)
        .ok_or(Errno::EFBIG)?;
    let write = || call.k.fs.write_at(inode, offset, piece, now(call));
    mm::write_through(call.k, call.task, inode, offset, piece, write).await?;
    if matches!(at, At::Offset) {
        description.offset.set(end);
    }
    Ok(())
}

async fn store_in_pipe(
    call: &Call<'_>,
    description: &Description,
    end: &PipeEnd,
    piece: &[u8],
) -> Result<(), (u64, Errno)> {
    let pipe = &end.pipe;
    let mut stored = 0;
    while stored < piece.len() {
        let rest = &piece[stored..];
        if !pipe.has_readers() {
            let info = Siginfo::sent(Signal::SIGPIPE.0, Siginfo::SI_USER, call.task.tgid().0, 0);
            // Its queue may be full; the error tells it all the same.
            let _ = send_signal(call.k, call.task, info, false);
            return Err((stored as u64, Errno::EPIPE));
        }
        let in_one_piece = piece.len() as u64 <= PIPE_BUF;
        let wanted = if in_one_piece { rest.len() } else { 1 };
        if pipe.room() >= wanted {
            let count = rest.len().min(pipe.room());
            pipe.put(&rest[..count]);
            stored += count;
        } else if let Err(errno) = wait(call, description, end, "room in a pipe").await {
            return Err((stored as u64, errno));
        }
    }
    Ok(())
}

/// EBADF: not opened for it. ESPIPE: a position where there are none.
fn check_access(
    description: &Description,
    at: At,
    allowed: impl Fn(OpenFlags) -> bool,
) -> Result<(), Errno> {
    let flags = description.flags.get();
    if flags.contains(OpenFlags::PATH) || !allowed(flags) {
        return Err(Errno::EBADF);
    }
    match (&description.target, at) {
        (FdTarget::File { .. }, _) | (_, At::Offset) => Ok(()),
        _ => Err(Errno::ESPIPE),
    }
}
