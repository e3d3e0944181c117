//! Libraries are built once: the commands that a person uses one after another choose the same features of them.
//!
//! Cargo unites the features that are asked for by the packages of one command. Two commands that name different packages can so ask for two
//! forms of a library and of all that builds on it, and building Unicorn takes minutes. What comes out different is made equal in a
//! manifest, by a feature that the narrower command would lack.

use std::collections::BTreeSet;
use std::path::Path;

use super::cargo_tree;

/// What the tests build.
const TESTS: &[&str] = &["--workspace", "-e", "normal,build,dev"];

/// What is built besides, and whether only Unicorn and what it is built with have to agree with the tests' build.
const OTHERS: &[(&[&str], bool)] = &[
    // `cargo xtask demo`, and the first commands of the README.
    (
        &["-p", "kettle-cc", "-p", "emu", "-e", "normal,build"],
        false,
    ),
    // The compiler driver for the guest programs of the tests.
    (&["--workspace", "-e", "normal,build"], false),
    (&["-p", "emu", "-e", "normal,build"], true),
    (&["-p", "emu", "-e", "normal,build,dev"], true),
    (&["-p", "benches", "-e", "normal,build,dev"], true),
];

/// For each command that differs from the tests' build: its packages with features that the tests' build lacks.
///
/// # Errors
/// What cargo said, where it did not succeed.
pub fn built_twice(root: &Path) -> Result<Vec<String>, String> {
    let listed = |args: &[&str]| Ok::<_, String>(parse(&cargo_tree(root, "{p}|{f}", args)?));
    let tests = listed(TESTS)?;
    let unicorn = listed(&["-p", "unicorn-engine", "-e", "normal,build"])?;
    let mut twice = Vec::new();
    for (args, unicorn_only) in OTHERS {
        let mut other = listed(args)?;
        if *unicorn_only {
            other.retain(|line| unicorn.iter().any(|u| package(u) == package(line)));
        }
        let different = other.difference(&tests);
        twice.extend(different.map(|line| format!("cargo build {}: {line}", args.join(" "))));
    }
    Ok(twice)
}

/// The lines of a listing that name a package and its features, without what cargo adds to one: its path, that it is a macro, that it was shown before.
fn parse(listing: &str) -> BTreeSet<String> {
    let clean = |line: &str| {
        let (package, features) = line.split_once('|')?;
        let package = package.split(" (").next()?;
        let features = features.split(" (").next()?;
        Some(format!("{package}|{features}"))
    };
    listing.lines().filter_map(clean).collect()
}

fn package(line: &str) -> &str {
    line.split('|').next().unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn features_are_what_lines_differ_in() {
        let lines = parse(
            "a v1 (/here)|std\nb v2 (proc-macro)|default,x\nb v2 (proc-macro)|default,x (*)\n\nb v2|",
        );
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        assert_eq!(lines, ["a v1|std", "b v2|", "b v2|default,x"]);
    }
}
