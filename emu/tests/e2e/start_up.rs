//! What a run costs the host before the program does anything. Figures are for people: `cargo nextest run -p emu --run-ignored only
//! --no-capture alone_` prints them. Only memory is held to its limit, because time depends on what else the host does.

use std::process::Stdio;

use nix::sys::resource::{UsageWho, getrusage};

use crate::kettle;

/// Most memory of the host that a trivial program on two nodes may take, in KiB.
const MEMORY_LIMIT: i64 = 150 << 10;

#[test]
#[ignore = "measures this host: meant to be run by itself"]
fn alone_figures() {
    for nodes in ["x86_64", "x86_64,aarch64", "aarch64,x86_64"] {
        let fastest = (0..10)
            .map(|_| start_and_end(nodes))
            .fold(f64::MAX, f64::min);
        let memory = children().max_rss();
        println!(
            "trivial on {nodes}: {:.1} ms of CPU time, {:.1} MiB",
            fastest * 1e3,
            memory as f64 / 1024.0
        );
        assert!(memory < MEMORY_LIMIT, "{memory} KiB on {nodes}");
    }
}

/// One run; its CPU time in seconds.
fn start_and_end(nodes: &str) -> f64 {
    let before = children();
    let mut command = kettle::command(["--nodes", nodes, "--quiet"]);
    let status = command
        .arg(guests::program("trivial"))
        .stdout(Stdio::null())
        .status();
    assert!(status.expect("it starts").success());
    let after = children();
    seconds(&after) - seconds(&before)
}

fn seconds(usage: &nix::sys::resource::Usage) -> f64 {
    [usage.user_time(), usage.system_time()]
        .iter()
        .map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6)
        .sum()
}

/// What processes that this one has waited for have used; their memory is the greatest of any.
fn children() -> nix::sys::resource::Usage {
    getrusage(UsageWho::RUSAGE_CHILDREN).expect("this call cannot fail")
}
