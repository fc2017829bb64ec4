//! How to reach a service: addresses, proxies, TLS, one HTTP client with a bounded answer, a rate limit,
//! retries and a deadline.
//!
//! Nothing here knows what a store holds. Texts of errors name method, host and cause, never a header or a body.

mod address;
#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "azure")]
pub mod azure;
pub mod cloud;
#[cfg(feature = "gcp")]
pub mod gcp;
pub mod http;
pub mod jwt;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
pub mod login;
pub mod proxy;
pub mod rate;
pub mod rest;
pub mod retry;
pub mod srv;
pub mod tls;
pub mod vault;

pub use address::{Address, AddressError};
