//! `AVP_PATH_VALIDATION`: the expression that every secret path must match somewhere.

use regex::bytes::Regex;

use super::go_regex;
use crate::diagnostics::{Explain, Fault};

/// A compiled path validation.
#[derive(Clone, Debug)]
pub struct PathValidation {
    regex: Regex,
}

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

impl PathValidation {
    /// Compiles the expression of the setting.
    pub fn new(pattern: &str) -> Result<Self, InvalidExpression> {
        match Regex::new(&go_regex::translate(pattern)) {
            Ok(regex) => Ok(Self { regex }),
            Err(error) => Err(InvalidExpression {
                pattern: pattern.to_owned(),
                reason: last_line(&error),
            }),
        }
    }

    /// Whether a path may be read. Not anchored: a match anywhere will do.
    pub fn allows(&self, path: &str) -> bool {
        self.regex.is_match(path.as_bytes())
    }
}

/// The compiler draws the translated expression with a caret above its one sentence.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::PathValidation;

    #[test]
    fn matches_anywhere() {
        let validation = PathValidation::new("/s").unwrap();
        assert!(validation.allows("p/s"));
        assert!(!validation.allows("s/p"));
        assert!(PathValidation::new("").unwrap().allows("anything"));
        assert!(!PathValidation::new("^z").unwrap().allows("q"));
    }

    #[test]
    fn says_what_is_wrong_with_the_expression() {
        for (pattern, message) in [
            ("(", "( is not a valid regular expression: unclosed group"),
            (
                "(?!x)",
                "(?!x) is not a valid regular expression: look-around, including look-ahead and look-behind, is not supported",
            ),
        ] {
            assert_eq!(
                PathValidation::new(pattern).unwrap_err().to_string(),
                message
            );
        }
    }
}
