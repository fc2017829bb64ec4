//! At most so many calls a second, some of them at once: a bucket of permits that fills again (as `golang.org/x/time/rate`).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How many calls a second, and how many of them at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    per_second: f64,
    burst: f64,
}

/// The text is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotARate;

impl Rate {
    /// Reads `RATE[:BURST]` as Vault's client does; without a burst it is the whole part of the rate. A rate of zero is
    /// no limit there, and so it is here. Below one call a second that client limits nothing, but we do: a burst is at
    /// least one.
    pub fn parse(text: &str) -> Result<Option<Self>, NotARate> {
        let (rate, burst) = match text.split_once(':') {
            Some((rate, burst)) => (rate, Some(burst)),
            None => (text, None),
        };
        let per_second: f64 = rate.trim().parse().map_err(|_| NotARate)?;
        if !per_second.is_finite() || per_second < 0.0 {
            return Err(NotARate);
        }
        let burst = match burst {
            Some(burst) => f64::from(burst.trim().parse::<u32>().map_err(|_| NotARate)?),
            None => per_second.floor(),
        };
        Ok((per_second > 0.0).then_some(Self {
            per_second,
            burst: burst.max(1.0),
        }))
    }
}

/// The permits of one client.
pub(crate) struct Limiter {
    rate: Rate,
    /// Permits left, below zero when some are promised, and when that was so.
    state: Mutex<(f64, Instant)>,
}

impl Limiter {
    /// A full bucket.
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            rate,
            state: Mutex::new((rate.burst, Instant::now())),
        }
    }

    /// Takes a permit: how long to wait until it is there.
    pub(crate) fn take(&self, now: Instant) -> Duration {
        let state = self.state.lock();
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        let (permits, since) = *state;
        let filled = permits + now.duration_since(since).as_secs_f64() * self.rate.per_second;
        let left = filled.min(self.rate.burst) - 1.0;
        *state = (left, now);
        let missing = (-left).max(0.0);
        Duration::try_from_secs_f64(missing / self.rate.per_second).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_and_its_burst() {
        let rate = |per_second, burst| Ok(Some(Rate { per_second, burst }));
        assert_eq!(Rate::parse("10"), rate(10.0, 10.0));
        assert_eq!(Rate::parse("2.5:7"), rate(2.5, 7.0));
        assert_eq!(Rate::parse("0.5"), rate(0.5, 1.0));
        assert_eq!(Rate::parse("0"), Ok(None));
        for text in ["", "x", "-1", "1:", "1:x", "1:2:3", "1:-2", "inf", "nan"] {
            assert_eq!(Rate::parse(text), Err(NotARate), "{text}");
        }
    }

    #[test]
    fn a_burst_is_free_and_the_rest_is_spread() {
        let limiter = Limiter::new(Rate::parse("10:2").unwrap().unwrap());
        let now = Instant::now();
        let waits = || limiter.take(now).as_millis();
        assert_eq!([waits(), waits(), waits(), waits()], [0, 0, 100, 200]);
        // All four are paid for after 400 ms, and after an hour no more than the burst is saved.
        let later = now + Duration::from_hours(1);
        let waits = || limiter.take(later).as_millis();
        assert_eq!([waits(), waits(), waits()], [0, 0, 100]);
    }
}
