//! Response files: `@FILE` stands for the arguments in that file, divided by white space, with quotes and backslashes as the GNU tools
//! read them. A file may name further files.

use std::path::PathBuf;

use super::UsageError;

/// Files within files, at most; a file that names itself ends here.
const DEPTH: usize = 16;

/// The arguments with all response files put in.
pub fn expand(arguments: Vec<String>) -> Result<Vec<String>, UsageError> {
    let mut out = Vec::new();
    for argument in arguments {
        put_in(argument, DEPTH, &mut out)?;
    }
    Ok(out)
}

fn put_in(argument: String, depth: usize, out: &mut Vec<String>) -> Result<(), UsageError> {
    let Some(file) = argument.strip_prefix('@').filter(|f| !f.is_empty()) else {
        out.push(argument);
        return Ok(());
    };
    if depth == 0 {
        return Err(UsageError::ResponseFileDepth(PathBuf::from(file)));
    }
    let text = std::fs::read_to_string(file).map_err(|source| UsageError::ResponseFile {
        path: PathBuf::from(file),
        source,
    })?;
    for inner in split(&text) {
        put_in(inner, depth - 1, out)?;
    }
    Ok(())
}

/// The arguments in a text.
fn split(text: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut current: Option<String> = None;
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => current.get_or_insert_default().extend(characters.next()),
            _ if quote == Some(c) => quote = None,
            _ if quote.is_some() => current.get_or_insert_default().push(c),
            '\'' | '"' => {
                quote = Some(c);
                current.get_or_insert_default();
            }
            _ if c.is_whitespace() => arguments.extend(current.take()),
            _ => current.get_or_insert_default().push(c),
        }
    }
    arguments.extend(current);
    arguments
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn arguments_are_divided_as_the_gnu_tools_do() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("a b\n\tc ", &["a", "b", "c"]),
            ("'a b' \"c'd\"", &["a b", "c'd"]),
            (r#"-DX=\"y\ z\""#, &["-DX=\"y z\""]),
            (r#"-D'X="y z"' """#, &["-DX=\"y z\"", ""]),
            (r"a\\b", &[r"a\b"]),
        ];
        for (text, expected) in cases {
            assert_eq!(split(text), *expected, "{text:?}");
        }
    }
}
