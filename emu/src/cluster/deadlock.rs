//! The deadlock report: nothing is left to happen, so who waits for whom.

use std::fmt::Write;
use std::rc::Rc;

use kernel_model::Kernel;
use kernel_model::exec::{ThreadClass, ThreadState};

/// A line per waiting thread that is no idle server: node, thread, what it waits for, since when.
pub(super) fn report(kernels: &[Rc<Kernel>]) -> String {
    let mut text =
        String::from("deadlock: nothing is left to happen, and these threads still wait:");
    for k in kernels {
        for thread in k.exec.threads() {
            let ThreadState::Blocked(record) = &thread.state else {
                continue;
            };
            // A shadow's service is a wait on account of its twin, so that it belongs to the chain.
            if !record.service || thread.class == ThreadClass::User {
                let _ = write!(
                    text,
                    "\n  node {} ({}): {} {record}",
                    k.nid(),
                    k.isa(),
                    thread.name
                );
            }
        }
    }
    text
}
