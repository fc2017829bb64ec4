//! What a client trusts and who it says it is: TLS settings as PEM, checked before any connection.

use std::fmt;

use reqwest::{Certificate, ClientBuilder, Identity};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

/// TLS settings of one client. The default trusts the system's roots.
#[derive(Clone, Default)]
pub struct Tls {
    roots: Option<Vec<Certificate>>,
    identity: Option<Identity>,
    /// Trusts any certificate: only where a setting says so.
    pub skip_verify: bool,
    /// The name to ask for (SNI) and to find in the certificate, instead of the address's host.
    pub server_name: Option<String>,
}

/// Why PEM text cannot be used. Never shows the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// There is no certificate in it.
    #[error("there is no certificate in it")]
    NoCertificate,
    /// A certificate cannot be read.
    #[error("a certificate in it cannot be read")]
    BadCertificate,
    /// The private key cannot be read.
    #[error("there is no private key in it that can be read")]
    BadKey,
}

impl Tls {
    /// Trusts these certificates instead of the system's roots.
    pub fn trust_only<P: AsRef<[u8]>>(&mut self, pems: &[P]) -> Result<(), TlsError> {
        let mut roots = Vec::new();
        for pem in pems {
            roots.extend(certificates(pem.as_ref())?);
        }
        let mut store = RootCertStore::empty();
        for root in &roots {
            store
                .add(root.clone())
                .map_err(|_| TlsError::BadCertificate)?;
        }
        let roots = roots.iter().map(|der| Certificate::from_der(der));
        let roots = roots.collect::<Result<Vec<_>, _>>();
        self.roots = Some(roots.map_err(|_| TlsError::BadCertificate)?);
        Ok(())
    }

    /// Shows this certificate to servers that ask for one.
    pub fn identify(&mut self, certificate_pem: &[u8], key_pem: &[u8]) -> Result<(), TlsError> {
        certificates(certificate_pem)?;
        PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| TlsError::BadKey)?;
        let mut both = Zeroizing::new(Vec::with_capacity(
            certificate_pem.len() + key_pem.len() + 1,
        ));
        both.extend_from_slice(certificate_pem);
        both.push(b'\n');
        both.extend_from_slice(key_pem);
        let identity = Identity::from_pem(&both).map_err(|_| TlsError::BadKey)?;
        self.identity = Some(identity);
        Ok(())
    }

    /// Whether the system's roots have to be read, which takes a while.
    pub(crate) fn needs_system_roots(&self) -> bool {
        self.roots.is_none() && !self.skip_verify
    }

    /// Hands the settings to a client that talks TLS, or only plain HTTP.
    pub(crate) fn apply(&self, mut builder: ClientBuilder, is_tls: bool) -> ClientBuilder {
        if !is_tls {
            // Without this the system's roots would be read for nothing.
            return builder.tls_certs_only([]);
        }
        if let Some(roots) = &self.roots {
            builder = builder.tls_certs_only(roots.clone());
        }
        if let Some(identity) = &self.identity {
            builder = builder.identity(identity.clone());
        }
        builder.tls_danger_accept_invalid_certs(self.skip_verify)
    }
}

/// All certificates of a PEM text; at least one.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::BadCertificate)?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate);
    }
    Ok(certificates)
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("roots", &self.roots.as_ref().map(Vec::len))
            .field("identity", &self.identity.is_some())
            .field("skip_verify", &self.skip_verify)
            .field("server_name", &self.server_name)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_texts_that_hold_no_certificate() {
        let mut tls = Tls::default();
        let refuse = |tls: &mut Tls, pem: &str| tls.trust_only(&[pem]).unwrap_err();
        assert_eq!(refuse(&mut tls, "hello"), TlsError::NoCertificate);
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(refuse(&mut tls, broken), TlsError::BadCertificate);
        assert!(tls.needs_system_roots());
    }

    #[test]
    fn takes_an_authority_and_an_identity() {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let mut tls = Tls::default();
        tls.trust_only(&[&pem]).unwrap();
        assert!(!tls.needs_system_roots());
        let bad = tls.identify(pem.as_bytes(), b"no key").unwrap_err();
        assert_eq!(bad, TlsError::BadKey);
        tls.identify(pem.as_bytes(), key.serialize_pem().as_bytes())
            .unwrap();
        let shown = format!("{tls:?}");
        assert_eq!(
            shown,
            "Tls { roots: Some(1), identity: true, skip_verify: false, server_name: None }"
        );
    }
}
