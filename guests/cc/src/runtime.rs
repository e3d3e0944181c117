//! The guest runtime that is linked into every program: neutral C, linked with the program to one bitcode, and native C and assembly,
//! compiled for each ISA. With the C library ([`crate::libc`]) it makes up what a program stands on.
//!
//! What the runtime and the driver agree on is in [`crate::contract`].

use std::path::{Path, PathBuf};

use isa::Isa;

use crate::frontend::Unit;
use crate::tools::{Workshop, in_parallel};
use crate::{BuildError, backend, frontend};

/// One source file of a runtime: its path inside the runtime, with `/`, and its text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    /// The headers of the C library that its files include.
    library_headers: Option<PathBuf>,
    /// Where it lies compiled.
    prepared: Option<PathBuf>,
}

/// The directory, in a workshop or where the runtime lies compiled, of the headers that programs include.
const HEADERS: &str = "runtime/include";

/// Kettle's runtime as of this build of the driver; `musl/...` is the C library's overlay.
pub const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/runtime_files.rs"));

impl Runtime {
    /// Kettle's own runtime, which includes headers of the C library.
    pub(crate) fn embedded(library_headers: PathBuf) -> Self {
        let own = EMBEDDED
            .iter()
            .filter(|(name, _)| !name.starts_with("musl/"));
        let file = |(name, text): &(&str, &str)| SourceFile {
            name: (*name).into(),
            text: (*text).into(),
        };
        Self {
            library_headers: Some(library_headers),
            ..Self::from_files(own.map(file).collect())
        }
    }

    /// A runtime made of the given files.
    pub fn from_files(files: Vec<SourceFile>) -> Self {
        let mut runtime = Self {
            files,
            library_headers: None,
            prepared: None,
        };
        runtime.files.sort_by(|a, b| a.name.cmp(&b.name));
        runtime
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

    /// The headers that programs include besides the C library's.
    pub(crate) fn headers(&self, shop: &Workshop) -> PathBuf {
        match &self.prepared {
            Some(directory) => directory.join(HEADERS),
            None => shop.path(HEADERS),
        }
    }

    /// Sees to it that [`headers`](Self::headers) are there.
    pub(crate) fn install_headers(&self, shop: &Workshop) -> Result<(), BuildError> {
        match &self.prepared {
            Some(_) => Ok(()),
            None => self.write_sources(shop),
        }
    }

    /// The same, compiled in `directory` before, by [`compile_into`](Self::compile_into).
    pub(crate) fn compiled_in(mut self, directory: PathBuf) -> Self {
        self.prepared = Some(directory);
        self
    }

    /// Compiles the runtime into an existing directory.
    pub(crate) fn compile_into(&self, directory: &Path) -> Result<(), BuildError> {
        let shop = Workshop::new(directory.to_path_buf(), false);
        self.write_sources(&shop)?;
        self.compile(&shop)
    }

    /// Puts headers and compiled parts into the workshop.
    pub(crate) fn install(&self, shop: &Workshop) -> Result<(), BuildError> {
        self.install_headers(shop)?;
        match &self.prepared {
            Some(directory) => self.copy_compiled(directory, shop),
            None => self.compile(shop),
        }
    }

    fn write_sources(&self, shop: &Workshop) -> Result<(), BuildError> {
        for file in self.files() {
            shop.write(&format!("runtime/{}", file.name), &file.text)?;
        }
        Ok(())
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
        let library = self.library_headers.iter();
        let library: Vec<String> = library
            .flat_map(|d| ["-isystem".to_owned(), d.display().to_string()])
            .collect();
        let flags = [&["-O2".to_owned()], &library[..]].concat();
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
                backend::compile_native(
                    shop,
                    isa,
                    &format!("runtime/{source}"),
                    &library,
                    &output,
                )?;
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
