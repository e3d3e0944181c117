//! The golden opening: the messages and faults after a first arrival of a real program are those of every Popcorn trace, whichever ISA is
//! home; and every message on the wire has the size that it has in Popcorn's 5.2 kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use expect_test::{Expect, expect};

use crate::kettle;

/// Text, whose page comes from the node's own file; the stack, to read and then to write without data; and .data.
fn opening() -> Expect {
    expect![[r#"
        0 -> 1 TASK_MIGRATE (1470 bytes)
        1 -> 0 TASK_PAIRING (22 bytes)
        1 -> 0 VMA_INFO_REQUEST (26 bytes) text
        0 -> 1 VMA_INFO_RESPONSE (570 bytes) text result=0 vm_flags=0x875 vm_file_path="/popcorn/hello"
        1 PAGEFAULT text X
        1 -> 0 VMA_INFO_REQUEST (26 bytes) stack
        0 -> 1 VMA_INFO_RESPONSE (570 bytes) stack result=0 vm_flags=0x200073 vm_file_path=""
        1 -> 0 REMOTE_PAGE_REQUEST (58 bytes) stack fault_flags=0x54
        0 -> 1 REMOTE_PAGE_RESPONSE (4130 bytes) stack result=0
        1 PAGEFAULT stack R
        1 -> 0 REMOTE_PAGE_REQUEST (58 bytes) stack fault_flags=0x55
        0 -> 1 REMOTE_PAGE_RESPONSE_SHORT (34 bytes) stack result=16384
        1 PAGEFAULT stack W
        1 -> 0 VMA_INFO_REQUEST (26 bytes) data
        0 -> 1 VMA_INFO_RESPONSE (570 bytes) data result=0 vm_flags=0x873 vm_file_path="/popcorn/hello"
        1 -> 0 REMOTE_PAGE_REQUEST (58 bytes) data fault_flags=0x54
        0 -> 1 REMOTE_PAGE_RESPONSE (4130 bytes) data result=0
        1 PAGEFAULT data R
    "#]]
}

/// Sizes in bytes of the kernel's packed structures, header included.
const SIZES: [(&str, u64); 20] = [
    ("NODE_INFO", 22),
    ("TASK_MIGRATE", 1470),
    ("TASK_MIGRATE_BACK", 858),
    ("TASK_PAIRING", 22),
    ("TASK_EXIT_ORIGIN", 22),
    ("TASK_EXIT_REMOTE", 22),
    ("VMA_INFO_REQUEST", 26),
    ("VMA_INFO_RESPONSE", 570),
    ("VMA_OP_REQUEST", 578),
    ("VMA_OP_RESPONSE", 50),
    ("REMOTE_PAGE_REQUEST", 58),
    ("REMOTE_PAGE_RESPONSE", 4130),
    ("REMOTE_PAGE_RESPONSE_SHORT", 34),
    ("PAGE_INVALIDATE_REQUEST", 30),
    ("PAGE_INVALIDATE_RESPONSE", 22),
    ("FUTEX_REQUEST", 66),
    ("FUTEX_RESPONSE", 22),
    ("SYSCALL_FWD", 74),
    ("SYSCALL_REP", 26),
    ("SIGNAL_FWD", 27),
];

/// The same of messages that the kernel does not have: Kettle's own, for signals for hops from guest to guest, and for long results.
const OWN_SIZES: [(&str, u64); 6] = [
    ("SIGNAL_INFO", 72),
    ("SIGNAL_ACTION", 50),
    ("SIGNAL_MASK", 34),
    ("SIGNAL_INTERRUPT", 22),
    ("TASK_ONWARD_REPLY", 26),
    ("SYSCALL_REP_LONG", 26),
];

#[test]
fn the_opening_is_popcorns_whichever_isa_is_home() {
    for nodes in ["x86_64,aarch64", "aarch64,x86_64", "x86_64,x86_64"] {
        let trace = trace(nodes, "hello", "once");
        let areas = areas(&trace);
        let mut text = String::new();
        let events = trace.iter().skip_while(|line| line.kind != "TASK_MIGRATE");
        let events = events
            .filter(|line| line.to.is_some() || (line.from == "1" && line.kind == "PAGEFAULT"));
        for line in events.take(opening().data().lines().count() - 2) {
            line.tell(&areas, &mut text);
        }
        opening().assert_eq(&text);
    }
}

/// Programs that between them use every message.
#[test]
fn sizes_on_the_wire_are_the_kernels() {
    let sizes: BTreeMap<_, _> = SIZES.into_iter().collect();
    let own: BTreeMap<_, _> = OWN_SIZES.into_iter().collect();
    let mut seen = BTreeSet::new();
    for (nodes, name) in [
        ("x86_64,aarch64", "threads4"),
        ("aarch64,x86_64,x86_64", "producer_consumer"),
        ("aarch64,x86_64", "library"),
        ("x86_64,aarch64", "exit_status"),
    ] {
        for line in trace(nodes, name, "every") {
            if line.to.is_some() {
                let kind = line.kind.as_str();
                let expected = sizes.get(kind).or(own.get(kind)).copied();
                assert_eq!(Some(line.size()), expected, "{}", line.rest);
                if !own.contains_key(kind) {
                    seen.insert(line.kind);
                }
            }
        }
    }
    let seen: Vec<_> = seen.into_iter().collect();
    let modelled: Vec<_> = sizes.into_keys().map(str::to_owned).collect();
    assert_eq!(seen, modelled, "every message has been seen");
}

/// A line of a trace: `TIME node FROM  -> node TO KIND (SIZE bytes) KIND field=value ...` or `TIME node FROM  PAGEFAULT [PID] ADDR ...`.
struct Line {
    from: String,
    to: Option<String>,
    kind: String,
    rest: String,
}

impl Line {
    fn parse(line: &str) -> Option<Self> {
        let (_, line) = line.split_once(" node ")?;
        let (from, what) = line.split_once("  ")?;
        let message = what.strip_prefix("-> node ");
        let (to, what) = match message.and_then(|message| message.split_once(' ')) {
            Some((to, what)) => (Some(to.to_owned()), what),
            None => (None, what),
        };
        let (kind, rest) = what.split_once(' ')?;
        Some(Self {
            from: from.to_owned(),
            to,
            kind: kind.to_owned(),
            rest: rest.to_owned(),
        })
    }

    fn size(&self) -> u64 {
        let size = self
            .rest
            .strip_prefix('(')
            .and_then(|rest| rest.split_once(' '));
        size.and_then(|(size, _)| size.parse().ok())
            .expect("a message has a size")
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.rest
            .split(' ')
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    fn number(&self, name: &str) -> Option<u64> {
        hexadecimal(self.field(name)?)
    }

    /// The event without what differs between links of the program: its address as the name of its area.
    fn tell(&self, areas: &[Area], text: &mut String) {
        let area = |addr: Option<u64>| {
            let addr = addr?;
            let area = areas
                .iter()
                .find(|area| (area.start..area.end).contains(&addr));
            Some(area.map_or("nowhere", |area| area.name))
        };
        match &self.to {
            Some(to) => write!(
                text,
                "{} -> {to} {} ({} bytes)",
                self.from,
                self.kind,
                self.size()
            ),
            None => write!(text, "{} {}", self.from, self.kind),
        }
        .expect("strings can be written to");
        let words: Vec<_> = self.rest.split(' ').collect();
        let fault = self.to.is_none();
        let addr = if fault {
            hexadecimal(words[1])
        } else {
            self.number("addr")
        };
        let mut tell = |word: &str| *text += &format!(" {word}");
        area(addr).into_iter().for_each(&mut tell);
        if fault {
            tell(words[2]);
            assert_eq!(words[4..], ["result", "0"], "{}", self.rest);
        }
        for name in ["result", "vm_flags", "vm_file_path", "fault_flags"] {
            if let Some(value) = self.field(name) {
                tell(&format!("{name}={value}"));
            }
        }
        text.push('\n');
    }
}

struct Area {
    name: &'static str,
    start: u64,
    end: u64,
}

/// The areas that a remote node was told of, by what they are.
fn areas(trace: &[Line]) -> Vec<Area> {
    const VM_WRITE: u64 = 2;
    const VM_EXEC: u64 = 4;
    let responses = trace
        .iter()
        .filter(|line| line.to.is_some() && line.kind == "VMA_INFO_RESPONSE");
    let area = |line: &Line| {
        let flags = line.number("vm_flags")?;
        let name = match line.field("vm_file_path")? {
            "\"\"" => "stack",
            _ if flags & VM_EXEC != 0 => "text",
            _ if flags & VM_WRITE != 0 => "data",
            _ => "read-only data",
        };
        Some(Area {
            name,
            start: line.number("vm_start")?,
            end: line.number("vm_end")?,
        })
    };
    responses
        .map(|line| area(line).expect("an area has flags, a path and bounds"))
        .collect()
}

fn hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

fn trace(nodes: &str, name: &str, plan: &str) -> Vec<Line> {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("trace");
    let options = ["--nodes", nodes, "--trace", &file.to_string_lossy()];
    kettle::run(&options, &guests::program(name), &[plan]).digest();
    let text = fs::read_to_string(&file).expect("the trace");
    text.lines().filter_map(Line::parse).collect()
}
