//! What the command promises: standard output is the program's alone, the summary goes to standard error and ends with the digest, the exit
//! status is the program's, and whatever is wrong with a request is said in one sentence, with status 125.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;

use isa::Isa;

use crate::kettle::{self, Ended, TWO, install};
use crate::native::Printed;

#[test]
fn standard_output_is_the_programs_alone_and_the_digest_ends_the_rest() {
    let ended = kettle::run(&TWO, &guests::program("hello"), &[]);
    let text = "hello before\nhello after\nhello again\n".to_owned();
    assert_eq!(ended.printed, Printed { text, status: 0 });
    ended.digest();
    assert!(ended.errors.lines().count() > 1, "a summary comes first");
}

#[test]
fn quiet_leaves_only_errors() {
    let quiet = [&TWO[..], &["--quiet"]].concat();
    for (name, status) in [("hello", 0), ("exit_status", 7), ("segv", 139)] {
        let ended = kettle::run(&quiet, &guests::program(name), &[]);
        assert_eq!(ended.errors, "", "{name}");
        assert_eq!(ended.printed.status, status, "{name}");
    }
    let ended = kettle::run(&quiet, Path::new("no/such/program"), &[]);
    assert_eq!(ended.errors.lines().count(), 1, "{}", ended.errors);
}

#[test]
fn the_exit_status_is_the_programs() {
    for status in [0, 1, 2, 125, 126, 255] {
        let ended = kettle::run(
            &TWO,
            &guests::program("exit_status"),
            &["every", &status.to_string()],
        );
        assert_eq!(ended.printed.status, status);
        assert_eq!(ended.printed.text, format!("exiting with {status}\n"));
        ended.digest();
    }
    for plan in ["none", "once", "back", "every"] {
        let ended = kettle::run(&TWO, &guests::program("segv"), &[plan]);
        assert_eq!(ended.printed.text, "about to fault\n");
        assert_eq!(ended.printed.status, 128 + 11, "{plan}");
        assert!(ended.errors.contains("SIGSEGV"), "{}", ended.errors);
        ended.digest();
    }
}

#[test]
fn a_request_that_cannot_be_met_is_one_sentence() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    let file = |name: &str, bytes: &[u8]| fs::write(path(name), bytes).expect("a file");
    let hello = guests::program("hello").to_string_lossy().into_owned();
    let image = fs::read(guests::binary("hello", Isa::X86_64)).expect("it is built");
    file("text", b"#!/bin/sh\necho hello\n");
    file("empty", b"");
    file("half", &image[..image.len() / 2]);
    file("header", &image[..64]);
    install("hello", Isa::X86_64, directory.path(), "swapped_aarch64");
    install("hello", Isa::X86_64, directory.path(), "mixed_x86-64");
    install("trivial", Isa::Aarch64, directory.path(), "mixed_aarch64");
    install("hello", Isa::Aarch64, directory.path(), "lonely_aarch64");

    let many = ["x86_64"; 33].join(",");
    let nowhere = path("nowhere/trace");
    let (two, cases) = ("x86_64,aarch64", |options: &[&str], program: &str| {
        let words = options.iter().map(ToString::to_string);
        words.chain([program.to_owned()]).collect::<Vec<_>>()
    });
    let on_two = |program: &str| cases(&["--nodes", two], &path(program));
    let table: Vec<(Vec<String>, &[&str])> = vec![
        (
            on_two("missing"),
            &["there is no program", "missing_x86-64", "missing_aarch64"],
        ),
        (on_two(""), &["there is no program"]),
        (on_two("text"), &["text cannot be run", "not an ELF file"]),
        (on_two("empty"), &["empty cannot be run", "not an ELF file"]),
        (on_two("half"), &["half cannot be run", "outside the file"]),
        (on_two("header"), &["header cannot be run"]),
        (
            on_two("swapped"),
            &[
                "swapped_aarch64 is a binary for x86_64",
                "its name says aarch64",
            ],
        ),
        (
            on_two("mixed"),
            &["not one program", "not aligned", "one call of kettle-cc"],
        ),
        (
            on_two("lonely"),
            &["node 0 is x86_64", "lonely has no x86_64 binary", "build"],
        ),
        (
            cases(&["--nodes", "x86_64,riscv64"], &hello),
            &["'riscv64'", "x86_64 or aarch64"],
        ),
        (
            cases(&["--nodes", ""], &hello),
            &["instruction set ''", "x86_64 or aarch64"],
        ),
        (cases(&["--nodes", &many], &hello), &["1 to 32 nodes", "33"]),
        (
            cases(&[], &hello),
            &["which cluster?", "--nodes x86_64,aarch64"],
        ),
        (cases(&["--nodes"], two), &["PROG"]),
        (
            cases(&["--nodes", two, "--env", "LANG"], &hello),
            &["--env LANG", "NAME=VALUE"],
        ),
        (
            cases(&["--nodes", two, "--env", "=C"], &hello),
            &["--env =C", "NAME=VALUE"],
        ),
        (
            cases(&["--nodes", two, "--cpus", "0"], &hello),
            &["0 vCPUs", "1 to 32"],
        ),
        (
            cases(&["--nodes", two, "--cpus", "33"], &hello),
            &["33 vCPUs", "1 to 32"],
        ),
        (
            cases(&["--nodes", two, "--memory", "lots"], &hello),
            &["\"lots\"", "256MiB"],
        ),
        (
            cases(&["--nodes", two, "--latency", "0us"], &hello),
            &["more than zero"],
        ),
        (
            cases(&["--nodes", two, "--latency", "2"], &hello),
            &["`2` is no duration", "2us"],
        ),
        (
            cases(&["--nodes", two, "--bandwidth", "wide"], &hello),
            &["`wide` is no bandwidth", "56Gbit/s"],
        ),
        (
            cases(&["--nodes", two, "--link", "avian"], &hello),
            &["avian", "ib56"],
        ),
        (
            cases(&["--nodes", two, "--profile", "k53"], &hello),
            &["k53", "kettle, k52"],
        ),
        (
            cases(&["--nodes", two, "--root", "/no/such/root"], &hello),
            &["/no/such/root"],
        ),
        (
            cases(&["--nodes", two, "--trace", &nowhere], &hello),
            &["trace", "nowhere"],
        ),
        (
            cases(&["--nodes", two, "--colour"], &hello),
            &["unexpected argument '--colour'"],
        ),
        (
            cases(&["--nodes", two, "--stats", "--quiet"], &hello),
            &["unexpected argument '--stats'"],
        ),
        (
            cases(&["-n", "x86_64"], &hello),
            &["unexpected argument '-n'"],
        ),
        (
            cases(&["any.toml", "--link", "ib56", "--"], &hello),
            &[
                "unexpected argument '--link' after the cluster file",
                "go before",
            ],
        ),
    ];
    for (arguments, expected) in table {
        let ended = Ended::of(&kettle::command(&arguments).output().expect("it starts"));
        let errors = &ended.errors;
        assert_eq!(ended.printed.status, 125, "{arguments:?}: {errors}");
        assert_eq!(ended.printed.text, "", "{arguments:?}: {errors}");
        for part in expected {
            assert_eq!(
                errors.matches(part).count().min(1),
                1,
                "{arguments:?} should say {part:?}: {errors}"
            );
        }
        assert!(!errors.contains("panicked"), "{errors}");
        let said = errors.lines().next().unwrap_or("");
        assert!(said.starts_with("kettle: "), "{errors}");
        let (_, sentence) = said.split_once(": ").expect("it begins with a name");
        assert!(!twice(sentence), "a reason is said twice: {sentence}");
    }
}

#[test]
fn a_program_may_look_like_a_flag_behind_dashes() {
    let directory = tempfile::tempdir().expect("a directory");
    install("hello", Isa::X86_64, directory.path(), "--odd");
    let mut command = kettle::command(["--nodes", "x86_64", "--quiet", "--", "--odd", "--quiet"]);
    let output = command.current_dir(directory.path()).output();
    let ended = Ended::of(&output.expect("it starts"));
    assert_eq!(ended.errors, "", "the second --quiet is the program's");
    assert!(ended.printed.text.contains("no plan is called --quiet"));
}

#[test]
fn nothing_asked_for_is_answered_with_the_help() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_kettle")).output();
    let ended = Ended::of(&output.expect("it starts"));
    assert_eq!(ended.printed.status, 125);
    assert!(
        ended.errors.starts_with("Emulates a cluster"),
        "{}",
        ended.errors
    );
    assert!(ended.errors.contains("\nUsage: kettle"), "{}", ended.errors);
}

/// Whether what follows the last colon has been said before.
fn twice(sentence: &str) -> bool {
    let last = sentence
        .rsplit_once(": ")
        .map(|(before, last)| before.contains(last));
    last == Some(true)
}

#[test]
fn a_limit_of_virtual_time_ends_a_run_and_keeps_what_was_printed() {
    let options = [&TWO[..], &["--max-time", "100us"]].concat();
    let ended = kettle::run(&options, &guests::program("hello"), &[]);
    assert_eq!(ended.printed.text, "hello before\n");
    assert_eq!(ended.printed.status, 125);
    assert!(ended.errors.contains("100 us"), "{}", ended.errors);
}

#[test]
fn help_and_version_are_no_errors() {
    for (arguments, expected) in [
        (&["--help"][..], "run"),
        (&["run", "--help"], "CLUSTER.toml"),
        (&["--version"], "kettle"),
    ] {
        let mut kettle = std::process::Command::new(env!("CARGO_BIN_EXE_kettle"));
        let ended = Ended::of(&kettle.args(arguments).output().expect("it starts"));
        assert_eq!(ended.printed.status, 0, "{arguments:?}");
        assert!(ended.printed.text.contains(expected), "{arguments:?}");
    }
}

#[test]
fn arguments_and_options_after_the_program_are_the_programs() {
    let ended = kettle::run(&TWO, &guests::program("hello"), &["--quiet"]);
    assert_eq!(ended.printed.status, 2);
    assert_eq!(
        ended.printed.text,
        "no plan is called --quiet; there are none, once, back and every\n"
    );
    ended.digest();
}

/// As in `kettle run ... | head -1`: the reader goes away, and the run goes on and ends as ever.
#[test]
fn a_reader_that_goes_away_changes_nothing() {
    let usual = kettle::run(&TWO, &guests::program("threads4"), &["every"]);
    let mut command = kettle::command(TWO);
    command.arg(guests::program("threads4")).arg("every");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    drop(child.stdout.take());
    let mut errors = String::new();
    let stderr = child.stderr.as_mut().expect("it is piped");
    stderr
        .read_to_string(&mut errors)
        .expect("messages are text");
    assert_eq!(errors, usual.errors);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));

    // Nobody reads the summary.
    let mut child = command.stdout(Stdio::null()).spawn().expect("it starts");
    drop(child.stderr.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

/// Output that cannot be kept is an error of the run, not silence.
#[test]
fn a_full_disk_is_said() {
    let full = fs::File::options().write(true).open("/dev/full");
    let mut command = kettle::command(TWO);
    command.arg(guests::program("hello"));
    command.stdout(full.expect("every Linux has /dev/full"));
    let ended = Ended::of(&command.output().expect("it starts"));
    assert_eq!(ended.printed.status, 125, "{}", ended.errors);
    assert!(ended.errors.contains("standard output"), "{}", ended.errors);
}
