//! Memory as programs see it: first touch, private file pages, stack growth, protection, the heap, running out.

use isa::Errno;
use isa::syscall::Sysno;
use kernel_model::signal::Signal;
use kernel_model::task::ExitStatus;

use crate::script::{CODE, DATA, DATA_LEN, Op, Val, call, exit, run, run_with};

const RW: u64 = 3;
const PRIVATE_ANON: u64 = 0x22;
const FIXED: u64 = 0x10;
const SP: usize = 31;

/// A new mapping, its address in x19.
fn mmap(addr: u64, len: u64, prot: u64, flags: u64) -> [Op; 2] {
    [
        call(Sysno::Mmap, &[addr, len, prot, flags, u64::MAX, 0]),
        Op::Move(19, 0),
    ]
}

fn at(offset: i64) -> Val {
    Val::X(19, offset)
}

fn killed(signal: Signal) -> Option<ExitStatus> {
    Some(ExitStatus::Signaled(signal))
}

#[test]
fn a_program_starts_with_its_data_and_zeroed_bss() {
    let (status, _) = run(vec![
        Op::Load(Val::Imm(DATA), 0x1111_1111),
        Op::Load(Val::Imm(DATA + DATA_LEN), 0),
        Op::Load(Val::Imm(DATA + 0x1000), 0),
        Op::Store(Val::Imm(DATA + 0x1ffc), 5),
        Op::Load(Val::Imm(DATA + 0x1ffc), 5),
        Op::Load(Val::X(SP, 0), 1), // argc
        exit(7),
    ]);
    assert_eq!(status, Some(ExitStatus::Exited(7)));
}

#[test]
fn anonymous_memory_is_zero_at_first_touch_and_frames_come_back() {
    let mut script: Vec<Op> = mmap(0, 0x3000, RW, PRIVATE_ANON).into();
    script.extend([
        Op::Load(at(0), 0),
        Op::Store(at(0x1004), 9),
        Op::Load(at(0x1004), 9),
        Op::Load(at(0x1000), 0),
        Op::Call(
            Sysno::Madvise,
            vec![at(0x1000), Val::Imm(0x1000), Val::Imm(4)],
        ),
        Op::Expect(0, 0),
        Op::Load(at(0x1004), 0),
        Op::Call(Sysno::Munmap, vec![at(0), Val::Imm(0x3000)]),
        Op::Expect(0, 0),
        exit(0),
    ]);
    let (status, node) = run(script);
    assert_eq!(status, Some(ExitStatus::Exited(0)));
    assert_eq!(
        node.kernel.frames.borrow().used(),
        0,
        "an ended process leaves no frame"
    );
}

#[test]
fn private_file_pages_are_copied_on_write() {
    let contents: Vec<u8> = (0..0x1800_u32)
        .flat_map(u32::to_le_bytes)
        .take(0x1800)
        .collect();
    let open = [
        Op::Store(Val::Imm(DATA), u32::from_le_bytes(*b"/fil")),
        Op::Store(Val::Imm(DATA + 4), u32::from_le_bytes(*b"e\0\0\0")),
        call(Sysno::Openat, &[-100_i64 as u64, DATA, 0]),
        Op::Expect(0, 3),
    ];
    let map = |register| {
        [
            call(Sysno::Mmap, &[0, 0x3000, RW, 2, 3, 0]),
            Op::Move(register, 0),
        ]
    };
    let mut script: Vec<Op> = open.into();
    script.extend(map(19));
    script.extend(map(20));
    script.extend([
        call(Sysno::Close, &[3]),
        Op::Load(Val::X(19, 8), 2),
        Op::Store(Val::X(19, 8), 77),
        Op::Load(Val::X(19, 8), 77),
        Op::Load(Val::X(20, 8), 2),
        Op::Load(Val::X(19, 0x1000), 0x400),
        Op::Load(Val::X(19, 0x17fc), 0x5ff),
        Op::Load(Val::X(19, 0x1800), 0), // past the end, in its last page
        Op::Load(Val::X(19, 0x2000), 0), // past its last page
    ]);
    let (status, node) = run_with(script, &[("/file", contents)], 4096);
    assert_eq!(status, killed(Signal::SIGBUS));
    assert_eq!(node.kernel.frames.borrow().used(), 0);
}

#[test]
fn what_may_not_be_done_is_sigsegv() {
    let read_only: Vec<Op> = mmap(0, 0x1000, 1, PRIVATE_ANON).into();
    let with = |before: &[Op], last: Op| [before, &[last, exit(0)]].concat();
    let touched_none = {
        let mut script: Vec<Op> = mmap(0, 0x1000, RW, PRIVATE_ANON).into();
        script.push(Op::Store(at(0), 1));
        script.push(Op::Call(
            Sysno::Mprotect,
            vec![at(0), Val::Imm(0x1000), Val::Imm(0)],
        ));
        script
    };
    let cases = [
        ("NULL", with(&[], Op::Load(Val::Imm(0), 0))),
        ("a store to code", with(&[], Op::Store(Val::Imm(CODE), 0))),
        (
            "a store to read-only memory",
            with(&read_only, Op::Store(at(0), 0)),
        ),
        ("a fetch from data", with(&[], Op::Jump(DATA))),
        (
            "a load under PROT_NONE",
            with(&touched_none, Op::Load(at(0), 1)),
        ),
        (
            "an address beyond user space",
            with(&[], Op::Load(Val::Imm(1 << 63), 0)),
        ),
        (
            "the page after the program",
            with(&[], Op::Load(Val::Imm(DATA + 0x2000), 0)),
        ),
    ];
    for (what, script) in cases {
        assert_eq!(run(script).0, killed(Signal::SIGSEGV), "{what}");
    }
}

#[test]
fn protection_comes_and_goes_without_losing_contents() {
    let mut script: Vec<Op> = mmap(0, 0x2000, RW, PRIVATE_ANON).into();
    let protect = |prot: u64| {
        Op::Call(
            Sysno::Mprotect,
            vec![at(0), Val::Imm(0x2000), Val::Imm(prot)],
        )
    };
    script.extend([
        Op::Store(at(0), 4),
        protect(0),
        protect(1),
        Op::Load(at(0), 4),
        protect(RW),
        Op::Store(at(4), 5),
        Op::Load(at(0), 4),
    ]);
    script.extend([protect(1), Op::Expect(0, 0), Op::Store(at(0), 6)]);
    assert_eq!(run(script).0, killed(Signal::SIGSEGV));
}

#[test]
fn the_stack_grows_to_its_limit_and_keeps_away_from_neighbours() {
    let grows = vec![
        Op::Store(Val::X(SP, -(1 << 20)), 3),
        Op::Load(Val::X(SP, -(1 << 20)), 3),
        Op::Load(Val::X(SP, -(7 << 20)), 0),
        exit(0),
    ];
    assert_eq!(run(grows).0, Some(ExitStatus::Exited(0)));
    let too_far = vec![Op::Store(Val::X(SP, -(9 << 20)), 3), exit(0)];
    assert_eq!(run(too_far).0, killed(Signal::SIGSEGV));
    let neighbour = 0x7fff_ffff_f000 - (2 << 20);
    for (distance, expected) in [
        (0x2000, Some(ExitStatus::Exited(0))),
        (0x1000, killed(Signal::SIGSEGV)),
    ] {
        let mut script: Vec<Op> = mmap(neighbour, 0x1000, RW, PRIVATE_ANON | FIXED).into();
        script.extend([Op::Store(Val::Imm(neighbour + distance), 1), exit(0)]);
        assert_eq!(run(script).0, expected, "{distance:#x} above a mapping");
    }
}

#[test]
fn the_heap_moves_and_forgets() {
    let start = DATA + 0x2000;
    let script = vec![
        call(Sysno::Brk, &[0]),
        Op::Expect(0, start),
        call(Sysno::Brk, &[start + 0x1800]),
        Op::Expect(0, start + 0x1800),
        Op::Store(Val::Imm(start + 0x1ffc), 8),
        call(Sysno::Brk, &[start]),
        Op::Expect(0, start),
        call(Sysno::Brk, &[start + 0x2000]),
        Op::Load(Val::Imm(start + 0x1ffc), 0),
        call(Sysno::Brk, &[start - 1]),
        Op::Expect(0, start + 0x2000),
        call(Sysno::Brk, &[u64::MAX]),
        Op::Expect(0, start + 0x2000),
        exit(0),
    ];
    assert_eq!(run(script).0, Some(ExitStatus::Exited(0)));
}

#[test]
fn mremap_grows_in_place_or_moves_with_its_contents() {
    let mut script: Vec<Op> = mmap(0x1000_0000, 0x2000, RW, PRIVATE_ANON | FIXED).into();
    script.extend([
        Op::Store(at(0x1000), 6),
        Op::Call(
            Sysno::Mremap,
            vec![at(0), Val::Imm(0x2000), Val::Imm(0x4000), Val::Imm(0)],
        ),
        Op::Expect(0, 0x1000_0000),
        Op::Store(at(0x3000), 7),
        call(
            Sysno::Mmap,
            &[0x1000_4000, 0x1000, RW, PRIVATE_ANON | FIXED, u64::MAX, 0],
        ),
        Op::Call(
            Sysno::Mremap,
            vec![at(0), Val::Imm(0x4000), Val::Imm(0x8000), Val::Imm(0)],
        ),
        // The neighbour is the same kind of memory and one area with it now, but what follows the old range is taken.
        Op::ExpectErr(Errno::ENOMEM),
        Op::Call(
            Sysno::Mremap,
            vec![at(0), Val::Imm(0x4000), Val::Imm(0x8000), Val::Imm(1)],
        ),
        Op::Move(20, 0),
        Op::Load(Val::X(20, 0x1000), 6),
        Op::Load(Val::X(20, 0x3000), 7),
        Op::Load(Val::X(20, 0x7000), 0),
        Op::Call(
            Sysno::Mremap,
            vec![
                Val::X(20, 0),
                Val::Imm(0x8000),
                Val::Imm(0x1000),
                Val::Imm(0),
            ],
        ),
        Op::Load(Val::X(20, 0), 0),
        Op::Load(Val::X(20, 0x1000), 0),
    ]);
    assert_eq!(
        run(script).0,
        killed(Signal::SIGSEGV),
        "the tail that was cut off is gone"
    );
}

#[test]
fn mappings_go_top_down_and_holes_are_used() {
    let top = 0x7fff_ffff_f000 - (128 << 20) - (256 << 12);
    let anon = |len: u64| call(Sysno::Mmap, &[0, len, RW, PRIVATE_ANON, u64::MAX, 0]);
    let script = vec![
        anon(0x3000),
        Op::Expect(0, top - 0x3000),
        anon(0x1000),
        Op::Expect(0, top - 0x4000),
        call(Sysno::Munmap, &[top - 0x3000, 0x2000]),
        anon(0x2000),
        Op::Expect(0, top - 0x3000),
        // A hint is taken where there is room, and only then.
        call(
            Sysno::Mmap,
            &[0x1000_0123, 0x1000, RW, PRIVATE_ANON, u64::MAX, 0],
        ),
        Op::Expect(0, 0x1000_1000),
        call(
            Sysno::Mmap,
            &[0x1000_1000, 0x1000, RW, PRIVATE_ANON, u64::MAX, 0],
        ),
        Op::Expect(0, top - 0x5000),
        // MAP_FIXED_NOREPLACE.
        call(
            Sysno::Mmap,
            &[
                0x1000_1000,
                0x1000,
                RW,
                PRIVATE_ANON | 0x10_0000,
                u64::MAX,
                0,
            ],
        ),
        Op::ExpectErr(Errno::EEXIST),
        exit(0),
    ];
    assert_eq!(run(script).0, Some(ExitStatus::Exited(0)));
}

#[test]
fn a_node_that_is_out_of_memory_kills_and_says_so() {
    let mut script: Vec<Op> = mmap(0, 0x10_0000, RW, PRIVATE_ANON).into();
    script.extend((0..0x100).map(|page| Op::Store(at(page * 0x1000), 1)));
    script.push(exit(0));
    let (status, node) = run_with(script, &[], 64);
    assert_eq!(status, killed(Signal::SIGKILL));
    assert_eq!(
        node.events.log.borrow().as_slice(),
        ["node 0 is out of memory: process 1000 (prog) is killed"]
    );
    assert_eq!(node.kernel.frames.borrow().used(), 0);
}

#[test]
fn arguments_that_make_no_sense() {
    let cases: &[(Sysno, &[u64], Errno)] = &[
        (Sysno::Mmap, &[0, 0, RW, PRIVATE_ANON, 0, 0], Errno::EINVAL),
        (
            Sysno::Mmap,
            &[0, u64::MAX, RW, PRIVATE_ANON, 0, 0],
            Errno::ENOMEM,
        ),
        (
            Sysno::Mmap,
            &[0, 1 << 47, RW, PRIVATE_ANON, 0, 0],
            Errno::ENOMEM,
        ),
        (
            Sysno::Mmap,
            &[1, 4096, RW, PRIVATE_ANON | FIXED, 0, 0],
            Errno::EINVAL,
        ),
        (
            Sysno::Mmap,
            &[u64::MAX - 4095, 4096, RW, PRIVATE_ANON | FIXED, 0, 0],
            Errno::ENOMEM,
        ),
        (Sysno::Mmap, &[0, 4096, RW, 0x20, 0, 0], Errno::EINVAL),
        (Sysno::Mmap, &[0, 4096, RW, 2, 99, 0], Errno::EBADF),
        (Sysno::Mmap, &[0, 4096, RW, 2, 1, 0], Errno::ENODEV),
        (
            Sysno::Mmap,
            &[0, 4096, RW, PRIVATE_ANON, 0, 1],
            Errno::EINVAL,
        ),
        (
            Sysno::Mmap,
            &[0, 8192, RW, PRIVATE_ANON, 0, u64::MAX - 4095],
            Errno::EOVERFLOW,
        ),
        (Sysno::Munmap, &[1, 4096], Errno::EINVAL),
        (Sysno::Munmap, &[0x1000, 0], Errno::EINVAL),
        (Sysno::Munmap, &[0x1000, u64::MAX], Errno::EINVAL),
        (Sysno::Mprotect, &[0x1000, 4096, 1], Errno::ENOMEM),
        (Sysno::Mprotect, &[1, 4096, 1], Errno::EINVAL),
        (Sysno::Mprotect, &[DATA, 4096, 0xff], Errno::EINVAL),
        (Sysno::Mprotect, &[DATA, u64::MAX - 4095, 1], Errno::ENOMEM),
        (Sysno::Madvise, &[DATA, 4096, 99], Errno::EINVAL),
        (Sysno::Madvise, &[0x1000, 4096, 4], Errno::ENOMEM),
        (Sysno::Mremap, &[0x1000, 4096, 8192, 1, 0], Errno::EFAULT),
        (Sysno::Mremap, &[DATA, 4096, 8192, 2, 0], Errno::EINVAL),
        (Sysno::Mremap, &[DATA, 4096, 0, 1, 0], Errno::EINVAL),
        (
            Sysno::Mremap,
            &[DATA, 0x2000, 0x2000, 3, DATA + 0x1000],
            Errno::EINVAL,
        ),
    ];
    for (sysno, args, errno) in cases {
        let (status, _) = run(vec![call(*sysno, args), Op::ExpectErr(*errno), exit(0)]);
        assert_eq!(status, Some(ExitStatus::Exited(0)), "{sysno} {args:x?}");
    }
}
