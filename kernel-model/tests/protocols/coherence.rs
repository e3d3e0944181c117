//! One memory: whatever takes a range of a distributed process away, or puts something else there, does so on every node, whoever asks and
//! whoever holds the pages.

use isa::Errno;
use isa::syscall::Sysno;
use msglayer::SimDuration;

use crate::support::script::{
    BSS, DATA_END, Imm, Ret, Sp, V, call, exit_group, migrate, spin_until,
};
use crate::support::{Cluster, Op, Setup};

const NODES: u64 = 3;
/// Where the tests map, and how much; the page that they look at is not the first one.
const AREA: u64 = 0x1000_0000;
const LEN: u64 = 0x4000;
const WORD: u64 = AREA + 0x1000;
/// Where mappings are moved to.
const OTHER: u64 = 0x2000_0000;

const NONE: u64 = 0;
const READ: u64 = 1;
const READ_WRITE: u64 = 3;
const PRIVATE_ANON: u64 = 0x22;
const FIXED: u64 = 0x10;
const MADV_DONTNEED: u64 = 4;
const MADV_FREE: u64 = 8;
const MADV_RELEASE: u64 = 20;
const MREMAP_MAYMOVE: u64 = 1;
const MREMAP_FIXED: u64 = 2;

fn ok(sysno: Sysno, args: &[u64]) -> Vec<Op> {
    vec![call(sysno, args), Op::Expect(Ret, Imm(0))]
}

fn gives(sysno: Sysno, args: &[u64], value: u64) -> Vec<Op> {
    vec![call(sysno, args), Op::Expect(Ret, Imm(value))]
}

fn map(addr: u64, len: u64, flags: u64) -> Vec<Op> {
    let args = [addr, len, READ_WRITE, PRIVATE_ANON | flags, u64::MAX, 0];
    gives(Sysno::Mmap, &args, addr)
}

fn reads(addr: u64, value: u64) -> [Op; 2] {
    [Op::Load(0, Imm(addr)), Op::Expect(V(0, 0), Imm(value))]
}

/// A thread on a tour of the nodes.
struct Tour {
    script: Vec<Op>,
    at: u64,
}

impl Tour {
    fn new() -> Self {
        Self {
            script: Vec::new(),
            at: 0,
        }
    }

    fn go(mut self, nid: u64) -> Self {
        if self.at != nid {
            self.script.extend(migrate(nid));
            self.at = nid;
        }
        self
    }

    fn does(mut self, ops: impl IntoIterator<Item = Op>) -> Self {
        self.script.extend(ops);
        self
    }

    /// Every node reads `value`, then every node adds one, then every node sees them all.
    fn one_memory(mut self, addr: u64, value: u64) -> Self {
        for nid in 0..NODES {
            self = self.go(nid).does(reads(addr, value));
        }
        for nid in 0..NODES {
            self = self.go(nid).does([Op::FetchAdd(0, Imm(addr), Imm(1))]);
        }
        for nid in 0..NODES {
            self = self.go(nid).does(reads(addr, value + NODES));
        }
        self
    }

    fn run(self) -> Cluster {
        let end = self.does([exit_group(0)]);
        Setup::mixed(NODES as usize).run_clean(end.script)
    }
}

/// For every node that owns the page, every other that has a copy too (or none has), and every node that acts.
fn everybody(mut check: impl FnMut(u64, Option<u64>, u64)) {
    for owner in 0..NODES {
        for reader in (0..NODES).map(Some).chain([None]) {
            for actor in 0..NODES {
                check(owner, reader, actor);
            }
        }
    }
}

/// The page at `addr` is 7, written by `owner`, read by `reader`; then `actor` acts.
fn scene(start: Vec<Op>, addr: u64, owner: u64, reader: Option<u64>, actor: u64) -> Tour {
    let mut tour = Tour::new()
        .does(start)
        .go(owner)
        .does([Op::Store(Imm(addr), Imm(7))]);
    if let Some(reader) = reader {
        tour = tour.go(reader).does(reads(addr, 7));
    }
    tour.go(actor)
}

/// `acts` of any node drop what was there: everybody reads zero afterwards.
fn drops(acts: &[Op]) {
    everybody(|owner, reader, actor| {
        scene(map(AREA, LEN, 0), WORD, owner, reader, actor)
            .does(acts.to_vec())
            .one_memory(WORD, 0)
            .run();
    });
}

#[test]
fn a_fixed_mapping_replaces_memory_on_every_node() {
    drops(&map(AREA, LEN, FIXED));
    // A part of it, too.
    drops(&map(WORD, 0x1000, FIXED));
}

#[test]
fn what_is_unmapped_and_mapped_again_is_new_on_every_node() {
    let mut acts = ok(Sysno::Munmap, &[AREA, LEN]);
    acts.extend(map(AREA, LEN, 0));
    drops(&acts);
}

#[test]
fn dropped_pages_read_as_zeroes_on_every_node() {
    drops(&ok(Sysno::Madvise, &[AREA, LEN, MADV_DONTNEED]));
    drops(&ok(Sysno::Madvise, &[AREA, LEN, MADV_FREE]));
}

#[test]
fn a_heap_that_shrinks_and_grows_is_new_on_every_node() {
    let (end, word) = (DATA_END + 0x3000, DATA_END + 0x1000);
    let start = gives(Sysno::Brk, &[end], end);
    let mut acts = gives(Sysno::Brk, &[word], word);
    acts.extend(gives(Sysno::Brk, &[end], end));
    everybody(|owner, reader, actor| {
        scene(start.clone(), word, owner, reader, actor)
            .does(acts.clone())
            .one_memory(word, 0)
            .run();
    });
}

#[test]
fn released_pages_keep_their_contents() {
    everybody(|owner, reader, actor| {
        scene(map(AREA, LEN, 0), WORD, owner, reader, actor)
            .does(ok(Sysno::Madvise, &[AREA, LEN, MADV_RELEASE]))
            .go(owner)
            .does([Op::Store(Imm(WORD), Imm(8))])
            .one_memory(WORD, 8)
            .run();
    });
}

#[test]
fn protection_taken_and_given_back_changes_no_contents() {
    for prot in [NONE, READ] {
        everybody(|owner, reader, actor| {
            scene(map(AREA, LEN, 0), WORD, owner, reader, actor)
                .does(ok(Sysno::Mprotect, &[AREA, LEN, prot]))
                .go((actor + 1) % NODES)
                .does(ok(Sysno::Mprotect, &[AREA, LEN, READ_WRITE]))
                .one_memory(WORD, 7)
                .run();
        });
    }
}

#[test]
fn mprotect_changes_what_lies_before_a_hole_on_every_node() {
    for actor in 0..NODES {
        let mut tour = Tour::new().does(map(AREA, LEN, 0));
        for nid in 0..NODES {
            tour = tour.go(nid).does([Op::FetchAdd(0, Imm(AREA), Imm(1))]);
            tour = tour.does([Op::FetchAdd(0, Imm(AREA + 0x3000), Imm(1))]);
        }
        tour = tour.go(actor).does(ok(Sysno::Munmap, &[WORD, 0x1000]));
        tour = tour.does([
            call(Sysno::Mprotect, &[AREA, LEN, READ]),
            Op::ExpectErr(Errno::ENOMEM),
        ]);
        // The checker compares the nodes' areas; what lies behind the hole is as it was.
        tour.one_memory(AREA + 0x3000, NODES).run();
    }
}

#[test]
fn a_moved_mapping_takes_its_contents_along() {
    let moves: [(&[u64], u64); 3] = [
        // To where there is more room: the neighbour is in the way.
        (&[AREA, LEN, 2 * LEN, MREMAP_MAYMOVE, 0], 0),
        (
            &[AREA, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, OTHER],
            OTHER,
        ),
        // A part of it, over something that everybody has.
        (
            &[
                WORD,
                0x1000,
                0x2000,
                MREMAP_MAYMOVE | MREMAP_FIXED,
                OTHER + 0x1000,
            ],
            OTHER + 0x1000,
        ),
    ];
    for (args, wanted) in moves {
        everybody(|owner, reader, actor| {
            let mut start = map(AREA, LEN, 0);
            start.extend(map(AREA + LEN, 0x1000, 0));
            start.extend(map(OTHER, LEN, 0));
            start.push(Op::Store(Imm(OTHER + 0x1000), Imm(1)));
            let from = args[0];
            let mut tour = scene(start, WORD, owner, reader, actor).does([
                call(Sysno::Mremap, args),
                Op::Set(3, Ret),
                Op::Expect(Ret, if wanted == 0 { Ret } else { Imm(wanted) }),
            ]);
            for nid in 0..NODES {
                tour = tour.go(nid).does([
                    Op::Load(0, V(3, (WORD - from) as i64)),
                    Op::Expect(V(0, 0), Imm(7)),
                    // Nothing is left where it was.
                    call(Sysno::ClockGettime, &[1, WORD]),
                    Op::ExpectErr(Errno::EFAULT),
                ]);
            }
            for nid in 0..NODES {
                tour = tour.go(nid).does([
                    Op::FetchAdd(0, V(3, (WORD - from) as i64), Imm(1)),
                    Op::Expect(V(0, 0), Imm(7 + nid)),
                ]);
            }
            tour.run();
        });
    }
}

#[test]
fn a_mapping_grows_and_shrinks_in_place_from_any_node() {
    for actor in 0..NODES {
        scene(map(AREA, LEN, 0), WORD, 1, Some(2), actor)
            .does(gives(Sysno::Mremap, &[AREA, LEN, 0x1000, 0, 0], AREA))
            .does(gives(Sysno::Mremap, &[AREA, 0x1000, LEN, 0, 0], AREA))
            .one_memory(WORD, 0)
            .run();
    }
}

/// A thread on node 1 looks at an area all the time while node `actor` takes it away and puts it back; nobody may keep what is gone.
fn watched(actor: u64, latency_ns: u64, cpus: u16, change: &[Op]) {
    const STACK: u64 = BSS + 0x1_2000;
    const STOP: u64 = BSS + 0x800;
    let mut script = map(AREA, LEN, 0);
    for (n, mark) in ["watcher", "busy", "busy", "watcher"]
        .into_iter()
        .enumerate()
    {
        let stack = STACK + 0x2000 * n as u64;
        let clear_tid = Imm(0);
        let stack = Imm(stack);
        script.extend([Op::Clone { stack, clear_tid }, Op::IfEq(Ret, Imm(0), mark)]);
    }
    script.extend(spin_until(Imm(STOP), 1, "the watcher is there"));
    if actor != 0 {
        script.extend(migrate(actor));
    }
    script.extend([Op::Set(2, Imm(0)), Op::Set(3, Imm(0)), Op::Mark("again")]);
    script.extend(change.to_vec());
    // Each round waits a little longer, so that the change meets all moments of a fetch.
    script.extend([
        Op::Store(Sp(-16), Imm(0)),
        Op::Store(Sp(-8), V(3, 0)),
        Op::Call(Sysno::Nanosleep, vec![Sp(-16), Imm(0)]),
        Op::Add(3, Imm(latency_ns / 4)),
    ]);
    script.extend([
        Op::Add(2, Imm(1)),
        Op::IfEq(V(2, 0), Imm(16), "enough"),
        Op::Goto("again"),
        Op::Mark("enough"),
        exit_group(0),
        Op::Mark("watcher"),
    ]);
    script.extend(migrate(1));
    script.extend([
        Op::Store(Imm(STOP), Imm(1)),
        Op::Mark("look"),
        // EFAULT or not: no signal.
        call(Sysno::ClockGettime, &[1, WORD]),
        call(Sysno::SchedYield, &[]),
        Op::Goto("look"),
        // Keep vCPUs of the guest from the watcher, so that the worker overtakes it.
        Op::Mark("busy"),
    ]);
    script.extend(migrate(1));
    script.extend([Op::Mark("round"), Op::Goto("round")]);
    Setup::mixed(3)
        .with(|s| {
            s.latency = Some(SimDuration::from_ns(latency_ns));
            s.cpus = cpus;
            s.quantum = 3;
            s.time_slice = SimDuration::from_us(20);
        })
        .run_clean(script);
}

#[test]
fn a_fetch_under_way_does_not_bring_back_what_is_gone() {
    let mut gone = ok(Sysno::Munmap, &[AREA, LEN]);
    gone.extend(map(AREA, LEN, 0));
    let mut protected = ok(Sysno::Mprotect, &[AREA, LEN, NONE]);
    protected.extend(ok(Sysno::Mprotect, &[AREA, LEN, READ_WRITE]));
    let changes = [
        gone,
        protected,
        map(AREA, LEN, FIXED),
        ok(Sysno::Madvise, &[AREA, LEN, MADV_DONTNEED]),
        ok(Sysno::Madvise, &[AREA, LEN, MADV_RELEASE]),
    ];
    for change in &changes {
        for actor in 0..3 {
            for (n, latency) in [50, 500, 1_000, 2_000, 3_000, 5_000, 8_000, 13_000, 20_000]
                .into_iter()
                .enumerate()
            {
                watched(actor, latency, 1 + (actor as u16 + n as u16) % 3, change);
            }
        }
    }
}
