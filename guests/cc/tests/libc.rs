//! Programs on the full C library. What it does in a running program is tested by the guest programs called `libc_...`; here is what only its build
//! can show.

use std::path::{Path, PathBuf};
use std::process::Command;

use isa::Isa;
use kettle_cc::{Build, MigrationPoints, Program};
use tempfile::TempDir;

/// Builds one C file on the library.
fn build(directory: &TempDir, source: &Path, change: impl Fn(Build) -> Build) -> Program {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../programs");
    let build = Build::new()
        .sources([source])
        .flags(["-Wall", "-Wextra", "-Werror"])
        .include(programs)
        .out_dir(directory.path())
        .name("program");
    change(build)
        .build()
        .unwrap_or_else(|e| panic!("{}: {e}", source.display()))
}

fn source(directory: &TempDir, text: &str) -> PathBuf {
    let path = directory.path().join("source.c");
    std::fs::write(&path, text).expect("a temporary file");
    path
}

/// What a program prints: on this host and under qemu-user for the other ISA, where it must be the same.
fn output(program: &Program) -> String {
    let run = |command: &mut Command| {
        let output = command
            .output()
            .expect("the program runs; qemu-user must be installed");
        assert!(output.status.success(), "{command:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let host = run(&mut Command::new(program.host()));
    let other = run(Command::new("qemu-aarch64").arg(program.binary(Isa::Aarch64)));
    assert_eq!(host, other);
    host
}

#[test]
fn a_program_s_own_functions_go_before_the_library_s() {
    let directory = TempDir::new().expect("a temporary directory");
    let text = r#"
        #include <stdio.h>
        #include <string.h>
        char *strdup(const char *text) { return strchr(text, '-') + 1; }
        int getline(void) { return 7; }
        int main(void) { printf("%s %d\n", strdup("not-copied"), getline()); }
    "#
    .replace("#include <stdio.h>", "int printf(const char *, ...);")
    .replace("#include <string.h>", "char *strchr(const char *, int);");
    let program = build(&directory, &source(&directory, &text), |b| b);
    assert_eq!(output(&program), "copied 7\n");
}

#[test]
fn a_program_takes_only_what_it_uses_of_the_library() {
    let directory = TempDir::new().expect("a temporary directory");
    let size = |text: &str| {
        let program = build(&directory, &source(&directory, text), |b| b);
        std::fs::metadata(program.host()).expect("the binary").len()
    };
    let nothing = size("int main(void) { return 0; }");
    let prints = size("#include <stdio.h>\nint main(void) { printf(\"%g\\n\", 0.5); }");
    assert!(
        nothing < prints && prints < 200_000,
        "{nothing} bytes without printf, {prints} with it"
    );
}

#[test]
fn popcorn_s_migrate_calls_back_and_says_why_it_did_not_move() {
    let directory = TempDir::new().expect("a temporary directory");
    let text = r#"
        #include <migrate.h>
        #include <stdio.h>
        static void arrived(void *text) { puts(text); }
        int main(void)
        {
            migrate(1, arrived, "arrived");
            check_migrate(arrived, "asked to go");
            printf("%d %d\n", current_arch() == ARCH_UNKNOWN, node_available(1));
        }
    "#;
    let program = build(&directory, &source(&directory, text), |b| b);
    assert_eq!(output(&program), "0 0\n");
    let ended = Command::new(program.host()).output().expect("it runs");
    assert_eq!(
        String::from_utf8_lossy(&ended.stderr),
        "Could not migrate to node: Function not implemented\n"
    );
}

/// Every build is verified, and fails at a violation. So each system call is made a place where the thread might migrate: nearly the whole
/// library then consists of functions that may.
#[test]
fn the_library_keeps_nothing_in_machine_frames_over_its_system_calls() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../programs");
    for (name, at_least) in [
        ("libc_format", 200),
        ("libc_streams", 300),
        ("libc_threads", 400),
    ] {
        let directory = TempDir::new().expect("a temporary directory");
        let program = build(&directory, &programs.join(name).with_extension("c"), |b| {
            b.migration_points(MigrationPoints::Functions)
        });
        assert!(
            program.sites > at_least,
            "{name} has {} call sites that may migrate",
            program.sites
        );
        assert!(output(&program).ends_with(": ok\n"), "{name}");
    }
}
