//! The one integration binary.
//!
//! The modules say `cfg(test)` so that the lint against `unwrap` knows them for tests.

#[cfg(test)]
mod argocd;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod canary;
#[cfg(test)]
mod cli;
#[cfg(test)]
#[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
mod clouds;
#[cfg(test)]
#[cfg(feature = "cmp")]
mod cmp;
#[cfg(test)]
mod config;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod docs;
mod docs_shell;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod expand;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod house;
#[cfg(test)]
mod key_servers;
#[cfg(test)]
mod live_argocd;
#[cfg(test)]
mod live_aws;
#[cfg(test)]
#[cfg(feature = "cmp")]
mod live_cmp;
#[cfg(test)]
mod live_golden;
#[cfg(feature = "kubernetes")]
mod live_kubernetes;
#[cfg(test)]
mod live_pass;
#[cfg(test)]
mod live_sops;
#[cfg(test)]
mod live_transit;
#[cfg(test)]
mod live_vault;
#[cfg(test)]
mod live_yaml;
#[cfg(test)]
mod modifiers;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod public_manifests;
#[cfg(test)]
mod rooms;
#[cfg(test)]
mod sops;
#[cfg(test)]
mod sops_age;
#[cfg(test)]
mod sops_backend;
mod sops_commands;
mod sops_edit;
mod sops_keys;
mod sops_layout;
#[cfg(test)]
mod sops_pgp;
mod sops_private;
#[cfg(test)]
mod sops_transit;
#[cfg(test)]
mod stores;
#[cfg(test)]
mod stream;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod variables;
#[cfg(test)]
mod vault;
#[cfg(test)]
mod warnings;
