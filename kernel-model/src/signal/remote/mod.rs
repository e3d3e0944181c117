//! Signals of a distributed process. K52 has none: a signal for a thread that is away makes its shadow spin, and nothing of a thread's signal
//! state travels. Everything here is an extension of the default profile.
//!
//! Home decides who gets a signal: it holds the group's queue, and of each thread that is away the mask that the thread said last (SIGNAL_MASK).
//! A signal for such a thread goes after it at once, with all that siginfo says (SIGNAL_INFO), and waits in the thread's own queue there. One
//! that misses its thread, because that is on its way, comes back and is kept until the thread has arrived somewhere; one for the group
//! that has been blocked meanwhile comes back too, and another thread may have it. Links are FIFO: home has heard of the new mask by then.
//!
//! Actions are told to each node that the process goes to, and every later change as well (SIGNAL_ACTION). Mask and alternate stack travel in
//! `field_arch.oob`, words 1 to 3, which K52 leaves 0. A signal that finds its thread waiting for a call that home makes for it ends that call
//! by SIGNAL_INTERRUPT: only the thread's own node knows both.
//!
//! Left out: a signal for the group that a remote thread holds when it ends is lost with it.

mod actions;
mod calls;
mod info;
mod mask;
mod travel;

use std::rc::Rc;

pub use actions::handle_signal_action;
pub(crate) use actions::{actions_of, forget_actions, set_action, tell_actions};
pub(crate) use calls::begin_call;
pub use calls::handle_signal_interrupt;
pub(super) use calls::interrupt_call;
pub use info::handle_signal_info;
pub(crate) use info::{forward, return_pending};
pub use mask::handle_signal_mask;
pub(super) use mask::report_mask;
pub(crate) use travel::{restore_state, save_state};

use crate::ids::{Pid, Tgid};
use crate::kernel::Kernel;
use crate::task::Task;

/// Any living thread of a process of this node.
fn process_of(k: &Kernel, tgid: Tgid) -> Option<Rc<Task>> {
    let leader = k.find_task(Pid(tgid.0));
    leader.or_else(|| {
        let tasks = k.tasks.borrow();
        tasks.values().find(|task| task.tgid() == tgid).cloned()
    })
}
