//! Statements that an RSA key signs (JWT, PS256): how one logs in without a secret that others know.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PSS_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value as Json;

use crate::secret::Text;

/// A key, and what its statements begin with.
pub struct Signer {
    key: RsaKeyPair,
    header: String,
}

impl Signer {
    /// The first key of a PEM text, or what is wrong with that.
    pub fn new(pem: &Text, header: &Json) -> Result<Self, &'static str> {
        let key = PrivateKeyDer::from_pem_slice(pem.expose())
            .map_err(|_| "there is no private key in it without a password")?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err("its private key is not RSA"),
        };
        Ok(Self {
            key: key.map_err(|_| "its private key is not RSA")?,
            header: BASE64_URL_SAFE_NO_PAD.encode(header.to_string()),
        })
    }

    /// The statement with these claims; none if the key does not sign.
    pub fn sign(&self, claims: &Json) -> Option<String> {
        let claims = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
        let text = format!("{}.{claims}", self.header);
        let mut signature = vec![0; self.key.public_modulus_len()];
        let random = SystemRandom::new();
        let signed = self
            .key
            .sign(&RSA_PSS_SHA256, &random, text.as_bytes(), &mut signature);
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
        signed.ok().map(|()| format!("{text}.{signature}"))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[signer]")
    }
}
