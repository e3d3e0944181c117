//! What must be installed to build and to test Kettle, how its presence is seen, and how it comes to be there.
//!
//! Presence is decided by the tools and files themselves, not by a package database, so that a hand-made LLVM 19 counts too.
//! What is missing is installed where that is possible without asking (root on Debian or Ubuntu); elsewhere the one line that does it
//! is printed. The package names hold for Debian 12 and 13 and for Ubuntu 24.04. Rust itself is taken for granted.
//!
//! LLVM is linked as a shared library, and `llvm-config --link-shared` names no further library: neither Polly nor the development
//! files of zlib and zstd are needed, which a static LLVM would want.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::steps::{Step, answers};

/// One thing that must be there, and the Debian package that brings it.
#[derive(Debug)]
pub struct Need {
    /// What it is and what for, as a person would say it.
    pub what: &'static str,
    /// The package of Debian and Ubuntu.
    pub package: &'static str,
    sign: Sign,
}

/// How it shows that a thing is installed.
#[derive(Debug)]
enum Sign {
    /// Every one of these programs answers to `--version`.
    All(&'static [&'static str]),
    /// One of these programs does.
    Any(&'static [&'static str]),
    /// This program, which knows no `--version`, runs an empty script.
    Script(&'static str),
    /// One file of each group exists below LLVM's own directory.
    LlvmFiles(&'static [&'static [&'static str]]),
}

/// What the build of Kettle and of the guests needs beyond Rust.
pub const BUILD: &[Need] = &[
    Need {
        what: "a C compiler (builds Unicorn and Capstone)",
        package: "gcc",
        sign: Sign::Any(&["cc", "gcc"]),
    },
    Need {
        what: "CMake (configures Unicorn)",
        package: "cmake",
        sign: Sign::All(&["cmake"]),
    },
    Need {
        what: "make (builds Unicorn)",
        package: "make",
        sign: Sign::Any(&["make", "ninja"]),
    },
    Need {
        what: "Clang 19 (the front end of kettle-cc)",
        package: "clang-19",
        sign: Sign::All(&["clang-19"]),
    },
    Need {
        what: "LLD 19 (the linker of kettle-cc)",
        package: "lld-19",
        sign: Sign::All(&["ld.lld-19"]),
    },
    Need {
        what: "LLVM 19's tools (the back ends of kettle-cc)",
        package: "llvm-19",
        sign: Sign::All(&["llc-19", "opt-19", "llvm-link-19"]),
    },
    Need {
        what: "LLVM 19's headers and shared library (kettle-cc links it)",
        package: "llvm-19-dev",
        sign: Sign::LlvmFiles(&[
            &["bin/llvm-config"],
            &["include/llvm-c/Core.h"],
            &["lib/libLLVM-19.so", "lib/libLLVM.so"],
        ]),
    },
    Need {
        what: "libclang 19 (reads Unicorn's headers)",
        package: "libclang-19-dev",
        sign: Sign::LlvmFiles(&[&["lib/libclang.so", "lib/libclang-19.so"]]),
    },
];

/// What the tests need on top: the other ISA's Linux in user space, to compare every guest program with a native run, and what programs that
/// nobody here wrote need for their own builds.
pub const TEST: &[Need] = &[
    Need {
        what: "QEMU's user-mode emulators (the native runs of both ISAs)",
        package: "qemu-user",
        sign: Sign::All(&["qemu-x86_64", "qemu-aarch64"]),
    },
    Need {
        what: "Tcl (SQLite's makefile makes its one file of C with it)",
        package: "tcl",
        sign: Sign::Script("tclsh"),
    },
    Need {
        what: "make (builds the programs of others)",
        package: "make",
        sign: Sign::All(&["make"]),
    },
    Need {
        what: "xz (unpacks the sources of others)",
        package: "xz-utils",
        sign: Sign::All(&["xz"]),
    },
    Need {
        what: "bzip2 (unpacks the sources of others)",
        package: "bzip2",
        sign: Sign::Script("bzip2"),
    },
];

/// The machine as far as this module looks at it; tests put an imagined one in its place.
pub trait Machine {
    /// Whether `program --version` runs and ends well.
    fn answers(&self, program: &str) -> bool;
    /// Whether `program` runs and ends well with nothing to read.
    fn runs_nothing(&self, program: &str) -> bool;
    /// Whether LLVM 19's directory holds `file`.
    fn llvm_has(&self, file: &str) -> bool;
    /// Whether packages come by apt here.
    fn has_apt(&self) -> bool;
    /// Whether this process may install packages without asking.
    fn is_root(&self) -> bool;
}

/// What to do about everything that is missing.
#[derive(Debug, PartialEq, Eq)]
pub enum Plan {
    /// All is there.
    Nothing,
    /// These packages can be installed at once, by these steps.
    Install(Vec<Step>),
    /// A person has to do it; the text says how, in one line to copy.
    Tell(String),
}

/// The entries of `needs` that `machine` lacks, in the order of the table.
pub fn missing<'a>(
    needs: impl IntoIterator<Item = &'a Need>,
    machine: &dyn Machine,
) -> Vec<&'a Need> {
    needs
        .into_iter()
        .filter(|need| !present(&need.sign, machine))
        .collect()
}

/// How `missing` can be got on `machine`.
pub fn plan(missing: &[&Need], machine: &dyn Machine) -> Plan {
    if missing.is_empty() {
        return Plan::Nothing;
    }
    let packages: BTreeSet<&str> = missing.iter().map(|need| need.package).collect();
    let packages: Vec<&str> = packages.into_iter().collect();
    if machine.has_apt() && machine.is_root() {
        return Plan::Install(apt(&packages));
    }
    let list: String = missing
        .iter()
        .map(|need| format!("  {}\n", need.what))
        .collect();
    let names = packages.join(" ");
    let how = if machine.has_apt() {
        format!("this line installs it:\n  sudo apt-get install --no-install-recommends -y {names}")
    } else {
        format!("it comes with your system's packages; Debian and Ubuntu call them:\n  {names}")
    };
    Plan::Tell(format!("not installed:\n{list}{how}"))
}

/// The two steps that install `packages`. `env` carries the one variable that keeps apt from asking questions.
fn apt(packages: &[&str]) -> Vec<Step> {
    let quiet = [
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-o",
        "DPkg::Lock::Timeout=120",
        "-q",
    ];
    let install = ["install", "--no-install-recommends", "-y"];
    vec![
        Step::new(
            "Refresh the list of packages",
            "under 1 min",
            &[&quiet[..], &["update"]].concat(),
        ),
        Step::new(
            format!("Install {}", packages.join(", ")),
            "2 min",
            &[&quiet[..], &install, packages].concat(),
        ),
    ]
}

fn present(sign: &Sign, machine: &dyn Machine) -> bool {
    match sign {
        Sign::All(programs) => programs.iter().all(|program| machine.answers(program)),
        Sign::Any(programs) => programs.iter().any(|program| machine.answers(program)),
        Sign::Script(program) => machine.runs_nothing(program),
        Sign::LlvmFiles(groups) => groups
            .iter()
            .all(|group| group.iter().any(|file| machine.llvm_has(file))),
    }
}

/// The machine that this process runs on.
#[derive(Debug)]
pub struct ThisMachine {
    llvm: PathBuf,
}

impl ThisMachine {
    /// Looks for LLVM where the build will look: the workspace's cargo settings name the directory.
    #[must_use]
    pub fn new() -> Self {
        let llvm =
            std::env::var_os("LLVM_SYS_191_PREFIX").unwrap_or_else(|| "/usr/lib/llvm-19".into());
        Self { llvm: llvm.into() }
    }
}

impl Default for ThisMachine {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine for ThisMachine {
    fn answers(&self, program: &str) -> bool {
        answers(&[program, "--version"])
    }

    fn runs_nothing(&self, program: &str) -> bool {
        answers(&[program])
    }

    fn llvm_has(&self, file: &str) -> bool {
        self.llvm.join(file).exists()
    }

    fn has_apt(&self) -> bool {
        Path::new("/etc/debian_version").exists() && answers(&["apt-get", "--version"])
    }

    fn is_root(&self) -> bool {
        fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine that has everything except what is named.
    struct Lacking {
        names: &'static [&'static str],
        apt: bool,
        root: bool,
    }

    impl Machine for Lacking {
        fn answers(&self, program: &str) -> bool {
            !self.names.contains(&program)
        }
        fn runs_nothing(&self, program: &str) -> bool {
            self.answers(program)
        }
        fn llvm_has(&self, file: &str) -> bool {
            !self.names.contains(&file)
        }
        fn has_apt(&self) -> bool {
            self.apt
        }
        fn is_root(&self) -> bool {
            self.root
        }
    }

    fn packages_missing(names: &'static [&'static str]) -> Vec<&'static str> {
        let machine = Lacking {
            names,
            apt: true,
            root: true,
        };
        missing(BUILD.iter().chain(TEST), &machine)
            .iter()
            .map(|need| need.package)
            .collect()
    }

    #[test]
    fn every_absent_tool_names_its_package() {
        let cases: &[(&'static [&'static str], &[&str])] = &[
            (&[], &[]),
            (&["cmake"], &["cmake"]),
            (&["make"], &["make"]),
            (&["ninja"], &[]),
            (&["tclsh"], &["tcl"]),
            (&["opt-19"], &["llvm-19"]),
            (&["lib/libLLVM.so"], &[]),
            (&["lib/libLLVM.so", "lib/libLLVM-19.so"], &["llvm-19-dev"]),
            (&["include/llvm-c/Core.h"], &["llvm-19-dev"]),
            (
                &["lib/libclang.so", "lib/libclang-19.so"],
                &["libclang-19-dev"],
            ),
            (&["qemu-aarch64"], &["qemu-user"]),
            (&["ld.lld-19", "clang-19"], &["clang-19", "lld-19"]),
        ];
        for (lacking, packages) in cases {
            assert_eq!(
                &packages_missing(lacking)[..],
                *packages,
                "lacking {lacking:?}"
            );
        }
    }

    #[test]
    fn root_on_debian_installs_and_others_are_told() {
        let plan_for = |apt, root| {
            let machine = Lacking {
                names: &["cmake", "clang-19"],
                apt,
                root,
            };
            plan(&missing(BUILD, &machine), &machine)
        };
        let Plan::Install(steps) = plan_for(true, true) else {
            panic!("root on Debian can install")
        };
        let lines: Vec<String> = steps.iter().map(Step::line).collect();
        assert_eq!(
            lines,
            [
                "env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -q update",
                "env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -q install --no-install-recommends -y clang-19 cmake",
            ]
        );
        let Plan::Tell(text) = plan_for(true, false) else {
            panic!("not root: tell")
        };
        assert!(
            text.ends_with("\n  sudo apt-get install --no-install-recommends -y clang-19 cmake"),
            "{text}"
        );
        let Plan::Tell(text) = plan_for(false, true) else {
            panic!("no apt: tell")
        };
        assert!(
            text.contains("CMake (configures Unicorn)") && text.ends_with("\n  clang-19 cmake"),
            "{text}"
        );
    }

    #[test]
    fn a_complete_machine_needs_nothing() {
        let machine = Lacking {
            names: &[],
            apt: false,
            root: false,
        };
        assert_eq!(plan(&missing(BUILD, &machine), &machine), Plan::Nothing);
    }
}
