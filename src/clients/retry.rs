//! When to try again, and after how long: exponential backoff with jitter, and the server's `Retry-After`.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, SystemTime};

/// How often and how fast a request is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Further tries after the first one.
    pub retries: u32,
    /// The wait before the second try; it doubles with each further one.
    pub first_wait: Duration,
}

/// No wait of ours is longer; the server may ask for more by `Retry-After`.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

impl Policy {
    /// How long to wait before try number `tries + 1`: what the server asks for, at least our own backoff with up to a
    /// half more at random, so that many clients do not come back at once.
    pub(crate) fn wait(self, tries: u32, retry_after: Option<Duration>) -> Duration {
        let doubled = 1_u32
            .checked_shl(tries.saturating_sub(1))
            .unwrap_or(u32::MAX);
        let backoff = self.first_wait.saturating_mul(doubled).min(LONGEST_WAIT);
        let wait = backoff + backoff.mul_f64(random_fraction() / 2.0);
        wait.max(retry_after.unwrap_or_default())
    }
}

/// Whether a status is worth another try: too many requests, a replica that lags behind (412), or a broken server;
/// 501 says that it will never work.
pub fn is_worth_retrying(status: u16) -> bool {
    matches!(status, 412 | 429 | 500 | 502..=599)
}

/// A number from 0 up to 1. The hasher's random keys are good enough to spread retries.
fn random_fraction() -> f64 {
    let bits = RandomState::new().build_hasher().finish();
    f64::from((bits >> 32) as u32) / f64::from(u32::MAX)
}

/// The wait that a `Retry-After` header asks for: seconds, or a date as RFC 9110 wants it written. A date in the past is
/// no wait; anything else is nothing.
pub(crate) fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(value.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let date = parse_http_date(value)?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`; the two obsolete forms are not read.
fn parse_http_date(text: &str) -> Option<SystemTime> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (_, date) = text.split_once(", ")?;
    let words: Vec<&str> = date.split(' ').collect();
    let [day, month, year, time, "GMT"] = words[..] else {
        return None;
    };
    let month = MONTHS.iter().position(|name| *name == month)?;
    let days = days_since_1970(year.parse().ok()?, month, day.parse().ok()?)?;
    let clock: Vec<u64> = time
        .split(':')
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let [hours @ 0..24, minutes @ 0..60, seconds @ 0..=60] = clock[..] else {
        return None;
    };
    let seconds = days * 86_400 + hours * 3_600 + minutes * 60 + seconds;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Days from the first of January 1970; `month` counts from 0.
fn days_since_1970(year: u64, month: usize, day: u64) -> Option<u64> {
    const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    if !(1970..10_000).contains(&year) || !(1..=31).contains(&day) {
        return None;
    }
    let leap_days_before = |year: u64| (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    let is_leap = leap_days_before(year + 1) > leap_days_before(year);
    let leap_days = leap_days_before(year) - leap_days_before(1970);
    let this_year = BEFORE[month] + u64::from(is_leap && month > 1) + day - 1;
    Some((year - 1970) * 365 + leap_days + this_year)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_with_at_most_a_half_more() {
        let policy = Policy {
            retries: 9,
            first_wait: Duration::from_millis(100),
        };
        for (tries, base) in [(1, 100), (2, 200), (3, 400), (8, 10_000), (40, 10_000)] {
            let wait = policy.wait(tries, None);
            let range = Duration::from_millis(base)..=Duration::from_millis(base * 3 / 2);
            assert!(range.contains(&wait), "try {tries}: {wait:?}");
        }
    }

    #[test]
    fn the_server_may_ask_for_a_longer_wait_but_not_for_a_shorter_one() {
        let policy = Policy {
            retries: 2,
            first_wait: Duration::from_secs(1),
        };
        let asked = Duration::from_secs(30);
        assert_eq!(policy.wait(1, Some(asked)), asked);
        assert!(policy.wait(1, Some(Duration::ZERO)) >= Duration::from_secs(1));
    }

    #[test]
    fn jitter_differs_and_stays_in_range() {
        let fractions: Vec<f64> = (0..50).map(|_| random_fraction()).collect();
        assert!(fractions.iter().all(|f| (0.0..=1.0).contains(f)));
        assert!(fractions.iter().any(|f| (f - fractions[0]).abs() > 1e-6));
    }

    #[test]
    fn statuses_worth_another_try() {
        let worth: Vec<u16> = (100..600).filter(|s| is_worth_retrying(*s)).collect();
        assert!(
            [412, 429, 500, 502, 503, 599]
                .iter()
                .all(|s| worth.contains(s))
        );
        assert!(
            [200, 302, 400, 403, 404, 408, 501]
                .iter()
                .all(|s| !worth.contains(s))
        );
    }

    #[test]
    fn reads_seconds_and_dates() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let parse = |value| parse_retry_after(value, now);
        assert_eq!(parse("125"), Some(Duration::from_secs(125)));
        assert_eq!(parse(" 0 "), Some(Duration::ZERO));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(
            parse("Sun, 06 Nov 1994 08:50:07 GMT"),
            Some(Duration::from_secs(30))
        );
        assert_eq!(parse("Sat, 05 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(parse("99999999999999999999"), Some(Duration::MAX));
        for odd in [
            "",
            "soon",
            "-1",
            "1.5",
            "Sun, 06 Nov 1994 25:00:00 GMT",
            "Sun, 6 Foo 1994 08:49:37 GMT",
        ] {
            assert_eq!(parse(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn counts_days_over_leap_years() {
        assert_eq!(days_since_1970(1970, 0, 1), Some(0));
        assert_eq!(days_since_1970(2000, 1, 29), Some(11_016));
        assert_eq!(days_since_1970(2000, 2, 1), Some(11_017));
        assert_eq!(days_since_1970(2100, 2, 1), Some(47_541));
        assert_eq!(days_since_1970(1969, 0, 1), None);
    }
}
