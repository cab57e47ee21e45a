//! Requests beyond the ordinary ones: a minute's tickle, and the handshakes and openings that have their own pace.

use std::{collections::VecDeque, time::Duration};

use super::moment::Moment;

/// The most in any hour. With 60 tickles, 20 handshakes, 20 openings and the logouts before every third handshake at most,
/// there are 150 requests.
const MOST_AN_HOUR: usize = 43;
/// So many of them are kept for the queries of the accounts that belong to openings.
const RESERVED: usize = 20;
const HOUR: Duration = Duration::from_secs(3600);

/// The extra requests of the last hour.
#[derive(Clone, Debug, Default)]
pub(super) struct Extras {
    recent: VecDeque<Moment>,
}

impl Extras {
    /// Whether one may be sent that can also be left out; it is counted as sent.
    pub(super) fn draw(&mut self, now: Moment) -> bool {
        self.draw_up_to(now, MOST_AN_HOUR - RESERVED)
    }

    /// Whether one may be sent that belongs to an opening.
    pub(super) fn draw_for_opening(&mut self, now: Moment) -> bool {
        self.draw_up_to(now, MOST_AN_HOUR)
    }

    fn draw_up_to(&mut self, now: Moment, most: usize) -> bool {
        while self.recent.front().is_some_and(|first| now.since(*first) >= HOUR) {
            self.recent.pop_front();
        }
        let is_drawn = self.recent.len() < most;
        if is_drawn {
            self.recent.push_back(now);
        }
        is_drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_hour_has_more_than_so_many_and_some_are_kept_for_openings() {
        let at = |seconds| Moment::default().after(Duration::from_secs(seconds));
        let mut extras = Extras::default();
        assert_eq!((0..100).filter(|second| extras.draw(at(*second))).count(), 23);
        assert_eq!((100..200).filter(|second| extras.draw_for_opening(at(*second))).count(), 20);
        assert!(!extras.draw_for_opening(at(3599)));
        assert_eq!((0..9).filter(|_| extras.draw(at(3622))).count(), 3);
        assert_eq!((0..99).filter(|_| extras.draw_for_opening(at(3622))).count(), 20);
    }
}
