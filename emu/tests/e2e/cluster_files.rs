//! Cluster files: the same cluster by file and by flags is the same run, and a file that describes none is refused with a sentence.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::kettle::{self, Ended};

const WHOLE: &str = "seed = 7\n\n\
    [link]\nprofile = \"10gbe\"\nlatency = \"3us\"\nbandwidth = \"8Gbit/s\"\n\n\
    [[node]]\nisa = \"x86_64\"\ncpus = 2\nmemory = \"64MiB\"\n\n\
    [[node]]\nisa = \"aarch64\"\ncpus = 2\nmemory = \"64MiB\"\n";

const FLAGS: &str = "--nodes x86_64,aarch64 --cpus 2 --memory 64MiB --link 10gbe --latency 3us --bandwidth 8Gbit/s --seed 7";

#[test]
fn a_file_and_flags_for_one_cluster_give_one_run() {
    let flags: Vec<_> = FLAGS.split(' ').collect();
    for (name, plan) in [("threads4", "every"), ("hello", "back")] {
        let by_flags = kettle::run(&flags, &guests::program(name), &[plan]);
        let by_file = run_file(WHOLE, name, &[plan]);
        assert_eq!(by_file.printed, by_flags.printed);
        assert_eq!(by_file.printed.status, 0, "{}", by_file.errors);
        assert_eq!(by_file.errors, by_flags.errors);
        let other = run_file(&WHOLE.replace("3us", "4us"), name, &[plan]);
        assert_eq!(other.printed, by_flags.printed);
        assert_ne!(
            other.digest(),
            by_flags.digest(),
            "the link's latency counts"
        );
    }
}

#[test]
fn a_flag_goes_before_the_file() {
    let file = written(WHOLE);
    let with_flag = |latency: &str| {
        let options = ["--latency", latency, &file.1.to_string_lossy(), "--"];
        kettle::run(&options, &guests::program("hello"), &[])
            .digest()
            .to_owned()
    };
    let fast = run_file(&WHOLE.replace("3us", "1us"), "hello", &[]);
    assert_eq!(with_flag("1us"), fast.digest());
    assert_ne!(with_flag("3us"), fast.digest());
}

#[test]
fn the_program_may_follow_the_file_with_and_without_dashes() {
    let file = written(WHOLE);
    let file = file.1.to_string_lossy();
    let hello = guests::program("hello");
    let with = kettle::run(&[&file, "--"], &hello, &[]);
    let without = kettle::run(&[&file], &hello, &[]);
    assert_eq!(with.digest(), without.digest());
}

#[test]
fn a_bad_file_is_refused_with_its_place_and_what_would_be_right() {
    let node = "[[node]]\nisa = \"x86_64\"\n";
    let cases: &[(String, &[&str])] = &[
        (
            format!("{node}cores = 2\n"),
            &["line 3", "unknown field `cores`"],
        ),
        (
            format!("colour = \"red\"\n{node}"),
            &["line 1", "unknown field `colour`"],
        ),
        (
            format!("{node}memory = \"64 megabytes\"\n"),
            &["line 3", "256MiB"],
        ),
        (
            format!("[link]\nlatency = \"fast\"\n{node}"),
            &["line 2", "fast"],
        ),
        (
            format!("[link]\nlatency = \"0us\"\n{node}"),
            &["more than zero"],
        ),
        (
            "[[node]]\nisa = \"sparc\"\n".to_owned(),
            &["line 2", "x86_64 or aarch64"],
        ),
        ("seed = 1\n".to_owned(), &["no node", "[[node]]"]),
        (String::new(), &["no node"]),
        (node.repeat(33), &["1 to 32", "33"]),
        ("this is no TOML\n".to_owned(), &["line 1"]),
        ("\u{1b}\u{0}".to_owned(), &["line 1"]),
    ];
    for (text, expected) in cases {
        let ended = run_file(text, "hello", &[]);
        assert_eq!(ended.printed.text, "", "{text}");
        assert_eq!(ended.printed.status, 125, "{text}: {}", ended.errors);
        for part in *expected {
            assert!(
                ended.errors.contains(part),
                "{text:?} gives {:?}",
                ended.errors
            );
        }
    }
}

#[test]
fn a_file_that_is_not_there_or_not_text_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let missing = directory.path().join("missing.toml");
    let binary = directory.path().join("binary.toml");
    std::fs::write(&binary, [0xff, 0xfe, 0x80]).expect("a file");
    for path in [missing, binary] {
        let path = path.to_string_lossy();
        let ended = kettle::run(&[&path], &guests::program("hello"), &[]);
        assert_eq!(ended.printed.status, 125);
        let sentence = format!("kettle: the cluster file {path} cannot be read: ");
        assert!(ended.errors.starts_with(&sentence), "{}", ended.errors);
        assert_eq!(ended.errors.lines().count(), 1, "{}", ended.errors);
    }
    let file = written(WHOLE);
    let ended = Ended::of(&kettle::command([&file.1]).output().expect("it starts"));
    assert_eq!(ended.printed.status, 125);
    assert!(ended.errors.contains("no program is given"));
}

/// A program on the cluster of a file with this text.
fn run_file(text: &str, name: &str, arguments: &[&str]) -> Ended {
    let file = written(text);
    kettle::run(
        &[&file.1.to_string_lossy(), "--"],
        &guests::program(name),
        arguments,
    )
}

fn written(text: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("cluster.toml");
    std::fs::write(&path, text).expect("a file");
    (directory, path)
}
