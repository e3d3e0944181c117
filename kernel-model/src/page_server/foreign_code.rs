//! Code that a program wrote, met on a node where it may mean something else.
//!
//! Generated code, patched text and the kernel's signal trampoline travel as bytes, and nobody knows for which instruction set they were
//! written. A thread that runs into them on a node of the other one fails in the way those bytes happen to fail there; the sentence is said
//! here. Left out: knowing before the jump.

use std::rc::Rc;

use msglayer::Nid;

use crate::kernel::Kernel;
use crate::mm::VmFlags;
use crate::task::Task;

/// Called when an instruction failed: says so if it was not this node's own code and the cluster has another instruction set.
pub fn note_foreign_code(k: &Rc<Kernel>, task: &Rc<Task>) {
    let mm = task.mm();
    let pc = task.context.borrow().regs().pc();
    let area = mm.vmas.borrow().covering(pc).cloned();
    let Some(area) = area.filter(|area| mm.is_distributed() && area.flags.contains(VmFlags::EXEC))
    else {
        return;
    };
    let own = area.named_file().is_some() && !area.flags.contains(VmFlags::WRITTEN);
    let nodes = k.nodes.borrow();
    let mut others = Nid::all().filter_map(|nid| nodes.get_popcorn_node_arch(nid));
    let other = others.find(|isa| *isa != k.isa());
    drop(others);
    drop(nodes);
    if let Some(other) = other.filter(|_| !own) {
        k.log(&format!(
            "task {} fails at {pc} on node {}, in bytes that the program wrote and that are no code of this node's file: if they are \
             {other} code, they are data on a node of {}",
            task.pid,
            k.nid(),
            k.isa()
        ));
    }
}
