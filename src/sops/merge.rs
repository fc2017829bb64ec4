//! A change of one text made in another: the lines that differ between two texts are changed in a third one that is laid
//! out otherwise. Only lines decide; whether the result says what it should is for the caller to find out.

use std::fmt::Write as _;

/// The most lines that may differ between two texts. Beyond it the search would take too long.
const MOST_CHANGES: usize = 1000;

/// The change from `base` to `target` made in `text`. `None` where a line to be changed has no like in `text`.
pub(super) fn merge(text: &str, base: &str, target: &str) -> Option<String> {
    let [text_lines, base_lines, target_lines] =
        [text, base, target].map(|text| text.split_inclusive('\n').collect::<Vec<_>>());
    let in_target = matches(&base_lines, &target_lines, |line| line.trim().to_owned())?;
    let in_text = matches(&base_lines, &text_lines, without_style)?;
    let line_break = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut merged = String::with_capacity(text.len() + target.len());
    // What was taken over so far: lines of the base, of the target, of the text.
    let (mut base_end, mut target_end, mut text_end) = (0, 0, 0);
    let rest = Some((base_lines.len(), target_lines.len()));
    let stays = |(line, like): (usize, &Option<usize>)| Some((line, (*like)?));
    for (base_start, target_start) in in_target.iter().enumerate().filter_map(stays).chain(rest) {
        if base_start > base_end || target_start > target_end {
            for like in &in_text[base_end..base_start] {
                let line = (*like)?;
                merged.extend(text_lines[text_end..line].iter().copied());
                text_end = line + 1;
            }
            if base_start == base_end && base_end > 0 {
                let line = in_text[base_end - 1]? + 1;
                merged.extend(text_lines[text_end..line].iter().copied());
                text_end = line;
            }
            for line in &target_lines[target_end..target_start] {
                let separator = if merged.is_empty() || merged.ends_with('\n') {
                    ""
                } else {
                    line_break
                };
                let content = line.trim_end_matches('\n');
                let _ = write!(merged, "{separator}{content}{line_break}");
            }
        }
        (base_end, target_end) = (base_start + 1, target_start + 1);
    }
    merged.extend(text_lines[text_end..].iter().copied());
    Some(merged)
}

/// What is the same in a line however it is laid out: all but blanks and quotes.
fn without_style(line: &str) -> String {
    let is_style = |c: &char| c.is_whitespace() || matches!(c, '"' | '\'');
    line.chars().filter(|c| !is_style(c)).collect()
}

/// For each line of one text its like in another one, in order, by what `of` sees in a line.
fn matches(
    first: &[&str],
    second: &[&str],
    of: impl Fn(&str) -> String,
) -> Option<Vec<Option<usize>>> {
    let [first, second] =
        [first, second].map(|lines| lines.iter().map(|line| of(line)).collect::<Vec<_>>());
    let same = |x: &usize, y: &usize| first[*x] == second[*y];
    let shorter = first.len().min(second.len());
    let head = (0..shorter).take_while(|line| same(line, line)).count();
    let from_end = |line: &usize| same(&(first.len() - 1 - line), &(second.len() - 1 - line));
    let tail = (0..shorter - head).take_while(from_end).count();
    let mut likes = vec![None; first.len()];
    for (line, like) in likes.iter_mut().enumerate().take(head) {
        *like = Some(line);
    }
    for line in 1..=tail {
        likes[first.len() - line] = Some(second.len() - line);
    }
    let middle = [&first, &second].map(|lines| &lines[head..lines.len() - tail]);
    for (x, y) in common(middle)? {
        likes[head + x] = Some(head + y);
    }
    Some(likes)
}

/// The longest common run of lines of two texts, from its end, by Myers' algorithm.
fn common([first, second]: [&[String]; 2]) -> Option<Vec<(usize, usize)>> {
    // For each number of changes, how far it leads on each diagonal that it can reach.
    let mut rows: Vec<Vec<usize>> = Vec::new();
    for changes in 0..=MOST_CHANGES {
        let mut row = Vec::with_capacity(changes + 1);
        for diagonal in 0..=changes {
            let (mut x, _) = rows
                .last()
                .map_or((0, false), |before| start(before, diagonal));
            let mut y = x + changes - 2 * diagonal;
            while x < first.len() && y < second.len() && first[x] == second[y] {
                (x, y) = (x + 1, y + 1);
            }
            row.push(x);
            if x >= first.len() && y >= second.len() {
                return Some(way_back(&rows, diagonal, (x, y)));
            }
        }
        rows.push(row);
    }
    None
}

/// Where a diagonal begins after one more change, and whether that is a line of the second text.
fn start(before: &[usize], diagonal: usize) -> (usize, bool) {
    let added = before.get(diagonal).copied();
    let removed = diagonal.checked_sub(1).map(|diagonal| before[diagonal] + 1);
    (added.max(removed).unwrap_or_default(), added >= removed)
}

fn way_back(rows: &[Vec<usize>], mut diagonal: usize, end: (usize, usize)) -> Vec<(usize, usize)> {
    let (mut x, mut y) = end;
    let mut common = Vec::new();
    for changes in (0..=rows.len()).rev() {
        let (from, is_added) = match changes {
            0 => (0, false),
            changes => start(&rows[changes - 1], diagonal),
        };
        while x > from {
            (x, y) = (x - 1, y - 1);
            common.push((x, y));
        }
        match (changes, is_added) {
            (0, _) => {}
            (_, true) => y -= 1,
            (_, false) => (x, diagonal) = (x - 1, diagonal - 1),
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_are_changed_elsewhere() {
        for (text, base, target, expected) in [
            ("a\nb\nc\n", "a\nb\nc\n", "a\nx\nc\n", "a\nx\nc\n"),
            (
                "# n\n  a\n\nb\nc\n",
                "a\nb\nc\n",
                "a\nc\nd\n",
                "# n\n  a\n\nc\nd\n",
            ),
            (
                "a\r\nb\r\n",
                "a\nb\n",
                "x\na\ny\nb\n",
                "x\r\na\r\ny\r\nb\r\n",
            ),
            ("a\n\nb\n#\n", "a\nb\n", "c\n", "\nc\n#\n"),
            ("a", "a\n", "a\nb\n", "a\nb\n"),
            ("", "", "a\n", "a\n"),
            ("a\nb\n", "a\nb\n", "", ""),
            ("a\nb\na\nb\n", "a\nb\na\nb\n", "b\na\n", "b\na\n"),
        ] {
            assert_eq!(
                merge(text, base, target).as_deref(),
                Some(expected),
                "{text:?}"
            );
        }
    }

    #[test]
    fn lines_without_a_like_cannot_be_changed() {
        assert_eq!(merge("a\n*b\n", "a\nb\n", "a\nx\n"), None);
        assert_eq!(merge("*a\n", "a\n", "a\nb\n"), None);
        let many = |start| {
            (start..start + 2 * MOST_CHANGES)
                .fold(String::new(), |text, line| text + &format!("{line}\n"))
        };
        assert_eq!(merge(&many(0), &many(0), &many(10_000)), None);
    }

    #[test]
    fn a_text_merged_into_itself_is_the_target() {
        let texts = [
            "",
            "a\n",
            "b\na\nc\n",
            "a\nb\nc\na\nb\nb\na\n",
            "c\nb\na\nb\na\nc\n",
        ];
        for base in texts {
            for target in texts {
                assert_eq!(
                    merge(base, base, target).as_deref(),
                    Some(target),
                    "{base:?}"
                );
            }
        }
    }
}
