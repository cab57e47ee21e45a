//! What is reqwest's alone: clients that were not built by the adapter's builder, and so follow redirects.

use std::time::SystemTime;

use crate::clients::{runtime, trusting};
use bytes::Bytes;
use http::Request;
use ibkr_oauth::{Consumer, Context, Endpoints, Error, ErrorKind, OsEntropy, Secret, Signer, Stage, Timestamp};
use ibkr_oauth_sockets::{Address, Loopback};

fn signer(origin: &str) -> Signer {
    let endpoints = Endpoints::new(&format!("{origin}/v1/api")).unwrap();
    let consumer = Consumer::builder("TESTCONS").endpoints(endpoints).build().unwrap();
    Signer::from_stored(&consumer, "218c1d970d85a8442825", &Secret::from(vec![7; 20])).unwrap()
}

/// Asks by the careless client, asynchronous and blocking.
fn ask(origin: &str) -> [Error; 2] {
    let request = || Request::get(format!("{origin}/v1/api/portfolio/accounts")).body(Bytes::new()).unwrap();
    let (signer, mut entropy) = (signer(origin), OsEntropy);
    let mut cx = Context::new(Timestamp::from(SystemTime::now()), &mut entropy);
    let client = reqwest::blocking::Client::builder().no_proxy().tls_backend_preconfigured(trusting(None));
    let blocking = signer.send(&client.build().unwrap(), &mut cx, request());
    let client = reqwest::Client::builder().no_proxy().tls_backend_preconfigured(trusting(None)).build().unwrap();
    let reply = signer.send_async(&client, &mut cx, request()).unwrap();
    [blocking.unwrap_err(), runtime().block_on(reply).unwrap_err()]
}

#[test]
fn a_client_that_follows_redirects_is_found_out_and_carries_nothing_elsewhere() {
    let elsewhere = Loopback::always("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}");
    for status in [301, 302, 303, 307, 308] {
        let location = elsewhere.origin();
        let reply = format!("HTTP/1.1 {status} Moved\r\nlocation: {location}/x\r\ncontent-length: 0\r\n\r\n");
        let server = Loopback::always(reply);
        for error in ask(server.origin()) {
            assert_eq!((error.stage(), error.kind()), (Stage::Transport, ErrorKind::Unavailable));
            assert!(error.to_string().contains("followed a redirect"), "{error}");
            assert!(error.remedy().contains("client_builder"));
        }
    }
    let received = elsewhere.received();
    assert_eq!(received.len(), 10);
    assert!(received.iter().all(|request| request.header("authorization").is_empty()));
}

#[test]
fn a_redirect_within_the_host_is_found_out_too() {
    let server = Address::new().serve_on(|received| match received.target() {
        (_, "/v1/api/portfolio/accounts") => {
            b"HTTP/1.1 302 Found\r\nlocation: /v1/api/other\r\ncontent-length: 0\r\n\r\n".to_vec()
        }
        _ => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec(),
    });
    for error in ask(server.origin()) {
        assert!(error.to_string().contains("followed a redirect"), "{error}");
    }
}
