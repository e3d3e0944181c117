//! What an operation of the kernel costs the host when there are few things of its kind, and when there are many: a ratio far above 1 is a path that
//! grows with what there is.
//!
//! Measured are mappings of a process, ready threads of a vCPU, sleepers of a wait queue and nested directories. The best of three rounds counts: noise
//! of the host only ever adds. Left out: what other nodes have to be asked for. Run with `cargo bench -p kernel-model --bench kernel_paths`.

#![expect(
    clippy::disallowed_types,
    reason = "the host's time is what is measured"
)]

#[path = "../tests/single_node/script.rs"]
#[expect(dead_code, reason = "scripts of the tests use more of it")]
mod script;

use std::rc::Rc;
use std::time::Instant;

use isa::syscall::Sysno;
use kernel_model::exec::{Executor, ThreadClass, WaitQueue, WaitRecord};
use kernel_model::task::ExitStatus;
use msglayer::SimDuration;
use script::{DATA, Op, Val, call, exit};

const ROUNDS: usize = 3;
/// Quanta of each thread.
const TURNS: usize = 20;

fn main() {
    println!("{:20} {:>22}  {:>22}  {:>5}", "", "few", "many", "ratio");
    row("mappings", [1_000, 20_000], mappings);
    row("ready threads", [1_000, 3_000], ready_threads);
    row("sleepers", [1_000, 20_000], sleepers);
    row("nested directories", [1_000, 20_000], nested_directories);
}

/// `measured` does so many things and returns how many operations those were.
fn row(name: &str, counts: [usize; 2], measured: fn(usize) -> usize) {
    let [few, many] = counts.map(|count| {
        let mut best = f64::INFINITY;
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let operations = measured(count);
            best = best.min(start.elapsed().as_nanos() as f64 / operations as f64);
        }
        best
    });
    println!(
        "{name:20} {:>6}: {few:>8.0} ns/op  {:>6}: {many:>8.0} ns/op  {:>5.2}",
        counts[0],
        counts[1],
        many / few
    );
}

/// Pages of two protections in turn, so that no two mappings are one.
fn mappings(count: usize) -> usize {
    let map = |n: usize| {
        let prot = if n.is_multiple_of(2) { 1 } else { 3 };
        call(Sysno::Mmap, &[0, 0x1000, prot, 0x22, u64::MAX, 0])
    };
    run_script((0..count).map(map).collect());
    count
}

fn nested_directories(count: usize) -> usize {
    const CWD: u64 = -100_i64 as u64;
    let name = DATA + 0x1000;
    let mut script = vec![Op::Store(Val::Imm(name), u32::from(b'd'))];
    for _ in 0..count {
        script.push(call(Sysno::Mkdirat, &[CWD, name, 0o755]));
        script.push(call(Sysno::Chdir, &[name]));
    }
    run_script(script);
    2 * count
}

fn run_script(mut script: Vec<Op>) {
    script.push(exit(0));
    let (status, _) = script::run(script);
    assert_eq!(status, Some(ExitStatus::Exited(0)));
}

fn ready_threads(count: usize) -> usize {
    let exec = executor();
    for _ in 0..count {
        let inside = Rc::clone(&exec);
        exec.spawn("computes", ThreadClass::User, async move {
            for _ in 0..TURNS {
                inside.charge(SimDuration::from_ms(3));
                inside.end_quantum().await;
            }
        });
    }
    while exec.step() {}
    count * TURNS
}

/// All come to a queue, and all are woken.
fn sleepers(count: usize) -> usize {
    let exec = executor();
    let queue = Rc::new(WaitQueue::new());
    for _ in 0..count {
        let (inside, queue) = (Rc::clone(&exec), Rc::clone(&queue));
        exec.spawn("sleeps", ThreadClass::Kernel, async move {
            queue.sleep(&inside, WaitRecord::new("its turn")).await;
        });
    }
    while exec.step() {}
    assert_eq!(queue.wake_all(&exec), count);
    while exec.step() {}
    count
}

fn executor() -> Rc<Executor> {
    let (switch, slice) = (SimDuration::from_us(1), SimDuration::from_ms(3));
    Rc::new(Executor::new(1, switch, slice))
}
