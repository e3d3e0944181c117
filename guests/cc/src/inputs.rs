//! What a build is made of: files of several kinds, told apart by name or by their first bytes, and libraries that are searched for.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::BuildError;

/// A file that goes into a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The file; `-` is the standard input.
    pub path: PathBuf,
    /// Its language where the name does not say it.
    pub language: Option<Language>,
    /// Of an archive: link every member.
    pub whole_archive: bool,
}

/// The language of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// C.
    C,
    /// C that has been through the preprocessor.
    PreprocessedC,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A source for the front end.
    Source(Language),
    /// A module of LLVM's, as bitcode or as text.
    Module,
    /// A static library.
    Archive,
}

impl<P: AsRef<Path>> From<P> for Input {
    fn from(path: P) -> Self {
        Self {
            path: path.as_ref().to_path_buf(),
            language: None,
            whole_archive: false,
        }
    }
}

impl Input {
    /// What the file is. Sources go by their names, everything else by its contents.
    pub fn kind(&self) -> Result<Kind, BuildError> {
        if let Some(language) = self.language {
            return self.source(language);
        }
        let wrong = |what: &str| Err(BuildError::malformed(&self.path)(what));
        match self.path.extension().and_then(|e| e.to_str()).unwrap_or("") {
            "c" | "h" => self.source(Language::C),
            "i" => self.source(Language::PreprocessedC),
            "ll" => Ok(Kind::Module),
            "s" | "S" | "asm" => wrong("assembly is for one instruction set; write C"),
            "cc" | "cpp" | "cxx" | "C" | "ii" => wrong("C++ is not supported; write C"),
            _ => self.kind_by_contents(),
        }
    }

    /// A source that is there.
    fn source(&self, language: Language) -> Result<Kind, BuildError> {
        if self.path != Path::new("-") {
            std::fs::metadata(&self.path).map_err(BuildError::file("read", &self.path))?;
        }
        Ok(Kind::Source(language))
    }

    fn kind_by_contents(&self) -> Result<Kind, BuildError> {
        let mut start = Vec::new();
        File::open(&self.path)
            .and_then(|f| f.take(8).read_to_end(&mut start))
            .map_err(BuildError::file("read", &self.path))?;
        match contents(&start) {
            Contents::Bitcode => Ok(Kind::Module),
            Contents::Archive => Ok(Kind::Archive),
            Contents::Native => Err(BuildError::malformed(&self.path)(NATIVE)),
            Contents::Other => Err(BuildError::UnknownInput(self.path.clone())),
        }
    }
}

/// Why an object of an ordinary compiler cannot be used.
pub const NATIVE: &str =
    "machine code for one instruction set, not bitcode; compile its source with kettle-cc";

/// What the first bytes of a file tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// LLVM bitcode.
    Bitcode,
    /// An archive, ordinary or thin.
    Archive,
    /// An ELF file.
    Native,
    /// Anything else.
    Other,
}

/// What `start`, the first bytes of a file, tell.
pub fn contents(start: &[u8]) -> Contents {
    let begins = |magic: &[u8]| start.starts_with(magic);
    if begins(b"BC\xC0\xDE") || begins(b"\xDE\xC0\x17\x0B") {
        Contents::Bitcode
    } else if begins(b"!<arch>\n") || begins(b"!<thin>\n") {
        Contents::Archive
    } else if begins(b"\x7fELF") {
        Contents::Native
    } else {
        Contents::Other
    }
}

/// Libraries whose contents are in the guest runtime, and so in every program.
const IN_RUNTIME: &[&str] = &["c", "m", "pthread", "rt", "dl", "util", "gcc", "gcc_s"];

/// The archive of `-lNAME`, or `-l:FILE`, in the directories given; none when the guest runtime has it all.
pub fn library(name: &str, directories: &[PathBuf]) -> Result<Option<PathBuf>, BuildError> {
    let file = match name.strip_prefix(':') {
        Some(file) => file.to_owned(),
        None => format!("lib{name}.a"),
    };
    let found = directories
        .iter()
        .map(|d| d.join(&file))
        .find(|p| p.is_file());
    if found.is_none() && !IN_RUNTIME.contains(&name) {
        return Err(BuildError::NoLibrary {
            name: name.to_owned(),
            file,
            directories: directories.to_vec(),
        });
    }
    Ok(found)
}
