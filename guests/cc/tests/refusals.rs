//! What cannot migrate is refused with the function, the line, and what would be right. One checker, a table of programs.

use kettle_cc::{Build, Runtime, SourceFile};

/// A minimal runtime: these programs do not come as far as a start.
fn runtime() -> Runtime {
    let stubs = "int migrate(int n) { return n; }\nlong native(long *big) { return *big; }\nint setjmp(long *b) { return 0; }\n";
    Runtime::from_files(vec![SourceFile {
        name: "native/stubs.c".into(),
        text: stubs.into(),
    }])
}

/// What the build of `text` fails with.
fn build(text: &str, flags: &[&str]) -> String {
    build_with(text, flags, runtime())
}

fn build_with(text: &str, flags: &[&str], runtime: Runtime) -> String {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let source = directory.path().join("bad.c");
    std::fs::write(&source, text).expect("written");
    let result = Build::new()
        .sources([&source])
        .flags(flags.iter().copied())
        .runtime(runtime)
        .out_dir(directory.path())
        .build();
    match result {
        Ok(program) => panic!("built with {} sites", program.sites),
        Err(error) => error
            .to_string()
            .replace(&source.display().to_string(), "bad.c"),
    }
}

/// The program and what its refusal says.
const REFUSED: &[(&str, &[&str])] = &[
    (
        "int migrate(int);\nint main(void) {\n  __asm__ volatile(\"nop\");\n  return migrate(0);\n}\n",
        &[
            "bad.c:3: in function main: inline assembly \"nop\"",
            "write C",
        ],
    ),
    (
        "int migrate(int);\nint main(void) {\n  long x = migrate(0);\n  __asm__(\"\" : \"+a\"(x));\n  return x;\n}\n",
        &[
            "bad.c:4: in function main: the constraint \"{ax}\"",
            "use \"r\" or \"m\"",
        ],
    ),
    (
        "__asm__(\".globl x\");\nint main(void) { return 0; }\n",
        &["assembly at file level", "write C"],
    ),
    (
        "int migrate(int);\nint main(int n, char **v) {\n  __asm__ goto(\"\" : : : : out);\n  migrate(n);\nout:\n  return !v;\n}\n",
        &[
            "bad.c:3: in function main: asm goto is for one instruction set",
            "write C",
        ],
    ),
    (
        "int migrate(int);\ntypedef long jmp_buf[8];\nint setjmp(jmp_buf) __attribute__((returns_twice));\njmp_buf j;\nint main(void) {\n  if (setjmp(j)) return 1;\n  return migrate(0);\n}\n",
        &[
            "bad.c:6: in function main: setjmp",
            "setjmp and longjmp cannot migrate",
        ],
    ),
    (
        "int migrate(int);\nvoid *p;\nint main(void) {\n  p = __builtin_return_address(0);\n  return migrate(0);\n}\n",
        &["bad.c:4: in function main: a frame or return address"],
    ),
    (
        "int migrate(int);\ndouble d;\nint main(void) {\n  volatile __float128 q = d;\n  migrate(0);\n  d = q * q;\n  return 0;\n}\n",
        &["in function main: 80-bit and 128-bit floats", "use double"],
    ),
    (
        "typedef double two __attribute__((vector_size(16)));\ntwo v;\nint main(void) {\n  v = __builtin_ia32_cmpsd(v, v, 3);\n  return 0;\n}\n",
        &["bad.c:4: in function main: llvm.x86.sse2.cmp.sd is an instruction of x86 only"],
    ),
    (
        "int migrate(int);\nint twice(int n);\nint main(int n, char **v) {\n  migrate(n);\n  __attribute__((musttail)) return ((int (*)(int, char **))v[n])(n, v);\n}\n",
        &["bad.c:5: in function main: musttail"],
    ),
    (
        "struct big { long a[9]; };\nlong native(struct big);\nint main(void) {\n  struct big b = {{1}};\n  return native(b);\n}\n",
        &[
            "bad.c:5: in function main: native is a native function: pass the struct through a pointer",
        ],
    ),
    (
        "int migrate(int);\nint other(int);\nint main(void) {\n  migrate(0);\n  return other(1);\n}\n",
        &[
            "bad.c:5: in function main: function other is used and defined nowhere; define it, or name the library that has it with -l",
        ],
    ),
    (
        "extern int there;\nint *p = &there;\nint main(void) {\n  return *p;\n}\n",
        &["bad.c:4: in function main: variable there is used and defined nowhere"],
    ),
    (
        "int migrate(int);\n_Thread_local int x __attribute__((aligned(128)));\nint main(void) {\n  migrate(0);\n  return x++;\n}\n",
        &[
            "bad.c:5: in function main: thread-local variable x asks for an alignment of 128; at most 64 is possible: align a pointer",
        ],
    ),
    (
        "void *p;\nint main(void) {\n  p = __builtin_frame_address(1);\n  return 0;\n}\n",
        &[
            "bad.c:3: in function main: frame and return addresses of callers cannot be found",
            "pass what is needed as an argument",
        ],
    ),
    (
        "int migrate(int);\nint main(void) {\n  __asm__ goto(\"jmp %l0\" : : : : out);\n  return migrate(0);\nout:\n  return 1;\n}\n",
        &["bad.c:3: in function main: asm goto is for one instruction set; write C"],
    ),
    (
        "static int one(void) { return 1; }\nstatic int (*pick(void))(void) { return one; }\nint f(void) __attribute__((ifunc(\"pick\")));\nint main(void) {\n  return f();\n}\n",
        &[
            "f is an alias or an ifunc that does not come down to one function; define a function of that name",
        ],
    ),
    (
        "static void begin(void) { __builtin_trap(); }\n__attribute__((constructor)) void early(void) { begin(); }\nint main(void) { return 0; }\n",
        &["constructors and destructors are not run without the C library"],
    ),
];

#[test]
fn what_cannot_migrate_is_refused_where_it_is() {
    for (text, expected) in REFUSED {
        let message = build(text, &[]);
        for part in *expected {
            assert!(
                message.contains(part),
                "{text}\nexpected: {part}\nmessage: {message}"
            );
        }
    }
}

#[test]
fn several_refusals_come_together() {
    let text = "int migrate(int);\nint f(void) { __asm__(\"nop\"); return migrate(0); }\nint main(void) { __asm__(\"hlt\"); return f(); }\n";
    let message = build(text, &["-fno-inline"]);
    assert!(
        message.contains("function f") && message.contains("function main"),
        "{message}"
    );
}

#[test]
fn errors_of_the_tools_name_step_and_file() {
    let message = build("int main(void) { return missing; }\n", &[]);
    assert!(
        message.starts_with("cannot compile bad.c: clang-19 says:"),
        "{message}"
    );
    assert!(
        message.contains("undeclared identifier 'missing'"),
        "{message}"
    );
    let message = build("int main(void) { return called(3); }\n", &[]);
    assert!(
        message.contains("undeclared function 'called'"),
        "{message}"
    );
    let message = build(
        "int main(void) { return 0; }\n",
        &["-I/nowhere", "--no-such-flag"],
    );
    assert!(message.contains("--no-such-flag"), "{message}");
}

#[test]
fn inputs_of_unknown_kind_are_refused() {
    let file = env!("CARGO_MANIFEST_DIR").to_owned() + "/Cargo.toml";
    let error = Build::new().sources([&file]).build().map(|p| p.sites);
    let expected = "neither C (.c, .i) nor bitcode (.o, .bc) nor an archive of bitcode (.a)";
    assert_eq!(
        error.map_err(|e| e.to_string()),
        Err(format!("{file}: {expected}"))
    );
    let error = Build::new().build().map(|p| p.sites);
    assert!(error.is_err_and(|e| e.to_string().starts_with("no source files")));
}

/// Empty assembly only stops the optimiser, whatever it is said to clobber.
#[test]
fn empty_inline_assembly_is_no_refusal() {
    let text = "int migrate(int);\nint main(void) {\n  int x = migrate(0);\n  __asm__ volatile(\"\" : \"+r\"(x) : : \"memory\", \"cc\");\n  return x;\n}\n";
    // Without a start the build ends behind the linker.
    assert!(build(text, &[]).contains("no symbol __start_ret"));
}

/// What the verifier finds comes with function, instruction, address and source lines, though nobody asked for debug information.
#[test]
fn a_finding_of_the_verifier_names_the_line() {
    let text = "int migrate(int);\nvolatile long g;\nint main(int n, char **v) {\n  long a, b, c;\n  migrate(n);\n  __asm__ volatile(\"\" : \"=r\"(a), \"=r\"(b), \"=r\"(c));\n  g = a + b + c;\n  return 0;\n}\n";
    let start = SourceFile {
        name: "native/start.c".into(),
        text: "void __start_ret(void) {}\n".into(),
    };
    let runtime = Runtime::from_files([runtime().files(), &[start]].concat());
    let message = build_with(text, &[], runtime);
    for part in [
        "the x86_64 code would lose state in a migration:\n  bad.c:7: in function main: 0x4100",
        " `add rdx, rcx` uses poison in rcx (site 0), behind the call at bad.c:5\n",
        "the aarch64 code would lose state in a migration:\n  bad.c:7: in function main: 0x4100",
        " `add x8, x8, x9` uses poison in x9 (site 0), behind the call at bad.c:5\n",
        "a defect of kettle-cc: keep the parts with --keep DIR and report them",
    ] {
        assert!(message.contains(part), "expected: {part}\n{message}");
    }
}

/// What the front end cannot compile because it is of one ISA comes with a way out.
#[test]
fn errors_of_the_front_end_get_a_way_out() {
    for (text, expected) in [
        (
            "_Float128 g;\nint main(void) { return g > 1; }\n",
            &[
                "bad.c:1:1: error: unknown type name '_Float128'",
                "use double",
            ][..],
        ),
        (
            "int main(void) {\n  __float80 x = 1;\n  return x;\n}\n",
            &[
                "bad.c:2:3: error: use of undeclared identifier '__float80'",
                "use double",
            ],
        ),
        (
            "typedef char v16 __attribute__((vector_size(16)));\nv16 v;\nint main(void) {\n  v = __builtin_ia32_pshufb128(v, v);\n  return 0;\n}\n",
            &[
                "bad.c:4:7: error: '__builtin_ia32_pshufb128' needs target feature ssse3",
                "generic vectors",
            ],
        ),
    ] {
        let message = build(text, &[]);
        for part in expected {
            assert!(message.contains(part), "expected: {part}\n{message}");
        }
    }
}

/// What callers pass in two pieces, and `va_arg` looks for elsewhere, is no variable argument, whatever its two pieces are. Larger ones are.
#[test]
fn a_variable_argument_that_would_be_lost_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let source = directory.path().join("bad.c");
    let take = |ty: &str| {
        let text = format!(
            "#include <stdarg.h>\ntypedef {ty} T;\nint f(int n, ...) {{\n  va_list list;\n  va_start(list, n);\n  T t = va_arg(list, T);\n  va_end(list);\n  return *(char *)&t;\n}}\nint main(void) {{ return f(1, (T){{0}}); }}\n"
        );
        std::fs::write(&source, text).expect("written");
        let built = Build::new()
            .sources([&source])
            .out_dir(directory.path())
            .build();
        built.map(|_| ()).map_err(|e| e.to_string())
    };
    for lost in [
        "struct { __int128 x; }",
        "struct { _Alignas(16) int x; }",
        "union { _Alignas(16) double x; long y[2]; }",
    ] {
        let message = take(lost).expect_err(lost);
        for part in [
            "bad.c:6:9: error: static assertion failed",
            "a structure of 16 bytes that is aligned to 16 cannot be a variable argument; pass a pointer to it",
        ] {
            assert!(message.contains(part), "expected: {part}\n{message}");
        }
    }
    for fine in [
        "struct { __int128 x; int y; }",
        "struct { long x, y; }",
        "float __attribute__((vector_size(16)))",
        "unsigned __int128",
    ] {
        assert_eq!(take(fine), Ok(()), "{fine}");
    }
}
