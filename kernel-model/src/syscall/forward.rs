//! System calls that a remote thread makes and home executes: SYSCALL_FWD and its reply. Models `syscall_server` of K52.
//!
//! The shadow executes the call in its own context with the raw user pointers, so that buffers come home by page faults. K52's table of
//! call numbers is kept; what it does not have and programs need is added above [`FIRST_EXTENSION`], default profile only.
//!
//! Deviations of the default profile: the call goes to the process' home (K52: always node 0), and structures are written in the layout of
//! the *calling* node's ISA (K52: the layout of home). As in K52 the result travels in 32 bits; one that is longer (lseek(2)) has a message of
//! its own.

use std::rc::Rc;

use isa::Errno;
use isa::syscall::Sysno;
use msglayer::messages::{SyscallFwd, SyscallRep, SyscallRepLong};
use msglayer::{Envelope, MessageType};
use zerocopy::FromZeros;

use super::{Call, Caller, SyscallOutcome};
use crate::config::Profile;
use crate::exec::WaitRecord;
use crate::kernel::Kernel;
use crate::kmsg::{Replies, WaitStation, parse, pcn_kmsg_send};
use crate::process_server;
use crate::signal;
use crate::task::Task;

/// A call as SYSCALL_FWD names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedCall {
    /// An ordinary call.
    Call(Sysno),
    /// Make the shadow of a thread that was created at the guest (extension).
    Clone,
}

/// `call_type` values from here on are extensions.
pub const FIRST_EXTENSION: u32 = 64;

const CLONE: u32 = FIRST_EXTENSION;

/// `call_type` by call: K52's indices, then the extensions.
const CALLS: &[(u32, Sysno)] = &[
    (11, Sysno::Read),
    (12, Sysno::Write),
    (13, Sysno::Open),
    (14, Sysno::Close),
    (15, Sysno::Ioctl),
    (16, Sysno::Writev),
    (17, Sysno::Fstat),
    (20, Sysno::Fcntl),
    (21, Sysno::Newfstatat),
    (22, Sysno::Getpid),
    (23, Sysno::Getuid),
    (24, Sysno::Dup),
    (25, Sysno::Openat),
    (26, Sysno::Gettimeofday),
    (27, Sysno::Statx),
    (29, Sysno::ClockGettime),
    (30, Sysno::Nanosleep),
    (FIRST_EXTENSION + 1, Sysno::ExitGroup),
    (FIRST_EXTENSION + 2, Sysno::Readv),
    (FIRST_EXTENSION + 3, Sysno::Lseek),
    (FIRST_EXTENSION + 4, Sysno::Stat),
    (FIRST_EXTENSION + 5, Sysno::Dup2),
    (FIRST_EXTENSION + 6, Sysno::Dup3),
    (FIRST_EXTENSION + 7, Sysno::ClockNanosleep),
    (FIRST_EXTENSION + 8, Sysno::Getppid),
    (FIRST_EXTENSION + 9, Sysno::Getcwd),
    (FIRST_EXTENSION + 10, Sysno::Readlink),
    (FIRST_EXTENSION + 11, Sysno::Readlinkat),
    (FIRST_EXTENSION + 12, Sysno::SetRobustList),
    (FIRST_EXTENSION + 13, Sysno::GetRobustList),
    (FIRST_EXTENSION + 14, Sysno::SetTidAddress),
    (FIRST_EXTENSION + 15, Sysno::Msync),
    (FIRST_EXTENSION + 40, Sysno::Kill),
    (FIRST_EXTENSION + 41, Sysno::Tkill),
    (FIRST_EXTENSION + 42, Sysno::Tgkill),
    (FIRST_EXTENSION + 43, Sysno::RtSigqueueinfo),
    (FIRST_EXTENSION + 44, Sysno::RtTgsigqueueinfo),
    (FIRST_EXTENSION + 45, Sysno::RtSigaction),
    (FIRST_EXTENSION + 46, Sysno::Alarm),
    (FIRST_EXTENSION + 47, Sysno::Setitimer),
    (FIRST_EXTENSION + 48, Sysno::Getitimer),
    (FIRST_EXTENSION + 49, Sysno::RtSigpending),
    (FIRST_EXTENSION + 100, Sysno::Pread64),
    (FIRST_EXTENSION + 101, Sysno::Pwrite64),
    (FIRST_EXTENSION + 102, Sysno::Preadv),
    (FIRST_EXTENSION + 103, Sysno::Pwritev),
    (FIRST_EXTENSION + 104, Sysno::Creat),
    (FIRST_EXTENSION + 105, Sysno::Lstat),
    (FIRST_EXTENSION + 106, Sysno::Pipe),
    (FIRST_EXTENSION + 107, Sysno::Pipe2),
    (FIRST_EXTENSION + 108, Sysno::Poll),
    (FIRST_EXTENSION + 109, Sysno::Ppoll),
    (FIRST_EXTENSION + 110, Sysno::Access),
    (FIRST_EXTENSION + 111, Sysno::Faccessat),
    (FIRST_EXTENSION + 112, Sysno::Faccessat2),
    (FIRST_EXTENSION + 113, Sysno::Getdents64),
    (FIRST_EXTENSION + 114, Sysno::Chdir),
    (FIRST_EXTENSION + 115, Sysno::Fchdir),
    (FIRST_EXTENSION + 116, Sysno::Mkdir),
    (FIRST_EXTENSION + 117, Sysno::Mkdirat),
    (FIRST_EXTENSION + 118, Sysno::Rmdir),
    (FIRST_EXTENSION + 119, Sysno::Unlink),
    (FIRST_EXTENSION + 120, Sysno::Unlinkat),
    (FIRST_EXTENSION + 121, Sysno::Rename),
    (FIRST_EXTENSION + 122, Sysno::Renameat),
    (FIRST_EXTENSION + 123, Sysno::Renameat2),
    (FIRST_EXTENSION + 124, Sysno::Link),
    (FIRST_EXTENSION + 125, Sysno::Linkat),
    (FIRST_EXTENSION + 126, Sysno::Symlink),
    (FIRST_EXTENSION + 127, Sysno::Symlinkat),
    (FIRST_EXTENSION + 128, Sysno::Truncate),
    (FIRST_EXTENSION + 129, Sysno::Ftruncate),
    (FIRST_EXTENSION + 130, Sysno::Fsync),
    (FIRST_EXTENSION + 131, Sysno::Fdatasync),
    (FIRST_EXTENSION + 132, Sysno::Umask),
    (FIRST_EXTENSION + 133, Sysno::Chmod),
    (FIRST_EXTENSION + 134, Sysno::Fchmod),
    (FIRST_EXTENSION + 135, Sysno::Fchmodat),
    (FIRST_EXTENSION + 136, Sysno::Chown),
    (FIRST_EXTENSION + 137, Sysno::Fchown),
    (FIRST_EXTENSION + 138, Sysno::Lchown),
    (FIRST_EXTENSION + 139, Sysno::Fchownat),
    (FIRST_EXTENSION + 140, Sysno::Utimensat),
    (FIRST_EXTENSION + 141, Sysno::Statfs),
    (FIRST_EXTENSION + 142, Sysno::Fstatfs),
];

/// The calls that go home, each with its `call_type`.
pub fn forwarded_calls() -> impl Iterator<Item = (u32, Sysno)> {
    CALLS.iter().copied()
}

/// Whether a remote thread's call goes home as it is: under K52 only what the original's table has. rt_sigpending(2), set_tid_address(2) and ppoll(2) have
/// a part where the thread is, and ask home for the other.
pub fn is_forwarded(profile: Profile, sysno: Sysno) -> bool {
    !matches!(
        sysno,
        Sysno::RtSigpending | Sysno::SetTidAddress | Sysno::Ppoll
    ) && CALLS.iter().any(|(number, call)| {
        *call == sysno && (profile == Profile::Kettle || *number < FIRST_EXTENSION)
    })
}

/// Executes a call of a remote thread at home. Errors are the call's own.
pub async fn forward_syscall(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    sysno: Sysno,
    args: [u64; 6],
) -> Result<u64, Errno> {
    call_home(k, task, ForwardedCall::Call(sysno), args).await
}

/// Sends SYSCALL_FWD and waits for its reply.
pub(crate) async fn call_home(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    call: ForwardedCall,
    args: [u64; 6],
) -> Result<u64, Errno> {
    let home = task
        .popcorn
        .peer_nid
        .get()
        .expect("a remote thread knows its home");
    let station = WaitStation::get(k, task.pid, Replies(1)).await;
    let mut request = SyscallFwd::new_zeroed();
    request.origin_pid.set(task.popcorn.peer_pid.get().0);
    for (field, value) in request.args.iter_mut().zip(args) {
        field.set(value);
    }
    request.remote_ws.set(station.id().as_i32());
    request.call_type.set(number_of(call));
    pcn_kmsg_send(k, home, request);
    signal::remote::begin_call(k, task, station.id());
    let record = WaitRecord::new("the reply to a forwarded system call")
        .whom(home, task.popcorn.peer_pid.get());
    let reply = station.wait(k, record).await;
    task.popcorn.forwarded.set(None);
    let reply = reply.ok_or(Errno::EIO)?;
    if reply.kind() == Ok(MessageType::SyscallRepLong) {
        return parse::<SyscallRepLong>(k, &reply)
            .map(|reply| reply.ret.get())
            .ok_or(Errno::EIO);
    }
    let reply = parse::<SyscallRep>(k, &reply).ok_or(Errno::EIO)?;
    Errno::decode(i64::from(reply.ret.get()) as u64)
}

/// The shadow's side (`process_remote_syscall`).
pub(crate) async fn process_remote_syscall(k: &Rc<Kernel>, task: &Rc<Task>, envelope: Envelope) {
    let Some(request) = parse::<SyscallFwd>(k, &envelope) else {
        return;
    };
    let args = request.args.map(|arg| arg.get());
    task.popcorn.serving.set(Some(request.remote_ws.get()));
    let result = match call_of(request.call_type.get()) {
        Some(ForwardedCall::Clone) => {
            process_server::serve_remote_clone(k, task, envelope.from, args[0])
        }
        Some(ForwardedCall::Call(Sysno::RtSigpending)) => {
            let caller = Caller { abi: k.isa() };
            super::signal_mask::rt_sigpending_of_twin(Call {
                k,
                task,
                caller,
                args,
            })
            .await
        }
        Some(ForwardedCall::Call(sysno)) => {
            let abi = k
                .nodes
                .borrow()
                .get_popcorn_node_arch(envelope.from)
                .unwrap_or(k.isa());
            match super::dispatch(k, task, Caller { abi }, sysno, args).await {
                Ok(SyscallOutcome::Value(value)) => Ok(value),
                // The shadow ends when its twin has, which this reply lets happen.
                Ok(SyscallOutcome::Exit(_) | SyscallOutcome::Registers) => Ok(0),
                Err(errno) => Err(errno),
            }
        }
        None => Err(Errno::ENOSYS),
    };
    task.popcorn.serving.set(None);
    if matches!(call_of(request.call_type.get()), Some(ForwardedCall::Call(sysno)) if sends_signals(sysno))
    {
        process_server::end_before_reply(k, task);
    }
    let long = result.ok().filter(|value| i32::try_from(*value).is_err());
    if let Some(value) = long.filter(|_| k.config.profile == Profile::Kettle) {
        let mut reply = SyscallRepLong::new_zeroed();
        reply.origin_pid.set(task.pid.0);
        reply.remote_ws.set(request.remote_ws.get());
        reply.ret.set(value);
        return pcn_kmsg_send(k, envelope.from, reply);
    }
    let mut reply = SyscallRep::new_zeroed();
    reply.origin_pid.set(task.pid.0);
    reply.remote_ws.set(request.remote_ws.get());
    reply.ret.set(Errno::encode(result) as i32);
    pcn_kmsg_send(k, envelope.from, reply);
}

/// Calls that may end the caller's own process by a signal.
fn sends_signals(sysno: Sysno) -> bool {
    matches!(
        sysno,
        Sysno::Kill
            | Sysno::Tkill
            | Sysno::Tgkill
            | Sysno::RtSigqueueinfo
            | Sysno::RtTgsigqueueinfo
    )
}

/// `handle_syscall_reply`.
pub(crate) fn handle_syscall_reply(k: &Rc<Kernel>, envelope: Envelope) {
    let Some(reply) = parse::<SyscallRep>(k, &envelope) else {
        return;
    };
    WaitStation::complete(k, reply.remote_ws.get(), Some(envelope.clone()));
}

/// The same for a result that does not fit into 32 bits.
pub(crate) fn handle_syscall_reply_long(k: &Rc<Kernel>, envelope: Envelope) {
    let Some(reply) = parse::<SyscallRepLong>(k, &envelope) else {
        return;
    };
    WaitStation::complete(k, reply.remote_ws.get(), Some(envelope.clone()));
}

fn number_of(call: ForwardedCall) -> u32 {
    match call {
        ForwardedCall::Clone => CLONE,
        ForwardedCall::Call(sysno) => CALLS
            .iter()
            .find(|(_, call)| *call == sysno)
            .map(|(number, _)| *number)
            .expect("only listed calls are forwarded"),
    }
}

fn call_of(number: u32) -> Option<ForwardedCall> {
    if number == CLONE {
        return Some(ForwardedCall::Clone);
    }
    CALLS
        .iter()
        .find(|(n, _)| *n == number)
        .map(|(_, sysno)| ForwardedCall::Call(*sysno))
}
