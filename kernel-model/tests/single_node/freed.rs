//! A node that is switched off gives everything back to the host, wherever its threads are.

use std::rc::Rc;

use isa::syscall::Sysno;
use kernel_model::task::ExitStatus;

use crate::script::{DATA, Node, Op, Val, call, exit};

/// Runs a script for at most `actions`, and demands that nothing of the kernel is left afterwards. Returns how the process had ended.
fn freed_after(script: Vec<Op>, actions: usize) -> Option<ExitStatus> {
    let node = Node::new(script, &[], 256);
    let task = node.start();
    for _ in 0..actions {
        if !node.kernel.exec.step() {
            break;
        }
    }
    let status = task.group.exit_status();
    drop(task);
    let kernel = Rc::downgrade(&node.kernel);
    node.kernel.switch_off();
    drop(node);
    assert_eq!(kernel.strong_count(), 0, "the kernel lives on");
    status
}

#[test]
fn a_node_whose_program_has_ended_is_freed() {
    let status = freed_after(vec![exit(3)], 1_000);
    assert_eq!(status, Some(ExitStatus::Exited(3)));
}

#[test]
fn a_node_is_freed_while_its_program_computes() {
    let endless = vec![Op::Until(Val::Imm(DATA), 0)];
    for actions in 0..20 {
        assert_eq!(freed_after(endless.clone(), actions), None);
    }
}

#[test]
fn a_node_is_freed_while_its_program_waits() {
    // An empty pipe, of which the process has both ends, and a futex that nobody wakes.
    let reader = vec![
        call(Sysno::Pipe2, &[DATA, 0]),
        call(Sysno::Read, &[3, DATA + 0x40, 1]),
    ];
    let waiter = vec![call(Sysno::Futex, &[DATA, 0x80, 0x1111_1111, 0, 0, 0])];
    for script in [reader, waiter] {
        assert_eq!(freed_after(script, 1_000), None);
    }
}
