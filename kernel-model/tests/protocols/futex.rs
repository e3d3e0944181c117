//! Futexes meet at home, whoever waits and whoever wakes; so does the console.

use isa::Errno;
use isa::syscall::Sysno;
use msglayer::MessageType;
use msglayer::messages::SyscallFwd;

use crate::support::script::{BSS, Imm, Ret, SHARED, Sp, V, call, exit, exit_group, migrate};
use crate::support::{Op, Setup, Val};

const WORD: u64 = BSS + 0x100;
const OTHER: u64 = BSS + 0x200;
/// Threads that are done.
const DONE: u64 = BSS;

const WAIT: u64 = 0x80;
const WAKE: u64 = 0x81;
const CMP_REQUEUE: u64 = 0x84;
const WAIT_BITSET: u64 = 0x89;

fn stack(n: u64) -> Val {
    Imm(BSS + 0x1_0000 + (n + 1) * 0x2000)
}

fn go(nid: u64) -> Vec<Op> {
    if nid == 0 {
        vec![]
    } else {
        migrate(nid).to_vec()
    }
}

/// nanosleep for less than a second.
fn sleep_us(us: u64) -> [Op; 3] {
    [
        Op::Store(Sp(-16), Imm(0)),
        Op::Store(Sp(-8), Imm(us * 1000)),
        Op::Call(Sysno::Nanosleep, vec![Sp(-16), Imm(0)]),
    ]
}

/// Sleeps until so many threads are done; `mark` names the loop.
fn wait_for(count: u64, mark: &'static str, over: &'static str) -> Vec<Op> {
    let mut ops = vec![Op::Mark(mark)];
    ops.extend(sleep_us(200));
    ops.extend([
        Op::Load(1, Imm(DONE)),
        Op::IfEq(V(1, 0), Imm(count), over),
        Op::Goto(mark),
        Op::Mark(over),
    ]);
    ops
}

#[test]
fn a_wake_reaches_a_waiter_on_any_node() {
    for waiter in 0..3 {
        for waker in 0..3 {
            let mut script = vec![
                Op::Clone {
                    stack: stack(0),
                    clear_tid: Imm(0),
                },
                Op::IfEq(Ret, Imm(0), "waiter"),
            ];
            script.extend(go(waker));
            script.extend(sleep_us(2_000));
            script.extend([
                Op::Store(Imm(WORD), Imm(1)),
                call(Sysno::Futex, &[WORD, WAKE, 1]),
                Op::Expect(Ret, Imm(1)),
                call(Sysno::Futex, &[WORD, WAKE, 1]),
                Op::Expect(Ret, Imm(0)),
            ]);
            script.extend(wait_for(1, "wait", "over"));
            script.extend([exit_group(0), Op::Mark("waiter")]);
            script.extend(go(waiter));
            script.extend([
                call(Sysno::Futex, &[WORD, WAIT, 0, 0]),
                Op::Expect(Ret, Imm(0)),
                Op::Load(1, Imm(WORD)),
                Op::Expect(V(1, 0), Imm(1)),
                call(Sysno::Futex, &[WORD, WAIT, 0, 0]),
                Op::ExpectErr(Errno::EAGAIN),
                Op::FetchAdd(1, Imm(DONE), Imm(1)),
                exit(0),
            ]);
            Setup::mixed(3).run_clean(script);
        }
    }
}

/// Threads on `nodes` nodes, by turns, that each go `rounds` times through a mutex of three states and count inside it.
pub fn mutex(nodes: u64, threads: u64, rounds: u64) -> Vec<Op> {
    const COUNT: u64 = SHARED.start;
    const NODES: [&str; 4] = ["node 0", "node 1", "node 2", "node 3"];
    let mut script = Vec::new();
    for n in 0..threads {
        script.extend([
            Op::Set(0, Imm(n % nodes)),
            Op::Clone {
                stack: stack(n),
                clear_tid: Imm(0),
            },
            Op::IfEq(Ret, Imm(0), "thread"),
        ]);
    }
    script.extend(wait_for(threads, "wait", "over"));
    script.extend([
        Op::Load(1, Imm(COUNT)),
        Op::Expect(V(1, 0), Imm(threads * rounds)),
        exit_group(0),
        Op::Mark("thread"),
    ]);
    script.extend((1..nodes).map(|nid| Op::IfEq(V(0, 0), Imm(nid), NODES[nid as usize])));
    script.push(Op::Goto("begin"));
    for nid in 1..nodes {
        script.push(Op::Mark(NODES[nid as usize]));
        script.extend(migrate(nid));
        script.push(Op::Goto("begin"));
    }
    script.extend([
        Op::Mark("begin"),
        Op::Set(2, Imm(0)),
        // 0 free, 1 taken, 2 taken and somebody waits.
        Op::Mark("lock"),
        Op::CompareSwap(1, Imm(WORD), Imm(0), Imm(1)),
        Op::IfEq(V(1, 0), Imm(0), "taken"),
        Op::Mark("slow"),
        Op::CompareSwap(1, Imm(WORD), Imm(1), Imm(2)),
        Op::CompareSwap(1, Imm(WORD), Imm(0), Imm(2)),
        Op::IfEq(V(1, 0), Imm(0), "taken"),
        call(Sysno::Futex, &[WORD, WAIT, 2, 0]),
        Op::Goto("slow"),
        Op::Mark("taken"),
        Op::Load(3, Imm(COUNT)),
        Op::Add(3, Imm(1)),
        Op::Store(Imm(COUNT), V(3, 0)),
        Op::Mark("unlock"),
        Op::CompareSwap(1, Imm(WORD), Imm(1), Imm(0)),
        Op::IfEq(V(1, 0), Imm(1), "unlocked"),
        Op::CompareSwap(1, Imm(WORD), Imm(2), Imm(0)),
        call(Sysno::Futex, &[WORD, WAKE, 1]),
        Op::Mark("unlocked"),
        Op::Add(2, Imm(1)),
        Op::IfEq(V(2, 0), Imm(rounds), "done"),
        Op::Goto("lock"),
        Op::Mark("done"),
        Op::FetchAdd(1, Imm(DONE), Imm(1)),
        exit(0),
    ]);
    script
}

#[test]
fn a_mutex_excludes_across_nodes() {
    for (nodes, threads, cpus) in [(1, 4, 2), (2, 2, 1), (2, 6, 1), (3, 6, 2), (4, 8, 1)] {
        let setup = Setup::mixed(4).with(|s| (s.cpus, s.quantum) = (cpus, 5));
        let cluster = setup.run_clean(mutex(nodes, threads, 40));
        assert_eq!(
            cluster.recorder.sent(MessageType::FutexRequest),
            cluster.recorder.sent(MessageType::FutexResponse)
        );
    }
}

#[test]
fn a_condition_variable_requeues_waiters_of_all_nodes() {
    let mut script = Vec::new();
    for (n, mark) in ["on 0", "on 1", "on 2"].into_iter().enumerate() {
        script.extend([
            Op::Clone {
                stack: stack(n as u64),
                clear_tid: Imm(0),
            },
            Op::IfEq(Ret, Imm(0), mark),
        ]);
    }
    script.extend(migrate(1));
    script.extend(sleep_us(3_000));
    script.extend([
        // Wrong value: nobody moves.
        call(Sysno::Futex, &[WORD, CMP_REQUEUE, 1, 10, OTHER, 5]),
        Op::ExpectErr(Errno::EAGAIN),
        call(Sysno::Futex, &[WORD, CMP_REQUEUE, 1, 10, OTHER, 0]),
        Op::Expect(Ret, Imm(3)),
        call(Sysno::Futex, &[WORD, WAKE, 10]),
        Op::Expect(Ret, Imm(0)),
    ]);
    script.extend(wait_for(1, "first", "first over"));
    script.extend([
        call(Sysno::Futex, &[OTHER, WAKE, 10]),
        Op::Expect(Ret, Imm(2)),
    ]);
    script.extend(wait_for(3, "rest", "rest over"));
    script.push(exit_group(0));
    for (nid, mark) in ["on 0", "on 1", "on 2"].into_iter().enumerate() {
        script.push(Op::Mark(mark));
        script.extend(go(nid as u64));
        script.extend([
            call(Sysno::Futex, &[WORD, WAIT, 0, 0]),
            Op::Expect(Ret, Imm(0)),
            Op::FetchAdd(1, Imm(DONE), Imm(1)),
            exit(0),
        ]);
    }
    Setup::mixed(3).run_clean(script);
}

#[test]
fn timeouts_are_right_on_every_node() {
    for nid in 0..3 {
        // The monotonic clock is below a second in these runs.
        let now = |tag| {
            vec![
                Op::Call(Sysno::ClockGettime, vec![Imm(1), Sp(-32)]),
                Op::Load(2, Sp(-24)),
                Op::Tell(tag, V(2, 0)),
            ]
        };
        let mut script = go(nid);
        script.extend(now("start"));
        script.extend([
            Op::Store(Sp(-16), Imm(0)),
            Op::Store(Sp(-8), Imm(5_000_000)),
            Op::Call(Sysno::Futex, vec![Imm(WORD), Imm(WAIT), Imm(0), Sp(-16)]),
            Op::ExpectErr(Errno::ETIMEDOUT),
        ]);
        script.extend(now("relative"));
        // Absolute: 3 ms after the time just read.
        script.extend([
            Op::Store(Sp(-16), Imm(0)),
            Op::Store(Sp(-8), V(2, 3_000_000)),
            Op::Call(
                Sysno::Futex,
                vec![Imm(WORD), Imm(WAIT_BITSET), Imm(0), Sp(-16), Imm(0), Imm(1)],
            ),
            Op::ExpectErr(Errno::ETIMEDOUT),
        ]);
        script.extend(now("absolute"));
        for (op, args, errno) in [
            (WAIT_BITSET, [WORD, 0, 0, 0, 0], Errno::EINVAL),
            (WAIT, [WORD + 2, 0, 0, 0, 0], Errno::EINVAL),
            (WAIT, [0x10, 0, 0, 0, 0], Errno::EFAULT),
            (77, [WORD, 0, 0, 0, 0], Errno::ENOSYS),
        ] {
            script.extend([
                call(
                    Sysno::Futex,
                    &[args[0], op, args[1], args[2], args[3], args[4]],
                ),
                Op::ExpectErr(errno),
            ]);
        }
        script.push(exit_group(0));
        let cluster = Setup::mixed(3).run_clean(script);
        let at = |tag: &str| cluster.recorder.told(tag)[0].1;
        let (relative, absolute) = (
            at("relative") - at("start"),
            at("absolute") - at("relative"),
        );
        assert!(
            (5_000_000..5_200_000).contains(&relative),
            "node {nid}: {relative} ns"
        );
        assert!(
            (3_000_000..3_200_000).contains(&absolute),
            "node {nid}: {absolute} ns"
        );
    }
}

#[test]
fn the_end_of_a_thread_is_seen_wherever_its_joiner_is() {
    for joiner in 0..3 {
        for joined in 0..3 {
            // pthread_join: waits until the kernel clears the thread's word.
            let mut script = vec![
                Op::Store(Imm(WORD), Imm(1)),
                Op::Clone {
                    stack: stack(0),
                    clear_tid: Imm(WORD),
                },
                Op::IfEq(Ret, Imm(0), "joined"),
            ];
            script.extend(go(joiner));
            script.extend([
                Op::Mark("join"),
                Op::Load(1, Imm(WORD)),
                Op::IfEq(V(1, 0), Imm(0), "over"),
                call(Sysno::Futex, &[WORD, 0, 1, 0]),
                Op::Goto("join"),
                Op::Mark("over"),
                exit_group(0),
                Op::Mark("joined"),
            ]);
            script.extend(go(joined));
            script.extend(sleep_us(500));
            script.push(exit(0));
            Setup::mixed(3).run_clean(script);
        }
    }
}

#[test]
fn a_remote_threads_output_appears_at_home() {
    let text = u64::from_le_bytes(*b"hello, \n");
    let mut script = migrate(1).to_vec();
    script.extend([
        Op::Store(Imm(BSS), Imm(text)),
        call(Sysno::Write, &[1, BSS, 8]),
        Op::Expect(Ret, Imm(8)),
        call(Sysno::Write, &[1, 0x10, 8]),
        Op::ExpectErr(Errno::EFAULT),
        call(Sysno::Write, &[77, BSS, 8]),
        Op::ExpectErr(Errno::EBADF),
        exit_group(0),
    ]);
    let cluster = Setup::mixed(2).run_clean(script);
    assert_eq!(
        (
            cluster.recorder.output(0).as_str(),
            cluster.recorder.output(1).as_str()
        ),
        ("hello, \n", "")
    );
    let calls = cluster.recorder.messages::<SyscallFwd>();
    let (from, to, first) = &calls[0];
    assert_eq!(
        (*from, *to, first.call_type.get(), first.origin_pid.get()),
        (1, 0, 12, 1000)
    );
    assert_eq!(first.args.map(|arg| arg.get())[..3], [1, BSS, 8]);
}
