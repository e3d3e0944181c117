//! Signal handlers on one node: entry and return, masks, restarted calls, alternate stacks, faults, timers.
//!
//! A script begins with a jump over its handler. Handlers count in [`COUNT`] and note what they were told.

use isa::Errno;
use isa::syscall::Sysno;
use kernel_model::signal::Signal;
use kernel_model::task::ExitStatus;

use crate::script::{CODE, DATA, Node, Op, Val, call, exit, run};

const DONE: Option<ExitStatus> = Some(ExitStatus::Exited(0));
/// Scratch memory: zero when a script starts.
const OUT: u64 = DATA + 0x1000;
const COUNT: u64 = OUT + 0x800;
const PID: u64 = 1000;
const HANDLER: u64 = CODE + 4;

const USR1: u64 = 10;
const SEGV: u64 = 11;
const ALRM: u64 = 14;

const SIGINFO: u32 = 0x4;
const RESTORER: u32 = 0x0400_0000;
const ONSTACK: u32 = 0x0800_0000;
const RESTART: u32 = 0x1000_0000;
const NODEFER: u32 = 0x4000_0000;
const RESETHAND: u32 = 0x8000_0000;

/// A script whose handler is `handler`, followed by the return from it; then `main`.
fn script(handler: Vec<Op>, main: Vec<Op>) -> Vec<Op> {
    let restorer = 1 + handler.len() + 1;
    let mut ops = vec![Op::Jump(CODE + 4 * (restorer as u64 + 1))];
    ops.extend(handler);
    ops.extend([Op::Return, call(Sysno::RtSigreturn, &[])]);
    ops.extend(main);
    ops
}

/// The address of the restorer of a script with such a handler.
fn restorer(handler: &[Op]) -> u64 {
    CODE + 4 * (handler.len() as u64 + 2)
}

fn sigaction(signal: u64, flags: u32, restorer: u64, mask: u32) -> Vec<Op> {
    sigaction_to(HANDLER, signal, flags, restorer, mask)
}

fn sigaction_to(handler: u64, signal: u64, flags: u32, restorer: u64, mask: u32) -> Vec<Op> {
    let at = OUT + 0x40;
    vec![
        Op::Store(Val::Imm(at), handler as u32),
        Op::Store(Val::Imm(at + 8), flags),
        Op::Store(Val::Imm(at + 16), restorer as u32),
        Op::Store(Val::Imm(at + 24), mask),
        call(Sysno::RtSigaction, &[signal, at, 0, 8]),
        Op::Expect(0, 0),
    ]
}

fn mask(how: u64, low: u32) -> Vec<Op> {
    vec![
        Op::Store(Val::Imm(OUT), low),
        call(Sysno::RtSigprocmask, &[how, OUT, 0, 8]),
        Op::Expect(0, 0),
    ]
}

fn tgkill(signal: u64) -> Op {
    call(Sysno::Tgkill, &[PID, PID, signal])
}

fn counted(times: u32) -> Op {
    Op::Load(Val::Imm(COUNT), times)
}

fn bit(signal: u64) -> u32 {
    1 << (signal - 1)
}

/// Runs a script with a counting handler for `signal`.
fn counting(
    signal: u64,
    flags: u32,
    action_mask: u32,
    main: Vec<Op>,
) -> (Option<ExitStatus>, Node) {
    let handler = vec![Op::Add(Val::Imm(COUNT), 1)];
    let back = restorer(&handler);
    let set = sigaction(signal, flags | RESTORER, back, action_mask);
    run(script(handler, [set, main, vec![exit(0)]].concat()))
}

#[test]
fn a_handler_runs_and_its_thread_goes_on_unchanged() {
    let handler = vec![
        // SA_SIGINFO: number, siginfo, ucontext; si_signo, si_code = SI_TKILL, si_pid.
        Op::Expect(0, USR1),
        Op::Load(Val::X(1, 0), USR1 as u32),
        Op::Load(Val::X(1, 8), -6_i32 as u32),
        Op::Load(Val::X(1, 16), PID as u32),
        // The signal itself and the action's mask are blocked; uc_sigmask is what was blocked before.
        call(Sysno::RtSigprocmask, &[0, 0, OUT + 0x20, 8]),
        Op::Load(Val::Imm(OUT + 0x20), bit(USR1) | bit(12) | bit(3)),
        Op::Load(Val::X(31, 128 + 40), bit(3)),
        Op::SetVector(8, 1),
        Op::Add(Val::Imm(COUNT), 1),
    ];
    let back = restorer(&handler);
    let main = [
        mask(0, bit(3)),
        sigaction(USR1, SIGINFO | RESTORER, back, bit(12)),
        vec![
            Op::SetVector(8, 77),
            tgkill(USR1),
            Op::Expect(0, 0),
            Op::ExpectVector(8, 77),
            counted(1),
            call(Sysno::RtSigprocmask, &[0, 0, OUT + 0x20, 8]),
            Op::Load(Val::Imm(OUT + 0x20), bit(3)),
            exit(0),
        ],
    ];
    assert_eq!(run(script(handler, main.concat())).0, DONE);
}

#[test]
fn without_a_restorer_the_kernel_has_a_way_back() {
    let handler = vec![
        // The trampoline's code: mov x8, #139; svc #0.
        Op::Load(Val::X(30, 0), 0xd280_1168),
        Op::Load(Val::X(30, 4), 0xd400_0001),
        exit(3),
    ];
    let main = [sigaction(USR1, 0, 0, 0), vec![tgkill(USR1), exit(0)]].concat();
    assert_eq!(run(script(handler, main)).0, Some(ExitStatus::Exited(3)));
}

#[test]
fn blocked_signals_wait_and_standard_ones_merge() {
    let main = [
        mask(0, bit(USR1)),
        vec![
            tgkill(USR1),
            tgkill(USR1),
            counted(0),
            call(Sysno::RtSigpending, &[OUT + 0x20, 8]),
            Op::Load(Val::Imm(OUT + 0x20), bit(USR1)),
        ],
        mask(1, bit(USR1)),
        vec![counted(1)],
    ];
    assert_eq!(counting(USR1, 0, 0, main.concat()).0, DONE);
    // A real-time signal comes as often as it was sent.
    let high = vec![
        Op::Store(Val::Imm(OUT + 4), 1 << 7),
        call(Sysno::RtSigprocmask, &[0, OUT, 0, 8]),
        tgkill(40),
        tgkill(40),
        tgkill(40),
        counted(0),
        call(Sysno::RtSigprocmask, &[1, OUT, 0, 8]),
        counted(3),
    ];
    assert_eq!(counting(40, 0, 0, high).0, DONE);
}

#[test]
fn flags_of_an_action_hold() {
    // SA_RESETHAND: the second one ends the process.
    let twice = vec![tgkill(USR1), counted(1), tgkill(USR1)];
    let (status, _) = counting(USR1, RESETHAND, 0, twice);
    assert_eq!(status, Some(ExitStatus::Signaled(Signal(10))));
    // SA_NODEFER: a handler can be interrupted by its own signal; otherwise that waits until it has ended.
    for (flags, inside) in [(0, 1), (NODEFER, 4)] {
        let depth = Val::Imm(OUT + 0x900);
        let handler = vec![
            Op::Add(Val::Imm(COUNT), 1),
            Op::Add(depth, 1),
            // Only the fourth one sends no other.
            Op::Count(Val::Imm(COUNT), 4, CODE + 4 * 5),
            tgkill(USR1),
            Op::Max(depth, Val::Imm(OUT + 0x904)),
            Op::Add(depth, u32::MAX),
        ];
        let back = restorer(&handler);
        let main = [
            sigaction(USR1, flags | RESTORER, back, 0),
            vec![
                tgkill(USR1),
                counted(4),
                Op::Load(Val::Imm(OUT + 0x904), inside),
                exit(0),
            ],
        ];
        assert_eq!(run(script(handler, main.concat())).0, DONE);
    }
}

#[test]
fn a_sleep_is_cut_short_and_says_what_is_left() {
    // The timer goes off after 1 s of a sleep of 3 s.
    let main = [
        vec![
            Op::Store(Val::Imm(OUT + 0x110), 1),
            call(Sysno::Setitimer, &[0, OUT + 0x100, 0]),
            Op::Store(Val::Imm(OUT + 0x140), 3),
            call(Sysno::Nanosleep, &[OUT + 0x140, OUT + 0x150]),
            Op::ExpectErr(Errno::EINTR),
            counted(1),
            // The sleep began a little after the timer.
            Op::Load(Val::Imm(OUT + 0x150), 2),
        ],
        // It does not go on by itself.
        vec![
            call(Sysno::Getitimer, &[0, OUT + 0x120]),
            Op::Load(Val::Imm(OUT + 0x130), 0),
        ],
    ];
    for flags in [0, RESTART] {
        assert_eq!(counting(ALRM, flags, 0, main.concat()).0, DONE);
    }
}

#[test]
fn only_sa_restart_makes_a_futex_call_again() {
    let word = OUT + 0x200;
    let start_timer = vec![
        Op::Store(Val::Imm(OUT + 0x110), 1),
        call(Sysno::Setitimer, &[0, OUT + 0x100, 0]),
    ];
    let wait = call(Sysno::Futex, &[word, 0x80, 0, 0]);
    let main = [
        start_timer.clone(),
        vec![wait.clone(), Op::ExpectErr(Errno::EINTR), counted(1)],
    ];
    assert_eq!(counting(ALRM, 0, 0, main.concat()).0, DONE);
    // With SA_RESTART the handler changes the word, and the call that is made again finds it changed.
    let handler = vec![Op::Add(Val::Imm(word), 1)];
    let back = restorer(&handler);
    let main = [
        sigaction(ALRM, RESTORER | RESTART, back, 0),
        start_timer,
        vec![wait, Op::ExpectErr(Errno::EAGAIN), exit(0)],
    ];
    assert_eq!(run(script(handler, main.concat())).0, DONE);
}

#[test]
fn a_timer_interrupts_code_that_makes_no_call() {
    let main = vec![
        // Every 2 ms, first after 1 ms.
        Op::Store(Val::Imm(OUT + 0x108), 2000),
        Op::Store(Val::Imm(OUT + 0x118), 1000),
        call(Sysno::Setitimer, &[0, OUT + 0x100, 0]),
        Op::Expect(0, 0),
        Op::Until(Val::Imm(COUNT), 3),
        // alarm(0) says how many seconds were left: one, rounded up.
        call(Sysno::Setitimer, &[0, OUT + 0x180, OUT + 0x100]),
        Op::Load(Val::Imm(OUT + 0x108), 2000),
        Op::Load(Val::Imm(OUT + 0x110), 0),
        call(Sysno::Setitimer, &[3, OUT + 0x100, 0]),
        Op::ExpectErr(Errno::EINVAL),
    ];
    let (status, node) = counting(ALRM, 0, 0, main);
    assert_eq!(status, DONE);
    let now = node.kernel.exec.now().as_ns();
    assert!((5_000_000..7_000_000).contains(&now), "{now} ns");
}

#[test]
fn a_fault_tells_its_handler_where() {
    let hole = 0x1234_5678;
    let handler = vec![
        Op::Expect(0, SEGV),
        Op::Load(Val::X(1, 8), 1),
        Op::Load(Val::X(1, 16), hole),
        // fault_address of the sigcontext too. The handler maps what was missing, and the store is made again.
        Op::Load(Val::X(2, 176), hole),
        call(
            Sysno::Mmap,
            &[u64::from(hole) & !0xfff, 4096, 3, 0x32, u64::MAX, 0],
        ),
        Op::Add(Val::Imm(COUNT), 1),
    ];
    let back = restorer(&handler);
    let main = [
        sigaction(SEGV, SIGINFO | RESTORER, back, 0),
        vec![
            Op::Store(Val::Imm(hole.into()), 5),
            Op::Load(Val::Imm(hole.into()), 5),
            counted(1),
            exit(0),
        ],
    ];
    assert_eq!(run(script(handler, main.concat())).0, DONE);
    // Blocked, it ends the process all the same.
    let main = [mask(0, bit(SEGV)), vec![Op::Load(Val::Imm(8), 0)]].concat();
    let (status, _) = counting(SEGV, 0, 0, main);
    assert_eq!(status, Some(ExitStatus::Signaled(Signal::SIGSEGV)));
    // An instruction that does not exist: si_addr is where it is.
    let handler = vec![Op::Load(Val::X(1, 8), 1), exit(9)];
    let main = [
        sigaction(4, SIGINFO | RESTORER, restorer(&handler), 0),
        vec![Op::Illegal],
    ];
    assert_eq!(
        run(script(handler, main.concat())).0,
        Some(ExitStatus::Exited(9))
    );
}

#[test]
fn handlers_run_on_the_alternate_stack_if_they_say_so() {
    let (stack, size) = (0x7000_0000_u64, 0x4000);
    let set_up = vec![
        call(Sysno::Mmap, &[stack, size, 3, 0x32, u64::MAX, 0]),
        Op::Store(Val::Imm(OUT + 0x300), stack as u32),
        Op::Store(Val::Imm(OUT + 0x310), size as u32),
        call(Sysno::Sigaltstack, &[OUT + 0x300, 0]),
        Op::Expect(0, 0),
    ];
    let handler = vec![
        // What is changed while it is in use fails, and the answer says so.
        call(Sysno::Sigaltstack, &[OUT + 0x300, 0]),
        Op::ExpectErr(Errno::EPERM),
        call(Sysno::Sigaltstack, &[0, OUT + 0x320]),
        Op::Load(Val::Imm(OUT + 0x328), 1),
        Op::Add(Val::Imm(COUNT), 1),
    ];
    let back = restorer(&handler);
    let main = [
        set_up.clone(),
        sigaction(USR1, ONSTACK | RESTORER, back, 0),
        vec![
            tgkill(USR1),
            counted(1),
            call(Sysno::Sigaltstack, &[0, OUT + 0x320]),
            Op::Load(Val::Imm(OUT + 0x328), 0),
            // Too small, and flags that there are not.
            Op::Store(Val::Imm(OUT + 0x310), 100),
            call(Sysno::Sigaltstack, &[OUT + 0x300, 0]),
            Op::ExpectErr(Errno::ENOMEM),
            Op::Store(Val::Imm(OUT + 0x308), 64),
            call(Sysno::Sigaltstack, &[OUT + 0x300, 0]),
            Op::ExpectErr(Errno::EINVAL),
            exit(0),
        ],
    ];
    assert_eq!(run(script(handler, main.concat())).0, DONE);
    // A frame that does not fit ends the process.
    let main = [
        set_up,
        vec![
            Op::Store(Val::Imm(OUT + 0x310), 5120),
            call(Sysno::Sigaltstack, &[OUT + 0x300, 0]),
            tgkill(USR1),
        ],
    ];
    let handler = vec![tgkill(USR1)];
    let set = sigaction(USR1, ONSTACK | NODEFER | RESTORER, restorer(&handler), 0);
    let (status, _) = run(script(handler, [set, main.concat()].concat()));
    assert_eq!(status, Some(ExitStatus::Signaled(Signal::SIGSEGV)));
}

#[test]
fn waiting_for_signals() {
    let alarm_in_1s = vec![
        Op::Store(Val::Imm(OUT + 0x110), 1),
        call(Sysno::Setitimer, &[0, OUT + 0x100, 0]),
    ];
    // sigsuspend: the handler runs though the signal is blocked before and after.
    let main = [
        mask(0, bit(ALRM)),
        alarm_in_1s.clone(),
        vec![
            call(Sysno::RtSigsuspend, &[OUT + 0x400, 8]),
            Op::ExpectErr(Errno::EINTR),
            counted(1),
            call(Sysno::RtSigprocmask, &[0, 0, OUT + 0x20, 8]),
            Op::Load(Val::Imm(OUT + 0x20), bit(ALRM)),
        ],
    ];
    assert_eq!(counting(ALRM, 0, 0, main.concat()).0, DONE);
    // sigtimedwait: the signal is taken without a handler, and without doing what it does by default.
    let main = [
        mask(0, bit(ALRM)),
        alarm_in_1s,
        vec![
            Op::Store(Val::Imm(OUT + 0x500), bit(ALRM)),
            call(Sysno::RtSigtimedwait, &[OUT + 0x500, OUT + 0x600, 0, 8]),
            Op::Expect(0, ALRM),
            Op::Load(Val::Imm(OUT + 0x600), ALRM as u32),
            // SI_KERNEL.
            Op::Load(Val::Imm(OUT + 0x608), 0x80),
            // Nothing comes within 1 ms.
            Op::Store(Val::Imm(OUT + 0x708), 1_000_000),
            call(Sysno::RtSigtimedwait, &[OUT + 0x500, 0, OUT + 0x700, 8]),
            Op::ExpectErr(Errno::EAGAIN),
            exit(0),
        ],
    ]
    .concat();
    assert_eq!(run(main).0, DONE);
}

#[test]
fn what_nobody_may_do() {
    let main = vec![
        call(Sysno::RtSigaction, &[9, OUT, 0, 8]),
        Op::ExpectErr(Errno::EINVAL),
        call(Sysno::RtSigaction, &[65, 0, 0, 8]),
        Op::ExpectErr(Errno::EINVAL),
        call(Sysno::RtSigaction, &[10, 0, 0, 16]),
        Op::ExpectErr(Errno::EINVAL),
        call(Sysno::Tgkill, &[PID, PID, 65]),
        Op::ExpectErr(Errno::EINVAL),
        call(Sysno::Tgkill, &[PID + 1, PID, 0]),
        Op::ExpectErr(Errno::ESRCH),
        call(Sysno::Kill, &[4000, 0]),
        Op::ExpectErr(Errno::ESRCH),
        call(Sysno::RtSigtimedwait, &[0, 0, 0, 8]),
        Op::ExpectErr(Errno::EFAULT),
        exit(0),
    ];
    assert_eq!(run(main).0, DONE);
    // A frame that is none: rt_sigreturn with nothing on the stack.
    let (status, _) = run(vec![call(Sysno::RtSigreturn, &[])]);
    assert_eq!(status, Some(ExitStatus::Signaled(Signal::SIGSEGV)));
}
