//! Mask and alternate stack of a thread, in the out-of-band words of the message that carries its registers.

use isa::layout::Sigaltstack;
use isa::wire::FieldArch;
use zerocopy::little_endian::U64;

use crate::config::Profile;
use crate::kernel::Kernel;
use crate::task::Task;

/// Words of `field_arch.oob`.
const OOB_MASK: usize = 1;
const OOB_STACK: usize = 2;
const OOB_STACK_SIZE: usize = 3;
/// In the word of the stack's size: SS_AUTODISARM.
const AUTODISARM: u64 = 1 << 63;

/// What of a thread's signal state travels with its registers.
pub(crate) fn save_state(k: &Kernel, task: &Task, arch: &mut FieldArch) {
    if k.config.profile == Profile::K52 {
        return;
    }
    let stack = task.signals.altstack.get();
    let disarms = stack.flags.get() & Sigaltstack::AUTODISARM != 0;
    arch.oob[OOB_MASK].set(task.signals.blocked.get());
    arch.oob[OOB_STACK].set(stack.sp.get());
    let size = stack.size.get() | if disarms { AUTODISARM } else { 0 };
    arch.oob[OOB_STACK_SIZE].set(size);
}

/// The reverse, where the thread has arrived. Home has the same mask.
pub(crate) fn restore_state(k: &Kernel, task: &Task, arch: &FieldArch) {
    if k.config.profile == Profile::K52 {
        return;
    }
    let mask = arch.oob[OOB_MASK].get() & !crate::signal::ALWAYS_UNBLOCKED;
    let size = arch.oob[OOB_STACK_SIZE].get();
    let flags = match (size & !AUTODISARM, size & AUTODISARM) {
        (0, _) => Sigaltstack::DISABLE,
        (_, 0) => 0,
        _ => Sigaltstack::AUTODISARM,
    };
    task.signals.blocked.set(mask);
    task.signals.real_blocked.set(0);
    task.signals.told.set((mask, 0));
    task.signals.altstack.set(Sigaltstack {
        sp: arch.oob[OOB_STACK],
        flags: flags.into(),
        pad: 0.into(),
        size: U64::new(size & !AUTODISARM),
    });
}
