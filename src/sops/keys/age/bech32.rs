//! Age's keys as people copy them: bytes as Bech32, after a word that says what kind they are.

use age_core::primitives::bech32_decode;
use zeroize::Zeroizing;

/// The bytes of a text of that kind.
pub(super) fn decode(text: &str, kind: &str) -> Option<Zeroizing<Vec<u8>>> {
    bech32_decode(
        text,
        |_| (),
        |hrp| {
            hrp.as_str()
                .eq_ignore_ascii_case(kind)
                .then_some(())
                .ok_or(())
        },
        |_, bytes| Ok(Zeroizing::new(bytes.collect())),
    )
    .ok()
}
