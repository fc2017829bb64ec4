//! What must hold for any input at all: one check per fuzz target, which panics when it does not.
//!
//! `fuzz/` drives them with inputs that it finds, `tests/it/corpus.rs` with those that are kept. They use only what the
//! library offers anyway, and know right from wrong by other readers, a regular expression, or an inverse.

#[cfg(feature = "cmp")]
mod argocd;
mod edit;
mod grammar;
mod input;
mod modifier;
mod readers;
mod settings;
mod sops;
mod split;

/// Panics when an input shows a fault.
pub(crate) type Check = fn(&[u8]);

/// The targets by name.
pub(crate) const TARGETS: &[(&str, Check)] = &[
    #[cfg(feature = "cmp")]
    ("argocd-archive", argocd::archive),
    #[cfg(feature = "cmp")]
    ("argocd-authority", argocd::authority),
    ("edit", edit::check),
    ("grammar", grammar::check),
    ("modifier", modifier::check),
    ("settings", settings::check),
    ("sops-binary", sops::binary),
    ("sops-dotenv", sops::dotenv),
    ("sops-ini", sops::ini),
    ("sops-json", sops::json),
    ("sops-metadata", sops::metadata),
    ("sops-yaml", sops::yaml),
    ("split", split::check),
];
