//! What a failure of the SDK means, told by its types.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::error::{ErrorMetadata, ProvideErrorMetadata, SdkError};
use std::error::Error as StdError;

use crate::clients::cloud::{Error, ErrorKind, broken_by, chain, words};
use crate::secret::Text;

const NO_CREDENTIALS: &str = "set AWS_PROFILE to a profile that there is, or AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, or give the workload a role; with SSO, run: aws sso login";

const NO_ROLE: &str = "the role must trust these credentials, and they must be allowed to assume it, with the external id if it wants one";

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
                let error =
                    Error::new(ErrorKind::Unreachable, message).with_cause(broken_by(other));
                error.with_hint("check AWS_REGION, AWS_ENDPOINT_URL and, if there is one, the proxy in HTTPS_PROXY")
            };
            credentials.map_or_else(no_connection, |error| no_login(error, secrets))
        }
    }
}

/// Whether the service refuses this one call, not the caller: another call may fare better.
pub fn is_about_call<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let refused = matches!(error, SdkError::ServiceError(refused) if (400..500).contains(&refused.raw().status().as_u16()));
    refused && error.code().is_some_and(|code| meaning(code).is_none())
}

/// The code and the words of a service.
fn refusal(kind: ErrorKind, message: String, meta: &ErrorMetadata, secrets: &[Text]) -> Error {
    let parts = [meta.code(), meta.message()].into_iter().flatten();
    let parts: Vec<_> = parts.map(|text| words(text, secrets)).collect();
    let mut error = Error::new(kind, message).with_cause(parts.join(": "));
    if let Some((kind, hint)) = meta.code().and_then(meaning) {
        error.kind = kind;
        error = error.with_hint(hint);
    }
    error
}

/// What the codes mean that any service may give, whatever it was asked for, and what to try.
fn meaning(code: &str) -> Option<(ErrorKind, &'static str)> {
    let hint = match code {
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
            "the credentials have expired: take new ones; with SSO, run: aws sso login"
        }
        "InvalidAccessKeyId" | "InvalidClientTokenId" | "UnrecognizedClientException" => {
            "AWS does not know these credentials: is the key active, of this partition, and is its session token set?"
        }
        "IncompleteSignature"
        | "InvalidSignatureException"
        | "RequestTimeTooSkewed"
        | "SignatureDoesNotMatch" => {
            "the secret key is not that of its id, or this machine's clock is off by more than five minutes"
        }
        "InvalidIdentityToken" => {
            "the role does not trust the token: check its issuer, and that its audience is sts.amazonaws.com"
        }
        "LimitExceededException"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "ThrottledException"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequestsException" => {
            let hint =
                "AWS allows no more calls for now: raise AWS_MAX_ATTEMPTS, or lower --concurrency";
            return Some((ErrorKind::Unreachable, hint));
        }
        _ => return None,
    };
    Some((ErrorKind::Denied, hint))
}

/// There are no credentials, or the way to them is broken.
pub(super) fn no_login(error: &CredentialsError, secrets: &[Text]) -> Error {
    if matches!(error, CredentialsError::CredentialsNotLoaded(_)) {
        return Error::new(ErrorKind::Settings, "no credentials for AWS were found")
            .with_hint(NO_CREDENTIALS);
    }
    let message = "the login to AWS failed";
    if let Some(meta) = chain(error).find_map(<dyn StdError>::downcast_ref) {
        let refused = refusal(ErrorKind::Denied, message.to_owned(), meta, secrets);
        return if refused.hint().is_some() {
            refused
        } else {
            refused.with_hint(NO_ROLE)
        };
    }
    let cause = chain(error).last().map(ToString::to_string);
    let cause = words(&cause.unwrap_or_default(), secrets);
    let error = Error::new(ErrorKind::Settings, message).with_cause(cause);
    error.with_hint("check the profile, and the file in AWS_WEB_IDENTITY_TOKEN_FILE; with SSO, run: aws sso login")
}
