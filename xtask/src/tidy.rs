//! The house rules that a program can check, each a function from the tree of files to a list of findings.
//!
//! A rule sees a [`Tree`], never the disk, so that its own unit tests can hand it a made-up tree that breaks the rule:
//! a check that cannot fail is a defect. `xtask/tests/tidy.rs` runs all of [`CHECKS`] on the workspace itself.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

pub mod book;
pub mod features;
pub mod fences;
pub mod layers;
pub mod licences;
pub mod openings;
pub mod places;
pub mod rust_text;
pub mod sizes;
pub mod sources;
pub mod words;

/// A rule: all the places where `tree` breaks it.
pub type Check = fn(&Tree) -> Vec<Finding>;

/// Every rule by name, in the order in which a person would want to hear of them.
pub const CHECKS: &[(&str, Check)] = &[
    ("places", places::check),
    ("openings", openings::check),
    ("sizes", sizes::check),
    ("words", words::check),
    ("fences", fences::check),
    ("layers", layers::check),
    ("sources", sources::check),
    ("book", book::check),
];

/// One place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, relative to the root of the workspace.
    pub path: String,
    /// The line, counted from 1; 0 where the whole file is meant.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl Finding {
    /// A finding about `path` as a whole.
    pub fn file(path: &str, what: impl Into<String>) -> Self {
        Self::line(path, 0, what)
    }

    /// A finding about line `line` of `path`.
    pub fn line(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

/// The files of the workspace by their path with forward slashes, those that git tracks or would track.
#[derive(Debug, Default)]
pub struct Tree {
    files: BTreeMap<String, Vec<u8>>,
}

impl Tree {
    /// Reads the workspace at `root`, as `git ls-files` lists it; what `.gitignore` names is left out.
    ///
    /// # Errors
    /// A sentence, where git or a file cannot be read.
    pub fn of_workspace(root: &Path) -> Result<Self, String> {
        let args = [
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ];
        let listed = Command::new("git").args(args).current_dir(root).output();
        let listed = listed.map_err(|error| format!("git does not start: {error}"))?;
        if !listed.status.success() {
            return Err(format!(
                "git lists no files: {}",
                String::from_utf8_lossy(&listed.stderr).trim()
            ));
        }
        let mut files = BTreeMap::new();
        for name in listed
            .stdout
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
        {
            let name = String::from_utf8(name.to_vec())
                .map_err(|_| "a file name is no UTF-8".to_owned())?;
            match fs::read(root.join(&name)) {
                Ok(content) => files.insert(name, content),
                // Listed but gone: removed and not yet committed.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => return Err(format!("cannot read {name}: {error}")),
            };
        }
        Ok(Self { files })
    }

    /// A tree of the given files, for the rules' own tests.
    #[must_use]
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self {
            files: files
                .iter()
                .map(|(path, content)| ((*path).to_owned(), content.as_bytes().to_vec()))
                .collect(),
        }
    }

    /// The paths of all files.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// All files with their bytes.
    pub fn bytes(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files
            .iter()
            .map(|(path, content)| (path.as_str(), content.as_slice()))
    }

    /// The text files among those with one of `endings`; an empty list means every text file.
    pub fn texts<'a>(&'a self, endings: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        let wanted = move |path: &str| {
            endings.is_empty() || endings.iter().any(|ending| path.ends_with(ending))
        };
        self.bytes()
            .filter(move |(path, _)| wanted(path))
            .filter_map(|(path, content)| Some((path, std::str::from_utf8(content).ok()?)))
    }

    /// The text of the file at `path`.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        std::str::from_utf8(self.files.get(path)?).ok()
    }
}

/// What `cargo tree` with `args` lists in the workspace at `root`: a line for each package, in `format`. It reads what is locked and needs no network.
///
/// # Errors
/// What cargo said, where it did not succeed.
fn cargo_tree(root: &Path, format: &str, args: &[&str]) -> Result<String, String> {
    let mut cargo = Command::new("cargo");
    cargo.args([
        "tree",
        "--offline",
        "--prefix",
        "none",
        "--no-dedupe",
        "--format",
        format,
    ]);
    let output = cargo.args(args).current_dir(root).output();
    let output = output.map_err(|error| format!("cargo does not start: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// Asserts that `check` finds exactly the `expected` `path:line` places in a tree of `files`.
#[cfg(test)]
fn assert_finds(check: Check, files: &[(&str, &str)], expected: &[&str]) {
    let found: Vec<String> = check(&Tree::of(files))
        .iter()
        .map(|finding| format!("{}:{}", finding.path, finding.line))
        .collect();
    assert_eq!(found, expected, "in {files:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_read_without_what_git_ignores() {
        let tree = Tree::of_workspace(&crate::root()).expect("a git checkout");
        assert!(
            tree.text("Cargo.toml")
                .expect("tracked")
                .contains("[workspace]")
        );
        assert!(!tree.paths().any(|path| path.starts_with("target/")));
    }
}
