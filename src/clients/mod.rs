//! How to reach a service: addresses, TLS, one HTTP client with a bounded answer, retries and a deadline.
//!
//! Nothing here knows a secret store. Texts of errors name method, host and cause, never a header or a body.

mod address;
pub mod http;
pub mod retry;
pub mod tls;

pub use address::{Address, AddressError};
