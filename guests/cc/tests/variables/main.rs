//! Debug information of real programs on both ISAs: variables of all frames at calls that migrate, and DWARF that changes nothing.

mod remote;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::{Expect, expect};
use isa::callsites::CallSites;
use isa::unwind::Unwinder;
use isa::variables::{FrameVariables, Inspector, Place};
use isa::{ElfImage, Isa, RegisterFile, VirtAddr};
use kettle_cc::{Build, Program};
use remote::Remote;
use tempfile::TempDir;

const SOURCE: &str = include_str!("program.c");

/// Addresses from here on are the kernel's choice.
const IMAGE_END: u64 = 0x100_0000;

fn build(directory: &TempDir, name: &str, flags: &[&str], debug_info: bool) -> Program {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/variables/program.c");
    let program = Build::new()
        .sources([source])
        .flags(flags.iter().copied())
        .debug_info(debug_info)
        .out_dir(directory.path())
        .name(name)
        .build();
    program.unwrap_or_else(|e| panic!("{e}"))
}

fn image(path: &Path) -> ElfImage {
    ElfImage::parse(&std::fs::read(path).expect("it is built")).expect("an ELF file")
}

/// The variables at each call of `migrate`, as text.
fn stops(isa: Isa, path: &Path, directory: &TempDir) -> Vec<String> {
    let image = image(path);
    let inspector = Inspector::new(&image).expect("built with -g");
    let unwinder = Unwinder::new(&image);
    let mut remote = Remote::start(isa, path, directory.path());
    let address = |name: &str| image.symbol(name).expect("a symbol");
    remote.breakpoint(address("mark"), true);
    assert!(remote.go());
    let mut regs = remote.registers();
    let tls = thread_pointer(&image, &regs);
    regs.set_tls(tls);
    let chain = unwinder.chain(&regs, 1, |_| None);
    let innermost = inspector.frames(&regs, &chain, &mut |_, _| None);
    let p = innermost[0].variables.first().expect("a parameter");
    let expected = format!("{:#x}", regs.call_args()[0]);
    assert_eq!(
        (p.name.as_str(), p.type_name.as_str(), &p.value),
        ("p", "int *", &expected),
        "a parameter in a register of the innermost frame"
    );
    remote.breakpoint(address("mark"), false);
    remote.breakpoint(address("migrate"), true);
    let mut stops = Vec::new();
    while remote.go() {
        let mut regs = remote.registers();
        regs.set_tls(tls);
        let word = |address| {
            let bytes = remote.memory(address, 8)?;
            Some(u64::from_le_bytes(*bytes.first_chunk()?))
        };
        let chain = unwinder.chain(&regs, 32, word);
        let mut memory = |address, len| remote.memory(address, len);
        let frames = inspector.frames(&regs, &chain, &mut memory);
        assert!(frames.iter().any(|f| f.function.as_deref() == Some("main")));
        stops.push(told(&frames));
        // Over the breakpoint.
        remote.breakpoint(address("migrate"), false);
        remote.step();
        remote.breakpoint(address("migrate"), true);
    }
    stops
}

/// The program calls `mark` with the address of its thread-local variable `here`.
fn thread_pointer(image: &ElfImage, regs: &RegisterFile) -> VirtAddr {
    let here = image
        .symbols()
        .by_name("here")
        .expect("a variable")
        .address
        .0;
    let start = regs.call_args()[0] - here;
    let size = image.tls().expect("thread-local variables").memory_size;
    VirtAddr(match regs.isa() {
        Isa::X86_64 => start + size.next_multiple_of(64),
        Isa::Aarch64 => start - 64,
    })
}

/// Frames from the caller of `migrate` to `main`. Addresses that the kernel has chosen are left out.
fn told(frames: &[FrameVariables]) -> String {
    let mut text = String::new();
    for frame in &frames[1..] {
        let function = frame.function.as_deref().unwrap_or("?");
        let line = frame.source.as_ref().map_or(0, |(_, line)| *line);
        let _ = writeln!(text, "{function}, line {line}");
        for v in &frame.variables {
            let inlined = v
                .inlined
                .as_ref()
                .map_or_else(String::new, |f| format!("{f}: "));
            let value = match u64::from_str_radix(v.value.trim_start_matches("0x"), 16) {
                Ok(address) if v.value.starts_with("0x") && address >= IMAGE_END => "(address)",
                _ => &v.value,
            };
            let _ = writeln!(text, "    {inlined}{} {} = {value}", v.type_name, v.name);
            assert!(v.place == Place::OptimizedOut || v.bytes.is_some() || v.size.is_none());
        }
        if function == "main" {
            break;
        }
    }
    text
}

/// Compares all stops on both ISAs, and some with what they must be.
fn check(level: &str, expected: &[(usize, Expect)]) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let program = build(&directory, "program", &[level], true);
    let [x86_64, aarch64] =
        [Isa::X86_64, Isa::Aarch64].map(|isa| stops(isa, &program.binary(isa), &directory));
    assert_eq!(x86_64.len(), aarch64.len());
    for (x86_64, aarch64) in x86_64.iter().zip(&aarch64) {
        assert!(x86_64 == aarch64, "x86_64: {x86_64}\naarch64: {aarch64}");
    }
    for (stop, expected) in expected {
        expected.assert_eq(&x86_64[*stop]);
    }
}

#[test]
fn without_optimisation_every_variable_of_every_frame_is_known() {
    check(
        "-O0",
        &[
            (
                2,
                expect![[r#"
        deep, line 46
            int n = 2
            struct point * p = (address)
            const char * name = 0x401000
            struct point local = {x = 2, y = 3, w = 1}
            unsigned char[5] bytes = {1, 2, 3, 4, 5}
            enum color c = GREEN
            float f = 3
            long sum = 5
            int k = 1
            long cube = 1
        main, line 61
            int argc = 1
            char ** argv = (address)
            struct point p = {x = 1, y = 2, w = 3.5}
            long r = 0
    "#]],
            ),
            (
                5,
                expect![[r#"
        dynamic, line 33
            int n = 3
            char[3] aligned = "ab"
            int[] list = <of a size not known here>
        deep, line 53
            int n = 1
            struct point * p = (address)
            const char * name = 0x401000
            struct point local = {x = 1, y = 2, w = 0.5}
            unsigned char[5] bytes = {1, 2, 3, 4, 5}
            enum color c = GREEN
            float f = 1.5
            long sum = 2
        deep, line 51
            int n = 2
            struct point * p = (address)
            const char * name = 0x401000
            struct point local = {x = 8, y = 3, w = 1}
            unsigned char[5] bytes = {1, 2, 3, 4, 5}
            enum color c = GREEN
            float f = 3
            long sum = 8
        main, line 61
            int argc = 1
            char ** argv = (address)
            struct point p = {x = 8, y = 2, w = 3.5}
            long r = 0
    "#]],
            ),
        ],
    );
}

#[test]
fn with_optimisation_what_is_still_needed_is_known() {
    check(
        "-O2",
        &[
            (
                0,
                expect![[r#"
        deep, line 22
            int n = 2
            struct point * p = (address)
            const char * name = 0x401000
            struct point local = {x = 2, y = 3, w = 1}
            unsigned char[5] bytes = {1, 2, 3, 4, 5}
            enum color c = GREEN
            float f = <optimized out>
            long sum = <optimized out>
            square_of: int n = 2
            square_of: int square = 4
        main, line 61
            int argc = <optimized out>
            char ** argv = <optimized out>
            struct point p = {x = 1, y = 2, w = 3.5}
            long r = <optimized out>
    "#]],
            ),
            (
                5,
                expect![[r#"
        dynamic, line 33
            int n = 3
            char[3] aligned = <optimized out>
            int[] list = <optimized out>
        deep, line 53
            int n = 1
            struct point * p = <optimized out>
            const char * name = 0x401000
            struct point local = {x = 1, y = 2, w = 0.5}
            unsigned char[5] bytes = {1, 2, 3, 4, 5}
            enum color c = GREEN
            float f = <optimized out>
            long sum = <optimized out>
        deep, line 51
            int n = 2
            struct point * p = <optimized out>
            const char * name = 0x401000
            struct point local = {x = 8, y = 3, w = 1}
            unsigned char[5] bytes = {1, 2, 3, 4, 5}
            enum color c = GREEN
            float f = <optimized out>
            long sum = 8
        main, line 61
            int argc = <optimized out>
            char ** argv = <optimized out>
            struct point p = {x = 8, y = 2, w = 3.5}
            long r = <optimized out>
    "#]],
            ),
        ],
    );
}

fn text_of(path: &Path) -> Vec<u8> {
    let image = image(path);
    let section = image.section(".text").expect("code");
    image.section_data(section).to_vec()
}

fn run(tool: &str, arguments: &[&str], file: &Path) -> String {
    let output = Command::new(tool).args(arguments).arg(file).output();
    let output = output.expect("the tool starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{tool}: {text}");
    text
}

/// LLVM's own reader of line tables, as a second opinion.
#[test]
fn every_call_has_the_same_line_on_both_isas() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for level in ["-O0", "-O2"] {
        let program = build(&directory, "lines", &[level], true);
        let lines = |isa: Isa| {
            let path = program.binary(isa);
            let image = image(&path);
            let sites = CallSites::of_image(&image).expect("a table");
            let entries = ["main", "mark", "deep"].map(|f| image.symbol(f).expect("a function"));
            let calls = sites
                .sites()
                .iter()
                .map(|site| site.frame(isa).return_address.0 - 1);
            let addresses: Vec<String> = (entries.iter().map(|a| a.0).chain(calls))
                .map(|address| format!("{address:#x}"))
                .collect();
            let mut arguments = vec!["--functions=none", "--no-inlines"];
            arguments.extend(addresses.iter().map(String::as_str));
            arguments.push("-e");
            let told = run("llvm-symbolizer-19", &arguments, &path);
            // "file:line:column", and an empty line behind each.
            let line = |line: &str| {
                let (place, _column) = line.rsplit_once(':')?;
                Some(place.rsplit('/').next()?.to_owned())
            };
            told.lines().filter_map(line).collect::<Vec<_>>()
        };
        let [x86_64, aarch64] = Isa::ALL.map(lines);
        let entries = ["main", "mark", "deep"].map(|f| {
            let declared = |l: &&str| l.contains(&format!(" {f}(int")) && !l.ends_with(';');
            let line = SOURCE
                .lines()
                .position(|l| declared(&l))
                .expect("a definition");
            // A function begins at its brace, in the line behind.
            format!("program.c:{}", line + 2)
        });
        // With optimisation a function may begin with its first statement.
        assert!(level != "-O0" || x86_64[..3] == entries, "{x86_64:?}");
        assert_eq!(x86_64[3..], aarch64[3..], "calls, {level}");
        let own = x86_64.iter().filter(|l| l.starts_with("program.c:"));
        assert!(own.count() >= 8, "{level}: {x86_64:?}");
    }
}

#[test]
fn debug_information_changes_no_code_and_is_well_formed() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for level in ["-O0", "-Og", "-O2"] {
        let with = build(&directory, "with", &[level], true);
        let without = build(&directory, "without", &[level], false);
        for isa in Isa::ALL {
            let paths: [PathBuf; 2] = [with.binary(isa), without.binary(isa)];
            assert!(
                text_of(&paths[0]) == text_of(&paths[1]),
                "{level}: the {isa} code differs"
            );
            let verified = run("llvm-dwarfdump-19", &["--verify"], &paths[0]);
            assert!(verified.contains("No errors."), "{verified}");
        }
    }
}
