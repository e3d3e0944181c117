//! Programs that nobody here wrote: Debian's bzip2, zlib, Lua and SQLite, built by their own makefiles with kettle-cc, unmodified, and run with hops.
//!
//! The measure is always the same program on plain Linux: the host's own binary, and that of the other instruction set under qemu-user.
//! The sources are fetched as Debian source packages and kept, with what is built of them, below cargo's target directory.

mod build;
mod bzip2;
mod lua;
mod run;
mod sqlite;
mod zlib;
