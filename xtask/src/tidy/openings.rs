//! The first lines of a source file: they tell a reader what the file is before the code starts.

use super::{Finding, Tree};

/// A first sentence of fewer words than this is a title, not a statement.
const FEWEST_WORDS: usize = 3;

/// Finds Rust files without a telling `//!` on line 1, and C and assembly files without a telling comment there.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let rust = tree.texts(&[".rs"]).filter_map(|(path, text)| {
        if !text.starts_with("//!") {
            return Some(Finding::line(
                path,
                1,
                "begins without `//!`; say there what the file is, models, and leaves out",
            ));
        }
        let comment = text.lines().map_while(|line| line.strip_prefix("//!"));
        telling(path, comment)
    });
    let native = tree.texts(&[".c", ".h", ".S"]).filter_map(|(path, text)| {
        if !(text.starts_with("//") || text.starts_with("/*")) {
            return Some(Finding::line(
                path,
                1,
                "begins without a comment; say there what the file is, models, and leaves out",
            ));
        }
        let block = text.starts_with("/*");
        let comment = text
            .lines()
            .take_while(|line| block || line.starts_with("//"))
            .take(20);
        telling(
            path,
            comment.map(|line| line.trim_start_matches(['/', '*', ' '])),
        )
    });
    rust.chain(native).collect()
}

/// A finding, where the first sentence of the comment `lines` says no more than the file's name.
fn telling<'a>(path: &str, lines: impl Iterator<Item = &'a str>) -> Option<Finding> {
    let paragraph: Vec<&str> = lines
        .map(|line| line.trim().trim_end_matches("*/").trim())
        .skip_while(|line| line.is_empty())
        .take_while(|line| !line.is_empty())
        .collect();
    let paragraph = paragraph.join(" ");
    let end = paragraph.find(". ").unwrap_or(paragraph.len());
    let sentence = &paragraph[..end];
    let name = path.rsplit('/').next().unwrap_or(path);
    let words = sentence
        .split_whitespace()
        .filter(|word| word.trim_end_matches([':', '.']) != name)
        .count();
    (words < FEWEST_WORDS).then(|| {
        Finding::line(
            path,
            1,
            format!("its first sentence, `{sentence}`, says too little"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::assert_finds;

    #[test]
    fn rust_files_open_with_a_sentence() {
        let cases = [
            (
                "//! The kernel's page table of one address space.\nuse a;",
                true,
            ),
            ("//!\n//! The kernel's page table\n//! of one space.", true),
            ("// The kernel's page table of one address space.", false),
            (
                "use std::fmt;\n//! The kernel's page table of one address space.",
                false,
            ),
            ("//! a.rs", false),
            (
                "//! Page tables.\n//! They are what they are and there is more to them.",
                false,
            ),
            ("//! a.rs: page tables.", false),
            ("//!\n\nfn main() {}", false),
            ("", false),
        ];
        for (text, good) in cases {
            assert_finds(
                check,
                &[("isa/src/a.rs", text)],
                if good { &[] } else { &["isa/src/a.rs:1"] },
            );
        }
    }

    #[test]
    fn c_and_assembly_open_with_a_comment() {
        let cases = [
            (
                "/* Integer sort, class S, with the published verification. */\nint main(void)",
                true,
            ),
            (
                "/*\n * Integer sort of the benchmarks,\n * class S.\n */",
                true,
            ),
            ("// Integer sort, class S, with verification.\nint x;", true),
            ("/* is.c */", false),
            (
                "#include <stdio.h>\n/* Integer sort, class S, with verification. */",
                false,
            ),
            (
                "// is.c\nint four_words_follow_here = 1 + 2 + 3 + 4;",
                false,
            ),
        ];
        for (text, good) in cases {
            assert_finds(
                check,
                &[("guests/programs/is.c", text)],
                if good {
                    &[]
                } else {
                    &["guests/programs/is.c:1"]
                },
            );
        }
    }
}
