//! Handlers whose frame cannot be written: the process ends, at home and away, on either ISA, instead of being told of it for ever.

use isa::Isa;
use isa::syscall::Sysno;
use kernel_model::signal::Signal;
use kernel_model::task::ExitStatus;

use crate::support::script::{BSS, CODE, Imm, Ret, V, call, exit_group, migrate};
use crate::support::{Op, Outcome, Setup};

const USR1: u64 = 10;
const SEGV: u64 = 11;
const AT: u64 = BSS + 0x2_1000;
const COUNT: u64 = BSS + 0x2_0000;
/// Nothing is mapped there.
const NOWHERE: u64 = 0x7000_0000;

const SA_RESTORER: u64 = 0x0400_0000;
const SA_ONSTACK: u64 = 0x0800_0000;

/// The first operations of every script: a handler that counts, and the way back from it.
const HANDLER: u64 = CODE + 4;
const RESTORER: u64 = CODE + 12;

fn script(away: bool, main: &[Op]) -> Vec<Op> {
    let mut script = vec![
        Op::Goto("main"),
        Op::FetchAdd(0, Imm(COUNT), Imm(1)),
        Op::Return,
        call(Sysno::RtSigreturn, &[]),
        Op::Mark("main"),
    ];
    if away {
        script.extend(migrate(1));
    }
    script.extend_from_slice(main);
    script
}

fn sigaction(signal: u64, flags: u64) -> Vec<Op> {
    let restorer = if flags & SA_RESTORER == 0 {
        0
    } else {
        RESTORER
    };
    vec![
        Op::Store(Imm(AT), Imm(HANDLER)),
        Op::Store(Imm(AT + 8), Imm(flags)),
        Op::Store(Imm(AT + 16), Imm(restorer)),
        Op::Store(Imm(AT + 24), Imm(0)),
        call(Sysno::RtSigaction, &[signal, AT, 0, 8]),
        Op::Expect(Ret, Imm(0)),
    ]
}

fn bad_altstack() -> Vec<Op> {
    vec![
        Op::Store(Imm(AT), Imm(NOWHERE)),
        Op::Store(Imm(AT + 8), Imm(0)),
        Op::Store(Imm(AT + 16), Imm(0x1_0000)),
        call(Sysno::Sigaltstack, &[AT, 0]),
        Op::Expect(Ret, Imm(0)),
    ]
}

fn raise(signal: u64) -> [Op; 2] {
    [
        call(Sysno::Gettid, &[]),
        Op::Call(Sysno::Tkill, vec![Ret, Imm(signal)]),
    ]
}

/// A thread whose stack pointer leads nowhere, going on at the mark.
fn thread_without_stack(mark: &'static str) -> Vec<Op> {
    vec![
        Op::Clone {
            stack: Imm(NOWHERE + 0x8000),
            clear_tid: Imm(0),
        },
        Op::IfEq(Ret, Imm(0), mark),
        call(Sysno::Pause, &[]),
        Op::Mark(mark),
    ]
}

/// Both ISAs at home and as a guest: who runs where is (home, guest).
fn pairs() -> [Setup; 4] {
    use Isa::{Aarch64, X86_64};
    [
        [X86_64, Aarch64],
        [Aarch64, X86_64],
        [X86_64, X86_64],
        [Aarch64, Aarch64],
    ]
    .map(|isas| Setup::new(&isas))
}

fn ends_by_sigsegv(main: &[Op]) {
    for setup in pairs() {
        for away in [false, true] {
            // pause(2) is there on one ISA only: the main thread of a script may use it at home alone.
            let main: Vec<_> = main
                .iter()
                .map(|op| match op {
                    Op::Call(Sysno::Pause, _) => call(Sysno::Ppoll, &[0, 0, 0, 0, 0]),
                    op => op.clone(),
                })
                .collect();
            let (outcome, cluster) = setup.run(script(away, &main));
            assert_eq!(
                outcome,
                Outcome::Exited(ExitStatus::Signaled(Signal::SIGSEGV)),
                "away: {away}"
            );
            cluster.assert_clean();
        }
    }
}

#[test]
fn a_fault_without_a_stack_for_its_handler() {
    let main = [
        sigaction(SEGV, SA_RESTORER),
        thread_without_stack("thread"),
        vec![Op::Load(0, Imm(8)), exit_group(1)],
    ];
    ends_by_sigsegv(&main.concat());
}

#[test]
fn an_alternate_stack_that_is_not_there() {
    let main = [
        sigaction(SEGV, SA_RESTORER | SA_ONSTACK),
        bad_altstack(),
        vec![Op::Load(0, Imm(8)), exit_group(1)],
    ];
    ends_by_sigsegv(&main.concat());
    // Another signal's frame fails first; SIGSEGV has no handler, or one on the same stack.
    for segv in [vec![], sigaction(SEGV, SA_RESTORER | SA_ONSTACK)] {
        let main = [
            segv,
            sigaction(USR1, SA_RESTORER | SA_ONSTACK),
            bad_altstack(),
            raise(USR1).to_vec(),
            vec![exit_group(1)],
        ];
        ends_by_sigsegv(&main.concat());
    }
}

#[test]
fn a_handler_of_sigsegv_with_a_stack_of_its_own_hears_of_it() {
    let main = [
        sigaction(SEGV, SA_RESTORER),
        sigaction(USR1, SA_RESTORER | SA_ONSTACK),
        bad_altstack(),
        raise(USR1).to_vec(),
        vec![
            Op::Load(0, Imm(COUNT)),
            Op::Expect(V(0, 0), Imm(1)),
            exit_group(0),
        ],
    ]
    .concat();
    for setup in pairs() {
        for away in [false, true] {
            setup.run_clean(script(away, &main));
        }
    }
}

#[test]
fn without_a_restorer_x86_64_enters_no_handler() {
    for signal in [USR1, SEGV] {
        let main = [
            sigaction(SEGV, 0),
            sigaction(USR1, 0),
            raise(signal).to_vec(),
            vec![exit_group(1)],
        ];
        let (outcome, _) = Setup::new(&[Isa::X86_64]).run(script(false, &main.concat()));
        let ended = Outcome::Exited(ExitStatus::Signaled(Signal::SIGSEGV));
        assert_eq!(outcome, ended, "signal {signal}");
    }
}

#[test]
fn a_frame_to_return_from_that_is_none() {
    let main = [
        sigaction(SEGV, SA_RESTORER),
        thread_without_stack("thread"),
        vec![call(Sysno::RtSigreturn, &[]), exit_group(1)],
    ];
    ends_by_sigsegv(&main.concat());
}
