//! How Go prints a 64-bit float: AVP's `jsonPath` shows its numbers so.

/// Whether a literal is an integer, which we print with all its digits where AVP falls back to an exponent.
pub(super) fn is_integer(literal: &str) -> bool {
    !literal.contains(['.', 'e', 'E'])
}

/// As Go's `fmt` does: with an exponent from a million up and below 0.0001.
pub(super) fn in_text(float: f64) -> String {
    let scientific = format!("{float:e}");
    let parts = scientific.split_once('e');
    let exponent = parts.and_then(|(digits, exponent)| Some((digits, exponent.parse().ok()?)));
    match exponent {
        Some((digits, exponent)) if !(-4..6).contains(&exponent) => with_exponent(digits, exponent),
        _ => float.to_string(),
    }
}

/// As Go's JSON encoder does: with an exponent only where the plain form would be long.
pub(super) fn in_json(float: f64) -> String {
    if float == 0.0 || (1e-6..1e21).contains(&float.abs()) {
        return float.to_string();
    }
    let scientific = format!("{float:e}");
    match scientific.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
        _ => scientific,
    }
}

fn with_exponent(digits: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_look_as_in_go() {
        for (float, text, json) in [
            (0.0, "0", "0"),
            (-0.0, "-0", "-0"),
            (1.5, "1.5", "1.5"),
            (999_999.0, "999999", "999999"),
            (100_000.5, "100000.5", "100000.5"),
            (1_000_000.0, "1e+06", "1000000"),
            (-12_345_678.5, "-1.23456785e+07", "-12345678.5"),
            (0.0001, "0.0001", "0.0001"),
            (0.00001, "1e-05", "0.00001"),
            (0.000_000_25, "2.5e-07", "2.5e-7"),
            (1e21, "1e+21", "1e+21"),
            (1.5e300, "1.5e+300", "1.5e+300"),
            (5e-324, "5e-324", "5e-324"),
        ] {
            assert_eq!(
                (in_text(float).as_str(), in_json(float).as_str()),
                (text, json)
            );
        }
    }
}
