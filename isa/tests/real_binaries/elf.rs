//! Parsing of real files, and refusal of damaged ones.

use isa::elf::{ElfError, SymbolKind};
use isa::{ElfImage, Isa, PAGE_SIZE, VirtAddr};
use proptest::prelude::*;

use crate::build::{Program, SAMPLE, sample, sample_image};

#[test]
fn what_the_linker_put_in_is_found() {
    for isa in Isa::ALL {
        let image = sample_image(isa);
        assert_eq!(image.isa(), isa);
        assert_eq!(Some(image.entry()), image.symbol("_start"));
        assert!(
            image
                .segment_at(image.entry())
                .is_some_and(|segment| segment.execute && !segment.write)
        );

        let counter = image.symbols().by_name("counter").expect("it is global");
        assert_eq!((counter.kind, counter.size), (SymbolKind::Object, 4));
        assert_eq!(
            image.read(counter.address, 4),
            Some(&7i32.to_le_bytes()[..])
        );
        assert!(
            image
                .segment_at(counter.address)
                .is_some_and(|segment| segment.write && !segment.execute)
        );
        let message = image.symbol("message").expect("it is global");
        assert_eq!(image.read(message, 6), Some(&b"hello\0"[..]));

        let zeroes = image.symbol("zeroes").expect("local symbols are kept");
        assert_eq!(image.read(zeroes, 4), None, "the file does not hold .bss");
        assert!(image.segment_at(zeroes).is_some());
        assert!(zeroes < image.end());

        let tls = image.tls().expect("two variables are thread-local");
        assert_eq!((tls.memory_size, tls.file.len()), (16, 4));
        assert_eq!(
            image.symbols().by_name("first").map(|symbol| symbol.kind),
            Some(SymbolKind::Tls)
        );

        let headers = image.program_headers();
        let first = image.segments().first().expect("there is one");
        assert_eq!(
            headers.address,
            Some(VirtAddr(first.address.0 + 64)),
            "right after the file header"
        );
        assert_eq!(headers.entry_size, 56);

        let note = image
            .notes()
            .iter()
            .find(|note| note.name == "Kettle")
            .expect("the note");
        assert_eq!(
            (note.kind, note.description.as_slice()),
            (42, &5i32.to_le_bytes()[..])
        );
        let text = image.section(".text").expect("every program has it");
        assert_eq!(image.section_data(text).len() as u64, text.size);
        assert!(image.section(".eh_frame").is_some());
        assert!(!image.executable_stack());
        assert_eq!(image.describe(image.entry()), "_start");
        assert_eq!(
            image.describe(VirtAddr(image.symbol("middle").unwrap().0 + 4)),
            "middle+0x4"
        );
    }
}

#[test]
fn segments_are_ready_to_map() {
    for isa in Isa::ALL {
        let image = sample_image(isa);
        assert!(image.segments().len() >= 3);
        for segment in image.segments() {
            assert_eq!(
                segment.address.page_offset(),
                segment.file.start as u64 % PAGE_SIZE
            );
            assert!(image.segment_data(segment).len() as u64 <= segment.memory_size);
        }
    }
}

/// Overwrites bytes at an offset.
fn patched(bytes: &[u8], offset: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[offset..offset + with.len()].copy_from_slice(with);
    bytes
}

/// Offset of the `n`th PT_LOAD program header.
fn load_header(bytes: &[u8], n: usize) -> usize {
    let headers = (0..).map(|index| 64 + 56 * index);
    headers
        .take(20)
        .filter(|&at| bytes[at..at + 4] == [1, 0, 0, 0])
        .nth(n)
        .expect("that many segments")
}

#[test]
fn hostile_files_are_refused_with_a_reason() {
    let good = sample(Isa::X86_64);
    let load = load_header(good, 1);
    let (offset, vaddr, filesz, memsz, align) =
        (load + 8, load + 16, load + 32, load + 40, load + 48);
    let max = u64::MAX.to_le_bytes();
    let first_address = &good[load_header(good, 0) + 16..][..8];
    // (file, how the reason begins)
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "this is not an ELF file"),
        (
            b"#!/bin/sh\necho hello\n".to_vec(),
            "this is not an ELF file",
        ),
        (good[..63].to_vec(), "this is not an ELF file"),
        (patched(good, 4, &[1]), "this is a 32-bit ELF file"),
        (patched(good, 5, &[2]), "this ELF file is not little-endian"),
        (patched(good, 6, &[9]), "this ELF file has version 9"),
        (patched(good, 20, &[7]), "this ELF file has version 7"),
        (
            patched(good, 18, &[243, 0]),
            "this ELF file is for machine 243;",
        ),
        (
            patched(good, 16, &[1, 0]),
            "this ELF file is an object file",
        ),
        (
            patched(good, 16, &[3, 0]),
            "this is a position-independent file",
        ),
        (patched(good, 16, &[4, 0]), "this ELF file is a core dump"),
        (
            patched(good, 16, &[9, 9]),
            "this ELF file is of an unknown type",
        ),
        (
            patched(good, 24, &[0; 8]),
            "the entry point 0x0 is not in an executable segment",
        ),
        (
            patched(good, 32, &max),
            "the ELF file is damaged: the program headers",
        ),
        (
            patched(good, 40, &max),
            "the ELF file is damaged: the section headers",
        ),
        (
            patched(good, 54, &[55, 0]),
            "the ELF file is damaged: the program headers",
        ),
        (
            patched(good, 56, &[0, 0]),
            "the ELF file has no loadable segment",
        ),
        (
            patched(good, 56, &[0xff, 0x7f]),
            "the ELF file has 32767 program headers; at most",
        ),
        (patched(good, offset, &max), "the segment at"),
        (
            patched(good, vaddr, &max),
            "the segment at 0xffffffffffffffff is so large that its end overflows",
        ),
        (
            patched(good, vaddr, &[0; 8]),
            "the segment at 0x0 is not in user memory",
        ),
        (
            patched(good, vaddr, &(1u64 << 48).to_le_bytes()),
            "the segment at 0x1000000000000 is not in user memory",
        ),
        (patched(good, vaddr, first_address), "the segment"),
        (patched(good, filesz, &max), "the segment at"),
        (patched(good, memsz, &[0; 8]), "the segment at"),
        (
            patched(good, memsz, &(1u64 << 40).to_le_bytes()),
            "the segments at",
        ),
        (patched(good, align, &[3]), "the segment at"),
        (
            good[..good.len() / 2].to_vec(),
            "the ELF file is damaged: the section headers",
        ),
        (good[..800].to_vec(), "the segment at"),
    ];
    for (index, (file, reason)) in cases.into_iter().enumerate() {
        let error = ElfImage::parse(&file).expect_err(reason).to_string();
        assert!(
            error.starts_with(reason),
            "case {index}: '{error}' does not begin with '{reason}'"
        );
    }
}

#[test]
fn dynamic_and_relocatable_files_are_refused() {
    for isa in Isa::ALL {
        let dynamic = Program {
            link: &[
                "--no-as-needed",
                "-pie",
                "--dynamic-linker",
                "/lib/ld.so",
                "-Bdynamic",
            ],
            ..Program::new(SAMPLE)
        };
        let program = Program {
            compile: &["-fPIE"],
            ..dynamic
        };
        let error = ElfImage::parse(&program.bytes(isa)).unwrap_err();
        assert_eq!(error, ElfError::Dynamic("/lib/ld.so".to_owned()), "{isa}");
        let object = Program {
            link: &["-r"],
            ..Program::new(SAMPLE)
        };
        let error = ElfImage::parse(&object.bytes(isa)).unwrap_err();
        assert_eq!(error, ElfError::NotExecutable("an object file"), "{isa}");
    }
}

#[test]
fn a_stripped_file_has_no_symbols_but_runs() {
    for isa in Isa::ALL {
        let image = Program {
            link: &["--strip-all"],
            ..Program::new(SAMPLE)
        }
        .image(isa);
        assert!(image.symbols().is_empty());
        assert_eq!(image.describe(image.entry()), image.entry().to_string());
    }
}

/// Everything a caller may ask of an image that was accepted; none of it may panic.
fn use_it(image: &ElfImage) {
    for segment in image.segments() {
        image.segment_data(segment);
        image.read(segment.address, 16);
        image.describe(segment.end());
    }
    for section in image.sections() {
        image.section_data(section);
    }
    for symbol in image.symbols().iter() {
        image.describe(symbol.address);
    }
    image.read(VirtAddr(u64::MAX), usize::MAX);
    image.end();
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(ElfImage::parse(&bytes).is_err());
    }

    #[test]
    fn random_bytes_after_a_header_never_panic(rest in prop::collection::vec(any::<u8>(), 48..1000)) {
        let mut bytes = sample(Isa::X86_64)[..20].to_vec();
        bytes.extend(rest);
        if let Ok(image) = ElfImage::parse(&bytes) {
            use_it(&image);
        }
    }

    #[test]
    fn mutated_files_never_panic(
        aarch64 in any::<bool>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<[u8; 8]>(), 1usize..8), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = sample(if aarch64 { Isa::Aarch64 } else { Isa::X86_64 }).to_vec();
        let len = bytes.len();
        for (at, with, width) in edits {
            // Most of what can go wrong is in the headers at both ends.
            let at = at.index(2 * 1024);
            let at = if at < 1024 { at } else { len - 8 - (at - 1024) };
            bytes[at..at + width].copy_from_slice(&with[..width]);
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(len));
        }
        if let Ok(image) = ElfImage::parse(&bytes) {
            use_it(&image);
        }
    }
}
