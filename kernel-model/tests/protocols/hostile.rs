//! Guests that mean harm, away from home: the twin of the single node's test. A thread goes to another node and makes calls with any arguments, over
//! links that keep some messages longer than others. No kernel breaks, everything is given back, and each call gives what it gives at home.
//!
//! A case is a number: `KETTLE_SOAK_FIRST` and `KETTLE_SOAK_SEEDS` say which ones the ignored test tries.

use std::panic::{AssertUnwindSafe, catch_unwind};

use isa::Isa;
use isa::syscall::Sysno;
use msglayer::{SimDuration, SimTime};
use rand_core::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use crate::support::script::{BSS, CODE, DATA, Imm, call, exit_group, migrate};
use crate::support::{Op, Outcome, Setup, What};

/// Strings, lengths of time, a list of buffers and a signal set, for calls that look at them.
const PROG: u64 = BSS + 0x100;
const TMP: u64 = BSS + 0x110;
const DOT: u64 = BSS + 0x120;
/// A path without an end, up to the end of the page behind.
const LONG: u64 = BSS + 0x2000;
const LONG_LEN: u64 = 0x1100;
const SHORT_TIME: u64 = BSS + 0x140;
const NEGATIVE_TIME: u64 = BSS + 0x150;
const VECTOR: u64 = BSS + 0x160;
const SIGNALS: u64 = BSS + 0x180;
const BUFFER: u64 = BSS + 0x400;

const EDGES: &[u64] = &[
    0,
    1,
    2,
    3,
    4,
    8,
    16,
    24,
    0x22,
    0x32,
    0x80,
    128,
    129,
    132,
    137,
    4095,
    4096,
    8192,
    CODE,
    DATA,
    DATA + 0xffc,
    DATA + 0x1000,
    BSS + 0xfff,
    PROG,
    TMP,
    DOT,
    LONG,
    SHORT_TIME,
    NEGATIVE_TIME,
    VECTOR,
    SIGNALS,
    BUFFER,
    0x7000_0000,
    0x7fff_ffff_f000,
    0x8000_0000_0000,
    1 << 31,
    u32::MAX as u64,
    (1 << 32) + 5,
    1 << 63,
    u64::MAX - 4095,
    u64::MAX - 99,
    u64::MAX,
];

/// Calls whose result says nothing about time, pids or the node, and that both ISAs have.
const COMPARED: &[Sysno] = {
    use Sysno::*;
    &[
        Futex,
        Write,
        Writev,
        Read,
        Readv,
        Openat,
        Close,
        Fstat,
        Newfstatat,
        Statx,
        Lseek,
        Ioctl,
        Fcntl,
        Dup,
        Dup3,
        Pipe2,
        Ppoll,
        Faccessat,
        Readlinkat,
        Getdents64,
        Getcwd,
        Chdir,
        Fchdir,
        Mkdirat,
        Unlinkat,
        Renameat,
        Renameat2,
        Linkat,
        Symlinkat,
        Truncate,
        Ftruncate,
        Fsync,
        Umask,
        Fchmod,
        Fchmodat,
        Fchown,
        Fchownat,
        Utimensat,
        Statfs,
        Fstatfs,
        Sync,
        Msync,
        SetRobustList,
        GetRobustList,
        SchedGetaffinity,
        Getcpu,
        Nanosleep,
        ClockNanosleep,
        ClockGettime,
        ClockGetres,
        Gettimeofday,
        RtSigaction,
        RtSigprocmask,
        RtSigpending,
        RtSigtimedwait,
        Sigaltstack,
        Kill,
        Tkill,
        Tgkill,
        RtSigqueueinfo,
        Getitimer,
        Getppid,
        Getuid,
        Geteuid,
        Getgid,
        Getegid,
        Uname,
        Getrandom,
        Prlimit64,
        Sysinfo,
        Getrusage,
        Wait4,
        Pread64,
        Pwrite64,
        Preadv,
        Pwritev,
        Clone,
    ]
};

/// What else a thread may try: every call there is. Some end the process, make a thread that runs the same script, or never return.
fn any_call(draw: &mut Xoshiro256PlusPlus) -> Sysno {
    let calls: Vec<_> = Sysno::all()
        .filter(|call| Isa::ALL.iter().all(|isa| call.number(*isa).is_some()))
        .collect();
    *pick(draw, &calls)
}

fn pick<'a, T>(draw: &mut Xoshiro256PlusPlus, from: &'a [T]) -> &'a T {
    &from[(draw.next_u64() % from.len() as u64) as usize]
}

fn argument(draw: &mut Xoshiro256PlusPlus) -> u64 {
    match draw.next_u64() % 8 {
        0 => draw.next_u64(),
        1 => draw.next_u64() % 64,
        _ => *pick(draw, EDGES),
    }
}

/// A case.
#[derive(Debug)]
struct Case {
    home: Isa,
    guest: Isa,
    cpus: u16,
    jitter_us: u64,
    seed: u64,
    calls: Vec<(Sysno, [u64; 6])>,
    /// Whether the results can be compared with those of the same calls at home.
    compare: bool,
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut draw = Xoshiro256PlusPlus::seed_from_u64(seed);
        let compare = draw.next_u64() % 3 > 0;
        let count = 1 + draw.next_u64() % 40;
        let calls = (0..count).map(|_| {
            let sysno = match compare {
                true => *pick(&mut draw, COMPARED),
                false => any_call(&mut draw),
            };
            let mut args = [(); 6].map(|()| argument(&mut draw));
            if compare && sysno == Sysno::Clone {
                // Only such as make no thread: a process, or what is not to be had.
                args[0] &= !u64::from(CLONE_THREAD);
            }
            (sysno, args)
        });
        let calls = calls.collect();
        Self {
            home: *pick(&mut draw, &Isa::ALL),
            guest: *pick(&mut draw, &Isa::ALL),
            cpus: 1 + (draw.next_u64() % 2) as u16,
            jitter_us: *pick(&mut draw, &[0, 5, 60]),
            seed,
            calls,
            compare,
        }
    }

    fn script(&self, away: bool) -> Vec<Op> {
        let text = |text: &[u8; 8]| Imm(u64::from_le_bytes(*text));
        let mut script = vec![
            Op::Store(Imm(PROG), text(b"/prog\0\0\0")),
            Op::Store(Imm(TMP), text(b"/tmp/f\0\0")),
            Op::Store(Imm(DOT), text(b".\0\0\0\0\0\0\0")),
            Op::Store(Imm(SHORT_TIME), Imm(0)),
            Op::Store(Imm(SHORT_TIME + 8), Imm(5_000)),
            Op::Store(Imm(NEGATIVE_TIME), Imm(u64::MAX)),
            Op::Store(Imm(VECTOR), Imm(BUFFER)),
            Op::Store(Imm(VECTOR + 8), Imm(24)),
            Op::Store(Imm(SIGNALS), Imm(1 << 9)),
        ];
        script.extend((0..LONG_LEN / 8).map(|n| Op::Store(Imm(LONG + 8 * n), text(b"/aaaaaaa"))));
        if away {
            script.extend(migrate(1));
        }
        script.extend(self.calls.iter().map(|(sysno, args)| call(*sysno, args)));
        script.push(exit_group(0));
        script
    }

    fn setup(&self, isas: &[Isa]) -> Setup {
        Setup::new(isas).with(|s| {
            s.cpus = self.cpus;
            s.seed = self.seed;
            s.jitter = SimDuration::from_us(self.jitter_us);
            s.max_tasks = 40;
            s.max_time = Some(SimTime::ZERO + SimDuration::from_secs(2_000));
        })
    }

    /// Runs it away, and, if that says anything, at home on a node of the guest's ISA.
    fn run(&self) {
        let (outcome, cluster) = self.setup(&[self.home, self.guest]).run(self.script(true));
        if matches!(outcome, Outcome::Exited(_)) {
            cluster.assert_clean();
        }
        assert!(!matches!(outcome, Outcome::Halted(..)), "{outcome:?}");
        if !self.compare {
            return;
        }
        let away = calls(&cluster, 1);
        drop(cluster);
        let (outcome_at_home, cluster) = self.setup(&[self.guest]).run(self.script(false));
        let home = calls(&cluster, 0);
        for (n, (away, home)) in away.iter().zip(&home).enumerate() {
            assert_eq!(
                away, home,
                "call {n}, {:x?}, away and at home",
                self.calls[n]
            );
        }
        // A long sleep: what comes behind it is not waited for.
        if outcome == Outcome::Unfinished {
            return;
        }
        assert_eq!(
            away.len(),
            home.len(),
            "{outcome:?}, at home {outcome_at_home:?}"
        );
        let ended = |outcome: Outcome| match outcome {
            Outcome::Exited(status) => Some(status),
            _ => None,
        };
        assert_eq!(ended(outcome), ended(outcome_at_home));
    }
}

const CLONE_THREAD: u32 = 0x1_0000;

/// The calls of a node's threads with their results, without those that a script makes for itself.
fn calls(cluster: &crate::support::Cluster, node: usize) -> Vec<(String, u64)> {
    cluster.recorder.pick(|nid, what| match what {
        What::Call { name, ret, .. } if nid.index() == node && name != "exit_group" => {
            Some((name.clone(), *ret))
        }
        _ => None,
    })
}

/// Tries them all; says of each that fails why, and how to do it again.
fn try_seeds(seeds: std::ops::Range<u64>) {
    let mut failed = Vec::new();
    for seed in seeds {
        let case = Case::new(seed);
        if catch_unwind(AssertUnwindSafe(|| case.run())).is_err() {
            eprintln!(
                "seed {seed} fails: {case:x?}\n\
                 again: KETTLE_SOAK_FIRST={seed} KETTLE_SOAK_SEEDS=1 cargo test -p kernel-model --test protocols -- --ignored soak_hostile"
            );
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "seeds that fail: {failed:?}");
}

#[test]
fn calls_with_any_arguments_are_as_harmless_away_as_at_home() {
    try_seeds(0..150);
}

#[test]
#[ignore = "takes as long as it is told to"]
#[expect(
    clippy::disallowed_methods,
    reason = "which seeds to try is the caller's choice, and the only thing that the environment says"
)]
fn soak_hostile() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let first = number("KETTLE_SOAK_FIRST").unwrap_or(0);
    let count = number("KETTLE_SOAK_SEEDS").unwrap_or(1_000);
    try_seeds(first..first.saturating_add(count));
}
