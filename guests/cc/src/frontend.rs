//! C to one bitcode module: clang for each source, then everything linked, made local, and cleaned of what is not used.
//!
//! There is one front end, that of x86_64, for both ISAs: so types, struct layouts, constants and `va_list` are neutral by construction.

use std::ffi::OsStr;
use std::path::Path;

use crate::BuildError;
use crate::contract::KEPT_SYMBOLS;
use crate::inputs::Language;
use crate::tools::{CLANG, LLVM_LINK, OPT, Workshop};

/// What every C file is compiled with.
///
/// `-ffp-contract=off`: aarch64 would fuse multiplications and additions and get other digits. `-mlong-double-64`: the only long double
/// that both ISAs have.
pub const NEUTRAL_FLAGS: &[&str] = &[
    "--target=x86_64-unknown-linux-gnu",
    "-std=gnu17",
    "-mlong-double-64",
    "-ffp-contract=off",
    "-fno-stack-protector",
    "-fno-pic",
    "-fno-pie",
    "-ffreestanding",
    "-fno-asynchronous-unwind-tables",
    "-nostdlibinc",
    "-Werror=implicit-function-declaration",
    // Wide vectors are passed by our own rules.
    "-Wno-psabi",
    // The working directory is temporary.
    "-fdebug-compilation-dir=.",
    "-D__KETTLE__=1",
    "-Xclang",
    "-disable-O0-optnone",
    // The transformation follows where variables are, and knows the older kind of records.
    "-Xclang",
    "-fexperimental-assignment-tracking=disabled",
];

/// What a user's file is compiled with besides: it has a whole C library.
const HOSTED_FLAGS: &[&str] = &["-fhosted", "-fbuiltin"];
/// These come last: calls of what nobody has declared stay errors whatever warnings the user wants.
const LAST_FLAGS: &[&str] = &["-Werror=implicit-function-declaration"];

/// Makes local and removes what is not used; then folds what has become constant, so that no back end finds a call that is never reached.
const PASSES: &str = "-passes=internalize,globaldce,globalopt,globaldce,function(sccp,simplifycfg)";

/// What the front end makes of a C file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Product {
    /// C without directives, or a rule for make.
    Preprocessed,
    /// Warnings and errors only.
    Nothing,
    /// LLVM's IR as text.
    IrText,
    /// Bitcode: the object file of this compiler.
    Bitcode,
}

impl Product {
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Preprocessed => &["-E"],
            Self::Nothing => &["-fsyntax-only"],
            Self::IrText => &["-S", "-emit-llvm"],
            Self::Bitcode => &["-c", "-emit-llvm"],
        }
    }
}

/// How to compile one C file of the runtime.
#[derive(Clone, Debug)]
pub struct Unit<'a> {
    /// Path of the source; relative ones are relative to the workshop.
    pub source: &'a str,
    /// How errors name it.
    pub label: &'a str,
    /// More flags: `-O2`, `-I...`, `-D...`.
    pub flags: &'a [String],
    /// The output, relative to the workshop.
    pub output: &'a str,
}

/// Line tables are always there, so that refusals can name lines; they are stripped later unless asked for.
fn debug_flag(keep_debug_info: bool) -> &'static str {
    if keep_debug_info {
        "-g"
    } else {
        "-gline-tables-only"
    }
}

/// Compiles one C file of the runtime to bitcode, in the workshop.
pub fn compile(shop: &Workshop, unit: &Unit<'_>, keep_debug_info: bool) -> Result<(), BuildError> {
    shop.make_directory_of(unit.output)?;
    let mut arguments: Vec<&str> = NEUTRAL_FLAGS.to_vec();
    arguments.push(debug_flag(keep_debug_info));
    arguments.extend(["-isystem", "runtime/include"]);
    arguments.extend(unit.flags.iter().map(String::as_str));
    arguments.extend(Product::Bitcode.flags());
    arguments.extend([unit.source, "-o", unit.output]);
    shop.run(format!("compile {}", unit.label), CLANG, arguments)
}

/// How to compile one of the user's files.
#[derive(Clone, Debug)]
pub struct UserUnit<'a> {
    /// The source.
    pub source: &'a Path,
    /// Its language, where its name does not say it.
    pub language: Option<Language>,
    /// What to make of it.
    pub product: Product,
    /// The user's flags, and where the headers of the library are.
    pub flags: &'a [String],
    /// Where to put it; the standard output when absent.
    pub output: Option<&'a Path>,
    /// Whether the program is to carry DWARF.
    pub debug_info: bool,
}

/// Compiles one of the user's files, where the user is: names in messages and in the output are those that were given.
pub fn compile_user(shop: &Workshop, unit: &UserUnit<'_>) -> Result<(), BuildError> {
    let prefix_map = format!("-ffile-prefix-map={}/=", shop.path("").display());
    let mut arguments: Vec<&OsStr> = Vec::new();
    let text = |flags: &'static [&str]| flags.iter().map(|f| OsStr::new(*f));
    arguments.extend(text(NEUTRAL_FLAGS));
    arguments.extend(text(HOSTED_FLAGS));
    arguments.push(OsStr::new(debug_flag(unit.debug_info)));
    arguments.extend(unit.flags.iter().map(OsStr::new));
    arguments.extend(text(LAST_FLAGS));
    arguments.push(OsStr::new(&prefix_map));
    arguments.extend(text(unit.product.flags()));
    if let Some(language) = unit.language {
        let name = match language {
            Language::C => "c",
            Language::PreprocessedC => "cpp-output",
        };
        arguments.extend([OsStr::new("-x"), OsStr::new(name)]);
    }
    arguments.push(unit.source.as_os_str());
    if let Some(output) = unit.output {
        arguments.extend([OsStr::new("-o"), output.as_os_str()]);
    }
    let step = format!("compile {}", unit.source.display());
    shop.run_outside(step, CLANG, arguments)
        .map_err(with_way_out)
}

/// What clang's words for things of one instruction set mean here, and what would be right.
const WAYS_OUT: &[(&[&str], &str)] = &[
    (
        &["needs target feature", "requires target feature"],
        "The program is for two instruction sets, so instructions of one cannot be had: write generic C or generic vectors (vector_size).",
    ),
    (
        &["'_Float128'", "'__float80'", "'_Float64x'"],
        "There are no 80-bit and 128-bit floats here, because they are not the same on both instruction sets: use double.",
    ),
];

/// Adds to clang's message how to do without.
fn with_way_out(error: BuildError) -> BuildError {
    match error {
        BuildError::Tool {
            step,
            tool,
            mut message,
        } => {
            for (words, way_out) in WAYS_OUT {
                if words.iter().any(|w| message.contains(w)) {
                    message = format!("{message}\n{way_out}");
                }
            }
            BuildError::Tool {
                step,
                tool,
                message,
            }
        }
        other => other,
    }
}

/// Links bitcode files and makes local whatever neither native code nor a back end refers to.
pub fn link(
    shop: &Workshop,
    inputs: &[String],
    kept: &[String],
    output: &str,
) -> Result<(), BuildError> {
    let linked = "linked.bc";
    let mut arguments = vec!["-o".to_owned(), linked.to_owned()];
    arguments.extend_from_slice(inputs);
    shop.run("link the bitcode", LLVM_LINK, arguments)?;
    let mut public: Vec<&str> = KEPT_SYMBOLS.to_vec();
    public.extend(kept.iter().map(String::as_str));
    shop.run(
        "remove what the program does not use",
        OPT,
        [
            PASSES,
            &format!("-internalize-public-api-list={}", public.join(",")),
            linked,
            "-o",
            output,
        ],
    )
}
