//! The guest runtime that is linked into every program: neutral C, compiled together with the program to one bitcode, and native C and
//! assembly, compiled for each ISA.
//!
//! What the runtime and the driver agree on is in [`crate::contract`].

use std::path::{Path, PathBuf};

use isa::Isa;

use crate::frontend::Unit;
use crate::tools::{Workshop, in_parallel};
use crate::{BuildError, backend, frontend};

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
    /// What its neutral files are compiled with besides.
    flags: Vec<String>,
    /// Where it lies compiled.
    prepared: Option<PathBuf>,
}

/// Kettle's runtime as of this build of the driver.
const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/runtime_files.rs"));

impl Runtime {
    /// Kettle's own runtime.
    pub fn embedded() -> Self {
        let file = |(name, text): &(&str, &str)| SourceFile {
            name: (*name).into(),
            text: (*text).into(),
        };
        Self::from_files(EMBEDDED.iter().map(file).collect())
    }

    /// A runtime made of the given files.
    pub fn from_files(files: Vec<SourceFile>) -> Self {
        let mut runtime = Self {
            files,
            flags: Vec::new(),
            prepared: None,
        };
        runtime.files.sort_by(|a, b| a.name.cmp(&b.name));
        runtime
    }

    /// The same with more flags for its neutral files.
    pub(crate) fn with_flags(mut self, flags: Vec<String>) -> Self {
        self.flags = flags;
        self
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
            n.strip_prefix("native/")
                .is_some_and(|n| is_source(n) && !n.contains('/'))
        });
        names.extend(self.named(|n| n.strip_prefix(&own).is_some_and(is_source)));
        names
    }

    pub(crate) fn bitcode_name(source: &str) -> String {
        format!("runtime.bc/{source}.bc")
    }
    fn object_name(source: &str, isa: Isa) -> String {
        let own = format!("native/{}/", isa.name());
        match source.strip_prefix(&own) {
            Some(base) => format!("native/isa/{base}.o"),
            None => format!("{source}.o"),
        }
    }
    /// Objects below the directory of either ISA, in link order.
    pub(crate) fn native_objects(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for isa in Isa::ALL {
            for source in self.native(isa) {
                let name = Self::object_name(source, isa);
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }

    pub(crate) fn write_sources(&self, shop: &Workshop) -> Result<(), BuildError> {
        for file in self.files() {
            shop.write(&format!("runtime/{}", file.name), &file.text)?;
        }
        Ok(())
    }

    /// Compiles the runtime once, into `directory`, for all builds that use the returned one.
    pub fn prepare(mut self, directory: &Path) -> Result<Self, BuildError> {
        std::fs::create_dir_all(directory).map_err(BuildError::file("create", directory))?;
        let directory =
            std::path::absolute(directory).map_err(BuildError::file("find", directory))?;
        self.prepared = None;
        self.install(&Workshop::new(directory.clone(), false))?;
        self.prepared = Some(directory);
        Ok(self)
    }

    /// Puts sources and compiled parts into the workshop.
    pub(crate) fn install(&self, shop: &Workshop) -> Result<(), BuildError> {
        self.write_sources(shop)?;
        match &self.prepared {
            Some(directory) => self.copy_compiled(directory, shop),
            None => self.compile(shop),
        }
    }

    fn copy_compiled(&self, directory: &Path, shop: &Workshop) -> Result<(), BuildError> {
        let mut outputs: Vec<String> = self.neutral().into_iter().map(Self::bitcode_name).collect();
        for isa in Isa::ALL {
            let object = |source| format!("{}/{}", isa.name(), Self::object_name(source, isa));
            outputs.extend(self.native(isa).into_iter().map(object));
        }
        for name in outputs {
            shop.make_directory_of(&name)?;
            let from = directory.join(&name);
            std::fs::copy(&from, shop.path(&name)).map_err(BuildError::file("read", &from))?;
        }
        Ok(())
    }

    fn compile(&self, shop: &Workshop) -> Result<(), BuildError> {
        let mut flags = vec!["-O2".to_owned()];
        flags.extend_from_slice(&self.flags);
        for source in self.neutral() {
            let path = format!("runtime/{source}");
            let unit = Unit {
                source: &path,
                label: &path,
                flags: &flags,
                output: &Self::bitcode_name(source),
            };
            frontend::compile(shop, &unit, false)?;
        }
        in_parallel(|isa| {
            for source in self.native(isa) {
                let output = format!("{}/{}", isa.name(), Self::object_name(source, isa));
                backend::compile_native(shop, isa, &format!("runtime/{source}"), &output)?;
            }
            Ok(())
        })
    }

    fn named(&self, wanted: impl Fn(&str) -> bool) -> Vec<&str> {
        self.files
            .iter()
            .map(|f| f.name.as_str())
            .filter(|n| wanted(n))
            .collect()
    }
}

fn collect(directory: &Path, prefix: &str, files: &mut Vec<SourceFile>) -> Result<(), BuildError> {
    let entries = std::fs::read_dir(directory).map_err(BuildError::file("read", directory))?;
    for entry in entries {
        let path: PathBuf = entry.map_err(BuildError::file("read", directory))?.path();
        let Some(base) = path.file_name().and_then(|n| n.to_str()) else {
            continue;
        };
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
