//! Time and randomness as the caller hands them in.

use crate::cases::cases;
use std::time::{Duration, SystemTime};

use ibkr_oauth::{Context, Entropy, EntropyError, Timestamp};
use proptest::prelude::*;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The moment as another crate's calendar has it.
fn by_httpdate(seconds: u64) -> String {
    let text = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    let words: Vec<&str> = text.split(' ').collect();
    let [_, day, month, year, time, "GMT"] = words[..] else { panic!("{text}") };
    let month = MONTHS.iter().position(|name| *name == month).unwrap() + 1;
    format!("{year}-{month:02}-{day}T{time}")
}

proptest! {
    #![proptest_config(cases(4096))]

    #[test]
    fn a_moment_is_written_as_another_calendar_writes_it(seconds in 0..253_402_300_800_u64, millis in 0..1000_u64) {
        let moment = Timestamp::from_millis(seconds * 1000 + millis);
        prop_assert_eq!(moment.to_string(), format!("{}.{millis:03}Z", by_httpdate(seconds)));
    }

    #[test]
    fn arithmetic_stops_at_both_ends(moment: u64, millis: u64) {
        let (moment, duration) = (Timestamp::from_millis(moment), Duration::from_millis(millis));
        let (later, earlier) = (moment.saturating_add(duration), moment.saturating_sub(duration));
        prop_assert_eq!(later.as_millis(), moment.as_millis().saturating_add(millis));
        prop_assert_eq!(earlier.as_millis(), moment.as_millis().saturating_sub(millis));
        prop_assert!(later.saturating_duration_since(moment) <= duration);
        prop_assert_eq!(earlier.saturating_duration_since(moment), Duration::ZERO);
        prop_assert_eq!(moment.as_secs(), moment.as_millis() / 1000);
    }
}

#[test]
fn the_days_around_leap_days_are_all_there() {
    for year_starts in [0, 946_684_800, 1_704_067_200, 4_102_444_800, 13_569_465_600] {
        for day in 0..366 {
            let seconds = year_starts + day * 86_400;
            assert_eq!(Timestamp::from_secs(seconds).to_string(), format!("{}.000Z", by_httpdate(seconds)));
        }
    }
}

#[test]
fn moments_beyond_the_calendar_are_written_too() {
    assert_eq!(Timestamp::default().to_string(), "1970-01-01T00:00:00.000Z");
    assert_eq!(Timestamp::from_secs(253_402_300_800).to_string(), "10000-01-01T00:00:00.000Z");
    assert_eq!(Timestamp::from_millis(u64::MAX).to_string(), "584556019-04-03T14:25:51.615Z");
    assert_eq!(Timestamp::from_secs(u64::MAX), Timestamp::from_millis(u64::MAX));
    assert_eq!(Timestamp::default().saturating_add(Duration::MAX), Timestamp::from_millis(u64::MAX));
}

#[test]
fn the_system_s_clock_is_taken_over_to_the_millisecond() {
    let after = |duration| Timestamp::from(SystemTime::UNIX_EPOCH + duration);
    assert_eq!(after(Duration::from_micros(1_700_000_000_123_999)), Timestamp::from_millis(1_700_000_000_123));
    assert_eq!(Timestamp::from(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), Timestamp::default());
}

struct Counter(u8);

impl Entropy for Counter {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        for byte in destination {
            *byte = self.0;
            self.0 = self.0.checked_add(1).ok_or_else(EntropyError::default)?;
        }
        Ok(())
    }
}

#[test]
fn a_source_may_be_owned_or_boxed() {
    let mut counter = Counter(0);
    let mut bytes = [0; 2];
    Context::new(Timestamp::default(), &mut counter).entropy().fill(&mut bytes).unwrap();
    assert_eq!(bytes, [0, 1]);
    let mut boxed: Box<dyn Entropy> = Box::new(counter);
    Context::new(Timestamp::default(), &mut *boxed).entropy().fill(&mut bytes).unwrap();
    assert_eq!(bytes, [2, 3]);
    let error = Context::new(Timestamp::default(), &mut *boxed).entropy().fill(&mut [0; 255]).unwrap_err();
    assert_eq!(error.to_string(), "the source of random bytes failed");
}
