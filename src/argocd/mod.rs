//! Argo CD's side of plugins (`argocd-cmp.md`): the protocol that repo-server speaks, what it uploads, and what it may be
//! given back. Knows no secrets: what an application's manifests become is its caller's business.

pub mod archive;
pub mod authority;
pub mod messages;
pub mod objects;
pub mod server;
pub mod service;
pub mod tree_files;
pub mod upload;
pub mod variables;
