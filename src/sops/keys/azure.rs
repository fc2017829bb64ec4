//! Azure Key Vault, by its operations encrypt and decrypt. Which vault is asked stands in the file, so that only Azure's own
//! are trusted with a token, and those of the settings.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use azure_security_keyvault_keys::models::{
    EncryptionAlgorithm, KeyClientEncryptOptions, KeyOperationParameters, KeyOperationResult,
};
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions, ResourceExt as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures::future::BoxFuture;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::flux::{self, Fields};
use super::folder::Folder;
use super::master::MasterKey;
use super::opener::{Failure, Opener, Share};
use crate::clients::Address;
use crate::clients::azure::{self, Account, Azure};
use crate::env::{Environment, Options};

/// The vaults that may be asked besides, or instead of, Azure's own.
pub(super) const VAULTS: &str = "MANIFUSE_SOPS_AZURE_VAULTS";

const SERVICE: &str = "Azure Key Vault";

/// Keys of Azure Key Vault.
pub(super) struct AzureKeyVault {
    options: Options,
    environment: Environment,
    folder: Option<Folder>,
    azure: OnceLock<Result<Azure, Failure>>,
    /// One for each vault, which remembers how the vault wants to be asked.
    clients: Mutex<HashMap<String, Arc<KeyClient>>>,
}

impl AzureKeyVault {
    pub(super) fn new(options: &Options, environment: &Environment) -> Self {
        Self {
            options: options.clone(),
            environment: environment.clone(),
            folder: Folder::new(options),
            azure: OnceLock::new(),
            clients: Mutex::default(),
        }
    }

    fn azure(&self) -> Result<&Azure, Failure> {
        let open = || {
            let fields = flux::fields(self.folder.as_ref(), "sops.azure-kv")?;
            let account = fields.as_ref().map(account).transpose()?;
            Ok(Azure::new(&self.options, &self.environment, account)?)
        };
        self.azure.get_or_init(open).as_ref().map_err(Clone::clone)
    }

    fn client(&self, key: &MasterKey) -> Result<Arc<KeyClient>, Failure> {
        let vault = key.known_by();
        let is_own = self.check(vault)?;
        if !is_name(&key.fields[1]) || !key.fields[2].is_empty() && !is_name(&key.fields[2]) {
            return Err(Failure::new("its name or version is not that of a key"));
        }
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(vault) {
            return Ok(Arc::clone(client));
        }
        let azure = self.azure()?;
        let options = KeyClientOptions {
            client_options: azure.client_options(),
            verify_challenge_resource: Some(is_own),
            ..KeyClientOptions::default()
        };
        let made = KeyClient::new(vault, azure.credential(), Some(options));
        let client =
            Arc::new(made.map_err(|error| azure::explain(SERVICE, &error, &azure.secrets()))?);
        clients.insert(vault.to_owned(), Arc::clone(&client));
        Ok(client)
    }

    /// Whether a vault may be asked, and whether it lies in a domain of Azure: then what it asks for must be a token of that
    /// domain.
    fn check(&self, vault: &str) -> Result<bool, Failure> {
        let address = Address::parse(vault).ok().filter(Address::is_tls);
        let address =
            address.ok_or_else(|| Failure::new("its vault_url is not an https:// address"))?;
        let is_own = azure::is_own(address.host());
        let allowed = self
            .options
            .text(VAULTS)
            .filter(|_| !self.options.is_set_by_application(VAULTS));
        let is_allowed = match allowed {
            None => is_own,
            Some(list) => list
                .split(',')
                .filter_map(|entry| Address::parse(entry.trim()).ok())
                .any(|entry| leads_below(&entry, &address)),
        };
        if is_allowed {
            return Ok(is_own);
        }
        let failure = Failure::new(format!(
            "the vault {} may not be asked",
            address.authority()
        ));
        Err(failure.with_hint(format!(
            "the address stands in the file; if it is right, add it to {VAULTS}"
        )))
    }

    async fn decrypt(
        &self,
        key: &MasterKey,
        enc: &str,
        deadline: Instant,
    ) -> Result<Share, Failure> {
        let wrapped = BASE64_URL_SAFE_NO_PAD.decode(enc.trim());
        let wrapped = wrapped
            .map_err(|_| Failure::new("the wrapped key is not base64url without padding"))?;
        let client = self.client(key)?;
        let call = client.decrypt(&key.fields[1], &key.fields[2], parameters(wrapped)?, None);
        let answer = self.answered(timeout_at(deadline, call).await)?;
        let result = self.answered(Ok(answer.into_model()))?;
        result_of(result).map(Zeroizing::new)
    }

    async fn encrypt(
        &self,
        key: &MasterKey,
        share: &[u8],
        deadline: Instant,
    ) -> Result<(MasterKey, String), Failure> {
        let client = self.client(key)?;
        let mut key = key.clone();
        if key.fields[2].is_empty() {
            let call = client.get_key(&key.fields[1], None);
            let answer = self.answered(timeout_at(deadline, call).await)?;
            let found = self.answered(Ok(answer.into_model()))?;
            let version = found
                .resource_id()
                .ok()
                .and_then(|id| id.version)
                .filter(|version| is_name(version));
            key.fields[2] = version.ok_or_else(|| {
                Failure::new(format!("{SERVICE} does not say which version the key has"))
            })?;
        }
        let options = KeyClientEncryptOptions {
            key_version: Some(key.fields[2].clone()),
            ..KeyClientEncryptOptions::default()
        };
        let call = client.encrypt(&key.fields[1], parameters(share.to_vec())?, Some(options));
        let answer = self.answered(timeout_at(deadline, call).await)?;
        let result = self.answered(Ok(answer.into_model()))?;
        let wrapped = BASE64_URL_SAFE_NO_PAD.encode(result_of(result)?);
        Ok((key, wrapped))
    }

    fn answered<T>(
        &self,
        sent: Result<azure_core::Result<T>, tokio::time::error::Elapsed>,
    ) -> Result<T, Failure> {
        match sent {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                let secrets = self.azure().map(Azure::secrets).unwrap_or_default();
                Err(azure::explain(SERVICE, &error, &secrets).into())
            }
            Err(_) => Err(Failure::new(format!("{SERVICE} did not answer in time"))),
        }
    }
}

impl Opener for AzureKeyVault {
    fn unwrap<'a>(
        &'a self,
        key: &'a MasterKey,
        enc: &'a str,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Share, Failure>> {
        Box::pin(self.decrypt(key, enc, deadline))
    }

    fn wrap<'a>(
        &'a self,
        key: &'a MasterKey,
        share: &'a [u8],
        deadline: Instant,
    ) -> BoxFuture<'a, Result<(MasterKey, String), Failure>> {
        Box::pin(self.encrypt(key, share, deadline))
    }
}

/// Names and versions go into a path.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// Whether an address is an entry of a list, or lies below it.
fn leads_below(entry: &Address, address: &Address) -> bool {
    format!("{address}/").starts_with(&format!("{entry}/"))
}

type Content = azure_core::http::RequestContent<KeyOperationParameters>;

fn parameters(value: Vec<u8>) -> Result<Content, Failure> {
    let parameters = KeyOperationParameters {
        algorithm: Some(EncryptionAlgorithm::RsaOaep256),
        value: Some(value),
        ..KeyOperationParameters::default()
    };
    parameters
        .try_into()
        .map_err(|_| Failure::new("the request cannot be written"))
}

fn result_of(result: KeyOperationResult) -> Result<Vec<u8>, Failure> {
    result
        .result
        .ok_or_else(|| Failure::new(format!("{SERVICE} answered without a result")))
}

/// The account of a key folder, in the forms that Flux knows, and where it logs in.
fn account(fields: &Fields) -> Result<(Account, Option<String>), Failure> {
    let text = |name: &str| {
        fields
            .get(name)
            .and_then(|text| Some(text.expose_str()?.to_owned()))
    };
    let authority = text("authorityHost");
    let tenant = text("tenantId").or_else(|| text("tenant"));
    let client = match fields.get("appId") {
        Some(client) => client,
        None => fields.required("clientId")?,
    };
    let client = client.expose_str().unwrap_or_default().to_owned();
    let secret = fields
        .get("clientSecret")
        .or_else(|| fields.get("password"));
    let account = match (tenant, secret, fields.get("clientCertificate")) {
        (None, None, None) => Account::Managed { client },
        (None, ..) => return Err(fields.lacks("tenantId")),
        (Some(tenant), Some(secret), _) => Account::Secret {
            tenant,
            client,
            secret,
        },
        (Some(tenant), None, Some(pem)) => {
            let send = fields.is_true("clientCertificateSendChain");
            Account::Certificate {
                tenant,
                client,
                pem,
                send,
            }
        }
        (Some(_), None, None) => return Err(fields.lacks("clientSecret or clientCertificate")),
    };
    Ok((account, authority))
}
