//! Arguments that a call refuses at home are refused away in the same way, and leave nobody waiting.

use isa::layout::CloneFlags;
use isa::syscall::Sysno;
use isa::{Errno, Isa};

use crate::support::script::{
    BSS, Imm, Ret, THREAD_FLAGS, V, call, exit, exit_group, migrate, spin_until,
};
use crate::support::{Op, Setup};

const WORD: u64 = BSS;
const DONE: u64 = BSS + 8;
const TIME: u64 = BSS + 0x100;
const STACK: u64 = BSS + 0x1_0000;
/// Nothing is mapped there.
const NOWHERE: u64 = 0x7000_0000;

const WAIT: u64 = 0;
const PRIVATE: u64 = 128;

fn pairs() -> [Setup; 2] {
    [Setup::mixed(2), Setup::new(&[Isa::Aarch64, Isa::X86_64])]
}

/// Runs it at home and away, on either ISA.
fn everywhere(script: &[Op]) {
    for setup in pairs() {
        for away in [false, true] {
            let mut all = Vec::new();
            if away {
                all.extend(migrate(1));
            }
            all.extend_from_slice(script);
            setup.run_clean(all);
        }
    }
}

#[test]
fn a_thread_whose_tid_cannot_be_stored_runs_all_the_same() {
    // (flags, parent_tid): both stores fail, or the second one is done though the first fails.
    let (parent, child) = (CloneFlags::PARENT_SETTID, CloneFlags::CHILD_SETTID);
    for flags in [parent, child, parent | child] {
        let flags = (THREAD_FLAGS | flags).bits();
        let mut script = vec![
            // The last two are thread pointer and child_tid, in the order of the ISA.
            call(Sysno::Clone, &[flags, STACK, 8, STACK, STACK]),
            Op::IfEq(Ret, Imm(0), "thread"),
        ];
        script.extend(spin_until(Imm(DONE), 1, "it has run"));
        script.extend([exit_group(0), Op::Mark("thread")]);
        script.extend([Op::Store(Imm(DONE), Imm(1)), exit(0)]);
        everywhere(&script);
    }
}

#[test]
fn timeouts_of_a_futex() {
    let futex = |op: u64, word: u64| call(Sysno::Futex, &[word, op, 0, TIME, 0, !0]);
    let mut script = Vec::new();
    for (sec, nsec) in [
        (-1_i64, 0_i64),
        (-5, 999_999_999),
        (i64::MIN, 0),
        (0, -1),
        (0, 1_000_000_000),
    ] {
        script.extend([
            Op::Store(Imm(TIME), Imm(sec.cast_unsigned())),
            Op::Store(Imm(TIME + 8), Imm(nsec.cast_unsigned())),
        ]);
        for op in [WAIT, WAIT | PRIVATE, 9, 9 | PRIVATE, 9 | 256] {
            // The limit is looked at before the word, as in Linux.
            for word in [WORD, WORD + 1, NOWHERE] {
                script.extend([futex(op, word), Op::ExpectErr(Errno::EINVAL)]);
            }
        }
    }
    script.extend([
        call(Sysno::Futex, &[WORD, WAIT, 0, NOWHERE]),
        Op::ExpectErr(Errno::EFAULT),
        exit_group(0),
    ]);
    everywhere(&script);
}

#[test]
fn words_of_a_futex() {
    const KERNEL: u64 = 0x8000_0000_0000_0000;
    // (operation, word, second word, result): private futexes are known by their addresses, mapped or not.
    let cases = [
        (1, NOWHERE, 0, Err(Errno::EFAULT)),
        (1 | PRIVATE, NOWHERE, 0, Ok(0)),
        (1 | PRIVATE, KERNEL, 0, Err(Errno::EFAULT)),
        (1, KERNEL + 1, 0, Err(Errno::EINVAL)),
        (10, NOWHERE, 0, Err(Errno::EFAULT)),
        (3, NOWHERE, WORD, Err(Errno::EFAULT)),
        (3, WORD, NOWHERE, Err(Errno::EFAULT)),
        (3 | PRIVATE, WORD, NOWHERE, Ok(0)),
        (3 | PRIVATE, WORD, KERNEL, Err(Errno::EFAULT)),
        (4 | PRIVATE, NOWHERE, WORD, Err(Errno::EFAULT)),
        (5 | PRIVATE, WORD, NOWHERE, Err(Errno::EFAULT)),
        (5, NOWHERE, WORD, Err(Errno::EFAULT)),
        (0, NOWHERE, 0, Err(Errno::EFAULT)),
        (99, WORD + 1, 0, Err(Errno::ENOSYS)),
    ];
    let mut script = Vec::new();
    for (op, word, second, result) in cases {
        // Every bit of a set; for FUTEX_WAKE_OP an operation that there is.
        let third = if op & !PRIVATE == 5 {
            0
        } else {
            u64::from(u32::MAX)
        };
        script.push(call(Sysno::Futex, &[word, op, 1, 0, second, third]));
        script.push(match result {
            Ok(value) => Op::Expect(Ret, Imm(value)),
            Err(errno) => Op::ExpectErr(errno),
        });
    }
    script.push(exit_group(0));
    everywhere(&script);
}

#[test]
fn pids_options_sizes_and_clocks() {
    let calls = [
        (
            call(Sysno::SchedGetaffinity, &[4711, 128, BSS]),
            Errno::ESRCH,
        ),
        (
            call(Sysno::SchedGetaffinity, &[u64::MAX, 128, BSS]),
            Errno::ESRCH,
        ),
        (
            call(Sysno::SchedGetaffinity, &[4711, 1, BSS]),
            Errno::EINVAL,
        ),
        (
            call(Sysno::SchedGetaffinity, &[0, 128, NOWHERE]),
            Errno::EFAULT,
        ),
        (call(Sysno::Prlimit64, &[4711, 3, 0, BSS]), Errno::ESRCH),
        (call(Sysno::Wait4, &[u64::MAX, 0, 0, 0]), Errno::ECHILD),
        (call(Sysno::Wait4, &[u64::MAX, 0, 0x100, 0]), Errno::EINVAL),
        (call(Sysno::Wait4, &[1 << 31, 0, 1, 0]), Errno::ESRCH),
        (call(Sysno::Ppoll, &[0, 0, 0, BSS, 3]), Errno::EINVAL),
        (call(Sysno::Ppoll, &[0, 0, 0, NOWHERE, 8]), Errno::EFAULT),
        (
            call(Sysno::ClockNanosleep, &[3, 0, TIME, 0]),
            Errno::EOPNOTSUPP,
        ),
        (
            call(Sysno::ClockNanosleep, &[4, 0, TIME, 0]),
            Errno::EOPNOTSUPP,
        ),
        (
            call(Sysno::ClockNanosleep, &[12, 0, TIME, 0]),
            Errno::EINVAL,
        ),
        (call(Sysno::RtSigpending, &[BSS, 9]), Errno::EINVAL),
        (call(Sysno::RtSigpending, &[NOWHERE, 8]), Errno::EFAULT),
    ];
    let mut script = Vec::new();
    for (call, errno) in calls {
        script.extend([call, Op::ExpectErr(errno)]);
    }
    // A set of no bytes is stored nowhere, one of four leaves its neighbours alone.
    script.extend([
        call(Sysno::RtSigpending, &[NOWHERE, 0]),
        Op::Expect(Ret, Imm(0)),
        Op::Store(Imm(BSS), Imm(u64::MAX)),
        call(Sysno::RtSigpending, &[BSS, 4]),
        Op::Load(0, Imm(BSS)),
        Op::Expect(V(0, 0), Imm(0xffff_ffff_0000_0000)),
    ]);
    // The caller's process and thread, by the pids that it is told.
    for who in [Sysno::Getpid, Sysno::Gettid] {
        script.extend([
            call(who, &[]),
            Op::Set(0, Ret),
            Op::Call(Sysno::SchedGetaffinity, vec![V(0, 0), Imm(128), Imm(BSS)]),
            Op::Expect(Ret, Imm(8)),
            Op::Call(Sysno::Prlimit64, vec![V(0, 0), Imm(3), Imm(0), Imm(BSS)]),
            Op::Expect(Ret, Imm(0)),
        ]);
    }
    script.push(exit_group(0));
    everywhere(&script);
}

#[test]
fn a_file_position_of_more_than_32_bits() {
    let prog = u64::from_le_bytes(*b"/prog\0\0\0");
    let mut script = vec![
        Op::Store(Imm(BSS), Imm(prog)),
        call(Sysno::Openat, &[0, BSS, 0, 0]),
        Op::Set(0, Ret),
    ];
    for position in [
        5,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_fff0,
        0x1_0000_0010,
        1 << 40,
    ] {
        script.extend([
            Op::Call(Sysno::Lseek, vec![V(0, 0), Imm(position), Imm(0)]),
            Op::Expect(Ret, Imm(position)),
        ]);
    }
    script.push(exit_group(0));
    everywhere(&script);
}

#[test]
fn pids_of_different_nodes_never_meet() {
    // Home makes more tasks than the numbers between its first pid and a round one; a thread on a guest is found by the pid that it has there.
    let mut script = vec![
        Op::Set(0, Imm(0)),
        Op::Mark("more"),
        Op::Clone {
            stack: Imm(STACK),
            clear_tid: Imm(DONE),
        },
        Op::IfEq(Ret, Imm(0), "short"),
        Op::Store(Imm(DONE), Ret),
    ];
    script.extend(spin_until(Imm(DONE), 0, "it has ended"));
    script.extend([
        Op::Add(0, Imm(1)),
        Op::IfEq(V(0, 0), Imm(1_100), "enough"),
        Op::Goto("more"),
        Op::Mark("enough"),
        Op::Clone {
            stack: Imm(STACK),
            clear_tid: Imm(0),
        },
        Op::IfEq(Ret, Imm(0), "sibling"),
    ]);
    script.extend(migrate(1));
    script.extend([
        call(Sysno::Gettid, &[]),
        Op::Expect(Ret, Imm(101_001)),
        // A signal for itself ends the process: SIGUSR1 is blocked by nobody, and what is asked is who gets it.
        Op::Store(Imm(BSS + 0x40), Imm(1 << 9)),
        call(Sysno::RtSigprocmask, &[0, BSS + 0x40, 0, 8]),
        call(Sysno::Tkill, &[101_001, 10]),
        Op::Expect(Ret, Imm(0)),
        Op::Store(Imm(TIME), Imm(1)),
        Op::Store(Imm(TIME + 8), Imm(0)),
        call(Sysno::RtSigtimedwait, &[BSS + 0x40, 0, TIME, 8]),
        Op::Expect(Ret, Imm(10)),
        exit_group(0),
        Op::Mark("short"),
        exit(0),
        Op::Mark("sibling"),
        call(Sysno::Ppoll, &[0, 0, 0, 0, 0]),
        exit(1),
    ]);
    Setup::mixed(2).run_clean(script);
}
