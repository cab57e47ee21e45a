//! Clients that do not block, on the simulator's virtual clock.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Method, Request};
use ibkr_oauth::{
    Consumer, CredentialBundle, Error, ErrorKind, OsEntropy, Stage,
    call::CallPolicy,
    client::{Client, Response},
    dh::DhGroup,
    key::{RsaKey, SigningKey},
    session::{Session, SessionConfig, SessionEvent, State},
    simulator::{Broker, Fault, InProcess, test_keys},
    transport::{AsyncTransport, from_fn},
};
use serde_json::{Value, json};

use crate::views::NOW;

const ORDERS: &str = "/iserver/account/DU0000001/orders";
const HOUR: Duration = Duration::from_secs(3600);

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// A network, and a bundle for it.
fn network() -> (InProcess, CredentialBundle) {
    let network = InProcess::new(Broker::builder().strict().build().unwrap(), NOW);
    let bundle = network.broker(test_keys::bundle).unwrap();
    (network, bundle)
}

/// A client whose session is live.
async fn live() -> (InProcess, Client<InProcess>) {
    let (network, bundle) = network();
    let (client, driver) = Client::start(network.clone(), &bundle, SessionConfig::default()).unwrap();
    tokio::spawn(driver);
    client.ready().await.unwrap();
    (network, client)
}

fn order(id: u32) -> Value {
    json!({"orders": [{"conid": 265_598, "cOID": id.to_string(), "side": "BUY", "quantity": 1}]})
}

fn accepted(network: &InProcess, method: &Method, path: &str) -> usize {
    network.broker(|broker, _| {
        broker.accepted().filter(|request| request.method == method && request.path == path).count()
    })
}

fn handshakes(network: &InProcess) -> u64 {
    network.broker(|broker, _| broker.live_session_tokens_issued())
}

#[test]
fn two_hundred_calls_over_a_forced_renewal_cost_one_handshake_and_see_no_401() {
    run(async {
        let (network, client) = live().await;
        // Some are answered before the token dies, some after.
        network
            .broker(|broker, _| broker.inject(Fault::expire_live_session_token().at("/portfolio/accounts").after(77)));
        let calls: Vec<_> = (0..200)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.get("/portfolio/accounts").await })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap().status(), 200);
        }
        assert_eq!(handshakes(&network), 2, "the first, and one for all of them");
        client.shutdown().await.unwrap();
        assert_eq!(client.handle().view().state(), State::Closed);
    });
}

#[test]
fn an_order_whose_response_is_lost_is_sent_once_and_a_question_again() {
    run(async {
        let (network, client) = live().await;
        network.broker(|broker, _| broker.inject(Fault::drop_response().at(ORDERS)));
        let error = client.post_json(ORDERS, &order(1)).await.unwrap_err();
        assert!(error.may_have_been_sent(), "{error}");
        assert_eq!(accepted(&network, &Method::POST, ORDERS), 1);

        network.broker(|broker, _| broker.inject(Fault::drop_response().at("/portfolio/accounts")));
        assert_eq!(client.get("/portfolio/accounts").await.unwrap().status(), 200);
        assert_eq!(accepted(&network, &Method::GET, "/portfolio/accounts"), 2);

        // The same order on the caller's word.
        let mut policy = CallPolicy::default();
        policy.repeatable = true;
        network.broker(|broker, _| broker.inject(Fault::drop_response().at(ORDERS)));
        let placed = client.with_policy(policy).post_json(ORDERS, &order(2)).await.unwrap();
        assert_eq!((placed.status().as_u16(), accepted(&network, &Method::POST, ORDERS)), (200, 3));
    });
}

#[test]
fn each_kind_of_request_arrives_as_it_was_meant() {
    run(async {
        let (network, client) = live().await;
        let pairs = [("ContractId", "8314"), ("Side", "BUY now"), ("Note", "a&b=c+d")];
        assert_eq!(client.post_form("/accounts/DU0000001/order_impact", &pairs).await.unwrap().status(), 200);
        // A path, and the whole URL.
        for uri in ["/portfolio/accounts?a=1", "https://api.ibkr.com/v1/api/portfolio/accounts?a=1"] {
            assert_eq!(client.request(Request::get(uri).body("").unwrap()).await.unwrap().status(), 200, "{uri}");
        }
        let accounts: Vec<Value> = client.get("/portfolio/accounts").await.unwrap().json().unwrap();
        assert_eq!(accounts[0]["accountId"], "DU0000001");
        assert_eq!(network.broker(|broker, _| broker.refused()), 0);
    });
}

#[test]
fn a_refusal_is_a_response_and_an_error_on_demand() {
    run(async {
        let (network, client) = live().await;
        network.broker(|broker, _| broker.inject(Fault::status(400).at("/trsrv/stocks")));
        let refused = client.get("/trsrv/stocks?symbols=A").await.unwrap();
        assert_eq!(refused.status(), 400);
        let error = refused.error_for_status().unwrap_err();
        assert_eq!((error.stage(), error.kind()), (Stage::Transport, ErrorKind::Request));
        assert!(!error.may_have_been_sent());

        let body = Fault::status(200).at("/trsrv/stocks").with_body("application/json", &b"{\"a\":\xff}"[..]);
        network.broker(|broker, _| broker.inject(body.times(3)));
        let mangled = || async { client.get("/trsrv/stocks?symbols=A").await.unwrap() };
        for error in [mangled().await.text().unwrap_err(), mangled().await.json::<Value>().unwrap_err()] {
            assert_eq!((error.kind(), error.status().map(|status| status.as_u16())), (ErrorKind::Malformed, Some(200)));
        }
        let response: Response = mangled().await;
        assert_eq!(response.into_inner().body(), &b"{\"a\":\xff}"[..]);
    });
}

/// Whoever forgets the driver learns of it, and does not wait for ever.
#[test]
fn every_wait_ends_though_nobody_drives_the_session() {
    run(async {
        let (network, bundle) = network();
        let (client, driver) = Client::start(network.clone(), &bundle, SessionConfig::default()).unwrap();
        for (error, limit) in [
            (client.ready().await.unwrap_err(), 120),
            (client.get("/portfolio/accounts").await.unwrap_err(), 30),
            (client.shutdown().await.unwrap_err(), 15),
        ] {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{limit}");
            assert!(error.remedy().contains("driver") && !error.may_have_been_sent(), "{error} {}", error.remedy());
        }
        assert_eq!(network.now(), NOW.saturating_add(Duration::from_secs(120 + 30 + 15)));
        drop(driver);
        let error: Error = client.get("/portfolio/accounts").await.unwrap_err();
        assert!(error.to_string().contains("the session has ended"), "{error}");
        assert_eq!(client.handle().view().state(), State::Closed);
    });
}

#[test]
fn a_successor_goes_on_from_a_snapshot() {
    run(async {
        let (network, bundle) = network();
        let mut config = SessionConfig::default();
        config.on_shutdown = ibkr_oauth::session::OnShutdown::LeaveOpen;
        let (first, driver) = Client::start(network.clone(), &bundle, config.clone()).unwrap();
        tokio::spawn(driver);
        first.ready().await.unwrap();
        let snapshot = first.handle().snapshot().unwrap();
        first.shutdown().await.unwrap();

        let (second, driver) = Client::resume(network.clone(), &bundle, config, snapshot).unwrap();
        tokio::spawn(driver);
        second.ready().await.unwrap();
        assert_eq!(second.get("/iserver/accounts").await.unwrap().status(), 200);
        assert_eq!((handshakes(&network), network.broker(|broker, _| broker.brokerage_sessions_opened())), (1, 1));
    });
}

#[test]
fn a_key_store_signs_for_a_client_and_events_are_heard() {
    run(async {
        let (network, _) = network();
        let unlocked = network.broker(test_keys::unlocked_token).unwrap();
        let consumer = Consumer::builder(test_keys::CONSUMER_KEY)
            .dh_params(DhGroup::read(test_keys::DH_PARAMETERS).unwrap())
            .build()
            .unwrap();
        let session = Session::new(consumer, unlocked, SessionConfig::default());
        let (client, driver) = Client::with_session(network.clone(), session);
        let events: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&events);
        let asked = network.clone();
        let driver = driver
            .on_event(move |event: SessionEvent| heard.lock().unwrap().push(event.to_string()))
            .key_store(move |input| {
                let network = asked.clone();
                async move {
                    // An HSM takes its time.
                    network.sleep(Duration::from_secs(2)).await;
                    Ok(RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap().sign(&input, &mut OsEntropy).unwrap())
                }
            });
        tokio::spawn(driver);
        client.ready().await.unwrap();
        network.sleep(HOUR * 25).await;
        assert_eq!(client.get("/portfolio/accounts").await.unwrap().status(), 200);
        assert_eq!(handshakes(&network), 2, "renewed by the key store");
        client.shutdown().await.unwrap();
        let events = events.lock().unwrap();
        assert!(events.iter().any(|event| event.contains("closed, and logged out")), "{events:?}");
    });
}

/// A test double is a closure that sends, and one that waits.
#[test]
fn a_double_of_two_closures_serves_a_client() {
    run(async {
        let (network, bundle) = network();
        let sending = network.clone();
        let send = move |request: Request<bytes::Bytes>| {
            std::future::ready(Ok(sending.broker(|broker, cx| broker.handle(cx, &request))))
        };
        let sleeping = network.clone();
        let double = Timed(Arc::new(from_fn(send, |_| std::future::pending())), sleeping);
        let (client, driver) = Client::start(double, &bundle, SessionConfig::default()).unwrap();
        tokio::spawn(driver);
        client.ready().await.unwrap();
        assert_eq!(client.get("/iserver/accounts").await.unwrap().status(), 200);
    });
}

/// One transport that sends, with the clock of another.
#[derive(Clone)]
struct Timed<T>(Arc<T>, InProcess);

impl<T: AsyncTransport> AsyncTransport for Timed<T> {
    async fn send(
        &self,
        request: Request<bytes::Bytes>,
        limits: ibkr_oauth::transport::Limits,
    ) -> Result<http::Response<bytes::Bytes>, ibkr_oauth::session::Failure> {
        self.0.send(request, limits).await
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        self.1.sleep(time)
    }

    fn now(&self) -> ibkr_oauth::Timestamp {
        self.1.now()
    }
}

#[test]
fn a_bundle_without_an_access_token_is_refused_at_once() {
    let (network, _) = network();
    let text = json!({
        "consumer_key": test_keys::CONSUMER_KEY,
        "signature_key": test_keys::SIGNATURE_KEY,
        "encryption_key": test_keys::ENCRYPTION_KEY,
        "dh_params": test_keys::DH_PARAMETERS,
    });
    let bundle = CredentialBundle::from_json(&text.to_string()).unwrap();
    let error = Client::start(network, &bundle, SessionConfig::default()).unwrap_err();
    assert_eq!((error.stage(), error.kind()), (Stage::Bundle, ErrorKind::Config));
    assert!(error.remedy().contains("access_token"));
}
