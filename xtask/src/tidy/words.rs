//! Words that do not belong into the project: it speaks of itself alone, not of the place where it is written.
//!
//! No paths of one person's machine, no hosts of package registries, no talk about how the work is organised.
//! The words stand here in two halves, so that this file does not find itself.

use super::{Finding, Tree};

/// A forbidden text, and what is wrong with it. Where it begins with a letter or a slash it is found at the start of a word only.
const FORBIDDEN: &[(&str, &str)] = &[
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/tm", "p/kettle/"), "a path of one machine"),
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("/ho", "me/"), "a path of one machine"),
    (concat!("crates", ".io"), "the host of a package registry"),
    (concat!("pypi", ".org"), "the host of a package registry"),
    (
        concat!("deb.deb", "ian.org"),
        "the host of a package registry",
    ),
    (
        concat!("proto", "type"),
        "the product is no such thing and knows none",
    ),
    (
        concat!("this ses", "sion"),
        "talk about how the work is organised",
    ),
    (
        concat!("next ses", "sion"),
        "talk about how the work is organised",
    ),
    (
        concat!("last ses", "sion"),
        "talk about how the work is organised",
    ),
    (
        concat!("earlier ses", "sion"),
        "talk about how the work is organised",
    ),
    (
        concat!("previous ses", "sion"),
        "talk about how the work is organised",
    ),
];

/// Generated or legal texts, which are not ours to word.
const EXEMPT: &[&str] = &["Cargo.lock", "LICENSE"];

/// Finds forbidden words in every text file.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts(&[]).filter(|(path, _)| !EXEMPT.contains(path)) {
        for (index, line) in text.lines().enumerate() {
            let lower = line.to_lowercase();
            let hits = FORBIDDEN.iter().filter(|(word, _)| stands_in(&lower, word));
            findings.extend(
                hits.map(|(word, why)| Finding::line(path, index + 1, format!("`{word}`: {why}"))),
            );
        }
    }
    findings
}

/// What may stand before a word of [`FORBIDDEN`] that is also a term of C: a call through a type that has none.
const TERM_OF_C: &[&str] = &["function ", "without ", "without a "];

/// Whether `word` occurs in `line`, not as the tail of a longer word, option (`-Wstrict-...`) or path, and not as a term of C.
fn stands_in(line: &str, word: &str) -> bool {
    let path = word.starts_with('/');
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        let tail = before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '_'));
        let longer_path = path && before.ends_with(['.', '/', '}', '>', '~', '*']);
        let term = !path
            && (after.starts_with('s') || TERM_OF_C.iter().any(|term| before.ends_with(term)));
        !tail && !longer_path && !term
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::assert_finds;

    #[test]
    fn forbidden_words_are_found_where_they_stand_alone() {
        let word = concat!("proto", "type");
        let cases = [
            (format!("taken from {}shared", concat!("/wo", "rk/")), true),
            (format!("in \"{}main\"", concat!("/wo", "rk/")), true),
            (format!("kernel{}queue.rs", concat!("/wo", "rk/")), false),
            (format!("the {word} proved it"), true),
            (format!("A {} of this", concat!("Proto", "type")), true),
            (format!("-Wstrict-{word}s"), false),
            (format!("C's {word}s"), false),
            (format!("a type without {word} looks variadic"), false),
            (
                format!("as the {} left it", concat!("previous ses", "sion")),
                true,
            ),
            ("a GDB session ends with `D`".to_owned(), false),
            (format!("registry of {}", concat!("crates", ".io")), true),
        ];
        for (text, bad) in &cases {
            assert_finds(
                check,
                &[("docs/src/a.md", text)],
                if *bad { &["docs/src/a.md:1"] } else { &[] },
            );
        }
        assert_finds(check, &[("Cargo.lock", concat!("crates", ".io"))], &[]);
    }
}
