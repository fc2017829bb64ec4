//! One run over a folder with a manifest for each store: every store is asked for its own secrets, as often as when it is
//! alone. A password store is a folder: nobody is asked.

use super::{HOSTS, NUMBERED, Store, manifest, values};
use crate::support::certificates::Certificates;
use crate::support::program::Program;
use crate::support::server::Server;

/// The stores in the order of their names, with the requests for five secrets: those that read, and the others (logins).
const STORES: &[(&str, &Store, usize, usize)] = &[
    ("1passwordconnect", &super::onepasswordconnect::STORE, 5, 1),
    #[cfg(feature = "aws")]
    ("awssecretsmanager", &super::awssecretsmanager::STORE, 1, 0),
    #[cfg(feature = "aws")]
    ("awsssm", &super::awsssm::STORE, 1, 0),
    #[cfg(feature = "azure")]
    ("azurekeyvault", &super::azurekeyvault::STORE, 5, 2),
    (
        "delineasecretserver",
        &super::delineasecretserver::STORE,
        5,
        1,
    ),
    #[cfg(feature = "gcp")]
    ("gcpsecretmanager", &super::gcpsecretmanager::STORE, 5, 1),
    ("ibmsecretsmanager", &super::ibmsecretsmanager::STORE, 5, 3),
    (
        "keepersecretsmanager",
        &super::keepersecretsmanager::STORE,
        1,
        0,
    ),
    #[cfg(feature = "kubernetes")]
    ("kubernetessecret", &super::kubernetessecret::STORE, 5, 0),
    ("vault", &super::vault::STORE, 5, 1),
    (
        "yandexcloudlockbox",
        &super::yandexcloudlockbox::STORE,
        5,
        1,
    ),
];

#[test]
fn each_is_asked_for_its_own_and_no_more() {
    let certificates = Certificates::new(&HOSTS);
    let mut program = Program::manifuse(["generate", "manifests"])
        .file("ca.pem", &certificates.ca_pem)
        .env("SSL_CERT_FILE", "ca.pem");
    let mut servers = Vec::new();
    for (name, store, _, _) in STORES {
        let server = if store.tls {
            Server::start_tls(certificates.server(), store.answer)
        } else {
            Server::start(store.answer)
        };
        let references: Vec<String> = (0..5).map(store.numbered).collect();
        program = (store.settings)(program, &server.url())
            .file(&format!("manifests/{name}.yaml"), manifest(&references));
        servers.push(server);
    }
    let passwords: Vec<String> = (0..5).map(super::pass::numbered).collect();
    program = super::pass::settings(program).file("manifests/pass.yaml", manifest(&passwords));
    // One store's fake goes by the real one's name, by a proxy; the others are here.
    let run = program.env("NO_PROXY", "localhost,127.0.0.1").run();
    let texts = (0..5).map(|number| format!("{NUMBERED}{number}"));
    let texts: Vec<String> = (0..=STORES.len()).flat_map(|_| texts.clone()).collect();
    assert_eq!(values(&run), texts);
    for ((name, store, reads, others), server) in STORES.iter().zip(&servers) {
        let requests = server.requests();
        let (seen, rest): (Vec<_>, Vec<_>) = requests.iter().partition(|one| (store.reads)(one));
        assert_eq!((seen.len(), rest.len()), (*reads, *others), "{name}");
    }
}
