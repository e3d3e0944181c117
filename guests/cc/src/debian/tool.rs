//! Running a tool of the host to its end.

use std::ffi::OsStr;
use std::process::Command;

use super::SourceError;

/// Runs a tool to its end; its standard output.
pub fn run<S: AsRef<OsStr>>(
    step: &str,
    tool: &'static str,
    arguments: impl IntoIterator<Item = S>,
) -> Result<String, SourceError> {
    finish(step, tool, Command::new(tool).args(arguments))
}

/// Runs a command to its end; its standard output.
pub fn finish(
    step: &str,
    tool: &'static str,
    command: &mut Command,
) -> Result<String, SourceError> {
    let step = step.to_owned();
    match command.output() {
        Err(source) => Err(SourceError::NoTool { step, tool, source }),
        Ok(output) if !output.status.success() => Err(SourceError::Tool {
            step,
            tool,
            message: String::from_utf8_lossy(&output.stderr)
                .trim_end()
                .to_owned(),
        }),
        Ok(output) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
    }
}
