//! AWS: credentials by the SDK's whole chain, roles, addresses and TLS, for the clients of its services.
//!
//! The SDK reads our snapshot of the environment with the settings laid over it, never the process: its override is
//! meant for tests, but it is the only way that also reaches profiles, containers and web identities.

mod bounded;
mod check;
mod error;
mod identity;
mod transport;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::os_shim_internal::Env;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};

pub use self::bounded::Bounded;
pub use self::error::{explain, is_about_call};
pub use self::identity::{PROOF_BODY, sts_url};
use self::transport::Transport;
use super::cloud::{Error, ErrorKind};
use crate::env::{Environment, Options};
use crate::secret::Text;

/// Variables that the SDK reads and that may also come as settings; all others it sees as the environment has them.
pub const VARIABLES: [&str; 25] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_KMS",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_SSM",
    "AWS_ENDPOINT_URL_STS",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_MAX_ATTEMPTS",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];

/// What only the operator may say: a file of profiles can name a command, an address gets tokens sent to it, and a file of
/// a token is sent.
const OPERATORS: [&str; 12] = [
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_KMS",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_SSM",
    "AWS_ENDPOINT_URL_STS",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];

/// Credentials that would win over a profile that was named. As in the other SDKs, a named profile wins.
const BEFORE_PROFILES: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];

/// Variables whose values must not come back in anybody's words.
const SECRETS: [&str; 3] = [
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
];

/// How often a call is tried where nothing else is said.
const ATTEMPTS: u32 = 3;

/// Credentials may take several tries of several sources; the deadline of a call ends them earlier.
const LOGIN_TIMEOUT: Duration = Duration::from_mins(1);

/// Whose credentials are used, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Login {
    /// The region.
    pub region: String,
    /// A profile of the shared files; the default chain without it.
    pub profile: Option<String>,
    /// A role to assume with these credentials.
    pub role: Option<Role>,
}

/// A role to assume.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// What the session is called.
    pub session: String,
    /// What the role's owner wants to hear besides.
    pub external_id: Option<String>,
}

/// Static credentials, which win over all others.
pub struct Keys {
    /// The key's id.
    pub id: Text,
    /// The key.
    pub secret: Text,
    /// The session, for temporary ones.
    pub session: Option<Text>,
}

/// The account's side of all AWS clients: connections and logins are shared.
pub struct Aws {
    variables: HashMap<String, String>,
    keys: Option<Keys>,
    transport: OnceLock<Result<Transport, Error>>,
    logins: Mutex<HashMap<Login, Arc<OnceCell<SdkConfig>>>>,
}

impl Aws {
    /// Out of the settings and the environment. Nothing is opened before the first call.
    pub fn new(options: &Options, environment: &Environment, keys: Option<Keys>) -> Self {
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let mut variables: HashMap<_, _> = environment.iter().map(own).collect();
        // A further mode would be another number of tries for the same deadline.
        variables.remove("AWS_RETRY_MODE");
        for name in VARIABLES {
            let is_strange = OPERATORS.contains(&name) && options.is_set_by_application(name);
            if let Some(value) = options.text(name).filter(|_| !is_strange) {
                variables.insert(name.to_owned(), value.to_owned());
            }
        }
        Self {
            variables,
            keys,
            transport: OnceLock::new(),
            logins: Mutex::default(),
        }
    }

    /// The first variable that the SDK cannot use, and why.
    pub fn fault(&self) -> Option<(&'static str, Error)> {
        check::fault(&self.variables)
    }

    /// What a client of a service is made of. The login itself happens at the client's first call, and once.
    pub async fn config(&self, login: &Login, deadline: Instant) -> Result<SdkConfig, Error> {
        if let Some((_, error)) = self.fault() {
            return Err(error);
        }
        let transport = self
            .transport
            .get_or_init(|| Transport::new(&self.variables));
        let transport = transport.as_ref().map_err(Clone::clone)?;
        let cell = {
            let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(logins.entry(login.clone()).or_default())
        };
        let load = cell.get_or_init(|| self.load(login, transport));
        let config = timeout_at(deadline, load).await;
        config.cloned().map_err(|_| {
            Error::new(
                ErrorKind::Unreachable,
                "the settings of AWS were not loaded in time",
            )
        })
    }

    /// The region that the environment or a profile names, the default one without a name. The metadata of an instance
    /// are not asked: elsewhere that takes seconds.
    pub async fn own_region(&self, profile: Option<&str>) -> Option<String> {
        let mut variables = self.variables_of(profile);
        variables.insert("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned());
        let loader = self.loader(variables, profile).load().await;
        let region = loader.region().map(ToString::to_string);
        region.filter(|region| is_region(region))
    }

    async fn load(&self, login: &Login, transport: &Transport) -> SdkConfig {
        let cache = || IdentityCache::lazy().load_timeout(LOGIN_TIMEOUT).build();
        let profile = login.profile.as_deref();
        let loader = self.loader(self.variables_of(profile), profile);
        let loader = loader
            .http_client(transport.client())
            .identity_cache(cache())
            .region(Region::new(login.region.clone()));
        let config = loader.load().await;
        let Some(Role {
            arn,
            session,
            external_id,
        }) = &login.role
        else {
            return config;
        };
        let mut role = AssumeRoleProvider::builder(arn).session_name(session);
        if let Some(id) = external_id {
            role = role.external_id(id);
        }
        let role = role.configure(&config).build().await;
        let config = config.into_builder();
        let config = config.credentials_provider(SharedCredentialsProvider::new(role));
        config.identity_cache(cache()).build()
    }

    fn loader(&self, variables: HashMap<String, String>, profile: Option<&str>) -> ConfigLoader {
        // The SDK panics at what a profile says wrongly about it.
        let attempts = variables.get(check::ATTEMPTS);
        let attempts = attempts.and_then(|count| count.parse().ok());
        let retry = RetryConfig::standard().with_max_attempts(attempts.unwrap_or(ATTEMPTS));
        let loader = aws_config::defaults(BehaviorVersion::latest());
        let loader = loader.env(Env::from(variables)).retry_config(retry);
        match (&self.keys, profile) {
            (Some(keys), _) => loader.credentials_provider(keys.credentials()),
            (None, Some(profile)) => loader.profile_name(profile),
            (None, None) => loader,
        }
    }

    /// What the SDK takes for the environment.
    fn variables_of(&self, profile: Option<&str>) -> HashMap<String, String> {
        let mut variables = self.variables.clone();
        if profile.is_some() {
            variables.retain(|name, _| !BEFORE_PROFILES.contains(&name.as_str()));
        }
        variables
    }

    /// What no message may hold.
    pub fn secrets(&self) -> Vec<Text> {
        let set = |name: &&str| {
            self.variables
                .get(*name)
                .map(|value| Text::from(value.as_str()))
        };
        let mut secrets: Vec<Text> = SECRETS.iter().filter_map(set).collect();
        if let Some(keys) = &self.keys {
            secrets.push(keys.secret.clone());
            secrets.extend(keys.session.clone());
        }
        secrets
    }
}

/// Whether a text can be the name of a region. What is none would lead to another host.
pub fn is_region(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=40).contains(&text.len()) && text.chars().all(fits)
}

impl Keys {
    fn credentials(&self) -> Credentials {
        let text = |text: &Text| text.expose_str().unwrap_or_default().to_owned();
        Credentials::new(
            text(&self.id),
            text(&self.secret),
            self.session.as_ref().map(text),
            None,
            "the folder of keys",
        )
    }
}
