//! What build systems and configure scripts do with a compiler, done with `kettle-cc`, `kettle-ar` and `kettle-ranlib`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const CC: &str = env!("CARGO_BIN_EXE_kettle-cc");
const AR: &str = env!("CARGO_BIN_EXE_kettle-ar");
const RANLIB: &str = env!("CARGO_BIN_EXE_kettle-ranlib");

/// A directory with the given files.
fn project(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("created");
        std::fs::write(path, text).expect("written");
    }
    directory
}

fn run(at: &Path, program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(at)
        .output();
    output.unwrap_or_else(|e| panic!("{program} does not start: {e}"))
}

/// Runs a program that must succeed; what it prints.
fn succeed(at: &Path, program: &str, arguments: &[&str]) -> String {
    let output = run(at, program, arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "{program} {arguments:?} failed: {errors}"
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a program that must fail; what it says.
fn fail(at: &Path, program: &str, arguments: &[&str]) -> String {
    let output = run(at, program, arguments);
    assert!(!output.status.success(), "{program} {arguments:?} succeeds");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn read(at: &Path, name: &str) -> String {
    std::fs::read_to_string(at.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

const MAKEFILE: &str = "\
CC = cc
AR = ar
RANLIB = ranlib
CFLAGS = -O2 -g -Wall -Iinclude -MMD -MP -fPIC -D'NAME=\"made by make\"'
LDLIBS = -Llib -lshapes -lm -lpthread
OBJECTS = main.o report.o

program: $(OBJECTS) lib/libshapes.a
\t$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(OBJECTS) $(LDLIBS)

lib/libshapes.a: lib/square.o lib/circle.o lib/never.o
\t$(AR) rcs $@ $^
\t$(RANLIB) $@

-include $(OBJECTS:.o=.d)

.PHONY: check
check: program
\t./program
";

const MAKE_PROJECT: &[(&str, &str)] = &[
    ("Makefile", MAKEFILE),
    (
        "include/shapes.h",
        "long square(long);\nlong circle(long);\n",
    ),
    (
        "include/report.h",
        "void report(const char *what, long value);\n",
    ),
    (
        "main.c",
        "#include <kettle.h>\n#include <shapes.h>\n#include \"report.h\"\nint main(void)\n{\n    report(NAME, square(7));\n    migrate(1);\n    report(\"circle\", circle(10));\n}\n",
    ),
    (
        "report.c",
        "#include <stdio.h>\n#include \"report.h\"\nvoid report(const char *what, long value) { printf(\"%s: %ld\\n\", what, value); }\n",
    ),
    ("lib/square.c", "long square(long x) { return x * x; }\n"),
    (
        "lib/circle.c",
        "long square(long);\nlong circle(long r) { return 355 * square(r) / 113; }\n",
    ),
    // Linked, it would be an error: nothing defines what it calls.
    (
        "lib/never.c",
        "int nowhere(void);\nint never(void) { return nowhere(); }\nint main2(void) { return never(); }\n",
    ),
];

#[test]
fn a_makefile_project_builds_and_rebuilds() {
    let directory = project(MAKE_PROJECT);
    let at = directory.path();
    let variables = [
        format!("CC={CC}"),
        format!("AR={AR}"),
        format!("RANLIB={RANLIB}"),
    ];
    let make = |target: &str| {
        let mut arguments: Vec<&str> = vec!["-s", target];
        arguments.extend(variables.iter().map(String::as_str));
        succeed(at, "make", &arguments)
    };
    let expected = "made by make: 49\ncircle: 314\n";
    assert_eq!(make("check"), expected);
    for suffix in ["_x86-64", "_aarch64"] {
        assert!(at.join(format!("program{suffix}")).is_file());
    }
    assert_eq!(succeed(at, "qemu-aarch64", &["program_aarch64"]), expected);
    let rule = read(at, "main.d");
    assert!(rule.starts_with("main.o: main.c"), "{rule}");
    assert!(
        rule.contains("include/shapes.h") && !rule.contains("kettle.h"),
        "{rule}"
    );
    // The dependencies are right: a changed header builds again what includes it.
    let old = std::fs::read(at.join("report.o")).expect("an object");
    std::fs::write(
        at.join("include/shapes.h"),
        "long square(long);\n#define circle(x) (square(x) + 1)\n",
    )
    .expect("written");
    assert_eq!(make("check"), "made by make: 49\ncircle: 101\n");
    assert_eq!(std::fs::read(at.join("report.o")).expect("an object"), old);
}

#[test]
fn members_are_linked_only_when_they_are_needed() {
    let directory = project(&[
        (
            "main.c",
            "#include <stdio.h>\nint a(void);\nint main(void) { printf(\"%d\\n\", a()); }\n",
        ),
        (
            "a.c",
            "int b(void);\n__attribute__((weak)) int maybe(void);\nint a(void) { return b() + (maybe ? maybe() : 0); }\n",
        ),
        ("b.c", "int c(void);\nint b(void) { return 20 + c(); }\n"),
        ("c.c", "int c(void) { return 3; }\n"),
        (
            "other.c",
            "int c(void) { return 4; }\nint unused(void) { return 1; }\n",
        ),
        ("maybe.c", "int maybe(void) { return 100; }\n"),
    ]);
    let at = directory.path();
    succeed(
        at,
        CC,
        &[
            "-O1", "-c", "main.c", "a.c", "b.c", "c.c", "other.c", "maybe.c",
        ],
    );
    // Each archive needs the one before it.
    succeed(at, AR, &["rcs", "libc_.a", "c.o", "maybe.o"]);
    succeed(at, AR, &["cr", "libb.a", "b.o"]);
    succeed(at, AR, &["rcs", "liba.a", "a.o", "other.o"]);
    assert_eq!(succeed(at, AR, &["t", "liba.a"]), "a.o\nother.o\n");
    let cases: &[(&[&str], &str)] = &[
        (&["main.o", "libc_.a", "libb.a", "liba.a"], "23\n"),
        (
            &["main.o", "-L.", "-la", "-lb", "-l:libc_.a", "-lm"],
            "24\n",
        ),
        (&["main.o", "libb.a", "liba.a", "c.o"], "23\n"),
        (
            &[
                "-Wl,--start-group",
                "libc_.a",
                "libb.a",
                "liba.a",
                "-Wl,--end-group",
                "main.o",
                "maybe.o",
            ],
            "123\n",
        ),
        (
            &[
                "main.o",
                "-Wl,--whole-archive",
                "libc_.a",
                "-Wl,--no-whole-archive",
                "libb.a",
                "liba.a",
            ],
            "123\n",
        ),
    ];
    for (inputs, expected) in cases {
        succeed(at, CC, &[inputs, &["-o", "program"][..]].concat());
        assert_eq!(succeed(at, "./program", &[]), *expected, "{inputs:?}");
    }
    succeed(at, AR, &["d", "liba.a", "other.o"]);
    let message = fail(at, CC, &["main.o", "liba.a", "libb.a", "-o", "program"]);
    assert!(
        message.contains("in function b: function c is used and defined nowhere"),
        "{message}"
    );
    succeed(at, AR, &["x", "liba.a"]);
    let message = fail(at, CC, &["main.o", "-L.", "-Llib", "-lwrong"]);
    assert_eq!(
        message,
        "kettle-cc: cannot find -lwrong: no libwrong.a in ., lib\n"
    );
}

#[test]
fn machine_code_of_other_compilers_is_refused_by_all_tools() {
    let directory = project(&[("a.c", "int main(void) { return 0; }\n")]);
    let at = directory.path();
    succeed(at, "clang-19", &["-c", "a.c"]);
    succeed(at, "llvm-ar-19", &["rcs", "libnative.a", "a.o"]);
    let expected =
        "machine code for one instruction set, not bitcode; compile its source with kettle-cc\n";
    for (program, arguments, place) in [
        (CC, &["a.o"][..], "kettle-cc: a.o: "),
        (CC, &["a.c", "libnative.a"], "kettle-cc: libnative.a/a.o: "),
        (AR, &["rcs", "liba.a", "a.o"], "kettle-ar: a.o: "),
    ] {
        assert_eq!(fail(at, program, arguments), format!("{place}{expected}"));
    }
    let message = fail(at, RANLIB, &["a.c"]);
    assert_eq!(
        message,
        "kettle-ranlib: a.c: not an archive; make one with kettle-ar\n"
    );
    assert!(fail(at, RANLIB, &["none.a"]).starts_with("kettle-ranlib: none.a: cannot read it"));
    let message = fail(at, CC, &["a.s"]);
    assert_eq!(
        message,
        "kettle-cc: a.s: assembly is for one instruction set; write C\n"
    );
}

#[test]
fn each_step_can_be_the_last_one() {
    let directory = project(&[
        (
            "dir/a.c",
            "#include \"a.h\"\nint main(void) { return VALUE; }\n",
        ),
        ("dir/a.h", "#define VALUE 42\n"),
        ("flags.rsp", "-O1 -o 'out dir/b.o'\n@more.rsp"),
        ("more.rsp", "-DUNUSED=\"x y\" -c"),
    ]);
    let at = directory.path();
    let text = succeed(at, CC, &["-E", "-P", "dir/a.c"]);
    assert_eq!(text, "int main(void) { return 42; }\n");
    succeed(at, CC, &["-E", "-P", "dir/a.c", "-o", "a.i"]);
    assert_eq!(read(at, "a.i"), text);
    assert_eq!(succeed(at, CC, &["-fsyntax-only", "dir/a.c"]), "");
    assert_eq!(
        succeed(at, CC, &["-MM", "dir/a.c"]),
        "a.o: dir/a.c dir/a.h\n"
    );
    succeed(at, CC, &["-S", "dir/a.c"]);
    assert!(read(at, "a.s").contains(" i32 @main("));
    std::fs::create_dir(at.join("out dir")).expect("created");
    succeed(
        at,
        CC,
        &[
            "dir/a.c",
            "@flags.rsp",
            "-MD",
            "-MF",
            "a.d",
            "-MT",
            "target",
        ],
    );
    assert_eq!(read(at, "a.d"), "target: dir/a.c dir/a.h\n");
    succeed(at, CC, &["-c", "-MD", "dir/a.c"]);
    assert_eq!(read(at, "a.d"), "a.o: dir/a.c dir/a.h\n");
    succeed(at, CC, &["-MD", "dir/a.c", "-o", "one"]);
    assert_eq!(read(at, "one.d"), "one: dir/a.c dir/a.h\n");
    for (input, output) in [("out dir/b.o", "two"), ("a.i", "three")] {
        succeed(at, CC, &[input, "-o", output]);
        assert_eq!(run(at, &format!("./{output}"), &[]).status.code(), Some(42));
    }
    assert_eq!(run(at, "./one", &[]).status.code(), Some(42));
}

#[test]
fn the_standard_input_is_a_source() {
    let directory = project(&[]);
    let mut child = Command::new(CC)
        .args(["-E", "-dM", "-x", "c", "-"])
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("kettle-cc starts");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(b"#define MINE 1\n").expect("written");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for macro_ in [
        "#define MINE 1\n",
        "#define __KETTLE__ 1\n",
        "#define __GNUC__ 4\n",
    ] {
        assert!(text.contains(macro_), "{macro_}");
    }
}

#[test]
fn questions_are_answered() {
    let directory = project(&[]);
    let at = directory.path();
    for (argument, expected) in [
        ("--version", "kettle-cc "),
        ("-v", "kettle-cc "),
        ("-dumpmachine", "x86_64-unknown-linux-gnu\n"),
        ("-dumpversion", "19\n"),
        ("-print-prog-name=ld", "ld.lld-19\n"),
        ("-print-file-name=libm.a", "libm.a\n"),
        ("-print-multi-os-directory", ".\n"),
        ("-print-libgcc-file-name", "libgcc.a\n"),
        ("-print-search-dirs", "install: "),
        ("-Wl,--version", "Debian LLD 19"),
        ("--help", "kettle-cc FILE... [-o PROG]: "),
    ] {
        let text = succeed(at, CC, &[argument]);
        assert!(text.starts_with(expected), "{argument}: {text}");
    }
    assert_eq!(succeed(at, CC, &["-print-prog-name=ar"]).trim(), AR);
    assert!(succeed(at, AR, &["--version"]).contains("LLVM"));
}

/// Programs as configure scripts write them: each compiles, links and runs, or does not.
#[test]
fn probes_of_configure_scripts_find_what_there_is() {
    let builds: &[(&str, Option<i32>)] = &[
        ("int\nmain (void)\n{\n\n  ;\n  return 0;\n}\n", Some(0)),
        // No value returned.
        ("int main () { }\n", Some(0)),
        // AC_CHECK_FUNC: a declaration that is wrong on purpose.
        (
            "#define qsort innocuous_qsort\n#include <limits.h>\n#undef qsort\nchar qsort (void);\nint\nmain (void)\n{\nreturn qsort ();\n  ;\n  return 0;\n}\n",
            None,
        ),
        // AC_CHECK_SIZEOF, when cross compiling and when not.
        (
            "static int test_array [1 - 2 * !((sizeof (long)) == 8)];\nint main (void) { test_array [0] = 0; return test_array [0]; }\n",
            Some(0),
        ),
        (
            "#include <stdio.h>\n#include <stdlib.h>\nint main (void) { exit (sizeof (void *)); }\n",
            Some(8),
        ),
        // AC_C_BIGENDIAN
        (
            "int main (void) { union { long l; char c[sizeof (long)]; } u; u.l = 1; return u.c[sizeof (long) - 1] == 1; }\n",
            Some(0),
        ),
        (
            "typedef int t[__STDC_VERSION__ >= 199901L ? 1 : -1];\nint main (void) { return 3; }\n",
            Some(3),
        ),
    ];
    for (text, status) in builds {
        let directory = project(&[("conftest.c", text)]);
        let at = directory.path();
        succeed(
            at,
            CC,
            &["-o", "conftest", "-g", "-O2", "-w", "conftest.c", "-lm"],
        );
        if status.is_some() {
            assert_eq!(run(at, "./conftest", &[]).status.code(), *status, "{text}");
        }
    }
    let refused: &[(&str, &[&str])] = &[
        (
            "char no_such_function ();\nint main (void) { return no_such_function (); }\n",
            &[],
        ),
        (
            "#include <no_such_header.h>\nint main (void) { return 0; }\n",
            &["-c"],
        ),
        (
            "typedef int t[sizeof (long) == 4 ? 1 : -1];\nint main (void) { return 0; }\n",
            &["-c"],
        ),
        ("int main (void) { return 0; }\n", &["-fno-such-flag"]),
        ("int main (void) { return 0; }\n", &["-lno_such_library"]),
    ];
    for (text, flags) in refused {
        let directory = project(&[("conftest.c", text)]);
        let arguments = [&["-o", "conftest", "conftest.c"], *flags].concat();
        fail(directory.path(), CC, &arguments);
        assert!(!directory.path().join("conftest").exists(), "{text}");
    }
}

/// Functions in the manner before prototypes are called by their names and through pointers.
#[test]
fn functions_without_prototypes() {
    let old =
        "int f(a, b) double a; int b; { return a * b; }\nint g(a) short a; { return a + 1; }\n";
    let main = "int f(), g(), printf();\n\
        int main(argc, argv) int argc; char **argv; { printf(\"%d %d %s\\n\", f(1.5, 4), g(6), argv[argc] ? \"?\" : \"end\"); return 0; }\n";
    let directory = project(&[("old.c", old), ("main.c", main)]);
    succeed(directory.path(), CC, &["old.c", "main.c", "-o", "p"]);
    let program = directory.path().join("p");
    let printed = succeed(directory.path(), &program.display().to_string(), &[]);
    assert_eq!(printed, "6 7 end\n");

    // Through a pointer nobody knows which function it is; the call works all the same.
    let pointer = "#include <stdio.h>\nint one(int a) { return a + 1; }\nint (*volatile f)() = one;\nint main(void) { printf(\"%d\\n\", f(1)); }\n";
    let directory = project(&[("a.c", pointer)]);
    succeed(directory.path(), CC, &["-w", "a.c", "-o", "p"]);
    let program = directory.path().join("p");
    let printed = succeed(directory.path(), &program.display().to_string(), &[]);
    assert_eq!(printed, "2\n");
}
