//! The pipeline, step by step, and the interface to it.

use std::path::{Path, PathBuf};

use isa::Isa;
use isa::callsites::CallSites;

use crate::archive::{self, Library};
use crate::contract::{
    KEPT_SYMBOLS, LINKER_SYMBOLS, MIGRATION_ROOTS, PENDING, POINT, SYSTEM_CALLS,
};
use crate::finish::finish;
use crate::frontend::{Product, UserUnit};
use crate::inputs::{Input, Kind, Language};
use crate::layout::{Layout, ObjectPair};
use crate::libc::{self, Libc};
use crate::object_file::{self, Elf};
use crate::runtime::Runtime;
use crate::strictness::Strictness;
use crate::tools::{LLD, Workshop, image, in_parallel};
use crate::xform::{self, Failure, MigrationPoints, Transformed};
use crate::{BuildError, backend, frontend, reserved, script, strictness};

/// The header, of the runtime, that is included in front of every C file: `va_arg` of what clang alone would lose.
const VA_ARG_HEADER: &str = "kettle/va_arg.h";

/// A program to be built: what goes in, and where the output goes.
///
/// ```no_run
/// let program = kettle_cc::Build::new().sources(["fib.c"]).out_dir("out").name("fib").build()?;
/// println!("{}", program.binary(isa::Isa::Aarch64).display());
/// # Ok::<(), kettle_cc::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Build {
    inputs: Vec<Input>,
    includes: Vec<PathBuf>,
    flags: Vec<String>,
    roots: Vec<String>,
    points: MigrationPoints,
    foundation: Foundation,
    out_dir: PathBuf,
    name: String,
    keep: Option<PathBuf>,
    debug_info: bool,
    verbose: bool,
    strictness: Strictness,
}

/// What a program is linked with.
#[derive(Clone, Debug)]
enum Foundation {
    /// The C library of this compiler's cache.
    Default,
    /// The C library, where the caller has it.
    Libc(Libc),
    /// Nothing but a runtime.
    Bare(Runtime),
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
        self.directory
            .join(format!("{}_{}", self.name, isa.binary_suffix()))
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
    /// No sources, the C library of the default cache, `-O2`, output `a.out` in the current directory.
    pub fn new() -> Self {
        Self {
            inputs: Vec::new(),
            includes: Vec::new(),
            flags: vec!["-O2".into()],
            roots: MIGRATION_ROOTS.iter().map(|r| (*r).to_owned()).collect(),
            points: MigrationPoints::Manual,
            foundation: Foundation::Default,
            out_dir: ".".into(),
            name: "a.out".into(),
            keep: None,
            debug_info: false,
            verbose: false,
            strictness: Strictness::default(),
        }
    }
    /// The measures that keep machine frames free of content, for [`Build::without_measure`].
    #[doc(hidden)]
    pub fn measures() -> Vec<&'static str> {
        strictness::all()
    }
    /// Leaves out one of the measures that keep machine frames free of content. Only for tests of the verifier, which refuses what comes of it.
    #[doc(hidden)]
    pub fn without_measure(mut self, measure: &'static str) -> Self {
        self.strictness = Strictness::without(measure);
        self
    }
    /// Adds C files, bitcode files, or archives of bitcode files.
    pub fn sources<I: Into<Input>>(mut self, files: impl IntoIterator<Item = I>) -> Self {
        self.inputs.extend(files.into_iter().map(Into::into));
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
    /// Where the program's threads may migrate besides calls of `migrate` and `check_migrate`.
    pub fn migration_points(mut self, points: MigrationPoints) -> Self {
        self.points = points;
        self
    }
    /// Links a runtime and no C library: for programs that bring all themselves.
    pub fn runtime(mut self, runtime: Runtime) -> Self {
        self.foundation = Foundation::Bare(runtime);
        self
    }
    /// Links this C library, instead of preparing the default cache's for each build.
    pub fn libc(mut self, libc: Libc) -> Self {
        self.foundation = Foundation::Libc(libc);
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

    /// Makes something of one C file, without linking: bitcode is the `.o` of a build in several steps. Without an output it goes to the
    /// standard output.
    pub fn compile_only(
        &self,
        source: &Input,
        product: Product,
        output: Option<&Path>,
    ) -> Result<(), BuildError> {
        let scratch = tempfile::tempdir().map_err(BuildError::file(
            "create",
            Path::new("a temporary directory"),
        ))?;
        let shop = Workshop::new(scratch.path().to_path_buf(), self.verbose);
        let ground = self.ground()?;
        ground.runtime().install_headers(&shop)?;
        self.front_end(&shop, &ground, source, product, output)
    }

    /// Builds the program.
    pub fn build(&self) -> Result<Program, BuildError> {
        if self.inputs.is_empty() {
            return Err(BuildError::NoSources);
        }
        let scratch;
        let directory = match &self.keep {
            Some(directory) => directory.clone(),
            None => {
                scratch = tempfile::tempdir().map_err(BuildError::file(
                    "create",
                    Path::new("a temporary directory"),
                ))?;
                scratch.path().to_path_buf()
            }
        };
        std::fs::create_dir_all(&directory).map_err(BuildError::file("create", &directory))?;
        let directory =
            std::path::absolute(&directory).map_err(BuildError::file("find", &directory))?;
        let shop = Workshop::new(directory, self.verbose);
        let ground = self.ground()?;
        ground.runtime().install(&shop)?;
        let natives = Natives::read(&shop, ground.runtime())?;
        self.collect(&shop, &ground, &natives)?;
        let program = match self.images(&shop, &ground, &natives, self.debug_info) {
            // The same once more with line tables, which do not change the code, to say where in the source it is.
            Err(BuildError::Unverified { .. }) if !self.debug_info => {
                self.images(&shop, &ground, &natives, true)?
            }
            result => result?,
        };
        self.deliver(&shop)?;
        Ok(Program {
            directory: self.out_dir.clone(),
            name: self.name.clone(),
            sites: program.sites.len(),
            migrating: program.migrating,
        })
    }

    fn ground(&self) -> Result<Ground, BuildError> {
        Ok(match &self.foundation {
            Foundation::Default => Ground::Libc(Libc::prepare(&libc::default_directory()?)?),
            Foundation::Libc(libc) => Ground::Libc(libc.clone()),
            Foundation::Bare(runtime) => Ground::Bare(runtime.clone()),
        })
    }

    fn front_end(
        &self,
        shop: &Workshop,
        ground: &Ground,
        source: &Input,
        product: Product,
        output: Option<&Path>,
    ) -> Result<(), BuildError> {
        let mut flags = self.flags.clone();
        flags.extend(self.includes.iter().map(|d| format!("-I{}", d.display())));
        // What is preprocessed already has all that it includes.
        if source.kind()? == Kind::Source(Language::C) {
            for headers in ground.headers(shop) {
                flags.extend(["-isystem".to_owned(), headers.display().to_string()]);
            }
            if let Ground::Libc(_) = ground {
                flags.extend(["-include".to_owned(), VA_ARG_HEADER.to_owned()]);
            }
        }
        let unit = UserUnit {
            source: &source.path,
            language: source.language,
            product,
            flags: &flags,
            output,
            debug_info: self.debug_info,
        };
        frontend::compile_user(shop, &unit)
    }

    /// The bitcode files of the program itself, without the runtime, in their order; archives give what is needed of them.
    fn bitcode(
        &self,
        shop: &Workshop,
        ground: &Ground,
        natives: &Natives,
        runtime: &[String],
    ) -> Result<Vec<String>, BuildError> {
        let mut modules = Vec::new();
        let mut libraries = Vec::new();
        for (k, input) in self.inputs.iter().enumerate() {
            let kind = input.kind()?;
            if kind == Kind::Archive {
                libraries.push(Library::open(shop, k, &input.path, input.whole_archive)?);
                continue;
            }
            let stem = input.path.file_stem().and_then(|s| s.to_str());
            let output = format!("program/{k}.{}.bc", stem.unwrap_or("source"));
            shop.make_directory_of(&output)?;
            let path = shop.path(&output);
            if let Kind::Source(_) = kind {
                self.front_end(shop, ground, input, Product::Bitcode, Some(&path))?;
            } else {
                std::fs::copy(&input.path, &path).map_err(BuildError::file("read", &input.path))?;
            }
            modules.push(output);
        }
        if !libraries.is_empty() {
            let all = [&modules[..], runtime].concat();
            modules.extend(archive::needed(shop, &libraries, &all, &natives.undefined)?);
        }
        Ok(modules)
    }

    /// One bitcode, `whole.bc`, to two linked, checked and verified images.
    fn images(
        &self,
        shop: &Workshop,
        ground: &Ground,
        natives: &Natives,
        debug_info: bool,
    ) -> Result<Transformed, BuildError> {
        let program = self.transform(shop, ground, natives, debug_info)?;
        let parts = backend::split(shop, "transformed.bc", &program.migrating)?;
        shop.write(reserved::DATA_FRAMES, program.data_frames.encode())?;
        let reserved = reserved::assembly(program.sites.len(), debug_info);
        shop.write("kettle.S", reserved)?;
        let objects = lower(shop, ground, &parts, self.strictness)?;
        let layout = Layout::of(&objects, CallSites::byte_len(program.sites.len()) as u64)?;
        shop.write("link.ld", script::write(&layout))?;
        for isa in Isa::ALL {
            link(shop, isa, &objects)?;
        }
        finish(shop, &layout, &program)?;
        Ok(program)
    }

    /// Sources to one bitcode of what the program uses, `whole.bc`.
    fn collect(
        &self,
        shop: &Workshop,
        ground: &Ground,
        natives: &Natives,
    ) -> Result<(), BuildError> {
        let names = ground.runtime().neutral();
        let runtime: Vec<String> = names.into_iter().map(Runtime::bitcode_name).collect();
        let mut bitcode = self.bitcode(shop, ground, natives, &runtime)?;
        let mut kept = natives.undefined.clone();
        if self.points != MigrationPoints::Manual {
            for module in &bitcode {
                let path = shop.path(module);
                xform::mark_program(&path, self.points).map_err(BuildError::malformed(&path))?;
            }
            kept.extend([PENDING, POINT].map(str::to_owned));
            kept.extend(SYSTEM_CALLS.map(|(_, at_point)| at_point.to_owned()));
        }
        bitcode.extend(runtime);
        let modules = bitcode.clone();
        let twice = |error| self.defined_twice(shop, &modules, error);
        if let Ground::Libc(libc) = ground {
            bitcode = vec![libc.link(shop, &bitcode).map_err(twice)?.to_owned()];
        }
        frontend::link(shop, &bitcode, &kept, "whole.bc").map_err(twice)
    }

    /// Says which inputs define what LLVM's linker has found more than once, when that is why it failed.
    fn defined_twice(&self, shop: &Workshop, modules: &[String], error: BuildError) -> BuildError {
        let BuildError::Tool { message, .. } = &error else {
            return error;
        };
        let name = message.split_once("Linking globals named '");
        let name = name.and_then(|(_, rest)| rest.split_once("': symbol multiply defined"));
        let Some((name, _)) = name else {
            return error;
        };
        let defines = |module: &&String| {
            let external = xform::external(&shop.path(module));
            external.is_ok_and(|e| e.defined.iter().any(|d| d == name))
        };
        // `program/3.a.bc` and `archive/3.0.bc` come from input number 3.
        let input = |module: &String| {
            let number = module
                .split_once('/')?
                .1
                .split_once('.')?
                .0
                .parse::<usize>();
            Some(self.inputs.get(number.ok()?)?.path.display().to_string())
        };
        let file = |module| input(module).unwrap_or_else(|| "the runtime".to_owned());
        BuildError::DefinedTwice {
            name: name.to_owned(),
            files: modules.iter().filter(defines).map(file).collect(),
        }
    }

    /// `whole.bc` to one transformed module, `transformed.bc`.
    fn transform(
        &self,
        shop: &Workshop,
        ground: &Ground,
        natives: &Natives,
        debug_info: bool,
    ) -> Result<Transformed, BuildError> {
        let mut roots = self.roots.clone();
        if let Ground::Libc(_) = ground {
            roots.extend(Libc::ROOTS.iter().map(|r| (*r).to_owned()));
        }
        let options = xform::Options {
            roots,
            native_symbols: natives
                .all
                .iter()
                .cloned()
                .chain(KEPT_SYMBOLS.iter().map(|s| (*s).to_owned()))
                .collect(),
            points: self.points,
            defined_elsewhere: natives
                .defined
                .iter()
                .cloned()
                .chain(LINKER_SYMBOLS.iter().map(|s| (*s).to_owned()))
                .collect(),
            keep_debug_info: debug_info,
            strictness: self.strictness,
        };
        let (input, output) = (shop.path("whole.bc"), shop.path("transformed.bc"));
        let transformed = xform::transform(&input, &output, &options);
        if let Ok(program) = &transformed {
            shop.tell(|| {
                let (functions, calls) = (program.migrating.len(), program.sites.len());
                format!("transform whole.bc to transformed.bc: {functions} functions may migrate, in {calls} calls")
            });
        }
        transformed.map_err(|failure| match failure {
            Failure::Refused(refusals) => BuildError::Refused(refusals),
            Failure::Incomplete(missing) => BuildError::Incomplete(missing),
            Failure::Llvm(message) => BuildError::Transformation {
                path: input.clone(),
                message,
            },
        })
    }

    fn deliver(&self, shop: &Workshop) -> Result<(), BuildError> {
        std::fs::create_dir_all(&self.out_dir)
            .map_err(BuildError::file("create", &self.out_dir))?;
        let copy = |isa: Isa, name: &str| {
            let to = self.out_dir.join(name);
            std::fs::copy(shop.path(&image(isa)), &to)
                .map(drop)
                .map_err(BuildError::file("write", &to))
        };
        for isa in Isa::ALL {
            copy(isa, &format!("{}_{}", self.name, isa.binary_suffix()))?;
        }
        copy(host(), &self.name)
    }
}

/// What a program is linked with, ready to be used.
enum Ground {
    Libc(Libc),
    Bare(Runtime),
}

impl Ground {
    fn runtime(&self) -> &Runtime {
        match self {
            Self::Libc(libc) => libc.runtime(),
            Self::Bare(runtime) => runtime,
        }
    }

    /// Directories of the headers that a program includes.
    fn headers(&self, shop: &Workshop) -> Vec<PathBuf> {
        let mut directories = vec![self.runtime().headers(shop)];
        if let Self::Libc(libc) = self {
            directories.push(libc.headers());
        }
        directories
    }
}

/// The transformed module, natives and table to objects of both ISAs.
fn lower(
    shop: &Workshop,
    ground: &Ground,
    parts: &[String],
    strictness: Strictness,
) -> Result<Vec<ObjectPair>, BuildError> {
    in_parallel(|isa| {
        for part in parts {
            let output = format!("{}/{part}.o", isa.name());
            backend::compile_part(shop, isa, part, strictness, &output)?;
        }
        let output = format!("{}/kettle.o", isa.name());
        backend::compile_native(shop, isa, "kettle.S", &[], &output)
    })?;
    let mut names: Vec<(String, bool)> = parts.iter().map(|p| (format!("{p}.o"), false)).collect();
    let natives = ground.runtime().native_objects();
    names.extend(natives.into_iter().map(|o| (o, true)));
    names.push(("kettle.o".into(), true));
    names
        .into_iter()
        .map(|(name, native)| pair(shop, name, native))
        .collect()
}

/// The ISA that the compiler runs on.
fn host() -> Isa {
    if cfg!(target_arch = "aarch64") {
        Isa::Aarch64
    } else {
        Isa::X86_64
    }
}

/// Symbols of the runtime's native objects, of both ISAs together.
struct Natives {
    /// What they want from neutral code, or from each other.
    undefined: Vec<String>,
    /// What they define.
    defined: Vec<String>,
    /// All global names in them.
    all: Vec<String>,
}

impl Natives {
    fn read(shop: &Workshop, runtime: &Runtime) -> Result<Self, BuildError> {
        let mut natives = Self {
            undefined: Vec::new(),
            defined: Vec::new(),
            all: Vec::new(),
        };
        for isa in Isa::ALL {
            for object in runtime.native_objects() {
                let path = shop.path(&format!("{}/{object}", isa.name()));
                let data = object_file::read(&path)?;
                let (undefined, defined) = Elf::parse(&path, &data)?.symbol_names();
                natives.undefined.extend(undefined.iter().cloned());
                natives.defined.extend(defined.iter().cloned());
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
    Ok(ObjectPair {
        name,
        native,
        sections,
    })
}

fn link(shop: &Workshop, isa: Isa, objects: &[ObjectPair]) -> Result<(), BuildError> {
    let emulation = match isa {
        Isa::X86_64 => "elf_x86_64",
        Isa::Aarch64 => "aarch64linux",
    };
    let mut arguments: Vec<String> = [
        "-m",
        emulation,
        "-static",
        "-T",
        "link.ld",
        "--no-relax",
        "--orphan-handling=error",
        "--build-id=none",
        // Segments then have one file offset on both ISAs, as they must: nodes tell each other areas of memory by it.
        "-z",
        "max-page-size=4096",
        "-o",
        &image(isa),
    ]
    .map(str::to_owned)
    .to_vec();
    arguments.extend(objects.iter().map(|o| format!("{}/{}", isa.name(), o.name)));
    shop.run(format!("link for {isa}"), LLD, arguments)
}
