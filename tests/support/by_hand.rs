//! Requests signed by hand: a third implementation beside the client and the broker, for tests of the broker alone.

#![allow(dead_code, reason = "each test file uses a part")]

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use ibkr_oauth::{
    Context, Entropy, EntropyError, Timestamp,
    simulator::{Broker, test_keys},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rsa::{PrivateKey, pkcs8::DecodePrivateKey};
use serde_json::Value;
use sha2::Sha256;

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(crate) const BASE: &str = "https://api.ibkr.com/v1/api";

/// Gives out the bytes it was made of; after that, a count.
pub(crate) struct Script {
    bytes: Vec<u8>,
    given: usize,
}

impl Script {
    pub(crate) fn of_hex(hex: &str) -> Self {
        Self { bytes: unhex(hex), given: 0 }
    }

    pub(crate) fn counting() -> Self {
        Self { bytes: Vec::new(), given: 0 }
    }
}

impl Entropy for Script {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        for byte in destination {
            *byte = self.bytes.get(self.given).copied().unwrap_or_else(|| u8::try_from(self.given % 251).unwrap());
            self.given += 1;
        }
        Ok(())
    }
}

pub(crate) fn vectors() -> Value {
    serde_json::from_str(include_str!("../data/vectors.json")).unwrap()
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    let even = if hex.len().is_multiple_of(2) { hex.to_owned() } else { format!("0{hex}") };
    (0..even.len()).step_by(2).map(|at| u8::from_str_radix(&even[at..at + 2], 16).unwrap()).collect()
}

pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// A request as a client would send it: with User-Agent and, for a POST, Content-Length.
pub(crate) fn request(method: &str, url: &str, authorization: &str, body: Option<(&str, &str)>) -> Request<Bytes> {
    let mut builder = Request::builder()
        .method(method)
        .uri(url)
        .header("user-agent", "by-hand/1")
        .header("authorization", authorization);
    let (media_type, content) = body.unwrap_or_default();
    if method == "POST" {
        builder = builder.header("content-length", content.len());
    }
    if !media_type.is_empty() {
        builder = builder.header("content-type", media_type);
    }
    builder.body(Bytes::from(content.to_owned())).unwrap()
}

pub(crate) fn header(realm: &str, pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!(", {name}=\"{}\"", encode(value)));
    format!("OAuth realm=\"{realm}\"{}", pairs.collect::<String>())
}

/// The base string by RFC 5849 of a request whose URL has no query.
pub(crate) fn base_string(method: &str, url: &str, pairs: &[(&str, &str)]) -> String {
    let mut encoded: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    encoded.sort();
    format!("{method}&{}&{}", encode(url), encode(&encoded.join("&")))
}

pub(crate) fn rsa_signature(message: &str) -> String {
    let key = PrivateKey::from_pkcs8_pem(test_keys::SIGNATURE_KEY).unwrap();
    STANDARD.encode(key.pkcs1v15_sign::<Sha256>(message.as_bytes()).unwrap())
}

pub(crate) fn hmac_signature(live_session_token: &[u8], message: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(live_session_token).unwrap();
    mac.update(message.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// One of the sign-in's requests, signed with the test keys; `prepend` is the opened secret in hexadecimal, or nothing.
pub(crate) fn sign_in(url: &str, realm: &str, prepend: &str, pairs: &[(&str, &str)]) -> Request<Bytes> {
    let mut pairs = pairs.to_vec();
    pairs.push(("oauth_signature_method", "RSA-SHA256"));
    let signature = rsa_signature(&format!("{prepend}{}", base_string("POST", url, &pairs)));
    pairs.push(("oauth_signature", &signature));
    request("POST", url, &header(realm, &pairs), None)
}

/// A protected request without query and form.
pub(crate) fn protected(
    (method, url): (&str, &str),
    live_session_token: &[u8],
    pairs: &[(&str, &str)],
    body: Option<(&str, &str)>,
) -> Request<Bytes> {
    let mut pairs = pairs.to_vec();
    pairs.push(("oauth_signature_method", "HMAC-SHA256"));
    let signature = hmac_signature(live_session_token, &base_string(method, url, &pairs));
    pairs.push(("oauth_signature", &signature));
    request(method, url, &header("limited_poa", &pairs), body)
}

/// Handles one request at a time given in seconds; the answer's status and body.
pub(crate) fn handle(
    broker: &mut Broker,
    seconds: u64,
    entropy: &mut Script,
    request: &Request<Bytes>,
) -> (u16, Value) {
    let response = broker.handle(&mut Context::new(Timestamp::from_secs(seconds), entropy), request);
    let body = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
    (response.status().as_u16(), body)
}
