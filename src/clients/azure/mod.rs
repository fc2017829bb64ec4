//! Azure: tokens by the chain of logins that its own tools try, and the transport of all its clients.
//!
//! The official crate makes the tokens. It reads the process itself for a managed identity (`IDENTITY_ENDPOINT`,
//! `IDENTITY_HEADER`) and for the developer tools (`PATH`, `SYSTEMROOT`); all else comes out of our settings.

mod bounded;
mod certificate;
mod chain;
mod error;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::{ClientOptions, ExponentialRetryOptions, RetryOptions, Transport};
use azure_identity::{
    AzureCliCredential, AzureDeveloperCliCredential, ClientAssertionCredential,
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};

use self::bounded::Bounded;
use self::certificate::Assertion;
use self::chain::{Chain, Login};
pub use self::error::explain;
use super::Address;
use super::cloud::{Error, ErrorKind};
use super::proxy::Proxies;
use crate::env::{Environment, Options};
use crate::secret::Text;

const AUTHORITY: &str = "AZURE_AUTHORITY_HOST";
const CERTIFICATE: &str = "AZURE_CLIENT_CERTIFICATE_PATH";
const CLIENT: &str = "AZURE_CLIENT_ID";
const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";

/// Where the vaults of Azure's clouds are.
const DOMAINS: [&str; 6] = [
    ".vault.azure.net",
    ".managedhsm.azure.net",
    ".vault.azure.cn",
    ".managedhsm.azure.cn",
    ".vault.usgovcloudapi.net",
    ".managedhsm.usgovcloudapi.net",
];

/// Where to log in without another word.
const PUBLIC: &str = "https://login.microsoftonline.com";

/// Whoever does not answer in this time is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The metadata of a virtual machine is near, or there is none.
const METADATA_TIMEOUT: Duration = Duration::from_secs(1);

/// As often as Azure's Go client. The crate goes on for a minute, and who is asked next then has no time left.
const RETRIES: u32 = 3;

/// An application's own login, which wins over all others.
pub enum Account {
    /// It has a secret.
    Secret {
        /// The tenant.
        tenant: String,
        /// The application.
        client: String,
        /// Its secret.
        secret: Text,
    },
    /// It has a certificate.
    Certificate {
        /// The tenant.
        tenant: String,
        /// The application.
        client: String,
        /// Key and certificate.
        pem: Text,
        /// Whether the certificate goes along.
        send: bool,
    },
    /// The machine has identities, and this is the one.
    Managed {
        /// The application.
        client: String,
    },
}

/// The account's side of all Azure clients: connections and logins are shared.
pub struct Azure {
    transport: Transport,
    credential: Arc<Chain>,
}

/// What is needed to make logins.
struct Maker<'a> {
    options: &'a Options,
    authority: String,
    transport: Transport,
}

impl Azure {
    /// Out of the settings and the environment. Nothing is asked before the first call. `given` is an account and where it
    /// logs in, if not where the settings say.
    pub fn new(
        options: &Options,
        environment: &Environment,
        given: Option<(Account, Option<String>)>,
    ) -> Result<Self, Error> {
        let transport = transport(environment, CONNECT_TIMEOUT)?;
        let (account, authority) = given.map_or((None, None), |(account, authority)| {
            (Some(account), authority)
        });
        let set = own(options, AUTHORITY).map(str::to_owned);
        let mut maker = Maker {
            options,
            authority: authority.or(set).unwrap_or_else(|| PUBLIC.to_owned()),
            transport: transport.clone(),
        };
        let mut secrets: Vec<Text> = options
            .text("AZURE_CLIENT_SECRET")
            .map(Text::from)
            .into_iter()
            .collect();
        if let Some(Account::Secret { secret, .. }) = &account {
            secrets.push(secret.clone());
        }
        let logins = match account {
            Some(account) => vec![maker.account("the folder of keys", account)],
            None => maker.chain(environment),
        };
        Ok(Self {
            transport,
            credential: Arc::new(Chain::new(logins, secrets)),
        })
    }

    /// What makes tokens.
    pub fn credential(&self) -> Arc<dyn TokenCredential> {
        Arc::<Chain>::clone(&self.credential)
    }

    /// What a client of a service is made of.
    pub fn client_options(&self) -> ClientOptions {
        options(self.transport.clone())
    }

    /// What no message may hold.
    pub fn secrets(&self) -> Vec<Text> {
        self.credential.secrets()
    }
}

/// Whether a host lies in a domain of Azure's vaults: then what it asks for must be a token of that domain.
pub fn is_own(host: &str) -> bool {
    DOMAINS.iter().any(|domain| host.ends_with(domain))
}

/// A variable that only the operator may set: it names a file to send, or where to send to.
fn own<'o>(options: &'o Options, name: &str) -> Option<&'o str> {
    options
        .text(name)
        .filter(|_| !options.is_set_by_application(name))
}

fn own_path(options: &Options, name: &str) -> Option<PathBuf> {
    own(options, name).and_then(|_| options.path(name))
}

impl Maker<'_> {
    /// The logins in the order of `DefaultAzureCredential`. Those that are set up count alone if they fail.
    fn chain(&mut self, environment: &Environment) -> Vec<Login> {
        let text = |name| self.options.text(name).map(str::to_owned);
        let (tenant, client) = (text("AZURE_TENANT_ID"), text(CLIENT));
        let mut logins = Vec::new();
        if let (Some(tenant), Some(client)) = (tenant.clone(), client.clone()) {
            if let Some(secret) = self.options.text("AZURE_CLIENT_SECRET") {
                let secret = secret.into();
                logins.push(self.account(
                    "AZURE_CLIENT_SECRET",
                    Account::Secret {
                        tenant,
                        client,
                        secret,
                    },
                ));
            } else if let Some(path) = own_path(self.options, CERTIFICATE) {
                logins.push(self.certificate(&path, tenant, client));
            } else if let Some(path) = own_path(self.options, TOKEN_FILE) {
                logins.push(self.workload(path, tenant, client));
            }
        }
        if logins.is_empty() {
            logins.push(Login::absent(
                "AZURE_CLIENT_SECRET and the like",
                "not set, or not with AZURE_TENANT_ID and AZURE_CLIENT_ID",
            ));
        }
        logins.push(self.managed(
            "managed identity",
            client,
            environment.get("IDENTITY_ENDPOINT").is_some(),
        ));
        logins.push(Login::tool("az", AzureCliCredential::new(None)));
        logins.push(Login::tool("azd", AzureDeveloperCliCredential::new(None)));
        logins
    }

    fn client_options(&self) -> ClientOptions {
        let mut place = CustomConfiguration::default();
        place.authority_host.clone_from(&self.authority);
        ClientOptions {
            cloud: Some(Arc::new(CloudConfiguration::Custom(place))),
            ..options(self.transport.clone())
        }
    }

    fn account(&self, name: &str, account: Account) -> Login {
        let client_options = self.client_options();
        match account {
            Account::Secret {
                tenant,
                client,
                secret,
            } => {
                let secret = Secret::new(secret.expose_str().unwrap_or_default().to_owned());
                let options = ClientSecretCredentialOptions { client_options };
                Login::new(
                    name,
                    ClientSecretCredential::new(&tenant, client, secret, Some(options)),
                )
            }
            Account::Certificate {
                tenant,
                client,
                pem,
                send,
            } => match Assertion::new(&pem, &self.authority, &tenant, &client, send) {
                Ok(assertion) => {
                    let options = ClientAssertionCredentialOptions { client_options };
                    Login::new(
                        name,
                        ClientAssertionCredential::new(tenant, client, assertion, Some(options)),
                    )
                }
                Err(reason) => Login::broken(name, reason),
            },
            Account::Managed { client } => self.managed(name, Some(client), false),
        }
    }

    fn certificate(&self, path: &Path, tenant: String, client: String) -> Login {
        match std::fs::read(path) {
            Ok(pem) => {
                let send = self.options.text("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN");
                let send = matches!(send, Some("1" | "true"));
                let pem = pem.into();
                self.account(
                    CERTIFICATE,
                    Account::Certificate {
                        tenant,
                        client,
                        pem,
                        send,
                    },
                )
            }
            Err(error) => {
                let (path, reason) = (path.display(), crate::diagnostics::io_reason(&error));
                Login::broken(CERTIFICATE, &format!("{path}: {reason}"))
            }
        }
    }

    fn workload(&self, path: PathBuf, tenant: String, client: String) -> Login {
        let options = WorkloadIdentityCredentialOptions {
            credential_options: ClientAssertionCredentialOptions {
                client_options: self.client_options(),
            },
            client_id: Some(client),
            tenant_id: Some(tenant),
            token_file_path: Some(path),
        };
        Login::new(TOKEN_FILE, WorkloadIdentityCredential::new(Some(options)))
    }

    /// Without an endpoint it is asked for on the network of a virtual machine, which elsewhere is silent.
    fn managed(&self, name: &str, client: Option<String>, has_endpoint: bool) -> Login {
        let transport = match reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(METADATA_TIMEOUT)
            .build()
        {
            Ok(client) => Transport::new(Arc::new(Bounded(client))),
            Err(_) => self.transport.clone(),
        };
        let options = ManagedIdentityCredentialOptions {
            user_assigned_id: client.map(UserAssignedId::ClientId),
            client_options: options(transport),
        };
        let login = Login::new(name, ManagedIdentityCredential::new(Some(options)));
        if has_endpoint { login } else { login.or_next() }
    }
}

/// How all clients ask.
fn options(transport: Transport) -> ClientOptions {
    ClientOptions {
        transport: Some(transport),
        retry: RetryOptions::exponential(ExponentialRetryOptions {
            max_retries: RETRIES,
            ..ExponentialRetryOptions::default()
        }),
        ..ClientOptions::default()
    }
}

/// A transport that asks nobody else about proxies.
fn transport(environment: &Environment, connect: Duration) -> Result<Transport, Error> {
    let any = Address::parse(PUBLIC).expect("a constant URL");
    let proxies = Proxies::of_environment(environment, &any).map_err(|(variable, error)| {
        Error::new(
            ErrorKind::Settings,
            format!("{variable} cannot be used: {error}"),
        )
    })?;
    let builder = reqwest::Client::builder()
        .no_proxy()
        .proxy(proxies.into_rule())
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(connect);
    let client = builder
        .build()
        .map_err(|_| Error::new(ErrorKind::Settings, "TLS for Azure cannot be set up"))?;
    Ok(Transport::new(Arc::new(Bounded(client))))
}
