//! `AVP_PATH_VALIDATION`: the expression that every secret path must match somewhere.

use regex::Regex;

use crate::diagnostics::{Explain, Fault};
use crate::go_regex;

/// The setting is no regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pattern} is not a valid regular expression: {reason}")]
pub struct InvalidExpression {
    pattern: String,
    reason: String,
}

impl Explain for InvalidExpression {
    fn fault(&self) -> Fault {
        Fault::Settings
    }

    fn hint(&self) -> Option<String> {
        Some(
            "AVP_PATH_VALIDATION is an RE2 expression: no look-around, no back-references"
                .to_owned(),
        )
    }
}

/// Compiles the expression of the setting. It is not anchored.
pub(super) fn compile(pattern: &str) -> Result<Regex, InvalidExpression> {
    Regex::new(&go_regex::translate(pattern)).map_err(|error| InvalidExpression {
        pattern: pattern.to_owned(),
        reason: last_line(&error),
    })
}

/// The compiler draws the translated expression with a caret above its one sentence.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::compile;

    #[test]
    fn matches_anywhere() {
        assert!(compile("/s").unwrap().is_match("p/s"));
        assert!(!compile("/s").unwrap().is_match("s/p"));
        assert!(compile("").unwrap().is_match("anything"));
        assert!(!compile("^z").unwrap().is_match("q"));
    }

    #[test]
    fn says_what_is_wrong_with_the_expression() {
        for (pattern, reason) in [
            ("(", "unclosed group"),
            (
                "(?!x)",
                "look-around, including look-ahead and look-behind, is not supported",
            ),
        ] {
            let message = format!("{pattern} is not a valid regular expression: {reason}");
            assert_eq!(compile(pattern).unwrap_err().to_string(), message);
        }
    }
}
