//! Compiles the library: every file of musl, or the overlay's in its place, and links all to one bitcode.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{LibcError, overlay};
use crate::debian;
use crate::tools::{CLANG, LLVM_LINK};

/// What every file of the library is compiled with; like a program's own files, and as musl wants it. Square roots set no errno:
/// they are instructions.
pub const FLAGS: &[&str] = &[
    "--target=x86_64-unknown-linux-gnu",
    "-std=c99",
    "-O2",
    "-mlong-double-64",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-strict-aliasing",
    "-fno-stack-protector",
    "-fno-pic",
    "-fno-pie",
    "-ffreestanding",
    "-fno-asynchronous-unwind-tables",
    "-nostdlibinc",
    "-w",
    "-D_XOPEN_SOURCE=700",
    "-D__KETTLE__=1",
    "-emit-llvm",
];

/// Directories of musl whose files make up the library.
const DIRECTORIES: &[&str] = &["malloc/mallocng"];
/// Directories that do not: another allocator, and setjmp, which is native.
const OTHER_DIRECTORIES: &[&str] = &["setjmp", "malloc/oldmalloc"];

/// Files that are native code here, or that the neutral architecture has no use for.
const REPLACED: &[&str] = &[
    "signal/restore.c",
    "signal/sigsetjmp.c",
    "signal/sigsetjmp_tail.c",
    "signal/siglongjmp.c",
    "string/memcmp.c",
    "string/memcpy.c",
    "string/memmove.c",
    "string/memset.c",
    "string/strlen.c",
    "thread/__set_thread_area.c",
    "thread/__unmapself.c",
    "thread/clone.c",
    "thread/tls.c",
];

/// How often the build says how far it is, in files.
const TELL_EVERY: usize = 200;

/// Compiles the library of an unpacked source into `to`, where its headers are in `include` already: `to/libc.bc`.
pub fn library(musl: &Path, to: &Path) -> Result<(), LibcError> {
    let work = to.join("build");
    write_own(&work)?;
    let files: Vec<(String, PathBuf)> = files(musl, &work)?.into_iter().collect();
    let includes: Vec<String> = [
        work.join("arch"),
        musl.join("arch/x86_64"),
        musl.join("arch/generic"),
        work.join("internal"),
        musl.join("src/include"),
        musl.join("src/internal"),
    ]
    .iter()
    .map(|d| format!("-I{}", d.display()))
    .collect();
    let include = to.join("include");
    let compile_one = |(name, path): &(String, PathBuf)| {
        let output = work.join(name.replace('/', "_")).with_extension("bc");
        let mut arguments: Vec<String> = FLAGS.iter().map(|f| (*f).to_owned()).collect();
        arguments.extend_from_slice(&includes);
        // A file of the overlay includes what its namesake would.
        let beside = musl.join("src").join(name);
        let beside = beside.parent().unwrap_or(musl).display().to_string();
        arguments.extend([
            "-I".into(),
            beside,
            "-isystem".into(),
            include.display().to_string(),
        ]);
        arguments.extend([
            "-c".into(),
            path.display().to_string(),
            "-o".into(),
            output.display().to_string(),
        ]);
        debian::run(
            &format!("compile {name} of the C library"),
            CLANG,
            arguments,
        )?;
        Ok(output.display().to_string())
    };
    let mut arguments = in_parallel(&files, &compile_one)?;
    arguments.extend(["-o".to_owned(), to.join("libc.bc").display().to_string()]);
    debian::run("link the C library", LLVM_LINK, arguments)?;
    fs::remove_dir_all(&work).map_err(LibcError::file("remove", &work))
}

/// Writes the overlay.
fn write_own(work: &Path) -> Result<(), LibcError> {
    for (name, text) in overlay() {
        let path = work.join(name);
        let parent = path.parent().unwrap_or(work);
        fs::create_dir_all(parent).map_err(LibcError::file("create", parent))?;
        fs::write(&path, text).map_err(LibcError::file("write", &path))?;
    }
    Ok(())
}

/// All files by their name below `src`: musl's generic C, and the overlay's instead of and besides it.
fn files(musl: &Path, work: &Path) -> Result<BTreeMap<String, PathBuf>, LibcError> {
    let sources = musl.join("src");
    let mut directories: Vec<String> = DIRECTORIES.iter().map(|d| (*d).to_owned()).collect();
    directories.extend(entries(&sources)?);
    let mut files = BTreeMap::new();
    for directory in directories {
        let path = sources.join(&directory);
        if !path.is_dir() || OTHER_DIRECTORIES.contains(&directory.as_str()) {
            continue;
        }
        for file in entries(&path)? {
            let name = format!("{directory}/{file}");
            if file.ends_with(".c") && !REPLACED.contains(&name.as_str()) {
                files.insert(name.clone(), sources.join(name));
            }
        }
    }
    for (name, _) in overlay() {
        if let Some(name) = name.strip_prefix("src/").filter(|n| n.ends_with(".c")) {
            files.insert(name.to_owned(), work.join("src").join(name));
        }
    }
    Ok(files)
}

fn entries(directory: &Path) -> Result<Vec<String>, LibcError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(LibcError::file("read", directory))? {
        let entry = entry.map_err(LibcError::file("read", directory))?;
        names.extend(entry.file_name().into_string());
    }
    Ok(names)
}

/// Does one thing with all files on all cores, and says how far it is; the results in the order of the files, or the first error.
fn in_parallel<T: Sync>(
    files: &[T],
    work: &(dyn Fn(&T) -> Result<String, LibcError> + Sync),
) -> Result<Vec<String>, LibcError> {
    let total = files.len();
    eprintln!("kettle-cc: compiling the C library, {total} files; this is done once");
    let (next, done, failed) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicBool::new(false),
    );
    let results: Mutex<BTreeMap<usize, Result<String, LibcError>>> = Mutex::default();
    let worker = || {
        while let Some((k, file)) =
            next_of(files, &next).filter(|_| !failed.load(Ordering::Relaxed))
        {
            let result = work(file);
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            if let Ok(mut results) = results.lock() {
                results.insert(k, result);
            }
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            if done.is_multiple_of(TELL_EVERY) {
                eprintln!("kettle-cc: compiling the C library, {done} of {total}");
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(worker);
        }
    });
    results
        .into_inner()
        .unwrap_or_default()
        .into_values()
        .collect()
}

fn next_of<'a, T>(files: &'a [T], next: &AtomicUsize) -> Option<(usize, &'a T)> {
    let k = next.fetch_add(1, Ordering::Relaxed);
    Some((k, files.get(k)?))
}
