//! Embeds the sources of the guest runtime (guests/runtime) into the compiler driver, so that an installed `kettle-cc` works by itself.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    embed("runtime", "runtime_files.rs")
}

/// Writes the table of all sources below a directory of `guests`: names and texts.
fn embed(directory: &str, table: &str) -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let directory = here
        .parent()
        .map(|guests| guests.join(directory))
        .unwrap_or_default();
    println!("cargo:rerun-if-changed={}", directory.display());
    let mut files = Vec::new();
    collect(&directory, &mut files)?;
    files.sort();
    let mut text = String::from("&[\n");
    for file in &files {
        let name = file
            .strip_prefix(&directory)
            .unwrap_or(file)
            .to_string_lossy()
            .into_owned();
        let _ = writeln!(
            text,
            "({name:?}, include_str!({:?})),",
            file.display().to_string()
        );
    }
    text.push_str("]\n");
    let out = env::var_os("OUT_DIR")
        .map(PathBuf::from)
        .unwrap_or_default();
    fs::write(out.join(table), text)
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|e| ["c", "h", "S"].iter().any(|k| e == *k))
        {
            files.push(path);
        }
    }
    Ok(())
}
