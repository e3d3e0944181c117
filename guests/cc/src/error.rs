//! What can go wrong in a build, said so that the reader knows which step and which file.

use std::path::{Path, PathBuf};

use isa::Isa;
use thiserror::Error;

use crate::libc::LibcError;
use crate::xform::Refusal;

/// Why there is no program.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is no C library.
    #[error(transparent)]
    Libc(#[from] LibcError),
    /// A tool of LLVM is missing.
    #[error("cannot run {tool} to {step}: {source}; install clang, llvm and lld of version 19")]
    NoTool {
        /// What the tool was to do.
        step: String,
        /// Its name.
        tool: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A tool of LLVM said no.
    #[error("cannot {step}: {tool} says:\n{message}")]
    Tool {
        /// What the tool was to do, with the file.
        step: String,
        /// Its name.
        tool: &'static str,
        /// Its standard error.
        message: String,
    },
    /// A file cannot be read or written.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// "read", "write", ...
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Nothing to compile.
    #[error("no source files: give at least one C file or bitcode file")]
    NoSources,
    /// An input whose kind is unknown.
    #[error("{}: neither C (.c, .i) nor bitcode (.o, .bc) nor an archive of bitcode (.a)", .0.display())]
    UnknownInput(PathBuf),
    /// `-lNAME` that nothing is found for.
    #[error(
        "cannot find -l{name}: no {file} {}",
        if directories.is_empty() {
            "without a directory to look in; name one with -L".to_owned()
        } else {
            format!("in {}", directories.iter().map(|d| d.display().to_string()).collect::<Vec<_>>().join(", "))
        }
    )]
    NoLibrary {
        /// What comes after `-l`.
        name: String,
        /// The file looked for.
        file: String,
        /// Where.
        directories: Vec<PathBuf>,
    },
    /// The program uses what cannot migrate.
    #[error("the program cannot be compiled for both instruction sets:\n{}", lines(.0))]
    Refused(Vec<Refusal>),
    /// The program uses what nobody defines.
    #[error("the program is not complete:\n{}", lines(.0))]
    Incomplete(Vec<Refusal>),
    /// Two inputs define the same.
    #[error(
        "{name} is defined more than once: in {}; leave one definition, or make it static",
        files.join(" and in ")
    )]
    DefinedTwice {
        /// A function or a variable.
        name: String,
        /// The inputs that define it.
        files: Vec<String>,
    },
    /// LLVM failed inside the transformation.
    #[error("the transformation of {} failed: {message}", path.display())]
    Transformation {
        /// The bitcode.
        path: PathBuf,
        /// LLVM's message.
        message: String,
    },
    /// An object or ELF file is not as expected.
    #[error("{}: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The two objects or binaries of the ISAs do not correspond.
    #[error("the two binaries do not correspond: {0}")]
    Misaligned(String),
    /// A call that may migrate has no usable record.
    #[error("call site {site} in function {function} on {isa}: {what}")]
    CallSite {
        /// Site id.
        site: u32,
        /// The function it is in.
        function: String,
        /// On which ISA.
        isa: Isa,
        /// What is wrong.
        what: String,
    },
    /// The machine code keeps something over a migration that is not in the data frame.
    #[error(
        "{}\nNothing in C leads to this but a value that was never set (an output of empty inline assembly, say). \
         Anything else is a defect of kettle-cc: keep the parts with --keep DIR and report them; another -O level may do until then",
        unverified(findings)
    )]
    Unverified {
        /// For each ISA of which it is true: source line, function, instruction and what it uses, one finding per line.
        findings: Vec<(Isa, String)>,
    },
}

impl BuildError {
    /// A closure that wraps an I/O error.
    pub(crate) fn file(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { what, path, source }
    }
    /// A closure that wraps a parser's error about a file.
    pub(crate) fn malformed<E: std::fmt::Display>(path: &Path) -> impl Fn(E) -> Self {
        let path = path.to_path_buf();
        move |e| Self::Malformed {
            path: path.clone(),
            what: e.to_string(),
        }
    }
}

fn unverified(findings: &[(Isa, String)]) -> String {
    let of_isa = |(isa, lines): &(Isa, String)| {
        format!("the {isa} code would lose state in a migration:\n{lines}")
    };
    findings.iter().map(of_isa).collect::<Vec<_>>().join("\n")
}

fn lines(refusals: &[Refusal]) -> String {
    refusals
        .iter()
        .map(|r| format!("  {r}"))
        .collect::<Vec<_>>()
        .join("\n")
}
