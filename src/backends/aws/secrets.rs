//! AWS Secrets Manager: a secret is a JSON object of keys, a text, or bytes.
//!
//! API: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>. In a manifest:
//! `<path:shop/db#password>`, or with an ARN as the path. Current versions are read twenty at a time where that is
//! allowed; what such a call does not bring is asked for alone, so that all failures are told by one call.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_secretsmanager::config::http::HttpResponse;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::get_secret_value::{
    GetSecretValueError, GetSecretValueOutput,
};
use aws_sdk_secretsmanager::primitives::Blob;
use aws_sdk_secretsmanager::types::SecretValueEntry;
use aws_sdk_secretsmanager::{Client, config};
use futures::future::BoxFuture;

use super::{Account, Asked, few_at_once, region_of, settings};
use crate::backends::registry::{SettingsError, Type};
use crate::backends::{Answer, Backend, Error, ErrorKind, FetchContext, Keys, Request};
use crate::clients::aws::{Bounded, explain, is_about_call};
use crate::env::{Environment, Options};
use crate::secret::{Map, Text, Value};
use crate::yaml::value::from_json;

/// The registry's line.
pub(in crate::backends) const TYPE: Type = Type {
    name: "awssecretsmanager",
    settings: settings![("AWS_ENDPOINT_URL_SECRETS_MANAGER", "endpoint")],
    own: &[],
    built_in: true,
    open,
};

const SERVICE: &str = "AWS Secrets Manager";

/// How many secrets one call may bring.
const BATCH: usize = 20;

/// The key that stands for the whole text of a secret.
const WHOLE: &str = "SecretString";

/// The key of a secret that is bytes, as in AVP.
const BINARY: &str = "SecretBinary";

struct SecretsManager {
    account: Account<Client>,
    /// Whether the batch call is allowed, as far as we know: AVP's own rights lack it.
    may_batch: AtomicBool,
}

fn open(options: &Options, environment: &Environment) -> Result<Arc<dyn Backend>, SettingsError> {
    let make = |config: &_| {
        let config = config::Builder::from(config).interceptor(Bounded);
        Client::from_conf(config.build())
    };
    Ok(Arc::new(SecretsManager {
        account: Account::open(options, environment, make)?,
        may_batch: AtomicBool::new(true),
    }))
}

impl Backend for SecretsManager {
    fn fetch<'a>(
        &'a self,
        request: &'a Request,
        context: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(self.alone(request, context))
    }

    fn batches<'r>(&self, requests: &'r [Request]) -> Vec<Vec<&'r Request>> {
        let mut batches = Vec::new();
        let mut current: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for request in requests {
            match region_of(&request.id.path, "secretsmanager") {
                // The call takes no version.
                Ok(region) if request.id.version.is_none() => {
                    current.entry(region).or_default().push(request);
                }
                _ => batches.push(vec![request]),
            }
        }
        let chunks = current.values().flat_map(|requests| requests.chunks(BATCH));
        batches.extend(chunks.map(<[_]>::to_vec));
        batches
    }

    fn fetch_batch<'a>(
        &'a self,
        batch: &'a [&'a Request],
        context: &'a FetchContext,
    ) -> BoxFuture<'a, Vec<Result<Answer, Error>>> {
        Box::pin(async move {
            let entries = match self.entries(batch, context).await {
                Ok(entries) => entries,
                Err(error) => return vec![Err(error); batch.len()],
            };
            let answers = batch.iter().map(|request| {
                let own = entries.iter().find(|entry| is_of(entry, &request.id.path));
                let own = own.cloned().map(Secret::from);
                async move {
                    match own {
                        Some(secret) => secret.answer(request),
                        None => self.alone(request, context).await,
                    }
                }
            });
            few_at_once(answers).await
        })
    }
}

impl SecretsManager {
    /// What one call brings of a batch: perhaps not all, and nothing where the call is not allowed.
    async fn entries(
        &self,
        batch: &[&Request],
        context: &FetchContext,
    ) -> Result<Vec<SecretValueEntry>, Error> {
        let [first, _, ..] = batch else {
            return Ok(Vec::new());
        };
        if !self.may_batch.load(Ordering::Relaxed) {
            return Ok(Vec::new());
        }
        let region = region_of(&first.id.path, "secretsmanager")?;
        let asked = self.account.client(region, context.deadline).await?;
        let paths = batch.iter().map(|request| request.id.path.to_string());
        let call = asked.client.batch_get_secret_value();
        match call.set_secret_id_list(Some(paths.collect())).send().await {
            Ok(answer) => Ok(answer.secret_values.unwrap_or_default()),
            Err(error) if is_about_call(&error) => {
                let is_denied = error.code() == Some("AccessDeniedException");
                self.may_batch.fetch_and(!is_denied, Ordering::Relaxed);
                Ok(Vec::new())
            }
            Err(error) => {
                let secrets = self.account.aws.secrets();
                Err(explain(SERVICE, "BatchGetSecretValue", &error, &secrets).into())
            }
        }
    }

    async fn alone(&self, request: &Request, context: &FetchContext) -> Result<Answer, Error> {
        let path = &*request.id.path;
        let region = region_of(path, "secretsmanager")?;
        let asked = self.account.client(region, context.deadline).await?;
        let call = asked.client.get_secret_value().secret_id(path);
        let call = match request.id.version.as_deref().map(Version::parse) {
            None => call,
            Some(Version::Stage(stage)) => call.version_stage(stage),
            Some(Version::Id(id)) => call.version_id(id),
        };
        match call.send().await {
            Ok(answer) => Secret::from(answer).answer(request),
            Err(error) => Err(self.failure(request, &asked, &error)),
        }
    }

    /// Why a secret was not read, and what to try.
    fn failure(
        &self,
        request: &Request,
        asked: &Asked<Client>,
        error: &SdkError<GetSecretValueError, HttpResponse>,
    ) -> Error {
        let told = explain(
            SERVICE,
            "GetSecretValue",
            error,
            &self.account.aws.secrets(),
        );
        let told = Error::from(told);
        let (kind, hint) = match error.code() {
            Some("ResourceNotFoundException") => {
                let mut absent = absent(request);
                absent.causes = told.causes;
                let hint = format!(
                    "{}; a secret of another region or account is named by its ARN",
                    asked.place()
                );
                return absent.with_hint(hint);
            }
            Some("AccessDeniedException") => (
                ErrorKind::Denied,
                "allow secretsmanager:GetSecretValue for it, and kms:Decrypt for its key unless that is aws/secretsmanager; a secret of another account must allow it too",
            ),
            Some("DecryptionFailure") => (
                ErrorKind::Denied,
                "its KMS key is disabled or gone, or you may not use it: allow kms:Decrypt",
            ),
            Some("InvalidRequestException") => (
                ErrorKind::Reference,
                "is it to be deleted? `aws secretsmanager restore-secret --secret-id NAME` brings it back",
            ),
            Some("InvalidParameterException" | "ValidationException") => (
                ErrorKind::Reference,
                "a path is the name of a secret or its whole ARN; a version is an id, AWSPREVIOUS, or stage:NAME",
            ),
            _ => return told,
        };
        Error { kind, ..told }.with_hint(hint)
    }
}

/// Whether an entry is the secret that a path names: by its name, or by its ARN with or without the six random letters.
fn is_of(entry: &SecretValueEntry, path: &str) -> bool {
    let arn = entry.arn().unwrap_or_default();
    let rest = arn.strip_prefix(path).filter(|_| path.starts_with("arn:"));
    let is_arn = |rest: &str| rest.is_empty() || (rest.len() == 7 && rest.starts_with('-'));
    entry.name() == Some(path) || rest.is_some_and(is_arn)
}

/// AVP's words.
fn absent(request: &Request) -> Error {
    let mut message = format!("Could not find secret {}", request.id.path);
    if let Some(version) = &request.id.version {
        message = format!("{message} in version {version}");
    }
    Error::new(ErrorKind::AbsentPath, message)
}

/// A version as it is asked for.
enum Version<'v> {
    Stage(&'v str),
    Id(&'v str),
}

impl<'v> Version<'v> {
    /// AVP knows two stages; the third of AWS's own can be no id either, which has at least 32 characters.
    fn parse(text: &'v str) -> Self {
        match text.strip_prefix("stage:") {
            Some(stage) => Self::Stage(stage),
            None if matches!(text, "AWSCURRENT" | "AWSPREVIOUS" | "AWSPENDING") => {
                Self::Stage(text)
            }
            None => Self::Id(text),
        }
    }
}

/// What AWS holds.
struct Secret {
    version: Option<String>,
    string: Option<Text>,
    binary: Option<Blob>,
}

impl From<GetSecretValueOutput> for Secret {
    fn from(answer: GetSecretValueOutput) -> Self {
        Self {
            version: answer.version_id,
            string: answer.secret_string.map(Text::from),
            binary: answer.secret_binary,
        }
    }
}

impl From<SecretValueEntry> for Secret {
    fn from(entry: SecretValueEntry) -> Self {
        Self {
            version: entry.version_id,
            string: entry.secret_string.map(Text::from),
            binary: entry.secret_binary,
        }
    }
}

impl Secret {
    fn answer(self, request: &Request) -> Result<Answer, Error> {
        let values = match (self.string, self.binary) {
            (Some(text), _) => values(&text, request)?,
            (None, Some(bytes)) => {
                vec![(BINARY.to_owned(), Value::Bytes(bytes.into_inner().into()))]
            }
            (None, None) => return Err(absent(request)),
        };
        Ok(Answer::whole(values, self.version))
    }
}

/// The keys of a text, and the text itself where it is asked for. As in AVP a text without keys is an error, unless it is
/// asked for as a whole and nothing else is.
fn values(text: &Text, request: &Request) -> Result<Map, Error> {
    let wanted = match &request.keys {
        Keys::All => None,
        Keys::Some(keys) => keys.get(WHOLE).map(|_| keys.len()),
    };
    let problem = match from_json(text.expose_str().unwrap_or_default()) {
        Ok(Value::Map(mut map)) => {
            if wanted.is_some() && !map.iter().any(|(key, _)| key == WHOLE) {
                map.push((WHOLE.to_owned(), Value::String(text.clone())));
            }
            return Ok(map);
        }
        Ok(Value::Null) if wanted.is_none() => return Ok(Map::new()),
        Ok(_) => "is no JSON object, so it has no keys",
        Err(_) => "is not JSON, so it has no keys",
    };
    if wanted == Some(1) {
        return Ok(vec![(WHOLE.to_owned(), Value::String(text.clone()))]);
    }
    let path = &request.id.path;
    let error = Error::new(ErrorKind::Malformed, format!("the secret {path} {problem}"));
    Err(error.with_hint(format!(
        "its whole text is the key {WHOLE}: <path:{path}#{WHOLE}>"
    )))
}
