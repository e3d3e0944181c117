//! What a busy home costs those who are away: a shadow that wakes with a request takes the vCPU from a thread that computes.

use isa::syscall::Sysno;
use msglayer::{MessageType, SimDuration};

use crate::support::script::{BSS, Imm, Ret, Sp, V, exit, exit_group, migrate, spin_until};
use crate::support::{Op, Setup, What};

const CALLS: usize = 20;
const FLAG: u64 = BSS + 0x1000;
const HOG_STACK: u64 = BSS + 0x3000;

/// How long the slowest of some forwarded calls takes, from one to the next.
fn slowest_call(cpus: u16, computes: bool, nodes: usize) -> SimDuration {
    let mut script = Vec::new();
    if computes {
        script.push(Op::Clone {
            stack: Imm(HOG_STACK),
            clear_tid: Imm(0),
        });
        script.push(Op::IfEq(Ret, Imm(0), "hog"));
    }
    script.extend(migrate(1));
    for _ in 0..CALLS {
        script.push(Op::Call(Sysno::ClockGettime, vec![Imm(1), Sp(-64)]));
    }
    script.extend(migrate(0));
    script.push(Op::Store(Imm(FLAG), Imm(1)));
    script.push(exit_group(0));
    script.push(Op::Mark("hog"));
    script.extend(spin_until(Imm(FLAG), 1, "computes"));
    script.push(Op::Set(0, V(4, 0)));
    script.push(exit(0));
    let cluster = Setup::mixed(nodes)
        .with(|s| s.cpus = cpus)
        .run_clean(script);
    let sent: Vec<_> = cluster
        .recorder
        .all()
        .into_iter()
        .filter(|record| {
            matches!(&record.what, What::Send { kind, .. } if *kind == MessageType::SyscallFwd)
        })
        .map(|record| record.at)
        .collect();
    assert_eq!(sent.len(), CALLS, "each call goes home");
    // The first ones fetch the page of the stack that they write to.
    let spans = sent
        .windows(2)
        .skip(3)
        .map(|pair| pair[1].saturating_since(pair[0]));
    spans.max().expect("there are several")
}

#[test]
fn a_forwarded_call_hardly_waits_for_a_thread_that_computes() {
    for nodes in [2, 3] {
        let idle = slowest_call(1, false, nodes);
        let busy = slowest_call(1, true, nodes);
        assert!(
            busy <= idle * 2,
            "{busy} beside a thread that computes, {idle} alone"
        );
        let two = slowest_call(2, true, nodes);
        assert!(
            two <= idle * 11 / 10,
            "{two} with a vCPU for each, {idle} alone"
        );
    }
}
