//! Lines as YAML counts them: LF, CR LF and a lone CR end a line.

/// The length of the line break that stands at a position; 0 where there is none.
pub fn break_at(text: &str, position: usize) -> usize {
    match text.as_bytes().get(position..) {
        Some([b'\r', b'\n', ..]) => 2,
        Some([b'\r' | b'\n', ..]) => 1,
        _ => 0,
    }
}

/// Where the line of a position begins.
pub fn start_of(text: &str, position: usize) -> usize {
    text[..position]
        .rfind(['\n', '\r'])
        .map_or(0, |line_break| line_break + 1)
}

/// Where the line of a position ends, its line break not included.
pub fn end_of(text: &str, position: usize) -> usize {
    text[position..]
        .find(['\n', '\r'])
        .map_or(text.len(), |offset| position + offset)
}

/// The lines of a text: content and line break, each with the position of its content.
pub fn of(text: &str, start: usize, end: usize) -> impl Iterator<Item = Line<'_>> {
    let mut position = start;
    std::iter::from_fn(move || {
        if position >= end {
            return None;
        }
        let content_end = end_of(text, position).min(end);
        let length = break_at(text, content_end).min(end - content_end);
        let line = Line {
            start: position,
            content: &text[position..content_end],
            line_break: length,
        };
        position = content_end + length;
        Some(line)
    })
}

/// How many line breaks a text holds.
pub fn count_breaks(text: &str) -> usize {
    of(text, 0, text.len())
        .filter(|line| line.line_break > 0)
        .count()
}

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'t> {
    /// Where its content begins.
    pub start: usize,
    /// The text without the line break.
    pub content: &'t str,
    /// The length of the line break; 0 at the end of the text.
    pub line_break: usize,
}

impl Line<'_> {
    /// Where its content ends.
    pub fn content_end(&self) -> usize {
        self.start + self.content.len()
    }

    /// Where the next line begins.
    pub fn end(&self) -> usize {
        self.content_end() + self.line_break
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_ways_to_end_a_line() {
        let text = "a\r\nb\rc\n\nd";
        let lines: Vec<_> = of(text, 0, text.len())
            .map(|line| (line.start, line.content, line.line_break))
            .collect();
        assert_eq!(
            lines,
            [
                (0, "a", 2),
                (3, "b", 1),
                (5, "c", 1),
                (7, "", 1),
                (8, "d", 0)
            ]
        );
        assert_eq!(
            (start_of(text, 5), end_of(text, 0), start_of(text, 0)),
            (5, 1, 0)
        );
    }
}
