//! A certificate authority made on the spot, with one server and one client certificate signed by it.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;

/// Certificates in PEM, and what a server needs to use them.
pub(crate) struct Certificates {
    /// The authority's certificate: what a client must trust.
    pub(crate) ca_pem: String,
    /// A client certificate.
    pub(crate) client_pem: String,
    /// Its private key.
    pub(crate) client_key_pem: String,
    ca: CertificateDer<'static>,
    server: CertificateDer<'static>,
    server_key: Vec<u8>,
}

impl Certificates {
    /// A new authority whose server certificate is good for these host names and addresses.
    pub(crate) fn new(hosts: &[&str]) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();

        let server_key = KeyPair::generate().unwrap();
        let names: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let server = CertificateParams::new(names)
            .unwrap()
            .signed_by(&server_key, &issuer)
            .unwrap();

        let client_key = KeyPair::generate().unwrap();
        let mut client = CertificateParams::new(Vec::new()).unwrap();
        client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let client = client.signed_by(&client_key, &issuer).unwrap();

        Self {
            ca_pem: issuer.pem(),
            client_pem: client.pem(),
            client_key_pem: client_key.serialize_pem(),
            ca: issuer.der().clone(),
            server: server.der().clone(),
            server_key: server_key.serialize_der(),
        }
    }

    /// For a server that asks its clients for nothing.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        self.config(None)
    }

    /// For a server that talks only to clients with a certificate of this authority.
    pub(crate) fn server_for_known_clients(&self) -> Arc<ServerConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.clone()).unwrap();
        self.config(Some(roots))
    }

    fn config(&self, client_roots: Option<RootCertStore>) -> Arc<ServerConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match client_roots {
            None => builder.with_no_client_auth(),
            Some(roots) => builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()
                    .unwrap(),
            ),
        };
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.server_key.clone()));
        Arc::new(
            builder
                .with_single_cert(vec![self.server.clone()], key)
                .unwrap(),
        )
    }
}
