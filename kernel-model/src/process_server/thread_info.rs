//! `save_thread_info` and `restore_thread_info`: what of a thread's registers travels, and what becomes of it.

use std::rc::Rc;

use isa::wire::{FieldArch, Regset};
use isa::{Errno, Isa, VirtAddr};

use crate::costs::Cost;
use crate::kernel::Kernel;
use crate::mm;
use crate::signal;
use crate::task::Task;

/// Reads the register set that user space prepared, in the format of the destination's `isa`, and takes the thread pointer from the CPU.
///
/// The original never looks at the source's architecture: user space has rewritten the stack and set the thread pointer already.
pub(super) async fn save_thread_info(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    isa: Isa,
    uregs: VirtAddr,
) -> Result<FieldArch, Errno> {
    let mut bytes = vec![0; Regset::len(isa)];
    mm::copy_from_user(k, task, uregs, &mut bytes).await?;
    let regset = Regset::from_bytes(isa, &bytes).expect("the buffer was made to fit");
    let tls = task.context.borrow().regs().tls();
    let mut arch = FieldArch::new(tls, true, &regset);
    signal::remote::save_state(k, task, &mut arch);
    Ok(arch)
}

/// Installs the general registers, PC, SP and the thread pointer; FP/SIMD registers stay as they are, as in K52.
pub(super) fn restore_thread_info(k: &Rc<Kernel>, task: &Rc<Task>, arch: &FieldArch) {
    k.charge(Cost::SwitchRegisterSet);
    k.sync_context(task);
    let mut context = task.context.borrow_mut();
    if k.config.poison_arrivals {
        context.all_regs_mut().poison_simd(POISON);
    }
    arch.restore(context.regs_mut());
    signal::remote::restore_state(k, task, arch);
}

/// What undescribed state is filled with where a test asks for it.
const POISON: u8 = 0xdb;
