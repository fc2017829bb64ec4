//! Puts secrets into Kubernetes manifests, in place.
//!
//! The program is a straight line (`docs/architecture.md`): bytes become sources, documents, placeholders, a plan of
//! unique requests, fetched answers, edits, and output. Rooms import downward only; `tests/it/rooms.rs` holds the table.

#[cfg(feature = "cmp")]
pub mod argocd;
pub mod backends;
pub mod cli;
pub mod clients;
pub mod diagnostics;
pub mod env;
pub mod files;
pub mod go_regex;
pub mod inject;
pub mod input;
pub mod manifest;
pub mod modifier;
pub mod output;
pub mod placeholder;
pub mod policy;
pub mod secret;
pub mod settings;
pub mod sops;
pub mod yaml;
