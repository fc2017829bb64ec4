//! Azure Key Vault: a path is a vault, a key is a secret of it, and each is a call.
//!
//! API: <https://learn.microsoft.com/en-us/rest/api/keyvault/secrets/get-secret/get-secret>. In a manifest:
//! `<azurekeyvault:shop#db-password>`, `…#db-password#VERSION`; with all keys wanted, all secrets of the vault that are
//! not disabled.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use azure_core::time::{OffsetDateTime, to_rfc3339};
use azure_security_keyvault_secrets::models::{
    SecretAttributes, SecretClientGetSecretOptions, SecretProperties,
};
use azure_security_keyvault_secrets::{ResourceExt as _, SecretClient, SecretClientOptions};
use futures::future::BoxFuture;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use super::registry::{Own, SettingsError, Type};
use super::{Answer, Backend, Error, ErrorKind, FetchContext, Keys, Request};
use crate::clients::Address;
use crate::clients::azure::{self, Azure};
use crate::clients::vault::parse_bool;
use crate::env::{Environment, Options};
use crate::secret::{Map, Text, Value};

/// The registry's line.
pub(super) const TYPE: Type = Type {
    name: "azurekeyvault",
    settings: &[
        ("AZURE_AUTHORITY_HOST", "auth.authorityHost"),
        ("AZURE_CLIENT_CERTIFICATE_PATH", "auth.clientCertificate"),
        (
            "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN",
            "auth.sendCertificateChain",
        ),
        ("AZURE_CLIENT_ID", "auth.clientId"),
        ("AZURE_CLIENT_SECRET", "auth.clientSecret"),
        ("AZURE_FEDERATED_TOKEN_FILE", "auth.tokenFile"),
        ("AZURE_TENANT_ID", "auth.tenantId"),
        (CHECK_VALIDITY, "checkValidity"),
        (DOMAIN, "vaultDomain"),
    ],
    own: &[
        Own::setting(CHECK_VALIDITY, "whether the dates of secrets count"),
        Own::setting(
            DOMAIN,
            "what stands behind a vault's name; `vault.azure.net` without it",
        ),
    ],
    built_in: true,
    open,
};

const CHECK_VALIDITY: &str = "MANIFUSE_AZURE_CHECK_VALIDITY";
const DOMAIN: &str = "MANIFUSE_AZURE_VAULT_DOMAIN";

/// Where vaults are without another word.
const PUBLIC: &str = "vault.azure.net";

/// What messages call it.
const NAME: &str = "Azure Key Vault";

/// Secrets of one request that are asked for at once. A vault answers some hundred calls a second.
const AT_ONCE: usize = 16;

/// An account, and the vaults that it has asked.
struct KeyVault {
    azure: Azure,
    domain: String,
    checks_validity: bool,
    vaults: Mutex<HashMap<String, Arc<Vault>>>,
}

/// A vault, which remembers how it wants to be asked.
struct Vault {
    name: String,
    client: SecretClient,
    /// Whether it has been asked. The first call learns how, and need not be several.
    is_known: tokio::sync::Mutex<bool>,
}

fn open(options: &Options, environment: &Environment) -> Result<Arc<dyn Backend>, SettingsError> {
    let azure = Azure::new(options, environment, None)?;
    Ok(Arc::new(KeyVault {
        azure,
        domain: domain(options)?,
        checks_validity: checks_validity(options)?,
        vaults: Mutex::default(),
    }))
}

/// A token goes there, so that only the operator may say it.
fn domain(options: &Options) -> Result<String, SettingsError> {
    let text = options
        .text(DOMAIN)
        .filter(|_| !options.is_set_by_application(DOMAIN));
    let domain = text.unwrap_or(PUBLIC).trim().trim_start_matches('.');
    let is_taken = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
    let is_right = domain.chars().all(is_taken) && Address::parse(&url("x", domain)).is_ok();
    if is_right {
        return Ok(domain.to_ascii_lowercase());
    }
    let error = SettingsError::new(format!("{DOMAIN} is no domain")).about(DOMAIN);
    Err(error.hint("for example vault.azure.cn: what stands behind a vault's name and a dot"))
}

fn checks_validity(options: &Options) -> Result<bool, SettingsError> {
    let text = options.text(CHECK_VALIDITY).unwrap_or("false");
    parse_bool(text).ok_or_else(|| {
        SettingsError::new(format!("{CHECK_VALIDITY} must be true or false")).about(CHECK_VALIDITY)
    })
}

fn url(vault: &str, domain: &str) -> String {
    format!("https://{vault}.{domain}")
}

impl Backend for KeyVault {
    fn normalize(&self, path: &str) -> String {
        self.name_of(path).unwrap_or(path).to_owned()
    }

    fn fetch<'a>(
        &'a self,
        request: &'a Request,
        context: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(self.read(request, context.deadline))
    }
}

impl KeyVault {
    async fn read(&self, request: &Request, deadline: Instant) -> Result<Answer, Error> {
        let vault = self.vault(&request.id.path)?;
        let version = request.id.version.as_deref().unwrap_or_default();
        if !version.is_empty() && !is_name(version) {
            let message = format!("secrets of the vault {} have no such version", vault.name);
            return Err(Error::new(ErrorKind::Reference, message));
        }
        let names = match &request.keys {
            Keys::All => self.list(&vault, deadline).await?,
            Keys::Some(names) => names.iter().cloned().collect(),
        };
        let gets = stream::iter(names).map(|name| {
            let vault = &vault;
            async move {
                let got = self.get(vault, &name, version, deadline).await;
                (name, got)
            }
        });
        let mut gets = gets.buffered(AT_ONCE);
        let mut answer = Answer::whole(Map::new(), None);
        while let Some((name, got)) = gets.next().await {
            match (got, &request.keys) {
                (Ok(value), _) => answer.values.push((name, Value::String(value))),
                (Err(error), Keys::Some(_)) => answer.failed.push((name, error)),
                // Of all secrets those that have this version.
                (Err(error), Keys::All)
                    if error.kind == ErrorKind::AbsentPath && !version.is_empty() => {}
                (Err(error), Keys::All) => return Err(error),
            }
        }
        Ok(answer)
    }

    /// The name in a path: that of a vault, or its whole address.
    fn name_of<'p>(&self, path: &'p str) -> Option<&'p str> {
        let name = match path.strip_prefix("https://") {
            Some(host) => {
                let host = host.strip_suffix('/').unwrap_or(host);
                host.strip_suffix(&self.domain)?.strip_suffix('.')?
            }
            None => path,
        };
        is_name(name).then_some(name)
    }

    fn vault(&self, path: &str) -> Result<Arc<Vault>, Error> {
        let name = self.name_of(path).ok_or_else(|| self.no_vault(path))?;
        let mut vaults = self.vaults.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(vault) = vaults.get(name) {
            return Ok(Arc::clone(vault));
        }
        let url = url(name, &self.domain);
        let options = SecretClientOptions {
            client_options: self.azure.client_options(),
            // A private domain may ask for a token of Azure's.
            verify_challenge_resource: Some(azure::is_own(&url)),
            ..SecretClientOptions::default()
        };
        let client = SecretClient::new(&url, self.azure.credential(), Some(options));
        let vault = Arc::new(Vault {
            name: name.to_owned(),
            client: client.map_err(|error| self.explain(&error))?,
            is_known: tokio::sync::Mutex::default(),
        });
        vaults.insert(name.to_owned(), Arc::clone(&vault));
        Ok(vault)
    }

    fn no_vault(&self, path: &str) -> Error {
        let domain = &self.domain;
        if path.contains('.') {
            let message = format!("{path} is not the address of a vault in {domain}");
            return Error::new(ErrorKind::Reference, message).with_hint(format!(
                "a path is the vault's name alone; whose domain it is says the operator, by {DOMAIN}"
            ));
        }
        let message = format!("{path} is not the name of a vault");
        Error::new(ErrorKind::Reference, message)
            .with_hint("the path is the vault, the key is the secret: VAULT#SECRET")
    }

    /// The names of the secrets that can be read, page by page.
    async fn list(&self, vault: &Vault, deadline: Instant) -> Result<Vec<String>, Error> {
        let all = async {
            let secrets = vault.client.list_secret_properties(None)?;
            secrets.try_collect::<Vec<_>>().await
        };
        let secrets = timeout_at(deadline, vault.alone_at_first(all)).await;
        let secrets = self.answered(secrets);
        let secrets = secrets.map_err(|error| vault.refused(error, "any"))?;
        let usable = secrets.into_iter().filter(|secret| self.is_usable(secret));
        let names = usable.filter_map(|secret| Some(secret.resource_id().ok()?.name));
        Ok(names.filter(|name| is_name(name)).collect())
    }

    fn is_usable(&self, secret: &SecretProperties) -> bool {
        let Some(attributes) = &secret.attributes else {
            return true;
        };
        attributes.enabled != Some(false) && self.invalidity(attributes).is_none()
    }

    /// Why a secret is not to be used now, by its dates. Azure gives it all the same.
    fn invalidity(&self, attributes: &SecretAttributes) -> Option<String> {
        let now = OffsetDateTime::now_utc();
        let ended = attributes.expires.filter(|end| *end <= now);
        let begins = attributes.not_before.filter(|begin| *begin > now);
        let ended = ended.map(|end| format!("it expired at {}", to_rfc3339(&end)));
        let reason = ended.or_else(|| {
            begins.map(|begin| format!("it is not valid before {}", to_rfc3339(&begin)))
        });
        reason.filter(|_| self.checks_validity)
    }

    /// One secret in one version, the current one if none is said.
    async fn get(
        &self,
        vault: &Vault,
        name: &str,
        version: &str,
        deadline: Instant,
    ) -> Result<Text, Error> {
        let of_it = || format!("{name} in the vault {}", vault.name);
        if !is_name(name) {
            let message = format!("{} is not the name of a secret", of_it());
            return Err(Error::new(ErrorKind::Reference, message));
        }
        let options = SecretClientGetSecretOptions {
            secret_version: Some(version.to_owned()),
            ..SecretClientGetSecretOptions::default()
        };
        let call = vault.alone_at_first(vault.client.get_secret(name, Some(options)));
        let response = self.answered(timeout_at(deadline, call).await);
        let response = response.map_err(|error| vault.refused(error, name))?;
        let malformed = || {
            let message = format!("what {NAME} answered for the secret {} is not one", of_it());
            Error::new(ErrorKind::Malformed, message)
        };
        let secret = response.into_model().map_err(|_| malformed())?;
        if let Some(reason) = secret
            .attributes
            .as_ref()
            .and_then(|dates| self.invalidity(dates))
        {
            let message = format!("the secret {} is not to be used now", of_it());
            let error = Error::new(ErrorKind::AbsentPath, message).with_cause(reason);
            return Err(error.with_hint(format!("renew it, or switch {CHECK_VALIDITY} off")));
        }
        secret.value.map(Text::from).ok_or_else(malformed)
    }

    fn answered<T>(
        &self,
        sent: Result<azure_core::Result<T>, tokio::time::error::Elapsed>,
    ) -> Result<T, Error> {
        match sent {
            Ok(answer) => answer.map_err(|error| self.explain(&error)),
            Err(_) => Err(Error::new(
                ErrorKind::Unreachable,
                format!("{NAME} did not answer in time"),
            )),
        }
    }

    fn explain(&self, error: &azure_core::Error) -> Error {
        azure::explain(NAME, error, &self.azure.secrets()).into()
    }
}

impl Vault {
    /// A call that others wait for if it is the first: it is refused at first, to be told who gives tokens.
    async fn alone_at_first<F: Future>(&self, call: F) -> F::Output {
        let mut is_known = self.is_known.lock().await;
        if *is_known {
            drop(is_known);
            return call.await;
        }
        let output = call.await;
        *is_known = true;
        output
    }

    /// What a refusal means for a secret.
    fn refused(&self, mut error: Error, secret: &str) -> Error {
        let name = &self.name;
        let hint = match error.kind {
            ErrorKind::AbsentPath => {
                error = error.below(format!("Could not find secret {secret} in the vault {name}"));
                "check the names and the version; one that is disabled cannot be read either".to_owned()
            }
            ErrorKind::Denied => {
                "reading needs the role Key Vault Secrets User, or in an access policy get (for a whole vault list too); the vault's firewall may refuse as well".to_owned()
            }
            ErrorKind::Unreachable => {
                let address = self.client.endpoint();
                format!("is there a vault {name}? It is asked at {address}")
            }
            _ => return error,
        };
        error.hint.get_or_insert(hint);
        error
    }
}

/// Whether a text is a name of a vault, a secret or a version: it goes into a host or a path.
fn is_name(text: &str) -> bool {
    let is_taken = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (1..=127).contains(&text.len()) && text.chars().all(is_taken)
}
