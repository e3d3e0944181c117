//! Threads go out, come back, and end, wherever they are.

use std::collections::BTreeSet;

use isa::syscall::{PopcornCall, Sysno};
use isa::{Errno, Isa};
use kernel_model::signal::Signal;
use kernel_model::task::ExitStatus;
use kernel_model::{Halt, Profile};
use msglayer::messages::{OriginTaskExit, RemoteTaskExit, RemoteTaskPairing};
use msglayer::{MessageType, Nid};

use crate::support::script::{
    BSS, Imm, Ret, Sp, Tls, V, call, exit, exit_group, migrate, spin_until,
};
use crate::support::{Cluster, Op, Outcome, Setup, Val, What};

const PAIRS: [[Isa; 2]; 4] = [
    [Isa::X86_64, Isa::Aarch64],
    [Isa::Aarch64, Isa::X86_64],
    [Isa::X86_64, Isa::X86_64],
    [Isa::Aarch64, Isa::Aarch64],
];

/// A stack of a page for thread n, in the zeroed data.
fn stack(n: u64) -> Val {
    Imm(BSS + 0x1_0000 + (n + 1) * 0x2000)
}

/// Starts thread n at a mark; its register 0 is n.
fn thread(n: u64, mark: &'static str) -> Vec<Op> {
    vec![
        Op::Set(0, Imm(n)),
        Op::Clone {
            stack: stack(n),
            clear_tid: Imm(0),
        },
        Op::IfEq(Ret, Imm(0), mark),
    ]
}

fn hops(cluster: &Cluster) -> Vec<(usize, usize, bool)> {
    cluster.recorder.pick(|nid, what| match what {
        What::MigrateIn { from, back, .. } => Some((from.index(), nid.index(), *back)),
        _ => None,
    })
}

fn exits(cluster: &Cluster) -> BTreeSet<(usize, i32, i32)> {
    let exits = cluster.recorder.pick(|nid, what| match what {
        What::Exit { pid, code } => Some((nid.index(), *pid, *code)),
        _ => None,
    });
    exits.into_iter().collect()
}

#[test]
fn registers_stack_and_thread_pointer_travel() {
    for isas in PAIRS {
        let mut script = Vec::new();
        script.extend(thread(0, "thread"));
        script.extend(spin_until(Imm(BSS), 1, "wait"));
        script.push(exit_group(0));
        script.push(Op::Mark("thread"));
        let values = [0x1111_2222_3333_4444, u64::MAX, 0, 1, 0x8000_0000_0000_0000];
        script.extend(
            values
                .iter()
                .enumerate()
                .map(|(n, value)| Op::Set(n, Imm(*value))),
        );
        script.push(Op::Store(Sp(-8), Imm(42)));
        for nid in [1, 0, 1, 0, 1] {
            script.extend(migrate(nid));
            script.extend(
                values
                    .iter()
                    .enumerate()
                    .map(|(n, value)| Op::Expect(V(n, 0), Imm(*value))),
            );
            script.push(Op::Expect(Sp(0), stack(0)));
            script.push(Op::Expect(Tls, stack(0)));
            script.extend([
                Op::Load(4, Sp(-8)),
                Op::Expect(V(4, 0), Imm(42)),
                Op::Set(4, Imm(values[4])),
            ]);
        }
        script.extend([Op::Store(Imm(BSS), Imm(1)), exit(0)]);
        Setup::new(&isas).run_clean(script);
    }
}

#[test]
fn a_worker_is_made_once_and_pairing_comes_every_time() {
    for isas in PAIRS {
        let mut script = Vec::new();
        for nid in [1, 0, 1, 0, 1, 0] {
            script.extend(migrate(nid));
        }
        script.push(exit_group(0));
        let cluster = Setup::new(&isas).run_clean(script);
        let pairings = cluster.recorder.messages::<RemoteTaskPairing>();
        let seen: Vec<_> = pairings
            .iter()
            .map(|(from, to, m)| {
                (
                    *from,
                    *to,
                    m.my_tgid.get(),
                    m.my_pid.get(),
                    m.your_pid.get(),
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                (1, 0, 101000, 101001, 1000),
                (1, 0, 101000, 101002, 1000),
                (1, 0, 101000, 101003, 1000)
            ]
        );
        assert_eq!(hops(&cluster), [(0, 1, false), (1, 0, true)].repeat(3));
        // Parked threads end without a word; the worker ends with the process.
        assert_eq!(cluster.recorder.sent(MessageType::TaskExitRemote), 0);
        assert_eq!(cluster.recorder.sent(MessageType::TaskExitOrigin), 1);
    }
}

#[test]
fn many_trips_change_nothing() {
    let trip: Vec<Op> = [migrate(1), migrate(0)].concat();
    let mut script = vec![Op::Set(0, Imm(0)), Op::Mark("again")];
    script.extend(trip);
    script.extend([
        Op::FetchAdd(1, Imm(BSS), Imm(3)),
        Op::Add(0, Imm(1)),
        Op::IfEq(V(0, 0), Imm(300), "enough"),
        Op::Goto("again"),
        Op::Mark("enough"),
        Op::Load(1, Imm(BSS)),
        Op::Expect(V(1, 0), Imm(900)),
        exit_group(0),
    ]);
    let cluster = Setup::mixed(2).run_clean(script);
    assert_eq!(hops(&cluster).len(), 600);
}

#[test]
fn several_threads_are_away_at_once() {
    // Thread n goes to node n % 4, counts, comes home, and counts again.
    for cpus in [1, 3] {
        let mut script = Vec::new();
        for n in 0..8 {
            script.extend(thread(n, "thread"));
        }
        script.extend(spin_until(Imm(BSS), 16, "all"));
        script.extend([exit_group(0), Op::Mark("thread")]);
        for n in 0..8 {
            let (next, done): (&'static str, _) = (
                ["t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"][n as usize],
                "counted",
            );
            script.push(Op::IfEq(
                V(0, 0),
                Imm(n),
                ["go0", "go1", "go2", "go3", "go4", "go5", "go6", "go7"][n as usize],
            ));
            script.extend([
                Op::Goto(next),
                Op::Mark(["go0", "go1", "go2", "go3", "go4", "go5", "go6", "go7"][n as usize]),
            ]);
            if n % 4 != 0 {
                script.extend(migrate(n % 4));
            }
            script.extend([Op::Goto(done), Op::Mark(next)]);
        }
        script.extend([
            Op::Mark("counted"),
            Op::FetchAdd(1, Imm(BSS), Imm(1)),
            Op::Popcorn(PopcornCall::GetThreadStatus, vec![Sp(-16)]),
            Op::Expect(Ret, Imm(0)),
            Op::Migrate {
                to: Imm(0),
                layout: Imm(0),
            },
            Op::FetchAdd(1, Imm(BSS), Imm(1)),
            exit(0),
        ]);
        let cluster = Setup::mixed(4).with(|s| s.cpus = cpus).run_clean(script);
        let workers: BTreeSet<_> = cluster
            .recorder
            .messages::<RemoteTaskPairing>()
            .iter()
            .map(|(from, _, m)| (*from, m.my_tgid.get()))
            .collect();
        assert_eq!(
            workers,
            BTreeSet::from([(1, 101000), (2, 201000), (3, 301000)]),
            "one worker a node"
        );
        assert_eq!(
            hops(&cluster).iter().filter(|(_, _, back)| *back).count(),
            6
        );
    }
}

#[test]
fn three_nodes_through_home() {
    let mut script = Vec::new();
    for nid in [1, 2, 1, 0, 2, 0] {
        script.extend(migrate(nid));
        script.extend([
            Op::FetchAdd(0, Imm(BSS), Imm(1)),
            Op::Tell("count", V(0, 0)),
        ]);
    }
    script.push(exit_group(0));
    let cluster = Setup::mixed(3).run_clean(script);
    assert_eq!(
        cluster.recorder.told("count"),
        [(1, 0), (2, 1), (1, 2), (0, 3), (2, 4), (0, 5)]
    );
    assert_eq!(cluster.recorder.sent(MessageType::TaskExitOrigin), 2);
}

#[test]
fn a_thread_that_is_created_on_a_guest() {
    for isas in PAIRS {
        // The new thread counts at the guest, comes home, counts there; its creator waits at the guest.
        let mut script = Vec::new();
        script.extend(migrate(1));
        script.extend(thread(0, "thread"));
        script.extend(spin_until(Imm(BSS), 2, "wait"));
        script.extend([
            exit_group(0),
            Op::Mark("thread"),
            Op::FetchAdd(1, Imm(BSS), Imm(1)),
            Op::Tell("at", V(1, 0)),
        ]);
        script.extend(migrate(0));
        script.extend([
            Op::Expect(Sp(0), stack(0)),
            Op::Expect(Tls, stack(0)),
            Op::FetchAdd(1, Imm(BSS), Imm(1)),
            Op::Tell("at", V(1, 0)),
        ]);
        script.extend(migrate(1));
        script.push(exit(0));
        let cluster = Setup::new(&isas).run_clean(script.clone());
        assert_eq!(cluster.recorder.told("at"), [(1, 0), (0, 1)]);

        let (outcome, _) = Setup::new(&isas)
            .with(|s| s.profile = Profile::K52)
            .run(script);
        let why = "task 101001 creates a thread on a guest; its first fault goes to node -1";
        assert_eq!(
            outcome,
            Outcome::Halted(Nid::new(1).unwrap(), Halt::WouldHang(why.to_owned()))
        );
    }
}

#[test]
fn a_thread_ends_on_a_guest() {
    for isas in PAIRS {
        let mut script = Vec::new();
        script.extend(thread(0, "thread"));
        script.extend(spin_until(Imm(BSS), 1, "wait"));
        script.extend(migrate(1));
        script.extend(migrate(0));
        script.extend([exit_group(5), Op::Mark("thread")]);
        script.extend(migrate(1));
        script.extend([Op::Store(Imm(BSS), Imm(1)), exit(9)]);
        let (outcome, cluster) = Setup::new(&isas).run(script);
        assert_eq!(outcome, Outcome::exited(5));
        cluster.assert_clean();
        let ends = cluster.recorder.messages::<RemoteTaskExit>();
        let ends: Vec<_> = ends
            .iter()
            .map(|(from, to, m)| {
                (
                    *from,
                    *to,
                    m.origin_pid.get(),
                    m.remote_pid.get(),
                    m.exit_code.get(),
                )
            })
            .collect();
        assert_eq!(ends, [(1, 0, 1001, 101001, 9 << 8)]);
        assert!(
            exits(&cluster).contains(&(0, 1001, 9 << 8)),
            "its shadow ends with the same status"
        );
        assert!(
            exits(&cluster).contains(&(0, 1000, 5 << 8)),
            "the rest of the process does not"
        );
    }
}

#[test]
fn the_last_thread_ends_on_a_guest() {
    let mut script = Vec::new();
    script.extend(migrate(1));
    script.push(exit(7));
    let (outcome, cluster) = Setup::mixed(2).run(script);
    assert_eq!(outcome, Outcome::exited(7));
    cluster.assert_clean();
    let told = cluster.recorder.messages::<OriginTaskExit>();
    assert_eq!(
        told.iter()
            .map(|(_, to, m)| (*to, m.remote_pid.get(), m.exit_code.get()))
            .collect::<Vec<_>>(),
        [(1, 101000, 7 << 8)]
    );
}

/// Threads that are at home, at guests, in futex waits, in loops, and in nanosleep when the process ends.
fn busy_process() -> Vec<Op> {
    let mut script = Vec::new();
    for (n, mark) in [
        "spin", "spin1", "spin2", "sleep1", "sleep", "futex2", "futex", "pages",
    ]
    .into_iter()
    .enumerate()
    {
        script.extend(thread(n as u64, mark));
    }
    script.extend([Op::Goto("main"), Op::Mark("spin1")]);
    script.extend(migrate(1));
    script.extend([Op::Goto("spin"), Op::Mark("spin2")]);
    script.extend(migrate(2));
    script.extend([
        Op::Goto("spin"),
        Op::Mark("spin"),
        Op::Add(1, Imm(1)),
        Op::Goto("spin"),
        Op::Mark("sleep1"),
    ]);
    script.extend(migrate(1));
    script.extend([
        Op::Goto("sleep"),
        Op::Mark("sleep"),
        Op::Store(Sp(-16), Imm(1_000_000)),
        Op::Store(Sp(-8), Imm(0)),
        Op::Call(Sysno::Nanosleep, vec![Sp(-16), Imm(0)]),
        Op::Goto("sleep"),
        Op::Mark("futex2"),
    ]);
    script.extend(migrate(2));
    script.extend([
        Op::Goto("futex"),
        Op::Mark("futex"),
        call(Sysno::Futex, &[BSS + 0x1000, 0, 0, 0]),
        Op::Goto("futex"),
        Op::Mark("pages"),
    ]);
    script.extend(migrate(1));
    script.extend([
        Op::Mark("page"),
        Op::FetchAdd(1, Imm(BSS + 8), Imm(1)),
        Op::Goto("page"),
        Op::Mark("main"),
    ]);
    script
}

#[test]
fn exit_group_ends_every_thread_everywhere() {
    for home in [true, false] {
        for cpus in [1, 2] {
            for delay_us in [0, 40, 300, 5_000] {
                let mut script = busy_process();
                if !home {
                    script.extend(migrate(1));
                }
                script.extend([
                    Op::Store(Sp(-16), Imm(0)),
                    Op::Store(Sp(-8), Imm(delay_us * 1000)),
                    Op::Call(Sysno::Nanosleep, vec![Sp(-16), Imm(0)]),
                    Op::FetchAdd(1, Imm(BSS + 16), Imm(1)),
                    exit_group(3),
                ]);
                let (outcome, cluster) = Setup::mixed(3).with(|s| s.cpus = cpus).run(script);
                assert_eq!(
                    outcome,
                    Outcome::exited(3),
                    "exit at {} after {delay_us} us",
                    if home { "home" } else { "a guest" }
                );
                cluster.assert_clean();
            }
        }
    }
}

#[test]
fn a_fault_on_a_guest_ends_the_process_by_its_signal() {
    for isas in PAIRS {
        let mut script = busy_process();
        script.extend(migrate(1));
        script.extend([Op::Load(0, Imm(0x10)), exit_group(0)]);
        let isas = [isas[0], isas[1], Isa::Aarch64];
        let (outcome, cluster) = Setup::new(&isas).run(script);
        let Outcome::Exited(status) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(status, ExitStatus::Signaled(Signal::SIGSEGV));
        assert_eq!(status.shell_status(), 139);
        cluster.assert_clean();
    }
}

#[test]
fn a_guest_without_room_takes_the_thread_when_there_is_some() {
    // Worker, and one thread at a time.
    let mut script = Vec::new();
    for n in 0..3 {
        script.extend(thread(n, "thread"));
    }
    script.extend(spin_until(Imm(BSS), 3, "wait"));
    script.extend([exit_group(0), Op::Mark("thread")]);
    script.extend(migrate(1));
    script.extend([Op::FetchAdd(1, Imm(BSS), Imm(1)), exit(0)]);
    Setup::mixed(2).with(|s| s.max_tasks = 4).run_clean(script);
}

#[test]
fn what_a_thread_is_told_of_itself() {
    let status = || {
        [
            Op::Popcorn(PopcornCall::GetThreadStatus, vec![Sp(-16)]),
            Op::Expect(Ret, Imm(0)),
        ]
    };
    let pair = |a: i32, b: i32| u64::from(a as u32) | u64::from(b as u32) << 32;
    let expect = |words: [u64; 2]| {
        [
            Op::Load(0, Sp(-16)),
            Op::Expect(V(0, 0), Imm(words[0])),
            Op::Load(0, Sp(-8)),
            Op::Expect(V(0, 0), Imm(words[1])),
        ]
    };
    let mut script = Vec::new();
    script.extend(status());
    script.extend(expect([pair(0, -1), pair(-1, -1)]));
    script.push(Op::Popcorn(
        PopcornCall::ProposeMigration,
        vec![Imm(0), Imm(1)],
    ));
    script.extend(status());
    script.extend(expect([pair(0, 1), pair(-1, -1)]));
    script.extend(migrate(1));
    script.extend(status());
    script.extend(expect([pair(1, -1), pair(0, 1000)]));
    script.extend(migrate(0));
    script.extend(status());
    script.extend(expect([pair(0, -1), pair(-1, -1)]));
    script.extend([
        Op::Popcorn(PopcornCall::GetThreadStatus, vec![Imm(8)]),
        Op::ExpectErr(Errno::EINVAL),
        Op::Popcorn(PopcornCall::GetNodeInfo, vec![Sp(-1024), Sp(-1000)]),
        Op::Expect(Ret, Imm(0)),
        // Node 0: online, x86_64, distance 0; node 1: online, aarch64; node 2: offline, no architecture.
        Op::Load(0, Sp(-1000)),
        Op::Expect(V(0, 0), Imm(pair(1, 1))),
        Op::Load(0, Sp(-992)),
        Op::Expect(V(0, 0), Imm(pair(0, 1))),
        Op::Load(0, Sp(-984)),
        Op::Expect(V(0, 0), Imm(0)),
        Op::Load(0, Sp(-976)),
        Op::Expect(V(0, 0), Imm(pair(0, -1))),
        exit_group(0),
    ]);
    Setup::mixed(2).run_clean(script);
}

#[test]
fn a_thread_between_two_guests_is_caught_by_the_end() {
    // It passes through home for ever; the end finds it on a guest, under way, or in between.
    for us in (0..400).step_by(5) {
        let mut script = thread(0, "thread");
        script.extend([
            Op::Store(Sp(-16), Imm(0)),
            Op::Store(Sp(-8), Imm(us * 1000)),
            Op::Call(Sysno::Nanosleep, vec![Sp(-16), Imm(0)]),
            exit_group(3),
            Op::Mark("thread"),
        ]);
        script.extend(migrate(1));
        script.extend(migrate(2));
        script.push(Op::Goto("thread"));
        let setup = Setup::mixed(3).with(|s| s.max_actions = 100_000);
        let (outcome, cluster) = setup.run(script);
        assert_eq!(outcome, Outcome::exited(3), "after {us} us");
        cluster.assert_clean();
    }
}
