//! The proof of a login by AWS IAM: the signed call of STS that Vault makes in our place.
//!
//! API: <https://developer.hashicorp.com/vault/api-docs/auth/aws#login>.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::future::BoxFuture;
use tokio::time::Instant;

use super::credential::{Maker, Proof};
use crate::backends::Error;
use crate::backends::registry::SettingsError;
use crate::clients::aws::{Aws, PROOF_BODY, is_region, sts_url};
use crate::clients::vault::{header_text, wrong};
use crate::env::{Environment, Options};
use crate::secret::Text;

/// The setting of the region whose STS Vault asks.
pub(super) const REGION: &str = "MANIFUSE_VAULT_AWS_REGION";

/// The setting of what binds the proof to one Vault.
pub(super) const SERVER_ID: &str = "MANIFUSE_VAULT_AWS_SERVER_ID";

/// Where Vault's own default is.
const DEFAULT_REGION: &str = "us-east-1";

/// Who can prove himself to AWS.
struct Signer {
    aws: Aws,
    region: String,
    server_id: Option<String>,
}

/// Checks the settings.
pub(super) fn open(
    options: &Options,
    environment: &Environment,
) -> Result<Box<dyn Maker>, SettingsError> {
    let region = options.text(REGION).unwrap_or(DEFAULT_REGION);
    if !is_region(region) {
        let error = wrong(options, REGION, "it is no name of a region");
        return Err(error.hint("for example eu-west-1, as in Vault's sts_region"));
    }
    Ok(Box::new(Signer {
        aws: Aws::new(options, environment, None),
        region: region.to_owned(),
        server_id: header_text(options, SERVER_ID)?,
    }))
}

impl Maker for Signer {
    fn fields(&self) -> Vec<(&'static str, String)> {
        let url = sts_url(&self.region);
        vec![
            ("iam_http_request_method", "POST".to_owned()),
            ("iam_request_body", BASE64_STANDARD.encode(PROOF_BODY)),
            ("iam_request_url", BASE64_STANDARD.encode(url)),
        ]
    }

    fn make(&self, deadline: Instant) -> BoxFuture<'_, Result<Proof, Error>> {
        let id = self.server_id.as_deref();
        let receiver = id.map(|id| ("X-Vault-AWS-IAM-Server-ID", id));
        Box::pin(async move {
            let proof = self.aws.prove(&self.region, receiver, deadline).await?;
            let headers = serde_json::to_vec(&proof.headers).expect("texts always serialise");
            let inside = proof.session.into_iter().chain(self.aws.secrets());
            Ok(Proof {
                text: Text::from(BASE64_STANDARD.encode(headers)),
                inside: inside.collect(),
            })
        })
    }
}
