//! What several tests share: an HTTP server on loopback that can also misbehave, and certificates for it.

pub(crate) mod bundle;
pub(crate) mod certificates;
pub(crate) mod core_yaml;
pub(crate) mod expectation;
pub(crate) mod fake_vault;
pub(crate) mod key_server;
pub(crate) mod kube_yaml;
pub(crate) mod live;
pub(crate) mod nodes;
pub(crate) mod oracle;
pub(crate) mod program;
pub(crate) mod render;
#[cfg(feature = "cmp")]
pub(crate) mod repo_server;
pub(crate) mod server;
pub(crate) mod sigv4;
pub(crate) mod sops_bundle;
pub(crate) mod sops_files;
pub(crate) mod sops_keys;
pub(crate) mod tree;
