//! Headers that a setting adds to every request.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// Headers by name. Their values may be credentials and never print.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    pub(super) map: HeaderMap,
}

/// Why a header cannot be sent. The name is shown, the value never.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The name has characters that a name cannot have.
    #[error("a header in it has no valid name")]
    Name,
    /// The client itself decides on this header.
    #[error("the header {0} cannot be set")]
    Reserved(String),
    /// The value has characters that a value cannot have.
    #[error("the value of the header {0} holds a line end or a control character")]
    Value(String),
}

/// What says where a request goes, and where it ends.
const RESERVED: [&str; 5] = [
    "connection",
    "content-length",
    "host",
    "transfer-encoding",
    "upgrade",
];

impl Headers {
    /// Adds a header, or replaces it.
    pub fn insert(&mut self, name: &str, value: &str) -> Result<(), HeaderError> {
        let key = HeaderName::try_from(name).map_err(|_| HeaderError::Name)?;
        if RESERVED.contains(&key.as_str()) {
            return Err(HeaderError::Reserved(name.to_owned()));
        }
        let value = HeaderValue::try_from(value);
        let mut value = value.map_err(|_| HeaderError::Value(name.to_owned()))?;
        value.set_sensitive(true);
        self.map.insert(key, value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_cannot_be_sent_and_prints_no_value() {
        let mut headers = Headers::default();
        assert_eq!(headers.insert("a b", "x"), Err(HeaderError::Name));
        let reserved = headers.insert("Host", "x").unwrap_err();
        assert_eq!(reserved.to_string(), "the header Host cannot be set");
        let value = headers.insert("X-A", "hunter2\n").unwrap_err().to_string();
        assert_eq!(
            value,
            "the value of the header X-A holds a line end or a control character"
        );
        headers.insert("X-A", "hunter2").unwrap();
        assert!(!format!("{headers:?}").contains("hunter2"));
    }
}
