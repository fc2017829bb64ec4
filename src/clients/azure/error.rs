//! What a failure of the crate means. Only ever its words: its `Debug` holds whole answers.

use std::error::Error as StdError;

use azure_core::error::{Error as AzureError, ErrorKind as AzureKind};

use crate::clients::cloud::{Error, ErrorKind, NOT_TAKEN, broken_by, chain, words};
use crate::secret::Text;

const NO_LOGIN: &str = "set AZURE_TENANT_ID and AZURE_CLIENT_ID with AZURE_CLIENT_SECRET, give the workload an identity, or run: az login";

/// Why `service` did not answer as it should; `secrets` are struck out of its words.
pub fn explain(service: &str, error: &AzureError, secrets: &[Text]) -> Error {
    // The innermost one: those around it say only that it is not worth another try.
    if let Some(login) = all(error, |kind| matches!(kind, AzureKind::Credential)).last() {
        let text = words(&login.to_string(), secrets);
        let (message, cause) = text.split_once(": ").unwrap_or((&text, ""));
        return Error::new(ErrorKind::Denied, message)
            .with_cause(cause)
            .with_hint(NO_LOGIN);
    }
    let http = found(error, |kind| matches!(kind, AzureKind::HttpResponse { .. }));
    if let Some(AzureKind::HttpResponse {
        status,
        error_code,
        raw_response,
    }) = http.map(AzureError::kind)
    {
        let status = u16::from(*status);
        let kind = match raw_response {
            // There is nothing to be had.
            Some(response) if is_disabled(response.body().as_ref()) => ErrorKind::Absent,
            _ => ErrorKind::of_status(status),
        };
        let mut error = Error::new(kind, format!("{service} answered {status}"));
        if status == 401 {
            error = error.with_hint(NOT_TAKEN);
        }
        let code = error_code.iter().map(|code| words(code, secrets));
        let said = http.map(|error| words(&error.to_string(), secrets));
        let mut parts: Vec<String> = code.chain(said).filter(|part| !part.is_empty()).collect();
        parts.dedup();
        return error.with_cause(parts.join(": "));
    }
    if found(error, |kind| {
        matches!(kind, AzureKind::Connection | AzureKind::Io)
    })
    .is_some()
    {
        let error_ = Error::new(
            ErrorKind::Unreachable,
            format!("no connection to {service}"),
        );
        return error_.with_cause(broken_by(error));
    }
    let message = format!("what {service} answered cannot be used");
    let unusable = Error::new(ErrorKind::Malformed, message);
    // Words of the parser can quote what it read.
    let last = chain(error)
        .last()
        .filter(|last| !last.is::<serde_json::Error>());
    unusable.with_cause(last.map_or(String::new(), |last| words(&last.to_string(), secrets)))
}

/// Whether a refusal is because of what is asked for, not of who asks.
fn is_disabled(body: &[u8]) -> bool {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    body["error"]["innererror"]["code"] == "SecretDisabled"
}

/// Why a login failed, in one line.
pub(super) fn reason(error: &AzureError, secrets: &[Text]) -> String {
    if let Some(AzureKind::HttpResponse {
        status, error_code, ..
    }) =
        found(error, |kind| matches!(kind, AzureKind::HttpResponse { .. })).map(AzureError::kind)
    {
        let code = error_code
            .as_deref()
            .map(|code| format!(": AADSTS{}", words(code, secrets)));
        return format!("answered {status}{}", code.unwrap_or_default());
    }
    broken_by(error)
}

/// The first error of a chain that is of some kind.
fn found(error: &AzureError, is_meant: impl Fn(&AzureKind) -> bool) -> Option<&AzureError> {
    all(error, is_meant).next()
}

fn all(
    error: &AzureError,
    is_meant: impl Fn(&AzureKind) -> bool,
) -> impl Iterator<Item = &AzureError> {
    let errors = chain(error).filter_map(<dyn StdError>::downcast_ref::<AzureError>);
    errors.filter(move |error| is_meant(error.kind()))
}
