//! Keys that live elsewhere: in an HSM behind a trait, or with somebody who answers later.

use std::{
    error::Error as _,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::fixture::{self, NOW, SeededEntropy, complete};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ibkr_oauth::{
    Callback, Consent, Consumer, Context, Entropy, EntropyError, Error, ErrorKind, Exchange, Secret, Stage,
    UnlockedToken,
    dh::DhGroup,
    exchange::Unsigned,
    key::{DecryptionKey, RsaKey, SigningInput, SigningKey},
    simulator::{Broker, test_keys},
};

/// A key store that does both works, or refuses both.
#[derive(Debug)]
struct Hsm {
    signing: RsaKey,
    decryption: RsaKey,
    calls: AtomicUsize,
    locked: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Locked {
    slot: u8,
}

impl fmt::Display for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot {} is locked", self.slot)
    }
}

impl std::error::Error for Locked {}

impl Hsm {
    fn new(locked: bool) -> Self {
        Self {
            signing: RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap(),
            decryption: RsaKey::from_pem(test_keys::ENCRYPTION_KEY).unwrap(),
            calls: AtomicUsize::new(0),
            locked,
        }
    }

    fn enter(&self) -> Result<(), Error> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let refused = || Error::key_refused(Locked { slot: 7 }).with_remedy("enter the slot's PIN");
        if self.locked { Err(refused()) } else { Ok(()) }
    }
}

impl SigningKey for Hsm {
    fn sign(&self, input: &SigningInput, entropy: &mut dyn Entropy) -> Result<Vec<u8>, Error> {
        self.enter()?;
        self.signing.sign(input, entropy)
    }
}

impl DecryptionKey for Hsm {
    fn decrypt(&self, ciphertext: &[u8], entropy: &mut dyn Entropy) -> Result<Secret, Error> {
        self.enter()?;
        self.decryption.decrypt(ciphertext, entropy)
    }
}

fn group() -> DhGroup {
    DhGroup::read(test_keys::DH_PARAMETERS).unwrap()
}

fn keyless() -> Consumer {
    Consumer::builder(test_keys::CONSUMER_KEY).dh_params(group()).build().unwrap()
}

/// The whole sign-in, with the keys that the consumer has.
fn sign_in(consumer: &Consumer, broker: &mut Broker) -> Result<(), Error> {
    let mut rng = SeededEntropy(1);
    let exchange = consumer.request_token(&mut Context::new(NOW, &mut rng), Callback::OutOfBand)?;
    let consent = complete(broker, &mut rng, exchange)?;
    let callback = broker.consent(&mut Context::new(NOW, &mut rng), consent.url()).unwrap();
    let verifier = consent.verifier(&callback)?;
    let exchange = verifier.access_token(consumer, &mut Context::new(NOW, &mut rng))?;
    let token = complete(broker, &mut rng, exchange)?;
    let token = consumer.unlock(&mut Context::new(NOW, &mut rng), &token)?;
    let exchange = token.live_session_token(consumer, &mut Context::new(NOW, &mut rng))?;
    complete(broker, &mut rng, exchange).map(drop)
}

#[test]
fn a_key_store_signs_in_owned_shared_and_behind_a_trait_object() {
    let hsm = Arc::new(Hsm::new(false));
    let (signing, decryption): (Arc<dyn SigningKey>, Arc<dyn DecryptionKey>) = (hsm.clone(), hsm.clone());
    let builder = || Consumer::builder(test_keys::CONSUMER_KEY).dh_params(group());
    for consumer in [
        builder().signature_key(Hsm::new(false)).encryption_key(Hsm::new(false)),
        builder().signature_key(hsm.clone()).encryption_key(hsm.clone()),
        builder().signature_key(signing).encryption_key(decryption),
    ] {
        let mut broker = Broker::builder().strict().build().unwrap();
        sign_in(&consumer.build().unwrap(), &mut broker).unwrap();
        assert!(broker.refusals().is_empty());
    }
    assert_eq!(hsm.calls.load(Ordering::Relaxed), 2 * 4, "three signatures and one decryption each");
}

#[test]
fn a_refusal_of_the_key_store_comes_out_with_its_cause() {
    let locked = || Consumer::builder(test_keys::CONSUMER_KEY).dh_params(group()).signature_key(Hsm::new(true));
    let consumer = locked().encryption_key(Hsm::new(true)).build().unwrap();
    let mut rng = SeededEntropy(1);
    let mut cx = Context::new(NOW, &mut rng);
    let token = ibkr_oauth::AccessToken::from_parts("t", &STANDARD.encode([7; 256])).unwrap();
    let errors = [
        (consumer.request_token(&mut cx, Callback::OutOfBand).unwrap_err(), Stage::RequestToken),
        (fixture::verifier().access_token(&consumer, &mut cx).unwrap_err(), Stage::AccessToken),
        (consumer.unlock(&mut cx, &token).unwrap_err(), Stage::Unlock),
        (fixture::unlocked().live_session_token(&consumer, &mut cx).unwrap_err(), Stage::LiveSessionToken),
    ];
    for (error, stage) in errors {
        assert_eq!((error.kind(), error.stage(), error.status()), (ErrorKind::Key, stage, None));
        assert_eq!(error.source().unwrap().downcast_ref(), Some(&Locked { slot: 7 }));
        assert_eq!(error.to_string(), format!("{stage}: the key store refused: slot 7 is locked"));
        assert_eq!(error.remedy(), "enter the slot's PIN");
    }
}

#[test]
fn whatever_a_key_store_says_an_error_is_one_line() {
    #[derive(Debug)]
    struct Talkative;
    impl SigningKey for Talkative {
        fn sign(&self, _: &SigningInput, _: &mut dyn Entropy) -> Result<Vec<u8>, Error> {
            Err(Error::key_refused("no slot\r\n\u{1b}[31mtry\u{202e} another").with_remedy("call\nthe vendor"))
        }
    }
    let consumer = Consumer::builder("C").signature_key(Talkative).build().unwrap();
    let error = consumer.request_token(&mut Context::new(NOW, &mut SeededEntropy(1)), Callback::OutOfBand).unwrap_err();
    assert_eq!(error.to_string(), "request token: the key store refused: no slot  \\u{1b}[31mtry\\u{202e} another");
    assert_eq!(error.remedy(), "call the vendor");
    assert_eq!(error.source().unwrap().to_string(), "no slot\r\n\u{1b}[31mtry\u{202e} another", "as it was said");
}

/// A key store that fails with this.
#[derive(Debug)]
struct Failing(fn() -> Error);

impl SigningKey for Failing {
    fn sign(&self, _: &SigningInput, _: &mut dyn Entropy) -> Result<Vec<u8>, Error> {
        Err(self.0())
    }
}

#[test]
fn whatever_error_a_key_store_returns_it_is_the_keys_and_nothing_was_sent() {
    let failures: [(ErrorKind, fn() -> Error); 4] = [
        (ErrorKind::Key, || Error::key_refused("no slot")),
        (ErrorKind::Key, || RsaKey::from_pem("").unwrap_err()),
        (ErrorKind::Entropy, || Error::key_refused(EntropyError::with_source("the device is gone"))),
        // Its own request to somewhere else.
        (ErrorKind::Key, || {
            let busy = http::Response::builder().status(503).body("busy".into()).unwrap();
            Error::from_response(&busy).unwrap()
        }),
    ];
    for (kind, fail) in failures {
        let consumer = Consumer::builder("C").signature_key(Failing(fail)).build().unwrap();
        let mut rng = SeededEntropy(1);
        let error = consumer.request_token(&mut Context::new(NOW, &mut rng), Callback::OutOfBand).unwrap_err();
        assert_eq!((error.kind(), error.stage(), error.status()), (kind, Stage::RequestToken, None), "{error}");
        assert!(!error.may_have_been_sent(), "{error}");
        assert_eq!(error.remedy(), fail().remedy(), "{error}");
    }
}

#[test]
fn a_missing_key_is_named_with_the_way_to_do_without() {
    let mut rng = SeededEntropy(1);
    let mut cx = Context::new(NOW, &mut rng);
    let token = ibkr_oauth::AccessToken::from_parts("t", "QUJD").unwrap();
    let error = keyless().request_token(&mut cx, Callback::OutOfBand).unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Config, Stage::RequestToken));
    assert!(error.remedy().contains("Unsigned::attach"), "{}", error.remedy());
    let error = keyless().unlock(&mut cx, &token).unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Config, Stage::Unlock));
    assert!(error.remedy().contains("from_plaintext"), "{}", error.remedy());
    let bare = Consumer::builder("C").build().unwrap();
    let error = fixture::unlocked().prepare_live_session_token(&bare, &mut cx).unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Config, Stage::LiveSessionToken));
    assert!(error.remedy().contains("dh_params"), "{}", error.remedy());
}

/// Signs elsewhere: this key store sees the input and nothing else.
fn signed_elsewhere<T>(unsigned: Unsigned<T>) -> Exchange<T> {
    let key = RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap();
    let signature = key.sign(unsigned.input(), &mut SeededEntropy(99)).unwrap();
    unsigned.attach(&signature).unwrap()
}

#[test]
fn the_two_phases_need_no_key_of_ours_at_all() {
    let (consumer, mut broker, mut rng) = (keyless(), Broker::builder().strict().build().unwrap(), SeededEntropy(1));
    let unsigned = consumer.prepare_request_token(&mut Context::new(NOW, &mut rng), Callback::OutOfBand).unwrap();
    let consent = complete(&mut broker, &mut rng, signed_elsewhere(unsigned)).unwrap();
    let callback = broker.consent(&mut Context::new(NOW, &mut rng), consent.url()).unwrap();
    let verifier = consent.verifier(&callback).unwrap();
    let unsigned = verifier.prepare_access_token(&consumer, &mut Context::new(NOW, &mut rng)).unwrap();
    let token = complete(&mut broker, &mut rng, signed_elsewhere(unsigned)).unwrap();
    let elsewhere = RsaKey::from_pem(test_keys::ENCRYPTION_KEY).unwrap();
    let secret = elsewhere.decrypt(token.encrypted_secret(), &mut SeededEntropy(98)).unwrap();
    let token = UnlockedToken::from_plaintext(token.token(), secret);
    let unsigned = token.prepare_live_session_token(&consumer, &mut Context::new(NOW, &mut rng)).unwrap();
    let live = complete(&mut broker, &mut rng, signed_elsewhere(unsigned)).unwrap();
    let exchange = live.signer().brokerage().tickle(&mut Context::new(NOW, &mut rng)).unwrap();
    complete(&mut broker, &mut rng, exchange).unwrap();
    assert!(broker.refusals().is_empty());
}

fn same<T>(one: &Exchange<T>, two: &Exchange<T>) {
    let (one, two) = (one.request(), two.request());
    assert_eq!((one.method(), one.uri(), one.headers()), (two.method(), two.uri(), two.headers()));
    assert_eq!(one.body(), two.body());
}

#[test]
fn one_call_and_two_phases_make_the_same_request() {
    let consumer = fixture::consumer_builder().build().unwrap();
    let keyless = keyless();
    let (one, two) = (&mut SeededEntropy(1), &mut SeededEntropy(1));
    let (mut one, mut two) = (Context::new(NOW, one), Context::new(NOW, two));
    let unsigned = keyless.prepare_request_token(&mut two, Callback::OutOfBand).unwrap();
    same(&consumer.request_token(&mut one, Callback::OutOfBand).unwrap(), &signed_elsewhere(unsigned));
    let (one, two) = (&mut SeededEntropy(2), &mut SeededEntropy(2));
    let (mut one, mut two) = (Context::new(NOW, one), Context::new(NOW, two));
    let unsigned = fixture::verifier().prepare_access_token(&keyless, &mut two).unwrap();
    same(&fixture::verifier().access_token(&consumer, &mut one).unwrap(), &signed_elsewhere(unsigned));
    let (one, two) = (&mut SeededEntropy(3), &mut SeededEntropy(3));
    let (mut one, mut two) = (Context::new(NOW, one), Context::new(NOW, two));
    let unsigned = fixture::unlocked().prepare_live_session_token(&keyless, &mut two).unwrap();
    let message = String::from_utf8(unsigned.input().expose_message().to_vec()).unwrap();
    let prepend = fixture::hex(&fixture::SECRET);
    assert!(message.starts_with(&format!("{prepend}POST&https%3A%2F%2Fapi.ibkr.com")), "{message}");
    same(&fixture::unlocked().live_session_token(&consumer, &mut one).unwrap(), &signed_elsewhere(unsigned));
}

fn prepared(consumer: &Consumer) -> Unsigned<Consent> {
    consumer.prepare_request_token(&mut Context::new(NOW, &mut SeededEntropy(1)), Callback::OutOfBand).unwrap()
}

fn good_signature() -> Vec<u8> {
    let key = RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap();
    key.sign(prepared(&keyless()).input(), &mut SeededEntropy(9)).unwrap()
}

/// What people attach instead of the raw bytes.
fn wrong_forms() -> Vec<(&'static str, Vec<u8>)> {
    let good = good_signature();
    let base64 = STANDARD.encode(&good);
    let hex = fixture::hex(&good);
    let lines = base64.as_bytes().chunks(64).collect::<Vec<_>>().join(&b'\n');
    vec![
        ("nothing", vec![]),
        ("a digest", good[..32].to_vec()),
        ("a byte too few", good[..255].to_vec()),
        ("half a key's", good[..128].to_vec()),
        ("too many", vec![0xaa; 2049]),
        ("Base64", base64.clone().into_bytes()),
        ("Base64 with a line end", format!("{base64}\n").into_bytes()),
        ("Base64 in lines", lines),
        ("Base64 for URLs", base64.replace('+', "-").replace('/', "_").into_bytes()),
        ("hexadecimal", hex.clone().into_bytes()),
        ("upper-case hexadecimal", hex.to_uppercase().into_bytes()),
    ]
}

#[test]
fn attach_refuses_what_is_no_raw_signature() {
    for (name, signature) in wrong_forms() {
        let error = prepared(&keyless()).attach(&signature).expect_err(name);
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Config, Stage::RequestToken), "{name}");
        assert!(error.remedy().contains("raw signature, neither Base64 nor hexadecimal"), "{}", error.remedy());
        let error = prepared(&knowing()).attach(&signature).expect_err(name);
        assert_eq!(error.stage(), Stage::RequestToken, "{name}");
    }
    assert!(prepared(&keyless()).attach(&good_signature()).is_ok());
}

/// A key store that answers in another form than it should.
#[derive(Debug)]
struct Foreign(Vec<u8>);

impl SigningKey for Foreign {
    fn sign(&self, _: &SigningInput, _: &mut dyn Entropy) -> Result<Vec<u8>, Error> {
        Ok(self.0.clone())
    }
}

#[test]
fn a_key_store_that_answers_in_another_form_is_caught_before_anything_is_sent() {
    for (name, signature) in wrong_forms() {
        let consumer = Consumer::builder(test_keys::CONSUMER_KEY).signature_key(Foreign(signature)).build().unwrap();
        let error =
            consumer.request_token(&mut Context::new(NOW, &mut SeededEntropy(1)), Callback::OutOfBand).expect_err(name);
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Config, Stage::RequestToken), "{name}");
    }
}

/// Without a private key, but with the public one.
fn knowing() -> Consumer {
    let public = RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap().public_key();
    Consumer::builder(test_keys::CONSUMER_KEY).signature_public_key(public).build().unwrap()
}

#[test]
fn with_the_public_key_any_flipped_bit_is_noticed() {
    let good = good_signature();
    assert!(prepared(&knowing()).attach(&good).is_ok());
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let error = prepared(&knowing()).attach(&bad).expect_err("a flipped bit");
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Key, Stage::RequestToken), "bit {bit}");
        assert!(error.remedy().contains("public key"), "{}", error.remedy());
    }
    for signature in [vec![0; 256], vec![0xff; 256], [vec![0], good.clone()].concat()] {
        assert_eq!(prepared(&knowing()).attach(&signature).unwrap_err().kind(), ErrorKind::Key);
    }
    let other = RsaKey::from_pem(test_keys::ENCRYPTION_KEY).unwrap();
    let signature = other.sign(prepared(&knowing()).input(), &mut SeededEntropy(9)).unwrap();
    assert_eq!(prepared(&knowing()).attach(&signature).unwrap_err().kind(), ErrorKind::Key, "the keys are swapped");
}
