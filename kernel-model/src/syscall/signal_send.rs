//! kill(2) and its like. A remote thread's are made at home, where every thread of the process can be found.
//!
//! There are no process groups and sessions: a process is a group of its own.

use std::rc::Rc;

use isa::Errno;
use isa::layout::Siginfo;

use super::Call;
use crate::ids::Pid;
use crate::mm::UserPtr;
use crate::signal::{self, Signal, send_signal};
use crate::task::Task;

/// kill(2): to a process.
pub(super) async fn kill(call: Call<'_>) -> Result<u64, Errno> {
    let own = own_pid(&call);
    let pid = match call.int(0) {
        0 => own,
        pid if pid > 0 => Pid(pid),
        // Everybody but the caller, or a process group.
        pid if pid != -1 && pid.checked_neg() == Some(own.0) => own,
        _ => return Err(Errno::ESRCH),
    };
    let target = find(&call, pid)?;
    send(&call, &target, call.int(1), Siginfo::SI_USER, true)
}

/// tkill(2): to a thread.
pub(super) async fn tkill(call: Call<'_>) -> Result<u64, Errno> {
    if call.int(0) <= 0 {
        return Err(Errno::EINVAL);
    }
    let target = find(&call, Pid(call.int(0)))?;
    send(&call, &target, call.int(1), Siginfo::SI_TKILL, false)
}

/// tgkill(2): to a thread, which must belong to the group.
pub(super) async fn tgkill(call: Call<'_>) -> Result<u64, Errno> {
    let target = thread_of_group(&call)?;
    send(&call, &target, call.int(2), Siginfo::SI_TKILL, false)
}

/// rt_sigqueueinfo(2): to a process, with a value.
pub(super) async fn rt_sigqueueinfo(call: Call<'_>) -> Result<u64, Errno> {
    if call.int(0) <= 0 {
        return Err(Errno::ESRCH);
    }
    let info = read_info(&call, 2, call.int(1), Pid(call.int(0))).await?;
    let target = find(&call, Pid(call.int(0)))?;
    queue(&call, &target, call.int(1), info, true)
}

/// rt_tgsigqueueinfo(2): to a thread, with a value.
pub(super) async fn rt_tgsigqueueinfo(call: Call<'_>) -> Result<u64, Errno> {
    let info = read_info(&call, 3, call.int(2), Pid(call.int(0))).await?;
    let target = thread_of_group(&call)?;
    queue(&call, &target, call.int(2), info, false)
}

fn send(
    call: &Call<'_>,
    target: &Rc<Task>,
    number: i32,
    code: i32,
    group: bool,
) -> Result<u64, Errno> {
    let info = Siginfo::sent(number, code, own_pid(call).0, 0);
    queue(call, target, number, info, group)
}

/// Signal 0 only asks whether the target is there.
fn queue(
    call: &Call<'_>,
    target: &Rc<Task>,
    number: i32,
    info: Siginfo,
    group: bool,
) -> Result<u64, Errno> {
    if number != 0 {
        Signal::new(number)?;
        send_signal(call.k, target, info, group)?;
    }
    Ok(0)
}

/// A `siginfo_t` of the caller's own making. Only the kernel and tkill may say that they have sent it, unless the caller sends it to itself.
async fn read_info(call: &Call<'_>, index: usize, number: i32, to: Pid) -> Result<Siginfo, Errno> {
    let mut info: Siginfo = UserPtr::new(call.args[index])
        .read(call.k, call.task)
        .await?;
    let code = info.code.get();
    if (code >= 0 || code == Siginfo::SI_TKILL) && to != own_pid(call) {
        return Err(Errno::EPERM);
    }
    info.signo.set(number);
    Ok(info)
}

fn thread_of_group(call: &Call<'_>) -> Result<Rc<Task>, Errno> {
    let (tgid, pid) = (call.int(0), call.int(1));
    if tgid <= 0 || pid <= 0 {
        return Err(Errno::EINVAL);
    }
    let target = find(call, Pid(pid))?;
    let is_own = Rc::ptr_eq(&target.group, &call.task.group);
    let group = if is_own {
        own_pid(call).0
    } else {
        target.tgid().0
    };
    if group == tgid {
        Ok(target)
    } else {
        Err(Errno::ESRCH)
    }
}

fn find(call: &Call<'_>, pid: Pid) -> Result<Rc<Task>, Errno> {
    // Only under K52 this is made at a guest, for its own threads and the process as such.
    if call.task.popcorn.at_remote.get() && pid == own_pid(call) {
        return Ok(Rc::clone(call.task));
    }
    signal::exists(call.k, call.task, pid).ok_or(Errno::ESRCH)
}

/// What getpid(2) gives the caller, which is home's id wherever it runs.
fn own_pid(call: &Call<'_>) -> Pid {
    let remote = call.task.remote().filter(|rc| rc.for_remote);
    Pid(remote.map_or(call.task.tgid().0, |rc| rc.tgid.0))
}
