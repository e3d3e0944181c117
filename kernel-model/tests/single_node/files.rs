//! The overlay: files, names and directories that a program makes, and the difference that is left. Errors are Linux's.

use isa::Errno;
use isa::syscall::Sysno;
use kernel_model::fs::Change;
use kernel_model::task::ExitStatus;

use crate::script::{DATA, Op, Val, call, exit, run, run_with};

pub(crate) const DONE: Option<ExitStatus> = Some(ExitStatus::Exited(0));
/// A zeroed page: names in front, what calls read and write behind.
pub(crate) const NAME: u64 = DATA + 0x1000;
pub(crate) const OTHER: u64 = NAME + 0x100;
pub(crate) const TIMES: u64 = NAME + 0x180;
pub(crate) const BUFFER: u64 = NAME + 0x200;
pub(crate) const CWD: u64 = -100_i64 as u64;

// Flags of open, as aarch64 has them.
pub(crate) const RDONLY: u64 = 0;
const WRONLY: u64 = 0o1;
pub(crate) const RDWR: u64 = 0o2;
pub(crate) const CREAT: u64 = 0o100;
const EXCL: u64 = 0o200;
const TRUNC: u64 = 0o1000;
const APPEND: u64 = 0o2000;
const DIRECTORY: u64 = 0o40000;
const NOFOLLOW: u64 = 0o100000;

/// Stores a text with its zero byte.
pub(crate) fn text(at: u64, text: &str) -> Vec<Op> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize((bytes.len() + 1).next_multiple_of(4), 0);
    let words = bytes.chunks_exact(4).enumerate();
    words
        .map(|(n, word)| {
            let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
            Op::Store(Val::Imm(at + 4 * n as u64), word)
        })
        .collect()
}

/// Demands what four bytes in memory are.
pub(crate) fn holds(at: u64, bytes: &[u8; 4]) -> Op {
    Op::Load(Val::Imm(at), u32::from_le_bytes(*bytes))
}

pub(crate) fn open(flags: u64) -> Op {
    call(Sysno::Openat, &[CWD, NAME, flags, 0o644])
}

pub(crate) fn succeeds(op: Op, value: u64) -> [Op; 2] {
    [op, Op::Expect(0, value)]
}

pub(crate) fn fails(op: Op, errno: Errno) -> [Op; 2] {
    [op, Op::ExpectErr(errno)]
}

/// A script of parts, which ends well.
pub(crate) fn script(parts: &[&[Op]]) -> Vec<Op> {
    let mut script = parts.concat();
    script.push(exit(0));
    script
}

#[test]
fn what_is_written_can_be_read_at_any_place() {
    let write = |at: u64, len: u64| call(Sysno::Pwrite64, &[3, BUFFER, len, at]);
    let (status, node) = run(script(&[
        &text(NAME, "/new"),
        &text(BUFFER, "abcdefgh"),
        &fails(open(RDWR), Errno::ENOENT),
        &succeeds(open(RDWR | CREAT | EXCL), 3),
        &fails(open(RDWR | CREAT | EXCL), Errno::EEXIST),
        &succeeds(call(Sysno::Write, &[3, BUFFER, 8]), 8),
        &succeeds(write(12, 4), 4),
        &succeeds(call(Sysno::Lseek, &[3, 0, 1]), 8),
        &succeeds(call(Sysno::Read, &[3, BUFFER + 0x40, 100]), 8),
        &[
            holds(BUFFER + 0x40, b"\0\0\0\0"),
            holds(BUFFER + 0x44, b"abcd"),
        ],
        &succeeds(call(Sysno::Ftruncate, &[3, 3]), 0),
        &succeeds(call(Sysno::Ftruncate, &[3, 6]), 0),
        &succeeds(call(Sysno::Pread64, &[3, BUFFER + 0x40, 100, 1]), 5),
        &[holds(BUFFER + 0x40, b"bc\0\0")],
        &fails(call(Sysno::Ftruncate, &[3, -1_i64 as u64]), Errno::EINVAL),
        &fails(write(-1_i64 as u64, 1), Errno::EINVAL),
        &fails(write(i64::MAX as u64, 4), Errno::EFBIG),
        // Appending goes to the end, wherever the offset is.
        &succeeds(open(WRONLY | APPEND), 4),
        &succeeds(call(Sysno::Write, &[4, BUFFER, 2]), 2),
        &succeeds(call(Sysno::Lseek, &[4, 0, 1]), 8),
        &fails(call(Sysno::Read, &[4, BUFFER, 1]), Errno::EBADF),
        &succeeds(call(Sysno::Fsync, &[4]), 0),
        &fails(call(Sysno::Fsync, &[1]), Errno::EINVAL),
        &succeeds(open(RDONLY), 5),
        &fails(call(Sysno::Write, &[5, BUFFER, 1]), Errno::EBADF),
        &fails(call(Sysno::Ftruncate, &[5, 1]), Errno::EINVAL),
        &succeeds(open(WRONLY | TRUNC), 6),
        &succeeds(call(Sysno::Lseek, &[6, 0, 2]), 0),
        &succeeds(call(Sysno::Write, &[6, BUFFER, 3]), 3),
    ]));
    assert_eq!(status, DONE);
    assert_eq!(
        node.kernel.fs.changes(),
        Ok(vec![Change::File {
            path: "/new".to_owned(),
            bytes: b"abc".to_vec(),
            mode: 0o644
        }])
    );
}

#[test]
fn a_file_of_the_root_is_copied_when_it_is_written_to() {
    let files = [("/dir/f", b"01234567".to_vec()), ("/dir/g", Vec::new())];
    let (status, node) = run_with(
        script(&[
            &text(NAME, "/dir/f"),
            &text(BUFFER, "xy"),
            &succeeds(open(RDONLY), 3),
            &succeeds(open(RDWR), 4),
            &succeeds(call(Sysno::Pwrite64, &[4, BUFFER, 2, 3]), 2),
            // Who had it open sees it.
            &succeeds(call(Sysno::Read, &[3, BUFFER + 0x40, 100]), 8),
            &[holds(BUFFER + 0x40, b"012x"), holds(BUFFER + 0x44, b"y567")],
            &succeeds(call(Sysno::Unlinkat, &[CWD, NAME, 0]), 0),
            &fails(open(RDONLY), Errno::ENOENT),
            &succeeds(call(Sysno::Fstat, &[3, BUFFER]), 0),
            // No names, eight bytes.
            &[
                Op::Load(Val::Imm(BUFFER + 20), 0),
                Op::Load(Val::Imm(BUFFER + 48), 8),
            ],
        ]),
        &files,
        256,
    );
    assert_eq!(status, DONE);
    let path = "/dir/f".to_owned();
    assert_eq!(node.kernel.fs.changes(), Ok(vec![Change::Remove { path }]));
}

#[test]
fn names_come_and_go() {
    let rename = |flags: u64| call(Sysno::Renameat2, &[CWD, NAME, CWD, OTHER, flags]);
    let mkdir = |at: u64| call(Sysno::Mkdirat, &[CWD, at, 0o777]);
    let rmdir = |at: u64| call(Sysno::Unlinkat, &[CWD, at, 0x200]);
    let files = [("/dir/f", b"f".to_vec()), ("/g", b"g".to_vec())];
    let (status, node) = run_with(
        script(&[
            // A directory of the root moves with all that is in it.
            &text(NAME, "/dir"),
            &text(OTHER, "/moved"),
            &succeeds(rename(0), 0),
            &fails(rename(0), Errno::ENOENT),
            &fails(mkdir(OTHER), Errno::EEXIST),
            &succeeds(mkdir(NAME), 0),
            &fails(rename(1), Errno::EEXIST),
            &fails(rename(0), Errno::ENOTEMPTY),
            &succeeds(rename(2), 0),
            &fails(rmdir(NAME), Errno::ENOTEMPTY),
            &succeeds(rmdir(OTHER), 0),
            &fails(rmdir(OTHER), Errno::ENOENT),
            &text(OTHER, "/dir/sub"),
            &fails(rename(0), Errno::EINVAL),
            &fails(call(Sysno::Unlinkat, &[CWD, NAME, 0]), Errno::EISDIR),
            &text(OTHER, "/g"),
            &fails(rename(0), Errno::ENOTDIR),
            &fails(rmdir(OTHER), Errno::ENOTDIR),
            // The other way round, a file does not replace a directory.
            &fails(
                call(Sysno::Renameat2, &[CWD, OTHER, CWD, NAME, 0]),
                Errno::EISDIR,
            ),
            &text(OTHER, "/dir/f/x"),
            &fails(mkdir(OTHER), Errno::ENOTDIR),
            &text(OTHER, "/none/x"),
            &fails(mkdir(OTHER), Errno::ENOENT),
            &text(OTHER, "/"),
            &fails(rmdir(OTHER), Errno::EBUSY),
            &fails(rename(0), Errno::EBUSY),
            // A second name for a file, and none for a directory.
            &text(NAME, "/g"),
            &text(OTHER, "/h"),
            &succeeds(call(Sysno::Linkat, &[CWD, NAME, CWD, OTHER, 0]), 0),
            &succeeds(call(Sysno::Newfstatat, &[CWD, OTHER, BUFFER, 0]), 0),
            &[Op::Load(Val::Imm(BUFFER + 20), 2)],
            &succeeds(rename(0), 0),
            &text(NAME, "/dir"),
            &fails(
                call(Sysno::Linkat, &[CWD, NAME, CWD, OTHER, 0]),
                Errno::EPERM,
            ),
        ]),
        &files,
        256,
    );
    assert_eq!(status, DONE);
    let file = |path: &str, bytes: &[u8]| Change::File {
        path: path.to_owned(),
        bytes: bytes.to_vec(),
        mode: 0o444,
    };
    // Both directories of old are back where they were: only the second name is new.
    assert_eq!(node.kernel.fs.changes(), Ok(vec![file("/h", b"g")]));
}

#[test]
fn symbolic_links_lead_on() {
    let symlink = |target: u64, at: u64| call(Sysno::Symlinkat, &[target, CWD, at]);
    let (status, node) = run_with(
        script(&[
            &text(OTHER, "../dir/f"),
            &text(NAME, "/dir/l"),
            &succeeds(symlink(OTHER, NAME), 0),
            &fails(symlink(OTHER, NAME), Errno::EEXIST),
            &succeeds(open(RDONLY), 3),
            &fails(open(RDONLY | NOFOLLOW), Errno::ELOOP),
            &fails(open(RDONLY | CREAT | EXCL), Errno::EEXIST),
            &succeeds(call(Sysno::Read, &[3, BUFFER, 4]), 4),
            &[holds(BUFFER, b"data")],
            &succeeds(call(Sysno::Readlinkat, &[CWD, NAME, BUFFER, 5]), 5),
            &[holds(BUFFER, b"../d")],
            // One that leads to itself, and one that leads nowhere until something is made there.
            &text(NAME, "/ring"),
            &succeeds(symlink(NAME, NAME), 0),
            &fails(open(RDONLY), Errno::ELOOP),
            &text(OTHER, "dir/made"),
            &text(NAME, "/ahead"),
            &succeeds(symlink(OTHER, NAME), 0),
            &fails(open(RDONLY), Errno::ENOENT),
            &succeeds(open(WRONLY | CREAT), 4),
            &text(NAME, "/dir/made"),
            &succeeds(open(RDONLY), 5),
        ]),
        &[("/dir/f", b"data".to_vec())],
        256,
    );
    assert_eq!(status, DONE);
    let paths: Vec<_> = node.kernel.fs.changes().unwrap();
    assert_eq!(paths.len(), 4, "{paths:?}");
}

#[test]
fn directories_are_listed_and_lived_in() {
    let chdir = |at: u64| call(Sysno::Chdir, &[at]);
    let getdents = |len: u64| call(Sysno::Getdents64, &[3, BUFFER, len]);
    let (status, _) = run_with(
        script(&[
            &text(NAME, "/dir"),
            &fails(open(RDWR), Errno::EISDIR),
            &succeeds(open(RDONLY | DIRECTORY), 3),
            &fails(call(Sysno::Read, &[3, BUFFER, 1]), Errno::EISDIR),
            &fails(getdents(20), Errno::EINVAL),
            // "." and ".." take 24 bytes each, "f" and "sub" as well.
            &succeeds(getdents(72), 72),
            &[
                Op::Load(Val::Imm(BUFFER + 16), 0x2e04_0018),
                Op::Load(Val::Imm(BUFFER + 24 + 16), 0x2e04_0018),
                Op::Load(Val::Imm(BUFFER + 48 + 16), 0x6608_0018),
            ],
            &succeeds(getdents(72), 24),
            &[
                Op::Load(Val::Imm(BUFFER + 16), 0x7304_0018),
                holds(BUFFER + 19, b"sub\0"),
            ],
            &succeeds(getdents(72), 0),
            &succeeds(call(Sysno::Lseek, &[3, 0, 0]), 0),
            &succeeds(getdents(200), 96),
            &succeeds(chdir(NAME), 0),
            &text(NAME, "sub"),
            &succeeds(chdir(NAME), 0),
            &succeeds(call(Sysno::Getcwd, &[BUFFER, 64]), 9),
            &[holds(BUFFER, b"/dir"), holds(BUFFER + 4, b"/sub")],
            &fails(call(Sysno::Getcwd, &[BUFFER, 8]), Errno::ERANGE),
            &text(NAME, "../f"),
            &succeeds(open(RDONLY), 4),
            &fails(chdir(NAME), Errno::ENOTDIR),
            &fails(call(Sysno::Fchdir, &[4]), Errno::ENOTDIR),
            &text(NAME, "f"),
            // From a descriptor; a file has nothing in it, and a wrong descriptor matters only for relative paths.
            &succeeds(call(Sysno::Openat, &[3, NAME, 0]), 5),
            &fails(call(Sysno::Openat, &[4, NAME, 0]), Errno::ENOTDIR),
            &fails(call(Sysno::Openat, &[77, NAME, 0]), Errno::EBADF),
            &fails(open(RDONLY), Errno::ENOENT),
            &succeeds(call(Sysno::Fchdir, &[3]), 0),
            &succeeds(open(RDONLY), 6),
            &fails(open(RDONLY | DIRECTORY), Errno::ENOTDIR),
        ]),
        &[("/dir/f", Vec::new()), ("/dir/sub/g", Vec::new())],
        256,
    );
    assert_eq!(status, DONE);
}

#[test]
fn a_working_directory_goes_where_it_is_moved_and_outlives_its_name() {
    let chdir = |at: u64| call(Sysno::Chdir, &[at]);
    let mkdir = |at: u64| call(Sysno::Mkdirat, &[CWD, at, 0o755]);
    let rmdir = |at: u64| call(Sysno::Unlinkat, &[CWD, at, 0x200]);
    let rename = |from: u64, to: u64| call(Sysno::Renameat, &[CWD, from, CWD, to]);
    let getcwd = call(Sysno::Getcwd, &[BUFFER, 64]);
    let stat = |at: u64| call(Sysno::Newfstatat, &[CWD, at, BUFFER, 0]);
    let (status, _) = run(script(&[
        &text(NAME, "/one"),
        &succeeds(mkdir(NAME), 0),
        &succeeds(chdir(NAME), 0),
        &text(NAME, "in"),
        &succeeds(mkdir(NAME), 0),
        &succeeds(chdir(NAME), 0),
        &text(NAME, "/one"),
        &text(OTHER, "/two"),
        &succeeds(rename(NAME, OTHER), 0),
        &succeeds(getcwd.clone(), 8),
        &[holds(BUFFER, b"/two"), holds(BUFFER + 4, b"/in\0")],
        // Not into itself, wherever one looks from.
        &text(NAME, "x"),
        &fails(rename(OTHER, NAME), Errno::EINVAL),
        &text(NAME, "/two/in"),
        &succeeds(rmdir(NAME), 0),
        &fails(getcwd.clone(), Errno::ENOENT),
        &text(NAME, "."),
        &succeeds(stat(NAME), 0),
        &text(NAME, "y"),
        &fails(stat(NAME), Errno::ENOENT),
        &fails(mkdir(NAME), Errno::ENOENT),
        &fails(open(RDWR | CREAT), Errno::ENOENT),
        &succeeds(rmdir(OTHER), 0),
        &text(NAME, ".."),
        &succeeds(stat(NAME), 0),
        &text(NAME, "../.."),
        &succeeds(chdir(NAME), 0),
        &succeeds(getcwd, 2),
        &[holds(BUFFER, b"/\0\0\0")],
    ]));
    assert_eq!(status, DONE);
}

/// A directory is found at the cost of the path that is given, and a tree is freed whatever its depth.
#[test]
fn directories_are_nested_as_deeply_as_one_likes() {
    const DEPTH: usize = 30_000;
    let mut parts = text(NAME, "d");
    for _ in 0..DEPTH {
        parts.extend(succeeds(call(Sysno::Mkdirat, &[CWD, NAME, 0o755]), 0));
        parts.extend(succeeds(call(Sysno::Chdir, &[NAME]), 0));
    }
    let (status, _) = run(script(&[&parts]));
    assert_eq!(status, DONE);
}

#[test]
fn devices_and_what_is_there_without_a_root() {
    let (status, node) = run(script(&[
        &text(NAME, "/dev/null"),
        &text(BUFFER, "abc"),
        &succeeds(open(RDWR), 3),
        &succeeds(call(Sysno::Write, &[3, BUFFER, 3]), 3),
        &succeeds(call(Sysno::Read, &[3, BUFFER, 3]), 0),
        &text(NAME, "/dev/zero"),
        &succeeds(open(RDONLY), 4),
        &succeeds(call(Sysno::Read, &[4, BUFFER, 4]), 4),
        &[Op::Load(Val::Imm(BUFFER), 0)],
        &text(NAME, "/dev/urandom"),
        &succeeds(open(RDONLY), 5),
        &succeeds(call(Sysno::Read, &[5, BUFFER, 8]), 8),
        &text(NAME, "/tmp/f"),
        &succeeds(open(RDWR | CREAT), 6),
    ]));
    assert_eq!(status, DONE);
    assert_eq!(node.kernel.fs.changes(), Ok(Vec::new()), "nothing to keep");
}

#[test]
fn a_nodes_memory_limits_what_is_written() {
    // 256 frames: half of them for files.
    let (status, _) = run_with(
        script(&[
            &text(NAME, "/big"),
            &succeeds(open(RDWR | CREAT), 3),
            &succeeds(call(Sysno::Ftruncate, &[3, 128 * 4096]), 0),
            &fails(call(Sysno::Ftruncate, &[3, 128 * 4096 + 1]), Errno::ENOSPC),
            &fails(
                call(Sysno::Pwrite64, &[3, BUFFER, 1, 1 << 60]),
                Errno::ENOSPC,
            ),
            &succeeds(call(Sysno::Statfs, &[NAME, BUFFER]), 0),
            &[
                Op::Load(Val::Imm(BUFFER + 16), 128),
                Op::Load(Val::Imm(BUFFER + 24), 0),
            ],
            &succeeds(call(Sysno::Unlinkat, &[CWD, NAME, 0]), 0),
            &succeeds(call(Sysno::Close, &[3]), 0),
            &succeeds(open(RDWR | CREAT), 3),
            &succeeds(call(Sysno::Pwrite64, &[3, BUFFER, 4, 8000]), 4),
        ]),
        &[],
        256,
    );
    assert_eq!(status, DONE);
}

#[test]
fn what_is_known_of_a_file() {
    let statx = |path: u64, flags: u64| call(Sysno::Statx, &[CWD, path, flags, 0x7ff, BUFFER]);
    let times = [
        // 7 s for the access, 9 s for the change.
        Op::Store(Val::Imm(TIMES), 7),
        Op::Store(Val::Imm(TIMES + 8), 0),
        Op::Store(Val::Imm(TIMES + 16), 9),
        Op::Store(Val::Imm(TIMES + 24), 0),
    ];
    let (status, _) = run(script(&[
        &text(NAME, "/f"),
        &text(OTHER, "/l"),
        &succeeds(call(Sysno::Umask, &[0o027]), 0o022),
        &succeeds(call(Sysno::Openat, &[CWD, NAME, RDWR | CREAT, 0o666]), 3),
        &succeeds(call(Sysno::Ftruncate, &[3, 1000]), 0),
        &succeeds(call(Sysno::Symlinkat, &[NAME, CWD, OTHER]), 0),
        &succeeds(statx(OTHER, 0), 0),
        // Mode 0640 of a regular file; 1,000 bytes in two blocks; changed when the cluster's clock began.
        &[
            Op::Load(Val::Imm(BUFFER + 28), 0o100_640),
            Op::Load(Val::Imm(BUFFER + 40), 1000),
            Op::Load(Val::Imm(BUFFER + 48), 2),
            Op::Load(Val::Imm(BUFFER + 112), 1_606_780_800),
        ],
        &succeeds(statx(OTHER, 0x100), 0),
        &[Op::Load(Val::Imm(BUFFER + 28), 0o120_777)],
        &times,
        &succeeds(call(Sysno::Utimensat, &[CWD, OTHER, TIMES, 0]), 0),
        &succeeds(call(Sysno::Fchmod, &[3, 0o500]), 0),
        &succeeds(statx(NAME, 0), 0),
        &[
            Op::Load(Val::Imm(BUFFER + 28), 0o100_500),
            Op::Load(Val::Imm(BUFFER + 112), 9),
        ],
        &succeeds(call(Sysno::Faccessat, &[CWD, NAME, 0o7]), 0),
        &succeeds(call(Sysno::Fchmodat, &[CWD, NAME, 0o600]), 0),
        &fails(call(Sysno::Faccessat, &[CWD, NAME, 0o1]), Errno::EACCES),
        &fails(call(Sysno::Faccessat, &[CWD, NAME, 0o10]), Errno::EINVAL),
        &succeeds(call(Sysno::Fchownat, &[CWD, NAME, 5, 6, 0]), 0),
        &fails(
            call(Sysno::Readlinkat, &[CWD, NAME, BUFFER, 9]),
            Errno::EINVAL,
        ),
    ]));
    assert_eq!(status, DONE);
}
