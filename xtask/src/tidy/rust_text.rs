//! Rust source with everything that is not code taken out, so that a rule does not stumble over comments and strings.
//!
//! A scanner for line and nested block comments, plain, byte and raw strings, and character literals (as against lifetimes).
//! It expects source that compiles; of anything else it makes something harmless. Line breaks stay, so that line numbers hold.

/// `source` with comments and the contents of literals replaced by blanks.
#[must_use]
pub fn code_only(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = skipped(&chars, at);
        if end == at {
            code.push(chars[at]);
            at += 1;
        } else {
            code.extend(
                chars[at..end]
                    .iter()
                    .map(|c| if *c == '\n' { '\n' } else { ' ' }),
            );
            at = end;
        }
    }
    code
}

/// The lines of `code`, counted from 1, in which `word` stands as a word of its own.
pub fn lines_with_word<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.lines()
        .enumerate()
        .filter(move |(_, line)| line.split(|c| !is_word(c)).any(|part| part == word))
        .map(|(index, _)| index + 1)
}

/// The end of the comment or literal that begins at `at`; `at` itself where code begins.
fn skipped(chars: &[char], at: usize) -> usize {
    let next = |offset: usize| chars.get(at + offset).copied().unwrap_or('\0');
    let after_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match (chars[at], next(1)) {
        ('/', '/') => (at..chars.len())
            .find(|&i| chars[i] == '\n')
            .unwrap_or(chars.len()),
        ('/', '*') => block_comment(chars, at),
        ('"', _) => string(chars, at + 1),
        ('r', '"' | '#') if !after_word => raw_string(chars, at + 1, at),
        ('b' | 'c', 'r') if !after_word && matches!(next(2), '"' | '#') => {
            raw_string(chars, at + 2, at)
        }
        ('\'', '\\') => (at + 3..chars.len())
            .find(|&i| chars[i] == '\'')
            .map_or(chars.len(), |i| i + 1),
        // A character literal closes after one character; a lifetime does not.
        ('\'', _) if next(2) == '\'' => at + 3,
        _ => at,
    }
}

fn block_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

fn string(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() {
        match chars[at] {
            '"' => return at + 1,
            '\\' => at += 2,
            _ => at += 1,
        }
    }
    chars.len()
}

/// The end of the raw string whose hashes begin at `hashes`; `start` where it is a raw identifier (`r#type`) instead.
fn raw_string(chars: &[char], hashes: usize, start: usize) -> usize {
    let count = chars[hashes..].iter().take_while(|c| **c == '#').count();
    let open = hashes + count;
    if chars.get(open) != Some(&'"') {
        return start;
    }
    let closes = |i: &usize| {
        chars[*i] == '"' && chars[i + 1..].iter().take_while(|c| **c == '#').count() >= count
    };
    (open + 1..chars.len())
        .find(closes)
        .map_or(chars.len(), |i| i + 1 + count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_go_and_code_stays() {
        let cases = [
            ("a // unsafe\nb", "a          \nb"),
            ("a /* x /* y */ z */ b", "a                   b"),
            (r#"f("un\"safe") + g"#, "f(          ) + g"),
            ("r#\"un\"safe\"# + 1", "             + 1"),
            ("br\"x\" r#type", "      r#type"),
            (
                "('\"', 'x', '\\'', 'a: &'a str)",
                "(   ,    ,     , 'a: &'a str)",
            ),
            ("for\"x\"", "for   "),
        ];
        for (source, code) in cases {
            assert_eq!(code_only(source), code, "of {source}");
        }
    }

    #[test]
    fn a_word_is_found_only_as_a_whole() {
        let code =
            code_only("#![forbid(unsafe_code)]\nunsafe { x }\n// unsafe\nlet y = unsafe{z};");
        assert_eq!(lines_with_word(&code, "unsafe").collect::<Vec<_>>(), [2, 4]);
    }
}
