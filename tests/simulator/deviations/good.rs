//! A request of the client's that the broker accepts, and the ways to spoil it.

use std::cell::{Cell, RefCell};

use crate::authorization_header::AuthorizationHeader;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderValue, Method, Request, Response, header};
use ibkr_oauth::{
    Callback, Consumer, Context, Endpoints, QueryPolicy, Secret, Signer, Timestamp, UnlockedToken, Verifier,
    dh::DhGroup,
    exchange::{ParameterPlacement, Unsigned},
    key::{RsaKey, SigningKey},
    simulator::{Broker, BrokerBuilder, Refusal, test_keys},
};
use rsa::{PrivateKey, pkcs8::DecodePrivateKey};
use sha2::Sha256;

use crate::scripted::Scripted;

pub(crate) const BASE: &str = "https://api.ibkr.com/v1/api";
pub(crate) const TOKEN: &str = "218c1d970d85a8442825";
pub(crate) const SECRET: [u8; 32] = [0x7a; 32];
pub(crate) const LIVE_SESSION_TOKEN: [u8; 20] = [9; 20];
pub(crate) const NOW: u64 = 1_700_000_000;
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const JSON: &str = "application/json";

/// A query whose base string is another under each policy but one: `,` and a space in both spellings, and a name twice.
pub(crate) const HARD_QUERY: &str = "/iserver/marketdata/snapshot?fields=84%2C86&conids=8314,265598&q=a+b&q=a%20c&flag";

/// Makes one text of another: a mistake.
pub(crate) type Change = fn(&str) -> String;

/// Names and values in the order sent.
pub(crate) type Pairs = Vec<(String, String)>;

thread_local! {
    static SEEN: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    static LENIENT: Cell<bool> = const { Cell::new(false) };
}

/// What `make` makes, with a broker that is not strict.
pub(crate) fn leniently<T>(make: impl FnOnce() -> T) -> T {
    LENIENT.set(true);
    let result = make();
    LENIENT.set(false);
    result
}

pub(crate) fn builder() -> BrokerBuilder {
    if LENIENT.get() { Broker::builder() } else { Broker::builder().strict() }
}

/// The reasons refused for in this thread since the last call.
pub(crate) fn take_seen() -> Vec<&'static str> {
    SEEN.with_borrow_mut(std::mem::take)
}

/// Notes a reason that this thread's test was refused for.
pub(crate) fn note(reason: &'static str) {
    SEEN.with_borrow_mut(|seen| seen.push(reason));
}

enum Key {
    Rsa,
    Hmac(Vec<u8>),
}

/// A good request, and the broker that waits for it.
pub(crate) struct Good {
    pub(crate) broker: Broker,
    pub(crate) entropy: Scripted,
    pub(crate) now: u64,
    pub(crate) request: Request<Bytes>,
    /// What the client signed, without the secret before it.
    pub(crate) base_string: String,
    /// The secret before it, in hexadecimal; empty where there is none.
    pub(crate) prepend: String,
    pub(crate) policy: QueryPolicy,
    key: Key,
}

pub(crate) fn consumer(placement: ParameterPlacement, policy: QueryPolicy) -> Consumer {
    Consumer::builder(test_keys::CONSUMER_KEY)
        .signature_key(RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap())
        .encryption_key(RsaKey::from_pem(test_keys::ENCRYPTION_KEY).unwrap())
        .dh_params(DhGroup::read(test_keys::DH_PARAMETERS).unwrap())
        .endpoints(Endpoints::new(BASE).unwrap())
        .parameter_placement(placement)
        .query_policy(policy)
        .build()
        .unwrap()
}

/// A broker at which the user is signed in, with an open brokerage session.
pub(crate) fn signed_in() -> BrokerBuilder {
    builder()
        .access_token(TOKEN, SECRET)
        .live_session_token(LIVE_SESSION_TOKEN, Timestamp::from_secs(NOW + 3600))
        .brokerage_session(true)
}

pub(crate) fn json_body() -> ParameterPlacement {
    ParameterPlacement::JsonBody { portal: None }
}

/// `request_token` that the user has consented to, and the verifier for it.
pub(crate) fn consented(broker: &mut Broker, consumer: &Consumer, entropy: &mut Scripted) -> Verifier {
    let mut cx = Context::new(Timestamp::from_secs(NOW), entropy);
    let exchange = consumer.request_token(&mut cx, Callback::OutOfBand).unwrap();
    let response = broker.handle(&mut cx, exchange.request());
    let consent = exchange.complete(response).unwrap();
    let callback = broker.consent(&mut cx, consent.url()).unwrap();
    consent.verifier(&callback).unwrap()
}

impl Good {
    pub(crate) fn request_token(placement: ParameterPlacement) -> Self {
        Self::request_token_at(builder().build().unwrap(), placement)
    }

    pub(crate) fn request_token_at(broker: Broker, placement: ParameterPlacement) -> Self {
        let mut entropy = Scripted::default();
        let mut cx = Context::new(Timestamp::from_secs(NOW), &mut entropy);
        let unsigned =
            consumer(placement, QueryPolicy::Rfc5849).prepare_request_token(&mut cx, Callback::OutOfBand).unwrap();
        Self::rsa(broker, entropy, unsigned, "")
    }

    pub(crate) fn access_token(placement: ParameterPlacement) -> Self {
        let (mut broker, mut entropy) = (builder().build().unwrap(), Scripted::default());
        let consumer = consumer(placement, QueryPolicy::Rfc5849);
        let verifier = consented(&mut broker, &consumer, &mut entropy);
        let mut cx = Context::new(Timestamp::from_secs(NOW), &mut entropy);
        let unsigned = verifier.prepare_access_token(&consumer, &mut cx).unwrap();
        Self::rsa(broker, entropy, unsigned, "")
    }

    pub(crate) fn live_session_token(placement: ParameterPlacement) -> Self {
        let mut entropy = Scripted::default();
        let mut cx = Context::new(Timestamp::from_secs(NOW), &mut entropy);
        let token = UnlockedToken::from_plaintext(TOKEN, Secret::from(SECRET.to_vec()));
        let consumer = consumer(placement, QueryPolicy::Rfc5849);
        let unsigned = token.prepare_live_session_token(&consumer, &mut cx).unwrap();
        Self::rsa(signed_in().build().unwrap(), entropy, unsigned, &"7a".repeat(32))
    }

    fn rsa<T>(broker: Broker, mut entropy: Scripted, unsigned: Unsigned<T>, prepend: &str) -> Self {
        let message = String::from_utf8(unsigned.input().expose_message().to_vec()).unwrap();
        let base_string = message.strip_prefix(prepend).unwrap().to_owned();
        let key = RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap();
        let signature = key.sign(unsigned.input(), &mut entropy).unwrap();
        let (request, _) = unsigned.attach(&signature).unwrap().into_parts();
        let prepend = prepend.to_owned();
        Self { broker, entropy, now: NOW, request, base_string, prepend, policy: QueryPolicy::Rfc5849, key: Key::Rsa }
    }

    /// A protected request without a body.
    pub(crate) fn protected(method: Method, path_and_query: &str) -> Self {
        Self::of_policy(QueryPolicy::Rfc5849, method, path_and_query, None)
    }

    /// A protected request, signed and verified under `policy`.
    pub(crate) fn of_policy(
        policy: QueryPolicy,
        method: Method,
        path_and_query: &str,
        body: Option<(&str, &str)>,
    ) -> Self {
        Self::signed_for(signed_in().query_policy(policy).build().unwrap(), policy, method, path_and_query, body)
    }

    /// A protected request, signed under `policy`, for a broker that may have another.
    pub(crate) fn signed_for(
        broker: Broker,
        policy: QueryPolicy,
        method: Method,
        path_and_query: &str,
        body: Option<(&str, &str)>,
    ) -> Self {
        let consumer = consumer(ParameterPlacement::Header, policy);
        let secret = Secret::from(LIVE_SESSION_TOKEN.to_vec());
        let signer = Signer::from_stored(&consumer, TOKEN, &secret).unwrap();
        Self::by_signer(broker, Scripted::default(), &signer, &LIVE_SESSION_TOKEN, (method, path_and_query), body)
    }

    pub(crate) fn by_signer(
        broker: Broker,
        mut entropy: Scripted,
        signer: &Signer,
        live_session_token: &[u8],
        (method, path_and_query): (Method, &str),
        body: Option<(&str, &str)>,
    ) -> Self {
        let (media_type, content) = body.unwrap_or_default();
        let mut request = Request::new(Bytes::from(content.to_owned()));
        *request.method_mut() = method;
        *request.uri_mut() = signer.consumer().endpoints().url(path_and_query).unwrap();
        request.headers_mut().insert(header::USER_AGENT, signer.consumer().user_agent().clone());
        request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(content.len()));
        if !media_type.is_empty() {
            request.headers_mut().insert(header::CONTENT_TYPE, media_type.parse().unwrap());
        }
        let (head, _) = request.clone().into_parts();
        let form = (media_type == FORM).then_some(content.as_bytes());
        let mut cx = Context::new(Timestamp::from_secs(NOW), &mut entropy);
        if form.is_some() {
            signer.sign_form(&mut cx, &mut request).unwrap();
        } else {
            signer.sign(&mut cx, &mut request).unwrap();
        }
        let carried: AuthorizationHeader = authorization(&request).parse().unwrap();
        let reproduced = signer.sign_with(&head, form, carried.get("oauth_nonce").unwrap(), NOW).unwrap();
        assert_eq!(reproduced.authorization, request.headers()[header::AUTHORIZATION]);
        Self {
            broker,
            entropy,
            now: NOW,
            request,
            base_string: reproduced.base_string,
            prepend: String::new(),
            policy: signer.consumer().query_policy(),
            key: Key::Hmac(live_session_token.to_vec()),
        }
    }

    pub(crate) fn pairs(&self) -> Pairs {
        if self.is_json() {
            let body: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(self.request.body()).unwrap();
            return body.into_iter().map(|(name, value)| (name, value.as_str().unwrap().to_owned())).collect();
        }
        let header: AuthorizationHeader = authorization(&self.request).parse().unwrap();
        header.parameters().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    pub(crate) fn value(&self, name: &str) -> String {
        self.pairs().into_iter().find(|(other, _)| other == name).unwrap().1
    }

    fn is_json(&self) -> bool {
        !self.request.headers().contains_key(header::AUTHORIZATION)
    }

    /// The request with something changed that the signature may or may not cover; the signature stays.
    pub(crate) fn mutated(&self, change: impl FnOnce(&mut Request<Bytes>)) -> Request<Bytes> {
        let mut request = self.request.clone();
        change(&mut request);
        request
    }

    /// The request at another URL.
    pub(crate) fn at(&self, url: &str) -> Request<Bytes> {
        self.mutated(|request| *request.uri_mut() = url.parse().unwrap())
    }

    /// The request with the text of its `Authorization` header changed.
    pub(crate) fn rewritten(&self, change: impl FnOnce(&str) -> String) -> Request<Bytes> {
        self.mutated(|request| {
            let text = change(&authorization(&self.request));
            request.headers_mut().insert(header::AUTHORIZATION, HeaderValue::try_from(text).unwrap());
        })
    }

    /// The request with its OAuth parameters changed; the signature stays.
    pub(crate) fn altered(&self, change: impl FnOnce(&mut Pairs)) -> Request<Bytes> {
        let mut pairs = self.pairs();
        change(&mut pairs);
        self.carrying(&pairs)
    }

    /// The request with its OAuth parameters changed and signed anew, so that nothing else is wrong with it.
    pub(crate) fn resigned(&self, change: impl FnOnce(&mut Pairs)) -> Request<Bytes> {
        let mut pairs = self.pairs();
        change(&mut pairs);
        let signed: Vec<(&str, &str)> = pairs
            .iter()
            .filter(|(name, _)| name != "oauth_signature")
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let is_form = self.request.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == FORM);
        let form = is_form.then_some(&**self.request.body());
        let base_string = self.policy.base_string(self.request.method(), self.request.uri(), &signed, form).unwrap();
        let signature = self.signature(&format!("{}{base_string}", self.prepend));
        for (_, value) in pairs.iter_mut().filter(|(name, _)| name == "oauth_signature") {
            value.clone_from(&signature);
        }
        self.carrying(&pairs)
    }

    /// The request signed over another text than it should be.
    pub(crate) fn signing(&self, text: &str) -> Request<Bytes> {
        self.with_signature(&self.signature(text))
    }

    pub(crate) fn with_signature(&self, signature: &str) -> Request<Bytes> {
        self.altered(|pairs| set(pairs, "oauth_signature", signature))
    }

    fn signature(&self, message: &str) -> String {
        match &self.key {
            Key::Rsa => rsa_signature(test_keys::SIGNATURE_KEY, message),
            Key::Hmac(key) => hmac_signature(key, message),
        }
    }

    fn carrying(&self, pairs: &Pairs) -> Request<Bytes> {
        if self.is_json() {
            let fields: Vec<String> = pairs.iter().map(|(name, value)| format!("{name:?}:{value:?}")).collect();
            return self.mutated(|request| *request.body_mut() = Bytes::from(format!("{{{}}}", fields.join(","))));
        }
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.rewritten(|_| AuthorizationHeader::new(Some("limited_poa"), &pairs).to_string())
    }

    pub(crate) fn send(&mut self, request: &Request<Bytes>) -> Response<Bytes> {
        self.broker.handle(&mut Context::new(Timestamp::from_secs(self.now), &mut self.entropy), request)
    }

    /// The broker refuses `request` for `reason` and no other.
    pub(crate) fn turns_down(&mut self, reason: &'static str, request: &Request<Bytes>) -> Refusal {
        let before = self.broker.refusals().len();
        let response = self.send(request);
        assert!(!response.status().is_success(), "{reason:?}: {response:?} to {request:?}");
        let refusal = self.broker.refusals()[before..].last().unwrap().clone();
        assert_eq!(refusal.reason, reason, "{refusal}");
        note(reason);
        refusal
    }

    /// The broker takes `request`, different as it may be.
    pub(crate) fn takes(&mut self, request: &Request<Bytes>) {
        let response = self.send(request);
        assert!(response.status().is_success(), "{response:?}: {:?}", self.broker.refusals().last());
    }

    /// The broker still takes the good request.
    pub(crate) fn still_taken(mut self) {
        let request = self.request.clone();
        self.takes(&request);
    }

    /// The broker refuses `request` for `reason`, then takes the good one: it was good but for what was changed, and
    /// the refusal left no trace.
    pub(crate) fn refuses(mut self, reason: &'static str, request: &Request<Bytes>) -> Refusal {
        let refusal = self.turns_down(reason, request);
        self.still_taken();
        refusal
    }

    /// The broker refuses the signature over `text`, having expected what the client signed at first.
    pub(crate) fn misses_signature_over(self, text: &str) -> Refusal {
        assert_ne!(text, format!("{}{}", self.prepend, self.base_string), "nothing was changed");
        let (expected, request) = (self.base_string.clone(), self.signing(text));
        let refusal = self.refuses("signature_differs", &request);
        assert_eq!(refusal.expected_base_string.as_deref(), Some(expected.as_str()));
        refusal
    }
}

pub(crate) fn authorization(request: &Request<Bytes>) -> String {
    request.headers()[header::AUTHORIZATION].to_str().unwrap().to_owned()
}

pub(crate) fn set(pairs: &mut Pairs, name: &str, value: &str) {
    value.clone_into(&mut pairs.iter_mut().find(|(other, _)| other == name).unwrap().1);
}

pub(crate) fn rsa_signature(pem: &str, message: &str) -> String {
    let key = PrivateKey::from_pkcs8_pem(pem).unwrap();
    STANDARD.encode(key.pkcs1v15_sign::<Sha256>(message.as_bytes()).unwrap())
}

pub(crate) fn hmac_signature(key: &[u8], message: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(message.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The refusal's line names the mistake.
pub(crate) fn names(refusal: &Refusal, mistake: &str) {
    let said = refusal.to_string();
    assert!(said.contains(&format!("; cause: {mistake}")), "{said}");
}

/// No mistake is named.
pub(crate) fn names_nothing(refusal: &Refusal) {
    assert!(!refusal.to_string().contains("; cause: "), "{refusal}");
}
