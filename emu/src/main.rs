//! The `kettle` command. All of it is in the library's `cli`.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    emu::cli::main()
}
