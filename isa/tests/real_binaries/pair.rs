//! Alignment of two binaries of one program.

use isa::elf::{PairError, check_pair};
use isa::{ElfImage, Isa};

use crate::build::Program;

/// Builds both sides, with equal gaps: every function is shorter than its alignment.
fn images(x86_64: &str, aarch64: &str) -> (ElfImage, ElfImage) {
    let compile = &["-falign-functions=256"][..];
    let link = &["-Ttext=0x410000", "-Tdata=0x420000"][..];
    let build = |source, isa| {
        Program {
            source,
            compile,
            link,
        }
        .image(isa)
    };
    (build(x86_64, Isa::X86_64), build(aarch64, Isa::Aarch64))
}

#[test]
fn what_makes_a_pair() {
    const BASE: &str = "int d = 1; int f(void) { return d; } void _start(void) { for (;;) { } }";
    let plus = |more: &str| format!("{BASE} {more}");
    let same = "both files must have the same global symbols";
    // (x86_64 source, aarch64 source, the complaint: its beginning and its end)
    let cases = [
        (BASE.to_owned(), BASE.to_owned(), None),
        (
            plus("int __kettle_isa_p(void) { return 5; }"),
            BASE.to_owned(),
            None,
        ),
        (
            plus("__attribute__((used)) static int mine(void) { return 5; }"),
            BASE.to_owned(),
            None,
        ),
        (
            plus("int extra(void) { return 3; }"),
            BASE.to_owned(),
            Some((
                "the function 'extra' (0x410200) is only in the x86_64 file",
                same,
            )),
        ),
        (
            BASE.to_owned(),
            plus("int late = 3;"),
            Some((
                "the variable 'late' (0x420004) is only in the aarch64 file",
                same,
            )),
        ),
        (
            BASE.to_owned(),
            BASE.replace("int d = 1", "long d = 1"),
            Some((
                "'d' (0x420000) is a variable of 4 bytes in the x86_64 file",
                "but a variable of 8 bytes in the aarch64 file",
            )),
        ),
        (
            plus("__thread int t = 1;"),
            BASE.to_owned(),
            Some((
                "the thread-local variable 't' (0x0) is only in the x86_64 file",
                same,
            )),
        ),
        (
            plus("__attribute__((used)) static __thread int t = 1;"),
            BASE.to_owned(),
            Some((
                "thread-local storage differs: 4 bytes aligned to 4 in the x86_64 file",
                "none in the aarch64 file",
            )),
        ),
        (
            BASE.to_owned(),
            format!("__attribute__((used)) static int before = 9; {BASE}"),
            Some((
                "the variable 'd' is at 0x420000 in the x86_64 file but at 0x420004 in the aarch64 file",
                "the files are not aligned",
            )),
        ),
    ];
    for (x86_64, aarch64, complaint) in cases {
        let (x86, arm) = images(&x86_64, &aarch64);
        let found = check_pair(&x86, &arm).map_err(|error| error.to_string());
        match (complaint, found) {
            (None, found) => assert_eq!(found, Ok(()), "{x86_64}\n{aarch64}"),
            (Some(_), Ok(())) => panic!("taken for a pair:\n{x86_64}\n{aarch64}"),
            (Some((beginning, end)), Err(error)) => {
                assert!(
                    error.starts_with(beginning) && error.ends_with(end),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn files_that_cannot_be_compared() {
    let (x86, arm) = images("void _start(void) { }", "void _start(void) { }");
    assert_eq!(check_pair(&x86, &x86), Err(PairError::SameIsa(Isa::X86_64)));
    let stripped = Program {
        link: &["--strip-all"],
        ..Program::new("void _start(void) { }")
    }
    .image(Isa::X86_64);
    assert_eq!(
        check_pair(&stripped, &arm),
        Err(PairError::Stripped(Isa::X86_64))
    );
}
