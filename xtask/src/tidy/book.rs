//! The book's table of contents and its pages: each page named there exists, and each page that exists is named there.

use super::{Finding, Tree};

const CONTENTS: &str = "docs/src/SUMMARY.md";

/// Finds pages that are promised and missing, pages that no reader can reach, and links between pages that lead nowhere.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(contents) = tree.text(CONTENTS) else {
        return vec![Finding::file(CONTENTS, "is missing")];
    };
    let promised: Vec<String> = links(contents)
        .map(|(_, link)| resolve(CONTENTS, link))
        .collect();
    let pages = tree
        .paths()
        .filter(|path| path.starts_with("docs/src/") && path.ends_with(".md") && *path != CONTENTS);
    let unreachable = pages.filter(|page| !promised.iter().any(|promise| promise == page));
    let mut findings: Vec<Finding> = unreachable
        .map(|page| Finding::file(page, "is not named in SUMMARY.md"))
        .collect();
    for (path, text) in tree.texts(&[".md"]) {
        for (line, link) in links(text) {
            let target = resolve(path, link);
            let inside = !target.starts_with("..");
            if inside
                && !tree
                    .paths()
                    .any(|path| path == target || path.starts_with(&format!("{target}/")))
            {
                findings.push(Finding::line(
                    path,
                    line,
                    format!("leads to `{target}`, which does not exist"),
                ));
            }
        }
    }
    findings
}

/// The relative targets of the Markdown links in `text`, with their lines; web addresses and places on the same page are left out.
fn links(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .flat_map(|(index, line)| line.split("](").skip(1).map(move |rest| (index + 1, rest)))
        .filter_map(|(line, rest)| {
            let link = rest.split(')').next()?.split('#').next()?;
            (!link.is_empty() && !link.contains("://")).then_some((line, link))
        })
}

/// The path that `link` in the file `from` stands for.
fn resolve(from: &str, link: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => _ = parts.pop(),
            other => parts.push(other),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::assert_finds;

    #[test]
    fn contents_and_pages_agree() {
        let contents = (CONTENTS, "- [A](a.md)\n- [B](./in/b.md)\n");
        let (a, b) = (
            ("docs/src/a.md", "see [b](in/b.md#top)"),
            (
                "docs/src/in/b.md",
                "[a](../a.md) [x](https://example.org/y)",
            ),
        );
        assert_finds(check, &[contents, a, b], &[]);
        assert_finds(
            check,
            &[contents, a],
            &["docs/src/SUMMARY.md:2", "docs/src/a.md:1"],
        );
        assert_finds(
            check,
            &[contents, a, b, ("docs/src/c.md", "")],
            &["docs/src/c.md:0"],
        );
        assert_finds(check, &[a, b], &["docs/src/SUMMARY.md:0"]);
        assert_finds(
            check,
            &[
                contents,
                a,
                b,
                ("README.md", "\n[docs](docs/src) [no](docs/no)"),
            ],
            &["README.md:2"],
        );
    }
}
