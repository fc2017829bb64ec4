//! The Parameter Store of AWS Systems Manager: a path of the hierarchy is a secret, the parameters below it are its keys.
//!
//! API: <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html>. In a manifest:
//! `<awsssm:/shop/db#password>` is the parameter `/shop/db/password`, `<awsssm:-#token>` one without a hierarchy. Ten are
//! read by a call; what such a call does not tell about is asked for alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_ssm::config::http::HttpResponse;
use aws_sdk_ssm::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ssm::types::{Parameter, ParameterStringFilter};
use aws_sdk_ssm::{Client, config};
use futures::future::{BoxFuture, join_all};

use super::{Account, Asked, few_at_once, region_of, settings};
use crate::backends::registry::{SettingsError, Type};
use crate::backends::{Answer, Backend, Error, ErrorKind, FetchContext, Keys, Request};
use crate::clients::aws::{Bounded, explain, is_about_call};
use crate::env::{Environment, Options};
use crate::secret::{Map, Text, Value};

/// The registry's line.
pub(in crate::backends) const TYPE: Type = Type {
    name: "awsssm",
    settings: settings![("AWS_ENDPOINT_URL_SSM", "endpoint")],
    own: &[],
    built_in: true,
    open,
};

const SERVICE: &str = "AWS Systems Manager";

/// How many parameters one call may bring.
const BATCH: usize = 10;

/// The path of parameters without a hierarchy.
const NO_PATH: &str = "-";

struct ParameterStore {
    account: Account<Client>,
}

fn open(options: &Options, environment: &Environment) -> Result<Arc<dyn Backend>, SettingsError> {
    let make = |config: &_| {
        let config = config::Builder::from(config).interceptor(Bounded);
        Client::from_conf(config.build())
    };
    Ok(Arc::new(ParameterStore {
        account: Account::open(options, environment, make)?,
    }))
}

impl Backend for ParameterStore {
    fn reads(&self, request: &Request) -> Vec<String> {
        match &request.keys {
            Keys::All => vec![name(&request.id.path, "*/*")],
            Keys::Some(keys) => keys.iter().map(|key| name(&request.id.path, key)).collect(),
        }
    }

    fn fetch<'a>(
        &'a self,
        request: &'a Request,
        context: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(async move {
            match &request.keys {
                Keys::All => self.below(request, context).await,
                Keys::Some(keys) => {
                    let mut answers = self.named(&[(request, keys)], context).await;
                    answers.remove(0)
                }
            }
        })
    }

    fn batches<'r>(&self, requests: &'r [Request]) -> Vec<Vec<&'r Request>> {
        let mut batches: Vec<Vec<&Request>> = Vec::new();
        // The batch that may take more, and how many names it has. One name in two versions would not be told apart.
        let mut open: BTreeMap<_, (usize, usize)> = BTreeMap::new();
        for request in requests {
            let (Keys::Some(keys), Ok(region)) = (&request.keys, region(request)) else {
                batches.push(vec![request]);
                continue;
            };
            let kind = (region, &request.id.version);
            match open.get_mut(&kind) {
                Some((batch, names)) if *names + keys.len() <= BATCH => {
                    batches[*batch].push(request);
                    *names += keys.len();
                }
                _ => {
                    open.insert(kind, (batches.len(), keys.len()));
                    batches.push(vec![request]);
                }
            }
        }
        batches
    }

    fn fetch_batch<'a>(
        &'a self,
        batch: &'a [&'a Request],
        context: &'a FetchContext,
    ) -> BoxFuture<'a, Vec<Result<Answer, Error>>> {
        let named: Option<Vec<_>> = batch.iter().copied().map(with_keys).collect();
        match named {
            Some(named) => Box::pin(async move { self.named(&named, context).await }),
            None => Box::pin(join_all(
                batch.iter().map(|request| self.fetch(request, context)),
            )),
        }
    }
}

type Named<'r> = (&'r Request, &'r BTreeSet<String>);

fn with_keys(request: &Request) -> Option<Named<'_>> {
    match &request.keys {
        Keys::All => None,
        Keys::Some(keys) => Some((request, keys)),
    }
}

/// What is known of one parameter: nothing where there is none.
type Found = Result<Option<Parameter>, Error>;

impl ParameterStore {
    /// The wanted keys of requests of one region and version.
    async fn named(
        &self,
        requests: &[Named<'_>],
        context: &FetchContext,
    ) -> Vec<Result<Answer, Error>> {
        let version = requests[0].0.id.version.as_deref();
        let asked = match region(requests[0].0) {
            Ok(region) => self.account.client(region, context.deadline).await,
            Err(error) => Err(error),
        };
        let asked = match asked {
            Ok(asked) => asked,
            Err(error) => return vec![Err(error); requests.len()],
        };
        let names = requests.iter().flat_map(|(request, keys)| {
            let name = |key: &String| name(&request.id.path, key);
            keys.iter().map(name)
        });
        let names: Vec<String> = names.collect();
        let chunks = names.chunks(BATCH);
        let chunks = chunks.map(|names| self.chunk(names, version, &asked));
        let found = join_all(chunks).await;
        let mut found = found.into_iter().flatten();
        let answers = requests.iter().map(|(request, keys)| {
            let found: Vec<Found> = found.by_ref().take(keys.len()).collect();
            answer(request, keys, found, &asked)
        });
        answers.collect()
    }

    /// At most ten parameters, each with its outcome.
    async fn chunk(
        &self,
        names: &[String],
        version: Option<&str>,
        asked: &Asked<Client>,
    ) -> Vec<Found> {
        let in_version = |name: &String| match version {
            Some(version) => format!("{name}:{version}"),
            None => name.clone(),
        };
        let selected = names.iter().map(in_version).collect();
        let (found, absent) = match self.several(selected, asked).await {
            Ok(told) => told,
            Err(error) => return vec![Err(error); names.len()],
        };
        let outcomes = names.iter().map(|name| {
            let is_own = |parameter: &&Parameter| {
                [parameter.name(), parameter.arn()].contains(&Some(name.as_str()))
            };
            let own = found.iter().find(is_own).cloned();
            let name = in_version(name);
            let is_known = own.is_some() || absent.contains(&name);
            async move {
                if is_known {
                    Ok(own)
                } else {
                    self.alone(&name, asked).await
                }
            }
        });
        few_at_once(outcomes).await
    }

    /// What one call tells: parameters, and names of none. Nothing where it refuses, for one of them may be the reason.
    async fn several(
        &self,
        names: Vec<String>,
        asked: &Asked<Client>,
    ) -> Result<(Vec<Parameter>, Vec<String>), Error> {
        let call = asked.client.get_parameters().with_decryption(true);
        match call.set_names(Some(names)).send().await {
            Ok(answer) => Ok((
                answer.parameters.unwrap_or_default(),
                answer.invalid_parameters.unwrap_or_default(),
            )),
            Err(error) if is_about_call(&error) => Ok((Vec::new(), Vec::new())),
            Err(error) => Err(self.failure("GetParameters", &error)),
        }
    }

    async fn alone(&self, name: &str, asked: &Asked<Client>) -> Found {
        let call = asked.client.get_parameter().with_decryption(true);
        match call.name(name).send().await {
            Ok(answer) => match answer.parameter {
                Some(parameter) => Ok(Some(parameter)),
                None => Err(without_sense("answered GetParameter without a result")),
            },
            Err(error) => match error.code() {
                Some("ParameterNotFound" | "ParameterVersionNotFound") => Ok(None),
                _ => Err(self.failure("GetParameter", &error)),
            },
        }
    }

    /// All parameters below a path, also those of deeper levels: a key may name one.
    async fn below(&self, request: &Request, context: &FetchContext) -> Result<Answer, Error> {
        let path = match request.id.path.trim_end_matches('/') {
            "" => "/",
            path => path,
        };
        if !path.starts_with('/') {
            let message = format!("the path {path} stands for no part of the hierarchy");
            return Err(Error::new(ErrorKind::Reference, message)
                .with_hint("all keys can be read below a path like /shop/db; else name each key"));
        }
        let asked = self.account.client(None, context.deadline).await?;
        let call = asked.client.get_parameters_by_path().path(path);
        let call = call.recursive(true).with_decryption(true);
        let call = call.set_parameter_filters(label(request)?);
        let mut values = Map::new();
        let mut pages = call.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failure("GetParametersByPath", &error))?;
            for parameter in page.parameters.unwrap_or_default() {
                let name = parameter.name().unwrap_or_default();
                let key = name.strip_prefix(path).unwrap_or(name);
                let key = key.trim_start_matches('/').to_owned();
                values.push((key, value(parameter)?));
            }
        }
        if values.is_empty() {
            let message = format!("there are no parameters below {path}");
            return Err(Error::new(ErrorKind::AbsentPath, message).with_hint(asked.place()));
        }
        Ok(Answer::whole(values, None))
    }

    fn failure<E>(&self, call: &str, error: &SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let told = Error::from(explain(SERVICE, call, error, &self.account.aws.secrets()));
        let (kind, hint) = match error.code() {
            Some("AccessDeniedException") => (
                ErrorKind::Denied,
                format!("allow ssm:{call} for it, and kms:Decrypt for the key of a SecureString"),
            ),
            Some("InvalidKeyId") => (
                ErrorKind::Denied,
                "its KMS key is disabled or gone, or you may not use it: allow kms:Decrypt"
                    .to_owned(),
            ),
            Some("ValidationException") => (
                ErrorKind::Reference,
                "a name is made of the path, a / and the key; a version is a number or a label"
                    .to_owned(),
            ),
            _ => return told,
        };
        Error { kind, ..told }.with_hint(hint)
    }
}

fn region(request: &Request) -> Result<Option<&str>, Error> {
    region_of(&request.id.path, "ssm")
}

/// The name of a parameter, without a version.
fn name(path: &str, key: &str) -> String {
    match path {
        NO_PATH => key.to_owned(),
        path => format!("{}/{key}", path.trim_end_matches('/')),
    }
}

/// All parameters of a label. A version number is one parameter's own.
fn label(request: &Request) -> Result<Option<Vec<ParameterStringFilter>>, Error> {
    let Some(version) = request.id.version.as_deref() else {
        return Ok(None);
    };
    let is_number = version.bytes().all(|byte| byte.is_ascii_digit());
    let filter = ParameterStringFilter::builder().key("Label");
    let filter = filter.option("Equals").values(version).build();
    match filter {
        Ok(filter) if !is_number => Ok(Some(vec![filter])),
        _ => {
            let message = format!("version {version} is that of one parameter, not of a path");
            let error = Error::new(ErrorKind::Reference, message);
            Err(error.with_hint("name the key as well, or give the parameters a label"))
        }
    }
}

/// What became of the keys of a request. Where nothing at all was found the place is wrong rather than the key.
fn answer(
    request: &Request,
    keys: &BTreeSet<String>,
    found: Vec<Found>,
    asked: &Asked<Client>,
) -> Result<Answer, Error> {
    let mut answer = Answer::whole(Map::new(), None);
    for (key, found) in keys.iter().zip(found) {
        match found {
            Ok(Some(parameter)) => {
                let version = parameter.version().to_string();
                answer.version = (keys.len() == 1).then_some(version);
                answer.values.push((key.clone(), value(parameter)?));
            }
            Ok(None) => {}
            Err(error) if error.kind == ErrorKind::Denied && keys.len() > 1 => {
                let mut reason = error.causes;
                reason.extend(error.hint);
                answer.denied.push((key.clone(), reason.join("; ")));
            }
            Err(error) => return Err(error),
        }
    }
    if !answer.values.is_empty() || !answer.denied.is_empty() {
        return Ok(answer);
    }
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    let mut message = format!("{} has no key {}", request.id.path, keys.join(", "));
    if let Some(version) = &request.id.version {
        message = format!("{message} in version {version}");
    }
    Err(Error::new(ErrorKind::AbsentPath, message).with_hint(asked.place()))
}

fn value(parameter: Parameter) -> Result<Value, Error> {
    let text = parameter.value.map(Text::from).map(Value::String);
    text.ok_or_else(|| without_sense("gave a parameter without a value"))
}

fn without_sense(what: &str) -> Error {
    Error::new(ErrorKind::Malformed, format!("{SERVICE} {what}"))
}
