//! Clients that block, over a closure.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request};
use ibkr_oauth::{
    Context, CredentialBundle, ErrorKind, OsEntropy,
    call::CallPolicy,
    client::blocking::Client,
    diagnose::Cause,
    local,
    pacing::PacingConfig,
    session::{Failure, FailureKind, SessionConfig, State},
    simulator::{Broker, Dropped, Fault, test_keys},
    transport::{Limits, Transport},
};
use serde_json::json;

const ORDERS: &str = "/iserver/account/DU0000001/orders";

fn with_broker<T>(broker: &Mutex<Broker>, work: impl FnOnce(&mut Broker, &mut Context<'_>) -> T) -> T {
    work(&mut broker.lock().unwrap(), &mut Context::new(local::now(), &mut OsEntropy))
}

fn outside() -> (Arc<Mutex<Broker>>, CredentialBundle, impl Transport + Clone + Send + 'static) {
    let broker = Arc::new(Mutex::new(Broker::builder().strict().build().unwrap()));
    let bundle = with_broker(&broker, test_keys::bundle).unwrap();
    let behind = Arc::clone(&broker);
    let transport = move |request: Request<Bytes>, _: Limits| {
        let response = with_broker(&behind, |broker, cx| broker.handle(cx, &request));
        match response.extensions().get::<Dropped>() {
            Some(_) => Err(Failure::new(FailureKind::TimedOut, "dropped")),
            None => Ok(response),
        }
    };
    (broker, bundle, transport)
}

#[test]
fn a_script_signs_in_asks_and_logs_out() {
    let (broker, bundle, transport) = outside();
    let (client, driver) = Client::start(transport, &bundle, SessionConfig::default()).unwrap();
    let events: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&events);
    let driver = driver.on_event(move |event| heard.lock().unwrap().push(event.to_string()));
    let driving = thread::spawn(|| driver.run());
    client.ready().unwrap();
    assert!(client.get("/portfolio/accounts").unwrap().text().unwrap().contains("DU0000001"));
    assert_eq!(client.post_form("/accounts/DU0000001/order_impact", &[("Side", "BUY")]).unwrap().status(), 200);
    let asked = Request::builder().method(Method::GET).uri("/iserver/accounts").body("").unwrap();
    assert_eq!(client.request(asked).unwrap().status(), 200);
    client.shutdown().unwrap();
    driving.join().unwrap();
    assert_eq!(client.handle().view().state(), State::Closed);
    assert!(events.lock().unwrap().iter().any(|event| event.contains("logged out")));
    assert_eq!(broker.lock().unwrap().refused(), 0);
}

#[test]
fn calls_from_many_threads_over_a_forced_renewal_cost_one_handshake() {
    let (broker, bundle, transport) = outside();
    let (client, driver) = Client::start(transport, &bundle, SessionConfig::default()).unwrap();
    let driving = thread::spawn(|| driver.run());
    client.ready().unwrap();
    broker.lock().unwrap().inject(Fault::expire_live_session_token().at("/portfolio/accounts").after(7));
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let response = client.get("/portfolio/accounts").unwrap();
                assert_eq!(response.status(), 200, "{:#?}", broker.lock().unwrap().refusals());
            });
        }
    });
    assert_eq!(broker.lock().unwrap().live_session_tokens_issued(), 2);
    client.shutdown().unwrap();
    driving.join().unwrap();
}

#[test]
fn a_lost_order_is_not_sent_twice() {
    let (broker, bundle, transport) = outside();
    let (client, driver) = Client::start(transport, &bundle, SessionConfig::default()).unwrap();
    let driving = thread::spawn(|| driver.run());
    client.ready().unwrap();
    broker.lock().unwrap().inject(Fault::drop_response().at(ORDERS));
    let order = json!({"orders": [{"conid": 265_598, "side": "BUY", "quantity": 1}]});
    assert!(client.post_json(ORDERS, &order).unwrap_err().may_have_been_sent());
    let orders = broker.lock().unwrap().accepted().filter(|request| request.path == ORDERS).count();
    assert_eq!(orders, 1);
    client.shutdown().unwrap();
    driving.join().unwrap();
}

#[test]
fn waits_end_though_nobody_drives_the_session() {
    let (_broker, bundle, transport) = outside();
    let (client, driver) = Client::start(transport, &bundle, SessionConfig::default()).unwrap();
    let mut policy = CallPolicy::default();
    policy.deadline = Duration::ZERO;
    let error = client.with_policy(policy).get("/portfolio/accounts").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.remedy().contains("driver"));
    drop(driver);
    assert!(client.get("/portfolio/accounts").unwrap_err().to_string().contains("ended"));
    assert!(client.shutdown().is_ok(), "it has ended");
}

#[test]
fn clones_share_the_limits_once_they_are_asked_for() {
    let (broker, bundle, transport) = outside();
    let (client, driver) = Client::start(transport, &bundle, SessionConfig::default()).unwrap();
    let before = client.clone();
    client.pace(PacingConfig::default());
    let driving = thread::spawn(|| driver.run());
    client.ready().unwrap();
    assert_eq!(before.get("/iserver/scanner/params").unwrap().status(), 200);
    let error = client.get("/iserver/scanner/params").unwrap_err();
    assert_eq!((error.kind(), error.cause()), (ErrorKind::Unavailable, Some(Cause::RateLimited)));
    assert!(!error.may_have_been_sent());
    assert_eq!(client.get("/portfolio/DU0000001/meta").unwrap().status(), 200);
    broker.lock().unwrap().inject(Fault::status(429).at("/portfolio/DU0000001/meta"));
    assert_eq!(client.get("/portfolio/DU0000001/meta").unwrap().status(), 429);
    assert_eq!(before.get("/portfolio/DU0000001/meta").unwrap_err().cause(), Some(Cause::RateLimited));
    client.shutdown().unwrap();
    driving.join().unwrap();
}

#[cfg(feature = "aws-lc-rs")]
#[test]
fn a_client_takes_keys_of_the_backend_that_its_bundle_asks_for() {
    let (broker, bundle, transport) = outside();
    let bundle = bundle.with_aws_lc();
    let (client, driver) = Client::start(transport, &bundle, SessionConfig::default()).unwrap();
    let driving = thread::spawn(|| driver.run());
    client.ready().unwrap();
    assert!(client.get("/portfolio/accounts").unwrap().text().unwrap().contains("DU0000001"));
    client.shutdown().unwrap();
    driving.join().unwrap();
    assert_eq!(broker.lock().unwrap().refused(), 0);
}
