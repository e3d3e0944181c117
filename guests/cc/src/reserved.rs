//! The sections that the driver itself adds to a program: the note that tools know it by, room for the call-site table, and with debug
//! information the table of data frames.

use isa::callsites::{CallSites, SECTION, SYMBOL};
use isa::dataframes;

use crate::contract::{NOTE_OWNER, NOTE_SECTION, NOTE_TYPE, NOTE_VERSION, POPCORN_ABI};

/// The file that the table of data frames is included from.
pub const DATA_FRAMES: &str = "dataframes.bin";

/// Assembly of these sections, the same for both ISAs.
pub fn assembly(sites: usize, debug_info: bool) -> String {
    let table_size = CallSites::byte_len(sites);
    let name_size = NOTE_OWNER.len() + 1;
    let data_frames = if debug_info {
        format!(
            "    .section {}, \"\", %progbits\n    .incbin \"{DATA_FRAMES}\"\n",
            dataframes::SECTION
        )
    } else {
        String::new()
    };
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
{data_frames}    .section .note.GNU-stack, "", %progbits
"#
    )
}
