//! A pacer never lets more through than the broker allows, and its dates are true.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use proptest::{collection::vec, prelude::*};

use super::*;

const PATHS: [&str; 14] = [
    "/tickle",
    "/fyi/notifications",
    "/fyi/settings/BA",
    "/iserver/account/orders",
    "/iserver/orders",
    "/iserver/account/DU1/orders",
    "/portfolio/accounts",
    "/portfolio/DU1/positions/0",
    "/iserver/marketdata/snapshot",
    "/iserver/marketdata/history",
    "/pa/summary",
    "/iserver/scanner/run",
    "/sso/validate",
    "/trsrv/secdef",
];
const HISTORY: &str = "/iserver/marketdata/history";
const START: Timestamp = Timestamp::from_secs(1_700_000_000);

/// What may happen to a pacer.
#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    SetBack(u64),
    Ask(usize),
    /// Waits until the date that it gets.
    AskPatiently(usize),
    /// Goes first, at the moment that it gets.
    Reserve(usize),
    Finish(usize),
    TooMany(usize, Option<u64>),
}

fn step() -> impl Strategy<Value = Step> {
    let path = 0..PATHS.len();
    prop_oneof![
        4 => (0_u64..2_000).prop_map(Step::Pass),
        1 => (0_u64..1_000_000).prop_map(Step::Pass),
        20 => path.clone().prop_map(Step::Ask),
        6 => path.clone().prop_map(Step::AskPatiently),
        3 => path.clone().prop_map(Step::Reserve),
        2 => path.clone().prop_map(Step::Finish),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let path = 0..PATHS.len();
    prop_oneof![
        10 => step(),
        1 => (0_u64..1_000_000).prop_map(Step::SetBack),
        1 => (path, proptest::option::of(0_u64..10_000)).prop_map(|(path, wait)| Step::TooMany(path, wait)),
    ]
}

fn config(per_second: u32) -> PacingConfig {
    PacingConfig { per_second, ..PacingConfig::default() }
}

/// The most of these moments, which do not decrease, that any span of this length has.
fn most_within(sent: &[u64], within: Duration) -> usize {
    let within = u64::try_from(within.as_millis()).unwrap();
    (0..sent.len())
        .map(|first| sent[first..].iter().take_while(|at| **at < sent[first] + within).count())
        .max()
        .unwrap_or(0)
}

proptest! {
    #[test]
    fn no_sequence_of_requests_is_faster_than_documented(steps in vec(step(), 1..400), per_second in 1_u32..60) {
        let mut config = config(per_second);
        config.longest_delay = Duration::MAX;
        let mut pacer = Pacer::new(config);
        let mut now = START;
        let mut sent: Vec<(u64, &str)> = Vec::new();
        let mut under_way = 0_usize;
        for step in steps {
            match step {
                Step::Pass(millis) => now = now.saturating_add(Duration::from_millis(millis)),
                Step::Finish(path) if PATHS[path].ends_with("/history") && under_way > 0 => {
                    pacer.finish(PATHS[path]);
                    under_way -= 1;
                }
                Step::Reserve(path) if !PATHS[path].ends_with("/history") => {
                    let at = pacer.reserve(now, PATHS[path]);
                    prop_assert!(at >= now);
                    sent.push((at.as_millis(), PATHS[path]));
                }
                Step::Ask(path) | Step::AskPatiently(path) => {
                    let mut admission = pacer.admit(now, PATHS[path]);
                    if let (Step::AskPatiently(_), Admission::NotBefore(at)) = (&step, admission) {
                        now = at;
                        admission = pacer.admit(now, PATHS[path]);
                        prop_assert!(admission == Admission::Now || PATHS[path].ends_with("/history"));
                    }
                    if admission == Admission::Now {
                        sent.push((now.as_millis(), PATHS[path]));
                        if PATHS[path].ends_with("/history") {
                            under_way += 1;
                            // A request of whose end nothing was reported for two minutes counts as ended.
                            let unfinished: Vec<u64> = sent.iter().filter(|(_, path)| path.ends_with("/history"))
                                .map(|(at, _)| *at).rev().take(under_way).collect();
                            under_way = unfinished.iter().filter(|at| now.as_millis() - **at < 120_000).count();
                            prop_assert!(under_way <= 5, "{under_way}");
                        }
                    }
                }
                _ => {}
            }
        }
        sent.sort_unstable();
        let all: Vec<u64> = sent.iter().map(|(at, _)| *at).collect();
        prop_assert!(most_within(&all, Duration::from_secs(1)) <= usize::try_from(per_second).unwrap());
        for limit in LIMITS {
            let Rate::Within(most, within) = limit.rate else { continue };
            let of_it: Vec<u64> = sent.iter().filter(|(_, path)| limit.covers(path)).map(|(at, _)| *at).collect();
            prop_assert!(most_within(&of_it, within) <= usize::try_from(most).unwrap(), "{:?}", limit.paths);
        }
    }

    #[test]
    fn a_date_is_the_first_moment_at_which_it_is_granted(steps in vec(any_step(), 0..200), path in 0..PATHS.len()) {
        let (mut pacer, mut now) = (Pacer::new(config(10)), START.saturating_add(Duration::from_secs(2_000_000)));
        play(&mut pacer, &mut now, steps);
        let admission = pacer.admit(now, PATHS[path]);
        let (Admission::NotBefore(at) | Admission::Refused(at)) = admission else { return Ok(()) };
        prop_assert!(at > now);
        let longest = config(10).longest_delay;
        let delay = at.saturating_duration_since(now);
        prop_assert_eq!(matches!(admission, Admission::Refused(_)), delay > longest);
        // The longest of all: an hour that the broker asked for.
        prop_assert!(delay <= Duration::from_millis(3_600_050), "{delay:?}");
        if PATHS[path].ends_with("/history") {
            return Ok(());
        }
        let before = at.saturating_sub(Duration::from_millis(1));
        prop_assert!(before <= now || pacer.admit(before, PATHS[path]) != Admission::Now);
        prop_assert_eq!(pacer.admit(at, PATHS[path]), Admission::Now);
    }

    #[test]
    fn it_heals_whatever_happened(steps in vec(any_step(), 0..200)) {
        let (mut pacer, mut now) = (Pacer::new(config(10)), START.saturating_add(Duration::from_secs(2_000_000)));
        play(&mut pacer, &mut now, steps);
        // An hour that the broker may ask for, and what a clock that was set back unseen may add to it.
        now = now.saturating_add(Duration::from_secs(3_600 + 200 * 1_000));
        for path in PATHS.iter().take(10) {
            prop_assert!(matches!(pacer.admit(now, path), Admission::Now | Admission::NotBefore(_)), "{path}");
        }
        prop_assert_eq!(pacer.closed_until(now), None);
    }
}

fn play(pacer: &mut Pacer, now: &mut Timestamp, steps: Vec<Step>) {
    for step in steps {
        match step {
            Step::Pass(millis) => *now = now.saturating_add(Duration::from_millis(millis)),
            Step::SetBack(millis) => *now = now.saturating_sub(Duration::from_millis(millis)),
            Step::Ask(path) | Step::AskPatiently(path) => drop(pacer.admit(*now, PATHS[path])),
            Step::Reserve(path) => assert!(pacer.reserve(*now, PATHS[path]) >= *now),
            Step::Finish(path) => pacer.finish(PATHS[path]),
            Step::TooMany(path, wait) => pacer.too_many(*now, PATHS[path], wait.map(Duration::from_secs)),
        }
    }
}

fn after(seconds: u64) -> Timestamp {
    START.saturating_add(Duration::from_secs(seconds))
}

#[test]
fn a_429_with_a_time_closes_everything_for_it() {
    let mut pacer = Pacer::new(config(10));
    pacer.too_many(START, "/trsrv/secdef", Some(Duration::from_secs(900)));
    assert_eq!(pacer.closed_until(START), Some(after(900)));
    assert_eq!(pacer.admit(after(1), "/iserver/accounts"), Admission::Refused(after(900)));
    assert_eq!(pacer.admit(after(895), "/iserver/accounts"), Admission::NotBefore(after(900)));
    assert_eq!(pacer.admit(after(900), "/iserver/accounts"), Admission::Now);
    // A shorter one takes nothing back, and an absurd one is an hour.
    pacer.too_many(after(901), "/tickle", Some(Duration::MAX));
    pacer.too_many(after(901), "/tickle", Some(Duration::from_secs(1)));
    assert_eq!(pacer.admit(after(902), "/iserver/accounts"), Admission::Refused(after(901 + 3600)));
}

#[test]
fn a_429_without_a_time_closes_its_class_for_longer_each_time() {
    let mut pacer = Pacer::new(config(10));
    let mut now = START;
    for wait in [60, 120, 240, 480, 900, 900] {
        pacer.too_many(now, "/iserver/account/orders", None);
        // Others that were under way at the same time say nothing new.
        pacer.too_many(now, "/iserver/orders", None);
        let until = now.saturating_add(Duration::from_secs(wait));
        let just_before = until.saturating_sub(Duration::from_millis(1));
        assert_eq!(pacer.admit(just_before, "/iserver/orders"), Admission::NotBefore(until));
        assert_eq!(pacer.admit(just_before, "/iserver/accounts"), Admission::Now);
        now = until;
        assert_eq!(pacer.admit(now, "/iserver/account/orders"), Admission::Now);
    }
    // An hour without one, and it is forgotten.
    now = now.saturating_add(Duration::from_secs(3601));
    pacer.too_many(now, "/iserver/orders", None);
    let until = now.saturating_add(Duration::from_secs(60));
    assert_eq!(pacer.admit(now, "/iserver/orders"), Admission::Refused(until));
}

#[test]
fn what_goes_first_is_within_the_limits_and_others_wait_behind_it() {
    let mut pacer = Pacer::new(config(2));
    assert_eq!(pacer.reserve(START, "/tickle"), START);
    assert_eq!(pacer.admit(START, "/iserver/accounts"), Admission::Now);
    // No third within a second, and no second tickle; one who asks later is behind it.
    let second = pacer.reserve(START, "/tickle");
    assert!(second >= after(1) && second < after(2), "{second}");
    assert_eq!(pacer.admit(second, "/iserver/accounts"), Admission::Now);
    assert!(matches!(pacer.admit(second, "/iserver/accounts"), Admission::NotBefore(at) if at > second));
    // The broker's word about other requests does not hold it up, nor does a class that would take too long.
    pacer.too_many(after(10), "/iserver/accounts", Some(Duration::from_secs(900)));
    assert_eq!(pacer.reserve(after(10), "/tickle"), after(10));
    assert_eq!(pacer.reserve(after(20), "/pa/summary"), after(20));
    assert_eq!(pacer.reserve(after(30), "/pa/summary"), after(30));
}

/// Threads arrive in another order than they read the clock.
#[test]
fn a_moment_that_comes_late_pulls_no_reserved_turn_forward() {
    let mut pacer = Pacer::new(config(1));
    let turns: Vec<Timestamp> = (0..4).map(|_| pacer.reserve(START, "/trsrv/secdef")).collect();
    pacer.too_many(START, "/iserver/scanner/run", Some(Duration::from_secs(8)));
    for late in [1, 5, 900] {
        let _ = pacer.admit(START.saturating_sub(Duration::from_millis(late)), "/trsrv/secdef");
    }
    assert_eq!(pacer.closed_until(START), Some(after(8)));
    let next = pacer.reserve(START, "/trsrv/secdef");
    assert!(next > turns[3] && turns.windows(2).all(|two| two[0] < two[1]), "{turns:?} {next}");
}

#[test]
fn at_most_five_histories_are_under_way() {
    let mut pacer = Pacer::new(config(50));
    for _ in 0..5 {
        assert_eq!(pacer.admit(START, HISTORY), Admission::Now);
    }
    assert!(matches!(pacer.admit(after(60), HISTORY), Admission::NotBefore(_)));
    pacer.finish(HISTORY);
    assert_eq!(pacer.admit(after(60), HISTORY), Admission::Now);
    assert!(matches!(pacer.admit(after(60), HISTORY), Admission::NotBefore(_)));
    // Those of which nobody heard again.
    assert_eq!(pacer.admit(after(120), HISTORY), Admission::Now);
}

#[test]
fn many_paths_that_were_answered_429_take_little_memory() {
    let mut pacer = Pacer::new(config(50));
    for number in 0..10_000 {
        pacer.too_many(START, &format!("/portfolio/{number}/meta"), None);
    }
    let closed = (0..10_000)
        .filter(|number| pacer.admit(after(*number), &format!("/portfolio/{number}/meta")) != Admission::Now);
    assert!(closed.count() <= 64);
}

#[test]
fn each_limit_has_paths_and_no_path_is_in_two() {
    let paths: Vec<&str> = LIMITS.iter().flat_map(|limit| limit.paths).copied().collect();
    for path in &paths {
        assert_eq!(LIMITS.iter().filter(|limit| limit.covers(path)).count(), 1, "{path}");
    }
    assert!(LIMITS.iter().all(|limit| !limit.paths.is_empty()));
}
