//! The pipeline, step by step, and the interface to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use isa::Isa;

use crate::contract::{
    CALLSITES_SECTION, CALLSITES_SYMBOL, KEPT_SYMBOLS, MIGRATION_ROOTS, NOTE_OWNER, NOTE_SECTION, NOTE_TYPE, NOTE_VERSION, POPCORN_ABI,
    START_RETURN,
};
use crate::frontend::Unit;
use crate::layout::{Layout, ObjectPair};
use crate::object_file::{self, Elf};
use crate::runtime::Runtime;
use crate::sites::{self, Site};
use crate::tools::{LLD, Workshop};
use crate::verify::{self, VerifySite};
use crate::xform::{self, Failure, Transformed};
use crate::{BuildError, backend, check, frontend, script, table};

/// A program to be built: what goes in, and where the output goes.
///
/// ```no_run
/// let program = kettle_cc::Build::new().sources(["fib.c"]).out_dir("out").name("fib").build()?;
/// println!("{}", program.binary(isa::Isa::Aarch64).display());
/// # Ok::<(), kettle_cc::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Build {
    sources: Vec<PathBuf>,
    includes: Vec<PathBuf>,
    flags: Vec<String>,
    roots: Vec<String>,
    runtime: Runtime,
    out_dir: PathBuf,
    name: String,
    keep: Option<PathBuf>,
    debug_info: bool,
    verbose: bool,
}

/// A program that has been built.
#[derive(Clone, Debug)]
pub struct Program {
    directory: PathBuf,
    name: String,
    /// How many call sites may migrate.
    pub sites: usize,
    /// The functions that may migrate.
    pub migrating: Vec<String>,
}

impl Program {
    /// The binary of an ISA: `NAME_x86-64` or `NAME_aarch64`.
    pub fn binary(&self, isa: Isa) -> PathBuf {
        self.directory.join(format!("{}_{}", self.name, isa.binary_suffix()))
    }
    /// The copy of this host's own binary: `NAME`.
    pub fn host(&self) -> PathBuf {
        self.directory.join(&self.name)
    }
}

impl Default for Build {
    fn default() -> Self {
        Self::new()
    }
}

impl Build {
    /// No sources, Kettle's runtime, `-O2`, output `a.out` in the current directory.
    pub fn new() -> Self {
        Self {
            sources: Vec::new(),
            includes: Vec::new(),
            flags: vec!["-O2".into()],
            roots: MIGRATION_ROOTS.iter().map(|r| (*r).to_owned()).collect(),
            runtime: Runtime::embedded(),
            out_dir: ".".into(),
            name: "a.out".into(),
            keep: None,
            debug_info: false,
            verbose: false,
        }
    }
    /// Adds C files, or bitcode files.
    pub fn sources<P: Into<PathBuf>>(mut self, files: impl IntoIterator<Item = P>) -> Self {
        self.sources.extend(files.into_iter().map(Into::into));
        self
    }
    /// Adds a directory in which `#include` looks.
    pub fn include(mut self, directory: impl Into<PathBuf>) -> Self {
        self.includes.push(directory.into());
        self
    }
    /// Adds flags for the front end: `-DNAME=VALUE`, `-O3`, `-Wall`. They apply to the program, not to the runtime.
    pub fn flags<S: Into<String>>(mut self, flags: impl IntoIterator<Item = S>) -> Self {
        self.flags.extend(flags.into_iter().map(Into::into));
        self
    }
    /// Says that a natively defined function may migrate its caller, as `migrate` does.
    pub fn migration_root(mut self, function: impl Into<String>) -> Self {
        self.roots.push(function.into());
        self
    }
    /// Replaces the runtime.
    pub fn runtime(mut self, runtime: Runtime) -> Self {
        self.runtime = runtime;
        self
    }
    /// The directory that the binaries go to; it is made where needed.
    pub fn out_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.out_dir = directory.into();
        self
    }
    /// The program's name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
    /// Keeps all intermediate files in a directory.
    pub fn keep(mut self, directory: impl Into<PathBuf>) -> Self {
        self.keep = Some(directory.into());
        self
    }
    /// Whether the binaries carry DWARF.
    pub fn debug_info(mut self, yes: bool) -> Self {
        self.debug_info = yes;
        self
    }
    /// Whether every command is printed.
    pub fn verbose(mut self, yes: bool) -> Self {
        self.verbose = yes;
        self
    }

    /// Compiles one C file to bitcode, without linking: the `.o` of a build in several steps.
    pub fn compile_only(&self, source: &Path, output: &Path) -> Result<(), BuildError> {
        let scratch = tempfile::tempdir().map_err(BuildError::file("create", Path::new("a temporary directory")))?;
        let shop = Workshop::new(scratch.path().to_path_buf(), self.verbose);
        self.runtime.write_sources(&shop)?;
        let bitcode = self.front_end(&shop, 0, source)?;
        std::fs::copy(shop.path(&bitcode), output).map(drop).map_err(BuildError::file("write", output))
    }

    /// Builds the program.
    pub fn build(&self) -> Result<Program, BuildError> {
        if self.sources.is_empty() {
            return Err(BuildError::NoSources);
        }
        let scratch;
        let directory = match &self.keep {
            Some(directory) => directory.clone(),
            None => {
                scratch = tempfile::tempdir().map_err(BuildError::file("create", Path::new("a temporary directory")))?;
                scratch.path().to_path_buf()
            }
        };
        std::fs::create_dir_all(&directory).map_err(BuildError::file("create", &directory))?;
        let directory = std::path::absolute(&directory).map_err(BuildError::file("find", &directory))?;
        let shop = Workshop::new(directory, self.verbose);
        self.runtime.install(&shop)?;
        let natives = Natives::read(&shop, &self.runtime)?;
        let program = self.neutral(&shop, &natives)?;
        let parts = backend::split(&shop, "transformed.bc", &program.migrating)?;
        let objects = self.lower(&shop, &parts, program.sites.len())?;
        let layout = Layout::of(&objects, table::size(program.sites.len()))?;
        shop.write("link.ld", script::write(&layout))?;
        for isa in Isa::ALL {
            link(&shop, isa, &objects)?;
        }
        finish(&shop, &layout, &program)?;
        self.deliver(&shop)?;
        Ok(Program {
            directory: self.out_dir.clone(),
            name: self.name.clone(),
            sites: program.sites.len(),
            migrating: program.migrating,
        })
    }

    /// Compiles source number `k`; the name of the bitcode file.
    fn front_end(&self, shop: &Workshop, k: usize, source: &Path) -> Result<String, BuildError> {
        let absolute = std::path::absolute(source).map_err(BuildError::file("find", source))?;
        let stem = source.file_stem().and_then(|s| s.to_str()).unwrap_or("source");
        let output = format!("program/{k}.{stem}.bc");
        let extension = source.extension().and_then(|e| e.to_str()).unwrap_or_default();
        match extension {
            "c" | "i" => {}
            "bc" | "o" => {
                shop.make_directory_of(&output)?;
                std::fs::copy(&absolute, shop.path(&output)).map_err(BuildError::file("read", source))?;
                return Ok(output);
            }
            _ => return Err(BuildError::UnknownInput(source.to_path_buf())),
        }
        let mut flags = self.flags.clone();
        for directory in &self.includes {
            let absolute = std::path::absolute(directory).map_err(BuildError::file("find", directory))?;
            flags.push(format!("-I{}", absolute.display()));
        }
        // Tools run elsewhere; names of files in the output are those that were given.
        if let Some(prefix) = absolute.to_str().and_then(|a| a.strip_suffix(source.to_str()?)) {
            flags.push(format!("-ffile-prefix-map={prefix}="));
        }
        let unit = Unit {
            source: &absolute.to_string_lossy(),
            label: &source.to_string_lossy(),
            flags: &flags,
            output: &output,
        };
        frontend::compile(shop, &unit, self.debug_info)?;
        Ok(output)
    }

    /// Sources to one transformed module, `transformed.bc`.
    fn neutral(&self, shop: &Workshop, natives: &Natives) -> Result<Transformed, BuildError> {
        let mut bitcode = Vec::new();
        for (k, source) in self.sources.iter().enumerate() {
            bitcode.push(self.front_end(shop, k, source)?);
        }
        bitcode.extend(self.runtime.neutral().into_iter().map(Runtime::bitcode_name));
        frontend::link(shop, &bitcode, &natives.undefined, "whole.bc")?;
        let options = xform::Options {
            roots: self.roots.clone(),
            native_symbols: natives.all.iter().cloned().chain(KEPT_SYMBOLS.iter().map(|s| (*s).to_owned())).collect(),
            keep_debug_info: self.debug_info,
        };
        let (input, output) = (shop.path("whole.bc"), shop.path("transformed.bc"));
        xform::transform(&input, &output, &options).map_err(|failure| match failure {
            Failure::Refused(refusals) => BuildError::Refused(refusals),
            Failure::Llvm(message) => BuildError::Transformation { path: input.clone(), message },
        })
    }

    /// The transformed module, natives and table to objects of both ISAs.
    fn lower(&self, shop: &Workshop, parts: &[&'static str], sites: usize) -> Result<Vec<ObjectPair>, BuildError> {
        shop.write("kettle.S", reserved_sections(sites))?;
        in_parallel(|isa| {
            for part in parts {
                backend::compile_part(shop, isa, part, &format!("{}/{part}.o", isa.name()))?;
            }
            backend::compile_native(shop, isa, "kettle.S", &format!("{}/kettle.o", isa.name()))
        })?;
        let mut names: Vec<(String, bool)> = parts.iter().map(|p| (format!("{p}.o"), false)).collect();
        names.extend(self.runtime.native_objects().into_iter().map(|o| (o, true)));
        names.push(("kettle.o".into(), true));
        names.into_iter().map(|(name, native)| pair(shop, name, native)).collect()
    }

    fn deliver(&self, shop: &Workshop) -> Result<(), BuildError> {
        std::fs::create_dir_all(&self.out_dir).map_err(BuildError::file("create", &self.out_dir))?;
        let copy = |isa: Isa, name: &str| {
            let to = self.out_dir.join(name);
            std::fs::copy(shop.path(&image(isa)), &to).map(drop).map_err(BuildError::file("write", &to))
        };
        for isa in Isa::ALL {
            copy(isa, &format!("{}_{}", self.name, isa.binary_suffix()))?;
        }
        copy(host(), &self.name)
    }
}

/// The ISA that the compiler runs on.
fn host() -> Isa {
    if cfg!(target_arch = "aarch64") { Isa::Aarch64 } else { Isa::X86_64 }
}

/// The linked file of an ISA in the workshop.
fn image(isa: Isa) -> String {
    format!("{}/image", isa.name())
}

/// Does something for both ISAs at once; of two errors the first ISA's is told.
pub(crate) fn in_parallel(work: impl Fn(Isa) -> Result<(), BuildError> + Sync) -> Result<(), BuildError> {
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

/// Symbols of the runtime's native objects, of both ISAs together.
struct Natives {
    /// What they want from neutral code, or from each other.
    undefined: Vec<String>,
    /// All global names in them.
    all: Vec<String>,
}

impl Natives {
    fn read(shop: &Workshop, runtime: &Runtime) -> Result<Self, BuildError> {
        let mut natives = Self { undefined: Vec::new(), all: Vec::new() };
        for isa in Isa::ALL {
            for object in runtime.native_objects() {
                let path = shop.path(&format!("{}/{object}", isa.name()));
                let data = object_file::read(&path)?;
                let (undefined, defined) = Elf::parse(&path, &data)?.symbol_names();
                natives.undefined.extend(undefined.iter().cloned());
                natives.all.extend(undefined.into_iter().chain(defined));
            }
        }
        for names in [&mut natives.undefined, &mut natives.all] {
            names.sort();
            names.dedup();
        }
        Ok(natives)
    }
}

fn pair(shop: &Workshop, name: String, native: bool) -> Result<ObjectPair, BuildError> {
    let sections = |isa: Isa| {
        let path = shop.path(&format!("{}/{name}", isa.name()));
        let data = object_file::read(&path)?;
        Elf::parse(&path, &data)?.allocated_sections()
    };
    let sections = [sections(Isa::ALL[0])?, sections(Isa::ALL[1])?];
    Ok(ObjectPair { name, native, sections })
}

/// The note, and room for the table of call sites.
fn reserved_sections(sites: usize) -> String {
    let size = table::size(sites);
    format!(
        "    .section {NOTE_SECTION}, \"a\", %note\n    .p2align 2\n    .long {}, 8, {NOTE_TYPE}\n    .asciz \"{NOTE_OWNER}\"\n    .p2align 2\n\
         \x20   .long {NOTE_VERSION}, {POPCORN_ABI}\n\
         \x20   .section {CALLSITES_SECTION}, \"a\", %progbits\n    .p2align 4\n    .globl {CALLSITES_SYMBOL}\n\
         \x20   .type {CALLSITES_SYMBOL}, %object\n    .size {CALLSITES_SYMBOL}, {size}\n{CALLSITES_SYMBOL}:\n    .zero {size}\n\
         \x20   .section .note.GNU-stack, \"\", %progbits\n",
        NOTE_OWNER.len() + 1
    )
}

fn link(shop: &Workshop, isa: Isa, objects: &[ObjectPair]) -> Result<(), BuildError> {
    let emulation = match isa {
        Isa::X86_64 => "elf_x86_64",
        Isa::Aarch64 => "aarch64linux",
    };
    let mut arguments: Vec<String> = [
        "-m", emulation, "-static", "-T", "link.ld", "--no-relax", "--orphan-handling=error", "--build-id=none", "-o", &image(isa),
    ]
    .map(str::to_owned)
    .to_vec();
    arguments.extend(objects.iter().map(|o| format!("{}/{}", isa.name(), o.name)));
    shop.run(format!("link for {isa}"), LLD, arguments)
}

/// Reads the sites of both images, writes the table into both, checks and verifies.
fn finish(shop: &Workshop, layout: &Layout, program: &Transformed) -> Result<(), BuildError> {
    let mut sites: Vec<BTreeMap<u32, Site>> = Vec::new();
    let mut starts = Vec::new();
    for isa in table::BY_ARCH_CODE {
        let path = shop.path(&image(isa));
        let data = object_file::read(&path)?;
        let elf = Elf::parse(&path, &data)?;
        sites.push(sites::read(isa, &path, &elf, &program.sites)?);
        let start = elf.symbols().get(START_RETURN).map(|s| s.value);
        starts.push(start.ok_or_else(|| BuildError::malformed(&path)(format!("no symbol {START_RETURN}")))?);
    }
    same_sites(&sites, program)?;
    let bytes = table::encode(program.sites.len(), [starts[0], starts[1]], [&sites[0], &sites[1]]);
    let mut images = Vec::new();
    for isa in Isa::ALL {
        let path = shop.path(&image(isa));
        let mut data = object_file::read(&path)?;
        let place = Elf::parse(&path, &data)?.section(CALLSITES_SECTION)?;
        let room = place.and_then(|p| data.get_mut(p.file_offset as usize..)?.get_mut(..bytes.len()));
        room.ok_or_else(|| BuildError::malformed(&path)(format!("no room in {CALLSITES_SECTION}")))?.copy_from_slice(&bytes);
        std::fs::write(&path, &data).map_err(BuildError::file("write", &path))?;
        images.push((path, data));
    }
    let [a, b] = [&images[0], &images[1]];
    check::correspond([&Elf::parse(&a.0, &a.1)?, &Elf::parse(&b.0, &b.1)?], layout, program)?;
    for (isa, (_, data)) in Isa::ALL.into_iter().zip(&images) {
        verified(isa, data, &sites[isa.arch_code() as usize], program)?;
    }
    Ok(())
}

/// A site that only one back end has kept could not be rebuilt on the other.
fn same_sites(sites: &[BTreeMap<u32, Site>], program: &Transformed) -> Result<(), BuildError> {
    for (id, function) in (0..).zip(&program.sites) {
        let missing = table::BY_ARCH_CODE.into_iter().zip(sites).find(|(_, s)| !s.contains_key(&id));
        if let Some((isa, _)) = missing
            && sites.iter().any(|s| s.contains_key(&id))
        {
            let what = "the call is not there, but it is on the other ISA".to_owned();
            return Err(BuildError::CallSite { site: id, function: function.clone(), isa, what });
        }
    }
    Ok(())
}

fn verified(isa: Isa, elf: &[u8], sites: &BTreeMap<u32, Site>, program: &Transformed) -> Result<(), BuildError> {
    let sites: Vec<VerifySite> = sites
        .iter()
        .map(|(id, s)| VerifySite {
            id: *id,
            return_address: s.return_address,
            function: program.sites[*id as usize].clone(),
            function_address: s.function,
            cfa_fp: s.cfa_fp,
            size: s.size,
            fp_off: s.fp_off,
            ra_off: s.ra_off,
        })
        .collect();
    let unverified = |message: String| BuildError::Unverified { isa, message };
    let report = verify::verify(elf, isa, &sites).map_err(|e| unverified(format!("  {e}")))?;
    if report.violations.is_empty() {
        return Ok(());
    }
    let line = |v: &verify::Violation| {
        format!("  in function {}, behind call site {}: {:#x} {}: {}", v.function, v.site, v.address, v.instruction, v.what)
    };
    Err(unverified(report.violations.iter().map(line).collect::<Vec<_>>().join("\n")))
}

impl Runtime {
    fn bitcode_name(source: &str) -> String {
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
    fn native_objects(&self) -> Vec<String> {
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

    fn write_sources(&self, shop: &Workshop) -> Result<(), BuildError> {
        for file in self.files() {
            shop.write(&format!("runtime/{}", file.name), &file.text)?;
        }
        Ok(())
    }

    /// Puts sources and compiled parts into the workshop.
    fn install(&self, shop: &Workshop) -> Result<(), BuildError> {
        self.write_sources(shop)?;
        let flags = ["-O2".to_owned()];
        for source in self.neutral() {
            let path = format!("runtime/{source}");
            let unit = Unit { source: &path, label: &path, flags: &flags, output: &Self::bitcode_name(source) };
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
}
