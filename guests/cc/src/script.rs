//! The linker script: the layout in lld's language. Both ISAs are linked with the same one.

use std::fmt::Write as _;

use isa::callsites::SECTION;

use crate::contract::{ENTRY, NOTE_SECTION, TDATA_END, TDATA_START, TLS_ALIGN, TLS_END};
use crate::layout::{Group, IMAGE_BASE, Layout};

/// Segments. The headers are mapped, so that `AT_PHDR` is an address in the image.
const PROGRAM_HEADERS: &str = "\
PHDRS {
  headers PT_PHDR PHDRS FLAGS(4);
  constants PT_LOAD FILEHDR PHDRS FLAGS(4);
  text PT_LOAD FLAGS(5);
  data PT_LOAD FLAGS(6);
  isa_constants PT_LOAD FLAGS(4);
  isa_text PT_LOAD FLAGS(5);
  tls PT_TLS FLAGS(4);
  note PT_NOTE FLAGS(4);
  stack PT_GNU_STACK FLAGS(6);
}
";

/// Sections that take no memory: the records of call sites, which only the driver reads, symbols, and debug information.
const NOT_LOADED: &[&str] = &[
    ".symtab",
    ".strtab",
    ".shstrtab",
    isa::dataframes::SECTION,
    ".debug_abbrev",
    ".debug_addr",
    ".debug_aranges",
    ".debug_frame",
    ".debug_info",
    ".debug_line",
    ".debug_line_str",
    ".debug_loc",
    ".debug_loclists",
    ".debug_macinfo",
    ".debug_macro",
    ".debug_names",
    ".debug_ranges",
    ".debug_rnglists",
    ".debug_str",
    ".debug_str_offsets",
];

/// Writes the script.
pub fn write(layout: &Layout) -> String {
    let mut s = String::new();
    let _ = writeln!(s, "ENTRY({ENTRY})\n{PROGRAM_HEADERS}SECTIONS {{");
    let _ = writeln!(s, "  . = {IMAGE_BASE:#x} + SIZEOF_HEADERS;");
    let _ = writeln!(
        s,
        "  {NOTE_SECTION} : {{ KEEP(*({NOTE_SECTION})) }} :constants :note"
    );
    group(&mut s, layout, Group::Rodata, ".rodata", "", ":constants");
    let _ = writeln!(
        s,
        "  {SECTION} {:#x} : {{ KEEP(*({SECTION})) }} :constants",
        layout.callsites
    );
    let tls_align = format!("ALIGN({TLS_ALIGN})");
    group(
        &mut s,
        layout,
        Group::Tdata,
        ".tdata",
        &tls_align,
        ":constants :tls",
    );
    // Not in the segment of constants: that would then have zeros behind its file contents, which a loader must write.
    group(&mut s, layout, Group::Tbss, ".tbss", "", ":tls");
    group(&mut s, layout, Group::Text, ".text", "", ":text");
    group(&mut s, layout, Group::Data, ".data", "", ":data");
    group(&mut s, layout, Group::Bss, ".bss", "", ":data");
    private(&mut s, layout);
    let ((tdata, tdata_end), (_, tls_end)) =
        (layout.range(Group::Tdata), layout.range(Group::Tbss));
    for (name, value) in [
        (TDATA_START, tdata),
        (TDATA_END, tdata_end),
        (TLS_END, tls_end),
    ] {
        let _ = writeln!(s, "  {name} = {value:#x};");
    }
    s.push_str("  .llvm_stackmaps 0 (INFO) : { KEEP(*(.llvm_stackmaps)) } :NONE\n");
    for name in NOT_LOADED {
        let _ = writeln!(s, "  {name} 0 : {{ *({name}) }}");
    }
    s.push_str("  /DISCARD/ : { *(.comment) *(.note.GNU-stack) *(.llvm_addrsig) }\n}\n");
    s
}

fn group(s: &mut String, layout: &Layout, group: Group, name: &str, align: &str, segments: &str) {
    let (start, end) = layout.range(group);
    if start == end {
        return;
    }
    let _ = writeln!(s, "  {name} {start:#x} : {align} {{");
    slots(s, layout, group);
    // Inside an output section lld takes `.` as an absolute address.
    let _ = writeln!(s, "    . = {end:#x};\n  }} {segments}");
}

fn slots(s: &mut String, layout: &Layout, group: Group) {
    for slot in layout.slots.iter().filter(|slot| slot.group == group) {
        let _ = writeln!(
            s,
            "    . = {:#x}; */{}({})",
            slot.address, slot.object, slot.section
        );
    }
}

/// What each ISA has for itself. A final word ends both segments at the same address on both ISAs.
fn private(s: &mut String, layout: &Layout) {
    let (start, end) = layout.range(Group::IsaRodata);
    let _ = writeln!(s, "  .isa_rodata {start:#x} : {{");
    slots(s, layout, Group::IsaRodata);
    let _ = writeln!(
        s,
        "    . = {end:#x};\n    *(.rodata .rodata.*)\n  }} :isa_constants"
    );
    let (eh_frame, constants_end) = (layout.eh_frame, layout.isa_rodata_end);
    let (text, text_end) = (layout.isa_text, layout.isa_text_end);
    let _ = writeln!(
        s,
        "  .eh_frame {eh_frame:#x} : {{ *(.eh_frame) }} :isa_constants"
    );
    let _ = writeln!(
        s,
        "  .isa_rodata_end {constants_end:#x} : {{ LONG(0) }} :isa_constants"
    );
    let _ = writeln!(
        s,
        "  .isa_text {text:#x} : {{ *(.text .text.*) . = {text_end:#x}; LONG(0) }} :isa_text"
    );
}
