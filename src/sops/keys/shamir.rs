//! Shamir's secret sharing over GF(2^8), as SOPS splits a data key among key groups: each share holds one byte for
//! each byte of the key, and behind them the place at which the polynomials were evaluated.
//!
//! Arithmetic takes the same time for all bytes: no tables, no branches on them.

use std::sync::Arc;

use aes_gcm::aead::OsRng;
use aes_gcm::aead::rand_core::RngCore as _;
use zeroize::Zeroizing;

use crate::sops::error::Error;

/// Splits a key into `count` shares of which any `threshold` give it back.
///
/// # Errors
/// The numbers do not fit: 2 to 255 are needed, and not more than there are.
pub(super) fn split(
    key: &[u8],
    threshold: usize,
    count: usize,
) -> Result<Vec<Zeroizing<Vec<u8>>>, Error> {
    if threshold < 2 || threshold > count || count > 255 {
        return Err(Error::Recipe(format!(
            "shamir_threshold is {threshold}, which {count} key groups cannot have"
        )));
    }
    let mut coefficients = Zeroizing::new(vec![0; key.len() * (threshold - 1)]);
    OsRng.fill_bytes(&mut coefficients);
    let share = |place: u8| {
        let polynomials = key.iter().zip(coefficients.chunks(threshold - 1));
        // Horner's rule from the highest coefficient down.
        let value = |(byte, coefficients): (&u8, &[u8])| {
            let higher = coefficients
                .iter()
                .fold(0, |sum, next| multiply(sum, place) ^ next);
            multiply(higher, place) ^ byte
        };
        let mut share = Zeroizing::new(Vec::with_capacity(key.len() + 1));
        share.extend(polynomials.map(value));
        share.push(place);
        share
    };
    Ok((1..=255).take(count).map(share).collect())
}

/// The key that the shares were made of, or another one if shares are missing or changed. `None` for shares that
/// cannot belong together.
pub(super) fn combine(shares: &[Arc<Zeroizing<Vec<u8>>>]) -> Option<Zeroizing<Vec<u8>>> {
    let size = shares.first()?.len().checked_sub(1)?;
    let places: Vec<u8> = shares
        .iter()
        .filter(|share| share.len() == size + 1)
        .filter_map(|share| share.last().copied())
        .collect();
    let mut distinct = places.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let fit = size > 0 && distinct.len() == shares.len() && places.len() == shares.len();
    if !fit || shares.len() < 2 || distinct.first() == Some(&0) {
        return None;
    }
    let mut key = Zeroizing::new(vec![0; size]);
    for (share, weight) in shares.iter().zip(weights(&places)) {
        for (byte, value) in key.iter_mut().zip(share.iter()) {
            *byte ^= multiply(*value, weight);
        }
    }
    Some(key)
}

/// Lagrange's weights for the value at 0.
fn weights(places: &[u8]) -> impl Iterator<Item = u8> {
    places.iter().map(|own| {
        let others = places.iter().filter(|other| *other != own);
        others.fold(1, |weight, other| {
            multiply(weight, multiply(*other, inverse(other ^ own)))
        })
    })
}

/// The product modulo x^8 + x^4 + x^3 + x + 1.
fn multiply(left: u8, right: u8) -> u8 {
    let (mut left, mut product) = (left, 0);
    for bit in 0..8 {
        let chosen = 0_u8.wrapping_sub((right >> bit) & 1);
        product ^= left & chosen;
        let carried = 0_u8.wrapping_sub(left >> 7);
        left = (left << 1) ^ (0x1b & carried);
    }
    product
}

/// The multiplicative inverse, which is the 254th power.
fn inverse(byte: u8) -> u8 {
    let mut power = byte;
    for _ in 0..6 {
        power = multiply(multiply(power, power), byte);
    }
    multiply(power, power)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARES: [[u8; 4]; 5] = [
        [0x9e, 0x81, 0x71, 0x01],
        [0xc0, 0x34, 0x98, 0x02],
        [0x0d, 0xb5, 0x16, 0x03],
        [0x26, 0xdc, 0xaa, 0x04],
        [0xeb, 0x5d, 0x24, 0x05],
    ];

    fn of(indexes: &[usize]) -> Option<Vec<u8>> {
        let shares: Vec<_> = indexes
            .iter()
            .map(|index| Arc::new(Zeroizing::new(SHARES[*index].to_vec())))
            .collect();
        combine(&shares).map(|key| key.to_vec())
    }

    #[test]
    fn the_field() {
        assert_eq!(multiply(0x53, 0xca), 1);
        for byte in 1..=255 {
            assert_eq!(multiply(byte, inverse(byte)), 1, "{byte}");
        }
    }

    #[test]
    fn any_three_shares_give_the_key() {
        for indexes in [[0, 1, 2], [4, 0, 2], [1, 3, 4], [2, 3, 1]] {
            assert_eq!(of(&indexes), Some(vec![0x53, 0x00, 0xff]), "{indexes:?}");
        }
        assert_ne!(of(&[0, 1]), Some(vec![0x53, 0x00, 0xff]));
    }

    #[test]
    fn any_shares_of_a_split_key_give_it_back() {
        let key: Vec<u8> = (0..32).collect();
        for (threshold, count) in [(2, 2), (2, 3), (3, 5), (255, 255)] {
            let shares = split(&key, threshold, count).unwrap();
            assert_eq!(shares.len(), count);
            let last: Vec<_> = shares[count - threshold..]
                .iter()
                .cloned()
                .map(Arc::new)
                .collect();
            assert_eq!(*combine(&last).unwrap(), key, "{threshold} of {count}");
            assert!(shares.iter().all(|share| share[..32] != key[..]));
        }
        for (threshold, count) in [(0, 2), (1, 2), (3, 2), (2, 256)] {
            assert!(split(&key, threshold, count).is_err());
        }
    }

    #[test]
    fn shares_that_do_not_fit() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[0]), None);
        assert_eq!(of(&[0, 0]), None);
        let share = |bytes: &[u8]| Arc::new(Zeroizing::new(bytes.to_vec()));
        assert!(combine(&[share(&[1, 2, 3]), share(&[1, 2])]).is_none());
        assert!(combine(&[share(&[1]), share(&[2])]).is_none());
        assert!(combine(&[share(&[]), share(&[])]).is_none());
        assert!(combine(&[share(&[7, 0]), share(&[8, 1])]).is_none());
    }
}
