//! How long a file may be: one concept per file, so that a reader can hold it in mind.

use super::{Finding, Tree};

/// No source file has more lines than this.
pub const LONGEST: usize = 1000;
/// Few source files have more lines than this; `cargo xtask tidy` lists them.
pub const LONG: usize = 500;

const SOURCES: &[&str] = &[".rs", ".c", ".h", ".S", ".md", ".toml"];

/// Finds source files of more than [`LONGEST`] lines.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let over = lines(tree).filter(|(_, lines)| *lines > LONGEST);
    over.map(|(path, lines)| {
        Finding::file(
            path,
            format!("has {lines} lines, more than {LONGEST}; split it by concept"),
        )
    })
    .collect()
}

/// The source files of more than [`LONG`] lines, with their lengths.
#[must_use]
pub fn long(tree: &Tree) -> Vec<(&str, usize)> {
    lines(tree).filter(|(_, lines)| *lines > LONG).collect()
}

fn lines(tree: &Tree) -> impl Iterator<Item = (&str, usize)> {
    tree.texts(SOURCES)
        .map(|(path, text)| (path, text.lines().count()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::assert_finds;

    #[test]
    fn long_files_are_listed_and_longer_ones_are_findings() {
        let (short, middle, long_text) =
            ("x\n".repeat(500), "x\n".repeat(1000), "x\n".repeat(1001));
        let files = [
            ("isa/a.rs", &*short),
            ("isa/b.rs", &*middle),
            ("isa/c.rs", &*long_text),
            ("Cargo.lock", &*long_text),
        ];
        assert_finds(check, &files, &["isa/c.rs:0"]);
        assert_eq!(
            long(&Tree::of(&files)),
            [("isa/b.rs", 1000), ("isa/c.rs", 1001)]
        );
    }
}
