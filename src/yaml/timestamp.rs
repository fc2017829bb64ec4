//! Points in time as go-yaml v3 and RFC 3339 spell them. SOPS hashes and stores them in one canonical spelling.

use std::fmt::Write as _;

use crate::secret::Text;

/// A point in time with the offset it was written with. May be a secret, so it does not print.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    nanoseconds: u32,
    /// East of Greenwich.
    offset_minutes: i32,
}

impl Timestamp {
    /// Strict RFC 3339: all fields in full, an upper-case `T`, and `Z` or an offset.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        Cursor::new(text, Digits::Two).timestamp(Some("T"), true)
    }

    /// A time by its seconds since 1970, in UTC.
    pub fn from_unix(seconds: u64) -> Self {
        let (days, time) = (seconds / 86_400, seconds % 86_400);
        // Years begin in March, so that a leap day ends one; 400 of them always have as many days.
        let days = days + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let part = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            year: part(year + 400 * era + u64::from(month >= 10)),
            month: part(if month < 10 { month + 3 } else { month - 9 }),
            day: part(day - (153 * month + 2) / 5 + 1),
            hour: part(time / 3600),
            minute: part(time / 60 % 60),
            second: part(time % 60),
            nanoseconds: 0,
            offset_minutes: 0,
        }
    }

    /// The four forms that go-yaml v3 resolves to a time: months, days and clock fields may have one digit.
    pub fn from_yaml(text: &str) -> Option<Self> {
        let forms = [
            (Some("T"), true),
            (Some("t"), true),
            (Some(" "), false),
            (None, false),
        ];
        forms.into_iter().find_map(|(separator, zone)| {
            Cursor::new(text, Digits::OneOrTwo).timestamp(separator, zone)
        })
    }

    /// The same without a fraction of a second.
    #[must_use]
    pub fn whole_seconds(self) -> Self {
        Self {
            nanoseconds: 0,
            ..self
        }
    }

    /// Canonical RFC 3339: no zeros at the end of the fraction, `Z` for an offset of zero.
    pub fn to_text(self) -> Text {
        let mut text = format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            self.year, self.month, self.day, self.hour, self.minute, self.second
        );
        if self.nanoseconds > 0 {
            let fraction = format!("{:09}", self.nanoseconds);
            text.push('.');
            text.push_str(fraction.trim_end_matches('0'));
        }
        match self.offset_minutes {
            0 => text.push('Z'),
            minutes => {
                let sign = if minutes < 0 { '-' } else { '+' };
                let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
                let _ = write!(text, "{sign}{hours:02}:{rest:02}");
            }
        }
        Text::from(text)
    }

    fn is_real(&self) -> bool {
        let leap = self.year.is_multiple_of(4)
            && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        let days = match self.month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return false,
        };
        (1..=days).contains(&self.day) && self.hour < 24 && self.minute < 60 && self.second < 60
    }
}

impl std::fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret time]")
    }
}

/// How many digits the fields behind the year have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Digits {
    Two,
    OneOrTwo,
}

struct Cursor<'a> {
    rest: &'a [u8],
    digits: Digits,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str, digits: Digits) -> Self {
        Self {
            rest: text.as_bytes(),
            digits,
        }
    }

    /// The whole text as a date, with a clock behind `separator` if there is one, and an offset if `zone`.
    fn timestamp(mut self, separator: Option<&str>, zone: bool) -> Option<Timestamp> {
        let mut time = Timestamp {
            year: self.number(4, 4)?,
            month: self.after("-")?,
            day: self.after("-")?,
            hour: 0,
            minute: 0,
            second: 0,
            nanoseconds: 0,
            offset_minutes: 0,
        };
        if let Some(separator) = separator {
            time.hour = self.after(separator)?;
            time.minute = self.after(":")?;
            time.second = self.after(":")?;
            time.nanoseconds = self.fraction()?;
        }
        if zone {
            time.offset_minutes = self.offset()?;
        }
        (self.rest.is_empty() && time.is_real()).then_some(time)
    }

    fn skip(&mut self, text: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(text.as_bytes())?;
        Some(())
    }

    fn after(&mut self, separator: &str) -> Option<u32> {
        self.skip(separator)?;
        match self.digits {
            Digits::Two => self.number(2, 2),
            Digits::OneOrTwo => self.number(1, 2),
        }
    }

    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let digits = self.rest.iter().take(most);
        let count = digits.take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.rest.split_at(count);
        self.rest = rest;
        let text = std::str::from_utf8(number).ok()?;
        (count >= least).then(|| text.parse().ok())?
    }

    /// Nanoseconds; digits past the ninth are cut, as Go does.
    fn fraction(&mut self) -> Option<u32> {
        if self.skip(".").is_none() {
            return Some(0);
        }
        let count = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        let kept = std::str::from_utf8(&digits[..count.min(9)]).ok()?;
        (count > 0).then(|| format!("{kept:0<9}").parse().ok())?
    }

    fn offset(&mut self) -> Option<i32> {
        if self.skip("Z").is_some() {
            return Some(0);
        }
        let sign = if self.skip("-").is_some() {
            -1
        } else {
            self.skip("+")?;
            1
        };
        let hours = self.number(2, 2)?;
        self.skip(":")?;
        let minutes = self.number(2, 2)?;
        let total = i32::try_from(hours * 60 + minutes).ok()?;
        (hours < 24 && minutes < 60).then_some(sign * total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(time: Option<Timestamp>) -> Option<String> {
        time.map(|time| time.to_text().expose_str().unwrap().to_owned())
    }

    #[test]
    fn seconds_since_1970() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_799, "2000-02-29T23:59:59Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_740_787_200, "2025-03-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            let text = Timestamp::from_unix(seconds).to_text();
            assert_eq!(text.expose_str(), Some(expected));
        }
    }

    #[test]
    fn yaml_forms_become_canonical() {
        for (text, expected) in [
            ("2024-01-31", "2024-01-31T00:00:00Z"),
            ("2020-1-2", "2020-01-02T00:00:00Z"),
            ("0001-01-01", "0001-01-01T00:00:00Z"),
            ("2024-02-29T1:2:3Z", "2024-02-29T01:02:03Z"),
            (
                "2001-12-14t21:59:43.10-05:00",
                "2001-12-14T21:59:43.1-05:00",
            ),
            (
                "2024-01-31T10:20:30.1234567899Z",
                "2024-01-31T10:20:30.123456789Z",
            ),
            ("2024-01-31T10:20:30+00:00", "2024-01-31T10:20:30Z"),
            ("2020-01-01 10:00:00.50", "2020-01-01T10:00:00.5Z"),
        ] {
            let found = canonical(Timestamp::from_yaml(text));
            assert_eq!(found.as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in [
            "",
            "2024",
            "2024-1",
            "2024-02-30",
            "2023-02-29",
            "2024-13-01",
            "1900-02-29",
            "20240-01-01",
            "2001-12-14 21:59:43.10 -5",
            "2020-01-01 10:00:00 +02:00",
            "2020-01-01T10:00:00",
            "2020-01-01T10:00:00.Z",
            "2020-01-01T24:00:00Z",
            "2020-01-01T10:00:60Z",
            "2020-01-01T10:00:00+24:00",
            "2020-01-01x",
        ] {
            assert!(Timestamp::from_yaml(text).is_none(), "{text}");
        }
    }

    #[test]
    fn rfc3339_is_strict() {
        let time = Timestamp::from_rfc3339("2025-06-01T12:00:00.25+02:00").unwrap();
        let whole = canonical(Some(time.whole_seconds()));
        assert_eq!(whole.as_deref(), Some("2025-06-01T12:00:00+02:00"));
        for text in [
            "2025-06-01",
            "2025-6-1T12:00:00Z",
            "2025-06-01t12:00:00Z",
            "2025-06-01T12:00:00",
            "2025-06-01T12:00:00z",
        ] {
            assert!(Timestamp::from_rfc3339(text).is_none(), "{text}");
        }
    }
}
