//! Signatures of protected requests: ours, the limit, and the peers.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderValue;
use ibkr_oauth::{Context, Entropy};
use sha1::Sha1;

use crate::authorization_header::AuthorizationHeader;
use crate::{
    contender::{Comparison, Contender, OURS},
    oauth1_peers, plain_code,
    requests::{self, LIVE_SESSION_TOKEN, NOW, Sample, SeededEntropy},
};

pub(crate) fn comparisons() -> Vec<Comparison> {
    let names = ["signing a GET", "signing a GET with 30 parameters", "signing a form POST"];
    Sample::all().into_iter().zip(names).map(|(sample, name)| comparison(name, sample)).collect()
}

fn comparison(name: &'static str, sample: Sample) -> Comparison {
    let mut contenders = vec![limit(&sample), ours(sample.clone())];
    contenders.extend([
        checked("oauth1-request", &sample, oauth1_peers::oauth1_request(&sample)),
        checked("oauth1-request-ios", &sample, oauth1_peers::oauth1_request_ios(&sample)),
        checked("reqwest-oauth1", &sample, oauth1_peers::reqwest_oauth1(&sample)),
        Contender::new("reqwest, unsigned", oauth1_peers::reqwest(&sample)),
        checked("plain code", &sample, plain_code::signer(&sample)),
    ]);
    Comparison { name, contenders }
}

/// Forms of a parameter to ten thousand.
pub(crate) fn growth() -> Comparison {
    let sizes = [1, 10, 100, 1000, 10_000];
    let contenders = sizes.map(|size| signed(&size.to_string(), Sample::form_of(size))).into();
    Comparison { name: "form parameters", contenders }
}

/// Clones the keyed HMAC, and runs it over a base string that is there already.
fn limit(sample: &Sample) -> Contender {
    let (signer, key) = (requests::signer(), requests::keyed_hmac());
    let base_string = requests::base_string(&signer, &sample.parts, sample.form());
    Contender::new("the HMAC alone", move || key.clone().chain_update(&base_string).finalize())
}

pub(crate) fn ours(sample: Sample) -> Contender {
    signed(OURS, sample)
}

fn signed(name: &str, sample: Sample) -> Contender {
    let (signer, mut rng) = (requests::signer(), SeededEntropy(1));
    let mut header = {
        let mut sample = sample.clone();
        move || {
            let form = sample.form.as_ref().map(String::as_bytes);
            requests::sign(&signer, &mut Context::new(NOW, &mut rng), &mut sample.parts, form)
        }
    };
    check(name, &sample, &header());
    Contender::new(name, header)
}

/// A contender whose headers are right.
fn checked(name: &'static str, sample: &Sample, mut header: impl FnMut() -> HeaderValue + 'static) -> Contender {
    for _ in 0..100 {
        check(name, sample, &header());
    }
    Contender::new(name, header)
}

/// The signature in `header` is that of `sample`, by the plain way to the base string.
fn check(name: &str, sample: &Sample, header: &HeaderValue) {
    // Some write no blank behind a comma, which is as good. No value has a comma.
    let header = header.to_str().unwrap().replace(", ", ",").replace(',', ", ");
    let header: AuthorizationHeader = header.parse().unwrap();
    let get = |parameter| header.get(parameter).unwrap();
    let (nonce, timestamp) = (get("oauth_nonce"), get("oauth_timestamp").parse().unwrap());
    let expected = requests::signer().sign_with(&sample.parts, sample.form(), nonce, timestamp).unwrap();
    let signature = match get("oauth_signature_method") {
        "HMAC-SHA1" => {
            // As `reqwest-oauth1` has it. Cheaper than SHA-256, so that nothing is taken from it.
            let base_string = expected.base_string.replace("HMAC-SHA256", "HMAC-SHA1");
            let key = Hmac::<Sha1>::new_from_slice(&LIVE_SESSION_TOKEN).unwrap();
            STANDARD.encode(key.chain_update(base_string).finalize().into_bytes())
        }
        _ => expected.signature,
    };
    assert_eq!(get("oauth_signature"), signature, "{name}, {}", sample.name);
    assert_eq!(header.realm(), Some("test_realm"), "{name}");
}

/// A nonce for peers who want one, from the same cheap generator: drawing random numbers is not what is compared.
#[derive(Debug)]
pub(crate) struct Nonces(SeededEntropy);

impl Nonces {
    pub(crate) const fn new() -> Self {
        Self(SeededEntropy(1))
    }

    /// 32 hexadecimal digits, without an allocation.
    pub(crate) fn draw<'a>(&mut self, digits: &'a mut [u8; 32]) -> &'a str {
        let mut bytes = [0; 16];
        self.0.fill(&mut bytes).unwrap();
        for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
            pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
            pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
        }
        std::str::from_utf8(digits).unwrap()
    }
}
