//! Starting, threads, time, descriptors and identity: what a C library does first, and what programs ask.

use isa::Errno;
use isa::syscall::Sysno;
use kernel_model::event::Event;
use kernel_model::process::{ExecError, start_process};
use kernel_model::signal::Signal;
use kernel_model::task::ExitStatus;

use crate::script::{DATA, Node, Op, Val, call, exit, program, run, run_with};

const DONE: Option<ExitStatus> = Some(ExitStatus::Exited(0));
const OUT: u64 = DATA + 0x1000;

fn word(offset: u64, value: &[u8; 4]) -> Op {
    Op::Store(Val::Imm(OUT + offset), u32::from_le_bytes(*value))
}

#[test]
fn what_is_written_is_output() {
    let script = vec![
        word(0, b"hell"),
        word(4, b"o\n\0\0"),
        call(Sysno::Write, &[1, OUT, 6]),
        Op::Expect(0, 6),
        // Two buffers: "hell", "o\n".
        Op::Store(Val::Imm(OUT + 0x100), OUT as u32),
        Op::Store(Val::Imm(OUT + 0x108), 4),
        Op::Store(Val::Imm(OUT + 0x110), OUT as u32 + 4),
        Op::Store(Val::Imm(OUT + 0x118), 2),
        call(Sysno::Writev, &[2, OUT + 0x100, 2]),
        Op::Expect(0, 6),
        call(Sysno::Write, &[1, 0, 6]),
        Op::ExpectErr(Errno::EFAULT),
        // What could be read is written.
        call(Sysno::Write, &[1, DATA + 0x1ff8, 16]),
        Op::ExpectErr(Errno::EFAULT),
        call(Sysno::Write, &[0, OUT, 1]),
        Op::ExpectErr(Errno::EBADF),
        call(Sysno::Write, &[7, OUT, 1]),
        Op::ExpectErr(Errno::EBADF),
        call(Sysno::Read, &[0, OUT, 1]),
        Op::Expect(0, 0),
        exit(0),
    ];
    let (status, node) = run(script);
    assert_eq!((status, node.output().as_str()), (DONE, "hello\nhello\n"));
}

#[test]
fn files_of_the_root_are_read() {
    let path = [word(0, b"/dir"), word(4, b"/f\0\0")];
    let mut script: Vec<Op> = path.into();
    let open = |flags: u64| call(Sysno::Openat, &[-100_i64 as u64, OUT, flags]);
    script.extend([
        open(0),
        Op::Expect(0, 3),
        call(Sysno::Read, &[3, OUT + 0x200, 4]),
        Op::Expect(0, 4),
        Op::Load(Val::Imm(OUT + 0x200), u32::from_le_bytes(*b"0123")),
        call(Sysno::Dup, &[3]),
        Op::Expect(0, 4),
        call(Sysno::Read, &[4, OUT + 0x200, 100]),
        Op::Expect(0, 4),
        Op::Load(Val::Imm(OUT + 0x200), u32::from_le_bytes(*b"4567")),
        call(Sysno::Lseek, &[3, -2_i64 as u64, 2]),
        Op::Expect(0, 6),
        call(Sysno::Lseek, &[3, -9_i64 as u64, 1]),
        Op::ExpectErr(Errno::EINVAL),
        call(Sysno::Lseek, &[1, 0, 1]),
        Op::ExpectErr(Errno::ESPIPE),
        call(Sysno::Fstat, &[3, OUT + 0x200]),
        Op::Load(Val::Imm(OUT + 0x200 + 16), 0o100_444),
        Op::Load(Val::Imm(OUT + 0x200 + 48), 8),
        call(Sysno::Fstat, &[1, OUT + 0x200]),
        Op::Load(Val::Imm(OUT + 0x200 + 16), 0o020_620),
        call(Sysno::Ioctl, &[1, 0x5401, OUT]),
        Op::ExpectErr(Errno::ENOTTY),
        call(Sysno::Close, &[3]),
        call(Sysno::Close, &[3]),
        Op::ExpectErr(Errno::EBADF),
        word(4, b"/g\0\0"),
        open(0),
        Op::ExpectErr(Errno::ENOENT),
        exit(0),
    ]);
    assert_eq!(
        run_with(script, &[("/dir/f", b"01234567".to_vec())], 256).0,
        DONE
    );
}

#[test]
fn a_thread_has_its_own_stack_and_shares_the_rest() {
    let script = vec![
        call(
            Sysno::Clone,
            &[0x0009_0f00 | 0x4_0000, OUT + 0x800, 0, 0x7777, 0],
        ),
        Op::IfZero(6),
        Op::Expect(0, 1001),
        call(Sysno::SchedYield, &[]),
        Op::Load(Val::Imm(OUT + 0x7f8), 42),
        exit(0),
        // The child: its stack is the new one.
        Op::Store(Val::X(31, -8), 42),
        call(Sysno::Gettid, &[]),
        Op::Expect(0, 1001),
        call(Sysno::Getpid, &[]),
        Op::Expect(0, 1000),
        call(Sysno::Exit, &[9]),
    ];
    assert_eq!(run(script).0, DONE);
}

#[test]
fn other_clones_are_refused() {
    for (flags, errno) in [
        (17, Errno::ENOSYS),
        (0x1_0000, Errno::EINVAL),
        (0x800, Errno::EINVAL),
        (0x2001_0900 | 0x100, Errno::ENOSYS),
    ] {
        let script = vec![
            call(Sysno::Clone, &[flags, 0, 0, 0, 0]),
            Op::ExpectErr(errno),
            exit(0),
        ];
        assert_eq!(run(script).0, DONE, "{flags:#x}");
    }
}

#[test]
fn the_leader_may_go_first() {
    let script = vec![
        call(Sysno::Clone, &[0x0001_0f00, OUT + 0x800, 0, 0, 0]),
        Op::IfZero(3),
        call(Sysno::Exit, &[6]),
        // The child outlives it.
        call(Sysno::SchedYield, &[]),
        word(0, b"last"),
        call(Sysno::Write, &[1, OUT, 4]),
        call(Sysno::Exit, &[1]),
    ];
    let (status, node) = run(script);
    assert_eq!(
        (status, node.output().as_str()),
        (Some(ExitStatus::Exited(6)), "last")
    );
}

#[test]
fn sleep_takes_virtual_time() {
    let script = vec![
        Op::Store(Val::Imm(OUT), 5),
        call(Sysno::Nanosleep, &[OUT, 0]),
        Op::Expect(0, 0),
        call(Sysno::ClockGettime, &[1, OUT + 0x40]),
        Op::Load(Val::Imm(OUT + 0x40), 5),
        call(Sysno::ClockGettime, &[0, OUT + 0x40]),
        Op::Load(Val::Imm(OUT + 0x40), 1_606_780_805),
        call(Sysno::ClockGettime, &[99, OUT + 0x40]),
        Op::ExpectErr(Errno::EINVAL),
        Op::Store(Val::Imm(OUT), 7),
        call(Sysno::ClockNanosleep, &[1, 1, OUT, 0]),
        exit(0),
    ];
    let (status, node) = run(script);
    assert_eq!((status, node.kernel.exec.now().as_secs()), (DONE, 7));
}

#[test]
fn random_numbers_are_the_same_in_every_run() {
    let script = vec![
        call(Sysno::Getrandom, &[OUT, 16, 0]),
        Op::Expect(0, 16),
        call(Sysno::Write, &[1, OUT, 16]),
        exit(0),
    ];
    let bytes = || run(script.clone()).1.events.output.borrow().clone();
    assert_eq!(bytes(), bytes());
    assert_ne!(bytes(), vec![0; 16]);
}

#[test]
fn signals_end_programs_unless_blocked_or_ignored() {
    let tgkill = |signal: u64| call(Sysno::Tgkill, &[1000, 1000, signal]);
    let mask = |how: u64, low: u32| {
        [
            Op::Store(Val::Imm(OUT), low),
            call(Sysno::RtSigprocmask, &[how, OUT, 0, 8]),
        ]
    };
    let set_handler = |signal: u64, handler: u32| {
        [
            Op::Store(Val::Imm(OUT + 0x40), handler),
            call(Sysno::RtSigaction, &[signal, OUT + 0x40, 0, 8]),
        ]
    };
    let abrt = 1 << 5;
    let cases: [(&str, Vec<Op>, ExitStatus); 5] = [
        (
            "default",
            vec![tgkill(6)],
            ExitStatus::Signaled(Signal::SIGABRT),
        ),
        (
            "probe",
            vec![tgkill(0), Op::Expect(0, 0)],
            ExitStatus::Exited(0),
        ),
        (
            "blocked",
            [&mask(0, abrt)[..], &[tgkill(6)]].concat(),
            ExitStatus::Exited(0),
        ),
        (
            "unblocked",
            [&mask(0, abrt)[..], &[tgkill(6)], &mask(1, abrt)].concat(),
            ExitStatus::Signaled(Signal::SIGABRT),
        ),
        (
            "ignored",
            [&set_handler(6, 1)[..], &[tgkill(6)]].concat(),
            ExitStatus::Exited(0),
        ),
    ];
    for (what, mut script, status) in cases {
        script.push(exit(0));
        assert_eq!(run(script).0, Some(status), "{what}");
    }
}

#[test]
fn an_unknown_call_is_reported_once() {
    let socket = call(Sysno::Socket, &[1, 1, 0]);
    let (status, node) = run(vec![
        socket.clone(),
        Op::ExpectErr(Errno::ENOSYS),
        socket,
        Op::ExpectErr(Errno::ENOSYS),
        exit(0),
    ]);
    assert_eq!(status, DONE);
    assert_eq!(
        node.events.log.borrow().as_slice(),
        ["unimplemented: socket"]
    );
}

#[test]
fn a_program_that_cannot_be_started_is_a_sentence() {
    let mut x86 = program(1);
    x86[18] = 62;
    let mut data_beyond = program(1);
    data_beyond[64 + 56 + 16 + 6] = 0xff;
    let files = [
        ("/x86", x86),
        ("/text", b"#!/bin/sh\n".to_vec()),
        ("/beyond", data_beyond),
    ];
    let cases = [
        ("/none", "/none cannot be opened on a node of aarch64"),
        (
            "/x86",
            "/x86 is a program for x86_64, but the node has aarch64 CPUs: build it for aarch64, or start it on a node of x86_64",
        ),
        ("/text", "/text cannot be run: this is not an ELF file"),
        ("/beyond", "/beyond cannot be run: the segment at"),
    ];
    let node = Node::new(Vec::new(), &files, 64);
    for (path, sentence) in cases {
        let Err(error) = start_process(&node.kernel, path, &[], &[]) else {
            panic!("{path} was started")
        };
        assert!(error.to_string().starts_with(sentence), "{error}");
    }
    let long = vec!["x".repeat(3 << 20)];
    assert!(matches!(
        start_process(&node.kernel, "/prog", &long, &[]),
        Err(ExecError::TooLong { .. })
    ));
    assert!(matches!(
        start_process(&node.kernel, "/prog", &["a\0b".to_owned()], &[]),
        Err(ExecError::ZeroByte { .. })
    ));
    assert_eq!(node.kernel.frames.borrow().used(), 0);
    let tiny = Node::new(Vec::new(), &files, 0);
    assert!(matches!(
        start_process(&tiny.kernel, "/prog", &[], &[]),
        Err(ExecError::OutOfMemory { .. })
    ));
    assert_eq!(tiny.kernel.frames.borrow().used(), 0);
    node.kernel.event(&Event::Log {
        text: "still there",
    });
    assert_eq!(node.events.log.borrow().as_slice(), ["still there"]);
}

#[test]
fn pids_go_round_without_meeting_another_nodes() {
    let node = Node::new(vec![exit(0)], &[], 256);
    let task = node.start();
    assert_eq!(task.pid.0, 1000);
    let rest: Vec<_> = (0..200_000)
        .map(|_| node.kernel.alloc_pid().expect("nearly all are free").0)
        .collect();
    assert_eq!(rest[0], 1001);
    assert!(rest.iter().all(|pid| (1001..100_000).contains(pid)));
    // After the last one comes the first that no living task has.
    let last = rest.iter().position(|pid| *pid == 99_999).expect("reached");
    assert_eq!(rest[last + 1], 1001);
}
