//! Running what was built: on plain Linux, and in Kettle with hops.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::build::{command, kettle as emulator};

/// The two ways to put the two instruction sets into a pair of nodes; the program starts on the first.
pub const PAIRS: [&str; 2] = ["x86_64,aarch64", "aarch64,x86_64"];

/// What a run printed, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    pub out: String,
    pub status: Option<i32>,
}

/// A run in Kettle.
pub struct Emulated {
    pub ran: Ran,
    pub errors: String,
}

impl Emulated {
    /// How often threads have arrived on another node.
    pub fn migrations(&self) -> u64 {
        migrations_in(&self.errors)
    }
}

/// The sum of the migrations that summaries of `kettle run` tell of.
pub fn migrations_in(summaries: &str) -> u64 {
    let counts = summaries.lines().filter_map(|line| {
        let count = line.strip_prefix("migrations: ")?;
        count.split(' ').next()?.parse::<u64>().ok()
    });
    counts.sum()
}

/// Runs a program with a text on its standard input.
pub fn plain(at: &Path, words: &[&str], input: &str) -> Ran {
    ran(&output(
        Command::new(words[0]).args(&words[1..]).current_dir(at),
        input,
    ))
}

/// Runs a program in Kettle: what comes between `kettle run` and it, and its arguments.
pub fn kettle(at: &Path, options: &[&str], words: &[&str], input: &str) -> Emulated {
    let mut command = Command::new(emulator());
    command
        .args(["run", "--stdin", "-"])
        .args(options)
        .args(words)
        .current_dir(at);
    let output = output(&mut command, input);
    Emulated {
        ran: ran(&output),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn output(command: &mut Command, input: &str) -> Output {
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    // Nobody here prints before it has read its input; one that does not want it goes before it is written.
    let _ = child
        .stdin
        .take()
        .expect("it is a pipe")
        .write_all(input.as_bytes());
    child.wait_with_output().expect("a child ends")
}

fn ran(output: &Output) -> Ran {
    Ran {
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        status: output.status.code(),
    }
}

/// Puts a script in the place of a program that a makefile runs: the program in Kettle, its summaries in `kettle.log`.
pub fn replace_by_kettle(program: &Path, options: &str) {
    let kettle = emulator();
    replace(
        program,
        &format!(
            "exec {} run {options} --stdin - \"$0\" \"$@\" 2>> kettle.log",
            kettle.display()
        ),
    );
}

/// Puts a script in the place of a program that a makefile runs.
pub fn replace(program: &Path, line: &str) {
    fs::remove_file(program).expect("the program was built");
    fs::write(program, format!("#!/bin/sh\n{line}\n")).expect("a script can be written");
    let status = Command::new("chmod").arg("+x").arg(program).status();
    assert!(status.is_ok_and(|s| s.success()), "chmod of a script");
}

/// `make` in a directory of a package; what it printed on both its outputs. It must succeed.
pub fn make(at: &Path, arguments: &[&str]) -> String {
    let words = [&["make"], arguments].concat();
    let output = command(at, &words).output().expect("make is installed");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "make {arguments:?} fails:\n{text}");
    text
}
