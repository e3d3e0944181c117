//! Futexes between the threads of a process: values, order, requeue, timeouts, and that a dying group takes its sleepers along.

use isa::Errno;
use isa::syscall::Sysno;
use kernel_model::signal::Signal;
use kernel_model::task::ExitStatus;

use crate::script::{DATA, Op, Val, call, exit, run};

const WAIT: u64 = 128;
const WAKE: u64 = 129;
const CMP_REQUEUE: u64 = 132;
const WAIT_BITSET: u64 = 137;
const WORD: u64 = DATA + 0x1000;
const OTHER: u64 = DATA + 0x1004;
const TIME: u64 = DATA + 0x1100;
const DONE: Option<ExitStatus> = Some(ExitStatus::Exited(0));

/// Creates a thread that goes on at operation `child`, with its tid word at `ctid` (set now, cleared at its end).
fn thread(child: usize, ctid: u64) -> [Op; 2] {
    // VM FS FILES SIGHAND THREAD SYSVSEM SETTLS PARENT_SETTID CHILD_CLEARTID; aarch64 order: flags stack ptid tls ctid.
    [
        call(
            Sysno::Clone,
            &[0x003d_0f00, DATA + 0x2000, ctid, 0x1234, ctid],
        ),
        Op::IfZero(child),
    ]
}

fn futex(op: u64, args: &[u64]) -> Op {
    let [addr, rest @ ..] = args else {
        panic!("a futex has an address")
    };
    call(Sysno::Futex, &[&[*addr, op], rest].concat())
}

#[test]
fn a_wait_checks_the_word() {
    let script = vec![
        Op::Store(Val::Imm(WORD), 5),
        futex(WAIT, &[WORD, 4, 0]),
        Op::ExpectErr(Errno::EAGAIN),
        futex(WAIT, &[WORD + 1, 5, 0]),
        Op::ExpectErr(Errno::EINVAL),
        futex(WAIT, &[0, 5, 0]),
        Op::ExpectErr(Errno::EFAULT),
        futex(WAIT_BITSET, &[WORD, 5, 0, 0, 0]),
        Op::ExpectErr(Errno::EINVAL),
        futex(77, &[WORD]),
        Op::ExpectErr(Errno::ENOSYS),
        futex(WAKE, &[WORD, 9]),
        Op::Expect(0, 0),
        exit(0),
    ];
    assert_eq!(run(script).0, DONE);
}

#[test]
fn timeouts_are_relative_or_absolute() {
    let set_time = |sec: u32, nsec: u32| {
        [
            Op::Store(Val::Imm(TIME), sec),
            Op::Store(Val::Imm(TIME + 4), 0),
            Op::Store(Val::Imm(TIME + 8), nsec),
            Op::Store(Val::Imm(TIME + 12), 0),
        ]
    };
    let mut script = Vec::new();
    script.extend(set_time(2, 0));
    script.extend([
        futex(WAIT, &[WORD, 0, TIME]),
        Op::ExpectErr(Errno::ETIMEDOUT),
    ]);
    // Two seconds have gone by: an absolute time of 3 s is one second away, one of 1 s is past.
    script.extend(set_time(3, 0));
    script.extend([
        futex(WAIT_BITSET, &[WORD, 0, TIME, 0, u64::from(u32::MAX)]),
        Op::ExpectErr(Errno::ETIMEDOUT),
    ]);
    script.extend(set_time(1, 0));
    script.extend([
        futex(WAIT_BITSET, &[WORD, 0, TIME, 0, u64::from(u32::MAX)]),
        Op::ExpectErr(Errno::ETIMEDOUT),
    ]);
    script.extend(set_time(0, 1_000_000_000));
    script.extend([
        futex(WAIT, &[WORD, 0, TIME]),
        Op::ExpectErr(Errno::EINVAL),
        exit(0),
    ]);
    let (status, node) = run(script);
    assert_eq!(status, DONE);
    assert_eq!(node.kernel.exec.now().as_secs(), 3);
}

#[test]
fn the_end_of_a_thread_clears_and_wakes() {
    let mut script: Vec<Op> = thread(6, WORD).into();
    script.extend([
        Op::Move(19, 0),
        call(Sysno::Futex, &[WORD, WAIT, 1001, 0]), // the child's tid: pids of node 0 begin at 1000
        Op::Load(Val::Imm(WORD), 0),
        exit(0),
        // The child.
        Op::Store(Val::X(31, -8), 1),
        call(Sysno::SchedYield, &[]),
        call(Sysno::Exit, &[3]),
    ]);
    assert_eq!(run(script).0, DONE);
}

/// Three threads queue up in order; each says its number when it is woken.
fn three_sleepers(main: Vec<Op>) -> Vec<Op> {
    let first_child = 9 + main.len() + 1;
    let mut script = Vec::new();
    for number in 0..3 {
        script.extend(thread(first_child + 4 * number, DATA + 0x1200));
        script.push(call(Sysno::SchedYield, &[]));
    }
    script.extend(main);
    script.push(exit(0));
    assert_eq!(script.len(), first_child);
    for number in 0..3_u64 {
        script.extend([
            futex(WAIT, &[WORD, 0, 0]),
            Op::Expect(0, 0),
            call(Sysno::Write, &[1, DATA + 0x1300 + number, 1]),
            call(Sysno::Exit, &[0]),
        ]);
    }
    script
}

#[test]
fn who_waits_longest_is_woken_first() {
    let text = Op::Store(Val::Imm(DATA + 0x1300), u32::from_le_bytes(*b"abc\0"));
    let yields = |count: usize| vec![call(Sysno::SchedYield, &[]); count];
    // (what the main thread does, what was said at the end)
    let cases: [(Vec<Op>, &str); 4] = [
        (
            [
                vec![text.clone(), futex(WAKE, &[WORD, 1]), Op::Expect(0, 1)],
                yields(4),
            ]
            .concat(),
            "a",
        ),
        (
            [
                vec![text.clone(), futex(WAKE, &[WORD, 2]), Op::Expect(0, 2)],
                yields(4),
            ]
            .concat(),
            "ab",
        ),
        (
            [
                vec![text.clone(), futex(WAKE, &[WORD, 100]), Op::Expect(0, 3)],
                yields(4),
            ]
            .concat(),
            "abc",
        ),
        (
            [
                // Wake one, move one to the other word, leave one; then wake at the other word.
                vec![
                    text,
                    futex(CMP_REQUEUE, &[WORD, 1, 1, OTHER, 0]),
                    Op::Expect(0, 2),
                ],
                yields(4),
                vec![futex(WAKE, &[OTHER, 9]), Op::Expect(0, 1)],
                yields(4),
            ]
            .concat(),
            "ab",
        ),
    ];
    for (main, said) in cases {
        let (status, node) = run(three_sleepers(main));
        assert_eq!(status, DONE);
        assert_eq!(node.output(), said);
    }
}

#[test]
fn a_group_that_ends_takes_its_sleepers_along() {
    let ends: [(Op, ExitStatus); 3] = [
        (exit(4), ExitStatus::Exited(4)),
        (
            Op::Load(Val::Imm(0), 0),
            ExitStatus::Signaled(Signal::SIGSEGV),
        ),
        (
            call(Sysno::Kill, &[0, 15]),
            ExitStatus::Signaled(Signal::SIGTERM),
        ),
    ];
    for (end, status) in ends {
        let (ended, node) = run(three_sleepers(vec![end]));
        assert_eq!(ended, Some(status));
        assert!(node.kernel.tasks.borrow().is_empty());
        assert_eq!(node.kernel.frames.borrow().used(), 0);
    }
}
