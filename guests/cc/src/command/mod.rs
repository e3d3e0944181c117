//! The command line of `kettle-cc`, in the way of the GNU compilers, so that build systems and configure scripts can use it.
//!
//! Flags with a meaning of their own are taken apart here; all others are in a table ([`flags`]). A flag that neither knows is an
//! error, never a silent guess.

mod answers;
mod flags;
mod response;

use std::path::PathBuf;

use thiserror::Error;

pub use answers::Question;
use flags::Rule;

use crate::inputs::{Input, Language};
use crate::{MigrationPoints, Product};

/// What a command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// Something to be answered instead of anything to be built.
    pub question: Option<Question>,
    /// What to make of each source; a program when absent.
    pub product: Option<Product>,
    /// `-o`.
    pub output: Option<PathBuf>,
    /// Files and libraries in their order.
    pub inputs: Vec<Named>,
    /// `-L`.
    pub library_directories: Vec<PathBuf>,
    /// Flags for the front end.
    pub front_end: Vec<String>,
    /// Whether a file of dependencies is wanted (`-MD`), and whether its name (`-MF`) and its target (`-MT`) are given.
    pub dependencies: Dependencies,
    /// `-g`.
    pub debug_info: bool,
    /// `-v`.
    pub verbose: bool,
    /// `--migration-points`.
    pub migration_points: MigrationPoints,
    /// `--keep`.
    pub keep: Option<PathBuf>,
}

/// See [`CommandLine::dependencies`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dependencies {
    /// `-MD`, `-MMD`.
    pub wanted: bool,
    /// `-MF`.
    pub file: bool,
    /// `-MT`, `-MQ`.
    pub target: bool,
}

/// An input as the command line names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A file.
    File(Input),
    /// `-lNAME`.
    Library {
        /// What comes after `-l`.
        name: String,
        /// Whether all of it is linked.
        whole: bool,
    },
}

/// A command line that cannot be followed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UsageError {
    /// No such flag.
    #[error("unknown flag {0}; kettle-cc --help lists what there is")]
    Unknown(String),
    /// A flag of other compilers that makes no sense here.
    #[error("{flag}: {why}")]
    Refused {
        /// The flag.
        flag: String,
        /// Why, and what would be right.
        why: String,
    },
    /// A flag without its value.
    #[error("{0} needs a value behind it")]
    NoValue(String),
    /// A response file cannot be read.
    #[error("cannot read the response file {}: {source}", path.display())]
    ResponseFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Response files that name each other.
    #[error("the response file {} is named by itself, or 16 deep", .0.display())]
    ResponseFileDepth(PathBuf),
}

fn refused(flag: &str, why: &str) -> UsageError {
    UsageError::Refused {
        flag: flag.to_owned(),
        why: why.to_owned(),
    }
}

impl CommandLine {
    /// Reads the arguments behind the command's name.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, UsageError> {
        let arguments = response::expand(arguments.into_iter().collect())?;
        let mut parser = Parser {
            line: Self {
                front_end: vec!["-O2".into()],
                ..Self::default()
            },
            language: None,
            whole: false,
            rest: arguments.into_iter(),
        };
        while let Some(argument) = parser.rest.next() {
            parser.argument(argument)?;
        }
        let mut line = parser.line;
        if line.verbose && line.inputs.is_empty() && line.question.is_none() {
            line.question = Some(Question::Version);
        }
        Ok(line)
    }
}

struct Parser {
    line: CommandLine,
    /// `-x`.
    language: Option<Language>,
    /// Between `--whole-archive` and `--no-whole-archive`.
    whole: bool,
    rest: std::vec::IntoIter<String>,
}

impl Parser {
    fn argument(&mut self, argument: String) -> Result<(), UsageError> {
        if argument == "-" || !argument.starts_with('-') {
            // The standard input has no name that could tell.
            let language = (argument == "-").then_some(Language::C);
            self.line.inputs.push(Named::File(Input {
                path: PathBuf::from(argument),
                language: self.language.or(language),
                whole_archive: self.whole,
            }));
            return Ok(());
        }
        if let Some(question) = Question::of(&argument) {
            self.line.question = Some(question);
            return Ok(());
        }
        if self.step(&argument) || self.debug(&argument) {
            return Ok(());
        }
        if let Some(value) = argument.strip_prefix("-Wp,") {
            return self.preprocessor(value);
        }
        if let Some(value) = argument.strip_prefix("-Wl,") {
            return self.linker(value);
        }
        if let Some(value) = argument.strip_prefix("--migration-points=") {
            self.line.migration_points = migration_points(value)?;
            return Ok(());
        }
        if let Some(value) = argument.strip_prefix("--keep=") {
            self.line.keep = Some(PathBuf::from(value));
            return Ok(());
        }
        match argument.as_str() {
            "-v" | "--verbose" => self.line.verbose = true,
            "-w" => self.front_end("-Wno-everything"),
            "-Xlinker" => {
                let value = self.value(&argument)?;
                return self.linker(&value);
            }
            "--keep" => self.line.keep = Some(PathBuf::from(self.value(&argument)?)),
            "--migration-points" => {
                self.line.migration_points = migration_points(&self.value(&argument)?)?;
            }
            "-MD" | "-MMD" => {
                self.line.dependencies.wanted = true;
                self.front_end("-MMD");
            }
            "-M" | "-MM" => {
                self.line.product = Some(Product::Preprocessed);
                self.front_end("-MM");
            }
            _ => return self.with_value(argument),
        }
        Ok(())
    }

    /// Flags that say how far to go.
    fn step(&mut self, argument: &str) -> bool {
        let product = match argument {
            "-c" | "--compile" => Product::Bitcode,
            "-S" | "--assemble" => Product::IrText,
            "-E" | "--preprocess" => Product::Preprocessed,
            "-fsyntax-only" => Product::Nothing,
            _ => return false,
        };
        // Of several, the one that stops first.
        let earliest = self.line.product.map_or(product, |p| p.min(product));
        self.line.product = Some(earliest);
        true
    }

    /// `-g...`: there is one kind of debug information.
    fn debug(&mut self, argument: &str) -> bool {
        let Some(kind) = argument.strip_prefix("-g") else {
            return false;
        };
        let known = ["0", "1", "2", "3"].contains(&kind)
            || ["ggdb", "gdwarf"]
                .iter()
                .any(|k| argument[1..].starts_with(k))
            || ["", "line-tables-only", "column-info", "no-column-info"].contains(&kind)
            || ["split-dwarf", "strict-dwarf", "no-strict-dwarf"].contains(&kind);
        if known {
            self.line.debug_info = !(kind == "0" || kind == "gdb0");
        }
        known
    }

    /// Flags whose value is joined to them, or the next argument.
    fn with_value(&mut self, argument: String) -> Result<(), UsageError> {
        if let Some(level) = argument.strip_prefix("-O") {
            return self.optimise(&argument, level);
        }
        for short in ["-o", "-L", "-l", "-x"] {
            let Some(joined) = argument.strip_prefix(short) else {
                continue;
            };
            let value = match joined {
                "" => self.value(short)?,
                joined => joined.to_owned(),
            };
            match short {
                "-o" => self.line.output = Some(PathBuf::from(value)),
                "-L" => self.line.library_directories.push(PathBuf::from(value)),
                "-l" => self.line.inputs.push(Named::Library {
                    name: value,
                    whole: self.whole,
                }),
                _ => return self.language(&value),
            }
            return Ok(());
        }
        self.by_table(argument)
    }

    fn by_table(&mut self, argument: String) -> Result<(), UsageError> {
        let rule = flags::rule(&argument).ok_or_else(|| UsageError::Unknown(argument.clone()))?;
        match rule {
            Rule::FrontEnd => self.line.front_end.push(argument),
            Rule::Ignored => {}
            Rule::FrontEndValue | Rule::IgnoredValue => {
                let mut flag = vec![argument];
                if !flags::has_joined_value(&flag[0]) {
                    let value = self.value(&flag[0])?;
                    flag.push(value);
                }
                if rule == Rule::FrontEndValue {
                    self.line.dependencies.file |= flag[0].starts_with("-MF");
                    self.line.dependencies.target |=
                        flag[0].starts_with("-MT") || flag[0].starts_with("-MQ");
                    self.line.front_end.extend(flag);
                }
            }
            Rule::Refused(why) => return Err(refused(&argument, why)),
        }
        Ok(())
    }

    fn optimise(&mut self, argument: &str, level: &str) -> Result<(), UsageError> {
        let level = match level {
            "" => "1",
            // Its additional permissions are not made use of, as with -ffast-math.
            "fast" => "3",
            "0" | "1" | "2" | "3" | "s" | "z" | "g" => level,
            _ if level.bytes().all(|b| b.is_ascii_digit()) => "3",
            _ => return Err(UsageError::Unknown(argument.to_owned())),
        };
        self.front_end(&format!("-O{level}"));
        Ok(())
    }

    fn language(&mut self, name: &str) -> Result<(), UsageError> {
        self.language = match name {
            "none" => None,
            "c" | "c-header" => Some(Language::C),
            "cpp-output" => Some(Language::PreprocessedC),
            _ => {
                return Err(refused(
                    &format!("-x {name}"),
                    "the languages are c, cpp-output and none (by the file's name)",
                ));
            }
        };
        Ok(())
    }

    /// `-Wp,`: old makefiles ask for dependencies this way, with the file's name behind.
    fn preprocessor(&mut self, value: &str) -> Result<(), UsageError> {
        let mut parts = value.split(',').map(str::to_owned).peekable();
        while let Some(part) = parts.next() {
            let dependencies = part == "-MD" || part == "-MMD";
            self.argument(part)?;
            if dependencies && let Some(file) = parts.next_if(|p| !p.starts_with('-')) {
                self.line.dependencies.file = true;
                self.line.front_end.extend(["-MF".to_owned(), file]);
            }
        }
        Ok(())
    }

    /// `-Wl,`: what the linker does here it does for every program; archives are searched until nothing new is found, in any order.
    fn linker(&mut self, value: &str) -> Result<(), UsageError> {
        let mut parts = value.split(',');
        while let Some(part) = parts.next() {
            match part {
                "--whole-archive" => self.whole = true,
                "--no-whole-archive" => self.whole = false,
                "--version" | "-v" | "-V" => self.line.question = Some(Question::Linker),
                // Its value may have come in a `-Wl,` of its own, as libtool writes it.
                "-rpath" | "-z" | "-soname" | "-h" if parts.next().is_none() => {
                    self.value(part)?;
                }
                "-rpath" | "-z" | "-soname" | "-h" => {}
                _ if LINKER_IGNORED.iter().any(|p| {
                    part == *p || p.strip_suffix('*').is_some_and(|s| part.starts_with(s))
                }) => {}
                _ => {
                    return Err(refused(
                        &format!("-Wl,{part}"),
                        "the layout of the two binaries leaves the linker no choices; leave it away",
                    ));
                }
            }
        }
        Ok(())
    }

    fn front_end(&mut self, flag: &str) {
        self.line.front_end.push(flag.to_owned());
    }

    fn value(&mut self, flag: &str) -> Result<String, UsageError> {
        self.rest
            .next()
            .ok_or_else(|| UsageError::NoValue(flag.to_owned()))
    }
}

/// What the linker does anyway, or what has no meaning for a static program.
const LINKER_IGNORED: &[&str] = &[
    "",
    "--start-group",
    "--end-group",
    "-(",
    "-)",
    "--as-needed",
    "--no-as-needed",
    "--gc-sections",
    "--no-gc-sections",
    "--no-undefined",
    "--export-dynamic",
    "-E",
    "-s",
    "-S",
    "-x",
    "--strip*",
    "--hash-style=*",
    "--build-id*",
    "--enable-new-dtags",
    "--disable-new-dtags",
    "--sort-common*",
    "--relax",
    "--warn-common",
    "--fatal-warnings",
    "--no-fatal-warnings",
    "-Bstatic",
    "-Bdynamic",
    "-Bsymbolic*",
    "-O*",
    "-rpath=*",
    "-rpath-link=*",
    "-z*",
];

fn migration_points(value: &str) -> Result<MigrationPoints, UsageError> {
    match value {
        "manual" => Ok(MigrationPoints::Manual),
        "functions" => Ok(MigrationPoints::Functions),
        "loops" => Ok(MigrationPoints::Loops),
        _ => Err(refused(
            &format!("--migration-points={value}"),
            "there are manual (calls of migrate() and check_migrate()), functions (also entries of functions, and system calls) and loops (also every round of a loop)",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{CommandLine, Named, Product};

    fn parse(text: &str) -> Result<CommandLine, String> {
        CommandLine::parse(text.split_whitespace().map(str::to_owned)).map_err(|e| e.to_string())
    }

    #[test]
    fn flags_come_to_the_front_end_in_their_order() {
        for (text, expected) in [
            ("", &["-O2"][..]),
            ("-O0 -g -DX -D Y=1", &["-O2", "-O0", "-DX", "-D", "Y=1"]),
            ("-Ofast -O7 -O", &["-O2", "-O3", "-O3", "-O1"]),
            ("-w -Wall", &["-O2", "-Wno-everything", "-Wall"]),
            (
                "-MD -MF x.d -MTx.o -MP",
                &["-O2", "-MMD", "-MF", "x.d", "-MTx.o", "-MP"],
            ),
            ("-Wp,-MD,x.d -Wp,-DY", &["-O2", "-MMD", "-MF", "x.d", "-DY"]),
            (
                "-fPIC -pipe -m64 -ffast-math -flto=auto --param x=1",
                &["-O2"],
            ),
            (
                "-isystem a -Ib -I c -iquoted",
                &["-O2", "-isystem", "a", "-Ib", "-I", "c", "-iquoted"],
            ),
        ] {
            assert_eq!(parse(text).expect(text).front_end, expected, "{text}");
        }
    }

    #[test]
    fn how_far_to_go_is_the_earliest_step_asked_for() {
        for (text, expected) in [
            ("a.c", None),
            ("-c a.c", Some(Product::Bitcode)),
            ("-c -S a.c", Some(Product::IrText)),
            ("-E -c a.c", Some(Product::Preprocessed)),
            ("-M a.c", Some(Product::Preprocessed)),
            ("-fsyntax-only a.c", Some(Product::Nothing)),
        ] {
            assert_eq!(parse(text).expect(text).product, expected, "{text}");
        }
    }

    #[test]
    fn libraries_and_archives_keep_their_place() {
        let line = parse(
            "a.o -Wl,-rpath -Wl,/lib -Wl,--whole-archive x.a -ly -Wl,--no-whole-archive -l m -L. -L dir",
        );
        let line = line.expect("it parses");
        let names: Vec<(String, bool)> = line
            .inputs
            .into_iter()
            .map(|i| match i {
                Named::File(f) => (f.path.display().to_string(), f.whole_archive),
                Named::Library { name, whole } => (format!("-l{name}"), whole),
            })
            .collect();
        let expected = [("a.o", false), ("x.a", true), ("-ly", true), ("-lm", false)];
        assert_eq!(names, expected.map(|(n, w)| (n.to_owned(), w)));
        assert_eq!(line.library_directories.len(), 2);
    }

    #[test]
    fn what_cannot_be_followed_is_said_in_a_sentence() {
        for (text, expected) in [
            (
                "-fno-such-thing",
                "unknown flag -fno-such-thing; kettle-cc --help lists what there is",
            ),
            ("--wrong", "unknown flag --wrong"),
            ("-o", "-o needs a value behind it"),
            ("-isystem", "-isystem needs a value behind it"),
            (
                "-march=native",
                "-march=native: asks for instructions of one instruction set",
            ),
            ("-shared", "-shared: programs are static"),
            ("-x c++", "-x c++: the languages are c"),
            ("-Wl,-Map=x", "-Wl,-Map=x: the layout"),
            ("-Wa,-k", "-Wa,-k: the parts of the compiler driver"),
            ("-m32", "-m32: programs are 64-bit"),
            ("@missing.rsp", "cannot read the response file missing.rsp"),
            (
                "--migration-points=often",
                "--migration-points=often: there are manual",
            ),
        ] {
            let message = parse(text).expect_err(text);
            assert!(message.starts_with(expected), "{text}: {message}");
        }
    }
}
