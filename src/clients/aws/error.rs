//! What a failure of the SDK means, told by its types.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::error::{ErrorMetadata, ProvideErrorMetadata, SdkError};
use std::error::Error as StdError;

use crate::clients::cloud::{Error, ErrorKind, broken_by, chain, words};
use crate::secret::Text;

const NO_CREDENTIALS: &str = "set AWS_PROFILE or AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, or give the workload a role; with SSO, run: aws sso login";

/// Why `service` did not answer `call` as it should; `secrets` are struck out of its words.
pub fn explain<E>(
    service: &str,
    call: &str,
    error: &SdkError<E, HttpResponse>,
    secrets: &[Text],
) -> Error
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    let unreadable = |status: u16| {
        let message = format!("{service} answered {call} with {status} and something unreadable");
        Error::new(ErrorKind::Malformed, message)
    };
    match error {
        SdkError::ServiceError(refused) if refused.raw().status().is_success() => {
            unreadable(refused.raw().status().as_u16())
        }
        SdkError::ServiceError(refused) => {
            let status = refused.raw().status().as_u16();
            let message = format!("{service} answered {call} with {status}");
            let kind = ErrorKind::of_status(status);
            refusal(kind, message, refused.err().meta(), secrets)
        }
        SdkError::TimeoutError(_) => {
            let message = format!("{service} did not answer {call} in time");
            Error::new(ErrorKind::Unreachable, message)
        }
        SdkError::ResponseError(answer) => unreadable(answer.raw().status().as_u16()),
        other => {
            let credentials = chain(other).find_map(<dyn StdError>::downcast_ref);
            let no_connection = || {
                let message = format!("no connection to {service} for {call}");
                Error::new(ErrorKind::Unreachable, message).with_cause(broken_by(other))
            };
            credentials.map_or_else(no_connection, |error| no_login(error, secrets))
        }
    }
}

/// The code and the words of a service.
fn refusal(kind: ErrorKind, message: String, meta: &ErrorMetadata, secrets: &[Text]) -> Error {
    let parts = [meta.code(), meta.message()].into_iter().flatten();
    let parts: Vec<_> = parts.map(|text| words(text, secrets)).collect();
    Error::new(kind, message).with_cause(parts.join(": "))
}

/// There are no credentials, or the way to them is broken.
fn no_login(error: &CredentialsError, secrets: &[Text]) -> Error {
    if matches!(error, CredentialsError::CredentialsNotLoaded(_)) {
        return Error::new(ErrorKind::Settings, "no credentials for AWS were found")
            .with_hint(NO_CREDENTIALS);
    }
    let message = "the login to AWS failed";
    if let Some(meta) = chain(error).find_map(<dyn StdError>::downcast_ref) {
        return refusal(ErrorKind::Denied, message.to_owned(), meta, secrets);
    }
    let cause = chain(error).last().map(ToString::to_string);
    let cause = words(&cause.unwrap_or_default(), secrets);
    Error::new(ErrorKind::Settings, message).with_cause(cause)
}
