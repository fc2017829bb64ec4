//! RSA by AWS-LC: several times faster than the OpenPGP library's own, and in constant time (RUSTSEC-2023-0071).

use aws_lc_rs::rsa::{Pkcs1PrivateDecryptingKey, PrivateDecryptingKey};
use pgp::crypto::Decryptor as _;
use pgp::crypto::rsa::SecretKey;
use pgp::types::{Mpi, RsaPublicParams};
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::traits::PublicKeyParts as _;
use rsa::{BigUint, RsaPrivateKey};
use zeroize::Zeroizing;

/// What a number says under its PKCS #1 padding.
pub(super) fn decrypt(key: &SecretKey, sealed: &Mpi) -> Option<Zeroizing<Vec<u8>>> {
    match fast(key) {
        Some(fast) => {
            // OpenPGP leaves out zeros at the front of a number.
            let size = fast.key_size_bytes();
            let mut padded = vec![0; size.checked_sub(sealed.len())?];
            padded.extend_from_slice(sealed.as_ref());
            let mut text = Zeroizing::new(vec![0; size]);
            let length = fast.decrypt(&padded, &mut text).ok()?.len();
            text.truncate(length);
            Some(text)
        }
        // AWS-LC takes no keys of less than 2048 bits: people have them all the same.
        None => key.decrypt(sealed).ok(),
    }
}

/// A key for AWS-LC, if it takes it.
fn fast(key: &SecretKey) -> Option<Pkcs1PrivateDecryptingKey> {
    let public = RsaPublicParams::from(key).key;
    let (exponent, p, q, _) = key.to_bytes();
    let [exponent, p, q] =
        [exponent, p, q].map(|number| BigUint::from_bytes_be(&Zeroizing::new(number)));
    let (modulus, public) = (public.n().clone(), public.e().clone());
    let key = RsaPrivateKey::from_components(modulus, public, exponent, vec![p, q]).ok()?;
    let key = PrivateDecryptingKey::from_pkcs8(key.to_pkcs8_der().ok()?.as_bytes()).ok()?;
    Pkcs1PrivateDecryptingKey::new(key).ok()
}
