//! Runs the tools of LLVM 19 as subprocesses, with the same file names whatever the working directory, so that no path gets into an output.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use isa::Isa;

use crate::BuildError;

/// C front end, and assembler of native code.
pub const CLANG: &str = "clang-19";
/// Links bitcode.
pub const LLVM_LINK: &str = "llvm-link-19";
/// Optimises bitcode.
pub const OPT: &str = "opt-19";
/// Splits bitcode.
pub const LLVM_EXTRACT: &str = "llvm-extract-19";
/// Compiles bitcode to objects.
pub const LLC: &str = "llc-19";
/// Links objects.
pub const LLD: &str = "ld.lld-19";

/// LLVM's triple of an ISA.
pub fn triple(isa: Isa) -> &'static str {
    match isa {
        Isa::X86_64 => "x86_64-unknown-linux-gnu",
        Isa::Aarch64 => "aarch64-unknown-linux-gnu",
    }
}

/// The directory of a build's intermediate files, and whether to say what runs.
#[derive(Debug)]
pub struct Workshop {
    directory: PathBuf,
    verbose: bool,
}

impl Workshop {
    /// A workshop in an existing directory.
    pub fn new(directory: PathBuf, verbose: bool) -> Self {
        Self { directory, verbose }
    }

    /// The file `name` in the working directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Writes a file into the working directory; directories on the way are made.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> Result<(), BuildError> {
        let path = self.path(name);
        self.make_directory_of(name)?;
        std::fs::write(&path, contents).map_err(BuildError::file("write", &path))
    }

    /// Makes the directory that the file `name` is in.
    pub fn make_directory_of(&self, name: &str) -> Result<(), BuildError> {
        let path = self.path(name);
        let parent = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent).map_err(BuildError::file("create", parent))
    }

    /// Tells of a step that no tool does.
    pub fn tell(&self, step: impl FnOnce() -> String) {
        if self.verbose {
            say(&step());
        }
    }

    /// Runs `tool` in the workshop; `step` completes "cannot ...".
    pub fn run<S: AsRef<OsStr>>(
        &self,
        step: impl Into<String>,
        tool: &'static str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<(), BuildError> {
        let mut command = Command::new(tool);
        command.args(arguments).current_dir(&self.directory);
        self.start(step.into(), tool, command)
    }

    /// Runs `tool` where the user is, with the user's standard input and output.
    pub fn run_outside<S: AsRef<OsStr>>(
        &self,
        step: impl Into<String>,
        tool: &'static str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<(), BuildError> {
        let mut command = Command::new(tool);
        command
            .args(arguments)
            .stdin(Stdio::inherit())
            .stdout(Stdio::inherit());
        self.start(step.into(), tool, command)
    }

    fn start(
        &self,
        step: String,
        tool: &'static str,
        mut command: Command,
    ) -> Result<(), BuildError> {
        if self.verbose {
            say(&format!("{command:?}"));
        }
        let output = match command.output() {
            Ok(output) => output,
            Err(source) => return Err(BuildError::NoTool { step, tool, source }),
        };
        let message = String::from_utf8_lossy(&output.stderr)
            .trim_end()
            .to_owned();
        if !output.status.success() {
            // The linker's warnings are about a layout that is not the user's.
            let about = |line: &&str| tool != LLD || !line.contains(": warning: ");
            let message = message.lines().filter(about).collect::<Vec<_>>().join("\n");
            return Err(BuildError::Tool {
                step,
                tool,
                message,
            });
        }
        // Warnings of the front end are for the user.
        if !message.is_empty() && (tool == CLANG || self.verbose) {
            say(&message);
        }
        Ok(())
    }
}

/// Writes a line to standard error; when nobody reads that, there is nobody to tell.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The linked file of an ISA in the workshop.
pub fn image(isa: Isa) -> String {
    format!("{}/image", isa.name())
}

/// Does something for both ISAs at once; of two errors the first ISA's is told.
pub fn in_parallel(work: impl Fn(Isa) -> Result<(), BuildError> + Sync) -> Result<(), BuildError> {
    let [first, second] = Isa::ALL;
    std::thread::scope(|scope| {
        let other = scope.spawn(|| work(second));
        let result = work(first);
        match other.join() {
            Ok(other) => result.and(other),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
