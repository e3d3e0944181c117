//! Builds every guest program with kettle-cc into the output directory, so that tests, demos and benches simply name them.
//!
//! Programs are built side by side, one thread per core. A program whose source, headers and compiler have not changed since its last build
//! is not built again: its stamp says so. What is being built is told on standard error (shown by `cargo build -vv`).

use std::collections::hash_map::DefaultHasher;
use std::error::Error;
use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, io, thread};

use kettle_cc::libc::{self, Libc};
use kettle_cc::{Build, MigrationPoints};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The programs that do not say themselves where they migrate.
const POINTS: [(&str, MigrationPoints); 2] = [
    ("points_functions", MigrationPoints::Functions),
    ("points_loops", MigrationPoints::Loops),
];

fn main() -> ExitCode {
    match build_all() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guest programs: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build_all() -> Result<()> {
    let programs =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("programs");
    println!("cargo:rerun-if-changed={}", programs.display());
    let out =
        PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo has set no OUT_DIR")?).join("programs");
    fs::create_dir_all(&out)?;
    let common = hash_of_common(&programs)?;
    let sources = files(&programs, "c")?;
    let libc = Libc::prepare(&libc::default_directory()?)?;

    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        while let Some(source) = sources.get(next.fetch_add(1, Ordering::Relaxed)) {
            build(source, &out, &common, &libc)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..thread::available_parallelism()?.get())
            .map(|_| scope.spawn(work))
            .collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })
}

fn build(source: &Path, out: &Path, common: &DefaultHasher, libc: &Libc) -> Result<()> {
    let name = source
        .file_stem()
        .and_then(|n| n.to_str())
        .ok_or("a guest program's name is not text")?;
    let mut hasher = common.clone();
    hasher.write(&fs::read(source)?);
    let hash = hasher.finish().to_string();
    let stamp = out.join(format!("{name}.stamp"));
    if fs::read_to_string(&stamp).is_ok_and(|built| built == hash) {
        return Ok(());
    }
    let flags = ["-O2", "-Wall", "-Wextra", "-Werror"];
    let points = POINTS.iter().find(|(of, _)| *of == name);
    let program = Build::new()
        .libc(libc.clone())
        .migration_points(points.map_or(MigrationPoints::Manual, |(_, points)| *points))
        .sources([source])
        .flags(flags)
        .out_dir(out)
        .name(name)
        .build();
    let program = program.map_err(|error| format!("{name}: {error}"))?;
    eprintln!("built {name}: {} call sites may migrate", program.sites);
    Ok(fs::write(stamp, hash)?)
}

/// What every program depends on: the headers, and the compiler with its runtime, which are in this very executable.
fn hash_of_common(programs: &Path) -> Result<DefaultHasher> {
    let mut hasher = DefaultHasher::new();
    hasher.write(&fs::read(env::current_exe()?)?);
    for header in files(programs, "h")? {
        hasher.write(&fs::read(header)?);
    }
    Ok(hasher)
}

/// The files of a directory with an extension, in order of their names.
fn files(directory: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
