//! The same run twice is the same run, however the engine cuts it into turns; and a run without an end ends with a report.

use expect_test::expect;
use isa::syscall::Sysno;
use msglayer::{Nid, SimDuration};

use crate::futex::mutex;
use crate::support::script::{BSS, Imm, Ret, Sp, call, exit_group, migrate};
use crate::support::{Cluster, Horizon, Op, Outcome, Setup};

/// Mutexes, page faults, migrations: threads on four nodes.
fn run(horizon: Horizon, latency_us: u64) -> Cluster {
    let setup = Setup::mixed(4).with(|s| {
        s.horizon = horizon;
        s.cpus = 2;
        s.quantum = 7;
        s.latency = Some(SimDuration::from_us(latency_us));
    });
    setup.run_clean(mutex(4, 8, 15))
}

#[test]
fn a_run_is_what_it_was_before() {
    for latency in [1, 9, 300] {
        let (first, second) = (
            run(Horizon::Maximal, latency),
            run(Horizon::Maximal, latency),
        );
        assert!(
            first.recorder.all() == second.recorder.all(),
            "two runs with {latency} us differ"
        );
    }
}

#[test]
fn another_latency_is_another_run() {
    let records = [1, 9, 300].map(|latency| run(Horizon::Maximal, latency).recorder.all());
    assert!(records[0] != records[1] && records[1] != records[2]);
}

#[test]
fn the_length_of_turns_cannot_be_seen() {
    for latency in [1, 9, 300] {
        let (single, maximal) = (
            run(Horizon::Single, latency),
            run(Horizon::Maximal, latency),
        );
        for nid in Nid::first(4) {
            let (one, other) = (single.recorder.of(nid), maximal.recorder.of(nid));
            let differs = one.iter().zip(&other).position(|(a, b)| a != b);
            assert_eq!(
                differs,
                None,
                "node {nid}, {latency} us: {:?} and {:?}",
                one[differs.unwrap()],
                other[differs.unwrap()]
            );
            assert_eq!(one.len(), other.len(), "node {nid}, {latency} us");
        }
    }
}

fn deadlock(nid: u64) -> String {
    let mut script = if nid == 0 {
        vec![]
    } else {
        migrate(nid).to_vec()
    };
    script.extend([call(Sysno::Futex, &[BSS, 0x80, 0, 0]), exit_group(0)]);
    match Setup::mixed(2).run(script) {
        (Outcome::Deadlock(report), _) => report,
        (other, _) => panic!("{other:?}"),
    }
}

#[test]
fn a_wait_that_nobody_ends_is_a_report() {
    expect![[r#"
        node 0: prog/1000 waits for a futex at 0x601000, since 21.595 us
    "#]]
    .assert_eq(&deadlock(0));
    expect![[r#"
        node 0: prog/1000 waits for a futex at 0x601000, since 152.496 us
        node 1: prog/101001 waits for the reply to a futex call at 0x601000, node 0 task 1000, since 140.037 us
    "#]].assert_eq(&deadlock(1));
}

#[test]
fn a_loop_that_waits_for_nothing_is_no_deadlock() {
    // A thread that sleeps for a long time keeps the run going.
    let mut script: Vec<Op> = migrate(1).to_vec();
    script.extend([
        Op::Store(Sp(-16), Imm(100)),
        Op::Store(Sp(-8), Imm(0)),
        Op::Call(Sysno::Nanosleep, vec![Sp(-16), Imm(0)]),
        Op::Expect(Ret, Imm(0)),
        exit_group(0),
    ]);
    let cluster = Setup::mixed(2).run_clean(script);
    assert!(cluster.kernels[0].exec.now().as_secs() >= 100);
}
