//! Puts right what LLVM 19 writes into a MIR file and cannot read again, or only slowly.
//!
//! Its parser wants to see constants of zeros element by element. And for each DIExpression that is written out it copies its table of all
//! metadata (`parseDIExpressionBodyAtBeginning`), which makes minutes of a large program with debug information; of one that has a number in
//! the module it does not.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::BuildError;

/// How a constant of zeros ends.
const ZEROS: &str = "> zeroinitializer'";

/// How an expression of debug information begins.
const EXPRESSION: &str = "!DIExpression(";

/// Makes a MIR file readable. Most without debug information are already, and stay as they are.
pub fn make_readable(path: &Path) -> Result<(), BuildError> {
    let text = fs::read_to_string(path).map_err(BuildError::file("read", path))?;
    let spelt_out = readable(&text);
    let numbered = numbered(spelt_out.as_deref().unwrap_or(&text));
    match numbered.or(spelt_out) {
        Some(text) => fs::write(path, text).map_err(BuildError::file("write", path)),
        None => Ok(()),
    }
}

/// The text with the expressions of debug instructions as numbers, which the module at its beginning defines, if there are any.
fn numbered(text: &str) -> Option<String> {
    let (module, functions) = text.split_once("\n...\n")?;
    if !functions.contains(EXPRESSION) {
        return None;
    }
    let number = |line: &str| -> Option<u32> {
        let (number, _) = line.trim_start().strip_prefix('!')?.split_once(" = ")?;
        number.parse().ok()
    };
    let first = module.lines().filter_map(number).max().map_or(0, |n| n + 1);
    let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
    let mut definitions = String::new();
    let mut body = String::with_capacity(functions.len());
    for line in functions.split_inclusive('\n') {
        let expression = Some(line)
            .filter(|line| line.trim_start().starts_with("DBG_"))
            .and_then(|line| {
                let start = line.find(EXPRESSION)?;
                let length = line[start..].find(')')? + 1;
                Some(start..start + length)
            });
        let Some(place) = expression else {
            body.push_str(line);
            continue;
        };
        let next = first + numbers.len() as u32;
        let expression = &line[place.clone()];
        let number = *numbers.entry(expression).or_insert_with(|| {
            let _ = write!(definitions, "\n  !{next} = {expression}");
            next
        });
        let _ = write!(
            body,
            "{}!{number}{}",
            &line[..place.start],
            &line[place.end..]
        );
    }
    (!numbers.is_empty()).then(|| format!("{module}{definitions}\n...\n{body}"))
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
    fn expressions_of_debug_instructions_get_numbers() {
        let text = "--- |\n  !7 = !{}\n  !8 = !DIExpression()\n...\n---\n    DBG_VALUE $rax, $noreg, !3, !DIExpression(), debug-location !4\n    $rax = MOV64ri 1, debug-location !DILocation(line: 1)\n    DBG_INSTR_REF !3, !DIExpression(DW_OP_LLVM_arg, 0), dbg-instr-ref(1, 0)\n    DBG_VALUE $rbx, $noreg, !3, !DIExpression()\n...\n";
        let expected = "--- |\n  !7 = !{}\n  !8 = !DIExpression()\n  !9 = !DIExpression()\n  !10 = !DIExpression(DW_OP_LLVM_arg, 0)\n...\n---\n    DBG_VALUE $rax, $noreg, !3, !9, debug-location !4\n    $rax = MOV64ri 1, debug-location !DILocation(line: 1)\n    DBG_INSTR_REF !3, !10, dbg-instr-ref(1, 0)\n    DBG_VALUE $rbx, $noreg, !3, !9\n...\n";
        assert_eq!(numbered(text).as_deref(), Some(expected));
        assert_eq!(numbered(expected), None);
        assert_eq!(numbered("---\nname: f\n...\n"), None);
    }

    #[test]
    fn vectors_of_zeros_are_spelt_out() {
        let text = "constants:\n  - id: 0\n    value:           '<4 x i32> zeroinitializer'\n  - id: 1\n    value:           '<2 x double> zeroinitializer'\n  - id: 2\n    value:           double 1.5\n";
        let expected = "constants:\n  - id: 0\n    value:           '<4 x i32> <i32 0, i32 0, i32 0, i32 0>'\n  - id: 1\n    value:           '<2 x double> <double 0.0, double 0.0>'\n  - id: 2\n    value:           double 1.5\n";
        assert_eq!(readable(text).as_deref(), Some(expected));
        assert_eq!(readable(expected), None);
    }
}
