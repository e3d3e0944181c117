//! Lines of text: headings, paragraphs, items with a label, all within the width of the story.

use std::fmt::{self, Write};

/// Columns of the story.
pub const WIDTH: usize = 100;
/// Columns before the text of an item.
const LABEL: usize = 14;

/// A heading with a rule up to the right margin, with an empty line on either side.
pub fn heading(f: &mut fmt::Formatter<'_>, title: &str) -> fmt::Result {
    last_heading(f, title)?;
    writeln!(f)
}

/// The same without the empty line after it: what follows is not ours.
pub fn last_heading(f: &mut fmt::Formatter<'_>, title: &str) -> fmt::Result {
    let rule = WIDTH.saturating_sub(title.chars().count() + 4);
    writeln!(f, "\n── {title} {}", "─".repeat(rule))
}

/// A paragraph, indented by two.
pub fn paragraph(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    wrapped(f, "  ", "  ", text)
}

/// A paragraph with a label in front of it, after an empty line.
pub fn item(f: &mut fmt::Formatter<'_>, label: &str, text: &str) -> fmt::Result {
    writeln!(f)?;
    wrapped(
        f,
        &format!("  {label:<width$}", width = LABEL - 2),
        &" ".repeat(LABEL),
        text,
    )
}

/// A row of a table; what does not fit is cut.
pub fn row(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    writeln!(f, "    {}", cut(text.trim_end(), WIDTH - 4))
}

/// The first `columns` characters, with a sign where some are left out.
pub fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(columns.saturating_sub(1)).collect();
    short.push('…');
    short
}

fn wrapped(f: &mut fmt::Formatter<'_>, first: &str, others: &str, text: &str) -> fmt::Result {
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(f, "{}", line.trim_end())?;
            line.clear();
            line.push_str(others);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.write_str(word)?;
        empty = false;
    }
    writeln!(f, "{}", line.trim_end())
}
