//! musl's source: fetched by apt-get from the archive that the machine itself uses, checked, and unpacked into the cache.
//!
//! Machines seldom list source packages. So apt-get is given lists of its own, made from the machine's by asking for sources where those
//! ask for binaries, and directories of its own for everything it writes: the machine's configuration is only read.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{LibcError, VERSION};

/// The source archive, as Debian names it.
const ARCHIVE: &str = "musl_1.2.3.orig.tar.gz";
/// Its SHA-256 checksum, as Debian's index of sources has it.
pub const CHECKSUM: &str = "7d5b0b6062521e4627e099e4c9dc8248d32a30285e959b7eecaa780cf8cfd4a4";
/// What apt-get is asked for.
const PACKAGE: &str = "musl=1.2.3-1";
/// Where the machine says what archives it uses.
const SOURCES_LIST: &str = "/etc/apt/sources.list";
const SOURCES_PARTS: &str = "/etc/apt/sources.list.d";

/// The directory of the unpacked source.
pub fn unpacked(cache: &Path) -> Result<PathBuf, LibcError> {
    let directory = cache.join(format!("musl-{VERSION}"));
    if directory.is_dir() {
        return Ok(directory);
    }
    let archive = cache.join(ARCHIVE);
    if !archive.is_file() {
        fetch(cache)?;
    }
    check(&archive)?;
    let making = cache.join("unpack");
    make_empty(&making)?;
    let arguments = [
        OsStr::new("-xzf"),
        archive.as_os_str(),
        OsStr::new("-C"),
        making.as_os_str(),
    ];
    run("unpack the C library", "tar", arguments)?;
    let inner = making.join(format!("musl-{VERSION}"));
    fs::rename(&inner, &directory).map_err(LibcError::file("write", &directory))?;
    fs::remove_dir(&making).map_err(LibcError::file("remove", &making))?;
    Ok(directory)
}

/// Runs a tool to its end; its standard output.
pub fn run<S: AsRef<OsStr>>(
    step: &str,
    tool: &'static str,
    arguments: impl IntoIterator<Item = S>,
) -> Result<String, LibcError> {
    finish(step, tool, Command::new(tool).args(arguments))
}

fn finish(step: &str, tool: &'static str, command: &mut Command) -> Result<String, LibcError> {
    let step = step.to_owned();
    match command.output() {
        Err(source) => Err(LibcError::NoTool { step, tool, source }),
        Ok(output) if !output.status.success() => Err(LibcError::Tool {
            step,
            tool,
            message: String::from_utf8_lossy(&output.stderr)
                .trim_end()
                .to_owned(),
        }),
        Ok(output) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
    }
}

fn check(archive: &Path) -> Result<(), LibcError> {
    let output = run("check the C library", "sha256sum", [archive])?;
    // A backslash in front says that the file's name has been escaped.
    let found = output
        .trim_start_matches('\\')
        .split(' ')
        .next()
        .unwrap_or_default();
    if found == CHECKSUM {
        return Ok(());
    }
    Err(LibcError::Checksum {
        path: archive.to_path_buf(),
        found: found.to_owned(),
        expected: CHECKSUM,
    })
}

fn fetch(cache: &Path) -> Result<(), LibcError> {
    eprintln!("kettle-cc: fetching the source of the C library (musl {VERSION}) with apt-get");
    let apt = cache.join("apt");
    make_empty(&apt)?;
    let fetched = fetch_with(&apt).map_err(|error| LibcError::NoSource {
        message: error.to_string(),
        file: ARCHIVE,
        directory: cache.to_path_buf(),
    })?;
    let to = cache.join(ARCHIVE);
    fs::rename(&fetched, &to).map_err(LibcError::file("write", &to))?;
    fs::remove_dir_all(&apt).map_err(LibcError::file("remove", &apt))
}

/// Fetches into a directory of apt-get's own; the archive there.
fn fetch_with(apt: &Path) -> Result<PathBuf, LibcError> {
    let [lists, parts, cache, packages] =
        ["lists", "parts", "cache", "packages"].map(|name| apt.join(name));
    for directory in [
        &lists.join("partial"),
        &parts,
        &cache.join("archives/partial"),
        &packages,
    ] {
        fs::create_dir_all(directory).map_err(LibcError::file("create", directory))?;
    }
    write_lists(&parts)?;
    let settings = [
        "Dir::Etc::sourcelist=/dev/null".to_owned(),
        format!("Dir::Etc::sourceparts={}", parts.display()),
        format!("Dir::State::lists={}", lists.display()),
        format!("Dir::Cache={}", cache.display()),
        "APT::Sandbox::User=".to_owned(),
        "Debug::NoLocking=true".to_owned(),
    ];
    let apt_get = |step: &str, arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.current_dir(&packages);
        for setting in &settings {
            command.args(["-o", setting]);
        }
        finish(step, "apt-get", command.arg("-q").args(arguments))
    };
    apt_get("read the index of sources", &["update"])?;
    apt_get("fetch the package", &["--download-only", "source", PACKAGE])?;
    Ok(packages.join(ARCHIVE))
}

/// Writes lists that ask for sources where the machine's ask for binaries.
fn write_lists(to: &Path) -> Result<(), LibcError> {
    let mut lists = vec![PathBuf::from(SOURCES_LIST)];
    if let Ok(entries) = fs::read_dir(SOURCES_PARTS) {
        lists.extend(entries.flatten().map(|e| e.path()));
    }
    lists.sort();
    for list in lists {
        let (Some(extension), Some(name)) = (list.extension(), list.file_name()) else {
            continue;
        };
        // A list that cannot be read is none.
        let text = fs::read_to_string(&list).unwrap_or_default();
        let text = match extension.to_str() {
            Some("list") => one_line_sources(&text),
            Some("sources") => stanza_sources(&text),
            _ => continue,
        };
        let path = to.join(name);
        fs::write(&path, text).map_err(LibcError::file("write", &path))?;
    }
    Ok(())
}

/// `deb http://... bookworm main` asks for binaries, `deb-src ...` for sources.
fn one_line_sources(text: &str) -> String {
    let source = |line: &str| {
        let rest = line.trim_start().strip_prefix("deb")?;
        let rest = rest.strip_prefix("-src").unwrap_or(rest);
        rest.starts_with([' ', '\t'])
            .then(|| format!("deb-src{rest}\n"))
    };
    text.lines().filter_map(source).collect()
}

/// In the newer form, `Types: deb` does.
fn stanza_sources(text: &str) -> String {
    let source = |line: &str| {
        let is_types = line
            .get(..6)
            .is_some_and(|start| start.eq_ignore_ascii_case("types:"));
        if is_types {
            "Types: deb-src\n".to_owned()
        } else {
            format!("{line}\n")
        }
    };
    text.lines().map(source).collect()
}

fn make_empty(directory: &Path) -> Result<(), LibcError> {
    if directory.exists() {
        fs::remove_dir_all(directory).map_err(LibcError::file("remove", directory))?;
    }
    fs::create_dir_all(directory).map_err(LibcError::file("create", directory))
}

#[cfg(test)]
mod tests {
    use super::{one_line_sources, stanza_sources};

    #[test]
    fn binaries_become_sources_in_both_forms() {
        let lines = "# comment\ndeb [arch=amd64] http://a.example/debian bookworm main\ndeb-src http://b.example x main\n\ndebug\n";
        assert_eq!(
            one_line_sources(lines),
            "deb-src [arch=amd64] http://a.example/debian bookworm main\ndeb-src http://b.example x main\n"
        );
        let stanza =
            "Types: deb deb-src\nURIs: http://a.example/debian\nSuites: bookworm\n\ntypes: deb\n";
        assert_eq!(
            stanza_sources(stanza),
            "Types: deb-src\nURIs: http://a.example/debian\nSuites: bookworm\n\nTypes: deb-src\n"
        );
    }
}
