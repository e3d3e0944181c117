//! The clock goes on: no loop of traps keeps other threads, timers or the time limit from their turn.

use std::process::Command;

use emu::cluster::{Cluster, Outcome};
use emu::config::ClusterConfig;
use emu::program::Program;
use emu::record::{Console, Recorder};
use isa::Isa;
use msglayer::SimTime;

use crate::in_process::with_cpus;
use crate::plain;

/// Kinds of traps that are no system calls: see `trap_loops.c`.
const OTHER_TRAPS: [i64; 6] = [-1, -2, -3, -4, -5, -6];
/// Highest system call number that is tried.
const LAST_CALL: i64 = 450;

/// Calls that end the caller, wait, or take its timer away, when all arguments are zero: by ISA, x86_64 first.
fn is_left_out(isa: Isa, number: i64) -> bool {
    let numbers: &[i64] = match isa {
        // poll and ppoll (wait), rt_sigreturn, select, pause, alarm, setitimer, exit, vfork and fork, exit_group, pselect6, timer_*.
        Isa::X86_64 => &[15, 23, 34, 37, 38, 56, 57, 58, 60, 231, 270, 271],
        // exit, exit_group, setitimer, pselect6, ppoll, rt_sigreturn, clone.
        Isa::Aarch64 => &[72, 73, 93, 94, 103, 139, 220],
    };
    numbers.contains(&number)
}

#[test]
fn every_system_call_in_a_loop_lets_others_go_on() {
    for isa in Isa::ALL {
        let program = plain::build("trap_loops", isa);
        for number in (0..=LAST_CALL).filter(|number| !is_left_out(isa, *number)) {
            check(isa, &program, number, 1);
        }
    }
}

#[test]
fn every_other_trap_in_a_loop_lets_others_go_on() {
    for isa in Isa::ALL {
        let program = plain::build("trap_loops", isa);
        for (kind, cpus) in OTHER_TRAPS.iter().flat_map(|kind| [(*kind, 1), (*kind, 2)]) {
            check(isa, &program, kind, cpus);
        }
        let mut qemu = Command::new(format!("qemu-{}", isa.name()));
        let output = qemu
            .arg(&program)
            .arg("-2")
            .output()
            .expect("qemu-user is installed");
        assert!(String::from_utf8_lossy(&output.stdout).ends_with("done\n"));
    }
}

#[test]
fn the_time_limit_ends_a_loop_of_traps_at_the_limit() {
    for isa in Isa::ALL {
        let program = plain::build("trap_loops", isa);
        let limit = SimTime::from_us(234);
        for kind in OTHER_TRAPS {
            let (outcome, recorder) = run(isa, &program, kind, 1, Some(limit));
            assert_eq!(outcome, Outcome::TimeLimit(limit));
            assert_eq!(recorder.summary().end, limit);
        }
    }
}

fn check(isa: Isa, program: &std::path::Path, kind: i64, cpus: u16) {
    let (outcome, recorder) = run(isa, program, kind, cpus, Some(SimTime::from_ms(20)));
    let output = String::from_utf8_lossy(&recorder.output(1)).into_owned();
    assert!(
        output == "done\n" && matches!(outcome, Outcome::Exited(_)),
        "{isa}, {cpus} vCPUs, trap {kind}: {outcome:?}, {output:?}"
    );
}

fn run(
    isa: Isa,
    program: &std::path::Path,
    kind: i64,
    cpus: u16,
    limit: Option<SimTime>,
) -> (Outcome, std::rc::Rc<Recorder>) {
    let config = ClusterConfig {
        max_time: limit,
        ..with_cpus(ClusterConfig::of(&[isa]), cpus)
    };
    let program = Program::open(program).expect("it was just built");
    let recorder = Recorder::new(1, Console::Kept, None);
    let cluster = Cluster::new(&config, &program, recorder.clone()).expect("a node boots");
    let outcome = cluster
        .run(&program, &[kind.to_string()], &[])
        .expect("it starts");
    (outcome, recorder)
}
