//! Where `unsafe` may stand, that every other crate forbids it, and that nobody silences the compiler or leaves work undone.

use super::rust_text::{code_only, lines_with_word};
use super::{Finding, Tree};

/// The only places that may hold `unsafe`: the vCPU, the physical memory, and the surgery on LLVM's intermediate code.
const MAY_BE_UNSAFE: &[&str] = &[
    "emu/src/vcpu/",
    "emu/src/vcpu.rs",
    "emu/src/memory.rs",
    "guests/cc/src/xform/",
    "guests/cc/src/xform.rs",
];

/// The crates that hold those places: their roots deny `unsafe`, and only the places themselves lift that.
const DENY_IS_ENOUGH: &[&str] = &["emu/src/lib.rs", "guests/cc/src/lib.rs"];

/// Finds `unsafe` outside its fences, crate roots without the fence, `allow` attributes and `todo!`.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    tree.texts(&[".rs"])
        .flat_map(|(path, text)| check_file(path, text))
        .collect()
}

fn check_file(path: &str, text: &str) -> Vec<Finding> {
    let code = code_only(text);
    let mut findings = Vec::new();
    if !MAY_BE_UNSAFE.iter().any(|place| path.starts_with(place)) {
        let places = lines_with_word(&code, "unsafe");
        findings.extend(places.map(|line| {
            Finding::line(path, line, "`unsafe` outside the modules that may hold it")
        }));
    }
    let flat: String = code.split_whitespace().collect();
    let denied = DENY_IS_ENOUGH.contains(&path) && flat.contains("#![deny(unsafe_code)]");
    if is_crate_root(path) && !flat.contains("#![forbid(unsafe_code)]") && !denied {
        findings.push(Finding::file(
            path,
            "is the root of a crate and lacks `#![forbid(unsafe_code)]`",
        ));
    }
    for (index, line) in code.lines().enumerate() {
        let flat: String = line.split_whitespace().collect();
        if flat.contains("[allow(") || (flat.contains("cfg_attr(") && flat.contains(",allow(")) {
            findings.push(Finding::line(
                path,
                index + 1,
                "`allow`; use `expect` with a reason, at the narrowest place",
            ));
        }
        if flat.contains("todo!(") || flat.contains("unimplemented!(") {
            findings.push(Finding::line(
                path,
                index + 1,
                "unfinished work; finish it or return an error",
            ));
        }
    }
    findings
}

/// Whether `path` is the root of a library or a program. Tests, benches and build scripts need no attribute: the word itself is looked for.
fn is_crate_root(path: &str) -> bool {
    let program = path
        .split_once("/src/bin/")
        .is_some_and(|(_, name)| !name.contains('/'));
    path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs") || program
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::assert_finds;

    #[test]
    fn unsafe_stays_inside_its_fences() {
        let block = "fn f() {\n    unsafe { g() }\n}";
        for path in [
            "emu/src/vcpu/hooks.rs",
            "emu/src/memory.rs",
            "guests/cc/src/xform/split.rs",
        ] {
            assert_finds(check, &[(path, block)], &[]);
        }
        for path in [
            "emu/src/node.rs",
            "emu/build.rs",
            "kernel-model/src/mm.rs",
            "isa/tests/elf.rs",
        ] {
            assert_finds(check, &[(path, block)], &[&format!("{path}:2")]);
        }
        assert_finds(
            check,
            &[("emu/src/node.rs", "// unsafe\nlet s = \"unsafe\";")],
            &[],
        );
    }

    #[test]
    fn crate_roots_carry_the_fence() {
        let forbid = "//! x\n#![forbid(unsafe_code)]";
        let deny = "//! x\n#![deny( unsafe_code )]";
        assert_finds(
            check,
            &[
                ("isa/src/lib.rs", forbid),
                ("emu/src/main.rs", forbid),
                ("emu/src/lib.rs", deny),
            ],
            &[],
        );
        for (path, text) in [
            ("isa/src/lib.rs", deny),
            ("isa/src/lib.rs", "// #![forbid(unsafe_code)]"),
            ("emu/src/main.rs", deny),
            ("emu/src/bin/x.rs", ""),
        ] {
            assert_finds(check, &[(path, text)], &[&format!("{path}:0")]);
        }
    }

    #[test]
    fn allowances_and_unfinished_work_are_found() {
        let text = "#[allow(dead_code)]\nfn f() { todo!() }\n#[cfg_attr(test, allow(unused))]\n#[expect(x, reason = \"allow(y)\")]\n";
        assert_finds(
            check,
            &[("isa/src/a.rs", text)],
            &["isa/src/a.rs:1", "isa/src/a.rs:2", "isa/src/a.rs:3"],
        );
    }
}
