//! A private apt-get: it reads the machine's configuration, asks for sources where that asks for binaries, and writes to directories of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::SourceError;
use super::tool::finish;

/// Where the machine says what archives it uses.
const SOURCES_LIST: &str = "/etc/apt/sources.list";
const SOURCES_PARTS: &str = "/etc/apt/sources.list.d";

/// An apt-get with its own lists, which are read from the archives once.
pub struct Apt {
    packages: PathBuf,
    settings: Vec<String>,
}

impl Apt {
    /// Sets it up in a directory, which is to be empty, and reads the index of sources.
    pub fn new(directory: &Path) -> Result<Self, SourceError> {
        let [lists, parts, cache, packages] =
            ["lists", "parts", "cache", "packages"].map(|name| directory.join(name));
        for directory in [
            &lists.join("partial"),
            &parts,
            &cache.join("archives/partial"),
            &packages,
        ] {
            fs::create_dir_all(directory).map_err(SourceError::file("create", directory))?;
        }
        write_lists(&parts)?;
        let settings = vec![
            "Dir::Etc::sourcelist=/dev/null".to_owned(),
            format!("Dir::Etc::sourceparts={}", parts.display()),
            format!("Dir::State::lists={}", lists.display()),
            format!("Dir::Cache={}", cache.display()),
            "APT::Sandbox::User=".to_owned(),
            "Debug::NoLocking=true".to_owned(),
        ];
        let apt = Self { packages, settings };
        apt.run("read the index of sources", &["update"])?;
        Ok(apt)
    }

    /// Fetches a source package, as `name=version`; the directory where its archives are.
    pub fn fetch(&self, package: &str) -> Result<&Path, SourceError> {
        self.run("fetch the package", &["--download-only", "source", package])?;
        Ok(&self.packages)
    }

    fn run(&self, step: &str, arguments: &[&str]) -> Result<String, SourceError> {
        let mut command = Command::new("apt-get");
        command.current_dir(&self.packages);
        for setting in &self.settings {
            command.args(["-o", setting]);
        }
        finish(step, "apt-get", command.arg("-q").args(arguments))
    }
}

/// Writes lists that ask for sources where the machine's ask for binaries.
fn write_lists(to: &Path) -> Result<(), SourceError> {
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
        fs::write(&path, text).map_err(SourceError::file("write", &path))?;
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
