//! Random programs that do everything at once and end in the middle of it: every run ends, with the right status, and leaves nothing behind.

use isa::syscall::Sysno;
use kernel_model::signal::Signal;
use kernel_model::task::ExitStatus;
use msglayer::SimDuration;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRng, TestRunner};

use crate::support::script::{BSS, Imm, Ret, SHARED, Sp, V, call, exit, exit_group, migrate};
use crate::support::{Op, Outcome, Setup, Val};

const WORD: u64 = BSS + 0x800;
const AREA: u64 = 0x1000_0000;
const PRIVATE_ANON_FIXED: u64 = 0x32;

/// What a thread does.
#[derive(Clone, Debug)]
enum Act {
    Go(u64),
    Read(u64),
    Add(u64),
    Sleep(u64),
    /// Waits at the word, at most so many microseconds.
    FutexWait(u64),
    FutexWake,
    Print,
    /// Maps, touches, perhaps protects, and unmaps an area of its own.
    Map {
        protect: bool,
    },
    /// Grows the heap by a page, or gives it back.
    Brk(bool),
    /// Starts its child, once; the child goes there and counts.
    Spawn(u64),
}

fn act(nodes: u64) -> impl Strategy<Value = Act> {
    let page = || (0..3_u64).prop_map(|page| SHARED.start + page * 0x1000);
    prop_oneof![
        3 => (0..nodes).prop_map(Act::Go),
        3 => page().prop_map(Act::Read),
        3 => page().prop_map(Act::Add),
        1 => (0..400_u64).prop_map(Act::Sleep),
        2 => (1..500_u64).prop_map(Act::FutexWait),
        2 => Just(Act::FutexWake),
        1 => Just(Act::Print),
        2 => any::<bool>().prop_map(|protect| Act::Map { protect }),
        1 => any::<bool>().prop_map(Act::Brk),
        1 => (0..nodes).prop_map(Act::Spawn),
    ]
}

/// How the process ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// exit_group on a node, after so many microseconds.
    ExitGroup(u64, u64),
    /// A fault there.
    Fault(u64, u64),
    /// Every thread ends by itself, this one first.
    Exit,
}

#[derive(Clone, Debug)]
struct Case {
    nodes: u64,
    cpus: u16,
    quantum: u64,
    latency_ns: u64,
    end: End,
    threads: Vec<Vec<Act>>,
}

fn case() -> impl Strategy<Value = Case> {
    (2..5_u64).prop_flat_map(|nodes| {
        let threads = vec(vec(act(nodes), 1..12), 1..5);
        let end = prop_oneof![
            (0..nodes, 0..2_000_u64).prop_map(|(nid, us)| End::ExitGroup(nid, us)),
            (0..nodes, 0..2_000_u64).prop_map(|(nid, us)| End::Fault(nid, us)),
            Just(End::Exit),
        ];
        let times = (
            prop_oneof![Just(3_u64), Just(100)],
            prop_oneof![Just(50_u64), Just(3_000), Just(100_000)],
        );
        (1..4_u16, times, end, threads).prop_map(
            move |(cpus, (quantum, latency_ns), end, threads)| Case {
                nodes,
                cpus,
                quantum,
                latency_ns,
                end,
                threads,
            },
        )
    })
}

const THREADS: [&str; 4] = ["thread 0", "thread 1", "thread 2", "thread 3"];
const CHILDREN: [&str; 4] = ["child 0", "child 1", "child 2", "child 3"];

fn stack(n: usize) -> Val {
    Imm(BSS + 0x1_0000 + (n as u64 + 1) * 0x2000)
}

fn sleep_us(us: u64) -> [Op; 3] {
    [
        Op::Store(Sp(-16), Imm(0)),
        Op::Store(Sp(-8), Imm(us * 1000)),
        Op::Call(Sysno::Nanosleep, vec![Sp(-16), Imm(0)]),
    ]
}

fn go(script: &mut Vec<Op>, at: &mut u64, nid: u64) {
    if *at != nid {
        script.extend(migrate(nid));
        *at = nid;
    }
}

fn program(case: &Case) -> Vec<Op> {
    let mut script = Vec::new();
    for (n, mark) in THREADS.into_iter().enumerate().take(case.threads.len()) {
        script.extend([
            Op::Clone {
                stack: stack(n),
                clear_tid: Imm(WORD + 0x100 + 8 * n as u64),
            },
            Op::IfEq(Ret, Imm(0), mark),
        ]);
    }
    let mut at = 0;
    match case.end {
        End::ExitGroup(nid, us) => {
            go(&mut script, &mut at, nid);
            script.extend(sleep_us(us));
            script.push(exit_group(33));
        }
        End::Fault(nid, us) => {
            go(&mut script, &mut at, nid);
            script.extend(sleep_us(us));
            script.push(Op::Store(Imm(0x10), Imm(0)));
        }
        End::Exit => script.push(exit(33)),
    }
    for (n, acts) in case.threads.iter().enumerate() {
        script.push(Op::Mark(THREADS[n]));
        let (mut at, mut child) = (0, None);
        for act in acts {
            one(&mut script, &mut at, &mut child, n, act);
        }
        match case.end {
            End::Exit => script.push(exit(44)),
            // The others go on until the process ends.
            _ => script.extend([
                Op::Mark(["loop 0", "loop 1", "loop 2", "loop 3"][n]),
                Op::FetchAdd(1, Imm(SHARED.start), Imm(1)),
                Op::Goto(["loop 0", "loop 1", "loop 2", "loop 3"][n]),
            ]),
        }
        if let Some((born, nid)) = child {
            let mut at = born;
            script.push(Op::Mark(CHILDREN[n]));
            go(&mut script, &mut at, nid);
            script.extend([Op::FetchAdd(1, Imm(SHARED.start + 8), Imm(1)), exit(55)]);
        }
    }
    script
}

fn one(script: &mut Vec<Op>, at: &mut u64, child: &mut Option<(u64, u64)>, n: usize, act: &Act) {
    let area = AREA + n as u64 * 0x10_0000;
    match *act {
        Act::Go(nid) => go(script, at, nid),
        Act::Read(addr) => script.push(Op::Load(0, Imm(addr))),
        Act::Add(addr) => script.push(Op::FetchAdd(0, Imm(addr), Imm(1))),
        Act::Sleep(us) => script.extend(sleep_us(us)),
        Act::FutexWait(us) => script.extend([
            Op::Store(Sp(-16), Imm(0)),
            Op::Store(Sp(-8), Imm(us * 1000)),
            Op::Call(Sysno::Futex, vec![Imm(WORD), Imm(0x80), Imm(0), Sp(-16)]),
        ]),
        Act::FutexWake => script.push(call(Sysno::Futex, &[WORD, 0x81, 1])),
        Act::Print => script.extend([
            Op::Store(Sp(-8), Imm(0x0a21)),
            Op::Call(Sysno::Write, vec![Imm(1), Sp(-8), Imm(2)]),
            Op::Expect(Ret, Imm(2)),
        ]),
        Act::Map { protect } => {
            script.extend([
                call(
                    Sysno::Mmap,
                    &[area, 0x3000, 3, PRIVATE_ANON_FIXED, u64::MAX, 0],
                ),
                Op::Expect(Ret, Imm(area)),
                Op::Store(Imm(area + 0x1000), Imm(6)),
            ]);
            if protect {
                script.extend([
                    call(Sysno::Mprotect, &[area, 0x2000, 1]),
                    Op::Expect(Ret, Imm(0)),
                ]);
            }
            script.extend([
                Op::Load(0, Imm(area + 0x1000)),
                Op::Expect(V(0, 0), Imm(6)),
                call(Sysno::Munmap, &[area, 0x3000]),
                Op::Expect(Ret, Imm(0)),
            ]);
        }
        Act::Brk(grow) => script.extend([
            call(Sysno::Brk, &[0]),
            Op::Set(2, Ret),
            Op::Call(
                Sysno::Brk,
                vec![if grow { V(2, 0x1000) } else { V(2, -0x1000) }],
            ),
        ]),
        Act::Spawn(nid) => {
            if child.is_none() {
                *child = Some((*at, nid));
                script.extend([
                    Op::Clone {
                        stack: stack(8 + n),
                        clear_tid: Imm(WORD + 0x200 + 8 * n as u64),
                    },
                    Op::IfEq(Ret, Imm(0), CHILDREN[n]),
                ]);
            }
        }
    }
}

/// Runs a case and demands that it ends as it says.
fn check(case: &Case) {
    let setup = Setup::mixed(case.nodes as usize).with(|s| {
        s.cpus = case.cpus;
        s.quantum = case.quantum;
        s.latency = Some(SimDuration::from_ns(case.latency_ns));
        // Loops that wait for the end would keep everybody else from the CPU for milliseconds.
        s.time_slice = SimDuration::from_us(100);
        s.max_actions = 1_000_000;
    });
    let (outcome, cluster) = setup.run(program(case));
    let expected = match case.end {
        End::ExitGroup(..) | End::Exit => ExitStatus::Exited(33),
        End::Fault(..) => ExitStatus::Signaled(Signal::SIGSEGV),
    };
    assert_eq!(outcome, Outcome::Exited(expected));
    cluster.assert_clean();
}

#[test]
fn every_program_ends() {
    let config = Config {
        cases: 200,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    let run = |case: Case| {
        check(&case);
        Ok(())
    };
    let result = TestRunner::new_with_rng(config, rng).run(&case(), run);
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_end_comes_while_a_shadow_serves() {
    // The signal finds the shadow busy, and must be noticed when it is done.
    for us in (14..2_000).step_by(20) {
        let talker = vec![
            Act::Go(1),
            Act::Sleep(72),
            Act::Read(SHARED.start),
            Act::Print,
        ];
        check(&Case {
            nodes: 2,
            cpus: 2,
            quantum: 3,
            latency_ns: 100_000,
            end: End::ExitGroup(1, us),
            threads: vec![talker, vec![Act::Spawn(1)]],
        });
    }
}
