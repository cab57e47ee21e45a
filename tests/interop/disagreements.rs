//! Where the others are known to differ, so that the random tests leave it out: that they still do.

use http::Request;
use ibkr_oauth::{
    Consumer, Secret, Signer,
    oauth1::{QueryPolicy, base_string},
};
use serde_json::{Value, json};

use super::{
    peer::{Peer, text},
    random_request::origin,
};

/// What oauthlib and this crate make of a request, oauthlib's errors included.
fn base_strings(peer: &mut Peer, method: &str, url: &str) -> (Result<String, String>, String) {
    let consumer = Consumer::builder("INTEROPER").allow_host(origin(url)).build().unwrap();
    let signer = Signer::from_stored(&consumer, "token", &Secret::from(b"012345678&0123456789".to_vec())).unwrap();
    let (parts, ()) = Request::builder().method(method).uri(url).body(()).unwrap().into_parts();
    let ours = signer.reproduce(&parts, None, "nonce", 1_700_000_000).unwrap();
    let question = json!({
        "method": method,
        "url": url,
        "authorization": ours.authorization.to_str().unwrap(),
        "form": null,
        "client_secret": "012345678",
        "token_secret": "0123456789",
    });
    let theirs = peer.try_ask("verify_hmac", question).map(|answer| {
        assert_eq!(answer["verified"], text(&answer["base_string"]) == ours.base_string);
        text(&answer["base_string"]).to_owned()
    });
    (theirs, ours.base_string)
}

#[test]
#[ignore = "needs Python: bash .ci/interop"]
fn oauthlib_differs_where_the_random_requests_do_not_go() {
    let mut peer = Peer::start("oauthlib_peer.py");
    for (method, url, theirs, ours) in [
        ("GET", "https://h/a;", Ok("GET&https%3A%2F%2Fh%2Fa&"), "GET&https%3A%2F%2Fh%2Fa%3B&"),
        ("GET", "https://[0:0::1]/", Ok("GET&https%3A%2F%2F%5B%3A%3A1%5D%2F&"), "%5B0%3A0%3A%3A1%5D%2F&"),
        ("get", "https://h/", Ok("GET&"), "get&"),
        ("GET", "https://h/?z=%FF", Ok("%26z%3D%25EF%25BF%25BD"), "%26z%3D%25FF"),
        ("GET", "https://h/?z=[a]", Err("non urlencoded string"), "%26z%3D%255Ba%255D"),
        ("GET", "https://h/?z=%zz", Err("Invalid hex encoding"), "%26z%3D%2525zz"),
        ("GET", "https://h:0/", Err("port out of range"), "GET&https%3A%2F%2Fh%3A0%2F&"),
    ] {
        let (they, we) = base_strings(&mut peer, method, url);
        assert!(we.contains(ours), "{url}: {we}");
        match theirs {
            Ok(part) => assert!(they.as_ref().is_ok_and(|they| they.contains(part)), "{url}: {they:?}"),
            Err(part) => assert!(they.as_ref().is_err_and(|they| they.contains(part)), "{url}: {they:?}"),
        }
        assert_ne!(they, Ok(we), "{url}: they agree by now, so the random requests may go there");
    }
}

#[test]
#[ignore = "needs Python: bash .ci/interop"]
fn ibind_signs_a_space_as_a_plus() {
    let mut peer = Peer::start("ibind_peer.py");
    let url = "https://api.ibkr.com/v1/api/iserver/secdef/search";
    let question = json!({ "method": "GET", "url": url, "oauth_parameters": {}, "parameters": { "symbol": "BRK B" } });
    let theirs: Value = peer.ask("base_string", question);
    let uri = format!("{url}?symbol=BRK%20B").parse().unwrap();
    let ours = base_string(&http::Method::GET, &uri, &[], None, QueryPolicy::DecodedOnce).unwrap();
    assert_eq!(text(&theirs), ours.replace("BRK%20B", "BRK+B"));
    assert_ne!(text(&theirs), ours);
}
