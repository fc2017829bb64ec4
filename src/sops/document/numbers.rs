//! Floats as Go's formats print them: the shortest digits that read back as the same number.

use std::ops::Range;

/// How an exponent is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Exponent {
    /// With a sign and two digits: `1e+06`, `1e-07`.
    TwoDigits,
    /// With a sign and no zero in front: `1e+22`, `1e-7`.
    Short,
}

/// A finite number, without an exponent where its decimal exponent lies in `plain`.
pub(super) fn shortest(float: f64, plain: Range<i32>, style: Exponent) -> String {
    let text = format!("{float:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if plain.contains(&exponent) {
        return float.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    let exponent = exponent.unsigned_abs();
    match style {
        Exponent::TwoDigits => format!("{digits}e{sign}{exponent:02}"),
        Exponent::Short => format!("{digits}e{sign}{exponent}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_prints_them() {
        for (float, yaml, json) in [
            (1.0, "1", "1"),
            (-0.0, "-0", "-0"),
            (0.5, "0.5", "0.5"),
            (12000.0, "12000", "12000"),
            (685_230.15, "685230.15", "685230.15"),
            (1e6, "1e+06", "1000000"),
            (12_345_678.9, "1.23456789e+07", "12345678.9"),
            (0.0001, "0.0001", "0.0001"),
            (1e-7, "1e-07", "1e-7"),
            (1e21, "1e+21", "1e+21"),
            (1e20, "1e+20", "100000000000000000000"),
            (1.5e300, "1.5e+300", "1.5e+300"),
        ] {
            assert_eq!(shortest(float, -4..6, Exponent::TwoDigits), yaml);
            assert_eq!(shortest(float, -6..21, Exponent::Short), json);
        }
    }
}
