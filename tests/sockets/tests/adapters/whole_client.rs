//! A client over each adapter and real sockets: from a bundle to the logout, with a token that dies on the way and an order
//! whose response is lost.

use std::{
    sync::Arc,
    thread::{JoinHandle, spawn},
};

use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client as HyperClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use ibkr_oauth::{
    CredentialBundle,
    adapter::{
        hyper::HyperTransport,
        reqwest::{blocking::client_builder as blocking_client_builder, client_builder},
    },
    client::{Client, blocking},
    session::SessionConfig,
    simulator::{Broker, Fault, test_keys},
    transport::{AsyncTransport, Transport},
};
use ibkr_oauth_sockets::{
    Address, Loopback,
    broker::{answer_of, with_context},
};
use serde_json::json;
use std::sync::Mutex;

use crate::clients::{runtime, trusting};

const ORDERS: &str = "/iserver/account/DU0000001/orders";

/// A broker at a loopback address, and a bundle for it.
fn server() -> (Arc<Mutex<Broker>>, Loopback, CredentialBundle) {
    let address = Address::new();
    let base_url = format!("{}/v1/api", address.origin());
    let mut broker = Broker::builder().base_url(&base_url).strict().build().unwrap();
    let bundle = with_context(|cx| test_keys::bundle(&mut broker, cx)).unwrap();
    let broker = Arc::new(Mutex::new(broker));
    let behind = Arc::clone(&broker);
    let origin = address.origin();
    let server = address.serve_on(move |received| {
        let request = received.to_request(&origin);
        answer_of(&with_context(|cx| behind.lock().unwrap().handle(cx, &request)))
    });
    (broker, server, bundle)
}

fn order() -> serde_json::Value {
    json!({"orders": [{"conid": 265_598, "side": "BUY", "quantity": 1}]})
}

fn check(broker: &Mutex<Broker>) {
    let broker = broker.lock().unwrap();
    let orders = broker.accepted().filter(|request| request.path == ORDERS).count();
    assert_eq!((orders, broker.live_session_tokens_issued()), (1, 2));
}

fn without_blocking<T: AsyncTransport + Clone + 'static>(transport: T) {
    let (broker, _server, bundle) = server();
    runtime().block_on(async {
        let (client, driver) = Client::start(transport, &bundle, SessionConfig::default()).unwrap();
        let driving = tokio::spawn(driver);
        client.ready().await.unwrap();
        // The URL is one that reqwest rewrites.
        let quoted = client.get("/trsrv/stocks?symbols='A'").await.unwrap();
        assert_eq!(quoted.status(), 200);
        broker.lock().unwrap().inject(Fault::expire_live_session_token().at("/portfolio/accounts").after(3));
        let calls: Vec<_> = (0..20)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.get("/portfolio/accounts").await.unwrap().status() })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap(), 200);
        }
        broker.lock().unwrap().inject(Fault::drop_response().at(ORDERS));
        assert!(client.post_json(ORDERS, &order()).await.unwrap_err().may_have_been_sent());
        client.shutdown().await.unwrap();
        driving.await.unwrap();
    });
    check(&broker);
}

fn blocking<T: Transport + Clone + Send + Sync + 'static>(transport: T) {
    let (broker, _server, bundle) = server();
    let (client, driver) = blocking::Client::start(transport, &bundle, SessionConfig::default()).unwrap();
    let driving: JoinHandle<()> = spawn(|| driver.run());
    client.ready().unwrap();
    assert_eq!(client.get("/trsrv/stocks?symbols='A'").unwrap().status(), 200);
    broker.lock().unwrap().inject(Fault::expire_live_session_token().at("/portfolio/accounts").after(3));
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert_eq!(client.get("/portfolio/accounts").unwrap().status(), 200));
        }
    });
    broker.lock().unwrap().inject(Fault::drop_response().at(ORDERS));
    assert!(client.post_json(ORDERS, &order()).unwrap_err().may_have_been_sent());
    client.shutdown().unwrap();
    driving.join().unwrap();
    check(&broker);
}

#[test]
fn with_ureq() {
    blocking(ureq::Agent::from(ureq::Agent::config_builder().proxy(None).build()));
}

#[test]
fn with_blocking_reqwest() {
    blocking(blocking_client_builder().no_proxy().tls_backend_preconfigured(trusting(None)).build().unwrap());
}

#[test]
fn with_reqwest() {
    without_blocking(client_builder().no_proxy().tls_backend_preconfigured(trusting(None)).build().unwrap());
}

#[test]
fn with_hyper() {
    let client: HyperClient<HttpConnector, Full<bytes::Bytes>> =
        HyperClient::builder(TokioExecutor::new()).build(HttpConnector::new());
    without_blocking(HyperTransport::new(client, tokio::time::sleep));
}
