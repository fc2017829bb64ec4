//! A login by a certificate: a signed statement instead of a secret
//! (<https://learn.microsoft.com/entra/identity-platform/certificate-credentials>). The crate's own needs OpenSSL.

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_lc_rs::rand::{self, SystemRandom};
use azure_core::error::{Error, ErrorKind};
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::clients::jwt::Signer;
use crate::secret::Text;

/// How long a statement is good.
const LIFE: Duration = Duration::from_mins(10);

/// Makes statements that an application is who it is.
pub(super) struct Assertion {
    signer: Signer,
    audience: String,
    client: String,
}

impl Assertion {
    /// With the key and the first certificate of a PEM text.
    pub(super) fn new(
        pem: &Text,
        authority: &str,
        tenant: &str,
        client: &str,
        send: bool,
    ) -> Result<Self, &'static str> {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.expose())
            .filter_map(Result::ok)
            .collect();
        let own = certificates
            .first()
            .ok_or("there is no certificate in PEM form in it; openssl pkcs12 -nodes makes one")?;
        let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(own));
        let mut header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint});
        if send {
            header["x5c"] = certificates
                .iter()
                .map(|der| BASE64_STANDARD.encode(der))
                .collect();
        }
        Ok(Self {
            signer: Signer::new(pem, &header)?,
            audience: format!(
                "{}/{tenant}/oauth2/v2.0/token",
                authority.trim_end_matches('/')
            ),
            client: client.to_owned(),
        })
    }

    fn sign(&self, now: Duration) -> Option<String> {
        let id: [u8; 16] = rand::generate(&SystemRandom::new()).ok()?.expose();
        self.signer.sign(&json!({
            "aud": self.audience,
            "iss": self.client,
            "sub": self.client,
            "jti": BASE64_URL_SAFE_NO_PAD.encode(id),
            "nbf": now.as_secs(),
            "exp": (now + LIFE).as_secs(),
        }))
    }
}

impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assertion")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let signed = self.sign(now.unwrap_or_default());
        signed.ok_or_else(|| {
            Error::with_message(ErrorKind::Credential, "the certificate's key does not sign")
        })
    }
}
