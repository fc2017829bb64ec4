//! Google Cloud KMS, by its two JSON calls. Where it is asked follows from the settings alone, never from the file.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::future::BoxFuture;
use serde::Deserialize;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::flux;
use super::folder::Folder;
use super::master::MasterKey;
use super::opener::{Failure, Opener, Share};
use crate::clients::Address;
use crate::clients::gcp::{Gcp, crc32c};
use crate::env::{Environment, Options};
use crate::secret::Text;

/// Keys of Google Cloud KMS.
pub(super) struct GcpKms {
    options: Options,
    environment: Environment,
    folder: Option<Folder>,
    gcp: OnceLock<Result<Arc<Gcp>, Failure>>,
}

/// What both calls answer, as far as it is asked for. Numbers of 64 bits are texts in Google's JSON.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, alias = "plaintext", alias = "ciphertext")]
    result: Option<Cow<'a, str>>,
    #[serde(borrow, alias = "plaintextCrc32c", alias = "ciphertextCrc32c")]
    checksum: Option<Cow<'a, str>>,
}

impl GcpKms {
    pub(super) fn new(options: &Options, environment: &Environment) -> Self {
        Self {
            options: options.clone(),
            environment: environment.clone(),
            folder: Folder::new(options),
            gcp: OnceLock::new(),
        }
    }

    fn gcp(&self) -> Result<&Arc<Gcp>, Failure> {
        let open = || {
            let json = flux::text(self.folder.as_ref(), "sops.gcp-kms")?;
            let json = json.map(|(place, json)| (json, place));
            Ok(Arc::new(Gcp::new(&self.options, &self.environment, json)))
        };
        self.gcp.get_or_init(open).as_ref().map_err(Clone::clone)
    }

    /// The endpoint of the settings, that of a universe, or Google's own.
    fn address(&self) -> Result<Address, Failure> {
        let set = |name| {
            let text = self.options.text(name);
            text.filter(|_| !self.options.is_set_by_application(name))
        };
        let endpoint = set("SOPS_GCP_KMS_ENDPOINT");
        let (name, text) = match (endpoint, set("SOPS_GCP_KMS_UNIVERSE_DOMAIN")) {
            (Some(url), _) if url.contains("://") => ("SOPS_GCP_KMS_ENDPOINT", url.to_owned()),
            (Some(host), _) => ("SOPS_GCP_KMS_ENDPOINT", format!("https://{host}")),
            (None, domain) => {
                let domain = domain.unwrap_or("googleapis.com");
                (
                    "SOPS_GCP_KMS_UNIVERSE_DOMAIN",
                    format!("https://cloudkms.{domain}"),
                )
            }
        };
        Address::parse(&text)
            .map_err(|error| Failure::new(format!("{name} cannot be used: {error}")))
    }

    /// Sends bytes to `name:verb` and gives back the bytes that it answers.
    async fn call(
        &self,
        key: &MasterKey,
        (verb, field): (&str, &str),
        bytes: &[u8],
        deadline: Instant,
    ) -> Result<Share, Failure> {
        let name = key.known_by();
        if !is_key(name) {
            let form =
                "its resource_id is not of the form projects/P/locations/L/keyRings/R/cryptoKeys/K";
            return Err(Failure::new(form));
        }
        let service = self.gcp()?.service("Cloud KMS", self.address()?)?;
        let encoded = Zeroizing::new(BASE64_STANDARD.encode(bytes));
        let body = Text::from(format!(r#"{{"{field}":"{}"}}"#, *encoded));
        let response = service
            .post(format!("/v1/{name}:{verb}"), body, deadline)
            .await?;
        let no_answer = || Failure::new("what Cloud KMS answered is not what it answers");
        let answer: Answer<'_> =
            serde_json::from_slice(response.body.expose()).map_err(|_| no_answer())?;
        let text = answer.result.ok_or_else(no_answer)?;
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(&*text).map_err(|_| no_answer())?);
        let sum = answer.checksum.map(|sum| sum.parse());
        if sum.is_some_and(|sum| sum != Ok(crc32c(&bytes))) {
            return Err(Failure::new(
                "what Cloud KMS answered was damaged on the way: its checksum is wrong",
            ));
        }
        Ok(bytes)
    }
}

impl Opener for GcpKms {
    fn unwrap<'a>(
        &'a self,
        key: &'a MasterKey,
        enc: &'a str,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Share, Failure>> {
        Box::pin(async move {
            let wrapped = BASE64_STANDARD.decode(enc.trim());
            let wrapped = wrapped.map_err(|_| Failure::new("the wrapped key is not base64"))?;
            self.call(key, ("decrypt", "ciphertext"), &wrapped, deadline)
                .await
        })
    }

    fn wrap<'a>(
        &'a self,
        key: &'a MasterKey,
        share: &'a [u8],
        deadline: Instant,
    ) -> BoxFuture<'a, Result<(MasterKey, String), Failure>> {
        Box::pin(async move {
            let wrapped = self
                .call(key, ("encrypt", "plaintext"), share, deadline)
                .await?;
            Ok((key.clone(), BASE64_STANDARD.encode(&*wrapped)))
        })
    }
}

/// Whether a name is that of a key. It goes into a path, so that it may hold nothing that leads elsewhere.
fn is_key(name: &str) -> bool {
    const KINDS: [&str; 4] = ["projects", "locations", "keyRings", "cryptoKeys"];
    let parts: Vec<&str> = name.split('/').collect();
    let is_name = |part: &&str| {
        let is_taken = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        !part.trim_matches('.').is_empty() && part.chars().all(is_taken)
    };
    parts.len() == 8
        && parts.iter().step_by(2).eq(KINDS.iter())
        && parts.iter().skip(1).step_by(2).all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_a_key_and_nowhere_else() {
        for (name, expected) in [
            (
                "projects/p/locations/europe-west3/keyRings/r/cryptoKeys/k_1",
                true,
            ),
            (
                "projects/example.com:p/locations/l/keyRings/r/cryptoKeys/k",
                true,
            ),
            (
                "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1",
                false,
            ),
            ("projects/p/locations/l/keyRings/r/cryptoKeys/", false),
            ("projects/p/locations/../keyRings/r/cryptoKeys/k", false),
            ("projects/p/locations/l/keyRings/r/cryptoKeys/k?x", false),
            ("projects/p/locations/l/keyRings/r/cryptoKeys/k#", false),
            ("projects/p/locations/l/keyRings/r/cryptoKeys/k%2f", false),
            ("/projects/p/locations/l/keyRings/r/cryptoKeys", false),
            ("k", false),
        ] {
            assert_eq!(is_key(name), expected, "{name}");
        }
    }
}
