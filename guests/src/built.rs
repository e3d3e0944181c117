//! Builds the compiler driver and the guest programs when they are first asked for, below `guests` in cargo's target directory.
//!
//! `kettle-cc` is run as a command: it links LLVM, whose licence keeps it out of a program with Unicorn, and who only checks or lints this
//! workspace needs neither it nor the programs. What is built has a stamp beside it, a hash of everything that it was made of; while
//! that is still the hash of the sources, nothing is built. Tests run in processes of their own and ask at the same time, so each build is
//! made under a lock of its file, in a directory beside, and takes its name when it is complete.
//!
//! Left out: the versions of clang and rustc in the stamps. After a change of these, remove `target/guests`.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The programs that do not say themselves where they migrate, and what `kettle-cc` is told instead.
const POINTS: [(&str, &str); 2] = [
    ("points_functions", "--migration-points=functions"),
    ("points_loops", "--migration-points=loops"),
];

/// The programs that are other ones at another level of optimisation: where locals and calls are depends on it.
const LEVELS: [(&str, &str, &str); 4] = [
    ("callbacks_o0", "callbacks", "-O0"),
    ("callbacks_os", "callbacks", "-Os"),
    ("stack_limit_o0", "stack_limit", "-O0"),
    ("stack_limit_os", "stack_limit", "-Os"),
];

const FLAGS: [&str; 3] = ["-Wall", "-Wextra", "-Werror"];

/// All that the compiler driver is made of, below the root of the workspace.
const COMPILER: [&str; 9] = [
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "guests/cc/Cargo.toml",
    "guests/cc/build.rs",
    "guests/cc/src",
    "guests/runtime",
    "isa/Cargo.toml",
    "isa/src",
];

/// What cargo leaves in its target directory.
const CARGO_MARK: &str = "CACHEDIR.TAG";

/// The name of the stamp in a directory of what has been built.
const STAMP: &str = "stamp";

/// The compiler driver's path, built first where its sources have changed.
///
/// # Errors
/// What cargo said, or which file cannot be read or written.
pub fn compiler() -> Result<PathBuf, String> {
    let to = target()?.join("guests/kettle-cc");
    once(
        &to,
        &compiler_hash()?.finish(),
        "the compiler driver",
        &|directory| {
            let target = target()?;
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args([
                "build",
                "--quiet",
                // Not `--package`, which would build its libraries with other features than the tests' build has.
                "--workspace",
                "--bin",
                "kettle-cc",
            ]);
            cargo.arg("--target-dir").arg(&target).current_dir(root());
            succeeds(&mut cargo)?;
            // A copy, so that cargo may build another one while this is used.
            let built = target.join("debug/kettle-cc");
            let copied = fs::copy(&built, directory.join("kettle-cc"));
            copied.map(drop).map_err(at("copy", &built))
        },
    )?;
    Ok(to.join("kettle-cc"))
}

/// The path of a program without the suffix of an ISA, built first where its source or its compiler has changed.
///
/// # Errors
/// What the compiler said, or which file cannot be read or written.
pub fn program(name: &str) -> Result<PathBuf, String> {
    let programs = root().join("guests/programs");
    let (stem, level) = source(name);
    let source = programs.join(stem).with_extension("c");
    let mut hasher = compiler_hash()?;
    for header in files(&programs)?
        .iter()
        .filter(|p| p.extension().is_some_and(|e| e == "h"))
    {
        add(header, &mut hasher)?;
    }
    add(&source, &mut hasher)?;
    let to = target()?.join("guests").join(name);
    once(&to, &hasher.finish(), name, &|directory| {
        let mut cc = Command::new(compiler()?);
        let points = POINTS.iter().find(|(of, _)| *of == name);
        cc.arg(level)
            .args(FLAGS)
            .args(points.map(|(_, flag)| flag))
            .arg(&source);
        cc.arg("-o").arg(directory.join(name));
        succeeds(&mut cc)
    })?;
    Ok(to.join(name))
}

/// Of which source a program is made, without its folder and `.c`, and at which level of optimisation.
pub fn source(name: &str) -> (&str, &'static str) {
    let other = LEVELS.iter().find(|(of, _, _)| *of == name);
    other.map_or((name, "-O2"), |(_, stem, level)| (*stem, *level))
}

/// Has `make` fill a directory that becomes `to`, unless the stamp in `to` is `hash` already. Others that want it at the same time wait.
fn once(
    to: &Path,
    hash: &u64,
    what: &str,
    make: &dyn Fn(&Path) -> Result<(), String>,
) -> Result<(), String> {
    let hash = format!("{hash:016x}");
    let current = || fs::read_to_string(to.join(STAMP)).is_ok_and(|stamp| stamp == hash);
    if current() {
        return Ok(());
    }
    let parent = to.parent().unwrap_or(to);
    fs::create_dir_all(parent).map_err(at("create", parent))?;
    let lock = to.with_extension("lock");
    let held = File::create(&lock).map_err(at("create", &lock))?;
    held.lock().map_err(at("lock", &lock))?;
    if current() {
        return Ok(());
    }
    let making = to.with_extension("part");
    empty(&making)?;
    fs::create_dir_all(&making).map_err(at("create", &making))?;
    make(&making).map_err(|error| format!("cannot build {what}: {error}"))?;
    fs::write(making.join(STAMP), &hash).map_err(at("write", &making))?;
    empty(to)?;
    fs::rename(&making, to).map_err(at("write", to))
}

fn empty(directory: &Path) -> Result<(), String> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(at("remove", directory)(error))
        }
        _ => Ok(()),
    }
}

/// Runs a command to its end; an error is the command and what it said.
fn succeeds(command: &mut Command) -> Result<(), String> {
    let output = command.output();
    let output = output.map_err(|error| format!("{command:?} does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{command:?} ended with {}:\n{}",
        output.status,
        said.trim_end()
    ))
}

/// A hash of the compiler driver's sources, to which those of a program can be added. It is the same for the life of a process.
fn compiler_hash() -> Result<DefaultHasher, String> {
    static HASH: OnceLock<Result<DefaultHasher, String>> = OnceLock::new();
    let hash = HASH.get_or_init(|| {
        let mut hasher = DefaultHasher::new();
        for name in COMPILER {
            add(&root().join(name), &mut hasher)?;
        }
        Ok(hasher)
    });
    hash.clone()
}

/// Adds a file, or all files below a directory in order of their names, to a hash.
fn add(path: &Path, hasher: &mut DefaultHasher) -> Result<(), String> {
    if path.is_dir() {
        return files(path)?.iter().try_for_each(|file| add(file, hasher));
    }
    let text = fs::read(path).map_err(at("read", path))?;
    let name = path.strip_prefix(root()).unwrap_or(path);
    hasher.write(name.as_os_str().as_encoded_bytes());
    hasher.write_usize(text.len());
    hasher.write(&text);
    Ok(())
}

/// What is in a directory, in order of the names.
fn files(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let read = at("read", directory);
    let entries = fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut files: Vec<PathBuf> = entries
        .map_err(read)?
        .iter()
        .map(fs::DirEntry::path)
        .collect();
    files.sort();
    Ok(files)
}

/// Cargo's target directory: the one that the running test is in.
fn target() -> Result<PathBuf, String> {
    let own = std::env::current_exe()
        .map_err(|error| format!("cannot tell where this program is: {error}"))?;
    let target = own.ancestors().find(|d| d.join(CARGO_MARK).is_file());
    let target =
        target.ok_or_else(|| format!("{} is not in a target directory of cargo", own.display()));
    target.map(Path::to_path_buf)
}

fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Makes a sentence of a file's error.
fn at(verb: &str, path: &Path) -> impl FnOnce(io::Error) -> String {
    let start = format!("cannot {verb} {}", path.display());
    move |error| format!("{start}: {error}")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::{fs, thread};

    use super::{STAMP, once, target};

    #[test]
    fn what_is_built_is_built_once_by_whoever_comes_first_and_again_when_its_sources_change() {
        let to = target()
            .expect("a test is in target")
            .join("tmp/built-once/thing");
        super::empty(to.parent().expect("it has one")).expect("it can be removed");
        let built = AtomicUsize::new(0);
        let make = |directory: &std::path::Path| {
            built.fetch_add(1, Ordering::Relaxed);
            fs::write(directory.join("product"), "x").map_err(|e| e.to_string())
        };
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    once(&to, &7, "it", &make).expect("it is built");
                    assert!(to.join("product").is_file());
                });
            }
        });
        assert_eq!(built.load(Ordering::Relaxed), 1);
        let said = once(&to, &8, "it", &|_| Err("no".into())).expect_err("it failed");
        assert_eq!(said, "cannot build it: no");
        once(&to, &7, "it", &make).expect("the failure has changed nothing");
        once(&to, &8, "it", &make).expect("it is built anew");
        assert_eq!(built.load(Ordering::Relaxed), 2);
        assert_eq!(
            fs::read_to_string(to.join(STAMP)).expect("stamped"),
            "0000000000000008"
        );
    }
}
