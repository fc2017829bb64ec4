//! Literal blocks: they keep their lines, each line of a value is indented, and what the text ends with decides the
//! chomping.

use std::ops::Range;

use super::{Certainty, Replacements, Rewrite, is_inert, mapped};
use crate::diagnostics::Span;
use crate::yaml::edit::Edit;
use crate::yaml::lines;
use crate::yaml::scalar::{BlockBody, BlockHeader, Chomping, Scalar};
use crate::yaml::writer;

/// Makes the replacements in the block; `None` where only another style can hold the target.
pub(super) fn in_place(
    scalar: &Scalar<'_>,
    decoded: &str,
    replacements: &Replacements,
    target: &str,
) -> Option<Rewrite> {
    let block = Block {
        scalar,
        header: scalar.block_header()?,
        body: scalar.block_body()?,
    };
    let fits =
        |character: char| matches!(character, '\n' | '\t') || writer::is_printable(character);
    // Without a digit in the header, the first line's blanks are its indentation.
    let moves_indentation = !block.header.digit && target.starts_with([' ', '\t', '\n']);
    if moves_indentation || !target.chars().all(fits) {
        return None;
    }
    // The line ends at the end of the text are the header's business, not a range's.
    let content = decoded.trim_end_matches('\n').len();
    let clamp = |(range, text): &(Range<usize>, String)| {
        (range.start..range.end.min(content), text.clone())
    };
    let clamped: Vec<_> = replacements.iter().map(clamp).collect();
    let mut edits = mapped(scalar, decoded, &clamped, |text| block.indented(text))?;
    let (range, last) = replacements.last()?;
    let takes_line_ends = range.end > content;
    if !takes_line_ends && replacements.iter().all(|(_, text)| is_inert(text)) {
        return Some(Rewrite {
            edits,
            certainty: Certainty::Proved,
        });
    }
    if block.line_end() == "\r" {
        // Kubernetes' line reader drops a carriage return at the end of the text.
        return None;
    }
    let ends_anew =
        takes_line_ends || (range.end == content && (last.is_empty() || last.ends_with('\n')));
    if ends_anew && block.header.chomping != Chomping::Keep {
        block.end_with(&mut edits, target)?;
    }
    Some(Rewrite {
        edits,
        certainty: Certainty::Reread,
    })
}

/// The edits that make a literal block of a scalar that ends its line, but for a comment; `None` where a block cannot
/// hold the target. The block's lines are indented by `indent`.
pub(super) fn instead(scalar: &Scalar<'_>, target: &str, indent: usize) -> Option<Vec<Edit>> {
    let text = scalar.text;
    let line_end = lines::end_of(text, scalar.span.end);
    let line_break = &text[line_end..line_end + lines::break_at(text, line_end)];
    let rest = text[scalar.span.end..line_end].trim_start();
    let fits =
        |character: char| matches!(character, '\n' | '\t') || writer::is_printable(character);
    // Readers differ on a last line without a line break, and on a carriage return at the end of the text.
    let is_end = matches!(line_break, "" | "\r");
    let (content, header) = match target.strip_suffix('\n') {
        None => (target, "|-"),
        Some(content) => (content, "|"),
    };
    if is_end
        || !(rest.is_empty() || rest.starts_with('#'))
        || content.starts_with([' ', '\t', '\n'])
        || content.is_empty()
        || content.ends_with('\n')
        || !content.chars().all(fits)
    {
        return None;
    }
    let mut block = String::new();
    for line in content.split('\n') {
        block.push_str(line_break);
        if !line.is_empty() {
            block.extend(std::iter::repeat_n(' ', indent));
        }
        block.push_str(line);
    }
    Some(vec![
        Edit::new(scalar.span, header),
        Edit::new(Span::at(line_end), block),
    ])
}

struct Block<'a, 's> {
    scalar: &'a Scalar<'s>,
    header: BlockHeader,
    body: BlockBody,
}

impl Block<'_, '_> {
    fn line_end(&self) -> &'_ str {
        let start = self.header.line_end;
        &self.scalar.text[start..start + lines::break_at(self.scalar.text, start)]
    }

    /// A value's lines: those behind the first are indented, blank ones are not.
    fn indented(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                out.push_str(self.line_end());
                if !line.is_empty() {
                    out.extend(std::iter::repeat_n(' ', self.body.indent));
                }
            }
            out.push_str(line);
        }
        out
    }

    /// Makes the block end as `target` does, after its last replacement ended in line ends.
    fn end_with(&self, edits: &mut Vec<Edit>, target: &str) -> Option<()> {
        let line_ends = target.len() - target.trim_end_matches('\n').len();
        let (chomping, indicator) = match line_ends {
            0 => (Chomping::Strip, "-"),
            1 => (Chomping::Clip, ""),
            _ => (Chomping::Keep, "+"),
        };
        let blank_lines = &self.scalar.text[self.body.end..self.body.blank_end];
        if chomping == Chomping::Keep && lines::count_breaks(blank_lines) > 1 {
            return None;
        }
        if chomping != Chomping::Strip && self.body.end == self.scalar.text.len() {
            // Readers differ on a last line without a line break.
            return None;
        }
        let last = edits.last_mut()?;
        last.text
            .truncate(last.text.trim_end_matches(['\r', '\n']).len());
        last.text
            .push_str(&self.line_end().repeat(line_ends.saturating_sub(1)));
        if chomping != self.header.chomping {
            let indicators = &self.scalar.text[self.header.indicators.range()];
            let header = indicators.replace(['-', '+'], "") + indicator;
            edits.insert(0, Edit::new(self.header.indicators, header));
        }
        Some(())
    }
}
