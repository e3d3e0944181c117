//! The command `kettle-cc` as a user meets it.

use std::path::Path;
use std::process::{Command, Output};

fn kettle_cc(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kettle-cc"))
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("kettle-cc starts")
}

fn succeed(directory: &Path, arguments: &[&str]) {
    let output = kettle_cc(directory, arguments);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {message}");
}

fn with_sources() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let files = [
        (
            "main.c",
            "#include <kettle.h>\n#include \"other.h\"\nint main(void) { migrate(0); return other() + VALUE; }\n",
        ),
        (
            "other.c",
            "#include <kettle.h>\n#include \"other.h\"\nint other(void) { migrate(0); return 2; }\n",
        ),
        ("include/other.h", "int other(void);\n"),
        ("Makefile", "all:\n"),
    ];
    std::fs::create_dir(directory.path().join("include")).expect("created");
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).expect("written");
    }
    directory
}

#[test]
fn one_step_and_two_steps_make_the_same_binaries() {
    let directory = with_sources();
    let at = directory.path();
    let flags = [
        "-O2",
        "-std=gnu11",
        "-Wall",
        "-Iinclude",
        "-DVALUE=40",
        "-fwrapv",
    ];
    succeed(
        at,
        &[&flags[..], &["main.c", "other.c", "-o", "one"]].concat(),
    );
    succeed(at, &[&flags[..], &["-c", "main.c", "other.c"]].concat());
    succeed(
        at,
        &[
            "main.o",
            "other.o",
            "-o",
            "out/two",
            "--keep",
            "kept",
            "--migration-points=manual",
        ],
    );
    for suffix in ["", "_x86-64", "_aarch64"] {
        let one = std::fs::read(at.join(format!("one{suffix}"))).expect("a binary");
        let two = std::fs::read(at.join(format!("out/two{suffix}"))).expect("a binary");
        assert!(one == two, "prog{suffix} differs");
    }
    let status = Command::new(at.join("one")).status().expect("it starts");
    assert_eq!(status.code(), Some(42));
    assert!(at.join("kept/link.ld").is_file());
}

#[test]
fn a_failure_is_one_message_and_status_1() {
    let directory = with_sources();
    for (arguments, expected) in [
        (
            &["missing.c"][..],
            "kettle-cc: cannot read missing.c: No such file or directory (os error 2)\n",
        ),
        (
            &["-c", "missing.c"],
            "kettle-cc: cannot read missing.c: No such file or directory (os error 2)\n",
        ),
        (
            &["main.c", "other.c", "-o", "main.c"],
            "kettle-cc: main.c is an input, and the output would overwrite it; give another name with -o\n",
        ),
        (
            &["-c", "main.c", "-o", "./main.c"],
            "kettle-cc: main.c is an input, and the output would overwrite it",
        ),
        (
            &["-Iinclude", "-DVALUE=1", "main.c", "other.c", "other.c"],
            "kettle-cc: other is defined more than once: in other.c and in other.c; leave one definition, or make it static\n",
        ),
        (
            &[
                "-Iinclude",
                "-DVALUE=1",
                "main.c",
                "other.c",
                "-o",
                "/proc/none/x",
            ],
            "kettle-cc: cannot create /proc/none: No such file or directory (os error 2)\n",
        ),
        (
            &["-Iinclude", "-DVALUE=1", "main.c"],
            "kettle-cc: the program is not complete:\n  main.c:3: in function main: function other is used and defined nowhere;",
        ),
        (
            &["-fno-such", "main.c"],
            "kettle-cc: unknown flag -fno-such; kettle-cc --help lists what there is\n",
        ),
        (
            &["-x", "assembler", "main.c"],
            "kettle-cc: -x assembler: the languages are c, cpp-output and none",
        ),
        (
            &["main.c", "-c", "-o", "x.o", "other.c"],
            "kettle-cc: -c with -o takes one source",
        ),
        (
            &["Makefile"],
            "kettle-cc: Makefile: neither C (.c, .i) nor bitcode (.o, .bc) nor an archive of bitcode (.a)",
        ),
    ] {
        let output = kettle_cc(directory.path(), arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.starts_with(expected), "{message}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn every_step_is_printed_when_asked_for() {
    let directory = with_sources();
    let arguments = [
        "-v",
        "-Iinclude",
        "-DVALUE=1",
        "main.c",
        "other.c",
        "-o",
        "out",
    ];
    let output = kettle_cc(directory.path(), &arguments);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{message}");
    let mut rest = message.as_str();
    for step in [
        "\"clang-19\" ",
        "\"llvm-link-19\" ",
        "\"opt-19\" ",
        "transform whole.bc to transformed.bc: ",
        "\"llvm-extract-19\" ",
        "\"llc-19\" ",
        "\"ld.lld-19\" \"-m\" \"elf_x86_64\"",
        "\"ld.lld-19\" \"-m\" \"aarch64linux\"",
        "write the call-site table into both files, and compare them\n",
        "verify the x86_64 code behind ",
        "verify the aarch64 code behind ",
    ] {
        let found = rest.split_once(step);
        let (_, behind) = found.unwrap_or_else(|| panic!("no {step} in its place: {message}"));
        rest = behind;
    }
}

/// Who has asked may have gone: that is no reason to fail loudly.
#[test]
fn nobody_has_to_listen() {
    for argument in ["--help", "--no-such-flag"] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_kettle-cc"));
        command.arg(argument);
        command.stdout(writer.try_clone().expect("a second end"));
        command.stderr(writer);
        let status = command.status().expect("kettle-cc starts");
        let expected = i32::from(argument != "--help");
        assert_eq!(status.code(), Some(expected), "{argument}");
    }
}
