//! Timestamps, nonces and the rng: never smaller, never twice, and an error where they fail.

use crate::cases::cases;
use std::{collections::HashSet, error::Error as _, sync::Mutex, thread, time::Duration};

use crate::authorization_header::AuthorizationHeader;
use crate::fixture::{self, Failing, NOW, SeededEntropy};
use bytes::Bytes;
use http::{Request, header};
use ibkr_oauth::{
    AccessToken, Callback, Compete, Consumer, Context, Entropy, EntropyError, Error, ErrorKind, Signer, Stage,
    Timestamp,
    dh::Exponent,
    simulator::{Broker, test_keys},
};
use proptest::prelude::*;

fn consumer() -> Consumer {
    fixture::consumer_builder().build().unwrap()
}

fn request() -> Request<Bytes> {
    let uri = "https://api.ibkr.com/v1/api/portfolio/accounts";
    Request::get(uri).header(header::USER_AGENT, "test").body(Bytes::new()).unwrap()
}

fn header_of(request: &Request<Bytes>) -> AuthorizationHeader {
    request.headers()[header::AUTHORIZATION].to_str().unwrap().parse().unwrap()
}

/// Signs at `now` and returns the timestamp and the nonce that came of it.
fn stamp(signer: &Signer, now: Timestamp, rng: &mut dyn Entropy) -> Result<(u64, String), Error> {
    let mut request = request();
    signer.sign(&mut Context::new(now, rng), &mut request)?;
    let header = header_of(&request);
    Ok((header.get("oauth_timestamp").unwrap().parse().unwrap(), header.get("oauth_nonce").unwrap().to_owned()))
}

#[test]
fn clones_on_many_threads_never_go_back() {
    let signer = fixture::signer(&consumer());
    // Held while a signature is made and noted, so that the notes are in the order of the signatures.
    let notes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for thread in 0..8 {
            let (signer, notes) = (signer.clone(), &notes);
            scope.spawn(move || {
                let mut rng = SeededEntropy(thread);
                for _ in 0..100 {
                    let now = NOW.saturating_add(Duration::from_millis(rng.next() % 250_000));
                    let mut notes = notes.lock().unwrap();
                    notes.push(stamp(&signer, now, &mut rng).unwrap());
                }
            });
        }
    });
    let notes = notes.into_inner().unwrap();
    assert!(notes.is_sorted_by_key(|(timestamp, _)| *timestamp));
    let nonces: HashSet<_> = notes.iter().map(|(_, nonce)| nonce).collect();
    assert_eq!(nonces.len(), 800, "no nonce twice");
    assert!(nonces.iter().all(|nonce| nonce.len() == 32 && nonce.bytes().all(|byte| byte.is_ascii_hexdigit())));
}

#[test]
fn each_thread_by_itself_never_sees_one_go_back() {
    let signer = fixture::signer(&consumer());
    thread::scope(|scope| {
        for thread in 0..4 {
            let signer = signer.clone();
            scope.spawn(move || {
                let (mut rng, mut last) = (SeededEntropy(thread), 0);
                for _ in 0..300 {
                    let now = NOW.saturating_add(Duration::from_millis(rng.next() % 250_000));
                    let (timestamp, _) = stamp(&signer, now, &mut rng).unwrap();
                    assert!(timestamp >= last && timestamp >= now.as_secs());
                    last = timestamp;
                }
            });
        }
    });
}

#[test]
fn the_clock_may_go_back_by_three_hundred_seconds_and_no_more() {
    let signer = fixture::signer(&consumer());
    let late = Timestamp::from_secs(NOW.as_secs() + 1000);
    assert_eq!(stamp(&signer, late, &mut SeededEntropy(1)).unwrap().0, late.as_secs());
    let clone = signer.clone();
    let at = |seconds: u64| Timestamp::from_secs(late.as_secs() - seconds);
    assert_eq!(stamp(&clone, at(300), &mut SeededEntropy(2)).unwrap().0, late.as_secs(), "the floor, not the clock");
    for behind in [301, 1000, late.as_secs()] {
        let mut untouched = request();
        let error = clone.sign(&mut Context::new(at(behind), &mut SeededEntropy(3)), &mut untouched).unwrap_err();
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Config, Stage::Sign));
        assert!(error.to_string().contains(&format!("{behind} s behind")), "{error}");
        assert!(error.remedy().contains("clock was set back"), "{}", error.remedy());
        assert_eq!(untouched.headers(), request().headers());
        assert_eq!(untouched.uri(), request().uri());
        let error = clone.brokerage().tickle(&mut Context::new(at(behind), &mut SeededEntropy(3))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    }
    assert_eq!(stamp(&signer, at(299), &mut SeededEntropy(4)).unwrap().0, late.as_secs(), "an error changes nothing");
    assert_eq!(
        stamp(&fixture::signer(&consumer()), at(500), &mut SeededEntropy(5)).unwrap().0,
        at(500).as_secs(),
        "a new floor"
    );
}

#[test]
fn all_that_comes_from_one_access_token_shares_its_floor() {
    let (consumer, mut broker, mut rng) = (consumer(), fixture::broker_builder().build().unwrap(), SeededEntropy(1));
    let token = fixture::unlocked();
    let exchange = token.live_session_token(&consumer, &mut Context::new(NOW, &mut rng)).unwrap();
    let first = fixture::complete(&mut broker, &mut rng, exchange).unwrap();
    let later = NOW.saturating_add(Duration::from_secs(100));
    assert_eq!(stamp(&first.signer(), later, &mut rng).unwrap().0, later.as_secs());
    // A renewal by a clone, with the clock back where it was.
    let exchange = token.clone().live_session_token(&consumer, &mut Context::new(NOW, &mut rng)).unwrap();
    let expected = later.as_secs().to_string();
    assert_eq!(header_of(exchange.request()).get("oauth_timestamp"), Some(expected.as_str()));
    let second = fixture::complete(&mut broker, &mut rng, exchange).unwrap();
    assert_ne!(first.signer().token_id(), second.signer().token_id());
    assert_eq!(stamp(&second.signer(), NOW, &mut rng).unwrap().0, later.as_secs());
    let far = NOW.saturating_add(Duration::from_secs(5000));
    stamp(&second.signer(), far, &mut rng).unwrap();
    let error = token.live_session_token(&consumer, &mut Context::new(NOW, &mut rng)).unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Config, Stage::LiveSessionToken));
    assert!(stamp(&first.signer(), NOW, &mut rng).is_err());
}

#[test]
fn milliseconds_are_cut_off_and_the_end_of_time_does_not_panic() {
    for millis in [0, 999, 1_700_000_000_999, u64::MAX] {
        let now = Timestamp::from_millis(millis);
        let (timestamp, _) = stamp(&fixture::signer(&consumer()), now, &mut SeededEntropy(1)).unwrap();
        assert_eq!(timestamp, millis / 1000);
    }
}

/// One of each call that draws; every one must fail as the rng do, at whichever throw.
fn each_call(rng: &mut dyn Entropy) -> Vec<(Stage, Result<(), Error>)> {
    let consumer = consumer();
    let mut cx = Context::new(NOW, rng);
    let verifier = fixture::verifier();
    let signer = fixture::signer(&consumer);
    let brokerage = signer.brokerage();
    let mut plain = request();
    vec![
        (Stage::RequestToken, consumer.request_token(&mut cx, Callback::OutOfBand).map(drop)),
        (Stage::AccessToken, verifier.access_token(&consumer, &mut cx).map(drop)),
        (Stage::LiveSessionToken, fixture::unlocked().live_session_token(&consumer, &mut cx).map(drop)),
        (Stage::Sign, signer.sign(&mut cx, &mut plain).map(drop)),
        (Stage::Sign, brokerage.open(&mut cx, Compete::Yield).map(drop)),
        (Stage::Sign, brokerage.tickle(&mut cx).map(drop)),
    ]
}

#[test]
fn a_generator_that_fails_is_an_error_of_the_generator() {
    for (stage, result) in each_call(&mut Failing(0, SeededEntropy(1))) {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.stage(), error.status()), (ErrorKind::Entropy, stage, None));
        let source = error.source().unwrap();
        assert!(source.is::<EntropyError>(), "{error:?}");
        assert_eq!(source.source().unwrap().to_string(), "the rng are lost");
        assert!(error.remedy().contains("random"), "{}", error.remedy());
    }
    let mut untouched = request();
    let signer = fixture::signer(&consumer());
    signer.sign(&mut Context::new(NOW, &mut Failing(0, SeededEntropy(1))), &mut untouched).unwrap_err();
    assert_eq!(untouched.headers(), request().headers());
    assert_eq!(
        stamp(&signer, Timestamp::from_secs(1), &mut SeededEntropy(1)).unwrap().0,
        1,
        "the floor was not raised"
    );
}

/// The rng may also fail after the nonce, when the key's work is to be blinded.
#[test]
fn a_generator_that_fails_inside_the_key_is_an_error_of_the_generator() {
    let consumer = consumer();
    let mut failures = 0;
    for throws in 0..20 {
        let mut rng = Failing(throws, SeededEntropy(1));
        let calls = [
            (
                Stage::RequestToken,
                consumer.request_token(&mut Context::new(NOW, &mut rng), Callback::OutOfBand).map(drop),
            ),
            (Stage::Unlock, unlock(&consumer, &mut Failing(throws, SeededEntropy(1)))),
        ];
        for (stage, error) in calls.into_iter().filter_map(|(stage, result)| Some((stage, result.err()?))) {
            assert_eq!((error.kind(), error.stage()), (ErrorKind::Entropy, stage), "after {throws}: {error:?}");
            assert!(error.source().unwrap().is::<EntropyError>(), "{error:?}");
            failures += 1;
        }
    }
    assert!(failures > 2, "{failures}");
}

fn unlock(consumer: &Consumer, rng: &mut dyn Entropy) -> Result<(), Error> {
    consumer.unlock(&mut Context::new(NOW, rng), &access_token()).map(drop)
}

/// An access token whose secret is encrypted to the test keys.
fn access_token() -> AccessToken {
    let (mut broker, mut rng) = (Broker::builder().strict().build().unwrap(), SeededEntropy(1));
    let mut cx = Context::new(NOW, &mut rng);
    let consumer = test_keys::consumer().unwrap();
    let exchange = consumer.request_token(&mut cx, Callback::OutOfBand).unwrap();
    let response = broker.handle(&mut cx, exchange.request());
    let consent = exchange.complete(response).unwrap();
    let callback = broker.consent(&mut cx, consent.url()).unwrap();
    let exchange = consent.verifier(&callback).unwrap().access_token(&consumer, &mut cx).unwrap();
    let response = broker.handle(&mut cx, exchange.request());
    exchange.complete(response).unwrap()
}

/// A source that is stuck at one number.
struct Stuck(u64);

impl Entropy for Stuck {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        destination.fill(0);
        for (to, from) in destination.iter_mut().rev().zip(self.0.to_le_bytes()) {
            *to = from;
        }
        Ok(())
    }
}

#[test]
fn an_exponent_that_hides_nothing_is_refused() {
    for number in [0, 1] {
        let error = fixture::unlocked()
            .prepare_live_session_token(&consumer(), &mut Context::new(NOW, &mut Stuck(number)))
            .unwrap_err();
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Entropy, Stage::LiveSessionToken));
        assert!(error.source().unwrap().source().unwrap().to_string().contains("zeros"), "{error:?}");
        assert!(Exponent::generate(&mut Stuck(number)).is_err());
    }
    assert!(Exponent::generate(&mut Stuck(2)).is_ok());
}

#[test]
fn a_repeated_nonce_is_the_fault_of_the_generator_and_is_noticed() {
    let (signer, mut broker) = (fixture::signer(&consumer()), fixture::broker_builder().build().unwrap());
    for expected in [200, 401] {
        let mut request = request();
        signer.sign(&mut Context::new(NOW, &mut Stuck(5)), &mut request).unwrap();
        assert_eq!(broker.handle(&mut Context::new(NOW, &mut SeededEntropy(1)), &request).status(), expected);
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn whatever_the_clock_does_no_timestamp_is_smaller(clock in prop::collection::vec(0u64..2000, 1..40)) {
        let signer = fixture::signer(&consumer());
        let (mut last, mut highest) = (0, 0);
        for offset in clock {
            let now = NOW.as_secs() + offset;
            highest = highest.max(now);
            match stamp(&signer, Timestamp::from_secs(now), &mut SeededEntropy(offset)) {
                Ok((timestamp, _)) => {
                    prop_assert!(timestamp >= last && timestamp <= now + 300);
                    prop_assert_eq!(timestamp, highest);
                    last = timestamp;
                }
                Err(error) => {
                    prop_assert!(highest - now > 300);
                    prop_assert_eq!(error.kind(), ErrorKind::Config);
                }
            }
        }
    }
}
