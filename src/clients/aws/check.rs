//! Variables that the SDK cannot use: it panics at some of them, and passes over others without a word.

use std::collections::HashMap;

use crate::clients::cloud::{Error, ErrorKind};

/// Sent in headers or signed.
const CREDENTIALS: [&str; 4] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// Yes or no: anything else would be a no, also where it was to be FIPS.
const FLAGS: [&str; 4] = [
    "AWS_EC2_METADATA_DISABLED",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
];

/// How often a call is tried.
pub(super) const ATTEMPTS: &str = "AWS_MAX_ATTEMPTS";

/// The first variable that cannot be used, and why.
pub(super) fn fault(variables: &HashMap<String, String>) -> Option<(&'static str, Error)> {
    let set =
        |name: &&'static str| Some((*name, variables.get(*name).filter(|text| !text.is_empty())?));
    let told = |name, problem: &str, hint: &str| {
        let error = Error::new(ErrorKind::Settings, format!("{name} {problem}"));
        (name, error.with_hint(hint))
    };
    let mut credentials = CREDENTIALS.iter().filter_map(set);
    if let Some((name, _)) = credentials.find(|(_, text)| text.contains(char::is_control)) {
        let problem = "holds a line end or a control character";
        let hint = "a value out of a Secret often ends in a line end: store it without";
        return Some(told(name, problem, hint));
    }
    let is_flag = |text: &str| {
        ["true", "false"]
            .iter()
            .any(|flag| text.eq_ignore_ascii_case(flag))
    };
    let mut flags = FLAGS.iter().filter_map(set);
    if let Some((name, _)) = flags.find(|(_, text)| !is_flag(text)) {
        return Some(told(name, "is neither true nor false", "say one of them"));
    }
    let (name, text) = set(&ATTEMPTS)?;
    let is_number = text.parse::<u32>().is_ok_and(|count| count > 0);
    (!is_number).then(|| told(name, "is no number of tries", "say 1 or more"))
}
