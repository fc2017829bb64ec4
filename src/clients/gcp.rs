//! Google Cloud: tokens from the credentials that its own tools use, and JSON calls with them.
//!
//! The official crate makes the tokens. It reads the process itself for `GCE_METADATA_HOST`, and for what an external account
//! of AWS or of a program needs (`AWS_*`, `GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use google_cloud_auth::credentials::{
    AccessTokenCredentials, external_account, impersonated, mds, service_account, user_account,
};
use serde_json::Value as Json;
use tokio::time::{Instant, timeout_at};

use super::cloud::{Error, ErrorKind, chain, words};
use super::http::{Call, Response};
use super::login::Login;
use super::tls::Tls;
use super::{Address, rest};
use crate::diagnostics::io_reason;
use crate::env::{Environment, Options};
use crate::secret::Text;

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// The metadata server gives no token that lives shorter.
const TOKEN_LIFE: Duration = Duration::from_mins(4);

const NO_CREDENTIALS: &str = "set GOOGLE_APPLICATION_CREDENTIALS, give the workload a service account, or run: gcloud auth application-default login";

/// Where a token comes from.
#[derive(Clone)]
enum Source {
    /// It was given.
    Token(Text),
    /// Credentials themselves, and what messages call them.
    Json(Text, String),
    /// A file of credentials.
    File(PathBuf),
    /// The metadata server.
    Metadata,
}

/// The account's side of all clients of Google Cloud.
pub struct Gcp {
    source: Source,
    metadata: Option<String>,
    environment: Environment,
    /// Which project pays, if not the one that is asked.
    quota_project: Option<Text>,
    token: Login<Token, Error>,
}

/// A token, and which project pays.
#[derive(Clone)]
struct Token {
    text: Text,
    quota_project: Option<Text>,
}

/// A service of Google Cloud.
pub struct Service {
    gcp: Arc<Gcp>,
    service: rest::Service,
}

impl Gcp {
    /// Out of the settings and the environment, in the order of SOPS; `json` wins over all. What an application sets may
    /// only be a token: credentials can name a file to send, and where to.
    pub fn new(options: &Options, environment: &Environment, json: Option<(Text, String)>) -> Self {
        let own = |name| {
            options
                .text(name)
                .filter(|_| !options.is_set_by_application(name))
        };
        let given = || own("GOOGLE_CREDENTIALS").map(credentials);
        let token = || {
            Some(Source::Token(
                options.text("GOOGLE_OAUTH_ACCESS_TOKEN")?.into(),
            ))
        };
        let file = "GOOGLE_APPLICATION_CREDENTIALS";
        let named = || {
            own(file)?;
            Some(Source::File(options.path(file)?))
        };
        let gcloud = || {
            let folder = own("CLOUDSDK_CONFIG").map(PathBuf::from);
            let file = folder
                .or_else(|| gcloud(environment))?
                .join("application_default_credentials.json");
            file.exists().then_some(Source::File(file))
        };
        let json = json.map(|(json, place)| Source::Json(json, place));
        let source = json
            .or_else(given)
            .or_else(token)
            .or_else(named)
            .or_else(gcloud);
        Self {
            source: source.unwrap_or(Source::Metadata),
            metadata: own("GCE_METADATA_HOST").map(|host| format!("http://{host}")),
            quota_project: options.text("GOOGLE_CLOUD_QUOTA_PROJECT").map(Text::from),
            environment: environment.clone(),
            token: Login::default(),
        }
    }

    /// A service at an address.
    pub fn service(
        self: &Arc<Self>,
        name: &'static str,
        address: Address,
    ) -> Result<Service, Error> {
        let words = &["/error/status", "/error/message"];
        let environment = &self.environment;
        Ok(Service {
            gcp: Arc::clone(self),
            service: rest::Service::new(name, address, words, Tls::default(), environment)?,
        })
    }

    /// A token that is good for some minutes. The crate would keep it fresh by a task, which ends with the runtime.
    async fn token(&self, deadline: Instant) -> Result<Token, Error> {
        let log_in = async { Ok((self.log_in(deadline).await?, TOKEN_LIFE)) };
        self.token.get(log_in).await
    }

    async fn log_in(&self, deadline: Instant) -> Result<Token, Error> {
        let json = self.json()?;
        let text = match (&self.source, &json) {
            (Source::Token(token), _) => token.clone(),
            (_, Some((json, place))) => {
                let hint = format!("are the credentials in {place} whole, and still good?");
                bring(build(json.clone(), place)?, &secrets(json), &hint, deadline).await?
            }
            (_, None) => bring(self.of_metadata()?, &[], NO_CREDENTIALS, deadline).await?,
        };
        let of_credentials =
            |(json, _): &(Json, _)| json["quota_project_id"].as_str().map(Text::from);
        Ok(Token {
            text,
            quota_project: self
                .quota_project
                .clone()
                .or_else(|| json.as_ref().and_then(of_credentials)),
        })
    }

    /// The credentials and what messages call them, where they are a text.
    fn json(&self) -> Result<Option<(Json, String)>, Error> {
        let (text, place) = match &self.source {
            Source::Token(_) | Source::Metadata => return Ok(None),
            Source::Json(json, place) => (json.clone(), place.clone()),
            Source::File(path) => (read(path)?, path.display().to_string()),
        };
        // The parser's words could quote the file.
        let wrong = |_| {
            Error::new(
                ErrorKind::Settings,
                format!("the credentials in {place} are not JSON"),
            )
        };
        let json = serde_json::from_slice(text.expose()).map_err(wrong)?;
        Ok(Some((json, place)))
    }

    fn of_metadata(&self) -> Result<AccessTokenCredentials, Error> {
        let mut builder = mds::Builder::default().with_scopes([SCOPE]);
        if let Some(endpoint) = &self.metadata {
            // The crate panics at what is none.
            Address::parse(endpoint).map_err(|_| {
                let message = "GCE_METADATA_HOST is no host, nor a host with a port";
                Error::new(ErrorKind::Settings, message)
            })?;
            builder = builder.with_endpoint(endpoint);
        }
        let built = builder.build_access_token_credentials();
        built.map_err(|_| unusable("the metadata server"))
    }
}

/// Asks for a token; `secrets` are struck out of what is said when there is none, and `hint` says what to try.
async fn bring(
    credentials: AccessTokenCredentials,
    secrets: &[Text],
    hint: &str,
    deadline: Instant,
) -> Result<Text, Error> {
    let asked = timeout_at(deadline, credentials.access_token()).await;
    let late = || {
        Error::new(
            ErrorKind::Unreachable,
            "the login to Google Cloud took too long",
        )
    };
    let token = asked.map_err(|_| late().with_hint(hint))?;
    Ok(token
        .map_err(|error| no_login(&error, secrets).with_hint(hint))?
        .token
        .into())
}

/// A path if there is such a file, else the credentials themselves.
fn credentials(text: &str) -> Source {
    if Path::new(text).exists() {
        Source::File(text.into())
    } else {
        Source::Json(text.into(), "GOOGLE_CREDENTIALS".to_owned())
    }
}

/// The folder of the program gcloud.
fn gcloud(environment: &Environment) -> Option<PathBuf> {
    let folder = |name, below: &str| Some(Path::new(environment.get(name)?).join(below));
    if cfg!(windows) {
        folder("APPDATA", "gcloud")
    } else {
        folder("HOME", ".config/gcloud")
    }
}

fn read(path: &Path) -> Result<Text, Error> {
    let wrong = |error: io::Error| {
        let reason = io_reason(&error);
        Error::new(
            ErrorKind::Settings,
            format!(
                "the credentials in {} cannot be read: {reason}",
                path.display()
            ),
        )
    };
    fs::read(path).map(Text::from).map_err(wrong)
}

fn build(json: Json, place: &str) -> Result<AccessTokenCredentials, Error> {
    let built = match json["type"].as_str() {
        Some("service_account") => {
            let access = service_account::AccessSpecifier::from_scopes([SCOPE]);
            let builder = service_account::Builder::new(json).with_access_specifier(access);
            builder.build_access_token_credentials()
        }
        Some("authorized_user") => {
            user_account::Builder::new(json).build_access_token_credentials()
        }
        Some("external_account") => {
            let builder = external_account::Builder::new(json).with_scopes([SCOPE]);
            builder.build_access_token_credentials()
        }
        Some("impersonated_service_account") => {
            let builder = impersonated::Builder::new(json).with_scopes([SCOPE]);
            builder.build_access_token_credentials()
        }
        _ => {
            let message = format!("the credentials in {place} are of a type that is not known");
            return Err(Error::new(ErrorKind::Settings, message));
        }
    };
    built.map_err(|_| unusable(place))
}

/// The crate's words could quote the credentials.
fn unusable(place: &str) -> Error {
    let message = format!("the credentials in {place} cannot be used: a field is missing or wrong");
    Error::new(ErrorKind::Settings, message)
}

/// What of credentials must not come back in anybody's words.
fn secrets(json: &Json) -> Vec<Text> {
    let fields = ["private_key", "refresh_token", "client_secret"];
    let found = fields.iter().filter_map(|field| json[*field].as_str());
    found.map(Text::from).collect()
}

fn no_login(error: &google_cloud_auth::errors::CredentialsError, secrets: &[Text]) -> Error {
    let kind = if error.is_transient() {
        ErrorKind::Unreachable
    } else {
        ErrorKind::Denied
    };
    let texts = chain(error).map(|error| words(&error.to_string(), secrets));
    let mut texts: Vec<String> = texts.filter(|text| !text.is_empty()).collect();
    texts.dedup();
    let cause = texts.last().cloned().unwrap_or_default();
    Error::new(kind, "the login to Google Cloud failed").with_cause(cause)
}

impl Service {
    /// Gets the answer to a path, if it is a success.
    pub async fn get(&self, path: String, deadline: Instant) -> Result<Response, Error> {
        self.ask(Call::get(path), deadline).await
    }

    /// Posts JSON and gives the answer back, if it is a success.
    pub async fn post(
        &self,
        path: String,
        body: Text,
        deadline: Instant,
    ) -> Result<Response, Error> {
        self.ask(rest::post(path, body), deadline).await
    }

    async fn ask(&self, mut call: Call, deadline: Instant) -> Result<Response, Error> {
        let token = self.gcp.token(deadline).await?;
        call.headers.push(rest::bearer(&token.text));
        let quota_project = token
            .quota_project
            .map(|project| ("X-Goog-User-Project", project));
        call.headers.extend(quota_project);
        let response = self.service.send(&call, deadline).await?;
        if response.is_success() {
            return Ok(response);
        }
        let mut error = self.service.refusal(&response, &[token.text]);
        let body: Json = serde_json::from_slice(response.body.expose()).unwrap_or_default();
        // A version that is disabled or destroyed: there is nothing to be had.
        if body["error"]["status"] == "FAILED_PRECONDITION" {
            error.kind = ErrorKind::Absent;
        }
        Err(error)
    }
}

/// The checksum by which Google's services guard what they are sent and send (CRC-32C, RFC 3720).
pub fn crc32c(bytes: &[u8]) -> u32 {
    let bit = |crc: u32| (crc >> 1) ^ (0x82F6_3B78 * (crc & 1));
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| bit(crc));
    !bytes.iter().fold(!0, byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, B.4.
    #[test]
    fn the_checksum_is_crc32c() {
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(&[0xff; 32]), 0x62A8_AB43);
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(b""), 0);
    }
}
