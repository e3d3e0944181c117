//! C to one bitcode module: clang for each source, then everything linked, made local, and cleaned of what is not used.
//!
//! There is one front end, that of x86_64, for both ISAs: so types, struct layouts, constants and `va_list` are neutral by construction.

use crate::BuildError;
use crate::contract::KEPT_SYMBOLS;
use crate::tools::{CLANG, LLVM_LINK, OPT, Workshop};

/// What every C file is compiled with.
///
/// `-ffp-contract=off`: aarch64 would fuse multiplications and additions and get other digits. `-mlong-double-64`: the only long double
/// that both ISAs have. Calls without a prototype look like variadic ones, so those with arguments are errors.
const NEUTRAL_FLAGS: &[&str] = &[
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
    "-Werror=deprecated-non-prototype",
    "-Werror=implicit-function-declaration",
    // Wide vectors are passed by our own rules.
    "-Wno-psabi",
    // The working directory is temporary.
    "-fdebug-compilation-dir=.",
    "-D__KETTLE__=1",
    "-Xclang",
    "-disable-O0-optnone",
    "-emit-llvm",
];

/// Makes local and removes what is not used; then folds what has become constant, so that no back end finds a call that is never reached.
const PASSES: &str = "-passes=internalize,globaldce,globalopt,globaldce,function(sccp,simplifycfg)";

/// How to compile one C file.
#[derive(Clone, Debug)]
pub struct Unit<'a> {
    /// Path of the source; relative ones are relative to the workshop.
    pub source: &'a str,
    /// How errors name it.
    pub label: &'a str,
    /// The user's flags: `-O2`, `-I...`, `-D...`.
    pub flags: &'a [String],
    /// The output, relative to the workshop.
    pub output: &'a str,
}

/// Compiles one C file to bitcode.
pub fn compile(shop: &Workshop, unit: &Unit<'_>, keep_debug_info: bool) -> Result<(), BuildError> {
    shop.make_directory_of(unit.output)?;
    let mut arguments: Vec<&str> = NEUTRAL_FLAGS.to_vec();
    // Line tables are always there, so that refusals can name lines; they are stripped later unless asked for.
    arguments.push(if keep_debug_info {
        "-g"
    } else {
        "-gline-tables-only"
    });
    arguments.extend(unit.flags.iter().map(String::as_str));
    arguments.extend([
        "-isystem",
        "runtime/include",
        "-c",
        unit.source,
        "-o",
        unit.output,
    ]);
    shop.run(format!("compile {}", unit.label), CLANG, arguments)
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
