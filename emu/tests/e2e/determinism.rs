//! The same inputs give the same run, to the bit: the digest says so. What must not matter is tried here: a second time, a trace, the
//! directory, the path, the process it runs in; and what does matter, to see that the digest is able to differ.

use std::collections::BTreeSet;
use std::fs;

use emu::config::ClusterConfig;
use emu::record::{Digest, Trace};
use isa::Isa;

use crate::in_process::{PAIRS, checked, run, run_traced, with_cpus};
use crate::kettle::{self, Ended, TWO, install};

/// Programs that are done in a moment.
fn cheap() -> impl Iterator<Item = &'static str> {
    let names = guests::all().iter().map(|program| program.name);
    names.filter(|name| !["npb_ep", "npb_cg"].contains(name))
}

fn digest(config: &ClusterConfig, name: &str, arguments: &[&str]) -> Digest {
    run(config, name, arguments).digest
}

#[test]
fn every_program_runs_the_same_way_twice() {
    for isas in PAIRS {
        for name in cheap() {
            let once = digest(&checked(&isas), name, &[]);
            assert_eq!(once, digest(&checked(&isas), name, &[]), "{name}");
        }
    }
}

#[test]
fn vcpus_change_a_run_but_not_from_one_time_to_the_next() {
    for name in ["threads4", "producer_consumer", "hot_page", "thread_locals"] {
        let mut seen = BTreeSet::new();
        for cpus in [1, 2, 4] {
            let config = with_cpus(checked(&[Isa::X86_64, Isa::Aarch64, Isa::Aarch64]), cpus);
            let digests = [(); 3].map(|()| digest(&config, name, &["every"]).to_string());
            assert_eq!(digests[0], digests[1], "{name} with {cpus} vCPUs");
            assert_eq!(digests[0], digests[2], "{name} with {cpus} vCPUs");
            seen.insert(digests[0].clone());
        }
        assert!(seen.len() > 1, "{name}: more vCPUs let threads run at once");
    }
}

#[test]
fn looking_at_a_run_does_not_change_it() {
    let directory = tempfile::tempdir().expect("a directory");
    for name in cheap() {
        let path = guests::program(name);
        let plain = digest(&ClusterConfig::of(&PAIRS[0]), name, &["every"]);
        let file = directory.path().join(name);
        let trace = Trace::create(&file).expect("a trace file");
        let config = ClusterConfig {
            check_invariants: true,
            ..ClusterConfig::of(&PAIRS[0])
        };
        let traced = run_traced(&config, &path, &["every"], Some(trace)).digest;
        assert_eq!(plain, traced, "{name}");
        let lines = fs::read_to_string(&file).expect("the trace");
        assert!(lines.contains("exec /popcorn/"), "{name}:\n{lines}");
    }
}

#[test]
fn a_seed_is_a_run_of_its_own() {
    for seed in [0, 1, u64::MAX] {
        let config = ClusterConfig {
            seed,
            ..checked(&PAIRS[0])
        };
        let first = digest(&config, "threads4", &["every"]);
        assert_eq!(first, digest(&config, "threads4", &["every"]), "{seed}");
    }
}

#[test]
fn the_digest_sees_program_arguments_order_of_nodes_and_environment() {
    let hello = guests::program("hello");
    let runs = [
        kettle::run(&TWO, &hello, &["back"]),
        kettle::run(&TWO, &hello, &["once"]),
        kettle::run(&TWO, &guests::program("tour"), &[]),
        kettle::run(&["--nodes", "aarch64,x86_64"], &hello, &["back"]),
        kettle::run(
            &["--nodes", "x86_64,aarch64", "--env", "A=B"],
            &hello,
            &["back"],
        ),
    ];
    let digests: BTreeSet<_> = runs.iter().map(Ended::digest).collect();
    assert_eq!(digests.len(), runs.len(), "{digests:?}");
}

#[test]
fn the_command_and_the_library_run_alike() {
    for (name, plan) in [("threads4", "every"), ("tour", "none")] {
        let ended = kettle::run(&TWO, &guests::program(name), &[plan]);
        let here = digest(&ClusterConfig::of(&PAIRS[0]), name, &[plan]);
        assert_eq!(ended.digest(), here.to_string());
    }
}

#[test]
fn where_the_files_are_and_where_kettle_starts_do_not_matter() {
    let usual = kettle::run(&TWO, &guests::program("threads4"), &["every"]);
    let directory = tempfile::tempdir().expect("a directory");
    for isa in Isa::ALL {
        let file = format!("threads4_{}", isa.binary_suffix());
        install("threads4", isa, directory.path(), &file);
    }
    let elsewhere = kettle::run(&TWO, &directory.path().join("threads4"), &["every"]);
    assert_eq!(elsewhere.digest(), usual.digest());
    for relative in ["threads4", "./threads4"] {
        let mut command = kettle::command(TWO);
        command.args([relative, "every"]);
        command.current_dir(directory.path());
        command.env("LC_ALL", "tr_TR").env("HOME", "/nowhere");
        let ended = Ended::of(&command.output().expect("it starts"));
        assert_eq!(ended.digest(), usual.digest(), "{relative}");
        assert_eq!(ended.printed, usual.printed);
    }
}

#[test]
fn a_trace_is_the_same_text_every_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let texts = ["a", "b"].map(|name| {
        let file = directory.path().join(name);
        let file_name = file.to_string_lossy();
        let options = [&TWO[..], &["--trace", &file_name]].concat();
        kettle::run(&options, &guests::program("producer_consumer"), &["every"]).digest();
        fs::read(&file).expect("the trace")
    });
    assert!(!texts[0].is_empty());
    assert!(texts[0] == texts[1], "the traces differ");
}
