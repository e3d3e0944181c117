//! Checks after the link that the two files correspond: sections, bytes, addresses of symbols.

use crate::BuildError;
use crate::contract::START_RETURN;
use crate::layout::Layout;
use crate::object_file::Elf;
use crate::xform::Transformed;

/// Sections with equal bytes in both files.
const EQUAL_BYTES: &[&str] = &[".rodata", isa::callsites::SECTION, ".tdata", ".data"];
/// Sections with equal addresses and sizes.
const EQUAL_PLACE: &[&str] = &[".tbss", ".text", ".bss"];

/// Checks that the linked files (in the order of [`isa::Isa::ALL`]) are images of one program.
pub fn correspond(
    files: [&Elf<'_>; 2],
    layout: &Layout,
    program: &Transformed,
) -> Result<(), BuildError> {
    for name in EQUAL_BYTES.iter().chain(EQUAL_PLACE) {
        let [a, b] = [files[0].section(name)?, files[1].section(name)?];
        let place =
            |s: &Option<crate::object_file::Placed>| s.as_ref().map(|s| (s.address, s.size));
        if place(&a) != place(&b) {
            return Err(BuildError::Misaligned(format!(
                "section {name} is {:x?} in one and {:x?} in the other (address, size)",
                place(&a),
                place(&b)
            )));
        }
        if let (Some(a), Some(b)) = (a, b)
            && EQUAL_BYTES.contains(name)
            && let Some(k) = a.data.iter().zip(&b.data).position(|(x, y)| x != y)
        {
            return Err(BuildError::Misaligned(format!(
                "the bytes of {} at {:#x} differ",
                owner(layout, a.address + k as u64),
                a.address + k as u64
            )));
        }
    }
    symbols(files, layout, program)
}

/// Neutral code may hold the address of whatever it defines or uses, so all of that must be at one address; so must all of what both files
/// have in shared memory.
fn symbols(files: [&Elf<'_>; 2], layout: &Layout, program: &Transformed) -> Result<(), BuildError> {
    let [a, b] = [files[0].symbols(), files[1].symbols()];
    for name in program.defined.iter().chain(&program.declared) {
        let values = [&a, &b].map(|symbols| symbols.get(name).map(|s| s.value));
        if values[0] != values[1] {
            return Err(BuildError::Misaligned(format!(
                "neutral code refers to {name}, which is at {:x?} in one and at {:x?} in the other; native code needs a section of its own for it on both",
                values[0], values[1]
            )));
        }
    }
    for (name, symbol) in &a {
        let Some(other) = b.get(name).filter(|o| o.global && symbol.global) else {
            continue;
        };
        let shared = symbol.value < layout.isa_rodata || other.value < layout.isa_rodata;
        if shared && symbol.value != other.value && name != START_RETURN {
            return Err(BuildError::Misaligned(format!(
                "{name} is at {:#x} in one and at {:#x} in the other",
                symbol.value, other.value
            )));
        }
    }
    Ok(())
}

/// The input section at an address, for messages.
fn owner(layout: &Layout, address: u64) -> String {
    let slot = layout
        .slots
        .iter()
        .filter(|s| s.address <= address)
        .max_by_key(|s| s.address);
    slot.map_or_else(
        || "the image".to_owned(),
        |s| format!("{} of {}", s.section, s.object),
    )
}
