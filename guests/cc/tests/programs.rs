//! Builds whole programs and holds the binaries against what a migration relies on: equal output on both ISAs, equal addresses and bytes, a call-site
//! table that describes every call, no page of two kinds, and output that does not depend on the run of the compiler.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use isa::callsites::{CallSites, SECTION, SiteId};
use isa::{Isa, VirtAddr};
use kettle_cc::contract::{NOTE_SECTION, POPCORN_ABI, TLS_ALIGN};
use kettle_cc::object_file::{Elf, Placed, read};
use kettle_cc::{Build, Program};
use object::read::elf::{ElfFile64, FileHeader as _, ProgramHeader as _};
use object::{Endianness, elf};

/// A program below `tests/programs`: its files, its arguments, and how it ends.
struct Case {
    name: &'static str,
    files: &'static [&'static str],
    arguments: &'static [&'static str],
    status: i32,
    output: &'static str,
}

const fn simple(name: &'static str, files: &'static [&'static str], output: &'static str) -> Case {
    Case {
        name,
        files,
        arguments: &[],
        status: 0,
        output,
    }
}

/// Expected outputs are those of an ordinary compiler on an ordinary machine.
const CASES: &[Case] = &[
    simple(
        "recursion",
        &["recursion.c"],
        include_str!("programs/recursion.out"),
    ),
    simple(
        "variadic",
        &["variadic.c"],
        include_str!("programs/variadic.out"),
    ),
    simple(
        "dynamic",
        &["dynamic.c"],
        include_str!("programs/dynamic.out"),
    ),
    simple("values", &["values.c"], include_str!("programs/values.out")),
    simple("slots", &["slots.c"], include_str!("programs/slots.out")),
    simple(
        "pointers",
        &["pointers.c"],
        include_str!("programs/pointers.out"),
    ),
    Case {
        name: "twofiles",
        files: &["twofiles_a.c", "twofiles_b.c"],
        arguments: &["argument"],
        status: 255,
        output: "2047 5 2 argument\n",
    },
    simple(
        "computed_goto",
        &["../../../programs/computed_goto.c"],
        "949028 7\n0 1 2 computed_goto: ok\n",
    ),
];

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/programs")
        .join(name)
}

fn build(case: &Case, into: &Path, flags: &[&str], debug_info: bool) -> Program {
    Build::new()
        .sources(case.files.iter().map(|f| source(f)))
        .flags(flags.iter().copied())
        .debug_info(debug_info)
        .out_dir(into)
        .name(case.name)
        .build()
        .unwrap_or_else(|e| panic!("{}: {e}", case.name))
}

/// Runs the binary of an ISA on this host, under qemu-user where it is foreign.
fn run(program: &Program, isa: Isa, arguments: &[&str]) -> (Option<i32>, String) {
    let binary = program.binary(isa);
    let native = isa.name() == std::env::consts::ARCH;
    let mut command = if native {
        Command::new(&binary)
    } else {
        let mut emulator = Command::new(format!("qemu-{}", isa.name()));
        emulator.arg(&binary);
        emulator
    };
    let output = command
        .args(arguments)
        .output()
        .expect("the program (or qemu-user) starts");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[test]
fn every_program_prints_the_same_on_both_isas() {
    every_program_prints_the_same(&["-O0", "-O2"]);
}

#[test]
#[ignore = "takes minutes: `cargo xtask test --full` runs it"]
fn every_program_prints_the_same_on_both_isas_at_the_other_levels() {
    every_program_prints_the_same(&["-O1", "-O3", "-Os"]);
}

fn every_program_prints_the_same(levels: &[&str]) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for case in CASES {
        for level in levels {
            let program = build(case, directory.path(), &[level], false);
            assert!(program.sites > 0, "{}: no call may migrate", case.name);
            for isa in Isa::ALL {
                let (status, output) = run(&program, isa, case.arguments);
                assert_eq!(output, case.output, "{} {level} on {isa}", case.name);
                assert_eq!(status, Some(case.status), "{} {level} on {isa}", case.name);
            }
        }
    }
}

#[test]
fn the_same_sources_give_the_same_bytes() {
    let (one, two) = (tempfile::tempdir(), tempfile::tempdir());
    let (one, two) = (one.expect("a directory"), two.expect("a directory"));
    for (case, debug_info) in [(&CASES[3], false), (&CASES[6], true)] {
        let programs = [&one, &two].map(|d| build(case, d.path(), &[], debug_info));
        for isa in Isa::ALL {
            let [a, b] = programs
                .each_ref()
                .map(|p| read(&p.binary(isa)).expect("a binary"));
            assert!(a == b, "{} for {isa} differs from run to run", case.name);
        }
        let host = read(&programs[0].host()).expect("the host's copy");
        let own = Isa::ALL
            .into_iter()
            .find(|isa| isa.name() == std::env::consts::ARCH);
        assert!(
            host == read(&programs[0].binary(own.expect("a host of either ISA")))
                .expect("a binary")
        );
    }
}

/// Both files of a program.
struct Pair {
    path: [PathBuf; 2],
    data: [Vec<u8>; 2],
}

impl Pair {
    fn of(program: &Program) -> Self {
        let path = Isa::ALL.map(|isa| program.binary(isa));
        let data = path.each_ref().map(|p| read(p).expect("a binary"));
        Self { path, data }
    }
    fn elf(&self, k: usize) -> Elf<'_> {
        Elf::parse(&self.path[k], &self.data[k]).expect("an ELF file")
    }
    fn section(&self, k: usize, name: &str) -> Placed {
        let section = self.elf(k).section(name).expect("readable");
        section.unwrap_or_else(|| panic!("no section {name}"))
    }
}

#[test]
fn both_files_are_images_of_one_program() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for case in CASES {
        let pair = Pair::of(&build(case, directory.path(), &[], false));
        for name in [".rodata", ".data", ".tdata", SECTION, NOTE_SECTION] {
            let (a, b) = (pair.section(0, name), pair.section(1, name));
            assert_eq!(
                (a.address, &a.data),
                (b.address, &b.data),
                "{} {name}",
                case.name
            );
        }
        let [a, b] = [pair.elf(0).symbols(), pair.elf(1).symbols()];
        let text = pair.section(0, ".text");
        for name in [
            "main",
            "migrate",
            "__kettle_main",
            "__kettle_arrive",
            "_start",
            "memcpy",
            "__dsp",
            "__dfp",
        ] {
            let symbol = a
                .get(name)
                .unwrap_or_else(|| panic!("{}: no symbol {name}", case.name));
            assert_eq!(
                Some(symbol.value),
                b.get(name).map(|s| s.value),
                "{} {name}",
                case.name
            );
            if symbol.function {
                assert!(
                    (text.address..text.address + text.size).contains(&symbol.value),
                    "{name}"
                );
            }
        }
        let functions: Vec<_> = a
            .iter()
            .filter(|(n, s)| s.function && b.contains_key(*n))
            .collect();
        assert!(
            functions.len() > 30,
            "{}: only {} functions",
            case.name,
            functions.len()
        );
        for (name, symbol) in functions {
            assert_eq!(symbol.value, b[name].value, "{} {name}", case.name);
        }
    }
}

/// A loadable segment: first and last page, flags.
fn load_segments(data: &[u8]) -> Vec<(u64, u64, u32)> {
    let file = ElfFile64::<Endianness>::parse(data).expect("an ELF file");
    let endian = file.endian();
    let headers = file
        .elf_header()
        .program_headers(endian, data)
        .expect("program headers");
    let loads = headers.iter().filter(|h| h.p_type(endian) == elf::PT_LOAD);
    loads
        .map(|h| {
            let (start, size) = (h.p_vaddr(endian), h.p_memsz(endian));
            assert!(size > 0, "an empty segment");
            (
                start / isa::PAGE_SIZE,
                (start + size - 1) / isa::PAGE_SIZE,
                h.p_flags(endian).0,
            )
        })
        .collect()
}

#[test]
fn no_page_is_of_two_kinds_or_writable_and_executable() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let pair = Pair::of(&build(&CASES[3], directory.path(), &[], false));
    for data in &pair.data {
        let segments = load_segments(data);
        assert!(segments.len() >= 4);
        for pages in segments.windows(2) {
            assert!(
                pages[0].1 < pages[1].0,
                "segments share page {:#x}",
                pages[0].1
            );
        }
        for (_, _, flags) in segments {
            let (writable, executable) = (flags & elf::PF_W.0 != 0, flags & elf::PF_X.0 != 0);
            assert!(!(writable && executable));
        }
        let file = ElfFile64::<Endianness>::parse(data.as_slice()).expect("an ELF file");
        let endian = file.endian();
        let headers = file
            .elf_header()
            .program_headers(endian, data.as_slice())
            .expect("program headers");
        let only = |kind| {
            let mut found = headers.iter().filter(|h| h.p_type(endian) == kind);
            let header = found.next().expect("the segment is there");
            assert!(found.next().is_none());
            header
        };
        assert_eq!(only(elf::PT_TLS).p_align(endian), TLS_ALIGN);
        assert_eq!(only(elf::PT_TLS).p_vaddr(endian) % TLS_ALIGN, 0);
        assert_eq!(only(elf::PT_GNU_STACK).p_flags(endian).0 & elf::PF_X.0, 0);
        assert_eq!(
            only(elf::PT_PHDR).p_vaddr(endian),
            kettle_cc::layout::IMAGE_BASE + 64
        );
        assert!(only(elf::PT_NOTE).p_filesz(endian) > 0);
        let note = pair.section(0, NOTE_SECTION).data;
        let words = [
            7,
            8,
            1,
            u32::from_le_bytes(*b"Kett"),
            u32::from_le_bytes(*b"le\0\0"),
            1,
            POPCORN_ABI,
        ];
        assert_eq!(note, words.map(u32::to_le_bytes).concat());
    }
}

/// Whether the instruction that ends at `at` is a call.
fn ends_in_call(isa: Isa, text: &Placed, at: VirtAddr) -> bool {
    let end = (at.0 - text.address) as usize;
    let before = |n: usize| &text.data[end - n..end];
    match isa {
        Isa::X86_64 => {
            // call rel32, or call through a register or memory (FF /2) of 2 to 7 bytes
            let indirect = |n: usize| {
                let code = before(n);
                let code = if code[0] & 0xf0 == 0x40 {
                    &code[1..]
                } else {
                    code
                };
                code[0] == 0xff && code.get(1).is_some_and(|modrm| modrm >> 3 & 7 == 2)
            };
            before(5)[0] == 0xe8 || (2..=8).any(indirect)
        }
        Isa::Aarch64 => {
            let word = u32::from_le_bytes(before(4).try_into().expect("four bytes"));
            word & 0xfc00_0000 == 0x9400_0000 || word & 0xffff_fc1f == 0xd63f_0000
        }
    }
}

/// The function that an address is in: the last one that begins at or before it.
fn function_at(functions: &BTreeMap<u64, String>, at: VirtAddr) -> &str {
    functions
        .range(..at.0)
        .next_back()
        .map_or("", |(_, name)| name)
}

#[test]
fn the_table_describes_every_call_on_both_isas() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for case in CASES {
        let program = build(case, directory.path(), &[], false);
        let pair = Pair::of(&program);
        let table = CallSites::parse(&pair.section(0, SECTION).data).expect("a valid table");
        assert_eq!(table.sites().len(), program.sites, "{}", case.name);
        assert_eq!(pair.section(0, SECTION).data, table.encode());
        let mut owners: [Vec<String>; 2] = Default::default();
        for (k, isa) in Isa::ALL.into_iter().enumerate() {
            let text = pair.section(k, ".text");
            let symbols = pair.elf(k).symbols();
            let start = VirtAddr(symbols["__start_ret"].value);
            assert!(table.ends_walk(isa, start) && ends_in_call(isa, &text, start));
            let functions: BTreeMap<u64, String> = symbols
                .iter()
                .filter(|(_, s)| s.function)
                .map(|(n, s)| (s.value, n.clone()))
                .collect();
            for (id, site) in (0..).zip(table.sites()) {
                let frame = site.frame(isa);
                assert!(
                    ends_in_call(isa, &text, frame.return_address),
                    "{} site {id} on {isa}",
                    case.name
                );
                assert_eq!(
                    table
                        .find(isa, frame.return_address)
                        .map(|(found, _)| found),
                    Some(SiteId(id))
                );
                let function = function_at(&functions, frame.return_address);
                assert!(
                    program.migrating.iter().any(|m| m == function),
                    "{function} is not said to migrate"
                );
                owners[k].push(function.to_owned());
            }
        }
        assert_eq!(
            owners[0], owners[1],
            "{}: a site is in different functions",
            case.name
        );
    }
}

#[test]
fn debug_information_comes_when_asked_for() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for debug_info in [false, true] {
        let program = build(&CASES[0], directory.path(), &[], debug_info);
        let pair = Pair::of(&program);
        for k in [0, 1] {
            let lines = pair.elf(k).section(".debug_line").expect("readable");
            let has_main_file = lines.is_some_and(|s| s.size > 100);
            assert_eq!(has_main_file, debug_info);
        }
        assert_eq!(run(&program, Isa::Aarch64, &[]).1, CASES[0].output);
    }
}

/// Functions that call through pointers, and whether what they call might be `migrates`, which takes a pointer and an integer.
const THROUGH_POINTERS: &str = r#"
#include <kettle.h>
void *any[8];
struct wide { long a[3]; };
#define TEST(name, type, ...) __attribute__((noinline)) void name(int k) { ((type)any[k])(__VA_ARGS__); any[k + 1] = 0; }
__attribute__((noinline)) int migrates(char *text, int number) { return migrate(number) + *text; }
TEST(same, int (*)(char *, int), "", 1)
TEST(another_result, struct wide *(*)(void *, unsigned), 0, 1)
TEST(integers, void (*)(long, unsigned char), 0, 1)
TEST(more, void (*)(void *, long, double, int), 0, 1, 2, 3)
TEST(fewer, void (*)(void *), 0)
TEST(only_floats, void (*)(double), 1)
TEST(floats_for_integers, void (*)(int, float), 1, 2)
__attribute__((noinline)) void *asks(int k) { ((void (*)(long, long, long))any[k])(1, 2, 3); return __builtin_return_address(0); }
int main(void)
{
    any[0] = (void *)migrates;
    same(0), another_result(1), integers(2), more(3), fewer(4), only_floats(5), floats_for_integers(6), asks(7);
}
"#;

#[test]
fn a_call_through_a_pointer_may_migrate_by_what_it_passes() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("through.c");
    std::fs::write(&file, THROUGH_POINTERS).expect("written");
    for level in ["-O0", "-O2"] {
        let program = Build::new()
            .sources([&file])
            .flags([level])
            .out_dir(directory.path())
            .name("through")
            .build()
            .unwrap_or_else(|e| panic!("{e}"));
        let may = |name: &str| program.migrating.iter().any(|m| m == name);
        for name in ["same", "another_result", "integers", "more", "fewer"] {
            assert!(may(name), "{name} {level}");
        }
        // The last could not be compiled if it had to, and only a cast leads to it.
        for name in ["only_floats", "floats_for_integers", "asks"] {
            assert!(!may(name), "{name} {level}");
        }
    }
}

#[test]
fn a_program_that_never_migrates_is_a_program_too() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("plain.c");
    std::fs::write(&file, "int main(void) { return 7; }\n").expect("written");
    let program = Build::new()
        .sources([&file])
        .out_dir(directory.path())
        .name("plain")
        .build()
        .unwrap_or_else(|e| panic!("{e}"));
    for isa in Isa::ALL {
        assert_eq!(run(&program, isa, &[]).0, Some(7));
    }
}
