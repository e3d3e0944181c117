//! Descriptors, pipes, poll and the calls that ask about the machine.

use isa::Errno;
use isa::syscall::Sysno;
use kernel_model::signal::Signal;
use kernel_model::task::ExitStatus;

use crate::script::{DATA, Node, Op, Val, call, exit, run};

const DONE: Option<ExitStatus> = Some(ExitStatus::Exited(0));
const FDS: u64 = DATA + 0x1000;
const BUFFER: u64 = FDS + 0x100;
const STACK: u64 = FDS + 0xf00;
/// CLONE_VM, FS, FILES, SIGHAND, THREAD.
const THREAD: u64 = 0x0001_0f00;
const NONBLOCK: u64 = 0o4000;

fn succeeds(op: Op, value: u64) -> [Op; 2] {
    [op, Op::Expect(0, value)]
}

fn fails(op: Op, errno: Errno) -> [Op; 2] {
    [op, Op::ExpectErr(errno)]
}

fn pipe(flags: u64) -> [Op; 2] {
    succeeds(call(Sysno::Pipe2, &[FDS, flags]), 0)
}

fn read(len: u64) -> Op {
    call(Sysno::Read, &[3, BUFFER, len])
}

fn write(len: u64) -> Op {
    call(Sysno::Write, &[4, DATA, len])
}

#[test]
fn a_pipe_carries_bytes_and_says_what_it_cannot() {
    let script = [
        &pipe(NONBLOCK)[..],
        &[Op::Load(Val::Imm(FDS), 3), Op::Load(Val::Imm(FDS + 4), 4)],
        &fails(read(8), Errno::EAGAIN),
        &succeeds(write(8), 8),
        &succeeds(call(Sysno::Ioctl, &[3, 0x541b, BUFFER]), 0),
        &[Op::Load(Val::Imm(BUFFER), 8)],
        &succeeds(read(5), 5),
        &succeeds(read(5), 3),
        &[Op::Load(Val::Imm(BUFFER), 0x0011_1111 | 0x1100_0000)],
        &fails(call(Sysno::Read, &[4, BUFFER, 1]), Errno::EBADF),
        &fails(call(Sysno::Write, &[3, BUFFER, 1]), Errno::EBADF),
        &fails(call(Sysno::Lseek, &[3, 0, 1]), Errno::ESPIPE),
        &fails(call(Sysno::Pread64, &[3, BUFFER, 1, 0]), Errno::ESPIPE),
        &fails(call(Sysno::Pipe2, &[FDS, 0o1]), Errno::EINVAL),
        &fails(call(Sysno::Pipe2, &[0, 0]), Errno::EFAULT),
        // The last writer goes: what is left can be read, and then there is an end.
        &succeeds(write(2), 2),
        &succeeds(call(Sysno::Close, &[4]), 0),
        &succeeds(read(5), 2),
        &succeeds(read(5), 0),
        &[exit(0)],
    ];
    assert_eq!(run(script.concat()).0, DONE);
}

#[test]
fn a_reader_sleeps_until_somebody_writes() {
    let mut script = pipe(0).to_vec();
    script.extend([
        call(Sysno::Clone, &[THREAD, STACK, 0, 0, 0]),
        Op::IfZero(8),
        read(100),
        Op::Expect(0, 7),
        exit(0),
        exit(1),
        // The thread: virtual time passes, and then it writes.
        Op::Store(Val::Imm(BUFFER + 0x40), 3),
        call(Sysno::Nanosleep, &[BUFFER + 0x40, 0]),
        write(7),
        call(Sysno::Exit, &[0]),
    ]);
    let Op::IfZero(target) = &mut script[3] else {
        panic!("the branch is the fourth operation")
    };
    *target = 8;
    let (status, node) = run(script);
    assert_eq!((status, node.kernel.exec.now().as_secs()), (DONE, 3));
}

#[test]
fn a_pipe_without_readers_is_broken() {
    let ignore = [
        Op::Store(Val::Imm(BUFFER), 1),
        call(Sysno::RtSigaction, &[13, BUFFER, 0, 8]),
    ];
    let broken = [&pipe(0)[..], &succeeds(call(Sysno::Close, &[3]), 0)].concat();
    let ignored = [
        &ignore[..],
        &broken,
        &fails(write(1), Errno::EPIPE),
        &[exit(0)],
    ];
    assert_eq!(run(ignored.concat()).0, DONE);
    let killed = [&broken[..], &[write(1), exit(0)]].concat();
    let status = ExitStatus::Signaled(Signal(13));
    assert_eq!(run(killed).0, Some(status));
}

#[test]
fn poll_tells_what_is_ready_and_waits_in_virtual_time() {
    let slot = |n: u64, fd: u32, events: u32| {
        [
            Op::Store(Val::Imm(BUFFER + 8 * n), fd),
            Op::Store(Val::Imm(BUFFER + 8 * n + 4), events),
        ]
    };
    let result = |n: u64, events: u32, found: u32| {
        Op::Load(Val::Imm(BUFFER + 8 * n + 4), found << 16 | events)
    };
    let time = BUFFER + 0x80;
    let poll = |count: u64| call(Sysno::Ppoll, &[BUFFER, count, time, 0, 0]);
    let script = [
        &pipe(0)[..],
        &[Op::Store(Val::Imm(time), 2)],
        &slot(0, 3, 1),
        &slot(1, 4, 4),
        &slot(2, 99, 1),
        &slot(3, 1, 5),
        &slot(4, u32::MAX, 5),
        &succeeds(poll(5), 3),
        &[
            result(0, 1, 0),
            result(1, 4, 4),
            result(2, 1, 0x20),
            result(3, 5, 5),
            result(4, 5, 0),
        ],
        // Nothing to read: two seconds.
        &slot(0, 3, 1),
        &succeeds(poll(1), 0),
        &succeeds(write(1), 1),
        &succeeds(poll(1), 1),
        &[result(0, 1, 1)],
        &succeeds(call(Sysno::Close, &[4]), 0),
        &succeeds(poll(1), 1),
        &[result(0, 1, 0x11)],
        &fails(poll(1025), Errno::EINVAL),
        &[exit(0)],
    ];
    let (status, node) = run(script.concat());
    assert_eq!((status, node.kernel.exec.now().as_secs()), (DONE, 2));
}

#[test]
fn descriptors_are_numbers_for_descriptions() {
    let fcntl = |fd: u64, command: u64, value: u64| call(Sysno::Fcntl, &[fd, command, value]);
    let lock = |kind: u32| Op::Store(Val::Imm(BUFFER), kind);
    let script = [
        &pipe(0)[..],
        &succeeds(call(Sysno::Dup, &[3]), 5),
        &succeeds(call(Sysno::Dup3, &[3, 9, 0o2_000_000]), 9),
        &fails(call(Sysno::Dup3, &[3, 3, 0]), Errno::EINVAL),
        &fails(call(Sysno::Dup3, &[3, 1024, 0]), Errno::EBADF),
        &succeeds(fcntl(9, 1, 0), 1),
        &succeeds(fcntl(9, 2, 0), 0),
        &succeeds(fcntl(9, 1, 0), 0),
        &succeeds(fcntl(3, 0, 100), 100),
        &fails(fcntl(3, 0, -1_i64 as u64), Errno::EINVAL),
        &fails(fcntl(3, 0, 1024), Errno::EINVAL),
        &fails(fcntl(3, 1030, 4096), Errno::EINVAL),
        // O_NONBLOCK is the description's: every number of it sees the change.
        &succeeds(fcntl(5, 4, NONBLOCK), 0),
        &succeeds(fcntl(100, 3, 0), NONBLOCK),
        &fails(call(Sysno::Read, &[9, BUFFER, 1]), Errno::EAGAIN),
        &fails(fcntl(3, 999, 0), Errno::EINVAL),
        &fails(fcntl(50, 1, 0), Errno::EBADF),
        // Locks: nobody else is there to hold one.
        &[lock(1)],
        &succeeds(fcntl(4, 6, BUFFER), 0),
        &succeeds(fcntl(4, 5, BUFFER), 0),
        &[Op::Load(Val::Imm(BUFFER), 2), lock(0)],
        &fails(fcntl(4, 6, BUFFER), Errno::EBADF),
        &[lock(7)],
        &fails(fcntl(4, 6, BUFFER), Errno::EINVAL),
        &fails(fcntl(4, 6, 0), Errno::EFAULT),
        &[exit(0)],
    ];
    assert_eq!(run(script.concat()).0, DONE);
}

#[test]
fn standard_input_is_what_it_was_fed() {
    let script = [
        &succeeds(call(Sysno::Read, &[0, BUFFER, 4]), 4)[..],
        &succeeds(call(Sysno::Write, &[1, BUFFER, 4]), 4),
        &succeeds(call(Sysno::Read, &[0, BUFFER, 100]), 2),
        &succeeds(call(Sysno::Write, &[1, BUFFER, 2]), 2),
        &succeeds(call(Sysno::Read, &[0, BUFFER, 100]), 0),
        &[exit(0)],
    ];
    let node = Node::new(script.concat(), &[], 256);
    *node.kernel.input.borrow_mut() = (*b"input\n").into();
    let task = node.start();
    assert_eq!(node.run(&task), DONE);
    assert_eq!(node.output(), "input\n");
}

#[test]
fn what_the_machine_tells_of_itself() {
    let script = [
        &[
            Op::Store(Val::Imm(BUFFER), 5),
            call(Sysno::Nanosleep, &[BUFFER, 0]),
        ][..],
        &succeeds(call(Sysno::Sysinfo, &[BUFFER]), 0),
        // Uptime, memory in bytes, one task, unit.
        &[
            Op::Load(Val::Imm(BUFFER), 5),
            Op::Load(Val::Imm(BUFFER + 32), 4096 * 4096),
            Op::Load(Val::Imm(BUFFER + 80), 1),
            Op::Load(Val::Imm(BUFFER + 104), 1),
        ],
        &succeeds(call(Sysno::Getrusage, &[0, BUFFER]), 0),
        &[Op::Load(Val::Imm(BUFFER), 5)],
        &fails(call(Sysno::Getrusage, &[9, BUFFER]), Errno::EINVAL),
        &succeeds(call(Sysno::Times, &[BUFFER]), 500),
        &[Op::Load(Val::Imm(BUFFER), 500)],
        &fails(call(Sysno::Wait4, &[-1_i64 as u64, 0, 0, 0]), Errno::ECHILD),
        &succeeds(call(Sysno::Getrlimit, &[7, BUFFER]), 0),
        &[Op::Load(Val::Imm(BUFFER), 1024)],
        &succeeds(call(Sysno::Msync, &[DATA, 4096, 4]), 0),
        &fails(call(Sysno::Msync, &[0x10_0000, 4096, 4]), Errno::ENOMEM),
        &fails(call(Sysno::Msync, &[DATA + 1, 4096, 4]), Errno::EINVAL),
        &succeeds(call(Sysno::Sync, &[]), 0),
        &[exit(0)],
    ];
    assert_eq!(run(script.concat()).0, DONE);
}
