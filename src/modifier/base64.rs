//! `base64encode` and `base64decode`, and the same for URLs.

use ::base64::Engine;
use ::base64::alphabet::URL_SAFE;
use ::base64::engine::DecodePaddingMode::Indifferent;
use ::base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD};

use super::{Call, Cause};
use crate::secret::{Text, Value};

pub(super) fn encode(call: &mut Call<'_>) -> Result<Value, Cause> {
    let text = call.string()?;
    Ok(Value::string(STANDARD.encode(text.expose())))
}

/// Broken input is no failure: AVP takes the bytes in front of the fault, and there are manifests that live with it.
pub(super) fn decode(call: &mut Call<'_>) -> Result<Value, Cause> {
    let (bytes, whole) = decode_prefix(call.string()?.expose());
    if !whole {
        call.warnings.push(format!(
            "{}: the value is not valid base64, and only what stands before the fault was decoded",
            call.name
        ));
    }
    Ok(Value::String(Text::from(bytes)))
}

/// Without padding, as RFC 7515 has it; what is read may be padded.
const URL: GeneralPurpose =
    GeneralPurpose::new(&URL_SAFE, NO_PAD.with_decode_padding_mode(Indifferent));

pub(super) fn url_encode(call: &mut Call<'_>) -> Result<Value, Cause> {
    Ok(Value::string(URL.encode(call.text()?.expose())))
}

/// Strict, since no manifest lives with the other way.
pub(super) fn url_decode(call: &mut Call<'_>) -> Result<Value, Cause> {
    let bytes = URL.decode(call.text()?.expose());
    bytes
        .map(Value::string)
        .map_err(|_| Cause::Unfit("the value is not base64url"))
}

/// The bytes of all complete groups of four characters before the first fault, and whether there was none. Line ends
/// are skipped, bits that pad the last byte are not looked at.
fn decode_prefix(text: &[u8]) -> (Vec<u8>, bool) {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut characters = text
        .iter()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .copied();
    loop {
        let mut group = 0_u32;
        let mut digits = 0;
        while digits < 4 {
            let digit = match (characters.next(), digits) {
                (None, _) => return (bytes, digits == 0),
                (Some(b'='), 2 | 3) => break,
                (Some(character), _) => sextet(character),
            };
            let Some(digit) = digit else {
                return (bytes, false);
            };
            group = group << 6 | digit;
            digits += 1;
        }
        if digits == 2 && characters.next() != Some(b'=') {
            return (bytes, false);
        }
        let [_, decoded @ ..] = (group << (6 * (4 - digits))).to_be_bytes();
        bytes.extend_from_slice(&decoded[..digits - 1]);
        if digits < 4 {
            return (bytes, characters.next().is_none());
        }
    }
}

fn sextet(character: u8) -> Option<u32> {
    let digit = match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(digit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decodes_up_to_the_fault() {
        for (text, bytes, whole) in [
            ("aGVsbG8=", "hello", true),
            ("aGVsbG8=!!", "hello", false),
            ("aGVsbG8", "hel", false),
            ("_-8=", "", false),
            ("aGVs\r\nbG8=\n", "hello", true),
            ("aGVs bG8=", "hel", false),
            ("", "", true),
            ("aGVsbA==", "hell", true),
            ("aGVsbA=\n=\n", "hell", true),
            ("aGVsbA=", "hel", false),
            ("aGVsbA=x", "hel", false),
            ("aGVsbB==", "hell", true),
            ("aGVs=", "hel", false),
            ("aGVsb===", "hel", false),
            ("aGVsbG8=aGVs", "hello", false),
        ] {
            let expected = (bytes.as_bytes().to_vec(), whole);
            assert_eq!(decode_prefix(text.as_bytes()), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn decodes_what_was_encoded(bytes: Vec<u8>) {
            let text = STANDARD.encode(&bytes);
            prop_assert_eq!(decode_prefix(text.as_bytes()), (bytes, true));
        }
    }
}
