//! The words every room shares: what a reference points to, and the values that come back.

mod reference;
mod value;

pub use reference::{OnMissing, Reference, SecretId};
pub use value::{Map, Number, Text, Value, last};
