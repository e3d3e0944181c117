//! What build systems ask a compiler about itself.

use std::path::PathBuf;
use std::process::Command;

use crate::tools::LLD;

/// A question on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// `--help`
    Help,
    /// `--version`, or `-v` alone
    Version,
    /// `-dumpversion`: the version of the front end, as scripts compare it.
    FrontEndVersion,
    /// `-dumpmachine`
    Machine,
    /// `-print-prog-name=NAME`
    Program(String),
    /// `-print-file-name=NAME`
    File(String),
    /// `-print-search-dirs`
    SearchDirectories,
    /// `-print-multi-os-directory`, `-print-multiarch` and such: there is one variant of everything.
    Variant(&'static str),
    /// `-Wl,--version`
    Linker,
}

const HELP: &str = "\
kettle-cc FILE... [-o PROG]: compiles C into PROG_x86-64 and PROG_aarch64, between which threads can migrate, and PROG for this host.

  FILE                 C (.c, .i), bitcode made with -c (.o, .bc), or an archive of it made with kettle-ar (.a)
  -c                   compile to bitcode only, one .o for each source
  -E, -S, -fsyntax-only  preprocess only, compile to LLVM's IR as text, check only
  -o FILE              name of the program, or of the one output
  -O0 -O1 -O2 -O3 -Os -Oz -Og  optimisation level (-O2)
  -g                   put DWARF into the binaries (also to be given when linking)
  -D -U -I -include -imacros -isystem -iquote -idirafter  as in other C compilers
  -std= -W... -w -f... -pthread  language and warnings, as in clang
  -M -MM -MD -MMD -MF -MT -MQ -MP  dependencies for make
  -L DIR, -l NAME      archives libNAME.a; -lc, -lm, -lpthread, -lrt, -ldl and -lutil are in every program
  -Wl,--whole-archive  link all of the archives that follow
  -x LANGUAGE          c, cpp-output or none
  @FILE                arguments from a file
  --keep DIR           keep all intermediate files in a directory
  --migration-points=manual  threads migrate in calls of migrate() and check_migrate() only (to be given when linking)
  --migration-points=functions  also at the entry of every function of the program, and at system calls
  --migration-points=loops      also at every round of a loop of the program
  -v                   print every command
  --version -dumpversion -dumpmachine -print-prog-name= -print-file-name= -print-search-dirs  about the compiler";

/// The one target of the front end, whatever the host.
const MACHINE: &str = "x86_64-unknown-linux-gnu";
/// The version of LLVM that all this stands on.
const FRONT_END_VERSION: &str = "19";

impl Question {
    /// The question that an argument asks.
    pub fn of(argument: &str) -> Option<Self> {
        let bare = argument
            .strip_prefix("--")
            .or_else(|| argument.strip_prefix('-'))?;
        if let Some(name) = bare.strip_prefix("print-prog-name=") {
            return Some(Self::Program(name.to_owned()));
        }
        if let Some(name) = bare.strip_prefix("print-file-name=") {
            return Some(Self::File(name.to_owned()));
        }
        Some(match argument {
            "--help" => Self::Help,
            // Build systems only ask whether there is a name.
            "-print-libgcc-file-name" | "--print-libgcc-file-name" => {
                Self::File("libgcc.a".to_owned())
            }
            "--version" => Self::Version,
            "-dumpversion" | "-dumpfullversion" => Self::FrontEndVersion,
            "-dumpmachine" | "--print-target-triple" | "-print-target-triple" => Self::Machine,
            _ => match bare {
                "print-search-dirs" => Self::SearchDirectories,
                "print-multi-os-directory" | "print-multi-directory" => Self::Variant("."),
                "print-multi-lib" => Self::Variant(".;"),
                "print-multiarch" | "print-sysroot" => Self::Variant(""),
                _ => return None,
            },
        })
    }

    /// The answer, without the last end of line.
    pub fn answer(&self) -> String {
        match self {
            Self::Help => HELP.to_owned(),
            Self::Version => format!(
                "kettle-cc {} (clang {FRONT_END_VERSION}, for x86_64 and aarch64 at once)\nTarget: {MACHINE}\nThread model: posix",
                env!("CARGO_PKG_VERSION")
            ),
            Self::FrontEndVersion => FRONT_END_VERSION.to_owned(),
            Self::Machine => MACHINE.to_owned(),
            Self::Program(name) => program(name),
            Self::File(name) => name.clone(),
            Self::SearchDirectories => {
                let own = own_directory().display().to_string();
                format!("install: {own}\nprograms: ={own}\nlibraries: =")
            }
            Self::Variant(text) => (*text).to_owned(),
            Self::Linker => linker_version(),
        }
    }
}

/// The tool of a name; a name that is not known is its own answer, as with other compilers.
fn program(name: &str) -> String {
    match name {
        "ld" => LLD.to_owned(),
        "ar" | "ranlib" => own_directory()
            .join(format!("kettle-{name}"))
            .display()
            .to_string(),
        "nm" | "objdump" | "objcopy" | "strip" => format!("llvm-{name}-{FRONT_END_VERSION}"),
        _ => name.to_owned(),
    }
}

fn own_directory() -> PathBuf {
    let own = std::env::current_exe().ok();
    own.and_then(|p| p.parent().map(PathBuf::from))
        .unwrap_or_default()
}

fn linker_version() -> String {
    match Command::new(LLD).arg("--version").output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned(),
        Err(error) => format!("{LLD}: {error}"),
    }
}
