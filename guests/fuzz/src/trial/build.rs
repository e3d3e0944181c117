//! Builds the programs of a batch: one binary for each instruction set by kettle-cc, and one by clang alone.

use std::ffi::OsStr;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use isa::Isa;
use isa::callsites::CallSites;
use isa::elf::ElfImage;

use super::Tools;
use crate::{Source, program};

/// The parts that are the same for every program.
const HEADER: &str = include_str!("../../c/fuzz.h");
const MAIN: &str = include_str!("../../c/main.c");

/// What makes clang alone compile the same language as kettle-cc.
const PLAIN: [&str; 5] = [
    "-mlong-double-64",
    "-ffp-contract=off",
    "-fno-strict-overflow",
    "-w",
    "-DPLAIN",
];

/// A batch that has been built.
#[derive(Debug)]
pub struct Built {
    directory: PathBuf,
    seeds: Range<u64>,
    /// Call sites that may migrate.
    pub sites: u64,
}

impl Built {
    /// Builds the programs of these seeds in a directory; an error is a sentence.
    pub fn new(tools: &Tools, seeds: Range<u64>, directory: &Path) -> Result<Self, String> {
        let built = Self {
            directory: directory.to_path_buf(),
            seeds: seeds.clone(),
            sites: 0,
        };
        let sources: Vec<Source> = seeds.map(program).collect();
        write(&sources, directory)?;
        let mut objects = vec!["main.c".to_owned(), "programs.c".to_owned()];
        let mut plain = objects.clone();
        for source in &sources {
            let [file, object, other] =
                ["c", "o", "plain.o"].map(|e| format!("{}.{e}", source.seed));
            let what = format!("compile seed {} at {}", source.seed, source.level);
            built.run(
                &what,
                &tools.kettle_cc,
                &[source.level, "-w", "-c", &file, "-o", &object],
            )?;
            built.compile_plain(other_level(source.level), &file, &other)?;
            objects.push(object);
            plain.push(other);
        }
        built.link(&tools.kettle_cc, &["-w"], &objects, "program")?;
        built.link_plain(&plain, "plain")?;
        let sites = built.count_sites()?;
        Ok(Self { sites, ..built })
    }

    /// The binary of this host, without the suffix of an ISA.
    pub fn program(&self) -> PathBuf {
        self.directory.join("program")
    }

    /// The binary of an ISA.
    pub fn binary(&self, isa: Isa) -> PathBuf {
        self.directory
            .join(format!("program_{}", isa.binary_suffix()))
    }

    /// What clang alone has made.
    pub fn plain(&self) -> PathBuf {
        self.directory.join("plain")
    }

    /// Builds what clang alone makes of a seed at the level that it has for kettle-cc. The programs beside it are as in [`plain`](Self::plain).
    pub fn plain_at_same_level(&self, seed: u64) -> Result<PathBuf, String> {
        let object = format!("{seed}.same.o");
        self.compile_plain(program(seed).level, &format!("{seed}.c"), &object)?;
        let mut inputs = vec!["main.c".to_owned(), "programs.c".to_owned()];
        let others = self.seeds.clone().filter(|other| *other != seed);
        inputs.extend(others.map(|other| format!("{other}.plain.o")));
        inputs.push(object);
        let output = format!("plain-{seed}");
        self.link_plain(&inputs, &output)?;
        Ok(self.directory.join(output))
    }

    fn compile_plain(&self, level: &str, file: &str, object: &str) -> Result<(), String> {
        let mut arguments = PLAIN.to_vec();
        arguments.extend([level, "-c", file, "-o", object]);
        self.run(
            &format!("compile {file} at {level}"),
            "clang-19",
            &arguments,
        )
    }

    fn link_plain(&self, inputs: &[String], output: &str) -> Result<(), String> {
        self.link("clang-19", &PLAIN, inputs, output)
    }

    fn link(
        &self,
        tool: impl AsRef<OsStr>,
        flags: &[&str],
        inputs: &[String],
        output: &str,
    ) -> Result<(), String> {
        let mut arguments: Vec<&str> = flags.to_vec();
        arguments.extend(inputs.iter().map(String::as_str));
        arguments.extend(["-lm", "-o", output]);
        self.run("link", tool, &arguments)
    }

    /// A file beside the programs.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn run(&self, what: &str, tool: impl AsRef<OsStr>, arguments: &[&str]) -> Result<(), String> {
        let mut command = Command::new(tool);
        command.args(arguments).current_dir(&self.directory);
        let output = command
            .output()
            .map_err(|e| format!("cannot {what}: {command:?} does not start: {e}"))?;
        if output.status.success() {
            return Ok(());
        }
        let message = String::from_utf8_lossy(&output.stderr);
        Err(format!(
            "cannot {what}: {command:?}\n{}",
            message.trim_end()
        ))
    }

    fn count_sites(&self) -> Result<u64, String> {
        let path = self.binary(Isa::X86_64);
        let wrong = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
        let bytes = fs::read(&path).map_err(|e| wrong(&e))?;
        let image = ElfImage::parse(&bytes).map_err(|e| wrong(&e))?;
        let table = CallSites::of_image(&image).map_err(|e| wrong(&e))?;
        Ok(table.sites().len() as u64)
    }
}

/// Writes the C files of a binary of these programs, and what they include.
fn write(sources: &[Source], directory: &Path) -> Result<Vec<PathBuf>, String> {
    let mut table = String::from("/* The programs of this binary. */\n#include \"fuzz.h\"\n");
    for source in sources {
        table += &format!("void fuzz_{}(void);\n", source.seed);
    }
    table += "struct program { unsigned long seed; void (*run)(void); };\nextern const struct program programs[];\nconst struct program programs[] = {\n";
    for source in sources {
        table += &format!("    {{{0}, fuzz_{0}}},\n", source.seed);
    }
    table += "    {0, 0},\n};\n";
    let write = |name: String, text: &str| {
        let path = directory.join(name);
        match fs::write(&path, text) {
            Ok(()) => Ok(path),
            Err(error) => Err(format!("cannot write {}: {error}", path.display())),
        }
    };
    fs::create_dir_all(directory)
        .map_err(|e| format!("cannot create {}: {e}", directory.display()))?;
    write("fuzz.h".into(), HEADER)?;
    let mut files = vec![
        write("main.c".into(), MAIN)?,
        write("programs.c".into(), &table)?,
    ];
    for source in sources {
        files.push(write(format!("{}.c", source.seed), &source.text)?);
    }
    Ok(files)
}

/// Writes all C files of a binary of some seeds into a directory; an error is a sentence.
pub fn write_sources(seeds: Range<u64>, directory: &Path) -> Result<Vec<PathBuf>, String> {
    write(&seeds.map(program).collect::<Vec<_>>(), directory)
}

/// The optimisation level for clang alone: one that differs.
fn other_level(level: &str) -> &'static str {
    if level == "-O0" { "-O2" } else { "-O0" }
}
