//! Licences of what the `kettle` program links, and of everything else that the workspace uses.
//!
//! Unicorn is GPL-2.0, so all that is linked with it must be compatible with version 2 of the GPL; Apache-2.0 alone is not. `kettle-cc` is a
//! program of its own and links LLVM, which is why the rest of the workspace may use some crates under Apache-2.0. What is looked at is what this host builds;
//! the facts are the packages' own statements, as `cargo tree` has them.

use std::path::Path;

use super::cargo_tree;

/// Licences that may be linked with GPL-2.0-only code.
const WITH_GPL2: &[&str] = &[
    "0BSD",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "GPL-2.0",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// What a program or a test that does not link Unicorn may use on top: these crates, which are under this licence alone.
const ELSEWHERE: (&str, &[&str]) = (
    "Apache-2.0",
    &["clang-sys", "dissimilar", "inkwell", "inkwell_internals"],
);

/// Which of the two policies holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Linked into the `kettle` program, together with Unicorn.
    LinkedWithUnicorn,
    /// Used by another program, a test or the build; the crates of [`ELSEWHERE`] may then be under its licence.
    Elsewhere,
}

/// A package and its licence expression, as `cargo tree` prints them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Name and version.
    pub name: String,
    /// The SPDX expression; empty where the package states none.
    pub licence: String,
}

impl Package {
    /// The policy for this package where `policy` holds in general: the looser one is for named crates.
    fn policy(&self, policy: Policy) -> Policy {
        let crate_name = self.name.split(' ').next().unwrap_or_default();
        if ELSEWHERE.1.contains(&crate_name) {
            policy
        } else {
            Policy::LinkedWithUnicorn
        }
    }
}

/// What `cargo tree` with `args` lists in the workspace at `root`.
///
/// # Errors
/// What cargo said, where it did not succeed.
pub fn packages(root: &Path, args: &[&str]) -> Result<Vec<Package>, String> {
    Ok(parse(&cargo_tree(root, "{p}|{l}", args)?))
}

/// The packages among `packages` that `policy` refuses.
#[must_use]
pub fn refused(packages: &[Package], policy: Policy) -> Vec<&Package> {
    packages
        .iter()
        .filter(|package| !satisfied(&package.licence, package.policy(policy)))
        .collect()
}

fn parse(listing: &str) -> Vec<Package> {
    let mut packages: Vec<Package> = listing
        .lines()
        .filter_map(|line| line.split_once('|'))
        .map(|(name, licence)| Package {
            name: name.to_owned(),
            licence: licence.trim().to_owned(),
        })
        .collect();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    packages.dedup();
    packages
}

/// Whether somebody who holds only to licences of `policy` may use what is offered under `expression`.
fn satisfied(expression: &str, policy: Policy) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader {
        tokens: &tokens,
        policy,
    };
    let verdict = reader.alternatives();
    verdict == Some(true) && reader.tokens.is_empty()
}

/// A reader of SPDX expressions: AND binds closer than OR; `/` is the old spelling of OR. `None` is an expression that makes no sense.
struct Reader<'a> {
    tokens: &'a [&'a str],
    policy: Policy,
}

impl Reader<'_> {
    fn alternatives(&mut self) -> Option<bool> {
        let mut verdict = self.together()?;
        while self.take("OR") {
            verdict |= self.together()?;
        }
        Some(verdict)
    }

    fn together(&mut self) -> Option<bool> {
        let mut verdict = self.one()?;
        while self.take("AND") {
            verdict &= self.one()?;
        }
        Some(verdict)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let verdict = self.alternatives()?;
            return self.take(")").then_some(verdict);
        }
        let (name, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        let mut licence = (*name).to_owned();
        if self.take("WITH") {
            let (exception, rest) = self.tokens.split_first()?;
            self.tokens = rest;
            licence = format!("{licence} WITH {exception}");
        }
        let elsewhere = self.policy == Policy::Elsewhere && licence == ELSEWHERE.0;
        Some(WITH_GPL2.contains(&licence.as_str()) || elsewhere)
    }

    fn take(&mut self, token: &str) -> bool {
        let there = self.tokens.first() == Some(&token);
        if there {
            self.tokens = &self.tokens[1..];
        }
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_judged_by_what_they_leave_to_choose() {
        let cases = [
            ("MIT", true, true),
            ("Apache-2.0", false, true),
            ("MIT OR Apache-2.0", true, true),
            ("MIT/Apache-2.0", true, true),
            ("Apache-2.0 / MIT", true, true),
            ("MIT AND Apache-2.0", false, true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true, true),
            ("(MIT OR Apache-2.0) AND GPL-3.0-only", false, false),
            ("Apache-2.0 WITH LLVM-exception", true, true),
            ("Apache-2.0 WITH Some-exception", false, false),
            ("Apache-2.0 AND MIT OR Zlib", true, true),
            ("GPL-3.0-or-later", false, false),
            ("", false, false),
            ("MIT OR", false, false),
            ("(MIT", false, false),
            ("MIT MIT", false, false),
        ];
        for (expression, linked, elsewhere) in cases {
            assert_eq!(
                satisfied(expression, Policy::LinkedWithUnicorn),
                linked,
                "{expression} linked with Unicorn"
            );
            assert_eq!(
                satisfied(expression, Policy::Elsewhere),
                elsewhere,
                "{expression} elsewhere"
            );
        }
    }

    #[test]
    fn a_listing_names_each_package_once_and_the_refused_are_named() {
        let listing = "emu v0.1.0 (x)|GPL-2.0-only\ninkwell v1|Apache-2.0\n\nc v1|Apache-2.0\ninkwell v1|Apache-2.0\n";
        let packages = parse(listing);
        let names = |packages: &[&Package]| {
            packages
                .iter()
                .map(|package| package.name.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names(&packages.iter().collect::<Vec<_>>()),
            ["c v1", "emu v0.1.0 (x)", "inkwell v1"]
        );
        assert_eq!(
            names(&refused(&packages, Policy::LinkedWithUnicorn)),
            ["c v1", "inkwell v1"]
        );
        assert_eq!(names(&refused(&packages, Policy::Elsewhere)), ["c v1"]);
    }
}
