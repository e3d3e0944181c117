//! The sections that the driver itself adds to a program: the note that tools know it by, and room for the call-site table.

use isa::callsites::{CallSites, SECTION, SYMBOL};

use crate::contract::{NOTE_OWNER, NOTE_SECTION, NOTE_TYPE, NOTE_VERSION, POPCORN_ABI};

/// Assembly of both sections, the same for both ISAs.
pub fn assembly(sites: usize) -> String {
    let table_size = CallSites::byte_len(sites);
    let name_size = NOTE_OWNER.len() + 1;
    format!(
        r#"    .section {NOTE_SECTION}, "a", %note
    .p2align 2
    .long {name_size}, 8, {NOTE_TYPE}
    .asciz "{NOTE_OWNER}"
    .p2align 2
    .long {NOTE_VERSION}, {POPCORN_ABI}
    .section {SECTION}, "a", %progbits
    .p2align 4
    .globl {SYMBOL}
    .type {SYMBOL}, %object
    .size {SYMBOL}, {table_size}
{SYMBOL}:
    .zero {table_size}
    .section .note.GNU-stack, "", %progbits
"#
    )
}
