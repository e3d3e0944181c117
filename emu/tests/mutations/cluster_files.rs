//! Mutated cluster files: values that are too great, too small or of another kind, lines that are lost, doubled or exchanged, and characters
//! that are none. A file that still describes a cluster is run.

use std::path::Path;

use emu::cluster::Cluster;
use emu::config::ClusterConfig;
use emu::program::Program;
use emu::record::{Console, Recorder};
use msglayer::{SimDuration, SimTime};

use crate::draws::Draws;
use crate::seeds;

const WHOLE: &str = "seed = 7\nprofile = \"kettle\"\nquantum = 10000\n\n\
    [link]\nprofile = \"10gbe\"\nlatency = \"3us\"\nbandwidth = \"8Gbit/s\"\nsend-cost = \"1.5us\"\nrecv-cost = \"2us\"\n\n\
    [[node]]\nisa = \"x86_64\"\ncpus = 2\nmemory = \"16MiB\"\nfrequency = \"2.4GHz\"\ncpi = 1.25\n\n\
    [[node]]\nisa = \"aarch64\"\ncpus = 1\nmemory = \"32MiB\"\n";

/// What stands where a value stood.
const VALUES: [&str; 44] = [
    "0",
    "1",
    "-1",
    "2",
    "32",
    "33",
    "65535",
    "65536",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "1e308",
    "1e-308",
    "0.0",
    "nan",
    "inf",
    "0x10",
    "true",
    "[]",
    "{}",
    "\"\"",
    "\"0us\"",
    "\"1ps\"",
    "\"1ns\"",
    "\"999999999s\"",
    "\"18446744073709551615s\"",
    "\"-1us\"",
    "\"0.001us\"",
    "\"1kHz\"",
    "\"1MHz\"",
    "\"100GHz\"",
    "\"1KiB\"",
    "\"1MiB\"",
    "\"1024GiB\"",
    "\"16777216GiB\"",
    "\"1bit/s\"",
    "\"1Gbit/s\"",
    "\"999999999Tbit/s\"",
    "\"0Gbit/s\"",
    "\"aarch64\"",
    "\"x86_64\"",
    "\"k52\"",
    "\"ib56\"",
    "\"\u{1f980}\u{0}\"",
];

#[test]
fn mutated_cluster_files_0_to_999() {
    check(0..1000);
}

#[test]
fn mutated_cluster_files_1000_to_1999() {
    check(1000..2000);
}

#[test]
#[ignore = "a search: `cargo xtask soak` runs it"]
fn soak_mutated_cluster_files() {
    check(seeds::asked_for());
}

fn check(seeds: std::ops::Range<u64>) {
    let program = Program::open(&guests::program("trivial")).expect("it is built");
    assert_eq!(attempt(&program, WHOLE), None);
    seeds::try_all("mutated_cluster_files", seeds, |seed| {
        let text = mutated(&mut Draws::of(seed));
        let refusal = attempt(&program, &text);
        if let Some(refusal) = &refusal {
            assert!(
                refusal.len() > 10 && !refusal.contains("panicked"),
                "{text}\n{refusal:?}"
            );
        }
        refusal.is_some()
    });
}

/// Reads the file and runs a program on its cluster for a while; the sentence if that is refused.
fn attempt(program: &Program, text: &str) -> Option<String> {
    let mut config = match ClusterConfig::from_toml(Path::new("cluster.toml"), text) {
        Ok(config) => config,
        Err(error) => return Some(error.to_string()),
    };
    config.max_time = Some(SimTime::ZERO + SimDuration::from_us(500));
    let recorder = Recorder::new(config.nodes.len(), Console::Kept, None);
    let cluster = match Cluster::new(&config, program, recorder) {
        Ok(cluster) => cluster,
        Err(error) => return Some(error.to_string()),
    };
    let outcome = cluster.run(program, &[], &[]);
    outcome.err().map(|error| error.to_string())
}

fn mutated(draws: &mut Draws) -> String {
    let mut lines: Vec<String> = WHOLE.lines().map(str::to_owned).collect();
    for _ in 0..=draws.below(3) {
        let at = draws.below(lines.len());
        let line = lines[at].clone();
        match draws.below(8) {
            0..=3 => {
                if let Some((key, _)) = line.split_once(" = ") {
                    lines[at] = format!("{key} = {}", draws.pick(&VALUES));
                }
            }
            4 => drop(lines.remove(at)),
            5 => {
                let copies = *draws.pick(&[1, 1, 2, 40]);
                let other = draws.below(lines.len());
                for _ in 0..copies {
                    lines.insert(other, line.clone());
                }
            }
            6 => {
                let other = draws.below(lines.len());
                lines.swap(at, other);
            }
            _ => {
                let mut bytes = line.into_bytes();
                draws.spoil(&mut bytes);
                lines[at] = String::from_utf8_lossy(&bytes).into_owned();
            }
        }
        if lines.is_empty() {
            break;
        }
    }
    lines.join("\n")
}
