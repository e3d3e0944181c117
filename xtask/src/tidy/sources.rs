//! Where dependencies come from, and who may depend on the two libraries that must never meet in one program.
//!
//! Read from `Cargo.lock`, which says for each package where it comes from and what it uses, and from the manifests: all is from the one
//! registry, no version is left open, and Unicorn (GPL-2.0) and LLVM's binding (Apache-2.0) are used, also by way of other packages, only by
//! those that may.

use super::{Finding, Tree};

/// Libraries, and the packages that may depend on them. The manifests' own rule is [`super::layers`].
const FENCED: &[(&str, &[&str])] = &[
    ("unicorn-engine", &["emu", "benches"]),
    ("unicorn-engine-sys", &["emu", "unicorn-engine"]),
    ("inkwell", &["kettle-cc"]),
    ("llvm-sys", &["inkwell"]),
];

const LOCK: &str = "Cargo.lock";

/// Finds packages of other origins, open versions, and fenced libraries in the wrong hands.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(text) = tree.text(LOCK) {
        let packages = parse(text);
        let registry = packages.iter().find_map(|p| p.source).unwrap_or_default();
        for package in &packages {
            let mut find = |what: String| findings.push(Finding::line(LOCK, package.line, what));
            if let Some(source) = package.source
                && (source != registry || !source.starts_with("registry+"))
            {
                find(format!(
                    "`{}` comes from {source}; all is from one registry",
                    package.name
                ));
            }
            for (library, users) in FENCED {
                if package.uses.contains(library) && !users.contains(&package.name) {
                    find(format!("`{}` must not use `{library}`", package.name));
                }
            }
        }
    }
    for (path, text) in tree.texts(&["Cargo.toml"]) {
        for (index, line) in text.lines().enumerate() {
            let line = line.replace(' ', "");
            for (sign, what) in [
                (
                    "=\"*\"",
                    "leaves the version open; write the one that was tried",
                ),
                ("git=", "comes from a repository; all is from one registry"),
                ("registry=", "names another registry; all is from one"),
            ] {
                if line.contains(sign) && !line.starts_with('#') {
                    findings.push(Finding::line(path, index + 1, what));
                }
            }
        }
    }
    findings
}

/// A package of `Cargo.lock`.
#[derive(Default)]
struct Package<'a> {
    name: &'a str,
    line: usize,
    /// Absent for what lies in this workspace.
    source: Option<&'a str>,
    /// The names of what it depends on.
    uses: Vec<&'a str>,
}

fn parse(lock: &str) -> Vec<Package<'_>> {
    let mut packages: Vec<Package<'_>> = Vec::new();
    for (index, line) in lock.lines().enumerate() {
        if line == "[[package]]" {
            let line = index + 1;
            packages.push(Package {
                line,
                ..Package::default()
            });
        }
        let Some(package) = packages.last_mut() else {
            continue;
        };
        if let Some(name) = line.strip_prefix("name = ") {
            package.name = name.trim_matches('"');
        } else if let Some(source) = line.strip_prefix("source = ") {
            package.source = Some(source.trim_matches('"'));
        } else if let Some(used) = line.strip_prefix(" \"") {
            // "name", or "name version" where there are several.
            package.uses.extend(used.split(['"', ' ']).next());
        }
    }
    packages
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::assert_finds;

    const EMU: &str = "[[package]]\nname = \"emu\"\ndependencies = [\n \"unicorn-engine\",\n]\n";

    #[test]
    fn packages_of_other_origins_and_fenced_libraries_are_found() {
        let other = "[[package]]\nname = \"a\"\nsource = \"registry+x\"\n";
        for (lock, line) in [
            (String::new(), ""),
            (format!("{other}{other}"), ""),
            (format!("{other}{}", other.replace("+x", "+y")), "4"),
            (other.replace("registry+", "git+"), "1"),
            (EMU.replace("emu", "xtask"), "1"),
            (
                format!(
                    "{other}{}",
                    EMU.replace("emu", "b")
                        .replace("engine", "engine-sys 2.1.5")
                ),
                "4",
            ),
            (EMU.replace("unicorn-engine", "inkwell"), "1"),
        ] {
            let place = format!("{LOCK}:{line}");
            let expected: &[&str] = if line.is_empty() { &[] } else { &[&place] };
            assert_finds(check, &[(LOCK, &lock)], expected);
        }
        assert_finds(check, &[(LOCK, EMU)], &[]);
    }

    #[test]
    fn open_versions_and_repositories_are_found() {
        for (line, found) in [
            ("a = \"1\"", false),
            ("a = \"*\"", true),
            ("a = { version = \"*\" }", true),
            ("a = { git = \"x\" }", true),
            ("a = { version = \"1\", registry = \"x\" }", true),
            ("# git = no", false),
        ] {
            let expected: &[&str] = if found { &["isa/Cargo.toml:2"] } else { &[] };
            let manifest = format!("[dependencies]\n{line}\n");
            assert_finds(check, &[("isa/Cargo.toml", &manifest)], expected);
        }
    }
}
