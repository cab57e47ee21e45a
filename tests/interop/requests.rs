//! Signed requests against `oauthlib`, both ways.

use crate::authorization_header::AuthorizationHeader;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use ibkr_oauth::{
    AccessToken, Callback, Consumer, Context, Endpoints, Exchange, Secret, Signer, Timestamp, UnlockedToken,
    dh::DhGroup,
    key::RsaKey,
    simulator::{Broker, test_keys},
};
use serde_json::{Value, json};

use super::{
    peer::{Peer, hex, text},
    random_request::{RandomRequest, random_origin, random_text},
    rng::Rng,
};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const FORM: &str = "application/x-www-form-urlencoded";
const UNRESERVED: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

/// A live session token that RFC 5849 can express: twenty bytes that are two encoded secrets with a `&` between, so that
/// oauthlib's own HMAC can be used unchanged.
struct Key {
    client_secret: String,
    token_secret: String,
}

impl Key {
    fn random(rng: &mut Rng) -> Self {
        let length = rng.below(20);
        Self {
            client_secret: rng.text(UNRESERVED, length, length),
            token_secret: rng.text(UNRESERVED, 19 - length, 19 - length),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        format!("{}&{}", self.client_secret, self.token_secret).into_bytes()
    }
}

/// Text that may stand in a header: printable ASCII without blanks around it.
fn printable(rng: &mut Rng) -> String {
    let inner = rng.text("abcXYZ019 !#$%&'()*+,-./:;<=>?@[]^_`{|}~\"\\", 0, 12);
    format!("K{inner}9")
}

fn authorization<B>(request: &Request<B>) -> &str {
    request.headers()[header::AUTHORIZATION].to_str().unwrap()
}

/// The same URL with one more parameter.
fn tampered(url: &str) -> String {
    format!("{url}{}tampered=1", if url.contains('?') { "&" } else { "?" })
}

#[test]
#[ignore = "needs Python: bash .ci/interop"]
fn oauthlib_verifies_what_is_signed_here() {
    const REQUESTS: usize = 3000;
    let mut rng = Rng::new(0x5849_0001, "requests signed here, verified by oauthlib (HMAC-SHA256)");
    let mut peer = Peer::start("oauthlib_peer.py");
    let (mut forms, mut queries) = (0, 0);
    for _ in 0..REQUESTS {
        let random = RandomRequest::new(&mut rng);
        let key = Key::random(&mut rng);
        let consumer = Consumer::builder(printable(&mut rng))
            .realm(rng.pick(&["limited_poa", "test_realm", "a b,c=d"]))
            .allow_host(random.origin())
            .build()
            .unwrap();
        let signer = Signer::from_stored(&consumer, &printable(&mut rng), &Secret::from(key.bytes())).unwrap();

        let mut request = Request::builder().method(random.method).uri(&random.url);
        if random.form.is_some() {
            request = request.header(header::CONTENT_TYPE, FORM);
        }
        let mut request = request.body(random.form.clone().unwrap_or_default()).unwrap();
        let mut cx = Context::new(NOW, &mut rng);
        match random.form {
            Some(_) => signer.sign_form(&mut cx, &mut request),
            None => signer.sign(&mut cx, &mut request),
        }
        .unwrap_or_else(|error| panic!("{random:?}: {error}"));
        forms += usize::from(!random.form_pairs.is_empty());
        queries += usize::from(!random.query_pairs.is_empty());

        let mut verify = |method: &str, url: &str, form: Option<&str>| {
            peer.ask(
                "verify_hmac",
                json!({
                    "method": method,
                    "url": url,
                    "authorization": authorization(&request),
                    "form": form,
                    "client_secret": key.client_secret,
                    "token_secret": key.token_secret,
                }),
            )
        };
        let answer = verify(random.method, &random.url, random.form.as_deref());
        let sent: AuthorizationHeader = authorization(&request).parse().unwrap();
        let (mut parts, ()) = Request::builder().method(random.method).uri(&random.url).body(()).unwrap().into_parts();
        if random.form.is_some() {
            parts.headers.insert(header::CONTENT_TYPE, FORM.parse().unwrap());
        }
        let nonce = sent.get("oauth_nonce").unwrap();
        let form = random.form.as_ref().map(String::as_bytes);
        let ours = signer.sign_with(&parts, form, nonce, NOW.as_secs()).unwrap();
        assert_eq!(text(&answer["base_string"]), ours.base_string, "{random:?}");
        assert_eq!(answer["verified"], true, "{random:?}: {}", authorization(&request));

        let other_method = if random.method == "GET" { "DELETE" } else { "GET" };
        for answer in [
            verify(random.method, &tampered(&random.url), random.form.as_deref()),
            verify(other_method, &random.url, random.form.as_deref()),
            verify(random.method, &random.url, Some(&format!("{}&f=1", random.form.as_deref().unwrap_or_default()))),
        ] {
            assert_eq!(answer["verified"], false, "{random:?}");
        }
    }
    println!(
        "{REQUESTS} requests agree, {queries} with a query and {forms} with a form; each was refused once changed"
    );
}

/// Sends a request that was signed over there, as a client would.
fn send(broker: &mut Broker, rng: &mut Rng, method: &str, url: &str, signed: &Value) -> Response<Bytes> {
    let form = signed["form"].as_str().map(str::to_owned);
    let mut request = Request::builder()
        .method(method)
        .uri(url)
        .header(header::USER_AGENT, "interop/1")
        .header(header::AUTHORIZATION, text(&signed["authorization"]));
    if method == "POST" {
        request = request.header(header::CONTENT_LENGTH, form.as_deref().unwrap_or_default().len());
    }
    if form.is_some() {
        request = request.header(header::CONTENT_TYPE, FORM);
    }
    let request = request.body(Bytes::from(form.unwrap_or_default())).unwrap();
    broker.handle(&mut Context::new(NOW, rng), &request)
}

#[test]
#[ignore = "needs Python: bash .ci/interop"]
fn the_simulator_verifies_what_oauthlib_signs() {
    const ROUNDS: usize = 20;
    const REQUESTS: usize = 150;
    let mut rng = Rng::new(0x5849_0002, "requests signed by oauthlib (HMAC-SHA256), verified by the simulator");
    let mut peer = Peer::start("oauthlib_peer.py");
    let bases = [
        "https://api.ibkr.com/v1/api",
        "http://localhost:5000/v1/api",
        "https://127.0.0.1:8443",
        "http://[::1]:8080/v1/api",
        "http://api.example:80/v1",
    ];
    let mut echoed = 0;
    for round in 0..ROUNDS {
        let (base, key) = (bases[round % bases.len()], Key::random(&mut rng));
        let (consumer_key, token) = (printable(&mut rng), printable(&mut rng));
        let mut broker = Broker::builder()
            .strict()
            .base_url(base)
            .consumer_key(&consumer_key)
            .realm("limited_poa")
            .access_token(&token, rng.vec(32))
            .live_session_token(key.bytes(), Timestamp::from_secs(NOW.as_secs() + 3600))
            .brokerage_session(true)
            .build()
            .unwrap();
        for number in 0..REQUESTS {
            let random = match rng.below(3) {
                0 => RandomRequest::to(&mut rng, format!("{base}/iserver/secdef/search")),
                1 => RandomRequest::to(&mut rng, format!("{base}/accounts/DU0000001/order_impact")),
                _ => RandomRequest::under(&mut rng, base),
            };
            let nonce = format!("{round}-{number}");
            let client = json!({
                "client_key": consumer_key,
                "client_secret": key.client_secret,
                "resource_owner_key": token,
                "resource_owner_secret": key.token_secret,
                "signature_method": "HMAC-SHA256",
                "realm": "limited_poa",
                "nonce": nonce,
                "timestamp": NOW.as_secs().to_string(),
            });
            let question = json!({ "method": random.method, "url": random.url, "form": random.form, "client": client });
            let signed = peer.ask("sign", question);
            assert_eq!(text(&signed["url"]), random.url);

            let response = send(&mut broker, &mut rng, random.method, &tampered(&random.url), &signed);
            assert_eq!(response.status(), 401, "{random:?}");
            assert_eq!(broker.refusals().last().unwrap().reason, "signature_differs", "{random:?}");

            let response = send(&mut broker, &mut rng, random.method, &random.url, &signed);
            // Accepted is what passed all that can be said of a signed request, whatever its resource says then.
            let accepted = broker.accepted().next_back().map(|accepted| accepted.nonce.clone());
            assert_eq!(accepted, Some(nonce), "{random:?}: {:?} {signed}", broker.refusals().last());
            if response.status() == 200 {
                let (header, pairs) = match random.method {
                    "GET" => ("x-simulator-query", &random.query_pairs),
                    _ => ("x-simulator-form", &random.form_pairs),
                };
                let read = |text: &HeaderValue| serde_json::from_slice::<Value>(text.as_bytes()).unwrap();
                let arrived = response.headers().get(header).map_or(json!([]), read);
                assert_eq!(arrived, json!(pairs), "{random:?}");
                echoed += usize::from(!pairs.is_empty());
            }
        }
    }
    let requests = ROUNDS * REQUESTS;
    println!("{requests} requests agree, the parameters of {echoed} as well; each was refused once changed");
}

/// Has oauthlib verify an exchange of the sign-in, and refuse it under another key.
fn verify_exchange<T>(peer: &mut Peer, exchange: &Exchange<T>, public_key: &str, prepend: &str) {
    let request = exchange.request();
    let mut ask = |url: &str, public_key: &str| {
        let question = json!({
            "method": request.method().as_str(),
            "url": url,
            "authorization": authorization(request),
            "form": null,
            "public_key": public_key,
            "prepend": prepend,
        });
        peer.ask("verify_rsa", question)["verified"].clone()
    };
    let url = request.uri().to_string();
    assert_eq!(ask(&url, public_key), true, "{}", authorization(request));
    assert_eq!(ask(&tampered(&url), public_key), false);
    assert_eq!(ask(&url, &RsaKey::from_pem(test_keys::ENCRYPTION_KEY).unwrap().public_key().to_pem()), false);
}

#[test]
#[ignore = "needs Python: bash .ci/interop"]
fn oauthlib_verifies_the_sign_in_made_here() {
    const ROUNDS: usize = 60;
    let mut rng = Rng::new(0x5849_0003, "sign-ins made here, verified by oauthlib (RSA-SHA256)");
    let mut peer = Peer::start("oauthlib_peer.py");
    let signing_key = RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap();
    let public_key = signing_key.public_key().to_pem();
    for _ in 0..ROUNDS {
        let origin = random_origin(&mut rng);
        let consumer = Consumer::builder(printable(&mut rng))
            .signature_key(signing_key.clone())
            .dh_params(DhGroup::modp_2048())
            .endpoints(Endpoints::new(&format!("{origin}/v1/api")).unwrap())
            .build()
            .unwrap();
        let callback = format!("https://example.com/back?x={}", printable(&mut rng));
        let verifier = printable(&mut rng);
        let token = printable(&mut rng);
        let secret: [u8; 32] = rng.bytes();
        let mut cx = Context::new(NOW, &mut rng);

        let exchange = consumer.request_token(&mut cx, Callback::Url(&callback)).unwrap();
        verify_exchange(&mut peer, &exchange, &public_key, "");
        let consent = exchange.complete(Response::new(Bytes::from(json!({ "oauth_token": "t" }).to_string()))).unwrap();

        let encoded = ibkr_oauth::oauth1::percent_encode(verifier.as_bytes());
        let called_back = format!("https://example.com/back?oauth_token=t&oauth_verifier={encoded}");
        let exchange = consent.verifier(&called_back).unwrap().access_token(&consumer, &mut cx).unwrap();
        verify_exchange(&mut peer, &exchange, &public_key, "");

        let unlocked = UnlockedToken::from_plaintext(&token, Secret::from(secret.to_vec()));
        let exchange = unlocked.live_session_token(&consumer, &mut cx).unwrap();
        let prepend = hex(&secret);
        verify_exchange(&mut peer, &exchange, &public_key, &prepend);
    }
    println!("{} requests of the sign-in agree; each was refused once changed and under another key", 3 * ROUNDS);
}

#[test]
#[ignore = "needs Python: bash .ci/interop"]
fn the_simulator_verifies_sign_ins_that_oauthlib_makes() {
    const ROUNDS: usize = 40;
    let mut rng = Rng::new(0x5849_0004, "sign-ins made by oauthlib (RSA-SHA256), verified by the simulator");
    let mut peer = Peer::start("oauthlib_peer.py");
    let consumer_key = printable(&mut rng);
    let decryption_key = RsaKey::from_pem(test_keys::ENCRYPTION_KEY).unwrap();
    let consumer = Consumer::builder(&consumer_key).encryption_key(decryption_key).build().unwrap();
    for round in 0..ROUNDS {
        let (request_token, verifier) = (printable(&mut rng), random_text(&mut rng, 1, 12));
        let mut broker = Broker::builder()
            .strict()
            .consumer_key(&consumer_key)
            .request_token(&request_token, &verifier)
            .build()
            .unwrap();
        let mut sign = |path: &str, extra: Value| {
            let mut client = json!({
                "client_key": consumer_key,
                "signature_method": "RSA-SHA256",
                "rsa_key": test_keys::SIGNATURE_KEY,
                "realm": "limited_poa",
                "nonce": format!("{path}{round}"),
                "timestamp": NOW.as_secs().to_string(),
            });
            client.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            let url = format!("https://api.ibkr.com/v1/api/oauth/{path}");
            let signed = peer.ask("sign", json!({ "method": "POST", "url": url, "form": null, "client": client }));
            (url, signed)
        };
        let callback = format!("https://example.com/back?{}", rng.text("abc=&%20+~", 0, 12));
        let exchanges = [
            sign("request_token", json!({ "callback_uri": callback })),
            sign("access_token", json!({ "resource_owner_key": request_token, "verifier": verifier })),
        ];
        for (url, signed) in &exchanges {
            let response = send(&mut broker, &mut rng, "POST", url, signed);
            assert_eq!(response.status(), 200, "{signed}: {:?}", broker.refusals());
            let reply: Value = serde_json::from_slice(response.body()).unwrap();
            if let Some(secret) = reply["oauth_token_secret"].as_str() {
                let token = AccessToken::from_parts(text(&reply["oauth_token"]), secret).unwrap();
                consumer.unlock(&mut Context::new(NOW, &mut rng), &token).unwrap();
            }
        }
    }
    println!("{} requests of the sign-in agree", 2 * ROUNDS);
}
