//! Arrows point down: which crate of the house may depend on which, and who may know Unicorn and LLVM.
//!
//! Read from the members' manifests: the heading of a table of dependencies, and the first word of each line below it.
//! Renamed dependencies are not resolved; the house has none.

use super::{Finding, Tree};

/// For each member: what it may depend on, and what its tests and build script may use besides.
const MAY_USE: &[(&str, &[&str], &[&str])] = &[
    ("isa", &[], &["guests"]),
    ("msglayer", &["isa"], &[]),
    ("kernel-model", &["isa", "msglayer"], &[]),
    (
        "emu",
        &["isa", "msglayer", "kernel-model"],
        &["fuzz", "guests"],
    ),
    ("guests/cc", &["isa"], &["fuzz"]),
    ("guests/fuzz", &["isa"], &[]),
    ("guests", &["isa"], &[]),
    (
        "benches",
        &["isa", "msglayer", "kernel-model", "emu", "guests"],
        &["emu", "guests", "isa", "kernel-model", "msglayer"],
    ),
    ("xtask", &[], &[]),
];

const HOUSE: &[&str] = &[
    "isa",
    "msglayer",
    "kernel-model",
    "emu",
    "guests",
    "kettle-cc",
    "fuzz",
    "benches",
    "xtask",
];

/// Libraries that only some members may name: Unicorn is GPL-2.0, and inkwell is Apache-2.0, so they must never meet in one program.
const FENCED: &[(&str, &[&str])] = &[
    ("unicorn-engine", &["emu", "benches"]),
    ("unicorn-engine-sys", &["emu", "benches"]),
    ("inkwell", &["guests/cc"]),
    ("llvm-sys", &["guests/cc"]),
];

/// Finds dependencies that point up or sideways, libraries outside their fence, and members that do not share the workspace's lints.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts(&["/Cargo.toml"]) {
        let member = path.trim_end_matches("/Cargo.toml");
        let Some((_, normal, besides)) = MAY_USE.iter().find(|(name, ..)| *name == member) else {
            findings.push(Finding::file(
                path,
                "is a member whose place among the layers is not known",
            ));
            continue;
        };
        for dependency in dependencies(text) {
            let name = dependency.name;
            let layered = normal.contains(&name) || (dependency.besides && besides.contains(&name));
            if HOUSE.contains(&name) && !layered {
                findings.push(Finding::line(
                    path,
                    dependency.line,
                    format!("`{member}` must not depend on `{name}`: arrows point down"),
                ));
            }
            if FENCED
                .iter()
                .any(|(library, members)| *library == name && !members.contains(&member))
            {
                findings.push(Finding::line(
                    path,
                    dependency.line,
                    format!("`{member}` must not name `{name}`"),
                ));
            }
        }
        if !text.contains("[lints]\nworkspace = true") {
            findings.push(Finding::file(
                path,
                "does not share the workspace's lints ([lints] workspace = true)",
            ));
        }
    }
    findings
}

/// A line of a manifest that names a dependency.
struct Dependency<'a> {
    name: &'a str,
    line: usize,
    /// Whether only tests or the build script see it.
    besides: bool,
}

fn dependencies(manifest: &str) -> Vec<Dependency<'_>> {
    let mut table = "";
    let mut found = Vec::new();
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            table = line.trim_matches(['[', ']']);
        }
        let besides = table.ends_with("dev-dependencies") || table.ends_with("build-dependencies");
        let name = match table.rsplit_once("dependencies.") {
            // [dependencies.name]
            Some((_, name)) if line.starts_with('[') => name,
            None if table.ends_with("dependencies") && !line.starts_with(['[', '#']) => {
                line.split(['.', '=', ' ']).next().unwrap_or("")
            }
            _ => continue,
        };
        let besides =
            besides || table.contains("dev-dependencies.") || table.contains("build-dependencies.");
        if !name.is_empty() {
            found.push(Dependency {
                name: name.trim_matches('"'),
                line: index + 1,
                besides,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::assert_finds;

    #[test]
    fn arrows_that_point_up_are_found() {
        let cases = [
            (
                "emu",
                "[dependencies]\nkernel-model.workspace = true\nmsglayer.workspace = true",
                "",
            ),
            ("isa", "[dependencies]\nmsglayer.workspace = true", "2"),
            (
                "kernel-model",
                "[dependencies]\nthiserror = \"2\"\nemu = { path = \"../emu\" }",
                "3",
            ),
            ("kernel-model", "[dependencies.emu]\npath = \"../emu\"", "1"),
            (
                "kernel-model",
                "[dev-dependencies]\nemu.workspace = true",
                "2",
            ),
            ("emu", "[dependencies]\nguests.workspace = true", "2"),
            ("emu", "[dev-dependencies]\nguests.workspace = true", ""),
            (
                "emu",
                "[target.'cfg(unix)'.dependencies]\nkettle-cc.workspace = true",
                "2",
            ),
            ("emu", "[dependencies]\ninkwell.workspace = true", "2"),
            (
                "guests/cc",
                "[dependencies]\nunicorn-engine.workspace = true\ninkwell.workspace = true",
                "2",
            ),
            ("extra", "[dependencies]", "0"),
        ];
        for (member, table, line) in cases {
            let (path, manifest) = (
                format!("{member}/Cargo.toml"),
                format!("{table}\n[lints]\nworkspace = true\n"),
            );
            let place = format!("{path}:{line}");
            let expected: &[&str] = if line.is_empty() { &[] } else { &[&place] };
            assert_finds(check, &[(&path, &manifest)], expected);
        }
    }

    #[test]
    fn members_share_the_lints() {
        assert_finds(
            check,
            &[("isa/Cargo.toml", "[dependencies]\n")],
            &["isa/Cargo.toml:0"],
        );
    }
}
