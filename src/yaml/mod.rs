//! YAML and JSON as text: events with byte spans, scalars' decoded text and where its bytes lie, the scalar writer,
//! the edit list, and the resolver tables. Knows no Kubernetes.

pub mod edit;
mod event;
mod extent;
pub mod go_scalar;
pub mod grow;
pub mod json;
mod json_in_yaml;
pub mod lines;
mod parser;
pub mod resolve;
pub mod rewrite;
pub mod scalar;
pub mod timestamp;
pub mod tree;
pub mod value;
pub mod writer;

use base64::Engine;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};

pub use event::{Event, EventKind, EventReader, Layout, Properties, Style, SyntaxError, Tag};
pub use json_in_yaml::for_yaml_readers;
pub use parser::{MAX_DEPTH, YamlReader};

/// Padded standard base64 as Go's standard decoder takes it: CR and LF anywhere, unused trailing bits not looked at.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

/// The bytes of a base64 text, line ends tolerated; `None` when it is not base64.
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    if text.contains(['\r', '\n']) {
        return BASE64.decode(text.replace(['\r', '\n'], "")).ok();
    }
    BASE64.decode(text).ok()
}

/// Padded standard base64 on one line.
pub fn encode_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}
