//! Building a package once: its source, its own build, and a directory below cargo's target that keeps the result.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kettle_cc::debian::DebianSource;

/// The packages, all of Debian 12.
pub const BZIP2: DebianSource = DebianSource {
    package: "bzip2=1.0.8-5",
    archive: "bzip2_1.0.8.orig.tar.gz",
    checksum: "ab5a03176ee106d3f0fa90e381da478ddae405918153cca248e682cd0c4a2269",
    directory: "bzip2-1.0.8",
};
pub const ZLIB: DebianSource = DebianSource {
    package: "zlib=1:1.2.13.dfsg-1",
    archive: "zlib_1.2.13.dfsg.orig.tar.bz2",
    checksum: "71feb7947e3c00ef125f83b79a4e529bde31171e5babe48b391f06758d1ab0a1",
    directory: "zlib-1.2.13.dfsg",
};
pub const LUA: DebianSource = DebianSource {
    package: "lua5.4=5.4.4-3+deb12u1",
    archive: "lua5.4_5.4.4.orig.tar.gz",
    checksum: "164c7849653b80ae67bec4b7473b884bf5cc8d2dca05653475ec2ed27b9ebf61",
    directory: "lua-5.4.4",
};
pub const SQLITE: DebianSource = DebianSource {
    package: "sqlite3=3.40.1-2+deb12u2",
    archive: "sqlite3_3.40.1.orig.tar.xz",
    checksum: "aaa776260ab4dc976db34aa7891819484c8676b5b2783123ebc6301e2ca5d655",
    directory: "sqlite3-3.40.1",
};
const ALL: [DebianSource; 4] = [BZIP2, ZLIB, LUA, SQLITE];

/// The compiler.
const CC: &str = env!("CARGO_BIN_EXE_kettle-cc");

/// Where cargo puts the programs of this workspace, the emulator among them: with the whole workspace it is built before tests run, and
/// alone for the first of these tests.
pub fn programs() -> PathBuf {
    let directory = Path::new(CC).parent().expect("a program is in a directory");
    if !directory.join("kettle").is_file() {
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--workspace", "--bin", "kettle"])
            .status();
        assert!(status.is_ok_and(|s| s.success()), "emu cannot be built");
    }
    directory.to_path_buf()
}

/// The emulator.
pub fn kettle() -> PathBuf {
    programs().join("kettle")
}

/// The search path that finds this workspace's programs first.
pub fn search_path() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "makefiles find make and the shell where the tests do"
    )]
    let inherited = std::env::var("PATH").unwrap_or_default();
    format!("{}:{inherited}", programs().display())
}

/// The directory of a package that these commands have built. The first who asks builds it; others wait.
pub fn built(source: &DebianSource, steps: &[&[&str]]) -> PathBuf {
    let cache = programs().join("../kettle/third_party");
    let unpacked = source.unpacked(&cache.join("sources"), &ALL);
    let unpacked = unpacked.unwrap_or_else(|error| panic!("{error}"));
    let mut hasher = DefaultHasher::new();
    hasher.write(&fs::read(CC).expect("the compiler is there"));
    for step in steps {
        hasher.write(step.join("\0").as_bytes());
    }
    let name = format!("{}-{:016x}", source.directory, hasher.finish());
    let lock = File::create(cache.join(format!("{}.lock", source.directory)));
    let lock = lock.expect("the cache can be written");
    lock.lock().expect("the cache can be locked");
    let directory = cache.join(&name);
    if directory.is_dir() {
        return directory;
    }
    let making = cache.join(format!("{name}.part"));
    if making.exists() {
        fs::remove_dir_all(&making).expect("a build that was broken off can be removed");
    }
    copy(&unpacked, &making).expect("a source can be copied");
    for step in steps {
        let output = command(&making, step).output();
        let output = output.unwrap_or_else(|error| panic!("{step:?}: {error}"));
        assert!(
            output.status.success(),
            "{step:?} in {} fails:\n{}",
            making.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    fs::rename(&making, &directory).expect("what is complete gets its name");
    directory
}

/// A command of a build, in a directory, which finds this workspace's programs and none of the settings of the cargo above it, which its `make` would misread.
pub fn command(at: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .current_dir(at)
        .env("PATH", search_path())
        .env_remove("MAKEFLAGS")
        .env_remove("CARGO_MAKEFLAGS")
        .stdin(Stdio::null());
    command
}

/// Copies a directory with all that is in it. Times are kept: makefiles look at them.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let status = Command::new("cp").arg("-a").args([from, to]).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("cp of {} fails", from.display())))
    }
}
