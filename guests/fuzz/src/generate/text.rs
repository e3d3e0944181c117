//! C text with its indentation.

/// Lines of C.
#[derive(Debug, Default)]
pub struct Text {
    lines: String,
    depth: usize,
}

impl Text {
    /// Adds a line.
    pub fn line(&mut self, line: impl AsRef<str>) {
        for _ in 0..self.depth {
            self.lines.push_str("    ");
        }
        self.lines.push_str(line.as_ref());
        self.lines.push('\n');
    }

    /// Adds a line that opens a block.
    pub fn open(&mut self, line: impl AsRef<str>) {
        self.line(line);
        self.depth += 1;
    }

    /// Adds a line that closes a block.
    pub fn shut(&mut self, line: impl AsRef<str>) {
        self.depth -= 1;
        self.line(line);
    }

    /// Adds a line that closes a block and opens another.
    pub fn turn(&mut self, line: impl AsRef<str>) {
        self.shut(line);
        self.depth += 1;
    }

    /// All of it.
    pub fn finish(self) -> String {
        self.lines
    }
}
