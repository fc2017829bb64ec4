//! Secret paths as Vault's API sees them: cleaned as AVP's client cleans them, and percent-encoded.

use std::fmt::Write;

/// A path that climbs out of the API's `/v1/` by `..`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeavesApi;

/// The path below `/v1/` without empty, `.` and `..` segments. AVP lets `..` climb out of `/v1/`; no secret lies there.
pub fn clean(path: &str) -> Result<String, LeavesApi> {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => kept.pop().map(drop).ok_or(LeavesApi)?,
            name => kept.push(name),
        }
    }
    Ok(kept.join("/"))
}

/// Percent-encodes what Go's client encodes in a path, so that logs, policies and proxies see the same request as
/// with AVP. Slashes stay.
pub fn encode(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Percent-encodes one segment: also its slashes.
pub fn encode_segment(segment: &str) -> String {
    encode(segment).replace('/', "%2F")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleans_as_the_client_of_avp_does() {
        for (path, expected) in [
            ("kv/data/ok", "kv/data/ok"),
            ("/kv//data/ok/", "kv/data/ok"),
            ("kv/../kv/data/ok", "kv/data/ok"),
            ("kv/./data/x/../ok", "kv/data/ok"),
            ("kv/..x/...", "kv/..x/..."),
            ("", ""),
            ("/", ""),
        ] {
            assert_eq!(clean(path).as_deref(), Ok(expected), "{path}");
        }
    }

    #[test]
    fn refuses_to_leave_the_api() {
        for path in ["..", "../sys/health", "kv/../../v1/kv/x", "/../x"] {
            assert_eq!(clean(path), Err(LeavesApi), "{path}");
        }
    }

    #[test]
    fn encodes_what_go_encodes() {
        assert_eq!(encode("kv/data/ok bar"), "kv/data/ok%20bar");
        assert_eq!(encode("ok?version=9"), "ok%3Fversion=9");
        assert_eq!(encode("a%2e%2e/b#c"), "a%252e%252e/b%23c");
        assert_eq!(encode("ü!'()*"), "%C3%BC%21%27%28%29%2A");
        assert_eq!(encode("$&+,/:;=@-_.~"), "$&+,/:;=@-_.~");
        assert_eq!(encode_segment("me/you"), "me%2Fyou");
    }
}
