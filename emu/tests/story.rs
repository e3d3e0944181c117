//! The story that `kettle run --explain` tells: what it says of runs that are known, that it fits a terminal and ends, and that listening to it
//! changes nothing.
//!
//! The goldens hold no addresses and no frame sizes, which are the compiler's business; `UPDATE_EXPECT=1` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

use emu::cluster::Cluster;
use emu::config::ClusterConfig;
use emu::program::Program;
use emu::record::{Console, Recorder, Trace};
use expect_test::{ExpectFile, expect, expect_file};
use isa::Isa;

const X86_64: Isa = Isa::X86_64;
const AARCH64: Isa = Isa::Aarch64;

/// What listens to a run.
#[derive(Clone, Copy, Default)]
struct Listeners<'a> {
    story: bool,
    trace: Option<&'a Path>,
}

/// Runs a program to its end; its digest, and the story if there is one.
fn run(
    isas: &[Isa],
    program: &Path,
    arguments: &[&str],
    listeners: Listeners<'_>,
) -> (String, String) {
    let program = Program::open(program).expect("the program is there");
    let trace = listeners
        .trace
        .map(|path| Trace::create(path).expect("the trace file can be made"));
    let recorder = Recorder::new(isas.len(), Console::Kept, trace);
    if listeners.story {
        recorder.explain();
    }
    let cluster = Cluster::new(&ClusterConfig::of(isas), &program, recorder.clone())
        .expect("the cluster boots");
    let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
    cluster
        .run(&program, &arguments, &[])
        .expect("the program starts");
    (
        recorder.digest().to_string(),
        recorder.story().unwrap_or_default(),
    )
}

fn story(isas: &[Isa], program: &Path, arguments: &[&str]) -> String {
    run(
        isas,
        program,
        arguments,
        Listeners {
            story: true,
            trace: None,
        },
    )
    .1
}

/// The story without what another release of the compiler would change.
fn masked(story: &str) -> String {
    let mut masked = String::new();
    let mut rest = story;
    while let Some(at) = rest
        .find("0x")
        .into_iter()
        .chain(rest.find(", frame "))
        .min()
    {
        let is_address = rest[at..].starts_with("0x");
        let prefix = if is_address { "0x" } else { ", frame " };
        masked.push_str(&rest[..at + prefix.len()]);
        rest = rest[at + prefix.len()..].trim_start_matches(|c: char| {
            c.is_ascii_hexdigit() && (is_address || c.is_ascii_digit())
        });
        // What stood in a column keeps to one space, because the address before it had a length of its own.
        masked.push('*');
        let unpadded = rest.trim_start_matches(' ');
        if unpadded.len() < rest.len() {
            masked.push(' ');
            rest = unpadded;
        }
    }
    masked + rest
}

#[test]
fn the_tour_is_told_from_its_first_node_to_its_last() {
    // (nodes, golden)
    let cases: [(&[Isa], ExpectFile); 3] = [
        (
            &[X86_64, AARCH64],
            expect_file!["story/tour_x86_64_aarch64.txt"],
        ),
        (
            &[AARCH64, X86_64, X86_64],
            expect_file!["story/tour_three_nodes.txt"],
        ),
        (&[X86_64], expect_file!["story/tour_one_node.txt"]),
    ];
    for (isas, golden) in cases {
        golden.assert_eq(&masked(&story(isas, &guests::program("tour"), &[])));
    }
}

#[test]
fn a_thread_that_migrates_for_ever_is_told_in_full_three_times_and_then_in_figures() {
    let story = story(
        &[X86_64, AARCH64],
        &guests::program("thousand_hops"),
        &["every"],
    );
    let headings: Vec<_> = story
        .lines()
        .filter(|line| line.starts_with("──"))
        .map(|line| line.trim_matches(['─', ' ']))
        .collect();
    expect![[r#"
        [
            "What happened",
            "Migration 1: node 0 (x86_64) ──> node 1 (aarch64)",
            "Migration 2: node 1 (aarch64) ──> node 0 (x86_64)",
            "Migration 3: node 0 (x86_64) ──> node 1 (aarch64)",
            "The other 997 migrations, in figures",
            "How to read this",
            "In figures",
        ]
    "#]]
    .assert_debug_eq(&headings);
    assert!(
        story.contains("… and 993 more stops"),
        "the path is cut:\n{story}"
    );
    let routes: Vec<_> = story
        .lines()
        .filter(|line| line.contains("──> node") && line.contains(" us ("))
        .collect();
    assert_eq!(routes.len(), 2, "{routes:?}");
    assert!(
        routes
            .iter()
            .all(|route| route.split_whitespace().any(|word| word == "500")),
        "{routes:?}"
    );
}

#[test]
fn a_long_chain_of_calls_shows_its_ends() {
    let story = story(
        &[X86_64, AARCH64],
        &guests::program("deep_recursion"),
        &["every"],
    );
    // (migration, what its call stack begins with)
    let cases = [
        (
            1,
            expect![
                "6 frames went along: __kettle_main() ──> main() ──> descend() ──> descend() ──> plan_point() ──> plan_go()."
            ],
        ),
        (
            3,
            expect![
                "105 frames went along: __kettle_main() ──> main() ──> ... ──> descend() ──> descend() ──> descend() ──> descend() ──> plan_point() ──> plan_go()."
            ],
        ),
    ];
    for (number, expected) in cases {
        let told = story
            .split(&format!("── Migration {number}"))
            .nth(1)
            .expect("it is told");
        let (_, stack) = told.split_once("Call stack").expect("it has a call stack");
        let words: Vec<_> = stack.split_whitespace().collect();
        let words = words.join(" ");
        let sentence = words.split_inclusive("().").next().unwrap_or_default();
        expected.assert_eq(sentence);
    }
}

#[test]
fn a_node_without_the_binary_refuses_and_the_story_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let program = directory.path().join("hello");
    fs::copy(guests::binary("hello", X86_64), &program).expect("the binary is there");
    let told = story(&[X86_64, AARCH64], &program, &["once"]);
    let text = told
        .split("── Migration 1")
        .nth(1)
        .expect("it wanted to leave");
    let words: Vec<_> = text.split_whitespace().collect();
    let text = words.join(" ");
    assert!(
        text.contains(
            "That node could not take it, so it went on where it was: migrate() returned -"
        ),
        "{text}"
    );
    assert!(!text.contains("Went on"), "{text}");
}

#[test]
fn every_story_fits_a_terminal() {
    let clusters: [&[Isa]; 5] = [
        &[X86_64],
        &[AARCH64, X86_64],
        &[X86_64, AARCH64, AARCH64],
        &[X86_64, AARCH64, X86_64, AARCH64],
        &[
            X86_64, AARCH64, X86_64, AARCH64, X86_64, AARCH64, X86_64, AARCH64,
        ],
    ];
    for isas in clusters {
        for name in [
            "tour",
            "hello",
            "threads4",
            "thousand_hops",
            "deep_recursion",
            "refusals",
            "segv",
        ] {
            let story = story(isas, &guests::program(name), &[]);
            for line in story.lines() {
                assert!(
                    line.chars().count() <= 100,
                    "{name} on {} nodes: {line}",
                    isas.len()
                );
                assert_eq!(
                    line,
                    line.trim_end(),
                    "{name} on {} nodes ends a line with spaces",
                    isas.len()
                );
            }
            assert!(
                story.lines().count() < 300,
                "{name} on {} nodes is too long",
                isas.len()
            );
        }
    }
}

#[test]
fn listening_does_not_change_a_run() {
    let directory = tempfile::tempdir().expect("a directory");
    let trace: PathBuf = directory.path().join("trace");
    let ways = [
        Listeners {
            story: true,
            trace: None,
        },
        Listeners {
            story: false,
            trace: Some(&trace),
        },
        Listeners {
            story: true,
            trace: Some(&trace),
        },
    ];
    for name in ["tour", "threads4", "thousand_hops", "hot_page", "proposed"] {
        let isas = [X86_64, AARCH64, AARCH64];
        let program = guests::program(name);
        let plain = run(&isas, &program, &[], Listeners::default()).0;
        for listeners in ways {
            assert_eq!(plain, run(&isas, &program, &[], listeners).0, "{name}");
        }
    }
}

#[test]
fn two_runs_have_one_story() {
    for name in ["tour", "threads4", "producer_consumer"] {
        let isas = [AARCH64, X86_64];
        assert_eq!(
            story(&isas, &guests::program(name), &[]),
            story(&isas, &guests::program(name), &[]),
            "{name}"
        );
    }
}
