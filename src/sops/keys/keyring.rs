//! The keys at hand, by kind: in which order they are tried, and what they have opened in this run.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::age::Age;
#[cfg(feature = "aws")]
use super::aws::AwsKms;
#[cfg(feature = "azure")]
use super::azure::AzureKeyVault;
use super::folder;
#[cfg(feature = "gcp")]
use super::gcp::GcpKms;
use super::opener::{Failure, Opener, Share, Threads};
use super::pgp::Pgp;
use super::vault::{ALLOWLIST, Transit};
use super::{DataKey, KeyGroup, KeyKind, MasterKey, Wrapped, shamir};
use crate::env::{Environment, Options};
use crate::sops::error::{Error, NoKey};
use crate::sops::metadata::Metadata;

/// All settings by which keys are found: the variable that SOPS knows, and the dotted name in `manifuse.yaml`. Without a
/// name of our own they are only looked up.
pub const SETTINGS: &[(&str, &str)] = &[
    ("AWS_ACCESS_KEY_ID", ""),
    ("AWS_CA_BUNDLE", ""),
    ("AWS_CONFIG_FILE", ""),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN", ""),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", ""),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", ""),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", ""),
    ("AWS_EC2_METADATA_DISABLED", ""),
    ("AWS_EC2_METADATA_SERVICE_ENDPOINT", ""),
    ("AWS_ENDPOINT_URL", ""),
    ("AWS_ENDPOINT_URL_KMS", ""),
    ("AWS_ENDPOINT_URL_STS", ""),
    ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", ""),
    ("AWS_MAX_ATTEMPTS", ""),
    ("AWS_PROFILE", "aws.profile"),
    ("AWS_ROLE_ARN", ""),
    ("AWS_ROLE_SESSION_NAME", ""),
    ("AWS_SECRET_ACCESS_KEY", ""),
    ("AWS_SESSION_TOKEN", ""),
    ("AWS_SHARED_CREDENTIALS_FILE", ""),
    ("AWS_USE_DUALSTACK_ENDPOINT", ""),
    ("AWS_USE_FIPS_ENDPOINT", ""),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", ""),
    ("AZURE_AUTHORITY_HOST", ""),
    ("AZURE_CLIENT_CERTIFICATE_PATH", ""),
    ("AZURE_CLIENT_ID", ""),
    ("AZURE_CLIENT_SECRET", ""),
    ("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", ""),
    ("AZURE_FEDERATED_TOKEN_FILE", ""),
    ("AZURE_TENANT_ID", ""),
    ("CLOUDSDK_CONFIG", ""),
    ("GCE_METADATA_HOST", ""),
    ("GOOGLE_APPLICATION_CREDENTIALS", "gcp.credentials"),
    ("GOOGLE_CREDENTIALS", ""),
    ("GOOGLE_OAUTH_ACCESS_TOKEN", ""),
    ("GNUPGHOME", ""),
    ("HOME", ""),
    ("MANIFUSE_PGP_KEY_FILE", "pgpKeyFile"),
    ("MANIFUSE_SOPS_AZURE_VAULTS", "azure.vaults"),
    ("SOPS_AGE_KEY", ""),
    ("SOPS_AGE_KEY_CMD", ""),
    ("SOPS_AGE_KEY_FILE", "ageKeyFile"),
    ("SOPS_AGE_SSH_PRIVATE_KEY_CMD", ""),
    ("SOPS_AGE_SSH_PRIVATE_KEY_FILE", "sshKeyFile"),
    ("SOPS_GCP_KMS_ENDPOINT", ""),
    ("SOPS_GCP_KMS_UNIVERSE_DOMAIN", ""),
    (ORDER, "decryptionOrder"),
    ("SOPS_GPG_EXEC", ""),
    (ALLOWLIST, "vault.allowlist"),
    ("VAULT_ADDR", "vault.address"),
    ("VAULT_CACERT", "vault.caCert"),
    ("VAULT_CACERT_BYTES", "vault.caCertBytes"),
    ("VAULT_CAPATH", "vault.caPath"),
    ("VAULT_CLIENT_CERT", "vault.clientCert"),
    ("VAULT_CLIENT_KEY", "vault.clientKey"),
    ("VAULT_CLIENT_TIMEOUT", "vault.timeout"),
    ("VAULT_HEADERS", "vault.headers"),
    ("VAULT_HTTP_PROXY", "vault.httpProxy"),
    ("VAULT_MAX_RETRIES", "vault.maxRetries"),
    ("VAULT_NAMESPACE", "vault.namespace"),
    ("VAULT_PROXY_ADDR", "vault.proxy"),
    ("VAULT_SKIP_VERIFY", "vault.skipVerify"),
    ("VAULT_TLS_SERVER_NAME", "vault.tlsServerName"),
    ("VAULT_TOKEN", "vault.token"),
    ("XDG_CONFIG_HOME", ""),
    folder::SETTING,
];

/// Names the kinds that are tried first.
pub const ORDER: &str = "SOPS_DECRYPTION_ORDER";

/// A kind stands in the order twice.
#[derive(Debug, thiserror::Error)]
#[error("the decryption order names {0} twice")]
pub struct InvalidOrder(String);

/// What opens and makes wrapped data keys. Made once for a run; files and servers are asked at the first use.
pub struct Keyring {
    openers: Vec<(KeyKind, Box<dyn Opener>)>,
    /// The kinds that are tried first; the others follow as the file has them.
    order: Vec<KeyKind>,
    opened: Mutex<HashMap<Wrapped, Attempt>>,
}

/// A wrapped key that somebody opens, or has opened.
type Attempt = Arc<OnceCell<Result<Arc<Share>, Failure>>>;

impl Keyring {
    /// The keys that settings lead to. The environment says what the clients of clouds and proxies take from it.
    pub fn new(options: &Options, environment: &Environment) -> Result<Self, InvalidOrder> {
        let queue = Arc::default();
        Ok(Self {
            order: order(options.text(ORDER).unwrap_or("age,pgp"))?,
            openers: vec![
                (
                    KeyKind::Age,
                    Box::new(Threads::new(Age::new(options), &queue)),
                ),
                (
                    KeyKind::Pgp,
                    Box::new(Threads::new(Pgp::new(options), &queue)),
                ),
                #[cfg(feature = "aws")]
                (KeyKind::AwsKms, Box::new(AwsKms::new(options, environment))),
                #[cfg(feature = "gcp")]
                (KeyKind::GcpKms, Box::new(GcpKms::new(options, environment))),
                #[cfg(feature = "azure")]
                (
                    KeyKind::AzureKeyVault,
                    Box::new(AzureKeyVault::new(options, environment)),
                ),
                (KeyKind::Vault, Box::new(Transit::new(options, environment))),
            ],
            opened: Mutex::default(),
        })
    }

    /// Recovers the data key of a file.
    pub(in crate::sops) async fn data_key(
        &self,
        metadata: &Metadata,
        deadline: Instant,
    ) -> Result<DataKey, Error> {
        let mut tried = NoKey::default();
        let groups = &metadata.groups;
        if let [group] = groups.as_slice() {
            return match self.open(group, deadline, &mut tried).await {
                Some(key) => DataKey::from_bytes(&key),
                None => Err(self.no_key(metadata, tried)),
            };
        }
        let needed = match metadata.threshold {
            0 => groups.len(),
            threshold => threshold.max(2),
        };
        let mut shares = Vec::new();
        for group in groups {
            shares.extend(self.open(group, deadline, &mut tried).await);
            if shares.len() == needed {
                break;
            }
        }
        if shares.len() < needed {
            tried.groups = Some((shares.len(), needed));
            return Err(self.no_key(metadata, tried));
        }
        let key = shamir::combine(&shares)
            .ok_or_else(|| Error::Metadata("the shares of its data key do not fit".to_owned()))?;
        DataKey::from_bytes(&key)
    }

    /// Wraps a data key for groups of master keys: each key of the only group holds the whole of it, each key of one of
    /// several groups that group's share, of which `threshold` are needed; 0 needs all.
    pub(in crate::sops) async fn wrap(
        &self,
        key: &DataKey,
        (groups, threshold): (&[Vec<MasterKey>], usize),
        now: &str,
        deadline: Instant,
    ) -> Result<Vec<KeyGroup>, Error> {
        let shares = key.shares(groups.len(), threshold)?;
        let mut wrapped = Vec::with_capacity(groups.len());
        for (keys, share) in groups.iter().zip(&shares) {
            if keys.is_empty() {
                return Err(Error::Recipe("empty key group provided".to_owned()));
            }
            let each = keys
                .iter()
                .map(|key| self.wrap_share(key, share, now, deadline));
            let keys = futures::future::try_join_all(each).await?;
            wrapped.push(KeyGroup { keys });
        }
        Ok(wrapped)
    }

    async fn wrap_share(
        &self,
        key: &MasterKey,
        share: &Share,
        now: &str,
        deadline: Instant,
    ) -> Result<Wrapped, Error> {
        let done = match self.opener(key.kind) {
            Some(opener) => opener.wrap(key, share, deadline).await,
            None => Err(not_in_this_build(key.kind)),
        };
        let (key, enc) = done.map_err(|failure| Error::Wrap {
            key: key.describe(),
            reason: failure.to_string(),
            hint: failure.hint().map(str::to_owned),
        })?;
        Ok(Wrapped {
            key,
            enc,
            created_at: now.to_owned(),
        })
    }

    /// What the first key of a group that can be opened holds. A server that never answers leaves time for the keys
    /// behind it.
    async fn open(
        &self,
        group: &KeyGroup,
        deadline: Instant,
        tried: &mut NoKey,
    ) -> Option<Arc<Share>> {
        for (wrapped, rest) in self
            .sorted(group)
            .into_iter()
            .zip((1..=group.keys.len()).rev())
        {
            let now = Instant::now();
            let share =
                deadline.saturating_duration_since(now) / u32::try_from(rest).unwrap_or(u32::MAX);
            match self.unwrap(wrapped, now + share).await {
                Ok(key) => return Some(key),
                // The recipients and the places say that no key fits; only what is odd is told besides.
                Err(Failure::NoMatch) => {}
                Err(failure) => {
                    let name = wrapped.key.describe();
                    tried.failures.push(format!("{name}: {failure}"));
                    tried.hint = tried.hint.take().or(failure.hint().map(str::to_owned));
                }
            }
        }
        None
    }

    fn sorted<'g>(&self, group: &'g KeyGroup) -> Vec<&'g Wrapped> {
        let place = |wrapped: &&Wrapped| {
            let first = self.order.iter().position(|kind| *kind == wrapped.key.kind);
            first.unwrap_or(self.order.len())
        };
        let mut keys: Vec<&Wrapped> = group.keys.iter().collect();
        keys.sort_by_key(place);
        keys
    }

    /// What a wrapped key holds; asked once, however many files have it.
    async fn unwrap(&self, wrapped: &Wrapped, deadline: Instant) -> Result<Arc<Share>, Failure> {
        let attempt = {
            let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            match opened.get(wrapped) {
                Some(attempt) => Arc::clone(attempt),
                None => Arc::clone(opened.entry(wrapped.clone()).or_default()),
            }
        };
        let unwrap = async || match self.opener(wrapped.key.kind) {
            Some(opener) => {
                let share = opener.unwrap(&wrapped.key, &wrapped.enc, deadline).await;
                share.map(Arc::new)
            }
            None => Err(not_in_this_build(wrapped.key.kind)),
        };
        attempt.get_or_init(unwrap).await.clone()
    }

    fn opener(&self, kind: KeyKind) -> Option<&dyn Opener> {
        let opener = self.openers.iter().find(|(known, _)| *known == kind);
        opener.map(|(_, opener)| &**opener)
    }

    fn no_key(&self, metadata: &Metadata, mut tried: NoKey) -> Error {
        let keys = metadata.groups.iter().flat_map(|group| &group.keys);
        tried.recipients = keys.clone().map(|key| key.key.describe()).collect();
        for (kind, opener) in &self.openers {
            if keys.clone().any(|wrapped| wrapped.key.kind == *kind) {
                tried.places.append(&mut opener.places());
            }
        }
        let mut for_age = keys.filter(|key| key.key.kind == KeyKind::Age);
        if tried.hint.is_none()
            && let Some(first) = for_age.next()
        {
            let is_ssh = |key: &Wrapped| key.key.known_by().starts_with("ssh-");
            let hint = if is_ssh(first) && for_age.all(is_ssh) {
                "name a file with the SSH key of one of them in SOPS_AGE_SSH_PRIVATE_KEY_FILE or sshKeyFile"
            } else {
                "name a file with one of its age keys in SOPS_AGE_KEY_FILE or ageKeyFile"
            };
            tried.hint = Some(hint.to_owned());
        }
        Error::NoKey(Box::new(tried))
    }
}

fn not_in_this_build(kind: KeyKind) -> Failure {
    Failure::new(format!(
        "this build does not know keys of the kind {}",
        kind.list()
    ))
    .with_hint("add a key of another kind to the file, with sops updatekeys where it can be opened")
}

/// The kinds by their names, with commas between them. As in SOPS, unknown names mean nothing.
fn order(text: &str) -> Result<Vec<KeyKind>, InvalidOrder> {
    let mut seen = HashSet::new();
    let twice = text.split(',').find(|name| !seen.insert(*name));
    if let Some(name) = twice {
        return Err(InvalidOrder(name.to_owned()));
    }
    let kind = |name| KeyKind::ALL.into_iter().find(|kind| kind.list() == name);
    Ok(text.split(',').filter_map(kind).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures::FutureExt as _;
    use futures::future::{BoxFuture, join_all};

    use super::*;
    use crate::sops::{Encrypted, Format};

    /// Opens what is not called `bad`, after a while, and counts.
    struct Slow(Arc<AtomicUsize>);

    impl Opener for Slow {
        fn unwrap<'a>(
            &'a self,
            _: &'a MasterKey,
            enc: &'a str,
            _: Instant,
        ) -> BoxFuture<'a, Result<Share, Failure>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let opened = match enc {
                "bad" => Err(Failure::new("damaged")),
                _ => Ok(Share::new(vec![7; 32])),
            };
            let wait = tokio::time::sleep(Duration::from_millis(1));
            wait.map(|()| opened).boxed()
        }

        fn wrap<'a>(
            &'a self,
            key: &'a MasterKey,
            _: &'a [u8],
            _: Instant,
        ) -> BoxFuture<'a, Result<(MasterKey, String), Failure>> {
            std::future::ready(Ok((key.clone(), String::new()))).boxed()
        }
    }

    fn file(lists: &str) -> String {
        format!(r#"{{"a":"x","sops":{{"lastmodified":"2025-06-01T12:00:00Z",{lists}}}}}"#)
    }

    fn ring(order: &str) -> (Keyring, Arc<AtomicUsize>) {
        let count = Arc::default();
        let opener = |kind| {
            let opener: Box<dyn Opener> = Box::new(Slow(Arc::clone(&count)));
            (kind, opener)
        };
        let ring = Keyring {
            openers: vec![opener(KeyKind::Age), opener(KeyKind::Vault)],
            order: super::order(order).unwrap(),
            opened: Mutex::default(),
        };
        (ring, count)
    }

    fn open(ring: &Keyring, files: &[String]) -> Vec<Result<DataKey, Error>> {
        let parse = |file| Encrypted::parse(file, Format::Json).unwrap();
        let files: Vec<_> = files.iter().map(|file| parse(file)).collect();
        let deadline = Instant::now();
        let keys = files.iter().map(|file| file.data_key(ring, deadline));
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().build().unwrap();
        runtime.block_on(join_all(keys))
    }

    #[test]
    fn equal_wrapped_keys_are_opened_once() {
        let (ring, count) = ring("age,pgp");
        let one = file(r#""age":[{"recipient":"a","enc":"1"}]"#);
        let two = file(r#""age":[{"recipient":"a","enc":"2"}]"#);
        let opened = open(&ring, &[one.clone(), one.clone(), two, one]);
        assert!(opened.iter().all(Result::is_ok));
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_failure_is_not_tried_again() {
        let (ring, count) = ring("age,pgp");
        let bad = file(r#""age":[{"recipient":"a","enc":"bad"}]"#);
        for result in open(&ring, &[bad.clone(), bad]) {
            let Err(Error::NoKey(tried)) = result else {
                panic!("it was opened");
            };
            assert_eq!(tried.failures, ["a: damaged"]);
        }
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn kinds_are_tried_in_their_order() {
        let lists =
            r#""hc_vault":[{"vault_address":"v","enc":"1"}],"age":[{"recipient":"a","enc":"bad"}]"#;
        for (order, expected) in [("age", 2), ("hc_vault,age", 1), ("", 1), ("odd,age", 2)] {
            let (ring, count) = ring(order);
            assert!(open(&ring, &[file(lists)])[0].is_ok());
            assert_eq!(count.load(Ordering::Relaxed), expected, "{order}");
        }
        for order in ["age,pgp,age", "x,x", ","] {
            assert!(super::order(order).is_err(), "{order}");
        }
    }
}
