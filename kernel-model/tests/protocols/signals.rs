//! Signals of a process that is on several nodes: they find their thread, its mask goes with it, and everybody knows the actions.

use isa::syscall::Sysno;
use isa::{Errno, Isa};
use kernel_model::signal::Signal;
use kernel_model::task::ExitStatus;
use kernel_model::{Halt, Profile};
use msglayer::MessageType;
use msglayer::messages::SignalInfo;

use crate::support::script::{BSS, CODE, Imm, Ret, V, call, exit, exit_group, migrate, spin_until};
use crate::support::{Cluster, Horizon, Op, Outcome, Setup};

const USR1: u64 = 10;
const SEGV: u64 = 11;
const ALRM: u64 = 14;
/// A real-time signal: as many are handled as were sent.
const RT: u64 = 34;

/// Home's pids: the first task's, and that of the thread it makes.
const MAIN: u64 = 1000;
const THREAD: u64 = 1001;

/// Where handlers count, and where kernels read and write structures.
const COUNT: u64 = BSS + 0x2_0000;
const AT: u64 = BSS + 0x2_1000;

/// The first operations of every script: a handler that counts and tells, and the way back from it.
const HANDLER: u64 = CODE + 4;
const RESTORER: u64 = CODE + 16;

fn script(main: Vec<Op>) -> Vec<Op> {
    let mut script = vec![
        Op::Goto("main"),
        Op::FetchAdd(0, Imm(COUNT), Imm(1)),
        Op::Tell("handled", V(0, 0)),
        Op::Return,
        call(Sysno::RtSigreturn, &[]),
        Op::Mark("main"),
    ];
    script.extend(main);
    script
}

fn sigaction(signal: u64) -> Vec<Op> {
    vec![
        Op::Store(Imm(AT), Imm(HANDLER)),
        Op::Store(Imm(AT + 8), Imm(0x0400_0000)),
        Op::Store(Imm(AT + 16), Imm(RESTORER)),
        Op::Store(Imm(AT + 24), Imm(0)),
        call(Sysno::RtSigaction, &[signal, AT, 0, 8]),
        Op::Expect(Ret, Imm(0)),
    ]
}

/// rt_sigprocmask: 0 blocks, 1 unblocks.
fn mask(how: u64, signal: u64) -> Vec<Op> {
    vec![
        Op::Store(Imm(AT + 0x40), Imm(1 << (signal - 1))),
        call(Sysno::RtSigprocmask, &[how, AT + 0x40, 0, 8]),
        Op::Expect(Ret, Imm(0)),
    ]
}

fn expect_mask(signals: u64) -> Vec<Op> {
    vec![
        call(Sysno::RtSigprocmask, &[0, 0, AT + 0x48, 8]),
        Op::Load(3, Imm(AT + 0x48)),
        Op::Expect(V(3, 0), Imm(signals)),
    ]
}

fn tgkill(pid: u64, signal: u64) -> Vec<Op> {
    vec![
        call(Sysno::Tgkill, &[MAIN, pid, signal]),
        Op::Expect(Ret, Imm(0)),
    ]
}

fn counted(times: u64) -> Vec<Op> {
    vec![Op::Load(3, Imm(COUNT)), Op::Expect(V(3, 0), Imm(times))]
}

/// Starts the second thread, at the mark "thread".
fn thread() -> Vec<Op> {
    vec![
        Op::Clone {
            stack: Imm(BSS + 0x1_8000),
            clear_tid: Imm(0),
        },
        Op::IfEq(Ret, Imm(0), "thread"),
    ]
}

fn sleep(us: u64) -> Vec<Op> {
    vec![
        Op::Store(Imm(AT + 0x60), Imm(0)),
        Op::Store(Imm(AT + 0x68), Imm(us * 1000)),
        call(Sysno::Nanosleep, &[AT + 0x60, 0]),
    ]
}

fn pairs() -> [Setup; 2] {
    [Setup::mixed(2), Setup::new(&[Isa::Aarch64, Isa::X86_64])]
}

/// On which nodes handlers ran.
fn handled(cluster: &Cluster) -> Vec<usize> {
    let told = cluster.recorder.told("handled");
    told.into_iter().map(|(nid, _)| nid).collect()
}

#[test]
fn a_signal_goes_after_its_thread() {
    let main = [
        sigaction(USR1),
        thread(),
        spin_until(Imm(BSS), 1, "it is there").to_vec(),
        tgkill(THREAD, USR1),
        spin_until(Imm(BSS), 2, "it has seen it").to_vec(),
        vec![exit_group(0), Op::Mark("thread")],
        migrate(1).to_vec(),
        vec![Op::Store(Imm(BSS), Imm(1)), Op::Set(2, Imm(77))],
        spin_until(Imm(COUNT), 1, "handled").to_vec(),
        // The handler has changed register 0 and nothing else is different.
        vec![
            Op::Expect(V(2, 0), Imm(77)),
            Op::Store(Imm(BSS), Imm(2)),
            exit(0),
        ],
    ];
    for setup in pairs() {
        let cluster = setup.run_clean(script(main.concat()));
        assert_eq!(handled(&cluster), [1]);
        let infos = cluster.recorder.messages::<SignalInfo>();
        assert_eq!(infos.len(), 1);
        let (from, to, info) = infos[0];
        assert_eq!((from, to, info.group, info.back), (0, 1, 0, 0));
        assert_eq!(info.origin_pid.get(), THREAD as i32);
        // si_signo, and si_code: tkill's.
        let words = info.info.map(|word| word.get());
        assert_eq!(
            (words[0], words[1] as i32, words[2] as i32),
            (USR1, -6, 1000)
        );
    }
}

#[test]
fn masks_travel_both_ways() {
    let main = [
        sigaction(USR1),
        mask(0, USR1),
        mask(0, 3),
        migrate(1).to_vec(),
        expect_mask(1 << 9 | 1 << 2),
        // To itself, from there: it waits, comes home with the thread, and is handled there.
        tgkill(MAIN, USR1),
        mask(1, 3),
        mask(0, 5),
        vec![
            call(Sysno::RtSigpending, &[AT + 0x50, 8]),
            Op::Load(3, Imm(AT + 0x50)),
            Op::Expect(V(3, 0), Imm(1 << 9)),
        ],
        migrate(0).to_vec(),
        counted(0),
        expect_mask(1 << 9 | 1 << 4),
        mask(1, USR1),
        counted(1),
        // And once more, unblocked over there.
        mask(0, USR1),
        tgkill(MAIN, USR1),
        migrate(1).to_vec(),
        counted(1),
        mask(1, USR1),
        counted(2),
        vec![exit_group(0)],
    ];
    for setup in pairs() {
        let cluster = setup.run_clean(script(main.concat()));
        assert_eq!(handled(&cluster), [0, 1]);
    }
}

#[test]
fn a_signal_for_the_process_goes_to_a_thread_that_takes_it() {
    // The thread at home blocks it, the remote one does not; then the other way round; then nobody takes it for a while.
    let kill = || vec![call(Sysno::Kill, &[MAIN, USR1]), Op::Expect(Ret, Imm(0))];
    let main = [
        sigaction(USR1),
        thread(),
        mask(0, USR1),
        spin_until(Imm(BSS), 1, "it is there").to_vec(),
        kill(),
        spin_until(Imm(COUNT), 1, "first").to_vec(),
        vec![Op::Store(Imm(BSS), Imm(2))],
        spin_until(Imm(BSS), 3, "it blocks it").to_vec(),
        mask(1, USR1),
        kill(),
        counted(2),
        mask(0, USR1),
        kill(),
        counted(2),
        vec![Op::Store(Imm(BSS), Imm(4))],
        spin_until(Imm(COUNT), 3, "third").to_vec(),
        vec![exit_group(0), Op::Mark("thread")],
        migrate(1).to_vec(),
        vec![Op::Store(Imm(BSS), Imm(1))],
        spin_until(Imm(BSS), 2, "go on").to_vec(),
        vec![
            Op::Store(Imm(AT + 0x80), Imm(1 << (USR1 - 1))),
            call(Sysno::RtSigprocmask, &[0, AT + 0x80, 0, 8]),
            Op::Store(Imm(BSS), Imm(3)),
        ],
        spin_until(Imm(BSS), 4, "take it").to_vec(),
        vec![
            call(Sysno::RtSigprocmask, &[1, AT + 0x80, 0, 8]),
            Op::Mark("for ever"),
            Op::Goto("for ever"),
        ],
    ];
    for setup in pairs() {
        let cluster = setup.run_clean(script(main.concat()));
        assert_eq!(handled(&cluster), [1, 0, 1]);
    }
}

#[test]
fn a_call_that_home_makes_for_a_remote_thread_is_interrupted() {
    let word = BSS + 0x2_2000;
    let waits = [
        call(Sysno::Futex, &[word, 0x80, 0, 0]),
        call(Sysno::Nanosleep, &[BSS + 0x2_3000, 0]),
    ];
    for wait in waits {
        for setup in pairs() {
            let main = [
                sigaction(USR1),
                thread(),
                spin_until(Imm(BSS), 1, "it is there").to_vec(),
                sleep(300),
                tgkill(THREAD, USR1),
                spin_until(Imm(BSS), 2, "it has come back").to_vec(),
                vec![exit_group(0), Op::Mark("thread")],
                migrate(1).to_vec(),
                vec![
                    Op::Store(Imm(BSS + 0x2_3000), Imm(1000)),
                    Op::Store(Imm(BSS), Imm(1)),
                    wait.clone(),
                    Op::ExpectErr(Errno::EINTR),
                ],
                counted(1),
                vec![Op::Store(Imm(BSS), Imm(2)), exit(0)],
            ];
            let cluster = setup.run_clean(script(main.concat()));
            assert_eq!(handled(&cluster), [1]);
            assert_eq!(cluster.recorder.sent(MessageType::SignalInterrupt), 1);
        }
    }
}

/// A thread that hops for ever over three nodes, and `signals` signals for it at odd times.
fn chase(signals: u64) -> Vec<Op> {
    let mut main = [sigaction(RT), thread()].concat();
    for n in 0..signals {
        main.extend(sleep(20 + 37 * n % 190));
        main.extend(tgkill(THREAD, RT));
    }
    main.extend(spin_until(Imm(COUNT), signals, "all"));
    main.extend([exit_group(0), Op::Mark("thread")]);
    main.extend(migrate(1));
    main.extend(migrate(2));
    main.extend(migrate(0));
    main.push(Op::Goto("thread"));
    script(main)
}

#[test]
fn signals_catch_up_with_a_thread_that_never_rests() {
    const SIGNALS: u64 = 40;
    for setup in [
        Setup::mixed(3),
        Setup::new(&[Isa::Aarch64, Isa::X86_64, Isa::Aarch64]),
    ] {
        let cluster = setup.run_clean(chase(SIGNALS));
        let nodes = handled(&cluster);
        assert_eq!(nodes.len() as u64, SIGNALS);
        for nid in 0..3 {
            assert!(nodes.contains(&nid), "none on node {nid}: {nodes:?}");
        }
        let infos = cluster.recorder.messages::<SignalInfo>();
        assert!(
            infos.iter().any(|(_, _, info)| info.back != 0),
            "none had to come back"
        );
    }
}

#[test]
fn the_chase_is_the_same_every_time() {
    let run = |horizon| {
        let setup = Setup::mixed(3).with(|s| s.horizon = horizon);
        setup.run_clean(chase(12)).recorder.all()
    };
    assert!(run(Horizon::Maximal) == run(Horizon::Maximal));
    let cut = |horizon| {
        let setup = Setup::mixed(3).with(|s| s.horizon = horizon);
        let cluster = setup.run_clean(chase(12));
        msglayer::Nid::first(3)
            .map(|nid| cluster.recorder.of(nid))
            .collect::<Vec<_>>()
    };
    assert!(cut(Horizon::Single) == cut(Horizon::Maximal));
}

#[test]
fn actions_are_known_everywhere() {
    // Set at home after the thread has left; set by the thread for home; and SIG_DFL again.
    let fault = Op::Load(2, Imm(0x10));
    let main = [
        thread(),
        spin_until(Imm(BSS), 1, "it is there").to_vec(),
        sigaction(SEGV),
        vec![Op::Store(Imm(BSS), Imm(2))],
        spin_until(Imm(BSS), 3, "it has set one").to_vec(),
        tgkill(MAIN, USR1),
        spin_until(Imm(COUNT), 2, "both").to_vec(),
        vec![exit_group(0), Op::Mark("thread")],
        migrate(1).to_vec(),
        vec![Op::Store(Imm(BSS), Imm(1))],
        spin_until(Imm(BSS), 2, "it is set").to_vec(),
        vec![
            // A real one would come back to the fault for ever: this one is sent.
            call(Sysno::Tgkill, &[MAIN, THREAD, SEGV]),
            Op::Expect(Ret, Imm(0)),
        ],
        counted(1),
        sigaction(USR1),
        vec![Op::Store(Imm(BSS), Imm(3)), exit(0)],
    ];
    for setup in pairs() {
        let cluster = setup.run_clean(script(main.concat()));
        assert_eq!(handled(&cluster), [1, 0]);
        // Without a handler, a fault over there ends the process.
        let main = [migrate(1).to_vec(), vec![fault.clone()]].concat();
        let (outcome, _) = setup.run(script(main));
        let killed = Outcome::Exited(ExitStatus::Signaled(Signal::SIGSEGV));
        assert_eq!(outcome, killed);
    }
}

#[test]
fn a_timer_set_far_away_goes_off_there() {
    let main = [
        sigaction(ALRM),
        migrate(1).to_vec(),
        vec![
            Op::Store(Imm(AT + 0xa0), Imm(0)),
            Op::Store(Imm(AT + 0xa8), Imm(500)),
            Op::Store(Imm(AT + 0xb0), Imm(0)),
            Op::Store(Imm(AT + 0xb8), Imm(500)),
            call(Sysno::Setitimer, &[0, AT + 0xa0, 0]),
            Op::Expect(Ret, Imm(0)),
        ],
        spin_until(Imm(COUNT), 3, "three").to_vec(),
        vec![exit_group(0)],
    ];
    for setup in pairs() {
        let cluster = setup.run_clean(script(main.concat()));
        assert_eq!(handled(&cluster), [1, 1, 1]);
    }
}

#[test]
fn a_thread_that_kills_its_process_from_far_away_does_not_go_on() {
    for signal in [9, 15] {
        let main = [
            migrate(1).to_vec(),
            vec![
                call(Sysno::Kill, &[MAIN, signal]),
                Op::Tell("went on", Imm(1)),
                exit_group(0),
            ],
        ];
        for setup in pairs() {
            let (outcome, cluster) = setup.run(script(main.concat()));
            let killed = ExitStatus::Signaled(Signal(signal as i32));
            assert_eq!(outcome, Outcome::Exited(killed));
            assert!(cluster.recorder.told("went on").is_empty());
            cluster.assert_clean();
        }
    }
}

#[test]
fn k52_spins() {
    let main = [
        sigaction(USR1),
        thread(),
        spin_until(Imm(BSS), 1, "it is there").to_vec(),
        tgkill(THREAD, USR1),
        spin_until(Imm(BSS), 2, "never").to_vec(),
        vec![Op::Mark("thread")],
        migrate(1).to_vec(),
        vec![
            Op::Store(Imm(BSS), Imm(1)),
            Op::Mark("for ever"),
            Op::Goto("for ever"),
        ],
    ];
    let setup = Setup::mixed(2).with(|s| s.profile = Profile::K52);
    let (outcome, _) = setup.run(script(main.concat()));
    let Outcome::Halted(_, Halt::WouldHang(why)) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(why, "the shadow thread 1001 spins on a pending signal");
}

#[test]
fn ppoll_lets_a_blocked_signal_in_wherever_the_thread_is() {
    for away in [0, 1] {
        let wait = [
            // No descriptor, no limit, nothing blocked.
            Op::Store(Imm(AT + 0x80), Imm(0)),
            call(Sysno::Ppoll, &[0, 0, 0, AT + 0x80, 8]),
            Op::ExpectErr(Errno::EINTR),
        ];
        let go: &[Op] = if away == 1 { &migrate(1) } else { &[] };
        let main = [
            sigaction(USR1),
            thread(),
            spin_until(Imm(BSS), 1, "it is there").to_vec(),
            sleep(300),
            tgkill(THREAD, USR1),
            spin_until(Imm(BSS), 2, "it has been woken").to_vec(),
            tgkill(THREAD, USR1),
            vec![Op::Store(Imm(BSS), Imm(3))],
            spin_until(Imm(BSS), 4, "it is done").to_vec(),
            vec![exit_group(0), Op::Mark("thread")],
            mask(0, USR1),
            go.to_vec(),
            vec![Op::Store(Imm(BSS), Imm(1))],
            wait.to_vec(),
            counted(1),
            expect_mask(1 << (USR1 - 1)),
            vec![Op::Store(Imm(BSS), Imm(2))],
            spin_until(Imm(BSS), 3, "another one was sent").to_vec(),
            // It is pending already.
            sleep(300),
            counted(1),
            wait.to_vec(),
            counted(2),
            // A limit, and the mask comes back without a signal, too.
            vec![
                Op::Store(Imm(AT + 0x90), Imm(0)),
                Op::Store(Imm(AT + 0x98), Imm(10_000)),
                call(Sysno::Ppoll, &[0, 0, AT + 0x90, AT + 0x80, 8]),
                Op::Expect(Ret, Imm(0)),
            ],
            expect_mask(1 << (USR1 - 1)),
            vec![Op::Store(Imm(BSS), Imm(4)), exit(0)],
        ]
        .concat();
        for setup in pairs() {
            let cluster = setup.run_clean(script(main.clone()));
            assert_eq!(handled(&cluster), [away, away]);
        }
    }
}
