//! Mutated programs: a pair that kettle-cc has built, and a small static file as others make them. What is changed is the ELF header, program
//! and section headers, symbols, the table of call sites, code and data; files are cut off, and garbage is added to them.

use std::fs;
use std::path::Path;

use emu::cluster::Cluster;
use emu::config::{ClusterConfig, MemorySize, NodeSpec};
use emu::program::Program;
use emu::record::{Console, Recorder};
use isa::Isa;
use msglayer::{SimDuration, SimTime};

use crate::draws::Draws;
use crate::seeds;

#[test]
fn mutated_programs_0_to_499() {
    check(0..500);
}

#[test]
fn mutated_programs_500_to_999() {
    check(500..1000);
}

#[test]
fn mutated_programs_1000_to_1499() {
    check(1000..1500);
}

#[test]
fn mutated_programs_1500_to_1999() {
    check(1500..2000);
}

#[test]
#[ignore = "a search: `cargo xtask soak` runs it"]
fn soak_mutated_programs() {
    check(seeds::asked_for());
}

fn check(seeds: std::ops::Range<u64>) {
    let pair = Isa::ALL.map(|isa| {
        let file = guests::binary("hello", isa);
        (isa, fs::read(file).expect("it is built"))
    });
    let directory = tempfile::tempdir().expect("a directory");
    // The unchanged files run: what is refused is refused for its change.
    assert_eq!(attempt(directory.path(), Isa::X86_64, &pair), None);
    assert_eq!(
        attempt(directory.path(), Isa::X86_64, &[(Isa::X86_64, small())]),
        None
    );
    seeds::try_all("mutated_programs", seeds, |seed| {
        let mut draws = Draws::of(seed);
        let mut files = if draws.one_in(4) {
            vec![(Isa::X86_64, small())]
        } else {
            pair.to_vec()
        };
        for _ in 0..=draws.below(3) {
            let which = draws.below(files.len());
            mutate(&mut draws, &mut files[which].1);
        }
        let first = files[draws.below(files.len())].0;
        let refusal = attempt(directory.path(), first, &files);
        if let Some(refusal) = &refusal {
            assert!(
                refusal.len() > 10 && !refusal.contains("panicked"),
                "{refusal:?}"
            );
        }
        refusal.is_some()
    });
}

/// Loads and runs the files for a while, on a cluster whose first node has this ISA; the sentence if they are refused.
fn attempt(directory: &Path, first: Isa, files: &[(Isa, Vec<u8>)]) -> Option<String> {
    let path = directory.join("prog");
    for isa in Isa::ALL {
        let file = directory.join(format!("prog_{}", isa.binary_suffix()));
        match files.iter().find(|(of, _)| *of == isa) {
            Some((_, bytes)) => fs::write(&file, bytes).expect("a file can be written"),
            None => drop(fs::remove_file(&file)),
        }
    }
    let program = match Program::open(&path) {
        Ok(program) => program,
        Err(error) => return Some(error.to_string()),
    };
    let second = Isa::ALL.into_iter().find(|isa| *isa != first)?;
    let mut config = ClusterConfig::of(&[]);
    config.nodes = [first, second].map(NodeSpec::new).to_vec();
    config
        .nodes
        .iter_mut()
        .for_each(|node| node.memory = MemorySize::from_mib(16));
    config.max_time = Some(SimTime::ZERO + SimDuration::from_us(2_000));
    config.check_invariants = true;
    let recorder = Recorder::new(config.nodes.len(), Console::Kept, None);
    let cluster = match Cluster::new(&config, &program, recorder) {
        Ok(cluster) => cluster,
        Err(error) => return Some(error.to_string()),
    };
    let outcome = cluster.run(&program, &["every".to_owned()], &[]);
    outcome.err().map(|error| error.to_string())
}

/// Changes one thing in a file, most often in a part that somebody reads.
fn mutate(draws: &mut Draws, file: &mut Vec<u8>) {
    let part = match draws.below(12) {
        0 => 0..64,
        1 => headers(file, 32, 54, 56),
        2..=4 => headers(file, 40, 58, 60),
        5..=8 => section(draws, file),
        9 => 0..file.len(),
        10 => {
            let end = draws.below(file.len() + 1);
            return file.truncate(end);
        }
        _ => {
            let garbage = draws.below(5000);
            return file.extend((0..garbage).map(|_| draws.next() as u8));
        }
    };
    let part = part.start.min(file.len())..part.end.min(file.len());
    for _ in 0..=draws.below(3) {
        draws.spoil(&mut file[part.clone()]);
    }
}

/// The bytes of a table of headers: where the ELF header says its offset, the size of an entry, and their number.
fn headers(file: &[u8], offset: usize, size: usize, number: usize) -> std::ops::Range<usize> {
    let start = number_at(file, offset, 8);
    start..start.saturating_add(number_at(file, size, 2) * number_at(file, number, 2))
}

/// The content of one section.
fn section(draws: &mut Draws, file: &[u8]) -> std::ops::Range<usize> {
    let (table, size) = (number_at(file, 40, 8), number_at(file, 58, 2));
    let which = draws.below(number_at(file, 60, 2));
    let header = table.saturating_add(which * size);
    let start = number_at(file, header.saturating_add(24), 8);
    start..start.saturating_add(number_at(file, header.saturating_add(32), 8))
}

/// A little-endian number in a file that may end before it, which gives 0.
fn number_at(file: &[u8], at: usize, size: usize) -> usize {
    let bytes = at.checked_add(size).and_then(|end| file.get(at..end));
    let value = bytes
        .unwrap_or(&[])
        .iter()
        .rev()
        .fold(0u64, |n, b| n << 8 | u64::from(*b));
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// A static program for x86_64 that exits with 0: one segment with everything, and sections as linkers leave them.
fn small() -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    // mov eax, 60; xor edi, edi; syscall
    let code = [0xb8_u8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05];
    let names = b"\0.text\0.symtab\0.strtab\0_start\0";
    let (text, symbols) = (120u64, 136u64);
    let strings = symbols + 48;
    let sections = (strings + names.len() as u64).next_multiple_of(8);
    let mut file = Vec::new();
    let mut put = |size: usize, values: &[u64]| {
        for value in values {
            file.extend(&value.to_le_bytes()[..size]);
        }
    };
    put(
        1,
        &[0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    );
    put(2, &[2, 62]);
    put(4, &[1]);
    put(8, &[BASE + text, 64, sections]);
    put(4, &[0]);
    put(2, &[64, 56, 1, 64, 4, 3]);
    // The program header: PT_LOAD, readable and executable, the whole file.
    put(4, &[1, 5]);
    put(8, &[0, BASE, BASE, sections, sections, 0x1000]);
    put(1, &code.map(u64::from));
    put(1, &[0; 7]);
    // No symbol, and `_start`: its name, a global function in the first section, its place and size.
    put(8, &[0, 0, 0]);
    put(4, &[23]);
    put(1, &[0x12, 0]);
    put(2, &[1]);
    put(8, &[BASE + text, 9]);
    put(1, &names.map(u64::from));
    let gap = sections - strings - names.len() as u64;
    put(1, &vec![0; gap as usize]);
    // Name, type; flags, address, offset, size; link, info; alignment, size of an entry.
    for (head, middle, links, tail) in [
        ([0, 0], [0, 0, 0, 0], [0, 0], [0, 0]),
        ([1, 1], [6, BASE + text, text, 9], [0, 0], [1, 0]),
        ([7, 2], [0, 0, symbols, 48], [3, 1], [8, 24]),
        ([15, 3], [0, 0, strings, names.len() as u64], [0, 0], [1, 0]),
    ] {
        put(4, &head);
        put(8, &middle);
        put(4, &links);
        put(8, &tail);
    }
    file
}
