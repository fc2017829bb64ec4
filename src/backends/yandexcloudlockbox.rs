//! Yandex Lockbox: a path is the id of a secret, a key is one of its entries.
//!
//! API: <https://yandex.cloud/en/docs/lockbox/api-ref/Payload/get>, with a token of
//! <https://yandex.cloud/en/docs/iam/api-ref/IamToken/create>, for a statement that a service account's key has signed. In a
//! manifest: `<yandexcloudlockbox:e6q0123456789abcdefg#password>`, `…#password#VERSION`.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::future::BoxFuture;
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use super::registry::{Own, SettingsError, Type};
use super::{
    Answer, Backend, Error, ErrorKind, FetchContext, Request, object, own_address, required,
};
use crate::clients::Address;
use crate::clients::http::{Call, Response};
use crate::clients::jwt::Signer;
use crate::clients::login::Login;
use crate::clients::rest::{self, Service, bearer};
use crate::clients::tls::Tls;
use crate::env::{Environment, Options};
use crate::secret::{Map, Text, Value, last};

/// The registry's line.
pub(super) const TYPE: Type = Type {
    name: "yandexcloudlockbox",
    settings: &[
        (ACCOUNT, "auth.serviceAccountId"),
        (IAM, "auth.endpoint"),
        (KEY, "auth.privateKey"),
        (KEY_ID, "auth.keyId"),
        (LOCKBOX, "endpoint"),
    ],
    own: &[
        Own::setting(IAM, "the address to log in at"),
        Own::setting(LOCKBOX, "the address to ask for all secrets"),
    ],
    built_in: true,
    open,
};

const ACCOUNT: &str = "AVP_YCL_SERVICE_ACCOUNT_ID";
const IAM: &str = "MANIFUSE_YANDEX_IAM_ENDPOINT";
const KEY: &str = "AVP_YCL_PRIVATE_KEY";
const KEY_ID: &str = "AVP_YCL_KEY_ID";
const LOCKBOX: &str = "MANIFUSE_YANDEX_LOCKBOX_ENDPOINT";

/// Where they are asked without another word.
const IAM_ADDRESS: &str = "https://iam.api.cloud.yandex.net";
const LOCKBOX_ADDRESS: &str = "https://payload.lockbox.api.cloud.yandex.net";

/// For whom a statement is, wherever it is sent.
const AUDIENCE: &str = "https://iam.api.cloud.yandex.net/iam/v1/tokens";
/// How long it is good: the longest that is allowed.
const STATEMENT_LIFE: Duration = Duration::from_hours(1);
/// How long a token is used; it lives for hours.
const TOKEN_USE: Duration = Duration::from_mins(10);

/// What messages call it.
const NAME: &str = "Lockbox";

/// The codes of gRPC in its answers.
const INVALID_ARGUMENT: u64 = 3;
const FAILED_PRECONDITION: u64 = 9;

/// An account and its ways to the services.
struct Lockbox {
    service: Service,
    iam: Service,
    account: String,
    signer: Signer,
    token: Login<Text, Error>,
}

fn open(options: &Options, environment: &Environment) -> Result<Arc<dyn Backend>, SettingsError> {
    let (Some(account), Some(key), Some(id)) = (
        options.text(ACCOUNT),
        options.text(KEY),
        options.text(KEY_ID),
    ) else {
        return Err(required(
            options,
            [KEY_ID, ACCOUNT, KEY],
            "yandex cloud lockbox",
        ));
    };
    let header = json!({"alg": "PS256", "kid": id, "typ": "JWT"});
    let signer = Signer::new(&key.into(), &header).map_err(|reason| {
        SettingsError::new(format!("private key parsing failed: {KEY}: {reason}"))
            .about(KEY)
            .hint(if key.starts_with('{') {
                "it is JSON: give the text of its private_key alone, with line ends for each \\n"
            } else {
                "give the PEM text of the authorized key as it is, with its line ends"
            })
    })?;
    let service = |name, key, example| -> Result<_, SettingsError> {
        let address = own_address(options, key, example)?;
        let address =
            address.unwrap_or_else(|| Address::parse(example).expect("a constant address"));
        let words = &["/message"];
        Ok(Service::new(
            name,
            address,
            words,
            Tls::default(),
            environment,
        )?)
    };
    Ok(Arc::new(Lockbox {
        service: service(NAME, LOCKBOX, LOCKBOX_ADDRESS)?,
        iam: service("Yandex Cloud's IAM", IAM, IAM_ADDRESS)?,
        account: account.to_owned(),
        signer,
        token: Login::default(),
    }))
}

impl Backend for Lockbox {
    fn fetch<'a>(
        &'a self,
        request: &'a Request,
        context: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(self.read(request, context.deadline))
    }
}

impl Lockbox {
    async fn read(&self, request: &Request, deadline: Instant) -> Result<Answer, Error> {
        let secret = &request.id.path;
        let version = request.id.version.as_deref().unwrap_or_default();
        if !is_id(secret) {
            let message = format!("{secret} is not the id of a secret");
            let error = Error::new(ErrorKind::Reference, message);
            return Err(error.with_hint("yc lockbox secret list shows the ids"));
        }
        let token = self.token.get(self.log_in(deadline)).await?;
        let mut call = Call::get(format!("/lockbox/v1/secrets/{secret}/payload"));
        call.headers.push(bearer(&token));
        if !version.is_empty() {
            call.query.push(("versionId", version.to_owned()));
        }
        let response = self.service.send(&call, deadline).await;
        let response = response.map_err(|error| refused(secret, version, error.into()))?;
        if !response.is_success() {
            let error = self.refusal(&response, token);
            return Err(refused(secret, version, error));
        }
        answer(&response.body).ok_or_else(|| {
            let message = format!("what {NAME} answered for the secret {secret} is not one");
            Error::new(ErrorKind::Malformed, message)
        })
    }

    fn refusal(&self, response: &Response, token: Text) -> Error {
        let mut error = Error::from(self.service.refusal(response, &[token]));
        let body: Json = serde_json::from_slice(response.body.expose()).unwrap_or_default();
        error.kind = match body["code"].as_u64() {
            // A secret that is not active, a version that is to be destroyed: there is nothing to be had.
            Some(FAILED_PRECONDITION) => ErrorKind::AbsentPath,
            Some(INVALID_ARGUMENT) => ErrorKind::Reference,
            _ => error.kind,
        };
        error
    }

    /// A token, and how long it is used.
    async fn log_in(&self, deadline: Instant) -> Result<(Text, Duration), Error> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.unwrap_or_default();
        let claims = json!({
            "aud": AUDIENCE,
            "iss": self.account,
            "iat": now.as_secs(),
            "exp": (now + STATEMENT_LIFE).as_secs(),
        });
        let statement = self
            .signer
            .sign(&claims)
            .ok_or_else(|| Error::new(ErrorKind::Settings, format!("{KEY} does not sign")))?;
        let body = json!({"jwt": statement}).to_string();
        let call = rest::post("/iam/v1/tokens", body.into());
        let answer = self.iam.ask(&call, &[statement.into()], deadline).await;
        let answer = answer.map_err(|error| no_login(error.into()))?;
        let made = object(&answer.body).unwrap_or_default();
        let Some(Value::String(token)) = last(&made, "iamToken") else {
            let message = "Yandex Cloud's IAM answered the login without a token";
            return Err(Error::new(ErrorKind::Malformed, message));
        };
        Ok((token.clone(), TOKEN_USE))
    }
}

/// Whether a text is an id: it goes into a path.
fn is_id(text: &str) -> bool {
    let is_taken = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    !text.is_empty() && text.chars().all(is_taken)
}

/// The entries of a payload, if it is one.
fn answer(body: &Text) -> Option<Answer> {
    let payload = object(body)?;
    let Value::List(entries) = last(&payload, "entries")? else {
        return None;
    };
    let version = last(&payload, "versionId").and_then(Value::text);
    let version = version.and_then(Text::expose_str).map(str::to_owned);
    let values = entries.iter().map(entry).collect::<Option<Map>>()?;
    Some(Answer::whole(values, version))
}

fn entry(entry: &Value) -> Option<(String, Value)> {
    let key = entry.get("key")?.text()?.expose_str()?.to_owned();
    let value = match (entry.get("textValue"), entry.get("binaryValue")) {
        (Some(Value::String(text)), _) => Value::String(text.clone()),
        (_, Some(Value::String(text))) => {
            Value::Bytes(BASE64_STANDARD.decode(text.expose()).ok()?.into())
        }
        // What is empty may be left out.
        (None, None) => Value::string(""),
        _ => return None,
    };
    Some((key, value))
}

fn no_login(error: Error) -> Error {
    error.of_login("Yandex Cloud", format!(
        "check {KEY_ID}, {ACCOUNT} and {KEY}: is the key still there, of this account, and is this machine's clock right?"
    ))
}

fn refused(secret: &str, version: &str, error: Error) -> Error {
    let kind = error.kind;
    let mut message = format!("could not access secret {secret}");
    if !version.is_empty() {
        message = format!("{message} in version {version}");
    }
    let mut error = error.below(message);
    let hint = match kind {
        ErrorKind::AbsentPath | ErrorKind::Reference => {
            "check the ids; a secret that is not active, or a version that is to be destroyed, cannot be read"
        }
        ErrorKind::Denied => {
            "the service account needs the role lockbox.payloadViewer on the secret, and for one that is encrypted by a key of KMS kms.keys.decrypter on that"
        }
        _ => return error,
    };
    error.hint.get_or_insert_with(|| hint.to_owned());
    error
}
