//! Robust futexes whose owner ends: on the node where it was created, on another one, and after having been on several.

use isa::syscall::Sysno;
use isa::{Errno, Isa};

use crate::support::script::{BSS, Imm, Ret, Sp, V, call, exit, exit_group, migrate};
use crate::support::{Op, Setup, Val};

/// The list: a head of three words, and one entry, whose futex lies some bytes behind.
const HEAD: u64 = BSS + 0x2_0000;
const ENTRY: u64 = BSS + 0x2_1000;
const OFFSET: u64 = 0x40;
const WORD: u64 = ENTRY + OFFSET;
const READY: u64 = BSS + 0x2_2000;

const FUTEX_WAITERS: u64 = 0x8000_0000;
const FUTEX_OWNER_DIED: u64 = 0x4000_0000;
const WAIT_PRIVATE: u64 = 128;

fn pairs() -> [Setup; 2] {
    [
        Setup::mixed(3),
        Setup::new(&[Isa::Aarch64, Isa::X86_64, Isa::Aarch64]),
    ]
}

/// Where the entry stands: in the list, or as the lock that is being taken.
#[derive(Clone, Copy, PartialEq)]
enum Listed {
    Entry,
    Pending,
}

fn register(listed: Listed) -> Vec<Op> {
    let (first, pending) = match listed {
        Listed::Entry => (ENTRY, 0),
        Listed::Pending => (HEAD, ENTRY),
    };
    vec![
        Op::Store(Imm(HEAD), Imm(first)),
        Op::Store(Imm(HEAD + 8), Imm(OFFSET)),
        Op::Store(Imm(HEAD + 16), Imm(pending)),
        Op::Store(Imm(ENTRY), Imm(HEAD)),
        call(Sysno::SetRobustList, &[HEAD, 24]),
        Op::Expect(Ret, Imm(0)),
    ]
}

fn sleep(us: u64) -> [Op; 3] {
    [
        Op::Store(Sp(-16), Imm(0)),
        Op::Store(Sp(-8), Imm(us * 1000)),
        Op::Call(Sysno::Nanosleep, vec![Sp(-16), Imm(0)]),
    ]
}

/// The main thread waits on node `waiter` for a lock of a thread that is created on node `created`, and goes to `path` before it ends.
fn script(listed: Listed, created: u64, waiter: u64, path: &[u64]) -> Vec<Op> {
    let mut script = Vec::new();
    if created != 0 {
        script.extend(migrate(created));
    }
    script.extend([
        Op::Clone {
            stack: Imm(BSS + 0x1_0000),
            clear_tid: Imm(0),
        },
        Op::IfEq(Ret, Imm(0), "owner"),
        // The tid that the C library keeps is that of its creation.
        Op::Set(0, Ret),
        Op::Add(0, Imm(FUTEX_WAITERS)),
    ]);
    if created != waiter {
        script.extend(migrate(waiter));
    }
    script.extend([
        Op::Mark("not yet"),
        Op::Load(1, Imm(READY)),
        Op::IfEq(V(1, 0), Imm(0), "not yet"),
        Op::Call(
            Sysno::Futex,
            vec![Imm(WORD), Imm(WAIT_PRIVATE), V(0, 0), Imm(0)],
        ),
        Op::Expect(Ret, Imm(0)),
        Op::Load(1, Imm(WORD)),
        Op::Expect(V(1, 0), Imm(FUTEX_WAITERS | FUTEX_OWNER_DIED)),
        exit_group(0),
        Op::Mark("owner"),
        call(Sysno::Gettid, &[]),
        Op::Set(0, Ret),
        Op::Add(0, Imm(FUTEX_WAITERS)),
    ]);
    script.extend(register(listed));
    script.extend([Op::Store(Imm(WORD), V(0, 0)), Op::Store(Imm(READY), Imm(1))]);
    script.extend(sleep(1000));
    script.extend(path.iter().flat_map(|nid| migrate(*nid)));
    script.push(exit(0));
    script
}

#[test]
fn a_waiter_hears_that_the_owner_has_ended() {
    // (created on, the waiter is on, the owner's way)
    let cases: [(u64, u64, &[u64]); 9] = [
        (0, 0, &[]),
        (0, 1, &[]),
        (0, 0, &[1]),
        (0, 2, &[1]),
        (0, 0, &[1, 2]),
        (1, 1, &[]),
        (1, 0, &[]),
        (1, 0, &[2]),
        (1, 2, &[0]),
    ];
    for setup in pairs() {
        for listed in [Listed::Entry, Listed::Pending] {
            for (created, waiter, path) in cases {
                setup.run_clean(script(listed, created, waiter, path));
            }
        }
    }
}

#[test]
fn a_list_may_be_anything() {
    // (first, offset, pending): loops, pointers to nowhere, unaligned futexes, a futex of somebody else.
    let cases = [
        (ENTRY, 1, 0),
        (8, OFFSET, 0),
        (u64::MAX, OFFSET, u64::MAX),
        (ENTRY, u64::MAX, ENTRY),
        (HEAD, OFFSET, 8),
        (ENTRY | 1, OFFSET, ENTRY | 1),
        (0, 0, 0),
    ];
    for setup in pairs() {
        for nid in 0..2 {
            for (first, offset, pending) in cases {
                let mut script = Vec::new();
                if nid == 1 {
                    script.extend(migrate(1));
                }
                script.extend([
                    Op::Clone {
                        stack: Imm(BSS + 0x1_0000),
                        clear_tid: Imm(READY),
                    },
                    Op::IfEq(Ret, Imm(0), "owner"),
                ]);
                script.extend(sleep(500));
                script.extend([
                    Op::Load(1, Imm(WORD)),
                    Op::Expect(V(1, 0), Imm(77)),
                    exit_group(0),
                    Op::Mark("owner"),
                    Op::Store(Imm(HEAD), Imm(first)),
                    Op::Store(Imm(HEAD + 8), Imm(offset)),
                    Op::Store(Imm(HEAD + 16), Imm(pending)),
                    // An entry that leads to itself for ever.
                    Op::Store(Imm(ENTRY), Imm(ENTRY)),
                    Op::Store(Imm(WORD), Imm(77)),
                    call(Sysno::SetRobustList, &[HEAD, 24]),
                    exit(0),
                ]);
                setup.run_clean(script);
            }
        }
    }
}

#[test]
fn the_list_can_be_asked_for_wherever_the_thread_is() {
    let ask = |pid: Val| {
        Op::Call(
            Sysno::GetRobustList,
            vec![pid, Imm(BSS + 0x100), Imm(BSS + 0x108)],
        )
    };
    let expect = |head: u64| {
        [
            Op::Expect(Ret, Imm(0)),
            Op::Load(1, Imm(BSS + 0x100)),
            Op::Expect(V(1, 0), Imm(head)),
            Op::Load(1, Imm(BSS + 0x108)),
            Op::Expect(V(1, 0), Imm(24)),
        ]
    };
    let mut script = vec![ask(Imm(0))];
    script.extend(expect(0));
    script.extend([
        call(Sysno::SetRobustList, &[HEAD, 23]),
        Op::ExpectErr(Errno::EINVAL),
        call(Sysno::SetRobustList, &[HEAD, 24]),
        ask(Imm(1000)),
    ]);
    script.extend(expect(HEAD));
    script.extend(migrate(1));
    script.extend([
        ask(Imm(4711)),
        Op::ExpectErr(Errno::ESRCH),
        call(Sysno::GetRobustList, &[0, 8, BSS]),
        Op::ExpectErr(Errno::EFAULT),
        ask(Imm(0)),
    ]);
    script.extend(expect(HEAD));
    script.extend([
        call(Sysno::Gettid, &[]),
        ask(Ret),
        Op::Expect(Ret, Imm(0)),
        call(Sysno::SetRobustList, &[0, 24]),
    ]);
    script.extend(migrate(2));
    script.push(ask(Imm(1000)));
    script.extend(expect(0));
    script.push(exit_group(0));
    for setup in pairs() {
        setup.run_clean(script.clone());
    }
}
