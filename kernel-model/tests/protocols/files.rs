//! File calls of remote threads: home's files, home's working directory, home's pipes, whatever node the thread is on.

use isa::layout::OpenFlags;
use isa::syscall::Sysno;
use isa::{Errno, Isa};

use crate::support::script::{BSS, Imm, Ret, V, call, exit_group, migrate};
use crate::support::{Op, Outcome, Setup};

const PAIRS: [[Isa; 2]; 2] = [[Isa::X86_64, Isa::Aarch64], [Isa::Aarch64, Isa::X86_64]];

const NAME: u64 = BSS + 0x1000;
const OTHER: u64 = BSS + 0x1100;
const BUFFER: u64 = BSS + 0x1200;
const CWD: u64 = -100_i64 as u64;

/// Stores up to eight bytes and zeros behind.
fn text(at: u64, text: &str) -> [Op; 2] {
    let mut bytes = [0; 8];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    [
        Op::Store(Imm(at), Imm(u64::from_le_bytes(bytes))),
        Op::Store(Imm(at + 8), Imm(0)),
    ]
}

fn gives(op: Op, value: u64) -> [Op; 2] {
    [op, Op::Expect(Ret, Imm(value))]
}

fn holds(at: u64, value: u64) -> [Op; 2] {
    [Op::Load(0, Imm(at)), Op::Expect(V(0, 0), Imm(value))]
}

#[test]
fn a_guest_works_in_the_files_of_home() {
    for isas in PAIRS {
        // Flags differ between the instruction sets: those of the caller count.
        let flags = |isa: Isa, flags: OpenFlags| u64::from(flags.encode(isa));
        let new = OpenFlags::RDWR | OpenFlags::CREAT | OpenFlags::LARGEFILE;
        let open = |isa, flags_of| call(Sysno::Openat, &[CWD, NAME, flags(isa, flags_of), 0o600]);
        let script = [
            &text(NAME, "/d")[..],
            &migrate(1),
            &gives(call(Sysno::Mkdirat, &[CWD, NAME, 0o700]), 0),
            &gives(call(Sysno::Chdir, &[NAME]), 0),
            &gives(open(isas[1], OpenFlags::DIRECTORY), 3),
            &gives(call(Sysno::Close, &[3]), 0),
            &text(NAME, "f"),
            &gives(open(isas[1], new), 3),
            &text(BUFFER, "01234567"),
            &gives(call(Sysno::Write, &[3, BUFFER, 8]), 8),
            &gives(call(Sysno::Pwrite64, &[3, BUFFER, 4, 6]), 4),
            // Home goes on where the guest was, and the other way round.
            &migrate(0),
            &gives(call(Sysno::Lseek, &[3, 0, 1]), 8),
            &gives(call(Sysno::Pread64, &[3, BUFFER, 8, 2]), 8),
            &holds(BUFFER, u64::from_le_bytes(*b"23450123")),
            &gives(call(Sysno::Getcwd, &[BUFFER, 64]), 3),
            &text(OTHER, "g"),
            &migrate(1),
            &gives(call(Sysno::Renameat2, &[CWD, NAME, CWD, OTHER, 0]), 0),
            &[
                open(isas[1], OpenFlags::empty()),
                Op::ExpectErr(Errno::ENOENT),
            ],
            &gives(call(Sysno::Getcwd, &[BUFFER, 64]), 3),
            &gives(call(Sysno::Ftruncate, &[3, 3]), 0),
            &gives(call(Sysno::Pread64, &[3, BUFFER, 64, 1]), 2),
            &gives(call(Sysno::Faccessat, &[CWD, OTHER, 4]), 0),
            &gives(call(Sysno::Statx, &[CWD, OTHER, 0, 0x7ff, BUFFER]), 0),
            &holds(BUFFER + 40, 3),
            &gives(call(Sysno::Unlinkat, &[CWD, OTHER, 0]), 0),
            &gives(call(Sysno::Umask, &[0]), 0o022),
            &migrate(0),
            &gives(call(Sysno::Umask, &[0]), 0),
            &[
                call(Sysno::Unlinkat, &[CWD, OTHER, 0]),
                Op::ExpectErr(Errno::ENOENT),
            ],
            &[exit_group(0)],
        ];
        let (outcome, cluster) = Setup::new(&isas).run(script.concat());
        assert_eq!(outcome, Outcome::exited(0), "{isas:?}");
        cluster.assert_clean();
    }
}

#[test]
fn a_guest_reads_a_directory_and_a_pipe() {
    for isas in PAIRS {
        let script = [
            &text(NAME, "/d")[..],
            &gives(call(Sysno::Mkdirat, &[CWD, NAME, 0o700]), 0),
            &migrate(1),
            &gives(call(Sysno::Openat, &[CWD, NAME, 0, 0]), 3),
            &gives(call(Sysno::Getdents64, &[3, BUFFER, 512]), 48),
            &gives(call(Sysno::Pipe2, &[OTHER, 0]), 0),
            &holds(OTHER, 4 | 5 << 32),
            &text(BUFFER, "throughs"),
            &gives(call(Sysno::Write, &[5, BUFFER, 8]), 8),
            &migrate(0),
            &gives(call(Sysno::Read, &[4, BUFFER + 0x100, 64]), 8),
            &holds(BUFFER + 0x100, u64::from_le_bytes(*b"throughs")),
            // A descriptor that can be read from without waiting, asked from afar.
            &gives(call(Sysno::Write, &[5, BUFFER, 1]), 1),
            &migrate(1),
            &[
                Op::Store(Imm(BUFFER), Imm(4 | 1 << 32)),
                Op::Store(Imm(BUFFER + 8), Imm(0)),
                Op::Store(Imm(BUFFER + 16), Imm(0)),
            ],
            &gives(call(Sysno::Ppoll, &[BUFFER, 1, BUFFER + 8, 0, 0]), 1),
            &holds(BUFFER, 4 | 1 << 32 | 1 << 48),
            &[exit_group(0)],
        ];
        let (outcome, cluster) = Setup::new(&isas).run(script.concat());
        assert_eq!(outcome, Outcome::exited(0), "{isas:?}");
        cluster.assert_clean();
    }
}
