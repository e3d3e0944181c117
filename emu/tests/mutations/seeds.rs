//! Goes through seeds: a panic is reported with its seed, and so is a case that takes too long.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// The longest that one case may take on a busy machine: a hundred times what it takes on an idle one.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The seeds that `cargo xtask soak` asks for.
#[expect(
    clippy::disallowed_methods,
    reason = "how long to search is the caller's to say; no simulated run sees it"
)]
pub fn asked_for() -> Range<u64> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let first = number("KETTLE_SOAK_FIRST").unwrap_or(0);
    first..first.saturating_add(number("KETTLE_SOAK_SEEDS").unwrap_or(1000))
}

/// Tries all of them; fails with those that panicked. A case says whether its input was refused. `what` is the soak test's name without its `soak_`.
pub fn try_all(what: &str, seeds: Range<u64>, case: impl Fn(u64) -> bool) {
    let (begun, watched) = mpsc::channel();
    let name = what.to_owned();
    let again = move |seed| format!("cargo xtask soak {name} --seeds 1 --first {seed}");
    let say = again.clone();
    let watch = thread::spawn(move || {
        let mut now = 0;
        loop {
            match watched.recv_timeout(PATIENCE) {
                Ok(seed) => now = seed,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    // A case that hangs cannot be ended from outside; its process can.
                    eprintln!("seed {now} takes longer than {PATIENCE:?}: {}", say(now));
                    process::abort();
                }
            }
        }
    });
    let (mut failed, mut refused, mut accepted) = (Vec::new(), 0, 0);
    for seed in seeds {
        begun.send(seed).expect("the watch lasts as long as this");
        match catch_unwind(AssertUnwindSafe(|| case(seed))) {
            Ok(true) => refused += 1,
            Ok(false) => accepted += 1,
            Err(_) => failed.push(again(seed)),
        }
    }
    drop(begun);
    watch.join().expect("the watch does not panic");
    assert!(
        failed.is_empty(),
        "{} failed:\n  {}",
        failed.len(),
        failed.join("\n  ")
    );
    println!("{what}: {refused} refused, {accepted} accepted");
    // Mutations that are all noticed, or of which none is, would try out nothing.
    let all = refused + accepted;
    assert!(
        all < 100 || refused.min(accepted) > all / 20,
        "{refused} refused, {accepted} accepted"
    );
}
