//! Threads and where they run: clone(2), exit(2), thread ids, the thread pointer, CPU affinity.

use std::rc::Rc;

use isa::Errno;
use isa::layout::CloneArgs;
use isa::syscall::Sysno;
use zerocopy::little_endian::{U32, U64};

use super::forward::forward_syscall;
use super::{Call, SyscallOutcome};
use crate::futex::ROBUST_HEAD_LEN;
use crate::ids::Pid;
use crate::mm::{UserPtr, copy_to_user};
use crate::process;
use crate::signal;
use crate::task::ExitStatus;

/// exit(2): this thread ends.
pub(super) async fn exit(call: Call<'_>) -> Result<SyscallOutcome, Errno> {
    Ok(SyscallOutcome::Exit(ExitStatus::Exited(call.args[0] as u8)))
}

/// exit_group(2): all threads of the process end; if it was ending already, with the status of the first who said so.
pub(super) async fn exit_group(call: Call<'_>) -> Result<SyscallOutcome, Errno> {
    process::do_group_exit(call.k, call.task, ExitStatus::Exited(call.args[0] as u8));
    let status = call.task.group.group_exit.get().expect("just set");
    Ok(SyscallOutcome::Exit(status))
}

/// clone(2), for threads.
pub(super) async fn clone(call: Call<'_>) -> Result<u64, Errno> {
    process::sys_clone(
        call.k,
        call.task,
        CloneArgs::decode(call.caller.abi, call.args),
    )
    .await
}

/// set_tid_address(2). A remote thread's word is cleared at home, wherever it ends; the result is its pid here.
pub(super) async fn set_tid_address(call: Call<'_>) -> Result<u64, Errno> {
    if call.asks_home() {
        forward_syscall(call.k, call.task, Sysno::SetTidAddress, call.args).await?;
        return Ok(call.task.pid.0.unsigned_abs().into());
    }
    call.task
        .clear_child_tid
        .set(Some(call.addr(0)).filter(|addr| addr.0 != 0));
    Ok(call.task.pid.0.unsigned_abs().into())
}

/// set_robust_list(2).
pub(super) async fn set_robust_list(call: Call<'_>) -> Result<u64, Errno> {
    if call.args[1] != ROBUST_HEAD_LEN {
        return Err(Errno::EINVAL);
    }
    let head = Some(call.addr(0)).filter(|addr| addr.0 != 0);
    call.task.robust_list.set(head);
    Ok(0)
}

/// get_robust_list(2). ESRCH: there is no such thread.
pub(super) async fn get_robust_list(call: Call<'_>) -> Result<u64, Errno> {
    let of = match call.int(0) {
        0 => Rc::clone(call.task),
        pid => signal::exists(call.k, call.task, Pid(pid)).ok_or(Errno::ESRCH)?,
    };
    let head = of.robust_list.get().map_or(0, |addr| addr.0);
    for (index, value) in [(2, ROBUST_HEAD_LEN), (1, head)] {
        UserPtr::new(call.args[index])
            .write(call.k, call.task, &U64::new(value))
            .await?;
    }
    Ok(0)
}

/// Demands that `pid` is a thread of which the caller may know, wherever it is; 0 is the caller. ESRCH: there is none.
pub(super) async fn check_thread(call: &Call<'_>, pid: i32) -> Result<(), Errno> {
    let process = call.task.remote().map_or(call.task.tgid(), |rc| rc.tgid);
    if pid == 0 || pid == process.0 || signal::exists(call.k, call.task, Pid(pid)).is_some() {
        return Ok(());
    }
    if pid > 0 && call.asks_home() {
        // Signal 0 only asks.
        let args = [u64::from(pid.unsigned_abs()), 0, 0, 0, 0, 0];
        forward_syscall(call.k, call.task, Sysno::Tkill, args).await?;
        return Ok(());
    }
    Err(Errno::ESRCH)
}

/// sched_yield(2).
pub(super) async fn sched_yield(call: Call<'_>) -> Result<u64, Errno> {
    call.k.exec.schedule().await;
    Ok(0)
}

/// sched_getaffinity(2): every CPU of the caller's node, whichever thread is meant. Returns the size of the kernel's mask, as the system call does.
pub(super) async fn sched_getaffinity(call: Call<'_>) -> Result<u64, Errno> {
    let mask = (0..call.k.config.cpus).fold(
        vec![0_u64; usize::from(call.k.config.cpus.div_ceil(64))],
        |mut mask, cpu| {
            mask[usize::from(cpu / 64)] |= 1 << (cpu % 64);
            mask
        },
    );
    let bytes: Vec<u8> = mask.iter().flat_map(|word| word.to_le_bytes()).collect();
    let room = u64::from(call.uint(1));
    if room < bytes.len() as u64 || !room.is_multiple_of(8) {
        return Err(Errno::EINVAL);
    }
    check_thread(&call, call.int(0)).await?;
    copy_to_user(call.k, call.task, call.addr(2), &bytes).await?;
    Ok(bytes.len() as u64)
}

/// getcpu(2): the vCPU; there is one NUMA node.
pub(super) async fn getcpu(call: Call<'_>) -> Result<u64, Errno> {
    let cpu = U32::new(call.k.exec.current_cpu().0.into());
    for (index, value) in [(0, cpu), (1, U32::ZERO)] {
        if let Some(out) = UserPtr::new(call.args[index]).non_null() {
            out.write(call.k, call.task, &value).await?;
        }
    }
    Ok(0)
}

const ARCH_SET_FS: i32 = 0x1002;
const ARCH_GET_FS: i32 = 0x1003;

/// arch_prctl(2): the thread pointer of x86_64. GS is left out.
pub(super) async fn arch_prctl(call: Call<'_>) -> Result<u64, Errno> {
    match call.int(0) {
        ARCH_SET_FS => {
            if call.addr(1) >= call.task.mm().layout.get().task_size {
                return Err(Errno::EPERM);
            }
            call.task
                .context
                .borrow_mut()
                .regs_mut()
                .set_tls(call.addr(1));
            Ok(0)
        }
        ARCH_GET_FS => {
            let tls = call.task.context.borrow().regs().tls();
            UserPtr::new(call.args[1])
                .write(call.k, call.task, &U64::new(tls.0))
                .await?;
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}
