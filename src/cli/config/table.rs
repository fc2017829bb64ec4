//! `config variables`: the table of all variables, as columns or as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::settings::variables::{self, Variable};

/// The columns of the table that fit a terminal, cells in as many lines as they need; JSON has all columns.
pub(super) fn text() -> String {
    const WIDTHS: [usize; 3] = [39, 30, 27];
    let mut out = String::new();
    let mut row = |cells: [&str; 3]| {
        let cells: Vec<_> = cells
            .iter()
            .zip(WIDTHS)
            .map(|(c, w)| wrapped(c, w))
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for at in 0..height {
            let cell = |column: usize| cells[column].get(at).map_or("", String::as_str);
            let [first, second, _] = WIDTHS;
            let line = format!("{:first$}  {:second$}  {}", cell(0), cell(1), cell(2));
            let _ = writeln!(out, "{}", line.trim_end());
        }
    };
    row(["VARIABLE", "SAYS", "GOES TO"]);
    for variable in variables::all() {
        let says = variable.says.replace('`', "");
        row([variable.name, &says, &variable.goes_to()]);
    }
    out
}

/// A text in lines of so many characters; a longer word has one of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

pub(super) fn json() -> Value {
    let row = |variable: Variable| {
        json!({
            "name": variable.name,
            "for": variable.reader,
            "says": variable.says,
            "goesTo": variable.goes_to(),
            "read": !variable.is_unread(),
            "setBy": variable.order().text(),
        })
    };
    variables::all().map(row).collect()
}
