//! Clients that keep the broker's limits: none of their requests is one too many, and none is lost.

use crate::cases::cases;
use std::{
    future::{pending, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use ibkr_oauth::{
    Error, ErrorKind, Stage, Timestamp,
    call::CallPolicy,
    client::Client,
    diagnose::Cause,
    pacing::PacingConfig,
    session::{Failure, FailureKind, SessionConfig},
    simulator::{Broker, Fault, InProcess, Refusal, test_keys},
    transport::{AsyncTransport, Limits, from_fn},
};
use proptest::{collection::vec, prelude::*};

use crate::views::NOW;

const PATHS: [&str; 9] = [
    "/portfolio/accounts",
    "/portfolio/DU0000001/positions/0",
    "/iserver/accounts",
    "/iserver/account/orders",
    "/iserver/marketdata/snapshot?conids=8314&fields=31",
    "/iserver/marketdata/history?conid=8314&period=1d",
    "/iserver/scanner/params",
    "/trsrv/stocks?symbols=A",
    "/tickle",
];
/// The documented limits on single ones of them: how many requests there may be within how many seconds.
const LIMITS: [(&str, usize, u64); 5] = [
    ("/portfolio/accounts", 1, 5),
    ("/iserver/account/orders", 1, 5),
    ("/iserver/marketdata/snapshot", 10, 1),
    ("/iserver/scanner/params", 1, 900),
    ("/tickle", 1, 1),
];
const STOCKS: &str = "/trsrv/stocks?symbols=A";
const BOX: Duration = Duration::from_secs(900);

/// The simulated broker, whose answers take a while.
#[derive(Clone)]
struct Far(InProcess, Duration);

impl AsyncTransport for Far {
    async fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>, Failure> {
        let response = self.0.send(request, limits).await;
        self.0.sleep(self.1.min(limits.timeout)).await;
        if self.1 > limits.timeout { Err(Failure::new(FailureKind::TimedOut, "it took too long")) } else { response }
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        self.0.sleep(time)
    }

    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// A client whose session is live, of a broker that takes ten requests a second and no more.
async fn live(is_paced: bool, latency: Duration) -> (InProcess, Client<Far>) {
    let broker = Broker::builder().any_query_policy().rate_limit(10, BOX).build().unwrap();
    let network = InProcess::new(broker, NOW);
    let bundle = network.broker(test_keys::bundle).unwrap();
    // That took two requests.
    network.sleep(Duration::from_secs(1)).await;
    let (client, driver) = Client::start(Far(network.clone(), latency), &bundle, SessionConfig::default()).unwrap();
    if is_paced {
        client.pace(PacingConfig::default());
    }
    tokio::spawn(driver);
    client.ready().await.unwrap();
    (network, client)
}

/// Whether the error is that of a request that did not get its turn.
fn is_too_early(error: &Error) -> bool {
    let is_it = error.cause() == Some(Cause::RateLimited);
    assert_eq!(is_it, error.stage() == Stage::Transport && error.kind() == ErrorKind::Unavailable, "{error}");
    assert!(!is_it || !error.may_have_been_sent() && error.status().is_none(), "{error}");
    is_it
}

/// How many requests the broker took, by path, and when; fails where a span of a limit has too many.
fn check_limits(network: &InProcess) {
    network.broker(|broker, _| {
        let is_of_pace = |refusal: &&Refusal| ["rate_exceeded", "penalty_box"].contains(&refusal.reason);
        assert!(!broker.refusals().iter().any(|refusal| is_of_pace(&refusal)), "{:?}", broker.refusals().last());
        for (path, most, seconds) in LIMITS {
            let at: Vec<Timestamp> =
                broker.accepted().filter(|request| request.path == path).map(|request| request.at).collect();
            for span in at.windows(most + 1) {
                let took = span[most].saturating_duration_since(span[0]);
                assert!(took >= Duration::from_secs(seconds), "{path}: {span:?}");
            }
        }
    });
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn no_request_is_one_too_many_and_none_is_lost(
        calls in vec((prop_oneof![3 => Just(0), 1 => 0_u64..3_000, 1 => 0_u64..90_000], 0..PATHS.len()), 1..120),
        latency in 0_u64..800,
        expires_after in 0_u32..80,
    ) {
        run(async {
            let (network, client) = live(true, Duration::from_millis(latency)).await;
            network.broker(|broker, _| broker.inject(Fault::expire_live_session_token().after(expires_after)));
            let mut under_way = Vec::new();
            for (gap, path) in calls {
                network.sleep(Duration::from_millis(gap)).await;
                let client = client.clone();
                under_way.push(tokio::spawn(async move {
                    let (asked_at, outcome) = (client.handle().now(), client.get(PATHS[path]).await);
                    (asked_at, client.handle().now(), outcome, PATHS[path])
                }));
            }
            for call in under_way {
                let (asked_at, ended_at, outcome, path) = call.await.unwrap();
                prop_assert!(ended_at.saturating_duration_since(asked_at) <= Duration::from_secs(30));
                match outcome {
                    Ok(response) => prop_assert_eq!(response.status().as_u16(), 200, "{}", path),
                    // Its turn came so late that there was no time left for an answer.
                    Err(error) if error.may_have_been_sent() => {
                        let took = ended_at.saturating_duration_since(asked_at);
                        prop_assert_eq!(took, Duration::from_secs(30), "{}", error);
                    }
                    Err(error) => prop_assert!(is_too_early(&error), "{path}: {error}"),
                }
            }
            check_limits(&network);
            Ok(())
        })?;
    }
}

#[test]
fn a_burst_is_spread_over_the_time_that_it_takes_and_the_session_goes_first() {
    run(async {
        let (network, client) = live(true, Duration::ZERO).await;
        // The session's next tickle falls into the burst.
        network.sleep(Duration::from_secs(50)).await;
        let start = network.now();
        let calls: Vec<_> = (0..200)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.get(STOCKS).await })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap().status(), 200);
        }
        let took = network.now().saturating_duration_since(start);
        assert!(took >= Duration::from_secs(19) && took < Duration::from_secs(24), "{took:?}");
        let tickles = network.broker(|broker, _| {
            broker.accepted().filter(|request| request.path == "/tickle" && request.at > start).count()
        });
        assert!(tickles > 0);
        check_limits(&network);
    });
}

#[test]
fn unless_asked_for_nothing_waits() {
    run(async {
        let (network, client) = live(false, Duration::ZERO).await;
        let start = network.now();
        for _ in 0..2 {
            assert_eq!(client.get("/portfolio/accounts").await.unwrap().status(), 200);
        }
        assert_eq!(network.now(), start);
    });
}

#[test]
fn a_turn_that_comes_too_late_is_an_error_at_once_that_says_when() {
    run(async {
        let (network, client) = live(true, Duration::ZERO).await;
        let other = client.clone();
        assert_eq!(other.get("/iserver/scanner/params").await.unwrap().status(), 200);
        let asked_at = network.now();
        let error = client.get("/iserver/scanner/params").await.unwrap_err();
        assert!(is_too_early(&error), "{error}");
        assert_eq!(network.now(), asked_at);
        let turn = asked_at.saturating_add(Duration::from_millis(900_050));
        assert!(error.to_string().contains(&turn.to_string()), "{error}");
        assert!(error.remedy().contains(&turn.to_string()), "{}", error.remedy());
        assert_eq!(error.retry_at(), Some(turn));
        network.sleep(turn.saturating_duration_since(asked_at)).await;
        assert_eq!(client.get("/iserver/scanner/params").await.unwrap().status(), 200);

        // Five seconds are worth waiting for, unless the caller has less.
        assert_eq!(client.get("/portfolio/accounts").await.unwrap().status(), 200);
        let mut policy = CallPolicy::default();
        policy.deadline = Duration::from_secs(4);
        let (asked_at, hasty) = (network.now(), client.with_policy(policy));
        assert!(is_too_early(&hasty.get("/portfolio/accounts").await.unwrap_err()));
        assert_eq!(network.now(), asked_at);
        assert_eq!(client.get("/portfolio/accounts").await.unwrap().status(), 200);
        assert!(network.now().saturating_duration_since(asked_at) >= Duration::from_secs(5));
    });
}

#[test]
fn a_429_teaches_all_clones_about_its_path() {
    run(async {
        let (network, client) = live(true, Duration::ZERO).await;
        network.broker(|broker, _| broker.inject(Fault::status(429).at("/trsrv/stocks")));
        // What the broker said is what the caller gets, not that there is no turn for another attempt.
        assert_eq!(client.get(STOCKS).await.unwrap().status(), 429);
        let (other, asked_at) = (client.clone(), network.now());
        let error = other.get(STOCKS).await.unwrap_err();
        let turn = asked_at.saturating_add(Duration::from_secs(60));
        assert!(is_too_early(&error) && error.to_string().contains(&turn.to_string()), "{error}");
        assert_eq!(other.get("/iserver/accounts").await.unwrap().status(), 200);
        network.sleep(Duration::from_secs(60)).await;
        assert_eq!(other.get(STOCKS).await.unwrap().status(), 200);
    });
}

#[test]
fn calls_may_go_another_way_than_the_session_and_are_counted_with_it() {
    run(async {
        let (network, client) = live(true, Duration::ZERO).await;
        let latency = Duration::from_millis(700);
        let slow = client.with_transport(Far(network.clone(), latency));
        assert_eq!(client.get("/portfolio/accounts").await.unwrap().status(), 200);
        let asked_at = network.now();
        assert_eq!(slow.get("/portfolio/accounts").await.unwrap().status(), 200);
        let took = network.now().saturating_duration_since(asked_at);
        assert!(took >= Duration::from_secs(5) + latency, "{took:?}");
        // What the one learns, both go by.
        assert_eq!(client.paced_until(), None);
        let refuses = |_: Request<Bytes>| {
            ready(
                Response::builder()
                    .status(429)
                    .header("retry-after", "60")
                    .body(Bytes::new())
                    .map_err(|_| unreachable!()),
            )
        };
        let boxed = client.with_transport(from_fn(refuses, |_| pending()));
        let until = network.now().saturating_add(Duration::from_secs(60));
        assert_eq!(boxed.get(STOCKS).await.unwrap().status(), 429);
        assert_eq!((client.paced_until(), slow.paced_until()), (Some(until), Some(until)));
    });
}

#[test]
fn what_is_counted_and_cannot_be_signed_is_not_under_way() {
    run(async {
        let (_, client) = live(true, Duration::ZERO).await;
        let history = "/iserver/marketdata/history?conid=8314&period=1d";
        for _ in 0..5 {
            let request = Request::get(history).header("host", "another.example").body(Bytes::new()).unwrap();
            let error = client.request(request).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        }
        let asked_at = client.handle().now();
        assert_eq!(client.get(history).await.unwrap().status(), 200);
        assert!(client.handle().now().saturating_duration_since(asked_at) < Duration::from_secs(2));
    });
}
