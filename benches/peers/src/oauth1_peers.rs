//! Other OAuth 1.0a crates, each used as its documentation has it. They get what `ibkr-oauth` gets, the head of a request
//! and perhaps a form, and lead to a `HeaderValue`. Their nonces are as cheap as ours, and their clock stands still.

use std::{
    borrow::Cow,
    fmt::{self, Display, Write},
    num::NonZeroU64,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderValue, Uri};
use oauth1_request::signature_method::{Sign, SignatureMethod};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use reqwest::Url;
use reqwest_oauth1::{OAuthParameters, Secrets};
use sha2::Sha256;

use crate::{
    requests::{CONSUMER_KEY, NOW, Sample, TOKEN},
    signing::Nonces,
};

/// The halves of the live session token of these benchmarks.
const CLIENT_SECRET: &str = "live_session";
const TOKEN_SECRET: &str = "token20";

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn timestamp() -> Option<NonZeroU64> {
    NonZeroU64::new(NOW.as_secs())
}

/// The parameters, decoded: these crates want them apart from the URI.
fn pairs(sample: &Sample) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    let text = sample.form.as_deref().or(sample.parts.uri.query()).unwrap_or_default();
    form_urlencoded::parse(text.as_bytes()).collect()
}

/// A URI without its query.
struct BaseUri<'a>(&'a Uri);

impl Display for BaseUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(scheme), Some(authority)) = (self.0.scheme_str(), self.0.authority()) else { return Err(fmt::Error) };
        for part in [scheme, "://", authority.as_str(), self.0.path()] {
            f.write_str(part)?;
        }
        Ok(())
    }
}

/// The header with the realm, which the broker asks for and these crates do not write.
fn with_realm(mut header: String) -> HeaderValue {
    header.insert_str("OAuth ".len(), "realm=\"test_realm\",");
    HeaderValue::try_from(header).unwrap()
}

/// `oauth1-request`, with HMAC-SHA256 plugged in.
pub(crate) fn oauth1_request(sample: &Sample) -> impl FnMut() -> HeaderValue + 'static {
    use oauth1_request::{Builder, Credentials, ParameterList};

    let (sample, mut nonces) = (sample.clone(), Nonces::new());
    move || {
        let mut digits = [0; 32];
        let mut builder = Builder::new(Credentials::new(CONSUMER_KEY, CLIENT_SECRET), HmacSha256);
        builder.token(Credentials::new(TOKEN, TOKEN_SECRET));
        builder.nonce(nonces.draw(&mut digits)).timestamp(timestamp());
        let (method, parameters) = (sample.parts.method.as_str(), ParameterList::new(pairs(&sample)));
        with_realm(builder.into_authorization(method, BaseUri(&sample.parts.uri), &parameters))
    }
}

/// `oauth1-request-ios`, with its own HMAC-SHA256.
pub(crate) fn oauth1_request_ios(sample: &Sample) -> impl FnMut() -> HeaderValue + 'static {
    use oauth1_request_ios::{Builder, Credentials, HMAC_SHA256, ParameterList};

    let (sample, mut nonces) = (sample.clone(), Nonces::new());
    move || {
        let mut digits = [0; 32];
        let mut builder = Builder::new(Credentials::new(CONSUMER_KEY, CLIENT_SECRET), HMAC_SHA256);
        builder.token(Credentials::new(TOKEN, TOKEN_SECRET));
        builder.nonce(nonces.draw(&mut digits)).timestamp(timestamp());
        let (method, parameters) = (sample.parts.method.as_str(), ParameterList::new(pairs(&sample)));
        with_realm(builder.into_authorization(method, BaseUri(&sample.parts.uri), &parameters))
    }
}

/// `reqwest-oauth1`, with its HMAC-SHA1. It signs only what it builds itself, so that the building counts too: query and
/// form are given to it as they are to `reqwest`.
pub(crate) fn reqwest_oauth1(sample: &Sample) -> impl FnMut() -> HeaderValue + 'static {
    let (client, mut nonces) = (reqwest_oauth1::Client::new(), Nonces::new());
    let (sample, address) = (sample.clone(), BaseUri(&sample.parts.uri).to_string());
    move || {
        let mut digits = [0; 32];
        let secrets = Secrets::new(CONSUMER_KEY, CLIENT_SECRET).token(TOKEN, TOKEN_SECRET);
        let parameters =
            OAuthParameters::new().realm("test_realm").nonce(nonces.draw(&mut digits)).timestamp(NOW.as_secs());
        let builder = client.request(sample.parts.method.clone(), address.as_str());
        let pairs = pairs(&sample);
        let builder = if sample.form.is_some() { builder.form(&pairs) } else { builder.query(&pairs) };
        let signed = builder.sign_with_params(secrets, parameters).generate_signature().unwrap();
        signed.build().unwrap().headers_mut().remove(http::header::AUTHORIZATION).unwrap()
    }
}

/// What of that is not signing: `reqwest` builds the same request.
pub(crate) fn reqwest(sample: &Sample) -> impl FnMut() -> Url + 'static {
    let client = reqwest::Client::new();
    let (sample, address) = (sample.clone(), BaseUri(&sample.parts.uri).to_string());
    move || {
        let builder = client.request(sample.parts.method.clone(), address.as_str());
        let pairs = pairs(&sample);
        let builder = if sample.form.is_some() { builder.form(&pairs) } else { builder.query(&pairs) };
        builder.build().unwrap().url().clone()
    }
}

/// The signature method that `oauth1-request` lacks, made as its own HMAC-SHA1 is: keyed when it signs.
struct HmacSha256;

impl SignatureMethod for HmacSha256 {
    type Sign = Signing;

    fn sign_with(self, client_secret: &str, token_secret: Option<&str>) -> Signing {
        let mut key = Vec::with_capacity(64);
        key.extend(percent_encode(client_secret.as_bytes(), RESERVED).flat_map(str::bytes));
        key.push(b'&');
        key.extend(percent_encode(token_secret.unwrap_or_default().as_bytes(), RESERVED).flat_map(str::bytes));
        Signing(Hmac::new_from_slice(&key).unwrap())
    }
}

struct Signing(Hmac<Sha256>);

impl Sign for Signing {
    type Signature = EncodedBase64;

    fn get_signature_method_name(&self) -> &'static str {
        "HMAC-SHA256"
    }

    fn request_method(&mut self, method: &str) {
        self.0.update(method.as_bytes());
        self.0.update(b"&");
    }

    fn uri<T: Display>(&mut self, uri: T) {
        write!(Absorbing(&mut self.0), "{uri}&").unwrap();
    }

    fn parameter<V: Display>(&mut self, key: &str, value: V) {
        self.0.update(key.as_bytes());
        self.0.update(b"%3D");
        write!(Absorbing(&mut self.0), "{value}").unwrap();
    }

    fn delimiter(&mut self) {
        self.0.update(b"%26");
    }

    fn end(self) -> EncodedBase64 {
        let mut characters = [0; 44];
        STANDARD.encode_slice(self.0.finalize().into_bytes(), &mut characters).unwrap();
        EncodedBase64(characters)
    }
}

struct Absorbing<'a>(&'a mut Hmac<Sha256>);

impl Write for Absorbing<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

struct EncodedBase64([u8; 44]);

impl Display for EncodedBase64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        percent_encode(&self.0, RESERVED).fmt(f)
    }
}
