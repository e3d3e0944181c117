//! Broken input: mutated programs, mutated cluster files, and wrong command lines. Each is refused with a sentence, or runs to an ordinary end;
//! none makes Kettle panic, die or hang.
//!
//! Everything comes from a seed, which a failure names. The suite tries fixed seeds; the tests called `soak_...` try as many as they are told
//! (`cargo xtask soak mutated`). Programs and cluster files are loaded and run in this process, command lines by the `kettle` command.

mod cluster_files;
mod command_lines;
mod draws;
mod programs;
mod seeds;
