//! Random programs whose threads map, unmap, replace, protect, advise, move and use memory while they hop between the nodes, held against one
//! flat memory at every load and store, with the cluster's invariants checked all the time.
//!
//! A program has as many phases as barriers. In a phase each region of memory belongs to one thread, which alone changes and uses it; the
//! regions go round between phases. What all threads use at once are the words of [`SHARED`], with loads and atomic additions, and any thread
//! may look into any region at any time by a system call that fails one way or the other. So nothing that is compared is a race of the program.

use isa::Errno;
use isa::syscall::Sysno;
use msglayer::SimDuration;

use crate::support::script::{
    BSS, DATA_END, Imm, Ret, SHARED, Sp, V, call, exit, exit_group, migrate,
};
use crate::support::{Draws, Op, Outcome, Setup};

const PAGE: u64 = 0x1000;
/// Pages of a region; its second half of as many is where mappings move to and from.
const PAGES: u64 = 6;
const SLOTS: u64 = 2 * PAGES;
const ARENA: u64 = 0x4000_0000;
/// Regions are neighbours, so that areas of different threads become one.
const REGION_LEN: u64 = SLOTS * PAGE;
const MAX_THREADS: usize = 4;
const HEAP: u64 = DATA_END;

const NONE: u64 = 0;
const READ: u64 = 1;
const READ_WRITE: u64 = 3;
const PRIVATE_ANON: u64 = 0x22;
const PRIVATE_ANON_FIXED: u64 = 0x32;
const MAYMOVE_FIXED: u64 = 3;

/// Runs the program of one seed. Panics when it goes wrong, and says how to see that again.
fn run(seed: u64) {
    let _told = Repeat(seed);
    let mut draws = Draws(seed);
    let nodes = 2 + draws.below(3);
    let threads = 2 + draws.below(MAX_THREADS as u64 - 1) as usize;
    let latency = [50, 1_000, 3_000, 8_000, 40_000][draws.below(5) as usize];
    let setup = Setup::mixed(nodes as usize).with(|s| {
        s.cpus = 1 + draws.below(3) as u16;
        s.quantum = [3, 20, 100][draws.below(3) as usize];
        s.latency = Some(SimDuration::from_ns(latency));
        s.jitter = SimDuration::from_ns(draws.below(2 * latency) + 1);
        s.time_slice = SimDuration::from_us(100);
        s.seed = seed;
        s.frames = 512;
        s.watched = vec![
            ARENA..ARENA + threads as u64 * REGION_LEN,
            HEAP..HEAP + PAGES * PAGE,
        ];
        s.max_actions = 5_000_000;
    });
    let program = Program::draw(&mut draws, nodes, threads);
    let (outcome, cluster) = setup.run(program);
    assert_eq!(
        outcome,
        Outcome::exited(0),
        "{}",
        cluster.recorder.logs().join("\n")
    );
    cluster.assert_clean();
}

/// Says how to repeat a seed, if it ends by a panic.
struct Repeat(u64);

impl Drop for Repeat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "seed {0} failed; to repeat it: cargo xtask soak --first {0} --seeds 1 soak_memory",
                self.0
            );
        }
    }
}

/// A range of memory that one thread at a time changes: what may be done with each page is known when the program is made.
struct Region {
    /// First address.
    base: u64,
    /// Protection of each page, `None` where nothing is mapped.
    prot: Vec<Option<u64>>,
    /// The heap: brk decides what is mapped.
    heap: bool,
}

impl Region {
    fn page(&self, slot: u64) -> u64 {
        self.base + slot * PAGE
    }

    /// The longest run of pages with one protection from `slot` on, and that protection.
    fn run_at(&self, slot: u64) -> Option<(u64, u64)> {
        let prot = (*self.prot.get(slot as usize)?)?;
        let same = self.prot[slot as usize..]
            .iter()
            .take_while(|p| **p == Some(prot));
        Some((same.count() as u64, prot))
    }

    fn mapped_slots(&self, at_least: u64) -> Vec<u64> {
        let slots = 0..self.prot.len() as u64;
        slots
            .filter(|slot| self.prot[*slot as usize].is_some_and(|prot| prot >= at_least))
            .collect()
    }

    fn set(&mut self, slot: u64, len: u64, prot: Option<u64>) {
        self.prot[slot as usize..(slot + len) as usize].fill(prot);
    }
}

/// A program that is being made.
struct Program<'a> {
    draws: &'a mut Draws,
    nodes: u64,
    script: Vec<Op>,
    /// Where the thread is whose part is being made.
    at: u64,
    /// The next value to store, different each time.
    value: u64,
    all: Vec<(u64, u64)>,
}

impl Program<'_> {
    fn draw(draws: &mut Draws, nodes: u64, threads: usize) -> Vec<Op> {
        let phases = 2 + draws.below(3);
        let mut regions: Vec<_> = (0..threads as u64)
            .map(|n| Region {
                base: ARENA + n * REGION_LEN,
                prot: vec![None; SLOTS as usize],
                heap: false,
            })
            .collect();
        regions.push(Region {
            base: HEAP,
            prot: vec![None; PAGES as usize],
            heap: true,
        });
        let all = regions
            .iter()
            .map(|region| (region.base, region.prot.len() as u64))
            .collect();
        let mut program = Program {
            draws,
            nodes,
            script: Vec::new(),
            at: 0,
            value: 1 << 40,
            all,
        };
        for n in 1..threads {
            program.script.extend([
                Op::Clone {
                    stack: Imm(stack(n)),
                    clear_tid: Imm(0),
                },
                Op::IfEq(Ret, Imm(0), name("thread", n as u64, 0)),
            ]);
        }
        // Phase by phase, because what a region is like depends on the phase before; thread by thread in the script.
        let mut parts: Vec<(Vec<Op>, u64)> = vec![(Vec::new(), 0); threads];
        for phase in 0..phases {
            let mut given: Vec<_> = regions.iter_mut().map(Some).collect();
            for (thread, part) in parts.iter_mut().enumerate() {
                let count = regions_of(thread, threads, phase, given.len());
                let mut mine: Vec<_> = count.into_iter().filter_map(|n| given[n].take()).collect();
                std::mem::swap(&mut program.script, &mut part.0);
                program.at = part.1;
                program.phase(&mut mine, phase, thread, threads);
                part.1 = program.at;
                std::mem::swap(&mut program.script, &mut part.0);
            }
        }
        for (n, (part, at)) in parts.into_iter().enumerate() {
            if n > 0 {
                program.script.push(Op::Mark(name("thread", n as u64, 0)));
            }
            program.script.extend(part);
            program.at = at;
            // The first thread ends the process, when all have come to the last barrier.
            program
                .script
                .push(if n == 0 { exit_group(0) } else { exit(0) });
        }
        program.script
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() {
            return None;
        }
        Some(from[self.draws.below(from.len() as u64) as usize])
    }

    fn call(&mut self, sysno: Sysno, args: &[u64], result: u64) {
        self.script
            .extend([call(sysno, args), Op::Expect(Ret, Imm(result))]);
    }

    fn phase(&mut self, mine: &mut [&mut Region], phase: u64, thread: usize, threads: usize) {
        // What was there when the region was taken over is what it was when it was left.
        for region in mine.iter() {
            for slot in region.mapped_slots(READ) {
                self.load(region.page(slot));
            }
        }
        let child = self.draws.below(6) == 0;
        for _ in 0..4 + self.draws.below(10) {
            match self.draws.below(14) {
                0 | 1 => {
                    let nid = self.draws.below(self.nodes);
                    self.go(nid);
                }
                2 => self.look(),
                3 => self.share(),
                _ if !mine.is_empty() => {
                    let n = self.draws.below(mine.len() as u64) as usize;
                    self.act(mine[n]);
                }
                _ => self.look(),
            }
        }
        if child {
            self.spawn(phase, thread);
        }
        // Everybody meets.
        let counter = Imm(SHARED.end - 64 + 8 * phase);
        self.script.push(Op::FetchAdd(0, counter, Imm(1)));
        let (again, out) = (
            name("again", thread as u64, phase),
            name("out", thread as u64, phase),
        );
        self.script.extend([
            Op::Mark(again),
            Op::Load(0, counter),
            Op::IfEq(V(0, 0), Imm(threads as u64), out),
        ]);
        self.sleep(20);
        self.script.extend([Op::Goto(again), Op::Mark(out)]);
    }

    fn go(&mut self, nid: u64) {
        if self.at != nid {
            self.script.extend(migrate(nid));
            self.at = nid;
        }
    }

    fn sleep(&mut self, us: u64) {
        self.script.extend([
            Op::Store(Sp(-16), Imm(0)),
            Op::Store(Sp(-8), Imm(us * 1000)),
            Op::Call(Sysno::Nanosleep, vec![Sp(-16), Imm(0)]),
        ]);
    }

    /// A thread that looks and shares where it is born or elsewhere, and ends.
    fn spawn(&mut self, phase: u64, thread: usize) {
        let (child, after) = (
            name("child", thread as u64, phase),
            name("after", thread as u64, phase),
        );
        self.script.extend([
            Op::Clone {
                stack: Imm(stack(MAX_THREADS + thread * 4 + phase as usize)),
                clear_tid: Imm(0),
            },
            Op::IfEq(Ret, Imm(0), child),
            Op::Goto(after),
            Op::Mark(child),
        ]);
        let born = self.at;
        let nid = self.draws.below(self.nodes);
        self.go(nid);
        self.look();
        self.share();
        self.look();
        self.script.extend([exit(0), Op::Mark(after)]);
        self.at = born;
    }

    /// The kernel of this node, or of home, reads some bytes and then finds that there is nothing to do, if it can read them at all.
    fn look(&mut self) {
        let (base, slots) = self.all[self.draws.below(self.all.len() as u64) as usize];
        let addr = base + self.draws.below(slots) * PAGE;
        self.script
            .push(call(Sysno::RtSigprocmask, &[99, addr, 0, 8]));
    }

    /// Uses what everybody uses.
    fn share(&mut self) {
        let page = SHARED.start + self.draws.below(3) * PAGE;
        let word = page + 8 * self.draws.below(4);
        match self.draws.below(6) {
            0 => self.load(word),
            1 => self.call(Sysno::Mprotect, &[page, PAGE, READ_WRITE], 0),
            2 => self.call(Sysno::Madvise, &[page, PAGE, 20], 0),
            _ => self.script.push(Op::FetchAdd(0, Imm(word), Imm(1))),
        }
    }

    fn load(&mut self, page: u64) {
        let word = page + 8 * self.draws.below(3);
        self.script.push(Op::Load(0, Imm(word)));
    }

    fn store(&mut self, page: u64) {
        self.value += 1;
        let word = page + 8 * self.draws.below(3);
        self.script.push(Op::Store(Imm(word), Imm(self.value)));
    }

    /// Something with a region that is this thread's alone.
    fn act(&mut self, region: &mut Region) {
        match self.draws.below(12) {
            0..=2 => {
                if let Some(slot) = self.pick(&region.mapped_slots(READ_WRITE)) {
                    self.store(region.page(slot));
                }
            }
            3 | 4 => {
                if let Some(slot) = self.pick(&region.mapped_slots(READ)) {
                    self.load(region.page(slot));
                }
            }
            5 | 6 if region.heap => self.brk(region),
            5 | 6 => self.map(region),
            7 if !region.heap => self.unmap(region),
            8 => self.protect(region),
            9 | 10 => self.advise(region),
            11 if !region.heap => self.remap(region),
            _ => self.look(),
        }
    }

    /// A part of the region: first page and how many.
    fn part(&mut self, region: &Region) -> (u64, u64) {
        let slots = region.prot.len() as u64;
        let slot = self.draws.below(slots);
        (slot, 1 + self.draws.below(slots - slot))
    }

    fn map(&mut self, region: &mut Region) {
        let (slot, len) = self.part(region);
        let len = len.min(PAGES);
        let prot = [READ_WRITE, READ_WRITE, READ][self.draws.below(3) as usize];
        let (addr, bytes) = (region.page(slot), len * PAGE);
        let taken = &region.prot[slot as usize..(slot + len) as usize];
        let free = taken.iter().all(Option::is_none);
        let flags = if free && self.draws.below(2) == 0 {
            PRIVATE_ANON
        } else {
            PRIVATE_ANON_FIXED
        };
        self.call(Sysno::Mmap, &[addr, bytes, prot, flags, u64::MAX, 0], addr);
        self.script.push(Op::Forget(addr, bytes));
        region.set(slot, len, Some(prot));
    }

    fn unmap(&mut self, region: &mut Region) {
        let (slot, len) = self.part(region);
        let (addr, bytes) = (region.page(slot), len * PAGE);
        self.call(Sysno::Munmap, &[addr, bytes], 0);
        self.script.push(Op::Forget(addr, bytes));
        region.set(slot, len, None);
    }

    fn brk(&mut self, region: &mut Region) {
        let pages = self.draws.below(PAGES + 1);
        let end = region.base + pages * PAGE;
        self.call(Sysno::Brk, &[end], end);
        self.script.push(Op::Forget(end, (PAGES - pages) * PAGE));
        for (slot, prot) in region.prot.iter_mut().enumerate() {
            if slot as u64 >= pages {
                *prot = None;
            } else if prot.is_none() {
                *prot = Some(READ_WRITE);
            }
        }
    }

    /// A new protection; over a hole the call fails, and has changed what lies before it.
    fn protect(&mut self, region: &mut Region) {
        let Some(slot) = self.pick(&region.mapped_slots(NONE)) else {
            return;
        };
        let len = 1 + self.draws.below(region.prot.len() as u64 - slot);
        let prot = [NONE, READ, READ_WRITE, READ_WRITE][self.draws.below(4) as usize];
        let mapped = region.prot[slot as usize..(slot + len) as usize]
            .iter()
            .take_while(|prot| prot.is_some())
            .count() as u64;
        let args = [region.page(slot), len * PAGE, prot];
        if mapped == len {
            self.call(Sysno::Mprotect, &args, 0);
        } else {
            self.script
                .extend([call(Sysno::Mprotect, &args), Op::ExpectErr(Errno::ENOMEM)]);
        }
        region.set(slot, mapped, Some(prot));
    }

    /// Dropped, or released, which changes no contents.
    fn advise(&mut self, region: &mut Region) {
        let Some(slot) = self.pick(&region.mapped_slots(NONE)) else {
            return;
        };
        let rest = &region.prot[slot as usize..];
        let mapped = rest.iter().take_while(|prot| prot.is_some()).count() as u64;
        let len = 1 + self.draws.below(mapped);
        let advice = [4, 8, 20][self.draws.below(3) as usize];
        let (addr, bytes) = (region.page(slot), len * PAGE);
        self.call(Sysno::Madvise, &[addr, bytes, advice], 0);
        if advice != 20 {
            self.script.push(Op::Forget(addr, bytes));
        }
    }

    /// Moves a part to another place of the region, shorter or longer than it was.
    fn remap(&mut self, region: &mut Region) {
        let Some(slot) = self.pick(&region.mapped_slots(NONE)) else {
            return;
        };
        let Some((most, prot)) = region.run_at(slot) else {
            return;
        };
        let old_len = 1 + self.draws.below(most);
        let to = self.draws.below(SLOTS);
        let new_len = 1 + self.draws.below((SLOTS - to).min(PAGES));
        if to < slot + old_len && slot < to + new_len {
            return;
        }
        let (from_addr, to_addr) = (region.page(slot), region.page(to));
        let args = [
            from_addr,
            old_len * PAGE,
            new_len * PAGE,
            MAYMOVE_FIXED,
            to_addr,
        ];
        self.call(Sysno::Mremap, &args, to_addr);
        self.script.extend([
            Op::Forget(to_addr, new_len * PAGE),
            Op::Moved(from_addr, to_addr, old_len.min(new_len) * PAGE),
            Op::Forget(from_addr, old_len * PAGE),
        ]);
        region.set(slot, old_len, None);
        region.set(to, new_len, Some(prot));
    }
}

/// The regions of a thread in a phase: each region is somebody's.
fn regions_of(thread: usize, threads: usize, phase: u64, regions: usize) -> Vec<usize> {
    (0..regions)
        .filter(|region| (region + phase as usize) % threads == thread)
        .collect()
}

fn stack(n: usize) -> u64 {
    BSS + 0x1000 + (n as u64 + 1) * 0x1000
}

fn name(what: &str, thread: u64, phase: u64) -> &'static str {
    Box::leak(format!("{what} {thread} {phase}").into_boxed_str())
}

/// Seeds beyond the first that are rare: a worker overtakes a thread that is about to map an area which is gone; in the last one, the process ends
/// while a thread is on its way from one guest to another.
const RARE: [u64; 3] = [522, 1023, 21_116];

#[test]
fn random_programs_have_one_memory() {
    for seed in (0..60).chain(RARE) {
        run(seed);
    }
}

/// As many seeds as KETTLE_SOAK_SEEDS says (1,000), from KETTLE_SOAK_FIRST (0) on.
#[test]
#[ignore = "takes minutes; `cargo xtask soak` runs it"]
fn soak_memory() {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long to test is for who calls to say"
    )]
    let number = |name: &str, otherwise: u64| {
        std::env::var(name).map_or(otherwise, |text| {
            text.parse()
                .unwrap_or_else(|_| panic!("{name} is {text:?}, which is no number"))
        })
    };
    let first = number("KETTLE_SOAK_FIRST", 0);
    for seed in first..first + number("KETTLE_SOAK_SEEDS", 1_000) {
        run(seed);
    }
}
