//! The distributed shared memory: which messages each transition takes, and that nobody ever reads anything but the last value written.

use isa::syscall::Sysno;
use kernel_model::Access;
use msglayer::messages::RemotePageResponse;
use msglayer::{MessageType, SimDuration};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRng, TestRunner};

use crate::support::script::{BSS, Imm, Ret, SHARED, Sp, V, call, exit, exit_group, migrate};
use crate::support::{Op, Setup, Val, What};

const PAGE: u64 = SHARED.start;

/// A step of a thread that travels: on which node, and whether it writes.
type Step = (u64, bool);
const R: bool = false;
const W: bool = true;

/// One thread that goes where the steps say, and reads or writes the page there.
fn traveller(steps: &[Step]) -> Vec<Op> {
    let mut script = Vec::new();
    let mut at = 0;
    for (n, (nid, write)) in steps.iter().enumerate() {
        if *nid != at {
            script.extend(migrate(*nid));
            at = *nid;
        }
        script.push(if *write {
            Op::Store(Imm(PAGE), Imm(n as u64 + 1))
        } else {
            Op::Load(0, Imm(PAGE))
        });
    }
    if at != 0 {
        script.extend(migrate(0));
    }
    script.push(exit_group(0));
    script
}

#[test]
fn messages_of_each_transition() {
    // (steps before, the step that counts, its messages); four nodes.
    let cases: &[(&[Step], Step, &[&str])] = &[
        // First touch, here and there.
        (&[], (0, R), &[]),
        (&[], (0, W), &[]),
        (&[], (1, R), &["1>0 read request", "0>1 page"]),
        (&[], (1, W), &["1>0 write request", "0>1 page"]),
        (&[(0, W)], (1, R), &["1>0 read request", "0>1 page"]),
        (&[(0, W)], (1, W), &["1>0 write request", "0>1 page"]),
        // What is here stays here.
        (&[(1, R)], (1, R), &[]),
        (&[(1, W)], (1, R), &[]),
        (&[(1, W)], (1, W), &[]),
        (&[(1, R)], (0, R), &[]),
        // A reader becomes the writer: ownership without data.
        (&[(1, R)], (1, W), &["1>0 write request", "0>1 grant"]),
        (
            &[(1, R), (2, R)],
            (1, W),
            &[
                "1>0 write request",
                "0>2 invalidate",
                "2>0 ack",
                "0>1 grant",
            ],
        ),
        (
            &[(1, R), (2, R), (3, R)],
            (2, W),
            &[
                "2>0 write request",
                "0>1 invalidate",
                "0>3 invalidate",
                "3>0 ack",
                "1>0 ack",
                "0>2 grant",
            ],
        ),
        // A stranger becomes the writer: with data, through home.
        (
            &[(1, R), (2, R)],
            (3, W),
            &[
                "3>0 write request",
                "0>1 invalidate",
                "0>2 invalidate",
                "1>0 ack",
                "2>0 ack",
                "0>3 page",
            ],
        ),
        (
            &[(2, W)],
            (1, W),
            &[
                "1>0 write request",
                "0>2 write request",
                "2>0 page",
                "0>1 page",
            ],
        ),
        (
            &[(2, W)],
            (1, R),
            &[
                "1>0 read request",
                "0>2 read request",
                "2>0 page",
                "0>1 page",
            ],
        ),
        // Served by home, home has it as well.
        (&[(2, W), (1, R)], (0, R), &[]),
        (&[(2, W), (1, R)], (3, R), &["3>0 read request", "0>3 page"]),
        (
            &[(2, W), (1, R)],
            (2, W),
            &[
                "2>0 write request",
                "0>1 invalidate",
                "1>0 ack",
                "0>2 grant",
            ],
        ),
        // Home wants it back.
        (&[(1, W)], (0, R), &["0>1 read request", "1>0 page"]),
        (&[(1, W)], (0, W), &["0>1 write request", "1>0 page"]),
        (&[(1, R)], (0, W), &["0>1 invalidate", "1>0 ack"]),
        (
            &[(1, R), (2, R), (3, R)],
            (0, W),
            &[
                "0>1 invalidate",
                "0>2 invalidate",
                "0>3 invalidate",
                "1>0 ack",
                "2>0 ack",
                "3>0 ack",
            ],
        ),
        // What was taken away comes again with data.
        (&[(1, R), (0, W)], (1, R), &["1>0 read request", "0>1 page"]),
        (
            &[(1, W), (0, R)],
            (1, W),
            &["1>0 write request", "0>1 grant"],
        ),
        (
            &[(1, W), (2, W)],
            (1, W),
            &[
                "1>0 write request",
                "0>2 write request",
                "2>0 page",
                "0>1 page",
            ],
        ),
    ];
    for (before, step, messages) in cases {
        let traffic = |steps: &[Step]| {
            Setup::mixed(4)
                .run_clean(traveller(steps))
                .recorder
                .page_traffic(PAGE)
        };
        let earlier = traffic(before);
        let all = traffic(&[*before, &[*step]].concat());
        assert_eq!(all[..earlier.len()], earlier);
        assert_eq!(
            all[earlier.len()..],
            **messages,
            "{step:?} after {before:?}"
        );
    }
}

#[test]
fn a_guests_first_touch_moves_zeroes() {
    for write in [R, W] {
        let cluster = Setup::mixed(2).run_clean(traveller(&[(1, write)]));
        let pages = cluster.recorder.messages::<RemotePageResponse>();
        let (from, to, page) = pages
            .iter()
            .find(|(_, _, m)| m.addr.get() == PAGE)
            .expect("the page was sent");
        assert_eq!((*from, *to, page.result.get()), (0, 1, 0));
        assert!(
            page.page.iter().all(|byte| *byte == 0),
            "memory that nobody touched is zero"
        );
    }
}

#[test]
fn ownership_moves_with_two_page_transfers() {
    // Two guests write by turns: 4 messages and 2 pages for each move.
    let turns: Vec<Step> = (0..20).map(|n| (1 + n % 2, W)).collect();
    let cluster = Setup::mixed(3).run_clean(traveller(&turns));
    let traffic = cluster.recorder.page_traffic(PAGE);
    assert_eq!(traffic.len(), 2 + 4 * 19, "{traffic:?}");
    assert_eq!(
        traffic
            .iter()
            .filter(|line| line.ends_with(" page"))
            .count(),
        1 + 2 * 19
    );
}

/// A stack of a page for thread n.
fn stack(n: usize) -> Val {
    Imm(BSS + 0x1_0000 + (n as u64 + 1) * 0x2000)
}

#[test]
fn a_leader_has_nine_followers_and_the_others_try_again() {
    for threads in [1, 10, 11, 14] {
        // All wait on node 1 for a flag there; then all read a page that is at home.
        let mut script = vec![Op::Store(Imm(PAGE), Imm(7))];
        script.extend(migrate(1));
        for n in 0..threads {
            script.extend([
                Op::Clone {
                    stack: stack(n),
                    clear_tid: Imm(0),
                },
                Op::IfEq(Ret, Imm(0), "thread"),
            ]);
        }
        script.extend([
            Op::Mark("ready"),
            call(Sysno::SchedYield, &[]),
            Op::Load(0, Imm(BSS)),
            Op::IfEq(V(0, 0), Imm(threads as u64), "go"),
            Op::Goto("ready"),
            Op::Mark("go"),
            Op::Store(Imm(BSS + 8), Imm(1)),
            Op::Mark("done"),
            call(Sysno::SchedYield, &[]),
            Op::Load(0, Imm(BSS + 16)),
            Op::IfEq(V(0, 0), Imm(threads as u64), "end"),
            Op::Goto("done"),
            Op::Mark("thread"),
            Op::FetchAdd(0, Imm(BSS), Imm(1)),
            Op::Mark("wait"),
            call(Sysno::SchedYield, &[]),
            Op::Load(0, Imm(BSS + 8)),
            Op::IfEq(V(0, 0), Imm(0), "wait"),
            Op::Load(0, Imm(PAGE)),
            Op::Expect(V(0, 0), Imm(7)),
            Op::FetchAdd(0, Imm(BSS + 16), Imm(1)),
            exit(0),
            Op::Mark("end"),
            exit_group(0),
        ]);
        let cluster = Setup::mixed(2)
            .with(|s| s.latency = Some(SimDuration::from_ms(2)))
            .run_clean(script);
        let results = cluster.recorder.pick(|nid, what| match what {
            What::Fault {
                addr,
                access: Access::Read,
                result,
            } if nid.index() == 1 && addr.0 == PAGE => Some(*result),
            _ => None,
        });
        let retries = results.iter().filter(|result| **result == 0x400).count();
        assert_eq!(
            retries,
            threads.saturating_sub(10),
            "of {threads} threads: {results:x?}"
        );
        assert_eq!(
            cluster.recorder.page_traffic(PAGE),
            ["1>0 read request", "0>1 page"],
            "one request serves all"
        );
    }
}

#[test]
fn contention_ends() {
    // Threads on every node add to one word as fast as they can: retries and back-off, and no livelock.
    for cpus in [1, 2] {
        let mut script = Vec::new();
        for n in 0..6 {
            script.extend([
                Op::Set(0, Imm(n)),
                Op::Clone {
                    stack: stack(n as usize),
                    clear_tid: Imm(0),
                },
                Op::IfEq(Ret, Imm(0), "thread"),
            ]);
        }
        script.extend(wait_for(6));
        script.extend([
            Op::Load(1, Imm(PAGE)),
            Op::Expect(V(1, 0), Imm(12_000)),
            exit_group(0),
            Op::Mark("thread"),
        ]);
        for (n, mark) in ["n0", "n1", "n2"].into_iter().enumerate() {
            script.extend([
                Op::IfEq(V(0, 0), Imm(n as u64), mark),
                Op::IfEq(V(0, 0), Imm(n as u64 + 3), mark),
            ]);
        }
        for (nid, mark) in [(1, "n1"), (2, "n2"), (0, "n0")] {
            script.push(Op::Mark(mark));
            if nid != 0 {
                script.extend(migrate(nid));
            }
            script.push(Op::Goto("count"));
        }
        script.extend([
            Op::Mark("count"),
            Op::Set(1, Imm(0)),
            Op::Mark("again"),
            Op::FetchAdd(2, Imm(PAGE), Imm(1)),
            Op::Add(1, Imm(1)),
            Op::IfEq(V(1, 0), Imm(2000), "counted"),
            Op::Goto("again"),
            Op::Mark("counted"),
            Op::FetchAdd(2, Imm(BSS), Imm(1)),
            exit(0),
        ]);
        // Three operations a quantum, so that a node seldom gets far with a page.
        let cluster = Setup::mixed(3)
            .with(|s| (s.cpus, s.quantum, s.latency) = (cpus, 3, Some(SimDuration::from_us(1))))
            .run_clean(script);
        assert!(
            cluster.recorder.sent(MessageType::RemotePageResponse) > 20,
            "they did contend"
        );
    }
}

/// Sleeps until the word at [`BSS`] is `count`.
fn wait_for(count: u64) -> Vec<Op> {
    vec![
        Op::Mark("main"),
        Op::Store(Sp(-16), Imm(0)),
        Op::Store(Sp(-8), Imm(200_000)),
        Op::Call(Sysno::Nanosleep, vec![Sp(-16), Imm(0)]),
        Op::Load(1, Imm(BSS)),
        Op::IfEq(V(1, 0), Imm(count), "all done"),
        Op::Goto("main"),
        Op::Mark("all done"),
    ]
}

/// What a thread of a random program does.
#[derive(Clone, Debug)]
enum Act {
    Go(u64),
    Read(u64),
    Write(u64, u64),
    Add(u64),
    Swap(u64),
    Yield,
    Pause(u64),
}

/// One of two words of one of three pages.
fn word() -> impl Strategy<Value = u64> {
    (0..3_u64, 0..2_u64).prop_map(|(page, word)| PAGE + page * 0x1000 + word * 8)
}

fn act(nodes: u64) -> impl Strategy<Value = Act> {
    prop_oneof![
        1 => (0..nodes).prop_map(Act::Go),
        4 => word().prop_map(Act::Read),
        3 => (word(), 1..u64::MAX).prop_map(|(word, value)| Act::Write(word, value)),
        3 => word().prop_map(Act::Add),
        1 => word().prop_map(Act::Swap),
        1 => Just(Act::Yield),
        1 => (0..60_u64).prop_map(Act::Pause),
    ]
}

#[derive(Clone, Debug)]
struct Case {
    nodes: u64,
    cpus: u16,
    quantum: u64,
    latency_ns: u64,
    seed: u64,
    /// Where each thread begins, and what it does.
    threads: Vec<(u64, Vec<Act>)>,
}

fn case() -> impl Strategy<Value = Case> {
    (2..5_u64).prop_flat_map(|nodes| {
        let threads = vec((0..nodes, vec(act(nodes), 1..25)), 2..6);
        let times = (
            prop_oneof![Just(1_u64), Just(5), Just(100)],
            prop_oneof![Just(50_u64), Just(3_000), Just(200_000)],
        );
        (1..3_u16, times, any::<u64>(), threads).prop_map(
            move |(cpus, (quantum, latency_ns), seed, threads)| Case {
                nodes,
                cpus,
                quantum,
                latency_ns,
                seed,
                threads,
            },
        )
    })
}

const THREADS: [&str; 6] = [
    "thread 0", "thread 1", "thread 2", "thread 3", "thread 4", "thread 5",
];

fn program(threads: &[(u64, Vec<Act>)]) -> Vec<Op> {
    let mut script = Vec::new();
    for (n, mark) in THREADS.into_iter().enumerate().take(threads.len()) {
        script.extend([
            Op::Clone {
                stack: stack(n),
                clear_tid: Imm(0),
            },
            Op::IfEq(Ret, Imm(0), mark),
        ]);
    }
    script.extend(wait_for(threads.len() as u64));
    for page in 0..3 {
        script.push(Op::Load(0, Imm(PAGE + page * 0x1000)));
    }
    script.push(exit_group(0));
    for (n, (start, acts)) in threads.iter().enumerate() {
        script.push(Op::Mark(THREADS[n]));
        let mut at = 0;
        for act in std::iter::once(&Act::Go(*start)).chain(acts) {
            match *act {
                Act::Go(nid) if nid == at => {}
                Act::Go(nid) => {
                    script.extend(migrate(nid));
                    at = nid;
                }
                Act::Read(word) => script.push(Op::Load(0, Imm(word))),
                Act::Write(word, value) => script.push(Op::Store(Imm(word), Imm(value))),
                Act::Add(word) => script.push(Op::FetchAdd(0, Imm(word), Imm(1))),
                Act::Swap(word) => {
                    script.push(Op::CompareSwap(1, Imm(word), V(0, 0), Imm(n as u64)))
                }
                Act::Yield => script.push(call(Sysno::SchedYield, &[])),
                Act::Pause(ops) => script.extend((0..ops).map(|_| Op::Set(2, Imm(0)))),
            }
        }
        script.extend([Op::FetchAdd(0, Imm(BSS), Imm(1)), exit(0)]);
    }
    script
}

#[test]
fn nobody_ever_reads_anything_but_the_last_value_written() {
    let config = Config {
        cases: 150,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    let run = |case: Case| {
        let setup = Setup::mixed(case.nodes as usize).with(|s| {
            s.cpus = case.cpus;
            s.quantum = case.quantum;
            s.latency = Some(SimDuration::from_ns(case.latency_ns));
            s.seed = case.seed;
        });
        setup.run_clean(program(&case.threads));
        Ok(())
    };
    TestRunner::new_with_rng(config, rng)
        .run(&case(), run)
        .unwrap_or_else(|error| panic!("{error}"));
}
