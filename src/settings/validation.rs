//! `AVP_PATH_VALIDATION`: the expression that every secret path must match somewhere.

use regex::Regex;

use crate::diagnostics::{Explain, Fault};
use crate::env::{Options, Origin};
use crate::go_regex;

const KEY: &str = "AVP_PATH_VALIDATION";

/// The setting is no regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pattern} is not a valid regular expression: {reason}")]
pub struct InvalidExpression {
    pattern: String,
    #[source]
    origin: SetBy,
    reason: go_regex::Invalid,
}

/// Who set it, as the cause of the trouble.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{KEY} is from {0}")]
struct SetBy(Origin);

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

/// Compiles the expression, if the settings hold one. It is not anchored.
pub(super) fn compile(settings: &Options) -> Result<Option<Regex>, InvalidExpression> {
    let (Some(pattern), Some(setting)) = (settings.text(KEY), settings.get(KEY)) else {
        return Ok(None);
    };
    let regex = go_regex::translate(pattern).and_then(|text| Ok(Regex::new(&text)?));
    regex.map(Some).map_err(|reason| InvalidExpression {
        pattern: pattern.to_owned(),
        origin: SetBy(setting.origin.clone()),
        reason,
    })
}
