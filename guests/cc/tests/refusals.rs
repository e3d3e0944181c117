//! What cannot migrate is refused with the function, the line, and what would be right. One checker, a table of programs.

use kettle_cc::{Build, Runtime};

/// A minimal runtime: these programs are never linked.
fn build(text: &str, flags: &[&str]) -> String {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let source = directory.path().join("bad.c");
    std::fs::write(&source, text).expect("written");
    let result = Build::new()
        .sources([&source])
        .flags(flags.iter().copied())
        .runtime(Runtime::from_files(Vec::new()))
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
        "static void begin(void) { __builtin_trap(); }\n__attribute__((constructor)) void early(void) { begin(); }\nint main(void) { return 0; }\n",
        &["constructors and destructors are not run"],
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
    // Without a runtime the build gets as far as the linker.
    assert!(build(text, &[]).contains("cannot link for"));
}
