//! `cargo xtask demo`: from a fresh clone to a thread that crosses between instruction sets, told in words.
//!
//! Compiler and emulator are built by one command, so that the one's Rust is compiled beside the other's C. What a first time takes is said before it begins.

use super::{Failed, ensure, program};
use crate::steps::Step;
use crate::{needs, root};

/// The source of the program that the demo runs, and where its binaries go.
const TOUR: &str = "guests/programs/tour.c";
const TOUR_BINARY: &str = "target/demo/tour";

/// What the demo is about, for somebody who has never heard of it. Printed before the program's own output.
const INTRODUCTION: &str = "
Popcorn Linux lets a running program move between computers whose processors speak different machine languages, in
the middle of what it is doing. Kettle simulates such a cluster, its processors and its Popcorn kernels, on your
computer, runs a real program on it, and tells what happened. First comes what the program itself prints.
";

/// What to expect of a first time: figures of a machine with two cores and nothing else to do.
const FIRST_TIME: &str = "\
The first time takes about 6 minutes on two cores, less on more. Half of them go to Unicorn, the emulator of processors,
which is built from C source; the rest to the compiler, to Kettle itself, and to the C library of the programs that run in it.
From the second time on it is a matter of seconds.
";

/// Builds everything, compiles the tour, and runs it on a simulated cluster.
///
/// # Errors
/// What is missing or which step failed.
pub fn demo() -> Result<(), Failed> {
    let kettle = program("kettle");
    if !root().join(&kettle).exists() {
        eprintln!("{FIRST_TIME}");
    }
    ensure(needs::BUILD.iter())?;
    std::fs::create_dir_all(root().join("target/demo"))
        .map_err(|error| Failed(format!("cannot make target/demo: {error}")))?;
    let build = [
        Step::new(
            "Build the compiler driver kettle-cc, and Kettle with Unicorn",
            "6 min the first time on 2 cores",
            &["cargo", "build", "-p", "kettle-cc", "-p", "emu", "--bins"],
        ),
        Step::new(
            "Compile the demo's program for x86_64 and aarch64",
            "1 min the first time: the C library is compiled too",
            &[program("kettle-cc").as_str(), TOUR, "-o", TOUR_BINARY],
        ),
    ];
    let nodes = "x86_64,aarch64";
    let run = Step::new(
        "Run it on a simulated cluster of both",
        "",
        &[
            kettle.as_str(),
            "run",
            "--nodes",
            nodes,
            "--explain",
            TOUR_BINARY,
        ],
    );
    let steps = build.len() + 1;
    for (index, step) in build.iter().enumerate() {
        step.run((index + 1, steps), &root()).map_err(Failed)?;
    }
    println!("{INTRODUCTION}");
    run.run((steps, steps), &root()).map_err(Failed)
}
