//! What the verifier finds when the compiler is less strict: measures that keep machine frames free of content are left out, one in each build.
//!
//! Flags that are not here are precautions: no program is known, among some hundred random ones, in which anything is found without them.
//! Before registers are allocated LLVM duplicates no calls; recorded calls are no tail calls; and what would need a realigned stack is in the
//! data frame.

use std::ops::Range;
use std::path::Path;

use isa::Isa;
use kettle_cc::libc::{Libc, default_directory};
use kettle_cc::{Build, BuildError};
use tempfile::TempDir;

/// A thread-local variable that the end of a loop looks at, over a call that migrates. Without folding, its address is an instruction, which
/// loop passes move to before the loop.
const LOOP: &str = r"
    #include <kettle.h>
    static _Thread_local unsigned char local[8];
    static volatile unsigned char limit;
    int main(void)
    {
        int n = 0;
        do {
            migrate(1 - current_nid());
            local[n] = 0;
        } while (++n <= 2 && local[5] <= limit);
        return n == 3 ? 0 : 1;
    }
";

/// Several ways to one call, which goes on to one place that does not follow it.
const TO_ONE_CALL: &str = r"
    #include <kettle.h>
    static volatile int c[4], x, y, z, budget = 5;
    __attribute__((noinline)) static void point(void) { migrate(1 - current_nid()); }
    int main(void)
    {
        for (;;) {
            if (c[0]) { hop: point(); goto latch; }
            if (c[1]) { x = 1; goto hop; }
            if (c[2]) { y = 2; goto hop; }
            if (c[3]) { z = 2; goto hop; }
            z = 3;
        latch:
            if (!--budget) break;
            x = 5;
        }
        return 0;
    }
";

/// Several ways to one call, whose result decides on where to go.
const TO_ONE_DECISION: &str = r"
    #include <kettle.h>
    static volatile int c[5], x, y, z, w, budget = 5;
    __attribute__((noinline)) static int point(void) { migrate(1 - current_nid()); return x; }
    int main(void)
    {
        for (;;) {
            if (c[0]) {
            hop:
                if (point()) { y = 7; goto latch; } else { z = 6; goto other; }
            }
            if (c[1]) { x = 1; goto hop; }
            if (c[2]) { y = 2; goto hop; }
            if (c[3]) { w = 2; goto hop; }
            if (c[4]) { w = 3; goto hop; }
        other:
            z = 3;
        latch:
            if (!--budget) break;
            w = 5;
        }
        return 0;
    }
";

#[test]
fn blocks_that_do_not_end_behind_calls_leak() {
    assert_found("split-blocks", 0..6, &[]);
}

#[test]
fn blocks_that_are_merged_again_leak() {
    assert_found("-aarch64-enable-atomic-cfg-tidy=false", 0..6, &[]);
}

/// The pass that has no switch, and is stepped over.
#[test]
fn constants_that_are_still_there_leak() {
    assert_found("machine-latecleanup", 0..6, &[]);
}

#[test]
fn codegenprepare_leaks() {
    assert_found("-disable-cgp", 0..6, &[]);
}

#[test]
fn what_is_moved_out_of_loops_leaks() {
    assert_found("-disable-machine-licm", 0..6, &[]);
}

#[test]
fn what_is_moved_out_of_loops_after_register_allocation_leaks() {
    assert_found("-disable-postra-machine-licm", 10..20, &[]);
}

/// What follows is no finding of the verifier: the table of call sites cannot describe it.
#[test]
fn duplicated_calls_are_refused() {
    for (measure, text) in [
        ("-disable-tail-duplicate", TO_ONE_CALL),
        ("-tail-dup-placement=false", TO_ONE_DECISION),
    ] {
        let directory = TempDir::new().expect("a temporary directory");
        let source = directory.path().join("loop.c");
        std::fs::write(&source, text).expect("a temporary file");
        let build = || build(directory.path()).sources([&source]);
        assert_eq!(findings(&build()), [0, 0]);
        assert_refused(build(), measure, "the call is there twice");
    }
}

#[test]
fn frames_without_a_frame_pointer_are_refused() {
    let directory = TempDir::new().expect("a temporary directory");
    let sources = fuzz::write_sources(0..2, directory.path()).expect("the sources are written");
    let build = build(directory.path()).sources(sources);
    let expected = "the frame is not found by its frame pointer";
    assert_refused(build, "frame-pointer", expected);
}

#[test]
fn hoisted_constants_leak() {
    assert_found("-disable-constant-hoisting", 0..6, &[]);
}

#[test]
fn common_subexpressions_leak() {
    assert_found("-disable-machine-cse", 0..6, &[]);
}

/// Where arguments are pushed, the frame at a call has another size than the one recorded. The library's sort shows it.
#[test]
fn pushed_arguments_do_not_fit_the_table() {
    assert_found("-no-x86-call-frame-opt", 0..10, &["__kettle_sys"]);
}

#[test]
fn addresses_of_thread_local_variables_leak_out_of_loops() {
    let directory = TempDir::new().expect("a temporary directory");
    let source = directory.path().join("loop.c");
    std::fs::write(&source, LOOP).expect("a temporary file");
    let build = || build(directory.path()).sources([&source]).flags(["-O0"]);
    assert_eq!(findings(&build()), [0, 0]);
    let found = findings(&build().without_measure("folded-constants"));
    assert!(found.iter().sum::<usize>() > 0, "nothing is found");
}

/// Builds random programs without a measure: the verifier has to refuse them.
fn assert_found(measure: &'static str, seeds: Range<u64>, roots: &[&str]) {
    assert!(Build::measures().contains(&measure), "{measure}");
    let directory = TempDir::new().expect("a temporary directory");
    let sources = fuzz::write_sources(seeds, directory.path()).expect("the sources are written");
    let mut build = build(directory.path()).sources(sources);
    for root in roots {
        build = build.migration_root(*root);
    }
    let found = findings(&build.without_measure(measure));
    assert!(
        found.iter().sum::<usize>() > 0,
        "nothing is found without {measure}"
    );
}

/// Builds without a measure, which has to fail.
fn assert_refused(build: Build, measure: &'static str, expected: &str) {
    assert!(Build::measures().contains(&measure), "{measure}");
    let error = build.without_measure(measure).build();
    let error = error.map(|_| ()).expect_err("it is refused").to_string();
    assert!(error.ends_with(expected), "{error}");
}

/// The number of the verifier's findings, for each ISA.
fn findings(build: &Build) -> [usize; 2] {
    let found = match build.build() {
        Ok(_) => Vec::new(),
        Err(BuildError::Unverified { findings }) => findings,
        Err(error) => panic!("{error}"),
    };
    Isa::ALL.map(|isa| {
        let of_isa = found.iter().filter(|(of, _)| *of == isa);
        of_isa.map(|(_, lines)| lines.lines().count()).sum()
    })
}

fn build(directory: &Path) -> Build {
    let libc = Libc::prepare(&default_directory().expect("tests run in a target directory"));
    Build::new()
        .libc(libc.unwrap_or_else(|e| panic!("{e}")))
        .flags(["-w"])
        .out_dir(directory)
        .name("program")
}
