//! Bitcode and native sources to object files, for each ISA.
//!
//! Functions that may migrate are compiled with everything off that could carry a value across a recorded call in a register or native
//! stack slot; all others as usual. One pass has no switch: machine-latecleanup keeps re-materialised constants in callee-saved
//! registers over calls. It is stepped over by stopping before it and starting again behind it.

use isa::Isa;

use crate::BuildError;
use crate::mir;
use crate::strictness::{LATE_CLEANUP, Strictness};
use crate::tools::{CLANG, LLC, LLVM_EXTRACT, Workshop, triple};

/// For all bitcode.
const COMMON_FLAGS: &[&str] = &[
    "-O2",
    "-relocation-model=static",
    "-function-sections",
    "-data-sections",
    "-aarch64-enable-global-merge=false",
    "--trap-unreachable",
];

/// For functions that may migrate. Tail duplication would record one call at two places.
pub const MIGRATING_FLAGS: &[&str] = &[
    "-no-x86-call-frame-opt",
    "-disable-cgp",
    "-disable-machine-cse",
    "-disable-machine-licm",
    "-disable-postra-machine-licm",
    "-disable-constant-hoisting",
    "-disable-early-taildup",
    "-disable-tail-duplicate",
    "-tail-dup-placement=false",
];

/// For functions that may migrate, on aarch64: what would merge the blocks that were split behind recorded calls is off.
pub const AARCH64_FLAG: &str = "-aarch64-enable-atomic-cfg-tidy=false";

/// For native C and assembly.
pub const NATIVE_FLAGS: &[&str] = &[
    "-O2",
    "-std=gnu17",
    "-ffreestanding",
    "-fno-builtin",
    "-ffunction-sections",
    "-fdata-sections",
    "-ffp-contract=off",
    "-fno-stack-protector",
    "-fno-pic",
    "-fno-pie",
    "-fsigned-char",
    "-fasynchronous-unwind-tables",
    "-nostdlibinc",
    "-D__KETTLE_NATIVE__=1",
];

/// Compiles a native C or assembly file of the runtime; `flags` say where the headers are that are not the runtime's own.
pub fn compile_native(
    shop: &Workshop,
    isa: Isa,
    source: &str,
    flags: &[String],
    output: &str,
) -> Result<(), BuildError> {
    shop.make_directory_of(output)?;
    let target = format!("--target={}", triple(isa));
    let mut arguments = vec![target.as_str()];
    arguments.extend(NATIVE_FLAGS);
    if isa == Isa::Aarch64 {
        arguments.push("-mno-outline-atomics");
    }
    arguments.extend(["-isystem", "runtime/include"]);
    arguments.extend(flags.iter().map(String::as_str));
    arguments.extend(["-c", source, "-o", output]);
    shop.run(format!("compile {source} for {isa}"), CLANG, arguments)
}

/// The part of the functions that cannot migrate.
const PLAIN: &str = "plain";
/// How many functions that may migrate make one part. For each that it writes half compiled LLVM 19 goes through the metadata of all of them.
const FUNCTIONS_PER_PART: usize = 128;

/// Splits transformed bitcode into the functions that may migrate (`migrating.bc`, or `migrating.0.bc` and so on where there are many) and the
/// rest (`plain.bc`). Returns the names.
pub fn split(
    shop: &Workshop,
    module: &str,
    migrating: &[String],
) -> Result<Vec<String>, BuildError> {
    if migrating.is_empty() {
        let (from, to) = (shop.path(module), shop.path("plain.bc"));
        std::fs::copy(&from, &to).map_err(BuildError::file("copy", &from))?;
        return Ok(vec![PLAIN.to_owned()]);
    }
    let run = |delete: &[&str], functions: &[String], part: &str| {
        let output = format!("{part}.bc");
        let mut arguments: Vec<String> = delete.iter().map(|d| (*d).to_owned()).collect();
        arguments.extend([module.to_owned(), "-o".to_owned(), output]);
        arguments.extend(functions.iter().map(|f| format!("-func={f}")));
        shop.run("split the bitcode", LLVM_EXTRACT, arguments)
    };
    let mut parts = Vec::new();
    for (number, functions) in migrating.chunks(FUNCTIONS_PER_PART).enumerate() {
        let part = if migrating.len() > FUNCTIONS_PER_PART {
            format!("migrating.{number}")
        } else {
            "migrating".to_owned()
        };
        run(&[], functions, &part)?;
        parts.push(part);
    }
    run(&["--delete"], migrating, PLAIN)?;
    parts.push(PLAIN.to_owned());
    Ok(parts)
}

/// Compiles `part`.bc for `isa` to `output`.
pub fn compile_part(
    shop: &Workshop,
    isa: Isa,
    part: &str,
    strictness: Strictness,
    output: &str,
) -> Result<(), BuildError> {
    shop.make_directory_of(output)?;
    let bitcode = format!("{part}.bc");
    let target = format!("-mtriple={}", triple(isa));
    let mut flags = vec![target.as_str()];
    flags.extend(COMMON_FLAGS);
    let step = format!("compile the bitcode for {isa}");
    if part == PLAIN {
        flags.extend(["-filetype=obj", &bitcode, "-o", output]);
        return shop.run(step, LLC, flags);
    }
    flags.extend(MIGRATING_FLAGS.iter().filter(|f| strictness.takes(f)));
    if isa == Isa::Aarch64 && strictness.takes(AARCH64_FLAG) {
        flags.push(AARCH64_FLAG);
    }
    if !strictness.takes(LATE_CLEANUP) {
        flags.extend(["-filetype=obj", &bitcode, "-o", output]);
        return shop.run(step, LLC, flags);
    }
    let halfway = format!("{output}.mir");
    let mut first = flags.clone();
    first.extend(["-stop-before=machine-latecleanup", &bitcode, "-o", &halfway]);
    shop.run(step.as_str(), LLC, first)?;
    mir::make_readable(&shop.path(&halfway))?;
    flags.extend([
        "-start-after=machine-latecleanup",
        "-filetype=obj",
        &halfway,
        "-o",
        output,
    ]);
    shop.run(step, LLC, flags)
}
