//! The verifier on small hand-written functions: every kind of leak is found for the right reason, every legal shape passes.
//!
//! All functions of an ISA are assembled and linked into one program. Each has the same frame, calls `migrate` first and then runs
//! its case; the site table is made by hand from the frame's layout.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use isa::Isa;
use kettle_cc::verify::{Report, VerifyError, VerifySite, verify};
use object::{Object, ObjectSymbol};

/// A function behind its migrating call, and what the verifier must say: `instruction: what`.
struct Case {
    name: &'static str,
    code: &'static str,
    expected: &'static [&'static str],
}

const fn case(name: &'static str, code: &'static str, expected: &'static [&'static str]) -> Case {
    Case {
        name,
        code,
        expected,
    }
}

/// How a function of this ISA begins, ends, and lays out its frame.
struct Frame {
    isa: Isa,
    target: &'static str,
    emulation: &'static str,
    prologue: &'static str,
    epilogue: &'static str,
    callee: &'static str,
    site: fn(u32, String, u64, u64) -> VerifySite,
}

/// CFA-16 saved FP, CFA-24 saved rbx, 40 bytes below.
const X86_64: Frame = Frame {
    isa: Isa::X86_64,
    target: "x86_64-unknown-linux-gnu",
    emulation: "elf_x86_64",
    prologue: "push %rbp; mov %rsp, %rbp; push %rbx; sub $40, %rsp; call migrate",
    epilogue: "add $40, %rsp; pop %rbx; pop %rbp; ret",
    callee: "ret",
    site: |id, function, function_address, return_address| VerifySite {
        id,
        return_address,
        function,
        function_address,
        cfa_fp: 16,
        size: 64,
        fp_off: -16,
        ra_off: -8,
    },
};

/// FP and LR at CFA-48, x20 and x19 at CFA-16.
const AARCH64: Frame = Frame {
    isa: Isa::Aarch64,
    target: "aarch64-unknown-linux-gnu",
    emulation: "aarch64linux",
    prologue: "stp x29, x30, [sp, #-48]!; stp x20, x19, [sp, #32]; mov x29, sp; bl migrate",
    epilogue: "ldp x20, x19, [sp, #32]; ldp x29, x30, [sp], #48; ret",
    callee: "ret",
    site: |id, function, function_address, return_address| VerifySite {
        id,
        return_address,
        function,
        function_address,
        cfa_fp: 48,
        size: 48,
        fp_off: -48,
        ra_off: -40,
    },
};

/// The source of a program of all cases. `EPILOGUE` in a case stands for the frame's.
fn source(frame: &Frame, cases: &[Case]) -> String {
    let mut text = String::from(".text\n");
    let function = |name: &str, body: &str| {
        format!(
            ".globl {name}\n.type {name}, %function\n{name}:\n{body}\n.size {name}, . - {name}\n"
        )
    };
    for callee in ["migrate", "native"] {
        text += &function(callee, frame.callee);
    }
    text += &function("_start", frame.callee);
    for Case { name, code, .. } in cases {
        let code = code.replace("EPILOGUE", frame.epilogue);
        text += &function(name, &format!("{}\n{name}_ra:\n{code}", frame.prologue));
    }
    text
}

fn run(command: &mut Command) {
    let output = command.output().expect("the tool starts");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Assembles and links `text`.
fn build(frame: &Frame, text: &str, dir: &Path) -> Vec<u8> {
    let path = |name: &str| dir.join(name);
    std::fs::write(path("cases.s"), text).expect("the source is written");
    let target = format!("--target={}", frame.target);
    run(Command::new("clang-19")
        .args([&target, "-c"])
        .arg(path("cases.s"))
        .arg("-o")
        .arg(path("cases.o")));
    run(Command::new("ld.lld-19")
        .args(["-m", frame.emulation, "-static", "-o"])
        .arg(path("cases"))
        .arg(path("cases.o")));
    std::fs::read(path("cases")).expect("the program is read")
}

fn symbols(elf: &[u8]) -> BTreeMap<String, u64> {
    let file = object::File::parse(elf).expect("an ELF file");
    file.symbols()
        .map(|symbol| {
            (
                symbol.name().unwrap_or_default().to_owned(),
                symbol.address(),
            )
        })
        .collect()
}

fn check(frame: &Frame, cases: &[Case]) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let elf = build(frame, &source(frame, cases), dir.path());
    let symbols = symbols(&elf);
    let site = |(id, case): (usize, &Case)| {
        (frame.site)(
            id as u32,
            case.name.to_owned(),
            symbols[case.name],
            symbols[&format!("{}_ra", case.name)],
        )
    };
    let sites: Vec<_> = cases.iter().enumerate().map(site).collect();
    let report = verify(&elf, frame.isa, &sites).expect("the program is fit to verify");
    assert_eq!(report.sites, cases.len());
    let mut wrong = String::new();
    for (id, case) in cases.iter().enumerate() {
        let found = findings(&report, id as u32);
        if found != case.expected {
            wrong += &format!(
                "{}: expected {:#?}, found {found:#?}\n",
                case.name, case.expected
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The findings of a site; code and data addresses, which depend on the linker, are replaced by `ADDR`.
fn findings(report: &Report, id: u32) -> Vec<String> {
    let violations = report
        .violations
        .iter()
        .filter(|v| v.site == id)
        .map(|v| format!("{}: {}", v.instruction, v.what));
    let unresolved = report
        .unresolved
        .iter()
        .filter(|u| u.site == id)
        .map(|u| format!("{}: unresolved, {}", u.instruction, u.what));
    violations
        .chain(unresolved)
        .map(|finding| neutral(&finding))
        .collect()
}

/// Replaces numbers of six hexadecimal digits.
fn neutral(finding: &str) -> String {
    let mut parts = finding.split("0x");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        let number = if part.len() - rest.len() == 6 {
            "ADDR"
        } else {
            &format!("0x{}", &part[..part.len() - rest.len()])
        };
        text = text + number + rest;
    }
    text.replace("#ADDR", "ADDR")
}

#[test]
fn leaks_are_found_on_x86_64() {
    check(
        &X86_64,
        &[
            case(
                "callee_saved",
                "lea 1(%rbx), %rax; EPILOGUE",
                &["lea rax, [rbx + 1]: uses poison in rbx"],
            ),
            case(
                "callee_saved_test",
                "test %ebx, %ebx; je 1f; nop; 1: EPILOGUE",
                &["test ebx, ebx: uses poison in rbx"],
            ),
            case(
                "spilled",
                "mov -40(%rbp), %rcx; inc %rcx; EPILOGUE",
                &["inc rcx: uses poison in rcx"],
            ),
            case(
                "spilled_folded",
                "xor %eax, %eax; add -40(%rbp), %rax; EPILOGUE",
                &["add rax, qword ptr [rbp - 0x28]: uses the poisoned slot at CFA-56"],
            ),
            case(
                "spilled_by_sp",
                "cmpl $0, 8(%rsp); EPILOGUE",
                &["cmp dword ptr [rsp + 8], 0: uses the poisoned slot at CFA-56"],
            ),
            case(
                "flags_branch",
                "jne 1f; nop; 1: EPILOGUE",
                &["jne ADDR: decides on poison in eflags"],
            ),
            case(
                "flags_set",
                "setl %al; movzbl %al, %eax; EPILOGUE",
                &["setl al: decides on poison in eflags"],
            ),
            case(
                "flags_native",
                "xor %eax, %eax; test %eax, %eax; call native; cmovne %eax, %eax; EPILOGUE",
                &["cmovne eax, eax: decides on poison in eflags"],
            ),
            case(
                "address",
                "mov (%rbx), %rax; EPILOGUE",
                &["mov rax, qword ptr [rbx]: addresses memory by poison in rbx"],
            ),
            case(
                "address_in_xmm",
                "movq %xmm3, %rax; mov (%rax), %rax; EPILOGUE",
                &["mov rax, qword ptr [rax]: addresses memory by poison in rax"],
            ),
            case(
                "xmm_arithmetic",
                "addsd %xmm3, %xmm0; EPILOGUE",
                &["addsd xmm0, xmm3: uses poison in xmm3"],
            ),
            case(
                "xmm_spilled",
                "movaps -64(%rbp), %xmm0; EPILOGUE",
                &["ret: returns poison in xmm0"],
            ),
            case(
                "partial_slot",
                "movl $1, -40(%rbp); mov -40(%rbp), %rcx; mov %rcx, 8(%rax); EPILOGUE",
                &["mov qword ptr [rax + 8], rcx: stores poison in rcx to memory"],
            ),
            case(
                "overlapping_slot",
                "movq $1, -40(%rbp); movl -36(%rbp), %ecx; movl -34(%rbp), %edx; mov %edx, (%rax); EPILOGUE",
                &["mov dword ptr [rax], edx: stores poison in rdx to memory"],
            ),
            case(
                "slot_below_a_call",
                "movq $1, -8(%rsp); call native; mov -8(%rsp), %rcx; mov %rcx, (%rax); EPILOGUE",
                &["mov qword ptr [rax], rcx: stores poison in rcx to memory"],
            ),
            case(
                "incoming_stack_argument",
                "mov 16(%rbp), %rax; EPILOGUE",
                &["ret: returns poison in rax"],
            ),
            case(
                "argument",
                "mov %rbx, %rdi; call native; EPILOGUE",
                &["call ADDR: passes poison in rdi"],
            ),
            case(
                "stack_argument",
                "mov %rbx, (%rsp); call native; EPILOGUE",
                &["call ADDR: passes poison on the stack at CFA-64"],
            ),
            case(
                "called",
                "call *%rbx; EPILOGUE",
                &["call rbx: uses poison in rbx"],
            ),
            case(
                "returned",
                "mov %rbx, %rax; EPILOGUE",
                &["ret: returns poison in rax"],
            ),
            case(
                "stored",
                "mov %rbx, (%rax); EPILOGUE",
                &["mov qword ptr [rax], rbx: stores poison in rbx to memory"],
            ),
            case(
                "partial_register",
                "sete %cl; EPILOGUE",
                &["sete cl: decides on poison in eflags"],
            ),
            case(
                "merged_register",
                "mov $1, %cl; mov %ecx, (%rax); EPILOGUE",
                &["mov dword ptr [rax], ecx: stores poison in rcx to memory"],
            ),
            case(
                "on_one_path_only",
                "test %eax, %eax; je 1f; mov $1, %ebx; 1: mov %ebx, (%rax); EPILOGUE",
                &["mov dword ptr [rax], ebx: stores poison in rbx to memory"],
            ),
            case(
                "in_a_loop",
                "xor %ecx, %ecx; 1: add %ecx, %eax; mov %ebx, %ecx; test %eax, %eax; jne 1b; EPILOGUE",
                &["add eax, ecx: uses poison in rcx"],
            ),
            case(
                "after_native_call",
                "xor %ecx, %ecx; call native; mov %ecx, %edi; call native; EPILOGUE",
                &["call ADDR: passes poison in rdi"],
            ),
            case(
                "frame_address_stored",
                "lea -40(%rbp), %rcx; mov %rcx, (%rax); EPILOGUE",
                &["mov qword ptr [rax], rcx: stores the frame address in rcx to memory"],
            ),
            case(
                "wrong_stack_pointer",
                "pop %rbx; pop %rbp; ret",
                &[
                    "ret: returns through a poisoned slot",
                    "ret: returns with a wrong stack pointer",
                    "ret: returns with poison in the frame pointer",
                ],
            ),
            case(
                "table_on_poison",
                "jmp *1f(,%rbx,8); 2: EPILOGUE; .section .rodata; .balign 8; 1: .quad 2b, 2b; .text",
                &["jmp qword ptr [rbx*8 + ADDR]: addresses memory by poison in rbx"],
            ),
        ],
    );
}

#[test]
fn legal_shapes_pass_on_x86_64() {
    check(
        &X86_64,
        &[
            case("epilogue", "EPILOGUE", &[]),
            case("epilogue_leave", "mov -8(%rbp), %rbx; leave; ret", &[]),
            case(
                "epilogue_lea",
                "lea -8(%rbp), %rsp; pop %rbx; pop %rbp; ret",
                &[],
            ),
            case(
                "epilogue_scratch_pop",
                "add $32, %rsp; pop %rax; pop %rbx; pop %rbp; ret",
                &[],
            ),
            case(
                "return_values",
                "add %rdx, %rax; addsd %xmm1, %xmm0; mov %rax, (%rdx); EPILOGUE",
                &[],
            ),
            case(
                "zero_idioms",
                "xor %ebx, %ebx; add %ebx, %eax; pxor %xmm5, %xmm5; addpd %xmm5, %xmm0; sub %ecx, %ecx; lea (%rax,%rcx), %rax; EPILOGUE",
                &[],
            ),
            case(
                "ones_idiom",
                "pcmpeqd %xmm4, %xmm4; paddd %xmm4, %xmm0; or $-1, %ecx; mov %ecx, (%rax); EPILOGUE",
                &[],
            ),
            case(
                "reload_from_tls",
                "mov %fs:0, %rcx; mov -16(%rcx), %rbx; mov 8(%rbx), %rdi; call native; EPILOGUE",
                &[],
            ),
            case(
                "reload_from_global",
                "mov _start(%rip), %rbx; inc %rbx; EPILOGUE",
                &[],
            ),
            case(
                "spill_and_reload",
                "mov %rax, -40(%rbp); call native; mov -40(%rbp), %rcx; inc %rcx; EPILOGUE",
                &[],
            ),
            case(
                "callee_saved_over_native",
                "mov %rax, %rbx; call native; add %rbx, %rax; EPILOGUE",
                &[],
            ),
            case(
                "slot_in_parts",
                "movl %eax, -40(%rbp); movl %eax, -36(%rbp); mov -40(%rbp), %rcx; inc %rcx; EPILOGUE",
                &[],
            ),
            case(
                "partial_register",
                "test %eax, %eax; setl %cl; movzbl %cl, %ecx; mov %ecx, (%rax); EPILOGUE",
                &[],
            ),
            case(
                "partial_arithmetic",
                "test %eax, %eax; setl %cl; add %ecx, %ecx; and $3, %ecx; mov %ecx, (%rax); EPILOGUE",
                &[],
            ),
            case(
                "scalar_in_xmm",
                "cvtsi2sd %eax, %xmm2; mulsd %xmm2, %xmm0; unpcklpd %xmm2, %xmm2; addpd %xmm2, %xmm0; EPILOGUE",
                &[],
            ),
            case(
                "unused_lanes",
                "cvtsd2ss %xmm0, %xmm2; unpcklps %xmm2, %xmm2; mulps %xmm2, %xmm2; movq %xmm2, (%rax); EPILOGUE",
                &[],
            ),
            case(
                "variable_index",
                "movaps %xmm0, (%rsp); and $3, %eax; movss (%rsp,%rax,4), %xmm0; EPILOGUE",
                &[],
            ),
            case("undescribed_call", "call migrate; EPILOGUE", &[]),
            case("noreturn", "call native; ud2", &[]),
            case(
                "table_absolute",
                "cmp $1, %eax; ja 3f; mov %eax, %eax; jmp *1f(,%rax,8); 2: nop; 3: EPILOGUE; .section .rodata; .balign 8; 1: .quad 2b, 3b, 0; .text",
                &[],
            ),
            case(
                "table_relative",
                "cmp $1, %eax; ja 3f; lea 1f(%rip), %rcx; movslq (%rcx,%rax,4), %rax; add %rcx, %rax; jmp *%rax; 2: nop; 3: EPILOGUE; .section .rodata; .balign 4; 1: .long 2b-1b, 3b-1b; .text",
                &[],
            ),
            case(
                "table_unchecked",
                "jmp *1f(,%rax,8); 2: nop; 3: EPILOGUE; .section .rodata; .balign 8; 1: .quad 2b, 3b, 0; .text",
                &[],
            ),
        ],
    );
}

#[test]
fn leaks_are_found_on_aarch64() {
    check(
        &AARCH64,
        &[
            case(
                "callee_saved",
                "add x0, x19, #1; EPILOGUE",
                &["add x0, x19, #1: uses poison in x19"],
            ),
            case(
                "callee_saved_alias",
                "lsr w0, w19, #3; EPILOGUE",
                &["lsr w0, w19, #3: uses poison in x19"],
            ),
            case(
                "callee_saved_compare",
                "cmp w19, #3; b.ne 1f; nop; 1: EPILOGUE",
                &["cmp w19, #3: uses poison in x19"],
            ),
            case(
                "branch_on_register",
                "cbz w20, 1f; nop; 1: EPILOGUE",
                &["cbz w20, ADDR: decides on poison in x20"],
            ),
            case(
                "spilled",
                "ldr x1, [sp, #16]; add x0, x0, x1; EPILOGUE",
                &["add x0, x0, x1: uses poison in x1"],
            ),
            case(
                "spilled_pair",
                "ldp x9, x2, [x29, #16]; str x2, [x0]; EPILOGUE",
                &["str x2, [x0]: stores poison in x2 to memory"],
            ),
            case(
                "flags_branch",
                "b.hi 1f; nop; 1: EPILOGUE",
                &["b.hi ADDR: decides on poison in nzcv"],
            ),
            case(
                "flags_select",
                "csel x0, x0, x1, eq; EPILOGUE",
                &["csel x0, x0, x1, eq: decides on poison in nzcv"],
            ),
            case(
                "flags_set",
                "cset w0, lt; EPILOGUE",
                &["cset w0, lt: decides on poison in nzcv"],
            ),
            case(
                "flags_native",
                "cmp x0, #0; bl native; csinc x0, x0, x0, eq; EPILOGUE",
                &["cinc x0, x0, ne: decides on poison in nzcv"],
            ),
            case(
                "address",
                "ldr x0, [x19, #8]; EPILOGUE",
                &["ldr x0, [x19, #8]: addresses memory by poison in x19"],
            ),
            case(
                "address_of_store",
                "str x0, [x19], #8; EPILOGUE",
                &["str x0, [x19], #8: addresses memory by poison in x19"],
            ),
            case(
                "address_in_vector",
                "fmov x1, d8; ldr x0, [x1]; EPILOGUE",
                &["ldr x0, [x1]: addresses memory by poison in x1"],
            ),
            case(
                "vector_callee_saved",
                "fadd d0, d0, d8; EPILOGUE",
                &["fadd d0, d0, d8: uses poison in v8"],
            ),
            case(
                "vector_upper_half_over_native",
                "fmov v9.d[1], x0; fmov d9, d0; mov v9.d[1], x0; bl native; mov x1, v9.d[1]; str x1, [x0]; EPILOGUE",
                &["str x1, [x0]: stores poison in x1 to memory"],
            ),
            case(
                "partial_slot",
                "str w0, [sp, #16]; ldr x1, [sp, #16]; str x1, [x0]; EPILOGUE",
                &["str x1, [x0]: stores poison in x1 to memory"],
            ),
            case(
                "overlapping_slot",
                "str x0, [sp, #16]; ldur w1, [sp, #20]; ldur w2, [sp, #22]; str w1, [x0]; str w2, [x0]; EPILOGUE",
                &["str w2, [x0]: stores poison in x2 to memory"],
            ),
            case(
                "incoming_stack_argument",
                "ldr x0, [x29, #48]; EPILOGUE",
                &["ret: returns poison in x0"],
            ),
            case(
                "argument",
                "mov x0, x19; bl native; EPILOGUE",
                &["bl ADDR: passes poison in x0"],
            ),
            case(
                "vector_argument",
                "ldr d0, [sp, #16]; bl native; EPILOGUE",
                &["bl ADDR: passes poison in v0"],
            ),
            case(
                "stack_argument",
                "str x19, [sp, #-16]!; bl native; add sp, sp, #16; EPILOGUE",
                &["bl ADDR: passes poison on the stack at CFA-64"],
            ),
            case(
                "called",
                "blr x19; EPILOGUE",
                &["blr x19: uses poison in x19"],
            ),
            case(
                "returned",
                "mov x0, x19; EPILOGUE",
                &["ret: returns poison in x0"],
            ),
            case(
                "stored",
                "str w19, [x0]; EPILOGUE",
                &["str w19, [x0]: stores poison in x19 to memory"],
            ),
            case(
                "accumulated",
                "fmla v8.2d, v0.2d, v1.2d; EPILOGUE",
                &["fmla v8.2d, v0.2d, v1.2d: uses poison in v8"],
            ),
            case(
                "inserted_bits",
                "bfi w19, w0, #4, #4; EPILOGUE",
                &["bfi w19, w0, #4, #4: uses poison in x19"],
            ),
            case(
                "on_one_path_only",
                "cbz w0, 1f; mov w19, #1; 1: str w19, [x0]; EPILOGUE",
                &["str w19, [x0]: stores poison in x19 to memory"],
            ),
            case(
                "frame_address_to_native",
                "add x0, sp, #16; bl native; EPILOGUE",
                &[],
            ),
            case(
                "link_register_lost",
                "ldr x29, [sp]; add sp, sp, #48; ret",
                &["ret: returns through poison in x30"],
            ),
            case(
                "wrong_stack_pointer",
                "ldp x29, x30, [sp], #32; ret",
                &["ret: returns with a wrong stack pointer"],
            ),
            case(
                "table_on_poison",
                "adrp x8, 1f; add x8, x8, :lo12:1f; adr x9, 2f; ldrb w10, [x8, x19]; add x9, x9, x10, lsl #2; br x9; 2: EPILOGUE; .section .rodata; 1: .byte 0; .text",
                &[
                    "ldrb w10, [x8, x19]: addresses memory by poison in x19",
                    "br x9: unresolved, an indirect jump that is no known jump table",
                ],
            ),
        ],
    );
}

#[test]
fn legal_shapes_pass_on_aarch64() {
    check(
        &AARCH64,
        &[
            case("epilogue", "EPILOGUE", &[]),
            case("epilogue_by_fp", "mov sp, x29; EPILOGUE", &[]),
            case(
                "return_values",
                "add x0, x0, x1; fadd d0, d0, d3; str x0, [x1]; EPILOGUE",
                &[],
            ),
            case(
                "zero_idioms",
                "eor w19, w19, w19; add w0, w0, w19; movi v8.2d, #0; fadd v0.2d, v0.2d, v8.2d; mov x20, xzr; str x20, [x0]; EPILOGUE",
                &[],
            ),
            case(
                "aliases",
                "mov w8, #5; lsr w9, w8, #1; ubfx w10, w8, #1, #2; sxtw x11, w8; lsl x12, x11, #2; uxtb w13, w8; cmp w9, w10; cset w14, eq; add x0, x12, x14; EPILOGUE",
                &[],
            ),
            case(
                "constants",
                "mov x8, #0x1234; movk x8, #0x5678, lsl #16; add x0, x0, x8; EPILOGUE",
                &[],
            ),
            case(
                "reload_from_tls",
                "mrs x8, tpidr_el0; ldr x19, [x8, #16]; ldr x0, [x19], #8; bl native; EPILOGUE",
                &[],
            ),
            case(
                "reload_from_global",
                "adrp x8, _start; ldr x19, [x8, :lo12:_start]; add x0, x19, x0; EPILOGUE",
                &[],
            ),
            case(
                "spill_and_reload",
                "str x0, [sp, #16]; bl native; ldr x1, [sp, #16]; add x0, x0, x1; EPILOGUE",
                &[],
            ),
            case(
                "callee_saved_over_native",
                "mov x19, x0; fmov d8, d0; bl native; add x0, x0, x19; fadd d0, d0, d8; EPILOGUE",
                &[],
            ),
            case(
                "write_back",
                "str x0, [sp, #-16]!; ldr x1, [sp], #16; str x1, [x0]; EPILOGUE",
                &[],
            ),
            case(
                "zero_pair",
                "stp xzr, xzr, [sp, #16]; ldp x1, x2, [sp, #16]; add x0, x1, x2; EPILOGUE",
                &[],
            ),
            case(
                "lanes",
                "fmov s1, w0; mov v1.s[1], w0; mov v1.s[2], w0; mov v1.s[3], w0; add v0.4s, v0.4s, v1.4s; EPILOGUE",
                &[],
            ),
            case(
                "variable_index",
                "str q0, [sp, #16]; add x8, sp, #16; bfi x8, x0, #2, #2; ldr s0, [x8]; EPILOGUE",
                &[],
            ),
            case(
                "exclusive",
                "1: ldaxr w8, [x0]; add w8, w8, #1; stlxr w9, w8, [x0]; cbnz w9, 1b; EPILOGUE",
                &[],
            ),
            case("noreturn", "bl native; brk #1", &[]),
            case(
                "table_of_bytes",
                "cmp w0, #1; b.hi 3f; mov w8, w0; adrp x9, 1f; add x9, x9, :lo12:1f; adr x10, 2f; ldrb w11, [x9, x8]; add x10, x10, x11, lsl #2; br x10; 2: nop; 3: EPILOGUE; .section .rodata; 1: .byte 0, 1, 255; .text",
                &[],
            ),
            case(
                "table_of_halfwords",
                "cmp x0, #2; b.hs 3f; adrp x9, 1f; add x9, x9, :lo12:1f; adr x10, 2f; ldrh w11, [x9, x0, lsl #1]; add x10, x10, x11, lsl #2; br x10; 2: nop; 3: EPILOGUE; .section .rodata; .balign 2; 1: .hword 0, 1, 65535; .text",
                &[],
            ),
            case(
                "table_of_words",
                "cmp x0, #1; b.hi 3f; adrp x9, 1f; add x9, x9, :lo12:1f; ldrsw x10, [x9, x0, lsl #2]; add x10, x10, x9; br x10; 2: nop; 3: EPILOGUE; .section .rodata; .balign 4; 1: .word 2b-1b, 3b-1b, 0; .text",
                &[],
            ),
        ],
    );
}

#[test]
fn a_jump_table_is_followed_to_every_element_and_no_further() {
    let reader = "mov %ebx, (%rax)";
    let code = |elements: &'static str, limit: &'static str| {
        format!(
            "cmp ${limit}, %eax; ja 3f; jmp *1f(,%rax,8); 2: nop; 3: EPILOGUE; 4: {reader}; EPILOGUE; \
             .section .rodata; .balign 8; 1: .quad {elements}; .text"
        )
        .leak()
    };
    let found = &["mov dword ptr [rax], ebx: stores poison in rbx to memory"];
    check(
        &X86_64,
        &[
            case("within", code("2b, 4b, 3b", "2"), found),
            case("last", code("2b, 3b, 4b", "2"), found),
            case("beyond", code("2b, 3b, 4b", "1"), &[]),
            case(
                "broken",
                code("2b, 3b, 0", "2"),
                &[
                    "jmp qword ptr [rax*8 + ADDR]: unresolved, element 2 of 3 of the jump table at ADDR leads out of the function",
                ],
            ),
        ],
    );
}

#[test]
fn what_cannot_be_followed_is_unresolved() {
    check(
        &X86_64,
        &[
            case(
                "computed",
                "jmp *%rax",
                &["jmp rax: unresolved, an indirect jump that is no known jump table"],
            ),
            case(
                "run_time_frame",
                "and $-32, %rsp; EPILOGUE",
                &[
                    "and rsp, 0xffffffffffffffe0: unresolved, the stack pointer is no longer a known distance from the frame",
                ],
            ),
            case(
                "avx",
                "vaddps %ymm0, %ymm1, %ymm0; EPILOGUE",
                &["vaddps ymm0, ymm1, ymm0: unresolved, the instruction is not modelled"],
            ),
            case(
                "falls_off",
                "nop",
                &["nop: unresolved, control runs past the end of the function"],
            ),
        ],
    );
    check(
        &AARCH64,
        &[
            case(
                "computed",
                "br x0",
                &["br x0: unresolved, an indirect jump that is no known jump table"],
            ),
            case(
                "falls_off",
                "nop",
                &["nop: unresolved, control runs past the end of the function"],
            ),
        ],
    );
}

#[test]
fn the_next_migrating_call_ends_the_search() {
    // Both calls of the function are sites: poison behind the second is its own, but what is passed to it is not.
    let frame = &X86_64;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let code = "lea -40(%rbp), %rdi; call migrate; second_ra: mov %rbx, (%rax); EPILOGUE";
    let elf = build(
        frame,
        &source(frame, &[case("first", code, &[])]),
        dir.path(),
    );
    let symbols = symbols(&elf);
    let site = |id, ra: &str| (frame.site)(id, "first".to_owned(), symbols["first"], symbols[ra]);
    let report = verify(
        &elf,
        frame.isa,
        &[site(1, "first_ra"), site(2, "second_ra")],
    )
    .expect("fit to verify");
    assert_eq!(
        findings(&report, 1),
        ["call ADDR: passes the frame address in rdi to a migrating call"]
    );
    assert_eq!(
        findings(&report, 2),
        ["mov qword ptr [rax], rbx: stores poison in rbx to memory"]
    );
}

#[test]
fn unfit_input_is_refused() {
    let frame = &X86_64;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let elf = build(
        frame,
        &source(frame, &[case("f", "EPILOGUE", &[])]),
        dir.path(),
    );
    let symbols = symbols(&elf);
    let refused = |elf: &[u8], isa, address, ra| {
        verify(elf, isa, &[(frame.site)(7, "f".to_owned(), address, ra)])
            .expect_err("unfit")
            .to_string()
    };
    let (f, ra) = (symbols["f"], symbols["f_ra"]);
    assert!(matches!(
        verify(b"no program", Isa::X86_64, &[]),
        Err(VerifyError::Elf(_))
    ));
    assert_eq!(
        refused(&elf, Isa::Aarch64, f, ra),
        "the program to verify is for X86_64, but aarch64 was asked for"
    );
    assert_eq!(
        refused(&elf, Isa::X86_64, f, ra + 1),
        format!(
            "site 7: return address {:#x} is not behind a call in f",
            ra + 1
        )
    );
    assert_eq!(
        refused(&elf, Isa::X86_64, f + 1, ra),
        format!(
            "site 7: no sized function symbol with code at {:#x} (f)",
            f + 1
        )
    );
}
