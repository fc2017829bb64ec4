//! IBM Cloud Secrets Manager: a path is `ibmcloud/TYPE/secrets/groups/GROUP` with secrets as keys, or
//! `ibmcloud/TYPE/secrets/groups/GROUP/SECRET` with its fields as keys.
//!
//! API: <https://cloud.ibm.com/apidocs/secrets-manager/secrets-manager-v2>, with a token of
//! <https://cloud.ibm.com/apidocs/iam-identity-token-api>. In a manifest:
//! `<ibmsecretsmanager:ibmcloud/kv/secrets/groups/default/shop#password>`. Secrets go by names, so a group is listed, once in a
//! run.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{StreamExt as _, stream};
use regex::Regex;
use reqwest::Url;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::registry::{Own, SettingsError, Type};
use super::{Answer, Backend, Error, ErrorKind, FetchContext, Keys, Request, object, own_address};
use crate::clients::Address;
use crate::clients::http::Call;
use crate::clients::login::Login;
use crate::clients::rest::{self, Service, bearer};
use crate::clients::tls::Tls;
use crate::clients::vault::encode_segment;
use crate::env::{Environment, Options};
use crate::secret::{Map, Text, Value, last};

/// The registry's line.
pub(super) const TYPE: Type = Type {
    name: "ibmsecretsmanager",
    settings: &[
        (IAM, "auth.endpoint"),
        (KEY, "auth.apiKey"),
        (URL, "address"),
        (VAULT, ""),
    ],
    own: &[Own::setting(IAM, "the address to log in at")],
    built_in: true,
    open,
};

const IAM: &str = "MANIFUSE_IBM_IAM_ENDPOINT";
const KEY: &str = "AVP_IBM_API_KEY";
const URL: &str = "AVP_IBM_INSTANCE_URL";
/// Read where there is no address of its own, as in AVP.
const VAULT: &str = "VAULT_ADDR";

const IAM_ADDRESS: &str = "https://iam.cloud.ibm.com";
/// What an address of an instance looks like.
const EXAMPLE: &str = "https://INSTANCE.us-south.secrets-manager.appdomain.cloud";

/// What messages call it.
const NAME: &str = "IBM Secrets Manager";

/// A page of a list, as the server gives it.
const PAGE: usize = 200;
/// No group has so many; a server that says so is broken.
const MAX_SECRETS: usize = 100_000;
/// How many secrets of one group are read at once, as in AVP.
const AT_ONCE: usize = 20;
/// A token lives for an hour.
const TOKEN_USE: Duration = Duration::from_mins(10);

static PATH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"ibmcloud/(.+)/secrets/groups/([^/\n]+)(?:/(.+))?").expect("a sound pattern")
});
static UUID: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
        .expect("a sound pattern")
});

/// An instance and an account.
struct SecretsManager {
    service: Service,
    iam: Service,
    key: Text,
    token: Login<Text, Error>,
    /// The ids of groups by their names, if they were asked for.
    groups: Mutex<Option<Known<HashMap<String, String>>>>,
    /// What groups hold, by their ids.
    listings: Mutex<HashMap<String, Known<[Listed]>>>,
}

/// What was asked for once, and counts for the run.
type Known<T> = Result<Arc<T>, Error>;

/// A secret of a group.
struct Listed {
    id: String,
    name: String,
    kind: String,
}

/// What a path says.
struct Place<'p> {
    kind: &'p str,
    group: &'p str,
    name: Option<&'p str>,
}

fn open(options: &Options, environment: &Environment) -> Result<Arc<dyn Backend>, SettingsError> {
    let address = match own_address(options, URL, EXAMPLE)? {
        None => own_address(options, VAULT, EXAMPLE)?,
        own => own,
    };
    let address = address.ok_or_else(|| no_address(options))?;
    let key = options.line(KEY)?.ok_or_else(|| {
        SettingsError::new("Exactly one of ApiKey or RefreshToken must be specified.")
            .hint(format!("set {KEY}"))
    })?;
    if key.starts_with(['{', '"']) || key.ends_with(['}', '"']) {
        let message = format!("{KEY} is in quotes or braces");
        return Err(SettingsError::new(message)
            .about(KEY)
            .hint("give the key itself"));
    }
    let iam = own_address(options, IAM, IAM_ADDRESS)?;
    let iam = iam.unwrap_or_else(|| Address::parse(IAM_ADDRESS).expect("a constant address"));
    let service = |name, address, words| {
        Service::new(name, address, words, Tls::default(), environment)
            .map_err(|error| SettingsError::new(error.to_string()))
    };
    Ok(Arc::new(SecretsManager {
        service: service(NAME, address, &["/errors/0/code", "/errors/0/message"])?,
        iam: service("IBM's IAM", iam, &["/errorCode", "/errorMessage"])?,
        key: key.into(),
        token: Login::default(),
        groups: Mutex::default(),
        listings: Mutex::default(),
    }))
}

/// AVP's words.
fn no_address(options: &Options) -> SettingsError {
    let error = SettingsError::new(format!("{URL} or {VAULT} required for {NAME}"));
    for name in [URL, VAULT] {
        if options.is_set_by_application(name) {
            return error.about(name).hint(format!(
                "{name} says where the token goes: an application cannot set it (ARGOCD_ENV_), only the operator"
            ));
        }
    }
    error.hint(format!("set {URL}, for example {EXAMPLE}"))
}

impl Backend for SecretsManager {
    fn fetch<'a>(
        &'a self,
        request: &'a Request,
        context: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(self.read(request, context.deadline))
    }
}

impl SecretsManager {
    async fn read(&self, request: &Request, deadline: Instant) -> Result<Answer, Error> {
        let place = Place::parse(&request.id.path)?;
        let version = request.id.version.as_deref();
        let group = self.group(place.group, deadline).await?;
        let listing = self.listing(&group, deadline).await?;
        let mut of_kind = listing.iter().filter(|one| one.kind == place.kind);
        let Some(name) = place.name else {
            return self.read_group(of_kind.collect(), request, deadline).await;
        };
        // Of what is not there no key is, as in AVP.
        let Some(secret) = of_kind.find(|one| one.name == name) else {
            return Ok(Answer::whole(Map::new(), None));
        };
        let payload = self.payload(secret, version, deadline).await?;
        let fields = match payload {
            Some(Value::Map(fields)) => fields,
            _ => Map::new(),
        };
        Ok(Answer::whole(fields, version.map(str::to_owned)))
    }

    /// The wanted secrets of a group, each under its name.
    async fn read_group(
        &self,
        secrets: Vec<&Listed>,
        request: &Request,
        deadline: Instant,
    ) -> Result<Answer, Error> {
        let version = request.id.version.as_deref();
        let is_wanted = |secret: &&Listed| match &request.keys {
            Keys::All => true,
            Keys::Some(names) => names.contains(&secret.name),
        };
        let wanted = secrets.into_iter().filter(is_wanted);
        let read = async |secret: &Listed| {
            let payload = self.payload(secret, version, deadline).await;
            (secret.name.clone(), payload)
        };
        let reads: Vec<_> = wanted.map(read).collect();
        let reads: Vec<_> = stream::iter(reads).buffered(AT_ONCE).collect().await;
        let mut answer = Answer::whole(Map::new(), version.map(str::to_owned));
        for (name, payload) in reads {
            match payload {
                Ok(payload) => answer.values.extend(payload.map(|payload| (name, payload))),
                Err(error) if request.keys == Keys::All => return Err(error),
                Err(error) => answer.failed.push((name, error)),
            }
        }
        Ok(answer)
    }

    /// What a secret holds, if it is available: a text, or fields.
    async fn payload(
        &self,
        secret: &Listed,
        version: Option<&str>,
        deadline: Instant,
    ) -> Result<Option<Value>, Error> {
        let mut path = format!("/api/v2/secrets/{}", encode_segment(&secret.id));
        if let Some(version) = version {
            path = format!("{path}/versions/{}", encode_segment(version));
        }
        let failed = |error: Error| {
            let is_absent = error.kind == ErrorKind::AbsentPath && version.is_some();
            let error = error.below(format!("Could not retrieve secret {}", secret.id));
            if is_absent {
                return error.with_hint("a version is current, previous, or an id");
            }
            error
        };
        let body = self.get(Call::get(path), deadline).await.map_err(failed)?;
        let body = object(&body).ok_or_else(|| failed(malformed()))?;
        Ok(payload(&secret.kind, &body))
    }

    /// The id of a group.
    async fn group(&self, name: &str, deadline: Instant) -> Result<String, Error> {
        if name == "default" || UUID.is_match(name) {
            return Ok(name.to_owned());
        }
        // Held while they are asked for, so that it is done once.
        let mut groups = self.groups.lock().await;
        if groups.is_none() {
            *groups = Some(self.ask_groups(deadline).await.map(Arc::new));
        }
        let known = groups.clone().expect("they were asked for");
        known?.get(name).cloned().ok_or_else(|| {
            let message = format!("No such secret group {name}");
            Error::new(ErrorKind::AbsentPath, message)
                .with_hint("ibmcloud secrets-manager secret-groups shows names and ids")
        })
    }

    async fn ask_groups(&self, deadline: Instant) -> Result<HashMap<String, String>, Error> {
        let failed = |error: Error| error.below("Could not list secret groups");
        let body = self.get(Call::get("/api/v2/secret_groups"), deadline).await;
        let body = object(&body.map_err(failed)?).unwrap_or_default();
        let groups = list(&body, "secret_groups").ok_or_else(|| failed(malformed()))?;
        let group = |group: &Value| Some((text(group, "name")?, text(group, "id")?));
        Ok(groups.iter().filter_map(group).collect())
    }

    /// What a group holds.
    async fn listing(&self, group: &str, deadline: Instant) -> Known<[Listed]> {
        // Held while it is listed, so that it is done once.
        let mut listings = self.listings.lock().await;
        if let Some(known) = listings.get(group) {
            return known.clone();
        }
        let listing = self.list(group, deadline).await.map(Arc::from);
        let listing = listing.map_err(|error: Error| {
            error.below(format!("Could not list secrets for secret group {group}"))
        });
        listings.insert(group.to_owned(), listing.clone());
        listing
    }

    async fn list(&self, group: &str, deadline: Instant) -> Result<Vec<Listed>, Error> {
        let mut all = Vec::new();
        for offset in (0..MAX_SECRETS).step_by(PAGE) {
            let mut call = Call::get("/api/v2/secrets");
            call.query.push(("offset", offset.to_string()));
            call.query.push(("groups", group.to_owned()));
            let body = object(&self.get(call, deadline).await?).unwrap_or_default();
            let page = list(&body, "secrets").ok_or_else(malformed)?;
            all.extend(page.iter().filter_map(Listed::parse));
            if page.len() < PAGE {
                return Ok(all);
            }
        }
        Err(malformed())
    }

    /// What there is, for the account.
    async fn get(&self, mut call: Call, deadline: Instant) -> Result<Text, Error> {
        let token = self.token.get(self.log_in(deadline)).await?;
        call.headers.push(bearer(&token));
        let answer = self.service.ask(&call, &[token], deadline).await?;
        Ok(answer.body)
    }

    /// A token, and how long it is used.
    async fn log_in(&self, deadline: Instant) -> Result<(Text, Duration), Error> {
        let key = self.key.expose_str().unwrap_or_default();
        let fields = [
            ("grant_type", "urn:ibm:params:oauth:grant-type:apikey"),
            ("apikey", key),
            ("response_type", "cloud_iam"),
        ];
        let form = Url::parse_with_params("form://", fields).expect("a constant URL");
        let mut call = rest::post("/identity/token", form.query().unwrap_or_default().into());
        let kind = "application/x-www-form-urlencoded";
        call.headers.push(("Content-Type", kind.into()));
        let secrets = std::slice::from_ref(&self.key);
        let answer = self.iam.ask(&call, secrets, deadline).await;
        let answer = answer.map_err(|error| {
            Error::from(error)
                .of_login("IBM Cloud", format!("check {KEY}: is the key still there?"))
        })?;
        let grant = object(&answer.body).unwrap_or_default();
        let Some(Value::String(token)) = last(&grant, "access_token") else {
            let message = "IBM's IAM answered the login without a token";
            return Err(Error::new(ErrorKind::Malformed, message));
        };
        Ok((token.clone(), TOKEN_USE))
    }
}

impl<'p> Place<'p> {
    fn parse(path: &'p str) -> Result<Self, Error> {
        let found = PATH.captures(path).ok_or_else(|| {
            let message = format!(
                "Path is not in the correct format (ibmcloud/$TYPE/secrets/groups/$GROUP) for {NAME}: {path}"
            );
            Error::new(ErrorKind::Reference, message)
                .with_hint("for example ibmcloud/kv/secrets/groups/default/shop#password")
        })?;
        let part = |number| found.get(number).map(|part| part.as_str());
        let place = Self {
            kind: part(1).unwrap_or_default(),
            group: part(2).unwrap_or_default(),
            name: part(3),
        };
        if place.kind == "arbitrary" && place.name.is_some() {
            let message = format!(
                "The 'ibmcloud/$TYPE/secrets/groups/$GROUP/$SECRET' path format is not supported for arbitrary secrets: {path}"
            );
            return Err(Error::new(ErrorKind::Reference, message)
                .with_hint("the name of an arbitrary secret is the key: …/groups/GROUP#NAME"));
        }
        Ok(place)
    }
}

impl Listed {
    fn parse(secret: &Value) -> Option<Self> {
        Some(Self {
            id: text(secret, "id")?,
            name: text(secret, "name")?,
            kind: text(secret, "secret_type")?,
        })
    }
}

fn text(of: &Value, key: &str) -> Option<String> {
    Some(of.get(key)?.text()?.expose_str()?.to_owned())
}

fn list<'b>(body: &'b Map, key: &str) -> Option<&'b [Value]> {
    match last(body, key) {
        Some(Value::List(items)) => Some(items),
        _ => None,
    }
}

fn malformed() -> Error {
    Error::new(
        ErrorKind::Malformed,
        format!("what {NAME} answered is not what was asked for"),
    )
}

/// What a secret of a type holds; `None` where its payload is not available.
fn payload(kind: &str, body: &Map) -> Option<Value> {
    let fields: &[&str] = match kind {
        "arbitrary" => return last(body, "payload").cloned(),
        "kv" => return last(body, "data").cloned(),
        "username_password" => &["username", "password"],
        "imported_cert" | "public_cert" => &["certificate", "private_key", "intermediate"],
        "private_cert" => &["certificate", "private_key", "issuing_ca", "ca_chain"],
        "iam_credentials" => &["api_key"],
        _ => return None,
    };
    let field = |name: &&str| Some(((*name).to_owned(), last(body, name)?.clone()));
    Some(Value::Map(fields.iter().filter_map(field).collect()))
}
