//! The command `kettle-cc`: `kettle-cc -O2 a.c b.c -o prog` makes `prog_x86-64`, `prog_aarch64`, and `prog` for this host.
//!
//! Flags look like those of other C compilers, as far as they make sense for a static program for two ISAs.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use kettle_cc::Build;

/// Compiles a C program into two static binaries, for x86_64 and aarch64, between which its threads can migrate.
#[derive(Debug, Parser)]
#[command(name = "kettle-cc", version)]
struct Arguments {
    /// C files (.c), or bitcode files made with -c (.o, .bc).
    #[arg(required = true, value_name = "FILE")]
    sources: Vec<PathBuf>,
    /// Name of the program; its binaries are PROG_x86-64, PROG_aarch64 and, for this host, PROG.
    #[arg(short, value_name = "PROG")]
    output: Option<PathBuf>,
    /// Compile to bitcode only.
    #[arg(short)]
    compile_only: bool,
    /// Optimisation level: 0, 1, 2, 3 or s.
    #[arg(short = 'O', value_name = "LEVEL", default_value = "2")]
    optimise: String,
    /// Put DWARF into the binaries.
    #[arg(short = 'g')]
    debug_info: bool,
    /// Look for included files in a directory.
    #[arg(short = 'I', value_name = "DIR")]
    include: Vec<PathBuf>,
    /// Define a macro.
    #[arg(short = 'D', value_name = "NAME[=VALUE]")]
    define: Vec<String>,
    /// Undefine a macro.
    #[arg(short = 'U', value_name = "NAME")]
    undefine: Vec<String>,
    /// A warning flag of clang (-Wall).
    #[arg(short = 'W', value_name = "WARNING")]
    warning: Vec<String>,
    /// A language flag of clang (-fwrapv).
    #[arg(short = 'f', value_name = "FLAG")]
    language: Vec<String>,
    /// The C standard (-std=gnu11).
    #[arg(short = 's', value_name = "td=STANDARD", value_parser = standard)]
    standard: Option<String>,
    /// Where a thread may migrate: in calls of migrate() only.
    #[arg(long, value_enum, default_value_t = MigrationPoints::Manual)]
    migration_points: MigrationPoints,
    /// Keep all intermediate files in a directory.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Print every command.
    #[arg(short)]
    verbose: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum MigrationPoints {
    Manual,
}

fn standard(text: &str) -> Result<String, String> {
    match text.strip_prefix("td=") {
        Some(standard) => Ok(standard.to_owned()),
        None => Err("only -std=STANDARD begins with -s".into()),
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kettle-cc: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let MigrationPoints::Manual = arguments.migration_points;
    let mut build = Build::new()
        .flags(flags(arguments))
        .debug_info(arguments.debug_info)
        .verbose(arguments.verbose);
    for directory in &arguments.include {
        build = build.include(directory);
    }
    if let Some(directory) = &arguments.keep {
        build = build.keep(directory);
    }
    if arguments.compile_only {
        return compile(&build, arguments);
    }
    let output = arguments.output.clone().unwrap_or_else(|| "a.out".into());
    let name = output
        .file_name()
        .and_then(|n| n.to_str())
        .with_context(|| format!("{}: no file name", output.display()))?;
    let directory = output
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    build
        .sources(&arguments.sources)
        .out_dir(directory)
        .name(name)
        .build()?;
    Ok(())
}

fn flags(arguments: &Arguments) -> Vec<String> {
    let mut flags = vec![format!("-O{}", arguments.optimise)];
    let groups = [
        ("-D", &arguments.define),
        ("-U", &arguments.undefine),
        ("-W", &arguments.warning),
        ("-f", &arguments.language),
    ];
    for (letter, values) in groups {
        flags.extend(values.iter().map(|v| format!("{letter}{v}")));
    }
    flags.extend(arguments.standard.iter().map(|s| format!("-std={s}")));
    flags
}

fn compile(build: &Build, arguments: &Arguments) -> anyhow::Result<()> {
    anyhow::ensure!(
        arguments.output.is_none() || arguments.sources.len() == 1,
        "-c with -o takes one source; leave -o away to get one .o file for each"
    );
    for source in &arguments.sources {
        let default = || PathBuf::from(source.with_extension("o").file_name().unwrap_or_default());
        build.compile_only(source, &arguments.output.clone().unwrap_or_else(default))?;
    }
    Ok(())
}
