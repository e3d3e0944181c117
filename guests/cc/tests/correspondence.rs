//! What cannot be laid out at one address for both ISAs fails the build with a sentence. The runtimes here are a few lines each.

use isa::Isa;
use kettle_cc::{Build, Runtime, SourceFile};

const START_X86_64: &str = "\
    .section .text._start, \"ax\", @progbits
    .globl _start, __start_ret
_start: call main
__start_ret: movl %eax, %edi
    movl $231, %eax
    syscall
    .section .text.migrate, \"ax\", @progbits
    .globl migrate
migrate: xorl %eax, %eax
    ret
    .section .note.GNU-stack, \"\", @progbits
";

const START_AARCH64: &str = "\
    .section .text._start, \"ax\", %progbits
    .globl _start, __start_ret
_start: bl main
__start_ret: mov x8, #94
    svc #0
    .section .text.migrate, \"ax\", %progbits
    .globl migrate
migrate: mov w0, #0
    ret
    .section .note.GNU-stack, \"\", %progbits
";

/// Builds `program` with a minimal runtime to which `x86_64` and `aarch64` are added.
fn build(program: &str, x86_64: &str, aarch64: &str) -> Result<(), String> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let source = directory.path().join("prog.c");
    std::fs::write(&source, program).expect("written");
    let file = |isa: Isa, start: &str, more: &str| SourceFile {
        name: format!("native/{}/start.S", isa.name()),
        text: format!("{start}{more}"),
    };
    let runtime = Runtime::from_files(vec![
        file(Isa::X86_64, START_X86_64, x86_64),
        file(Isa::Aarch64, START_AARCH64, aarch64),
    ]);
    let build = Build::new()
        .sources([source])
        .runtime(runtime)
        .out_dir(directory.path());
    build.build().map(drop).map_err(|e| e.to_string())
}

const MIGRATES: &str = "int migrate(int);\nint main(void) { return migrate(0); }\n";

#[test]
fn a_minimal_runtime_is_enough() {
    assert_eq!(build(MIGRATES, "", ""), Ok(()));
}

#[test]
fn what_does_not_correspond_is_refused() {
    let second = "    .text\n    ret\n    .globl second\nsecond: ret\n";
    let second_further = "    .text\n    nop\n    ret\n    .globl second\nsecond: ret\n";
    let variable = "    .section .data.lonely, \"aw\"\n    .globl lonely\nlonely: .quad 1\n";
    let calls_second =
        "int migrate(int);\nvoid second(void);\nint main(void) { second(); return migrate(0); }\n";
    let points_to_second = "int migrate(int);\nvoid second(void);\nvoid (*volatile p)(void) = second;\nint main(void) { p(); return migrate(0); }\n";
    let cases = [
        (
            calls_second,
            second,
            second_further,
            "neutral code refers to second, which is at",
        ),
        (
            points_to_second,
            second,
            second_further,
            "the bytes of .data.p of plain.o at",
        ),
        (
            MIGRATES,
            variable,
            "",
            "section .data.lonely of native/isa/start.S.o: writable data on one ISA only",
        ),
        (
            "_Thread_local _Alignas(128) char wide[128];\nint main(void) { return wide[1]++; }\n",
            "",
            "",
            "thread-local variable wide asks for an alignment of 128; at most 64 is possible",
        ),
        (
            "__attribute__((section(\"mine\"))) volatile int x = 1;\nint main(void) { return x; }\n",
            "",
            "",
            "section mine of plain.o: not a section that can be laid out",
        ),
        (
            "int main(void) { return 0; }\n",
            "    .text\n    .globl x\nx: call nowhere\n",
            "",
            "undefined symbol: nowhere",
        ),
    ];
    for (program, x86_64, aarch64, expected) in cases {
        let message = build(program, x86_64, aarch64)
            .err()
            .unwrap_or_else(|| panic!("built: {program}"));
        assert!(
            message.contains(expected),
            "expected: {expected}\nmessage: {message}"
        );
    }
}
