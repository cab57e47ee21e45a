//! A signature as one writes it without a thought of speed, with the dependencies of `ibkr-oauth`: strings, a vector of
//! pairs, `format!`, and a new key each time.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderValue, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::Sha256;

use crate::{
    requests::{CONSUMER_KEY, LIVE_SESSION_TOKEN, NOW, Sample, TOKEN},
    signing::Nonces,
};

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(crate) fn signer(sample: &Sample) -> impl FnMut() -> HeaderValue + 'static {
    let (sample, mut nonces) = (sample.clone(), Nonces::new());
    move || {
        let mut digits = [0; 32];
        let nonce = nonces.draw(&mut digits);
        sign(sample.parts.method.as_str(), &sample.parts.uri, sample.form.as_deref().unwrap_or_default(), nonce)
    }
}

fn sign(method: &str, uri: &Uri, form: &str, nonce: &str) -> HeaderValue {
    let mut oauth = vec![
        ("oauth_consumer_key".to_owned(), CONSUMER_KEY.to_owned()),
        ("oauth_nonce".to_owned(), nonce.to_owned()),
        ("oauth_signature_method".to_owned(), "HMAC-SHA256".to_owned()),
        ("oauth_timestamp".to_owned(), NOW.as_secs().to_string()),
        ("oauth_token".to_owned(), TOKEN.to_owned()),
    ];
    let mut parameters = pairs(uri.query().unwrap_or_default());
    parameters.extend(pairs(form));
    parameters.extend(oauth.clone());
    let mut encoded: Vec<(String, String)> =
        parameters.iter().map(|(name, value)| (encode(name), encode(value))).collect();
    encoded.sort();
    let normalized: Vec<String> = encoded.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let base_uri =
        format!("{}://{}{}", uri.scheme_str().unwrap_or_default(), uri.host().unwrap_or_default(), uri.path());
    let base_string = format!("{method}&{}&{}", encode(&base_uri), encode(&normalized.join("&")));

    let key = Hmac::<Sha256>::new_from_slice(&LIVE_SESSION_TOKEN).unwrap();
    let signature = STANDARD.encode(key.chain_update(base_string).finalize().into_bytes());
    oauth.push(("oauth_signature".to_owned(), signature));
    let header: Vec<String> = oauth.iter().map(|(name, value)| format!("{name}=\"{}\"", encode(value))).collect();
    HeaderValue::from_str(&format!("OAuth realm=\"test_realm\", {}", header.join(", "))).unwrap()
}

fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (decode(name), decode(value))).collect()
}

fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8().unwrap().into_owned()
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}
