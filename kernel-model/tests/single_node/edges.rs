//! The edges of file calls: names that are none, flags that nobody knows, devices without room, buffers that end too early. Errors are Linux's.

use isa::Errno;
use isa::syscall::Sysno;

use crate::files::{
    BUFFER, CREAT, CWD, DONE, NAME, OTHER, RDWR, TIMES, fails, holds, open, script, succeeds, text,
};
use crate::script::{Op, Val, call, run};

#[test]
fn what_has_no_name_cannot_be_removed_or_moved() {
    let rmdir = |at: u64| call(Sysno::Unlinkat, &[CWD, at, 0x200]);
    let rename = |from: u64, to: u64| call(Sysno::Renameat, &[CWD, from, CWD, to]);
    let (status, _) = run(script(&[
        &text(NAME, "/"),
        &fails(rmdir(NAME), Errno::EBUSY),
        &text(NAME, "/d"),
        &succeeds(call(Sysno::Mkdirat, &[CWD, NAME, 0o755]), 0),
        &text(OTHER, "/e"),
        &text(NAME, "/d/."),
        &fails(rename(NAME, OTHER), Errno::EBUSY),
        &fails(rename(OTHER, NAME), Errno::EBUSY),
        &text(NAME, "/d/../"),
        &fails(rename(NAME, OTHER), Errno::EBUSY),
        &text(NAME, "/none/.."),
        &fails(rename(NAME, OTHER), Errno::ENOENT),
        &text(NAME, "/d"),
        &text(OTHER, "/d/."),
        &fails(rename(NAME, OTHER), Errno::EBUSY),
        &fails(
            call(Sysno::Renameat2, &[CWD, NAME, CWD, OTHER, 1]),
            Errno::EEXIST,
        ),
    ]));
    assert_eq!(status, DONE);
}

#[test]
fn a_full_device_has_zeros_and_no_room() {
    let (status, _) = run(script(&[
        &text(NAME, "/dev/full"),
        &text(BUFFER, "abc"),
        &succeeds(open(RDWR), 3),
        &fails(call(Sysno::Write, &[3, BUFFER, 3]), Errno::ENOSPC),
        &succeeds(call(Sysno::Read, &[3, BUFFER, 4]), 4),
        &[Op::Load(Val::Imm(BUFFER), 0)],
    ]));
    assert_eq!(status, DONE);
}

#[test]
fn unknown_flags_are_refused_before_anything_is_looked_for() {
    const OMIT: u32 = 0x3fff_fffe;
    let times = |nsec: u32| [8, 24].map(|at| Op::Store(Val::Imm(TIMES + at), nsec));
    let statx = |flags: u64, mask: u64| call(Sysno::Statx, &[CWD, NAME, flags, mask, BUFFER]);
    let utimensat = |flags: u64| call(Sysno::Utimensat, &[CWD, NAME, TIMES, flags]);
    let (status, _) = run(script(&[
        &text(NAME, "/none"),
        &fails(
            call(Sysno::Newfstatat, &[CWD, NAME, BUFFER, 1]),
            Errno::EINVAL,
        ),
        &fails(statx(0x400, 0x7ff), Errno::EINVAL),
        &fails(statx(0x6000, 0x7ff), Errno::EINVAL),
        &fails(statx(0, 1 << 31), Errno::EINVAL),
        &fails(statx(0x800, 0x7ff), Errno::ENOENT),
        &fails(
            call(Sysno::Fchownat, &[CWD, NAME, 0, 0, 0x200]),
            Errno::EINVAL,
        ),
        &times(OMIT),
        &succeeds(utimensat(0), 0),
        &times(0),
        &fails(utimensat(0), Errno::ENOENT),
        &fails(utimensat(0x200), Errno::EINVAL),
    ]));
    assert_eq!(status, DONE);
}

/// Files give what there is room for; a pipe hands over all of a piece or keeps it.
#[test]
fn a_buffer_that_ends_too_early_gets_what_it_holds() {
    const PAGE: u64 = 0x7000_0000;
    const END: u64 = PAGE + 0x1000;
    let map = call(Sysno::Mmap, &[PAGE, 0x1000, 3, 0x32, -1_i64 as u64, 0]);
    let (status, _) = run(script(&[
        &succeeds(map, PAGE),
        &text(NAME, "/new"),
        &text(BUFFER, "abcdefgh"),
        &succeeds(open(RDWR | CREAT), 3),
        &succeeds(call(Sysno::Write, &[3, BUFFER, 8]), 8),
        &succeeds(call(Sysno::Lseek, &[3, 0, 0]), 0),
        &succeeds(call(Sysno::Read, &[3, END - 4, 8]), 4),
        &[holds(END - 4, b"abcd")],
        &succeeds(call(Sysno::Lseek, &[3, 0, 1]), 4),
        &fails(call(Sysno::Read, &[3, END, 8]), Errno::EFAULT),
        &succeeds(call(Sysno::Pipe2, &[OTHER, 0]), 0),
        &succeeds(call(Sysno::Write, &[5, BUFFER, 8]), 8),
        &fails(call(Sysno::Read, &[4, END - 4, 8]), Errno::EFAULT),
        &succeeds(call(Sysno::Read, &[4, END - 4, 4]), 4),
        &[holds(END - 4, b"abcd")],
    ]));
    assert_eq!(status, DONE);
}
