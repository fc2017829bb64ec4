//! Answers of the server: JSON to values, and refusals to errors with the server's own words.

use crate::backends::{Error, ErrorKind, object};
use crate::clients::http::Response;
use crate::clients::vault::{errors, one_line};
use crate::secret::{Map, Text};

/// A request as messages show it, and the credentials that must not come back in the server's words.
pub(super) struct Asked<'a> {
    /// Method and URL without the query.
    pub(super) line: String,
    /// What to strike out.
    pub(super) secrets: Vec<&'a Text>,
}

impl Asked<'_> {
    /// The body as an object.
    pub(super) fn object(&self, response: &Response) -> Result<Map, Error> {
        // The parser's words could quote the body: only its size and type are told.
        object(&response.body).ok_or_else(|| self.not_json(response))
    }

    fn not_json(&self, response: &Response) -> Error {
        let kind = response.content_type.as_deref().unwrap_or("no type");
        let kind: String = one_line(kind, &self.secrets).chars().take(60).collect();
        let size = response.body.expose().len();
        let line = &self.line;
        let message = format!("the answer is not the JSON that Vault gives: {line}");
        Error::new(ErrorKind::Malformed, message)
            .with_cause(format_args!(
                "status {}, {kind}, {size} bytes",
                response.status
            ))
            .with_hint("is the address that of Vault itself, or does a proxy or login page answer?")
    }

    /// The error for a status that is no success. AVP's leading phrase.
    pub(super) fn refusal(&self, response: &Response) -> Error {
        let status = response.status;
        let kind = match status {
            429 | 412 | 500.. => ErrorKind::Unreachable,
            400..500 => ErrorKind::Denied,
            _ => ErrorKind::Malformed,
        };
        let mut message = format!("Error making API request: {} answered {status}", self.line);
        if response.tries > 1 {
            message = format!("{message} ({} tries)", response.tries);
        }
        let mut error = Error::new(kind, message);
        let words = errors(response, &self.secrets);
        if !words.is_empty() {
            error = error.with_cause(words);
        }
        if let Some(wait) = response.retry_after.filter(|wait| !wait.is_zero()) {
            let seconds = wait.as_secs();
            error = error.with_cause(format_args!("the server asks to wait {seconds} s"));
        }
        match hint(status) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

fn hint(status: u16) -> Option<&'static str> {
    match status {
        403 => Some(
            "the token may not read this path: check its policies (for kv-v2 they name the path with /data/) and the namespace",
        ),
        429 => Some("the server limits requests: try again later, or raise its quota"),
        473 | 503 => Some("the server may be sealed, starting, or a standby"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response {
            status,
            content_type: Some("text/html".into()),
            body: body.into(),
            retry_after: None,
            tries: 1,
        }
    }

    fn asked(secrets: Vec<&Text>) -> Asked<'_> {
        Asked {
            line: "GET http://v/v1/kv/x".into(),
            secrets,
        }
    }

    #[test]
    fn a_refusal_has_the_words_of_the_server_in_one_line() {
        let body = r#"{"errors":["1 error occurred:\n\t* permission denied\n\n","second"]}"#;
        let error = asked(vec![]).refusal(&response(403, body));
        assert_eq!(error.kind, ErrorKind::Denied);
        assert_eq!(
            error.message,
            "Error making API request: GET http://v/v1/kv/x answered 403"
        );
        assert_eq!(error.causes, ["permission denied; second"]);
        assert!(error.hint.unwrap().contains("policies"));
    }

    #[test]
    fn a_refusal_quotes_no_credential_and_no_page() {
        let token = Text::from("s.CANARY");
        let body = r#"{"errors":["bad token s.CANARY here"]}"#;
        let error = asked(vec![&token]).refusal(&response(400, body));
        assert_eq!(error.causes, ["bad token [redacted] here"]);
        let again = Text::from("REDACT");
        let struck =
            crate::clients::vault::strike("http://s.canary.test/ S.CANARY", &[&token, &again]);
        assert_eq!(struck, "http://[[redacted]ed].test/ [[redacted]ed]");
        let error = asked(vec![]).refusal(&response(502, "<html>CANARY</html>"));
        assert_eq!(error.kind, ErrorKind::Unreachable);
        assert_eq!(
            error.causes,
            ["the answer holds 19 bytes that are not JSON"]
        );
        let endless = format!(r#"{{"errors":["{}"]}}"#, "x".repeat(10_000));
        let error = asked(vec![]).refusal(&response(400, &endless));
        assert_eq!(error.causes[0].len(), 300);
    }

    #[test]
    fn kinds_follow_the_status() {
        let kind = |status| asked(vec![]).refusal(&response(status, "{}")).kind;
        for (status, expected) in [
            (302, ErrorKind::Malformed),
            (400, ErrorKind::Denied),
            (403, ErrorKind::Denied),
            (412, ErrorKind::Unreachable),
            (429, ErrorKind::Unreachable),
            (501, ErrorKind::Unreachable),
            (503, ErrorKind::Unreachable),
        ] {
            assert_eq!(kind(status), expected, "{status}");
        }
    }

    #[test]
    fn what_is_no_object_is_told_by_size_and_type_only() {
        for body in [
            "<html>CANARY</html>",
            r#"{"data": {"data": {"k": "CANARY"#,
            "[1]",
            "\"CANARY\"",
        ] {
            let error = asked(vec![]).object(&response(200, body)).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Malformed);
            assert_eq!(
                error.message,
                "the answer is not the JSON that Vault gives: GET http://v/v1/kv/x"
            );
            assert_eq!(
                error.causes,
                [format!("status 200, text/html, {} bytes", body.len())]
            );
        }
    }
}
