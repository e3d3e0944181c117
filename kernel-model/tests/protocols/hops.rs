//! From one guest to another, when the other one cannot take the thread: it stays where it was, once, as it was (`fail-in-place`, `one-life`).

use isa::syscall::Sysno;
use isa::{Errno, Isa};
use kernel_model::signal::Signal;
use kernel_model::task::ExitStatus;
use kernel_model::{Halt, Profile};
use msglayer::{Nid, SimDuration};

use crate::support::script::{
    BSS, CODE, Imm, Ret, Sp, V, call, exit, exit_group, migrate, spin_until,
};
use crate::support::{Op, Outcome, Setup, Val, What};

const USR1: u64 = 10;
const AT: u64 = BSS + 0x2_1000;
const COUNT: u64 = BSS + 0x2_0000;

/// Node 2 has no program.
fn no_program_on_node_2() -> Setup {
    Setup::new(&[Isa::X86_64, Isa::X86_64, Isa::Aarch64]).with(|s| s.built_for = vec![Isa::X86_64])
}

fn go(to: u64) -> Op {
    Op::Migrate {
        to: Imm(to),
        layout: Imm(to),
    }
}

fn thread(n: u64, clear_tid: u64, mark: &'static str) -> [Op; 2] {
    [
        Op::Clone {
            stack: Imm(BSS + 0x1_0000 + 0x2000 * n),
            clear_tid: Imm(clear_tid),
        },
        Op::IfEq(Ret, Imm(0), mark),
    ]
}

fn sleep(us: u64) -> [Op; 3] {
    [
        Op::Store(Sp(-16), Imm(0)),
        Op::Store(Sp(-8), Imm(us * 1000)),
        Op::Call(Sysno::Nanosleep, vec![Sp(-16), Imm(0)]),
    ]
}

fn wait_for(word: u64, value: u64, mark: &'static str) -> Vec<Op> {
    spin_until(Imm(word), value, mark).to_vec()
}

/// Which nodes told a tag, in order.
fn nodes(told: Vec<(usize, u64)>) -> Vec<usize> {
    told.into_iter().map(|(nid, _)| nid).collect()
}

#[test]
fn a_refused_hop_leaves_the_thread_where_it_was() {
    let mut script = Vec::new();
    script.extend(migrate(1));
    script.push(Op::Set(0, Imm(7)));
    for round in 0..3 {
        script.extend([
            go(2),
            Op::ExpectErr(Errno::ENOENT),
            Op::Tell("refused", Imm(round)),
            Op::Expect(V(0, 0), Imm(7 + round)),
            Op::Add(0, Imm(1)),
        ]);
    }
    script.extend(migrate(0));
    script.extend([Op::Expect(V(0, 0), Imm(10)), Op::Tell("home", Imm(0))]);
    script.push(exit_group(0));
    for jitter in [0, 30] {
        let cluster = no_program_on_node_2()
            .with(|s| s.jitter = SimDuration::from_us(jitter))
            .run_clean(script.clone());
        assert_eq!(
            cluster.recorder.told("refused"),
            [(1, 0), (1, 1), (1, 2)],
            "each once, and all on node 1"
        );
        assert_eq!(cluster.recorder.told("home"), [(0, 0)]);
    }
}

#[test]
fn a_thread_that_was_created_away_is_refused_as_well() {
    let mut script = Vec::new();
    script.extend(migrate(1));
    script.extend(thread(1, BSS, "thread"));
    script.push(Op::Store(Imm(BSS + 8), Imm(1)));
    script.extend(wait_for(BSS + 16, 1, "the thread is done"));
    script.push(exit_group(0));
    script.push(Op::Mark("thread"));
    script.extend([
        go(2),
        Op::ExpectErr(Errno::ENOENT),
        Op::Tell("refused", Imm(0)),
    ]);
    script.extend(migrate(0));
    script.extend([Op::Store(Imm(BSS + 16), Imm(1)), exit(0)]);
    let cluster = no_program_on_node_2().run_clean(script);
    assert_eq!(nodes(cluster.recorder.told("refused")), [1]);
}

#[test]
fn signals_sent_during_a_refused_hop_find_their_thread() {
    // A sibling at home sends one every few microseconds, while the thread tries to leave node 1; real-time signals are counted.
    const SIGNALS: u64 = 40;
    let signal = 34;
    let handler = vec![
        Op::Goto("main"),
        Op::FetchAdd(3, Imm(COUNT), Imm(1)),
        Op::Return,
        call(Sysno::RtSigreturn, &[]),
        Op::Mark("main"),
        Op::Store(Imm(AT), Imm(CODE + 4)),
        Op::Store(Imm(AT + 8), Imm(0x0400_0000)),
        Op::Store(Imm(AT + 16), Imm(CODE + 12)),
        Op::Store(Imm(AT + 24), Imm(0)),
        call(Sysno::RtSigaction, &[signal, AT, 0, 8]),
    ];
    let mut script = handler;
    script.extend(thread(1, 0, "thread"));
    script.extend(wait_for(BSS + 8, 1, "it is away"));
    script.push(Op::Set(0, Imm(0)));
    script.push(Op::Mark("send"));
    script.extend(sleep(3));
    script.extend([
        call(Sysno::Tgkill, &[1000, 1001, signal]),
        Op::Expect(Ret, Imm(0)),
        Op::Add(0, Imm(1)),
        Op::IfEq(V(0, 0), Imm(SIGNALS), "sent"),
        Op::Goto("send"),
        Op::Mark("sent"),
    ]);
    script.extend(wait_for(COUNT, SIGNALS, "all are handled"));
    script.push(exit_group(0));
    script.push(Op::Mark("thread"));
    script.extend(migrate(1));
    script.push(Op::Store(Imm(BSS + 8), Imm(1)));
    script.extend([
        Op::Mark("again"),
        go(2),
        Op::ExpectErr(Errno::ENOENT),
        Op::Goto("again"),
    ]);
    let mut missed = 0;
    for seed in 0..8 {
        let cluster = no_program_on_node_2()
            .with(|s| {
                s.seed = seed;
                s.jitter = SimDuration::from_us(20);
                s.cpus = 2;
            })
            .run_clean(script.clone());
        let signals = cluster
            .recorder
            .messages::<msglayer::messages::SignalInfo>();
        missed += signals.iter().filter(|(_, _, m)| m.back == 1).count();
    }
    assert!(
        missed > 0,
        "none missed the thread, so that this tests nothing"
    );
}

#[test]
fn a_group_that_ends_during_a_hop_ends_everywhere() {
    // (is node 2 able to take the thread, when the group ends)
    for able in [false, true] {
        for us in (0..120).step_by(3) {
            let setup = if able {
                Setup::mixed(3)
            } else {
                no_program_on_node_2()
            };
            let mut script = Vec::new();
            script.extend(thread(1, 0, "thread"));
            script.extend(wait_for(BSS + 8, 1, "it is away"));
            script.extend(sleep(us));
            script.push(exit_group(3));
            script.push(Op::Mark("thread"));
            script.extend(migrate(1));
            script.push(Op::Store(Imm(BSS + 8), Imm(1)));
            script.extend([Op::Mark("again"), go(2), go(1), Op::Goto("again")]);
            let (outcome, cluster) = setup.run(script);
            assert_eq!(outcome, Outcome::exited(3), "able: {able}, after {us} us");
            cluster.assert_clean();
        }
    }
}

#[test]
fn a_thread_killed_while_it_waits_to_be_taken() {
    for us in (0..120).step_by(5) {
        let mut script = Vec::new();
        script.extend(thread(1, 0, "thread"));
        script.extend(wait_for(BSS + 8, 1, "it is away"));
        script.extend(sleep(us));
        script.push(call(Sysno::Tgkill, &[1000, 1001, USR1]));
        script.extend([Op::Mark("wait"), Op::Load(3, Imm(BSS)), Op::Goto("wait")]);
        script.push(Op::Mark("thread"));
        script.extend(migrate(1));
        script.push(Op::Store(Imm(BSS + 8), Imm(1)));
        script.extend([Op::Mark("again"), go(2), Op::Goto("again")]);
        let (outcome, cluster) = no_program_on_node_2().run(script);
        let status = ExitStatus::Signaled(Signal(USR1 as i32));
        assert_eq!(outcome, Outcome::Exited(status), "after {us} us");
        cluster.assert_clean();
    }
}

/// Home has room for three tasks, a guest for its worker and two threads.
fn small(nodes: usize) -> Setup {
    Setup::mixed(nodes).with(|s| s.max_tasks = 3)
}

/// Starts two threads; each goes to node 1, says how that went, and ends when the word says so. Then the first thread tries.
fn crowd(attempt: Vec<Op>) -> Vec<Op> {
    let mut script = Vec::new();
    script.extend(thread(1, BSS + 32, "thread"));
    script.extend(thread(2, BSS + 40, "thread"));
    script.extend(wait_for(BSS + 8, 2, "both are away"));
    script.extend(attempt);
    script.extend([Op::Store(Imm(BSS + 16), Imm(1))]);
    script.extend(wait_for(BSS + 24, 2, "both are done"));
    script.push(exit_group(0));
    script.push(Op::Mark("thread"));
    script.extend(migrate(1));
    script.push(Op::FetchAdd(0, Imm(BSS + 8), Imm(1)));
    script.extend(wait_for(BSS + 16, 1, "the end"));
    script.extend([Op::FetchAdd(0, Imm(BSS + 24), Imm(1)), exit(0)]);
    script
}

fn full(nid: usize) -> String {
    format!("node {nid} has as many tasks as it may have, 3")
}

#[test]
fn a_node_that_is_full_takes_nobody() {
    let refused = vec![
        go(1),
        Op::ExpectErr(Errno::EAGAIN),
        Op::Tell("refused", Imm(0)),
    ];
    let script = crowd(refused);
    let cluster = small(2).run_clean(script.clone());
    assert_eq!(nodes(cluster.recorder.told("refused")), [0]);
    let why = cluster.recorder.pick(|nid, what| match what {
        What::Refused(why) => Some((nid.index(), why.clone())),
        _ => None,
    });
    assert_eq!(why, [(1, full(1))]);

    let (outcome, _) = small(2).with(|s| s.profile = Profile::K52).run(script);
    let why = format!("clone is tried again for ever: {}", full(1));
    assert_eq!(
        outcome,
        Outcome::Halted(Nid::new(1).unwrap(), Halt::WouldHang(why))
    );
}

#[test]
fn a_full_node_refuses_a_hop_from_a_guest() {
    let mut attempt = migrate(2).to_vec();
    attempt.extend([
        go(1),
        Op::ExpectErr(Errno::EAGAIN),
        Op::Tell("refused", Imm(0)),
    ]);
    attempt.extend(migrate(0));
    let cluster = small(3).run_clean(crowd(attempt));
    assert_eq!(nodes(cluster.recorder.told("refused")), [2]);
}

#[test]
fn a_node_without_room_for_a_worker_and_a_thread_builds_nothing() {
    // One task may exist there: not enough for both.
    let script = vec![go(1), Op::ExpectErr(Errno::EAGAIN), exit_group(0)];
    let cluster = Setup::mixed(2).with(|s| s.max_tasks = 1).run_clean(script);
    assert_eq!(cluster.recorder.told("refused"), []);
}

#[test]
fn clone_on_a_full_node_or_with_a_full_home() {
    // Node 1: its worker, the caller, one child. Home: the caller's shadow, and those of two children.
    let clone = |n: u64| Op::Clone {
        stack: Imm(BSS + 0x1_0000 + 0x2000 * n),
        clear_tid: Imm(0),
    };
    let script = |first: Val| {
        let mut script = migrate(1).to_vec();
        script.extend([clone(1), Op::IfEq(Ret, Imm(0), "child")]);
        script.extend([
            clone(2),
            Op::ExpectErr(Errno::EAGAIN),
            Op::Tell("refused", first),
            Op::Store(Imm(BSS), Imm(1)),
        ]);
        script.extend(wait_for(BSS + 8, 1, "the child is done"));
        script.push(exit_group(0));
        script.push(Op::Mark("child"));
        script.extend(wait_for(BSS, 1, "it may end"));
        script.extend([Op::Store(Imm(BSS + 8), Imm(1)), exit(0)]);
        script
    };
    let cluster = small(2).run_clean(script(Imm(0)));
    assert_eq!(nodes(cluster.recorder.told("refused")), [1]);
    // A sibling that stays at home takes the last place there.
    let mut crowded = thread(3, 0, "sibling").to_vec();
    crowded.extend(thread(4, 0, "sibling"));
    crowded.extend(migrate(1));
    crowded.extend([clone(1), Op::ExpectErr(Errno::EAGAIN), exit_group(0)]);
    crowded.push(Op::Mark("sibling"));
    crowded.extend(wait_for(BSS, 1, "never"));
    crowded.push(exit(0));
    small(2).run_clean(crowded);
}
