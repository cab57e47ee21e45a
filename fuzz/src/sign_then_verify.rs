//! What the client signs, the simulated broker verifies, under each policy; and what was changed afterwards it refuses.
//!
//! The first three bytes choose policy, endpoint and change. The rest is text: a line with the path's last segment or the
//! query, one with the body.

use std::{cell::RefCell, sync::LazyLock};

use crate::authorization_header::AuthorizationHeader;
use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT},
};
use ibkr_oauth::{
    Callback, Consumer, Context, QueryPolicy, Secret, Signer, Timestamp,
    dh::DhGroup,
    key::RsaKey,
    oauth1,
    simulator::{Broker, Refusal, test_keys},
};
use serde_json::Value;

use crate::simulation::{LIVE, LimitedEntropy, NOW, SECRET, TOKEN};

static CONSUMERS: LazyLock<Vec<Consumer>> = LazyLock::new(|| {
    let of = |policy| {
        Consumer::builder(test_keys::CONSUMER_KEY)
            .signature_key(RsaKey::from_pem(test_keys::SIGNATURE_KEY).expect("a key"))
            .encryption_key(RsaKey::from_pem(test_keys::ENCRYPTION_KEY).expect("a key"))
            .dh_params(DhGroup::modp_2048())
            .query_policy(policy)
            .build()
            .expect("a consumer")
    };
    QueryPolicy::ALL.map(of).into()
});

fn broker(policy: QueryPolicy) -> Broker {
    let builder = Broker::builder().strict().query_policy(policy).access_token(TOKEN, SECRET).brokerage_session(true);
    builder.live_session_token(LIVE, Timestamp::from_secs(NOW.as_secs() + 86_000)).build().expect("a broker")
}

/// Two brokers of each policy, one for what is sent and one for what is forged, each with how many requests it has
/// answered: making one costs more than a request does.
type Brokers = Vec<(Broker, u64)>;

thread_local! {
    static BROKERS: RefCell<Brokers> = RefCell::new((0..10).map(|index| (broker(policy(index)), 0)).collect());
}

fn policy(index: usize) -> QueryPolicy {
    QueryPolicy::ALL[index % QueryPolicy::ALL.len()]
}

/// The broker's answer, and why it refused if it did.
fn answer(index: usize, request: &Request<Bytes>) -> (Response<Bytes>, Option<Refusal>) {
    BROKERS.with_borrow_mut(|brokers| {
        let (broker, answered) = &mut brokers[index];
        *answered += 1;
        if *answered % 256 == 0 {
            *broker = self::broker(policy(index));
        }
        let refusals = broker.refusals().len();
        let mut rng = LimitedEntropy::new(2);
        let response = broker.handle(&mut Context::new(NOW, &mut rng), request);
        (response, broker.refusals().get(refusals).cloned())
    })
}

pub fn run(data: &[u8]) {
    let [policy, endpoint, change, text @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let index = usize::from(*policy) % QueryPolicy::ALL.len();
    let (policy, consumer) = (QueryPolicy::ALL[index], &CONSUMERS[index]);
    let (first, second) = text.split_once('\n').unwrap_or((text, ""));
    // RSA costs a thousand times what HMAC does.
    if *endpoint == 255 {
        return sign_in(policy, consumer, first);
    }
    let Some((mut request, form)) = request(*endpoint % 4, first, second) else { return };
    let signer = Signer::from_stored(consumer, TOKEN, &Secret::from(LIVE.as_slice())).expect("20 bytes");
    // A broker that is used again knows the nonces of before.
    let nonce = BROKERS.with_borrow(|brokers| brokers[index].1);
    let mut rng = LimitedEntropy::new(nonce);
    let mut cx = Context::new(NOW, &mut rng);
    let before = format!("{request:?}");
    let signed = if form { signer.sign_form(&mut cx, &mut request) } else { signer.sign(&mut cx, &mut request) };
    if signed.is_err() {
        assert_eq!(format!("{request:?}"), before, "on error the request is as it was");
        return;
    }
    let header = &request.headers()[AUTHORIZATION];
    assert!(header.is_sensitive());

    let (response, refusal) = answer(index, &request);
    match refusal {
        None => {
            echoes(&request, form, &response);
            // To say what is wrong with a request costs the broker a hundred times what a right one does.
            if *change < 64 {
                changed(index, &request, form, *change, second);
            }
        }
        // The broker's strictness is not the signature's business: what it says is wrong must be.
        Some(refusal) => assert!(is_outside_the_signature(refusal.reason), "{refusal} {request:?}"),
    }
}

/// A request as an application makes it, if its URL is one.
fn request(endpoint: u8, first: &str, second: &str) -> Option<(Request<Bytes>, bool)> {
    const BASE: &str = "https://api.ibkr.com/v1/api";
    let (method, url, media_type) = match endpoint {
        0 => (Method::GET, format!("{BASE}/iserver/secdef/search?{first}"), None),
        1 => {
            (Method::POST, format!("{BASE}/accounts/DU0000001/order_impact"), Some("application/x-www-form-urlencoded"))
        }
        2 => (Method::GET, format!("{BASE}/{first}"), None),
        _ => (Method::POST, format!("{BASE}/iserver/account/DU0000001/orders?{first}"), Some("application/json")),
    };
    let mut request = Request::builder().method(method).uri(oauth1::parse_uri(&url).ok()?).header(USER_AGENT, "fuzz");
    let mut body = Bytes::new();
    if let Some(media_type) = media_type {
        body = Bytes::copy_from_slice(second.as_bytes());
        request = request.header(CONTENT_TYPE, media_type).header(CONTENT_LENGTH, body.len());
    }
    Some((request.body(body).ok()?, endpoint == 1))
}

/// Whether the broker refuses it for something else than what the client signed and wrote.
fn is_outside_the_signature(reason: &'static str) -> bool {
    matches!(
        reason,
        "body_malformed"
            | "body_unexpected"
            | "content_length_missing"
            | "method_not_allowed"
            | "parameter_misplaced"
            | "path_not_normal"
            | "publish_not_true"
            | "resource_unknown"
            | "account_unknown"
    )
}

/// The broker read what a form reader of the URL standard reads.
fn echoes(request: &Request<Bytes>, form: bool, response: &Response<Bytes>) {
    let is_search = request.uri().path().ends_with("/secdef/search");
    if !(response.status().is_success() && (is_search || form)) {
        return;
    }
    let value: Value = serde_json::from_slice(response.body()).expect("JSON");
    let sent = if form { &request.body()[..] } else { request.uri().query().unwrap_or_default().as_bytes() };
    let Some(echo) = value.get(if form { "form" } else { "query" }).and_then(Value::as_array) else { return };
    let echo: Vec<(&str, &str)> =
        echo.iter().map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap())).collect();
    let expected: Vec<(String, String)> =
        form_urlencoded::parse(sent).map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let expected: Vec<(&str, &str)> = expected.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(echo, expected);
}

/// The same with one thing changed on its way.
fn changed(index: usize, request: &Request<Bytes>, form: bool, change: u8, second: &str) {
    let policy = QueryPolicy::ALL[index];
    let mut forged = request.clone();
    let header: AuthorizationHeader =
        request.headers()[AUTHORIZATION].to_str().expect("ASCII").parse().expect("what we write");
    let mut parameters: Vec<(String, String)> =
        header.parameters().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut is_equivalent = false;
    match change % 6 {
        // A parameter of the header.
        0 | 1 => {
            let index = usize::from(change / 6) % parameters.len();
            let (name, value) = &mut parameters[index];
            let other = match name.as_str() {
                "oauth_timestamp" => (NOW.as_secs() + 1 + u64::from(change % 100)).to_string(),
                _ => format!("{}{value}", char::from(b'A' + change % 26)),
            };
            *value = other;
        }
        // The method.
        2 => *forged.method_mut() = if *request.method() == Method::GET { Method::POST } else { Method::PUT },
        // One more parameter.
        3 => {
            let query = request.uri().query().map(|query| format!("{query}&")).unwrap_or_default();
            let url = format!("https://api.ibkr.com{}?{query}extra=1", request.uri().path());
            let Ok(uri) = url.parse() else { return };
            *forged.uri_mut() = uri;
            is_equivalent = policy == QueryPolicy::Omit;
        }
        // The form.
        4 if form => {
            let body = Bytes::from(format!("{second}&extra=1"));
            forged.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
            *forged.body_mut() = body;
            is_equivalent = matches!(policy, QueryPolicy::Omit | QueryPolicy::InUrl);
        }
        // The host.
        _ => {
            let url = request.uri().to_string().replacen("api.ibkr.com", "1.api.ibkr.com", 1);
            let Ok(uri) = url.parse() else { return };
            *forged.uri_mut() = uri;
        }
    }
    let pairs: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let header = AuthorizationHeader::new(header.realm(), &pairs).to_string();
    forged.headers_mut().insert(AUTHORIZATION, HeaderValue::try_from(header).expect("ASCII"));
    let (response, refusal) = answer(index + QueryPolicy::ALL.len(), &forged);
    match refusal {
        None => assert!(is_equivalent, "{policy} {forged:?}"),
        Some(refusal) => {
            assert!(!is_equivalent || is_outside_the_signature(refusal.reason), "{refusal} {forged:?}");
            assert_ne!(response.status(), StatusCode::OK);
        }
    }
}

/// The whole sign-in, with a callback of the fuzzer's.
fn sign_in(policy: QueryPolicy, consumer: &Consumer, callback: &str) {
    let mut broker = Broker::builder().strict().query_policy(policy).build().expect("a broker");
    let mut rng = LimitedEntropy::new(3);
    let mut cx = Context::new(NOW, &mut rng);
    let callback = if callback.is_empty() { Callback::OutOfBand } else { Callback::Url(callback) };
    let exchange = consumer.request_token(&mut cx, callback).expect("it can be signed");
    let response = broker.handle(&mut cx, exchange.request());
    if let Some(refusal) = broker.refusals().last() {
        assert_eq!(refusal.reason, "callback_malformed", "{refusal}");
        assert!(exchange.complete(response).is_err());
        return;
    }
    let consent = exchange.complete(response).expect("it was accepted");
    let url = broker.consent(&mut cx, consent.url()).expect("the simulated user agrees");
    let exchange = consent.verifier(&url).expect("the broker's own").access_token(consumer, &mut cx).expect("signed");
    let response = broker.handle(&mut cx, exchange.request());
    let token = exchange.complete(response).expect("a token");
    let exchange = consumer.unlock(&mut cx, &token).expect("it opens").live_session_token(consumer, &mut cx);
    let exchange = exchange.expect("signed");
    let response = broker.handle(&mut cx, exchange.request());
    let signer = exchange.complete(response).expect("it is proved").signer();
    let exchange = signer.brokerage().tickle(&mut cx).expect("signed");
    let response = broker.handle(&mut cx, exchange.request());
    exchange.complete(response).expect("a tickle");
}
