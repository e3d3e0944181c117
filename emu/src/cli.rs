//! The `kettle` command: what its arguments mean, and what its exit status and its output say.

mod run;

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;
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
    let Command::Run(args) = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => return not_understood(&error),
    };
    match run::run(&args) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            say(&format_args!("kettle: {error:#}"));
            ExitCode::from(FAILED)
        }
    }
}

/// A command line that asks for help, or that cannot be understood: its status must not look like one of the program.
fn not_understood(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Nobody is left to tell if the reader of the help has gone.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // Nothing was asked for: the text is the help.
        say(&text.trim_end());
        return ExitCode::from(FAILED);
    }
    let text = text.strip_prefix("error").unwrap_or(&text);
    say(&format_args!("kettle{}", text.trim_end()));
    ExitCode::from(FAILED)
}

/// Writes a line for the user to standard error. That nobody reads it must not change a run, nor its status.
fn say(line: &dyn Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Exit status of `kettle` when it could not run the program, or could not run it to its end (as env(1) and timeout(1) have it).
pub const FAILED: u8 = 125;

/// Exit status when the program itself ended with 0 but a node of the cluster could not execute it (as the shell has it).
pub const REFUSED: u8 = 126;

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_manual_has_every_flag() {
        let page = include_str!("../../docs/src/manual/run.md");
        let command = Cli::command();
        let run = command
            .find_subcommand("run")
            .expect("there is `kettle run`");
        for flag in run
            .get_arguments()
            .filter_map(|argument| argument.get_long())
        {
            assert!(
                page.contains(&format!("`--{flag}")),
                "--{flag} is not in the manual"
            );
        }
    }
}
