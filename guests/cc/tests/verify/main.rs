//! The verifier on small hand-written functions: every kind of leak is found for the right reason, every legal shape passes.
//!
//! All functions of an ISA are assembled and linked into one program. Each has the same frame, calls `migrate` first and then runs
//! its case; the site table is made by hand from the frame's layout.

mod aarch64;
mod x86_64;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use isa::Isa;
use kettle_cc::Signature;
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
        called: None,
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
        called: None,
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
    let report =
        verify(&elf, frame.isa, &sites, &BTreeMap::new()).expect("the program is fit to verify");
    assert_eq!(report.sites, cases.len());
    for violation in &report.violations {
        assert_eq!(violation.function, cases[violation.site as usize].name);
    }
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

/// Back ends form the address of outgoing arguments in it.
#[test]
fn a_frame_address_in_the_register_of_returned_structures_is_no_argument() {
    let frame = &AARCH64;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let code = "mov x8, sp; str x0, [x8, #16]; bl migrate; second_ra: EPILOGUE";
    let elf = build(
        frame,
        &source(frame, &[case("first", code, &[])]),
        dir.path(),
    );
    let symbols = symbols(&elf);
    let site = |id, ra: &str| (frame.site)(id, "first".to_owned(), symbols["first"], symbols[ra]);
    let sites = [site(1, "first_ra"), site(2, "second_ra")];
    let report = verify(&elf, frame.isa, &sites, &BTreeMap::new()).expect("fit to verify");
    assert_eq!(findings(&report, 1), Vec::<String>::new());
}

/// What a call leaves in the registers of arguments that its callee does not have is no argument.
#[test]
fn what_is_called_decides_what_is_passed() {
    for (frame, code) in [
        (
            &X86_64,
            "mov %rbx, %rsi; movq %rbx, %xmm1; push %rbx; push %rbx; call native; add $16, %rsp; EPILOGUE",
        ),
        (
            &AARCH64,
            "mov x1, x19; fmov d1, x19; sub sp, sp, #16; str x19, [sp]; bl native; add sp, sp, #16; EPILOGUE",
        ),
    ] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let cases = [case("first", code, &[])];
        let elf = build(frame, &source(frame, &cases), dir.path());
        let symbols = symbols(&elf);
        let sites = [(frame.site)(
            1,
            "first".to_owned(),
            symbols["first"],
            symbols["first_ra"],
        )];
        let passed = |signature: Option<Signature>| {
            let known = signature.map(|s| ("native".to_owned(), s));
            let signatures = known.into_iter().collect();
            let report = verify(&elf, frame.isa, &sites, &signatures).expect("fit to verify");
            findings(&report, 1).len()
        };
        let takes = |integers, vectors| Some(Signature { integers, vectors });
        assert_eq!(passed(None), 3);
        assert_eq!(passed(takes(1, 1)), 0);
        assert_eq!(passed(takes(2, 1)), 1);
        assert_eq!(passed(takes(2, 2)), 2);
        assert_eq!(passed(takes(9, 2)), 3);
    }
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
        &BTreeMap::new(),
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
        verify(
            elf,
            isa,
            &[(frame.site)(7, "f".to_owned(), address, ra)],
            &BTreeMap::new(),
        )
        .expect_err("unfit")
        .to_string()
    };
    let (f, ra) = (symbols["f"], symbols["f_ra"]);
    assert!(matches!(
        verify(b"no program", Isa::X86_64, &[], &BTreeMap::new()),
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
