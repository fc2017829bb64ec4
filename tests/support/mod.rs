//! What several tests share: an HTTP server on loopback that can also misbehave, and certificates for it.

pub(crate) mod certificates;
pub(crate) mod server;
