//! The `kettle` command: what its arguments mean, and what its exit status and its output say.

mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use run::RunArgs;

/// Emulates a cluster of Popcorn Linux nodes of different instruction sets: threads of a program migrate between them in mid-execution.
#[derive(Debug, Parser)]
#[command(name = "kettle", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a program on a cluster.
    Run(RunArgs),
}

/// Does what the command line says. An error is a sentence for the user; the exit status is then [`FAILED`].
pub fn main() -> ExitCode {
    let Command::Run(args) = Cli::parse().command;
    match run::run(&args) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("kettle: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

/// Exit status of `kettle` when it could not run the program, or could not run it to its end (as env(1) and timeout(1) have it).
pub const FAILED: u8 = 125;

/// Exit status when the program itself ended with 0 but a node of the cluster could not execute it (as the shell has it).
pub const REFUSED: u8 = 126;
