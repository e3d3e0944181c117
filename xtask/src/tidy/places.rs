//! What may lie at the top of the workspace, and what may be in git at all: text, in the directories of the design.

use std::collections::BTreeSet;

use super::{Finding, Tree};

/// The names at the top level. Names that begin with a dot are free.
const TOP: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "benches",
    "clippy.toml",
    "docs",
    "emu",
    "guests",
    "isa",
    "kernel-model",
    "msglayer",
    "xtask",
];

/// Finds strangers at the top level, and files that are not text.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let tops: BTreeSet<&str> = tree
        .paths()
        .filter_map(|path| path.split('/').next())
        .collect();
    let strangers = tops
        .into_iter()
        .filter(|name| !name.starts_with('.') && !TOP.contains(name));
    let strangers = strangers
        .map(|name| Finding::file(name, "is not one of the names that the top level may hold"));
    let binaries = tree
        .bytes()
        .filter(|(_, content)| content.contains(&0) || std::str::from_utf8(content).is_err());
    let binaries = binaries
        .map(|(path, _)| Finding::file(path, "is a binary file; commit what it is made from"));
    strangers.chain(binaries).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::assert_finds;

    #[test]
    fn strangers_and_binaries_are_found() {
        assert_finds(
            check,
            &[
                ("README.md", "hi"),
                (".config/x", ""),
                ("isa/src/lib.rs", ""),
            ],
            &[],
        );
        assert_finds(
            check,
            &[("notes.txt", "hi"), ("scripts/a.sh", "")],
            &["notes.txt:0", "scripts:0"],
        );
        assert_finds(
            check,
            &[("guests/programs/prog", "\u{7f}ELF\0")],
            &["guests/programs/prog:0"],
        );
    }
}
