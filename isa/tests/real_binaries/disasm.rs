//! Disassembly of a whole program.

use isa::Isa;
use isa::disasm::Disassembler;

use crate::build::sample_image;

#[test]
fn a_function_is_listed_with_the_names_it_refers_to() {
    for isa in Isa::ALL {
        let image = sample_image(isa);
        let middle = image.symbols().by_name("middle").expect("it is global");
        let disassembler = Disassembler::new(isa).unwrap();
        let listing = disassembler.image_range(&image, middle.address, middle.size as usize);
        assert!(listing.iter().all(|instruction| instruction.valid));
        assert_eq!(
            listing
                .iter()
                .map(|instruction| instruction.bytes.len() as u64)
                .sum::<u64>(),
            middle.size
        );
        let text: Vec<String> = listing
            .iter()
            .map(|instruction| instruction.to_string())
            .collect();
        assert!(
            text.iter().any(|line| line.ends_with("<leaf>")),
            "{isa}: the call is named\n{}",
            text.join("\n")
        );
        assert!(
            text.last().is_some_and(|line| line.starts_with("ret")),
            "{isa}\n{}",
            text.join("\n")
        );
    }
}

#[test]
fn nothing_is_listed_outside_the_program() {
    let image = sample_image(Isa::X86_64);
    let disassembler = Disassembler::new(Isa::X86_64).unwrap();
    assert_eq!(
        disassembler.image_range(&image, isa::VirtAddr(u64::MAX), 100),
        []
    );
    let text = image.section(".text").expect("every program has it");
    let listing = disassembler.image_range(&image, text.address, usize::MAX);
    assert!(
        listing.len() > 20,
        "a length past the end is cut to what there is"
    );
}
