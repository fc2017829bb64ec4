//! What the server says when it refuses, fit for a message: one line, bounded, without a credential.

use serde_json::Value;

use crate::clients::http::Response;
use crate::secret::Text;

/// Longer words of a server are cut: an answer of a proxy can be a whole page.
const LONGEST_MESSAGE: usize = 300;

/// The server's `errors`. A body that is not JSON is not quoted.
pub fn errors(response: &Response, secrets: &[&Text]) -> String {
    let body = response.body.expose();
    let Ok(Value::Object(object)) = serde_json::from_slice(body) else {
        let size = body.len();
        return format!("the answer holds {size} bytes that are not JSON");
    };
    let Some(Value::Array(errors)) = object.get("errors") else {
        return String::new();
    };
    let texts = errors.iter().filter_map(Value::as_str);
    let lines: Vec<String> = texts.map(|text| one_line(text, secrets)).collect();
    lines.join("; ")
}

/// One line without credentials, bullets and counts ("1 error occurred:").
pub fn one_line(text: &str, secrets: &[&Text]) -> String {
    let text = strike(text, secrets);
    let parts = text
        .split('\n')
        .map(|line| line.trim().trim_start_matches("* ").trim())
        .filter(|line| !line.is_empty() && !line.ends_with("occurred:"));
    let line = parts.collect::<Vec<_>>().join("; ");
    let shown = line.chars().filter(|c| !c.is_control());
    shown.take(LONGEST_MESSAGE).collect()
}

/// The text without credentials, in whatever case: the name of a host is told in lower case.
pub fn strike(text: &str, secrets: &[&Text]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        // Striking out a very short one would tell it by the gaps.
        let Some(secret) = secret.expose_str().filter(|secret| secret.len() >= 4) else {
            continue;
        };
        let lower = text.to_ascii_lowercase();
        let mut struck = String::with_capacity(text.len());
        let mut end = 0;
        for (start, found) in lower.match_indices(&secret.to_ascii_lowercase()) {
            struck.push_str(&text[end..start]);
            struck.push_str("[redacted]");
            end = start + found.len();
        }
        struck.push_str(&text[end..]);
        text = struck;
    }
    text
}
