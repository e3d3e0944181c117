//! Puts right what LLVM 19 writes into a MIR file and cannot read again: constants of zeros, which its parser wants to see element by element.

use std::fs;
use std::path::Path;

use crate::BuildError;

/// How a constant of zeros ends.
const ZEROS: &str = "> zeroinitializer'";

/// Makes a MIR file readable. Most are already, and stay as they are.
pub fn make_readable(path: &Path) -> Result<(), BuildError> {
    let text = fs::read_to_string(path).map_err(BuildError::file("read", path))?;
    match readable(&text) {
        Some(text) => fs::write(path, text).map_err(BuildError::file("write", path)),
        None => Ok(()),
    }
}

/// The text with all vectors of zeros spelt out, if there are any.
fn readable(text: &str) -> Option<String> {
    if !text.contains(ZEROS) {
        return None;
    }
    let lines = text.lines().map(|line| match spelt_out(line) {
        Some(line) => line + "\n",
        None => format!("{line}\n"),
    });
    Some(lines.collect())
}

/// `value: '<4 x i32> zeroinitializer'` with its elements.
fn spelt_out(line: &str) -> Option<String> {
    let (before, constant) = line.strip_suffix(ZEROS)?.split_once("'<")?;
    let (count, element) = constant.split_once(" x ")?;
    let zero = match element {
        "ptr" => "null",
        "half" | "bfloat" | "float" | "double" => "0.0",
        _ => "0",
    };
    let elements = vec![format!("{element} {zero}"); count.parse().ok()?];
    Some(format!(
        "{before}'<{count} x {element}> <{}>'",
        elements.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_zeros_are_spelt_out() {
        let text = "constants:\n  - id: 0\n    value:           '<4 x i32> zeroinitializer'\n  - id: 1\n    value:           '<2 x double> zeroinitializer'\n  - id: 2\n    value:           double 1.5\n";
        let expected = "constants:\n  - id: 0\n    value:           '<4 x i32> <i32 0, i32 0, i32 0, i32 0>'\n  - id: 1\n    value:           '<2 x double> <double 0.0, double 0.0>'\n  - id: 2\n    value:           double 1.5\n";
        assert_eq!(readable(text).as_deref(), Some(expected));
        assert_eq!(readable(expected), None);
    }
}
