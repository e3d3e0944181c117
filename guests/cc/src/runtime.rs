//! The guest runtime that is linked into every program: neutral C, compiled together with the program to one bitcode, and native C and
//! assembly, compiled for each ISA.
//!
//! What the runtime and the driver agree on is written down in `docs` and in the constants of [`crate::contract`].

use std::path::{Path, PathBuf};

use isa::Isa;

use crate::BuildError;

/// One source file of a runtime: its path inside the runtime, with `/`, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// `memory.c`, `native/x86_64/start.S`, `include/kettle.h`, ...
    pub name: String,
    /// The text.
    pub text: String,
}

/// The sources of a runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runtime {
    files: Vec<SourceFile>,
}

/// Kettle's runtime as of this build of the driver.
const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/runtime_files.rs"));

impl Runtime {
    /// Kettle's own runtime.
    pub fn embedded() -> Self {
        let file = |(name, text): &(&str, &str)| SourceFile { name: (*name).into(), text: (*text).into() };
        Self { files: EMBEDDED.iter().map(file).collect() }
    }

    /// A runtime made of the given files.
    pub fn from_files(files: Vec<SourceFile>) -> Self {
        let mut runtime = Self { files };
        runtime.files.sort_by(|a, b| a.name.cmp(&b.name));
        runtime
    }

    /// The runtime in a directory.
    pub fn from_directory(directory: &Path) -> Result<Self, BuildError> {
        let mut files = Vec::new();
        collect(directory, "", &mut files)?;
        Ok(Self::from_files(files))
    }

    /// All files, by name.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// Names of the neutral C files.
    pub fn neutral(&self) -> Vec<&str> {
        self.named(|n| n.ends_with(".c") && !n.contains('/'))
    }

    /// Names of the files compiled natively for `isa`: those for every ISA, then its own.
    pub fn native(&self, isa: Isa) -> Vec<&str> {
        let own = format!("native/{}/", isa.name());
        let is_source = |n: &str| n.ends_with(".c") || n.ends_with(".S");
        let mut names = self.named(|n| {
            n.strip_prefix("native/").is_some_and(|n| is_source(n) && !n.contains('/'))
        });
        names.extend(self.named(|n| n.strip_prefix(&own).is_some_and(is_source)));
        names
    }

    fn named(&self, wanted: impl Fn(&str) -> bool) -> Vec<&str> {
        self.files.iter().map(|f| f.name.as_str()).filter(|n| wanted(n)).collect()
    }
}

fn collect(directory: &Path, prefix: &str, files: &mut Vec<SourceFile>) -> Result<(), BuildError> {
    let entries = std::fs::read_dir(directory).map_err(BuildError::file("read", directory))?;
    for entry in entries {
        let path: PathBuf = entry.map_err(BuildError::file("read", directory))?.path();
        let Some(base) = path.file_name().and_then(|n| n.to_str()) else { continue };
        let name = format!("{prefix}{base}");
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files)?;
        } else if [".c", ".h", ".S"].iter().any(|e| name.ends_with(e)) {
            let text = std::fs::read_to_string(&path).map_err(BuildError::file("read", &path))?;
            files.push(SourceFile { name, text });
        }
    }
    Ok(())
}
