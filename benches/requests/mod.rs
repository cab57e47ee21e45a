//! What the benchmarks share: the requests that are signed, and random numbers that are cheap and never repeat.
#![allow(clippy::mod_module_files, reason = "a file of its own in `benches` would be a benchmark")]
#![allow(dead_code, reason = "not every benchmark uses all of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark may fail")]

use std::fmt::Write;

use hmac::{Hmac, KeyInit};
use http::{HeaderValue, Method, Request, header, request::Parts};
use ibkr_oauth::{Consumer, Context, Secret, Signer, Timestamp};
use sha2::Sha256;

#[path = "../../tests/support/seeded_entropy.rs"]
mod seeded_entropy;

/// With a constant nonce, the processor would learn to predict one signature.
pub(crate) use self::seeded_entropy::SeededEntropy;

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

/// The GET of which all ratios are.
pub(crate) const SNAPSHOT: &str =
    "https://api.ibkr.com/v1/api/iserver/marketdata/snapshot?conids=265598,8314&fields=31,84,86";

pub(crate) const CONSUMER_KEY: &str = "TESTCONS";
pub(crate) const TOKEN: &str = "218c1d970d85a8442825";
/// It has the shape of a client secret, a `&` and a token secret, for peers that make their key of those.
pub(crate) const LIVE_SESSION_TOKEN: [u8; 20] = *b"live_session&token20";

pub(crate) fn signer() -> Signer {
    let consumer = Consumer::builder(CONSUMER_KEY).build().unwrap();
    Signer::from_stored(&consumer, TOKEN, &Secret::from(LIVE_SESSION_TOKEN.as_slice())).unwrap()
}

/// The limit: a MAC that is keyed already, to be cloned for each signature.
pub(crate) fn keyed_hmac() -> Hmac<Sha256> {
    Hmac::new_from_slice(&LIVE_SESSION_TOKEN).unwrap()
}

pub(crate) fn get(url: &str) -> Parts {
    Request::get(url).header(header::USER_AGENT, "bench").body(()).unwrap().into_parts().0
}

fn post_form(url: &str) -> Parts {
    let mut parts = get(url);
    parts.method = Method::POST;
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    parts
}

/// A request that is signed.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) parts: Parts,
    pub(crate) form: Option<String>,
}

impl Sample {
    /// The GET of which all ratios are, one with thirty parameters, and a form.
    pub(crate) fn all() -> [Self; 3] {
        let fields: Vec<String> =
            (0..30).map(|index| format!("field{:02}={},{index}", index * 7 % 30, 31 + index)).collect();
        let thirty = format!("https://api.ibkr.com/v1/api/iserver/marketdata/history?{}", fields.join("&"));
        let order = "conid=265598&orderType=LMT&price=182.50&quantity=100&side=BUY&tif=GTC&cOID=an%20order%2C%20new";
        [
            Self { name: "GET", parts: get(SNAPSHOT), form: None },
            Self { name: "GET with 30 parameters", parts: get(&thirty), form: None },
            Self {
                name: "form POST",
                parts: post_form("https://api.ibkr.com/v1/api/iserver/account/DU1234567/orders"),
                form: Some(order.to_owned()),
            },
        ]
    }

    /// A form with so many parameters, none twice, in no order.
    pub(crate) fn form_of(parameters: u64) -> Self {
        let mut form = String::new();
        for index in 0..parameters {
            let name = index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            write!(form, "{name:016x}={index}%2C&").unwrap();
        }
        let parts = post_form("https://api.ibkr.com/v1/api/iserver/account/DU1234567/orders");
        Self { name: "form", parts, form: Some(form) }
    }

    pub(crate) fn form(&self) -> Option<&[u8]> {
        self.form.as_ref().map(String::as_bytes)
    }
}

/// Signs the head of a request, which is as it was afterwards, and returns the header's value.
pub(crate) fn sign(signer: &Signer, cx: &mut Context<'_>, parts: &mut Parts, form: Option<&[u8]>) -> HeaderValue {
    signer.sign_parts(cx, parts, form).unwrap();
    parts.headers.remove(header::AUTHORIZATION).unwrap()
}

/// The base string that leads to a signature of the usual length.
pub(crate) fn base_string(signer: &Signer, parts: &Parts, form: Option<&[u8]>) -> String {
    signer.sign_with(parts, form, "00112233445566778899aabbccddeeff", NOW.as_secs()).unwrap().base_string
}
