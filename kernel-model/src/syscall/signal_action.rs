//! rt_sigaction(2), sigaltstack(2), rt_sigreturn(2): how a process wants its signals.

use isa::layout::signal_frame::AARCH64_TRAMPOLINE;
use isa::layout::{KernelSigaction, MapFlags, Prot, SaFlags, Sigaltstack};
use isa::{Errno, Isa, PAGE_SIZE, VirtAddr};
use zerocopy::little_endian::U64;

use super::{Call, SyscallOutcome};
use crate::mm::{self, MmapRequest, UserPtr};
use crate::signal::{self, ALWAYS_UNBLOCKED, SigAction, Signal, remote};

/// rt_sigaction(2). A remote thread's is made at home, and told to all nodes.
pub(super) async fn rt_sigaction(call: Call<'_>) -> Result<u64, Errno> {
    let task = call.task;
    let (new, old) = (
        UserPtr::<KernelSigaction>::new(call.args[1]),
        UserPtr::<KernelSigaction>::new(call.args[2]),
    );
    if call.args[3] != KernelSigaction::SIGSET_SIZE {
        return Err(Errno::EINVAL);
    }
    let signal = Signal::new(call.int(0))?;
    let action = match new.non_null() {
        Some(_) if signal.bit() & ALWAYS_UNBLOCKED != 0 => return Err(Errno::EINVAL),
        Some(new) => Some(new.read(call.k, task).await?),
        None => None,
    };
    let before = task.group.signals.actions().get(signal);
    if let Some(action) = action {
        let has_restorer = action.sa_flags().contains(SaFlags::RESTORER);
        let restorer = if has_restorer {
            action.restorer.get()
        } else {
            trampoline(&call, action.handler.get()).await?.0
        };
        let action = SigAction {
            handler: action.handler.get(),
            flags: action.flags.get(),
            restorer,
            mask: action.mask.get() & !ALWAYS_UNBLOCKED,
        };
        remote::set_action(call.k, task, signal, action);
        if action.ignores(signal) {
            task.group.signals.pending.flush(signal.bit());
            for thread in task.group.threads.borrow().values() {
                thread.signals.pending.flush(signal.bit());
            }
        }
    }
    if let Some(old) = old.non_null() {
        let has_restorer = before.flags().contains(SaFlags::RESTORER);
        let restorer = if has_restorer { before.restorer } else { 0 };
        let [handler, flags, restorer, mask] =
            [before.handler, before.flags, restorer, before.mask].map(U64::new);
        let action = KernelSigaction {
            handler,
            flags,
            restorer,
            mask,
        };
        old.write(call.k, task, &action).await?;
    }
    Ok(0)
}

/// What a handler without SA_RESTORER returns to. On aarch64 Linux's vDSO has it; here it is a page of its own, mapped when it is first asked
/// for. On x86_64 there is none, and such a handler is never entered, as in Linux.
async fn trampoline(call: &Call<'_>, handler: u64) -> Result<VirtAddr, Errno> {
    let (k, mm) = (call.k, call.task.mm());
    if k.isa() != Isa::Aarch64 || handler <= 1 {
        return Ok(VirtAddr(0));
    }
    if let Some(page) = mm.trampoline.get() {
        return Ok(page);
    }
    let request = MmapRequest {
        addr: VirtAddr(0),
        flags: MapFlags::PRIVATE | MapFlags::ANONYMOUS,
        ..MmapRequest::anonymous_at(VirtAddr(0), PAGE_SIZE, Prot::READ | Prot::EXEC)
    };
    let _guard = mm.mmap_sem.write(&k.exec, "mmap_sem").await;
    let page = mm::do_mmap(k, &mm, &request)?;
    mm::poke_user(k, &mm, page, &AARCH64_TRAMPOLINE).map_err(|_| Errno::ENOMEM)?;
    mm.trampoline.set(Some(page));
    Ok(page)
}

/// sigaltstack(2).
pub(super) async fn sigaltstack(call: Call<'_>) -> Result<u64, Errno> {
    let (k, task) = (call.k, call.task);
    let sp = task.context.borrow().regs().sp();
    let before = task.signals.altstack.get();
    if let Some(new) = UserPtr::<Sigaltstack>::new(call.args[0]).non_null() {
        let wanted = new.read(k, task).await?;
        signal::set_altstack(k, task, wanted, sp)?;
    }
    if let Some(old) = UserPtr::<Sigaltstack>::new(call.args[1]).non_null() {
        old.write(k, task, &signal::noted(before, before.holds(sp)))
            .await?;
    }
    Ok(0)
}

/// rt_sigreturn(2): a handler has ended.
pub(super) async fn rt_sigreturn(call: Call<'_>) -> Result<SyscallOutcome, Errno> {
    if signal::sigreturn(call.k, call.task).await.is_err() {
        signal::force_segv(call.k, call.task);
    }
    Ok(SyscallOutcome::Registers)
}
