//! The command `kettle-cc`: `kettle-cc -O2 a.c b.c -o prog` makes `prog_x86-64`, `prog_aarch64`, and `prog` for this host.
//!
//! Flags are those of other C compilers, as far as they make sense for a static program for two ISAs ([`kettle_cc::command`]).
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use isa::Isa;
use kettle_cc::command::{CommandLine, Named};
use kettle_cc::inputs::{self, Input, Kind};
use kettle_cc::{Build, Product, say};

fn main() -> ExitCode {
    let line = CommandLine::parse(std::env::args().skip(1));
    match line.map_err(anyhow::Error::from).and_then(|l| run(&l)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("kettle-cc: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(line: &CommandLine) -> anyhow::Result<()> {
    if let Some(question) = &line.question {
        // Who asks may have gone before the answer.
        let _ = writeln!(std::io::stdout(), "{}", question.answer());
        return Ok(());
    }
    let mut build = Build::new()
        .flags(line.front_end.iter().cloned())
        .migration_points(line.migration_points)
        .debug_info(line.debug_info)
        .verbose(line.verbose);
    if let Some(directory) = &line.keep {
        build = build.keep(directory);
    }
    match line.product {
        Some(product) => compile(&build, line, product),
        None => link(build, line),
    }
}

fn link(mut build: Build, line: &CommandLine) -> anyhow::Result<()> {
    let output = line.output.clone().unwrap_or_else(|| "a.out".into());
    let name = output
        .file_name()
        .and_then(|n| n.to_str())
        .with_context(|| format!("{}: no file name", output.display()))?;
    let directory = output
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    for isa in Isa::ALL {
        not_an_input(
            line,
            &directory.join(format!("{name}_{}", isa.binary_suffix())),
        )?;
    }
    not_an_input(line, &output)?;
    for input in &line.inputs {
        match input {
            Named::File(file) => build = build.sources([file.clone()]),
            Named::Library { name, whole } => {
                let archive = inputs::library(name, &line.library_directories)?;
                build = build.sources(archive.map(|path| Input {
                    path,
                    language: None,
                    whole_archive: *whole,
                }));
            }
        }
    }
    if line.dependencies.wanted {
        // The front end would name them after its own temporary output.
        let file = (!line.dependencies.file).then(|| format!("-MF{name}.d"));
        let target = (!line.dependencies.target).then(|| format!("-MT{}", output.display()));
        build = build.flags(file.into_iter().chain(target));
    }
    build.out_dir(directory).name(name).build()?;
    Ok(())
}

/// Refuses an output that is one of the inputs, before it is overwritten.
fn not_an_input(line: &CommandLine, output: &Path) -> anyhow::Result<()> {
    let Ok(output) = output.canonicalize() else {
        return Ok(());
    };
    for input in &line.inputs {
        if let Named::File(file) = input {
            anyhow::ensure!(
                file.path.canonicalize().ok().as_ref() != Some(&output),
                "{} is an input, and the output would overwrite it; give another name with -o",
                file.path.display()
            );
        }
    }
    Ok(())
}

/// Does `-c` and its like, for each source.
fn compile(build: &Build, line: &CommandLine, product: Product) -> anyhow::Result<()> {
    let mut sources = Vec::new();
    for input in &line.inputs {
        if let Named::File(file) = input {
            let kind = file.kind();
            match kind {
                Ok(Kind::Module | Kind::Archive) => say(&format!(
                    "kettle-cc: {} is not used, because nothing is linked",
                    file.path.display()
                )),
                Ok(Kind::Source(_)) => sources.push(file),
                Err(error) => return Err(error.into()),
            }
        }
    }
    anyhow::ensure!(
        !sources.is_empty(),
        "no source files: give at least one C file"
    );
    anyhow::ensure!(
        line.output.is_none() || sources.len() == 1,
        "-c with -o takes one source; leave -o away to get one .o file for each"
    );
    for source in sources {
        let beside = |extension| {
            let name = source.path.with_extension(extension);
            PathBuf::from(name.file_name().unwrap_or_default())
        };
        let output = match product {
            _ if line.output.as_deref() == Some(Path::new("-")) => None,
            Product::Preprocessed => line.output.clone(),
            Product::Nothing => None,
            Product::IrText => Some(line.output.clone().unwrap_or_else(|| beside("s"))),
            Product::Bitcode => Some(line.output.clone().unwrap_or_else(|| beside("o"))),
        };
        if let Some(output) = &output {
            not_an_input(line, output)?;
        }
        build.compile_only(source, product, output.as_deref())?;
    }
    Ok(())
}
