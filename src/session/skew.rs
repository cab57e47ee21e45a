//! How far the broker's clock is from ours, as far as its responses tell.

use std::time::Duration;

use http::{HeaderMap, header::DATE};

use crate::context::Timestamp;

/// The least difference that is more than latency and rounding.
const NOTEWORTHY: i64 = 5;
/// The greatest difference that is corrected: a greater one is a clock that was never set.
const CORRECTABLE: i64 = 3600;

/// The broker's time less ours, in whole seconds, from the `Date` of a response (RFC 9110 section 6.6.1) that was sent
/// somewhere between `sent` and `received`. `None` without a usable `Date`, where the response
/// took too long to tell, or where our clock was set back meanwhile.
pub(crate) fn estimate(headers: &HeaderMap, sent: Timestamp, received: Timestamp) -> Option<i64> {
    let date = Timestamp::from(httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?);
    let underway = received.saturating_duration_since(sent);
    if received < sent || underway > Duration::from_secs(10) {
        return None;
    }
    // `Date` is cut to the second, so that the broker's time is half a second later on average.
    let theirs = i64::try_from(date.as_millis()).ok()?.checked_add(500)?;
    let ours = i64::try_from(sent.saturating_add(underway / 2).as_millis()).ok()?;
    Some((theirs - ours) / 1000)
}

/// How many responses in a row must agree before a difference is believed.
const AGREEING: u8 = 3;

/// What is believed of the difference of the clocks: a single response may come from a server whose own is wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Skew {
    believed: i64,
    candidate: i64,
    agreeing: u8,
}

impl Skew {
    pub(super) fn new(believed: i64) -> Self {
        Self { believed, ..Self::default() }
    }

    /// The broker's time less ours, in seconds.
    pub(super) fn seconds(self) -> i64 {
        self.believed
    }

    /// Takes note of what one response says; the new difference, once enough of them in a row agree.
    pub(super) fn note(&mut self, seconds: i64) -> Option<i64> {
        if !is_different(seconds, self.believed) {
            self.agreeing = 0;
            return None;
        }
        let agrees = self.agreeing > 0 && !is_different(seconds, self.candidate);
        self.agreeing = if agrees { self.agreeing.saturating_add(1) } else { 1 };
        self.candidate = seconds;
        if self.agreeing < AGREEING {
            return None;
        }
        (self.believed, self.agreeing) = (seconds, 0);
        Some(seconds)
    }
}

fn is_different(one: i64, other: i64) -> bool {
    one.abs_diff(other) >= NOTEWORTHY.unsigned_abs()
}

/// What our clock shows at a moment of the broker's, where `correction` is added to ours for signing.
pub(super) fn on_our_clock(theirs: Timestamp, correction: i64) -> Timestamp {
    let millis = correction.saturating_mul(1000).saturating_neg();
    Timestamp::from_millis(theirs.as_millis().saturating_add_signed(millis))
}

/// What to add to our clock.
pub(super) fn correction(seconds: i64) -> i64 {
    if (NOTEWORTHY..=CORRECTABLE).contains(&seconds.saturating_abs()) { seconds } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(date: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(DATE, http::HeaderValue::from_static(date))])
    }

    #[test]
    fn the_middle_of_the_journey_is_compared_with_the_date() {
        let at = Timestamp::from_secs;
        // 1_700_000_000
        let response = headers("Tue, 14 Nov 2023 22:13:20 GMT");
        assert_eq!(estimate(&response, at(1_700_000_000), at(1_700_000_001)), Some(0));
        assert_eq!(estimate(&response, at(1_699_999_900), at(1_699_999_900)), Some(100));
        assert_eq!(estimate(&response, at(1_700_000_100), at(1_700_000_102)), Some(-100));
        assert_eq!(estimate(&response, at(1_700_000_000), at(1_700_000_011)), None);
        assert_eq!(estimate(&response, at(1_700_000_100), at(1_700_000_000)), None);
        assert_eq!(estimate(&headers("yesterday"), at(0), at(0)), None);
        assert_eq!(estimate(&HeaderMap::new(), at(0), at(0)), None);
    }

    #[test]
    fn three_responses_in_a_row_must_agree() {
        let mut skew = Skew::default();
        let mut note = |seconds| skew.note(seconds);
        assert_eq!([600, 600, 0, 600, 600, 1, 600].map(&mut note), [None; 7]);
        assert_eq!([-600, 601, 602, 603, 600, 599].map(&mut note), [None, None, None, Some(603), None, None]);
        assert_eq!([0, 100, 2, 0, 1].map(&mut note), [None, None, None, None, Some(1)]);
    }

    #[test]
    fn a_moment_of_the_brokers_is_one_of_ours() {
        let ours = |correction| on_our_clock(Timestamp::from_secs(1000), correction).as_secs();
        assert_eq!([0, 100, -100, 2000].map(ours), [1000, 900, 1100, 0]);
        assert_eq!([i64::MIN, i64::MAX].map(ours), [9_223_372_036_855_775, 0]);
    }

    #[test]
    fn only_credible_differences_are_corrected() {
        assert_eq!([0, 4, 5, -5, 3600, -3601, i64::MIN].map(correction), [0, 0, 5, -5, 3600, 0, 0]);
    }
}
