//! The plain build: `clang-19 -O2` for each ISA, linked with a plain musl of the version that kettle-cc has.
//!
//! That musl is built by its own configure script and makefile, from the same source, with its own architecture's code and start-up. Three
//! things are as in kettle-cc's library, because they are no matter of migratability: `long double` is double, memcpy and its like
//! are the runtime's C (musl's in assembly are slow for few bytes), and the compiler's functions for 128-bit and complex arithmetic are
//! the overlay's. Calls of <kettle.h> answer -ENOSYS.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use isa::Isa;
use kettle_cc::libc;

/// What affects the language, as in kettle-cc. clang's driver knows the flag for long double for x86_64 only; its compiler for all.
const FLAGS: &[&str] = &[
    "-std=gnu17",
    "-O2",
    "-Xclang",
    "-mlong-double-64",
    "-ffp-contract=off",
    "-fno-stack-protector",
    "-fsigned-char",
    "-fno-pic",
    "-fno-pie",
    "-nostdlibinc",
];

/// Of the runtime and its overlay of musl.
const SHARED: &[&str] = &[
    "runtime/native/memory.c",
    "runtime/musl/src/compiler/int128.c",
    "runtime/musl/src/compiler/complex.c",
];

/// A plain C library of one ISA.
#[derive(Debug)]
pub struct Peer {
    isa: Isa,
    /// musl as installed, and `support`: objects that every program is linked with.
    directory: PathBuf,
}

impl Peer {
    /// Builds the library, or finds it in the cache.
    pub fn prepare(isa: Isa) -> Result<Self> {
        let cache = libc::default_directory()?;
        let peer = Self {
            isa,
            directory: cache.join(format!("plain-musl-{}", isa.name())),
        };
        if !peer.directory.is_dir() {
            eprintln!("overhead: building a plain musl for {isa}; this is done once");
            peer.build_library(&libc::source(&cache)?)?;
        }
        peer.build_support()?;
        Ok(peer)
    }

    /// Compiles and links one program with c/repeat.c.
    pub fn build(&self, source: &Path, flags: &[&str], output: &Path) -> Result<()> {
        let programs = super::programs();
        let mut objects = vec![self.directory.join("lib/crt1.o")];
        for source in [source, &super::own("repeat.c")] {
            let object = output.with_extension(format!("{}.o", objects.len()));
            let mut clang = self.clang();
            clang.args(flags).arg("-I").arg(&programs);
            finish(clang.arg("-c").arg(source).arg("-o").arg(&object))?;
            objects.push(object);
        }
        objects.extend(self.support().map(|(_, object)| object));
        objects.push(self.directory.join("lib/libc.a"));
        let mut lld = Command::new("ld.lld-19");
        finish(lld.arg("-static").args(&objects).arg("-o").arg(output))
    }

    fn clang(&self) -> Command {
        let mut clang = Command::new("clang-19");
        clang.args(self.base()).args(FLAGS);
        clang.arg("-isystem").arg(self.directory.join("include"));
        clang.arg("-idirafter").arg(guests("runtime/include"));
        clang
    }

    fn base(&self) -> Vec<&'static str> {
        match self.isa {
            Isa::X86_64 => vec!["--target=x86_64-linux-musl"],
            Isa::Aarch64 => vec!["--target=aarch64-linux-musl", "-mno-outline-atomics"],
        }
    }

    /// Sources and objects of what is linked besides musl.
    fn support(&self) -> impl Iterator<Item = (PathBuf, PathBuf)> {
        let sources = SHARED.iter().map(|name| guests(name));
        let sources = sources.chain([super::own("plain.c")]);
        let directory = self.directory.join("support");
        sources.enumerate().map(move |(k, source)| {
            let object = directory.join(format!("{k}.o"));
            (source, object)
        })
    }

    fn build_support(&self) -> Result<()> {
        fs::create_dir_all(self.directory.join("support"))?;
        for (source, object) in self.support() {
            let mut clang = self.clang();
            clang.args(["-ffreestanding", "-w", "-c"]).arg(source);
            finish(clang.arg("-o").arg(object))?;
        }
        Ok(())
    }

    fn build_library(&self, source: &Path) -> Result<()> {
        let scratch = tempfile::tempdir()?;
        let work = scratch.path().join("musl");
        finish(Command::new("cp").arg("-r").args([source, &work]))?;
        let arch = self.isa.name();
        fs::copy(
            guests("runtime/musl/arch/bits/float.h"),
            work.join("arch").join(arch).join("bits/float.h"),
        )?;
        // Those for an 80-bit long double.
        let assembly = work.join("src/math/x86_64");
        for entry in fs::read_dir(&assembly)? {
            let path = entry?.path();
            let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
            if stem.ends_with('l') {
                fs::remove_file(path)?;
            }
        }
        let compiler = format!(
            "clang-19 {} -Xclang -mlong-double-64 -fno-pie",
            self.base().join(" ")
        );
        let installed = scratch.path().join("installed");
        let mut configure = Command::new("./configure");
        configure
            .current_dir(&work)
            .args(["--disable-shared", "--disable-wrapper"])
            .arg(format!("--target={arch}-linux-musl"))
            .arg(format!("--prefix={}", installed.display()))
            .env("CC", compiler)
            // musl wants arithmetic that follows the rounding mode, which is slower; kettle-cc's library has none.
            .env("CFLAGS", "-O2 -w -ffp-contract=off -fno-rounding-math")
            .env("AR", "llvm-ar-19")
            .env("RANLIB", "llvm-ranlib-19");
        finish(&mut configure)?;
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        let mut make = Command::new("make");
        finish(
            make.current_dir(&work)
                .arg(format!("-j{jobs}"))
                .arg("install"),
        )?;
        finish(
            Command::new("cp")
                .arg("-r")
                .args([&installed, &self.directory]),
        )
    }
}

/// A file or directory of guests.
fn guests(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// Runs a command to its end.
fn finish(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_owned();
    let output = command
        .output()
        .with_context(|| format!("{} does not start", program.display()))?;
    ensure!(
        output.status.success(),
        "{} fails: {}",
        program.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
