//! The house rules, run on the workspace itself: one test per rule, so that a failure names the rule and every place that breaks it.

use std::fmt::Write as _;

use xtask::tidy::licences::{self, Package, Policy};
use xtask::tidy::{CHECKS, Tree, features};

/// Runs the rule `name` on the workspace and fails with all its findings.
fn holds(name: &str) {
    let tree = Tree::of_workspace(&xtask::root()).expect("the workspace can be read");
    let (_, check) = CHECKS
        .iter()
        .find(|(known, _)| *known == name)
        .expect("a rule of that name");
    let findings = check(&tree);
    let list = findings.iter().fold(String::new(), |mut list, finding| {
        writeln!(list, "  {finding}").expect("strings grow");
        list
    });
    assert!(
        findings.is_empty(),
        "the rule `{name}` is broken in {} places:\n{list}",
        findings.len()
    );
}

macro_rules! rules {
    ($($name:ident),* $(,)?) => {
        $(#[test] fn $name() { holds(stringify!($name)); })*

        #[test]
        fn every_rule_is_run_here() {
            let here = [$(stringify!($name)),*];
            let known: Vec<&str> = CHECKS.iter().map(|(name, _)| *name).collect();
            assert_eq!(here[..], known[..]);
        }
    };
}

rules!(
    places, openings, sizes, words, fences, layers, sources, book
);

/// Fails with the packages that `policy` refuses among those that `cargo tree` lists for `args`, of which there are at least `fewest`.
fn licences_hold(policy: Policy, args: &[&str], fewest: usize) -> Vec<Package> {
    let packages = licences::packages(&xtask::root(), args).expect("cargo lists the packages");
    assert!(
        packages.len() >= fewest,
        "only {} packages were looked at",
        packages.len()
    );
    assert_eq!(
        licences::refused(&packages, policy),
        Vec::<&Package>::new(),
        "licences that {policy:?} refuses"
    );
    packages
}

#[test]
fn what_kettle_links_is_compatible_with_gpl2() {
    let packages = licences_hold(
        Policy::LinkedWithUnicorn,
        &["-p", "emu", "-e", "normal"],
        10,
    );
    assert!(
        packages
            .iter()
            .any(|package| package.name.starts_with("unicorn-engine ")),
        "Unicorn is among them"
    );
}

#[test]
fn what_the_rest_uses_has_a_known_licence() {
    licences_hold(
        Policy::Elsewhere,
        &["--workspace", "-e", "normal,build,dev"],
        20,
    );
}

#[test]
fn commands_used_one_after_another_build_the_libraries_once() {
    let twice = features::built_twice(&xtask::root()).expect("cargo lists the packages");
    assert!(
        twice.is_empty(),
        "these have other features in the tests' build (`--workspace`), so that they and Unicorn, where it uses them, are built twice; \
         name the missing feature in a manifest:\n  {}",
        twice.join("\n  ")
    );
}
