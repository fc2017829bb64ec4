//! Google Cloud Secret Manager: the payload of a version under the secret's own name, as AVP has it, and the fields of
//! a payload that is a JSON object under theirs.
//!
//! API: <https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access>. In a
//! manifest: `<gcpsecretmanager:projects/shop/secrets/db#db>`, `…#password` out of JSON, `…#db#7` for version 7.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::future::BoxFuture;
use serde::Deserialize;
use tokio::time::Instant;

use super::registry::{Own, SettingsError, Type};
use super::{Answer, Backend, Error, ErrorKind, FetchContext, Keys, Request, object, own_address};
use crate::clients::Address;
use crate::clients::gcp::{Gcp, Service, crc32c};
use crate::env::{Environment, Options};
use crate::secret::{Map, Text, Value};

/// The registry's line.
pub(super) const TYPE: Type = Type {
    name: "gcpsecretmanager",
    settings: &[
        ("CLOUDSDK_CONFIG", "auth.gcloudFolder"),
        ("GCE_METADATA_HOST", "auth.metadataHost"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "auth.credentials"),
        ("GOOGLE_CLOUD_QUOTA_PROJECT", "quotaProject"),
        (ENDPOINT, "endpoint"),
    ],
    own: &[Own::setting(ENDPOINT, "the address to ask for all secrets")],
    built_in: true,
    open,
};

const ENDPOINT: &str = "MANIFUSE_GCP_SECRET_MANAGER_ENDPOINT";

/// What messages call it.
const NAME: &str = "Secret Manager";

/// The version when none is asked for.
const LATEST: &str = "latest";

/// An account and its ways to the service.
struct SecretManager {
    gcp: Arc<Gcp>,
    /// Asked for all secrets, where it is set.
    endpoint: Option<Address>,
    /// One for each region, and one for secrets that are in none.
    services: Mutex<HashMap<Option<String>, Arc<Service>>>,
}

fn open(options: &Options, environment: &Environment) -> Result<Arc<dyn Backend>, SettingsError> {
    Ok(Arc::new(SecretManager {
        gcp: Arc::new(Gcp::new(options, environment, None)),
        endpoint: own_address(options, ENDPOINT, "https://secretmanager.googleapis.com")?,
        services: Mutex::default(),
    }))
}

impl Backend for SecretManager {
    fn fetch<'a>(
        &'a self,
        request: &'a Request,
        context: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(self.read(request, context.deadline))
    }
}

impl SecretManager {
    async fn read(&self, request: &Request, deadline: Instant) -> Result<Answer, Error> {
        let name = Name::parse(&request.id.path)?;
        let path = name.access(request.id.version.as_deref())?;
        let response = self.service(name.location)?.get(path, deadline).await;
        let response = response.map_err(|error| name.refused(error.into()))?;
        let (version, payload) = payload(response.body.expose()).map_err(|reason| {
            let message = format!("what {NAME} answered for {name} {reason}");
            Error::new(ErrorKind::Malformed, message)
        })?;
        Ok(Answer::whole(
            values(name.secret, payload, &request.keys),
            version,
        ))
    }

    /// The way to the secrets of a region. Connections are kept.
    fn service(&self, location: Option<&str>) -> Result<Arc<Service>, Error> {
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        let location = location.filter(|_| self.endpoint.is_none());
        if let Some(service) = services.get(&location.map(str::to_owned)) {
            return Ok(Arc::clone(service));
        }
        let address = match (&self.endpoint, location) {
            (Some(endpoint), _) => endpoint.clone(),
            (None, None) => address("secretmanager.googleapis.com"),
            (None, Some(location)) => {
                address(&format!("secretmanager.{location}.rep.googleapis.com"))
            }
        };
        let service = Arc::new(self.gcp.service(NAME, address)?);
        services.insert(location.map(str::to_owned), Arc::clone(&service));
        Ok(service)
    }
}

fn address(host: &str) -> Address {
    Address::parse(&format!("https://{host}")).expect("a location is letters, digits and hyphens")
}

/// A path, taken apart.
struct Name<'a> {
    project: &'a str,
    /// The region, for a secret that stays in one.
    location: Option<&'a str>,
    secret: &'a str,
    version: Option<&'a str>,
}

impl<'a> Name<'a> {
    fn parse(path: &'a str) -> Result<Self, Error> {
        let parts: Vec<&str> = path.split('/').collect();
        let (project, location, secret, version) = match parts[..] {
            ["projects", project, "secrets", secret] => (project, None, secret, None),
            ["projects", project, "secrets", secret, "versions", version] => {
                (project, None, secret, Some(version))
            }
            [
                "projects",
                project,
                "locations",
                location,
                "secrets",
                secret,
            ] => (project, Some(location), secret, None),
            [
                "projects",
                project,
                "locations",
                location,
                "secrets",
                secret,
                "versions",
                version,
            ] => (project, Some(location), secret, Some(version)),
            _ => return Err(no_path(path)),
        };
        // A project may be of an organisation's domain: `example.com:shop`.
        let names = [Some(secret), version].into_iter().flatten();
        let is_right = is_of(project, ".:-_")
            && location.is_none_or(|location| is_of(location, "-"))
            && names.clone().all(|name| is_of(name, "-_"));
        if !is_right {
            return Err(no_path(path));
        }
        Ok(Self {
            project,
            location,
            secret,
            version,
        })
    }

    /// Where the version is read: that of the reference, that of the path, or the latest.
    fn access(&self, wanted: Option<&str>) -> Result<String, Error> {
        let wanted = wanted.filter(|version| !version.is_empty());
        let version = match (wanted, self.version) {
            (Some(wanted), Some(own)) if wanted != own => {
                let message =
                    format!("{self} names the version {own}, and version {wanted} is asked for");
                return Err(Error::new(ErrorKind::Reference, message));
            }
            (wanted, own) => wanted.or(own).unwrap_or(LATEST),
        };
        if !is_of(version, "-_") {
            let message = format!("{self} has no version of such a name");
            let error = Error::new(ErrorKind::Reference, message);
            return Err(error.with_hint("a version is a number, an alias, or latest"));
        }
        Ok(format!("/v1/{self}/versions/{version}:access"))
    }

    /// With AVP's leading phrase where there is no such secret.
    fn refused(&self, mut error: Error) -> Error {
        let hint = match error.kind {
            ErrorKind::AbsentPath => {
                error = error.below(format!("Could not find secret: {self}"));
                "check the names; a version that is disabled or destroyed cannot be read either"
            }
            ErrorKind::Denied => {
                "the account needs roles/secretmanager.secretAccessor on the secret"
            }
            _ => return error,
        };
        error.hint.get_or_insert_with(|| hint.to_owned());
        error
    }
}

/// The secret's name, without a version.
impl std::fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "projects/{}/", self.project)?;
        if let Some(location) = self.location {
            write!(f, "locations/{location}/")?;
        }
        write!(f, "secrets/{}", self.secret)
    }
}

/// Whether a text is a name of letters, digits and these: it goes into a path or a host.
fn is_of(text: &str, others: &str) -> bool {
    let is_taken = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    !text.trim_matches('.').is_empty() && text.chars().all(is_taken)
}

/// AVP's words.
fn no_path(path: &str) -> Error {
    let message = format!(
        "Path is not in the correct format (projects/$PROJECT_ID/secrets/$SECRET_ID) for GCP Secrets Manager: {path}"
    );
    Error::new(ErrorKind::Reference, message)
        .with_hint("of a regional secret it is projects/PROJECT/locations/REGION/secrets/SECRET")
}

/// What is answered, as far as it is asked for. Numbers of 64 bits are texts in Google's JSON.
#[derive(Deserialize)]
struct Access<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload: Payload<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    #[serde(borrow, default)]
    data: Cow<'a, str>,
    #[serde(borrow)]
    data_crc32c: Option<Cow<'a, str>>,
}

/// The version that was read, and what it holds; or what is wrong with the answer.
fn payload(body: &[u8]) -> Result<(Option<String>, Text), &'static str> {
    const NONSENSE: &str = "is not what it answers";
    let access: Access<'_> = serde_json::from_slice(body).map_err(|_| NONSENSE)?;
    let bytes = BASE64_STANDARD.decode(&*access.payload.data);
    let bytes = Text::from(bytes.map_err(|_| NONSENSE)?);
    let sum = access.payload.data_crc32c.map(|sum| sum.parse());
    if sum.is_some_and(|sum| sum != Ok(crc32c(bytes.expose()))) {
        return Err("was damaged on the way: its checksum is wrong");
    }
    let version = access
        .name
        .and_then(|name| Some(name.rsplit_once('/')?.1.to_owned()));
    Ok((version, bytes))
}

/// The payload under the secret's name, which wins, behind the fields of a JSON object if others are wanted.
fn values(secret: &str, payload: Text, keys: &Keys) -> Map {
    let is_all = match keys {
        Keys::All => false,
        Keys::Some(keys) => keys.iter().all(|key| key == secret),
    };
    let fields = if is_all { None } else { object(&payload) };
    let mut values = fields.unwrap_or_default();
    // AVP takes it for a string, whatever its bytes are.
    values.push((secret.to_owned(), Value::String(payload)));
    values
}
