//! Entering and leaving a handler: the frame on the user's stack (`setup_rt_frame`), and rt_sigreturn(2).

use std::rc::Rc;

use isa::layout::signal_frame::{self, BadFrame, Entry, FP_STATE_LEN};
use isa::layout::{SaFlags, Sigaltstack, Siginfo};
use isa::{Errno, VirtAddr};

use super::pending::signal_of;
use super::{SigAction, set_blocked};
use crate::costs::Cost;
use crate::kernel::Kernel;
use crate::mm::{copy_from_user, copy_to_user};
use crate::task::Task;

/// Writes the frame and points the task at the handler. EFAULT: there is no room for it, or no way back from the handler; ENOMEM: no frame of
/// memory for it. After an error the task is as it was, with the mask that it had.
pub(super) async fn enter_handler(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    action: &SigAction,
    info: Siginfo,
) -> Result<(), Errno> {
    k.charge(Cost::SignalFrame);
    k.sync_context(task);
    let flags = action.flags();
    let regs = task.context.borrow().regs().clone();
    let altstack = task.signals.altstack.get();
    let on_it = altstack.holds(regs.sp());
    let changes = flags.contains(SaFlags::ONSTACK) && altstack.size.get() > 0 && !on_it;
    let saved = task.signals.saved_mask.get();
    let mask = saved.unwrap_or_else(|| task.signals.blocked.get());
    let entry = Entry {
        handler: VirtAddr(action.handler),
        restorer: VirtAddr(action.restorer),
        siginfo: flags.contains(SaFlags::SIGINFO),
        info,
        fault: task.signals.fault.take(),
        mask,
        altstack: noted(altstack, on_it),
        stack: changes.then(|| VirtAddr(altstack.sp.get().wrapping_add(altstack.size.get()))),
    };
    if entry.restorer.0 == 0 && !flags.contains(SaFlags::RESTORER) {
        return Err(Errno::EFAULT);
    }
    let frame = signal_frame::build(&regs, &entry);
    if (changes || on_it) && !altstack.holds(frame.at) {
        return Err(Errno::EFAULT);
    }
    copy_to_user(k, task, frame.at, &frame.bytes).await?;
    *task.context.borrow_mut().all_regs_mut() = frame.regs;
    task.signals.saved_mask.set(None);
    if altstack.flags.get() & Sigaltstack::AUTODISARM != 0 {
        task.signals.altstack.set(Sigaltstack::NONE);
    }
    let own = if flags.contains(SaFlags::NODEFER) {
        0
    } else {
        signal_of(&info).bit()
    };
    set_blocked(k, task, task.signals.blocked.get() | action.mask | own);
    Ok(())
}

/// rt_sigreturn(2): the task goes on where the signal has found it. An error is a frame that cannot be used.
pub(crate) async fn sigreturn(k: &Rc<Kernel>, task: &Rc<Task>) -> Result<(), BadFrame> {
    k.charge(Cost::SignalFrame);
    k.sync_context(task);
    let mut regs = task.context.borrow().regs().clone();
    let (at, len) = signal_frame::place(&regs)?;
    let mut bytes = vec![0; len];
    read(k, task, at, &mut bytes).await?;
    let returned = signal_frame::restore(&mut regs, &bytes)?;
    if let Some(fp_state) = returned.fp_state {
        let mut bytes = [0; FP_STATE_LEN];
        read(k, task, fp_state, &mut bytes).await?;
        signal_frame::restore_fp_state(&mut regs, &bytes);
    }
    let sp = regs.sp();
    *task.context.borrow_mut().all_regs_mut() = regs;
    set_blocked(k, task, returned.mask);
    // As in Linux, an alternate stack that cannot be set again is left as it is.
    let _ = set_altstack(k, task, returned.altstack, sp);
    Ok(())
}

/// Sets the alternate stack of a task that runs at `sp`. EPERM: it runs on the present one; EINVAL: unknown flags; ENOMEM: too small.
pub(crate) fn set_altstack(
    k: &Kernel,
    task: &Task,
    wanted: Sigaltstack,
    sp: VirtAddr,
) -> Result<(), Errno> {
    let present = task.signals.altstack.get();
    if present.holds(sp) && present.flags.get() & Sigaltstack::AUTODISARM == 0 {
        return Err(Errno::EPERM);
    }
    let mode = wanted.flags.get() & !Sigaltstack::AUTODISARM;
    let stack = match mode {
        Sigaltstack::DISABLE => Sigaltstack::NONE,
        0 | Sigaltstack::ONSTACK if wanted.size.get() < Sigaltstack::minimum(k.isa()) => {
            return Err(Errno::ENOMEM);
        }
        0 | Sigaltstack::ONSTACK => Sigaltstack {
            flags: (wanted.flags.get() & Sigaltstack::AUTODISARM).into(),
            pad: 0.into(),
            ..wanted
        },
        _ => return Err(Errno::EINVAL),
    };
    task.signals.altstack.set(stack);
    Ok(())
}

/// An alternate stack as user space is told of it: with the flag that says whether it is in use.
pub(crate) fn noted(stack: Sigaltstack, in_use: bool) -> Sigaltstack {
    let state = match (stack.size.get(), in_use) {
        (0, _) => Sigaltstack::DISABLE,
        (_, true) => Sigaltstack::ONSTACK,
        (_, false) => 0,
    };
    let flags = stack.flags.get() & Sigaltstack::AUTODISARM | state;
    Sigaltstack {
        flags: flags.into(),
        ..stack
    }
}

async fn read(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    at: VirtAddr,
    bytes: &mut [u8],
) -> Result<(), BadFrame> {
    copy_from_user(k, task, at, bytes)
        .await
        .map_err(|_| BadFrame)
}
