//! Every reader of replies.
//!
//! The first byte of the input chooses the exchange, the next two the status; the rest is the body. For the live session
//! token the body is also taken as the text of the broker's public number, with the proof that belongs to it.

use std::fmt::Debug;

use bytes::Bytes;
use http::Response;
use ibkr_oauth::{
    AccessToken, Callback, Compete, Consent, Context, Entropy, EntropyError, Error, ErrorKind, Exchange, Stage,
    session::Snapshot,
};
use num_bigint::BigUint;

use crate::simulation::{self, CONSUMER, Half, LimitedEntropy, NOW, P};

pub fn run(data: &[u8]) {
    let [step, high, low, body @ ..] = data else { return };
    // Most replies are of status 200.
    let status = if *high >= 4 { 200 } else { 100 + u16::from_be_bytes([*high, *low]) % 900 };
    let response = |body: Bytes| Response::builder().status(status).body(body).expect("100 to 999");
    let body = Bytes::copy_from_slice(body);
    let mut rng = LimitedEntropy::new(1);
    let mut cx = Context::new(NOW, &mut rng);
    let signer = simulation::signer(&CONSUMER);
    let reply = response(body.clone());
    if let Some(error) = Error::from_response(&reply) {
        assert!(!reply.status().is_success() || body.trim_ascii_start().starts_with(b"{"), "{error:?}");
        check(&error, Stage::Transport, status);
    }
    match step % 8 {
        0 => {
            if let Some(consent) = read(CONSUMER.request_token(&mut cx, Callback::OutOfBand), reply) {
                assert!(!consent.request_token().is_empty() && consent.request_token().is_ascii());
                let stored = serde_json::to_string(&consent).expect("it is text");
                assert_eq!(serde_json::from_str::<Consent>(&stored).expect("what we write"), consent);
            }
        }
        1 => {
            let stored = r#"{"request_token":"t","url":"https://h/?oauth_token=t"}"#;
            let consent: Consent = serde_json::from_str(stored).expect("a consent");
            let verifier = consent.verifier("?oauth_token=t&oauth_verifier=v").expect("a verifier");
            if let Some(token) = read(verifier.access_token(&CONSUMER, &mut cx), reply) {
                assert!(token.token().bytes().all(|byte| byte.is_ascii_graphic()) && !token.token().is_empty());
                assert!(!token.encrypted_secret().is_empty());
                let stored = serde_json::to_string(&token).expect("it is text");
                assert_eq!(serde_json::from_str::<AccessToken>(&stored).expect("what we write"), token);
            }
        }
        2 => {
            // A proof cannot be guessed.
            assert!(read(simulation::unlocked().live_session_token(&CONSUMER, &mut cx), reply).is_none());
        }
        3 => drop(read(signer.brokerage().open(&mut cx, Compete::Take), reply)),
        4 => drop(read(signer.brokerage().status(&mut cx), reply)),
        5 => {
            if let Some(tickle) = read(signer.brokerage().tickle(&mut cx), reply)
                && let Ok(upgrade) = signer.brokerage().web_socket(&mut cx, &tickle)
            {
                assert!(upgrade.headers().values().all(|value| !value.as_bytes().contains(&b'\n')));
                assert!(upgrade.headers()[http::header::COOKIE].is_sensitive());
            }
        }
        6 => drop(read(signer.brokerage().logout(&mut cx), reply)),
        _ => {
            if let Ok(text) = std::str::from_utf8(&body) {
                public_number(text);
                drop(serde_json::from_str::<Snapshot>(text));
            }
        }
    }
}

fn read<T: Debug>(exchange: Result<Exchange<T>, Error>, response: Response<Bytes>) -> Option<T> {
    let (_, pending) = exchange.expect("the request can be made").into_parts();
    let (stage, status) = (pending.stage(), response.status().as_u16());
    match pending.complete(response) {
        Ok(value) => {
            assert!((200..300).contains(&status), "{status} became {value:?}");
            Some(value)
        }
        Err(error) => {
            check(&error, stage, status);
            None
        }
    }
}

fn check(error: &Error, stage: Stage, status: u16) {
    assert_eq!(error.stage(), stage, "{error:?}");
    assert_eq!(error.status().map(|status| status.as_u16()), Some(status), "{error:?}");
    assert_ne!(error.kind(), ErrorKind::Config, "a reply is not the program's fault: {error:?}");
    assert!(!error.remedy().is_empty(), "{error:?}");
    let detail = error.detail().unwrap_or_default();
    assert!(detail.chars().count() <= 600, "{} characters", detail.chars().count());
    for text in [detail, error.remedy(), &error.to_string(), &format!("{error:?}")] {
        assert!(!text.contains(char::is_control), "{text:?}");
        assert!(text.chars().count() <= 4000, "{} characters: {text}", text.chars().count());
    }
}

/// Gives out the exponent first.
struct Rigged(Option<[u8; 32]>, LimitedEntropy);

impl Entropy for Rigged {
    fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
        match self.0.take_if(|exponent| exponent.len() == destination.len()) {
            Some(exponent) => destination.copy_from_slice(&exponent),
            None => self.1.fill(destination)?,
        }
        Ok(())
    }
}

/// The text as the broker's public number, with a proof made by other arithmetic: accepted where it is a number within
/// the range, and nowhere else; and then both sides have the same token.
fn public_number(text: &str) {
    let exponent = *b"the client's secret exponent....";
    let mut rng = Rigged(Some(exponent), LimitedEntropy::new(2));
    let exchange =
        simulation::unlocked().live_session_token(&CONSUMER, &mut Context::new(NOW, &mut rng)).expect("made");
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = BigUint::parse_bytes(text.as_bytes(), 16).filter(|_| digits).unwrap_or_default();
    let half = Half::of(text.to_owned(), &number.modpow(&BigUint::from_bytes_be(&exponent), &P));
    let body = serde_json::json!({
        "diffie_hellman_response": half.response,
        "live_session_token_signature": half.proof.to_uppercase(),
    });
    let response = Response::new(Bytes::from(body.to_string()));
    let usable = number >= BigUint::from(2_u8) && number <= &*P - 2_u8;
    match exchange.complete(response) {
        Ok(live) => assert!(usable && live.secret().expose() == half.live_session_token, "{text}"),
        Err(error) => {
            assert!(!usable, "{text}: {error:?}");
            assert!(matches!(error.kind(), ErrorKind::Unverified | ErrorKind::Malformed));
        }
    }
}
