//! Mappings of files in a distributed process: home's descriptors, home's pages, and one memory with the file.

use isa::layout::OpenFlags;
use isa::syscall::Sysno;
use isa::{Errno, Isa};
use kernel_model::Profile;
use kernel_model::fs::Change;
use msglayer::messages::{RemotePageRequest, VmaInfoResponse};

use crate::support::image::{DEEP, DEPTH, FILE_LEN, FILE_WORD};
use crate::support::script::{BSS, Imm, Ret, V, call, exit_group, migrate};
use crate::support::{Op, Setup};

const NAME: u64 = BSS + 0x1000;
const BUFFER: u64 = BSS + 0x3000;
const CWD: u64 = -100_i64 as u64;
const AREA: u64 = 0x1000_0000;
const OTHER: u64 = 0x2000_0000;
const LEN: u64 = 0x2000;

const READ: u64 = 1;
const READ_WRITE: u64 = 3;
const SHARED: u64 = 1;
const PRIVATE: u64 = 2;
const FIXED: u64 = 0x10;
const ANONYMOUS: u64 = 0x20;

const PAIRS: [[Isa; 2]; 2] = [[Isa::X86_64, Isa::X86_64], [Isa::X86_64, Isa::Aarch64]];

/// Stores a text and a zero byte.
fn text(at: u64, text: &str) -> Vec<Op> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(text.len() / 8 * 8 + 8, 0);
    let words = bytes.chunks(8).zip((at..).step_by(8));
    words
        .map(|(word, at)| {
            let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
            Op::Store(Imm(at), Imm(word))
        })
        .collect()
}

fn gives(op: Op, value: u64) -> [Op; 2] {
    [op, Op::Expect(Ret, Imm(value))]
}

fn fails(op: Op, errno: Errno) -> [Op; 2] {
    [op, Op::ExpectErr(errno)]
}

fn holds(at: u64, value: u64) -> [Op; 2] {
    [Op::Load(0, Imm(at)), Op::Expect(V(0, 0), Imm(value))]
}

fn store(at: u64, value: u64) -> [Op; 1] {
    [Op::Store(Imm(at), Imm(value))]
}

/// Opens as descriptor 3 what is called so; flags as the ISA of the caller has them.
fn open(isa: Isa, name: &str, flags: OpenFlags) -> Vec<Op> {
    let mut ops = text(NAME, name);
    let flags = u64::from(flags.encode(isa));
    ops.extend(gives(call(Sysno::Openat, &[CWD, NAME, flags, 0o600]), 3));
    ops
}

/// A new file of two words, open as descriptor 3.
fn new_file(isa: Isa) -> Vec<Op> {
    let mut ops = open(isa, "/tmp/f", OpenFlags::RDWR | OpenFlags::CREAT);
    ops.extend(store(BUFFER, 1));
    ops.extend(store(BUFFER + 8, 2));
    ops.extend(gives(call(Sysno::Write, &[3, BUFFER, 16]), 16));
    ops
}

fn map_at(addr: u64, prot: u64, flags: u64, fd: u64) -> Op {
    call(Sysno::Mmap, &[addr, LEN, prot, flags, fd, 0])
}

fn map(prot: u64, flags: u64) -> [Op; 2] {
    gives(map_at(AREA, prot, flags, 3), AREA)
}

/// What the file has at an offset.
fn file_holds(offset: u64, value: u64) -> Vec<Op> {
    let mut ops = gives(call(Sysno::Pread64, &[3, BUFFER, 8, offset]), 8).to_vec();
    ops.extend(holds(BUFFER, value));
    ops
}

fn write_word(offset: u64, value: u64) -> Vec<Op> {
    let mut ops = store(BUFFER, value).to_vec();
    ops.extend(gives(call(Sysno::Pwrite64, &[3, BUFFER, 8, offset]), 8));
    ops
}

fn run(parts: &[&[Op]]) {
    for isas in PAIRS {
        let mut script = parts.concat();
        script.push(exit_group(0));
        Setup::new(&isas).run_clean(script);
    }
}

#[test]
fn a_guest_maps_what_home_has_opened() {
    for isas in PAIRS {
        let script = [
            &open(isas[0], "/data", OpenFlags::empty())[..],
            &migrate(1),
            &map(READ_WRITE, PRIVATE),
            &holds(AREA + 8, FILE_WORD),
            &store(AREA, 7),
            // The last page's rest is zeroed; a page behind the file is none.
            &holds(AREA + FILE_LEN, 0),
            &migrate(0),
            &holds(AREA, 7),
            &holds(AREA + 8, FILE_WORD),
            &file_holds(0, FILE_WORD),
            // Opened on the guest.
            &gives(call(Sysno::Close, &[3]), 0),
            &migrate(1),
            &open(isas[1], "/data", OpenFlags::empty()),
            &gives(map_at(OTHER, READ, PRIVATE, 3), OTHER),
            &holds(OTHER + 0x1000, FILE_WORD),
            &[exit_group(0)],
        ];
        Setup::new(&isas).run_clean(script.concat());
    }
}

#[test]
fn a_file_of_the_root_is_each_nodes_own_and_a_written_one_is_homes() {
    for (name, asked) in [("/data", false), ("/tmp/f", true)] {
        let opened = match asked {
            true => new_file(Isa::X86_64),
            false => open(Isa::X86_64, name, OpenFlags::empty()),
        };
        let script = [
            &opened[..],
            &map(READ, PRIVATE),
            &migrate(1),
            &holds(AREA, if asked { 1 } else { FILE_WORD }),
            &[exit_group(0)],
        ];
        let cluster = Setup::mixed(2).run_clean(script.concat());
        let requests = cluster.recorder.messages::<RemotePageRequest>();
        let pages: Vec<_> = requests.iter().map(|(_, _, m)| m.addr.get()).collect();
        assert_eq!(pages.contains(&AREA), asked, "{name}");
        let answers = cluster.recorder.messages::<VmaInfoResponse>();
        let path = answers
            .iter()
            .find(|(_, _, m)| m.addr.get() == AREA)
            .map(|(_, _, m)| m.vm_file_path.as_str().unwrap().to_owned());
        let expected = if asked { "" } else { name };
        assert_eq!(path.as_deref(), Some(expected), "the name on the wire");
    }
}

#[test]
fn a_path_that_does_not_fit_into_a_message_is_no_name_and_no_panic() {
    let name = format!("/{DEEP}").repeat(DEPTH) + "/f";
    run(&[
        &open(Isa::X86_64, &name, OpenFlags::empty()),
        &map(READ_WRITE, PRIVATE),
        &store(AREA, 7),
        &migrate(1),
        &holds(AREA, 7),
        &holds(AREA + 0x1000, FILE_WORD),
        &gives(map_at(OTHER, READ, PRIVATE, 3), OTHER),
        &holds(OTHER, FILE_WORD),
    ]);
}

#[test]
fn a_shared_mapping_and_the_file_are_one() {
    run(&[
        &new_file(Isa::X86_64),
        &map(READ_WRITE, SHARED),
        &holds(AREA, 1),
        &store(AREA, 10),
        &file_holds(0, 10),
        &migrate(1),
        &holds(AREA, 10),
        &store(AREA + 8, 11),
        // From here and from there.
        &file_holds(8, 11),
        &write_word(0, 12),
        &holds(AREA, 12),
        &holds(AREA + 8, 11),
        &store(AREA, 13),
        &migrate(0),
        &file_holds(0, 13),
        &write_word(8, 14),
        &holds(AREA + 8, 14),
        &migrate(1),
        &holds(AREA + 8, 14),
        // What lies behind the end of the file stays out of it.
        &store(AREA + 16, 15),
        &gives(call(Sysno::Lseek, &[3, 0, 2]), 16),
    ]);
}

#[test]
fn stores_reach_the_file_by_msync_munmap_mmap_and_advice() {
    let other_map = gives(map_at(OTHER, READ, SHARED, 3), OTHER);
    let ways: [&[Op]; 5] = [
        &gives(call(Sysno::Msync, &[AREA, LEN, 4]), 0),
        &gives(call(Sysno::Munmap, &[AREA, LEN]), 0),
        &gives(
            map_at(AREA, READ, PRIVATE | FIXED | ANONYMOUS, u64::MAX),
            AREA,
        ),
        &gives(call(Sysno::Madvise, &[AREA, LEN, 4]), 0),
        &[other_map.to_vec(), holds(OTHER, 5).to_vec()].concat(),
    ];
    // Stored on the other node, and on this one: at home, and at a guest.
    for (way, nid) in ways.into_iter().flat_map(|way| [(way, 0), (way, 1)]) {
        let away: &[Op] = if nid == 0 { &migrate(1) } else { &[] };
        run(&[
            &new_file(Isa::X86_64),
            &map(READ_WRITE, SHARED),
            away,
            &store(AREA, 5),
            &migrate(nid),
            &store(AREA + 8, 6),
            way,
            // Closed and opened again, on the other node.
            &gives(call(Sysno::Close, &[3]), 0),
            &migrate(1 - nid),
            &text(NAME, "/tmp/f"),
            &gives(call(Sysno::Openat, &[CWD, NAME, 0, 0]), 3),
            &file_holds(0, 5),
            &file_holds(8, 6),
        ]);
    }
}

#[test]
fn stores_reach_the_file_at_the_end_of_the_process() {
    let script = [
        &open(Isa::X86_64, "/data", OpenFlags::RDWR)[..],
        &map(READ_WRITE, SHARED),
        &store(AREA, 5),
        &migrate(1),
        &store(AREA + 0x1000, 6),
        &[exit_group(0)],
    ];
    let cluster = Setup::mixed(2).run_clean(script.concat());
    let changes = cluster.kernels[0].fs.changes().expect("changes");
    let [Change::File { path, bytes, .. }] = &changes[..] else {
        panic!("one file is changed: {changes:?}");
    };
    assert_eq!((path.as_str(), bytes.len() as u64), ("/data", FILE_LEN));
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    assert_eq!((word(0), word(0x1000)), (5, 6));
    assert_eq!((word(8), word(0x1008)), (FILE_WORD, FILE_WORD));
}

#[test]
fn a_mapping_that_is_only_read_leaves_the_file_alone() {
    let script = [
        &open(Isa::X86_64, "/data", OpenFlags::RDWR)[..],
        &map(READ_WRITE, SHARED),
        &migrate(1),
        &holds(AREA, FILE_WORD),
        &[exit_group(0)],
    ];
    let cluster = Setup::mixed(2).run_clean(script.concat());
    assert_eq!(cluster.kernels[0].fs.changes(), Ok(vec![]));
}

#[test]
fn what_a_truncated_file_had_does_not_come_back() {
    run(&[
        &new_file(Isa::X86_64),
        &map(READ_WRITE, SHARED),
        &migrate(1),
        &store(AREA + 8, 5),
        &gives(call(Sysno::Ftruncate, &[3, 8]), 0),
        &gives(call(Sysno::Ftruncate, &[3, 16]), 0),
        &file_holds(8, 0),
        &holds(AREA + 8, 0),
        &holds(AREA, 1),
    ]);
}

#[test]
fn zero_is_memory() {
    for flags in [PRIVATE, SHARED] {
        run(&[
            &open(Isa::X86_64, "/dev/zero", OpenFlags::RDWR),
            &map(READ_WRITE, flags),
            &store(AREA, 5),
            &migrate(1),
            &holds(AREA, 5),
            &holds(AREA + 8, 0),
            &gives(map_at(OTHER, READ_WRITE, flags, 3), OTHER),
            &store(OTHER, 6),
            &migrate(0),
            &holds(OTHER, 6),
        ]);
    }
}

#[test]
fn errors_are_the_same_at_home_and_away() {
    let read_only = open(Isa::X86_64, "/data", OpenFlags::empty());
    let write_only = [
        text(NAME, "/tmp/g"),
        gives(
            call(
                Sysno::Openat,
                &[
                    CWD,
                    NAME,
                    u64::from((OpenFlags::WRONLY | OpenFlags::CREAT).encode(Isa::X86_64)),
                    0o600,
                ],
            ),
            4,
        )
        .to_vec(),
    ]
    .concat();
    let pipe = gives(call(Sysno::Pipe2, &[BUFFER, 0]), 0);
    let directory = [
        text(NAME, "/tmp"),
        gives(call(Sysno::Openat, &[CWD, NAME, 0, 0]), 7).to_vec(),
    ]
    .concat();
    let checks = [
        fails(map_at(AREA, READ_WRITE, SHARED, 3), Errno::EACCES),
        fails(map_at(AREA, READ, PRIVATE, 4), Errno::EACCES),
        fails(map_at(AREA, READ_WRITE, SHARED, 4), Errno::EACCES),
        fails(map_at(AREA, READ, PRIVATE, 5), Errno::ENODEV),
        fails(map_at(AREA, READ_WRITE, SHARED, 5), Errno::EACCES),
        fails(map_at(AREA, READ, PRIVATE, 6), Errno::EACCES),
        fails(map_at(AREA, READ, PRIVATE, 7), Errno::ENODEV),
        fails(map_at(AREA, READ, PRIVATE, 9), Errno::EBADF),
        fails(map_at(AREA, READ, 0, 3), Errno::EINVAL),
        fails(map_at(AREA, READ, ANONYMOUS, 3), Errno::EINVAL),
        fails(
            map_at(AREA, READ, SHARED | PRIVATE | ANONYMOUS, 3),
            Errno::EINVAL,
        ),
        fails(map_at(AREA, READ, 4, 3), Errno::EINVAL),
        fails(
            map_at(AREA, READ, SHARED | PRIVATE | 0x10_0000, 3),
            Errno::EOPNOTSUPP,
        ),
        fails(map_at(AREA + 8, READ, PRIVATE | FIXED, 3), Errno::EINVAL),
        fails(map_at(AREA, READ, PRIVATE | 0x100, 3), Errno::EINVAL),
        fails(
            call(Sysno::Mmap, &[AREA, 0, READ, PRIVATE, 3, 0]),
            Errno::EINVAL,
        ),
        fails(
            call(Sysno::Mmap, &[AREA, LEN, READ, PRIVATE, 3, 8]),
            Errno::EINVAL,
        ),
        gives(map_at(AREA, READ, SHARED, 3), AREA),
        fails(
            call(Sysno::Mprotect, &[AREA, LEN, READ_WRITE]),
            Errno::EACCES,
        ),
        gives(call(Sysno::Munmap, &[AREA, LEN]), 0),
    ]
    .concat();
    run(&[
        &read_only,
        &write_only,
        &pipe,
        &directory,
        &checks,
        &migrate(1),
        &checks,
    ]);
}

#[test]
fn a_guest_of_k52_has_no_descriptors() {
    let script = [
        &open(Isa::X86_64, "/data", OpenFlags::empty())[..],
        &migrate(1),
        &fails(map_at(AREA, READ, PRIVATE, 3), Errno::EBADF),
        &[exit_group(0)],
    ];
    let k52 = Setup::mixed(2).with(|s| s.profile = Profile::K52);
    k52.run_clean(script.concat());
}
