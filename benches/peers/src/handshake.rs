//! The client's half of a whole handshake, keys loaded: open the secret, make the challenge, sign with RSA, compute the
//! shared secret and the live session token, and compare the broker's proof.

use base64::{Engine, engine::general_purpose::STANDARD};
use ibkr_oauth::{
    Consumer, Entropy,
    dh::DhGroup,
    http::{HeaderValue, Method, Uri},
    key::RsaKey,
    oauth1,
    simulator::test_keys,
};
use openssl::{
    bn::{BigNum, BigNumContext},
    hash::MessageDigest,
    memcmp,
    pkey::{PKey, Private},
    rsa::{Padding, Rsa},
    sign::Signer,
};
use serde_json::Value;

use crate::authorization_header::AuthorizationHeader;
use crate::{
    contender::{Comparison, Contender, OURS, OURS_BY_AWS_LC},
    diffie_hellman,
    handshakes::{Handshakes, Rehearsal},
    requests::{NOW, SeededEntropy},
};

/// So many random numbers in turn.
const REHEARSALS: u64 = 16;

pub(crate) fn comparison() -> Comparison {
    let (handshakes, by_aws_lc) = (Handshakes::new(REHEARSALS), by_aws_lc());
    let openssl = OpenSsl::new(&handshakes);
    for handshakes in [&handshakes, &by_aws_lc] {
        for rehearsal in &handshakes.rehearsals {
            assert_eq!(openssl.shake_hands(rehearsal), rehearsal.live_session_token);
            assert_eq!(handshakes.shake_hands(rehearsal).secret().expose(), rehearsal.live_session_token);
        }
    }
    let mut rehearsals = handshakes.rehearsals.into_iter().cycle();
    let by_openssl = move || openssl.shake_hands(&rehearsals.next().unwrap());
    let contenders = vec![Contender::new("OpenSSL", by_openssl), ours(), contender(OURS_BY_AWS_LC, by_aws_lc)];
    Comparison { name: "handshake", contenders }
}

pub(crate) fn ours() -> Contender {
    contender(OURS, Handshakes::new(REHEARSALS))
}

/// The same handshakes, by a consumer whose keys are AWS-LC's.
fn by_aws_lc() -> Handshakes {
    let key = |pem| RsaKey::read_with_aws_lc(pem, None).unwrap();
    let consumer = Consumer::builder(test_keys::CONSUMER_KEY)
        .signature_key(key(test_keys::SIGNATURE_KEY))
        .encryption_key(key(test_keys::ENCRYPTION_KEY))
        .dh_params(DhGroup::read(test_keys::DH_PARAMETERS).unwrap())
        .build()
        .unwrap();
    Handshakes::of(consumer, REHEARSALS)
}

fn contender(name: &str, handshakes: Handshakes) -> Contender {
    let mut rehearsals = handshakes.rehearsals.clone().into_iter().cycle();
    Contender::new(name, move || handshakes.shake_hands(&rehearsals.next().unwrap()))
}

/// The same with OpenSSL's constant-time arithmetic. What is not arithmetic is taken from `ibkr-oauth`, and costs
/// microseconds.
struct OpenSsl {
    signing_key: PKey<Private>,
    decryption_key: Rsa<Private>,
    modulus: BigNum,
    generator: BigNum,
    token: String,
    encrypted_secret: Vec<u8>,
    uri: Uri,
}

impl OpenSsl {
    fn new(handshakes: &Handshakes) -> Self {
        let (modulus, generator) = diffie_hellman::group();
        Self {
            signing_key: PKey::private_key_from_pem(test_keys::SIGNATURE_KEY.as_bytes()).unwrap(),
            decryption_key: Rsa::private_key_from_pem(test_keys::ENCRYPTION_KEY.as_bytes()).unwrap(),
            modulus,
            generator,
            token: handshakes.token.token().to_owned(),
            encrypted_secret: handshakes.token.encrypted_secret().to_vec(),
            uri: Uri::from_static("https://api.ibkr.com/v1/api/oauth/live_session_token"),
        }
    }

    fn shake_hands(&self, rehearsal: &Rehearsal) -> Vec<u8> {
        let mut context = BigNumContext::new_secure().unwrap();
        let mut secret = vec![0; 256];
        let length = self.decryption_key.private_decrypt(&self.encrypted_secret, &mut secret, Padding::PKCS1).unwrap();
        secret.truncate(length);
        let challenge = diffie_hellman::power(&self.generator, &rehearsal.exponent, &self.modulus, &mut context);

        let mut nonce = [0; 16];
        SeededEntropy(rehearsal.seed).fill(&mut nonce).unwrap();
        let (nonce, timestamp) = (hexadecimal(&nonce), NOW.as_secs().to_string());
        let challenge = challenge.to_hex_str().unwrap().to_ascii_lowercase();
        let mut parameters = vec![
            ("diffie_hellman_challenge", challenge.as_str()),
            ("oauth_consumer_key", test_keys::CONSUMER_KEY),
            ("oauth_nonce", &nonce),
            ("oauth_signature_method", "RSA-SHA256"),
            ("oauth_timestamp", &timestamp),
            ("oauth_token", &self.token),
        ];
        let base_string = oauth1::base_string(&Method::POST, &self.uri, &parameters, None).unwrap();
        let message = hexadecimal(&secret) + &base_string;
        let mut signer = Signer::new(MessageDigest::sha256(), &self.signing_key).unwrap();
        let signature = STANDARD.encode(signer.sign_oneshot_to_vec(message.as_bytes()).unwrap());
        parameters.push(("oauth_signature", &signature));
        let header = AuthorizationHeader::new(Some("limited_poa"), &parameters).to_string();
        std::hint::black_box(HeaderValue::try_from(header).unwrap());

        let reply: Value = serde_json::from_slice(&rehearsal.reply).unwrap();
        let response = BigNum::from_hex_str(reply["diffie_hellman_response"].as_str().unwrap()).unwrap();
        let shared = diffie_hellman::power(&response, &rehearsal.exponent, &self.modulus, &mut context);
        let mut key = shared.to_vec();
        if key[0] >= 0x80 {
            key.insert(0, 0);
        }
        let live_session_token = hmac_sha1(&key, &secret);
        let proof = hmac_sha1(&live_session_token, test_keys::CONSUMER_KEY.as_bytes());
        let expected = BigNum::from_hex_str(reply["live_session_token_signature"].as_str().unwrap()).unwrap();
        assert!(memcmp::eq(&proof, &expected.to_vec_padded(20).unwrap()));
        live_session_token
    }
}

fn hmac_sha1(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = PKey::hmac(key).unwrap();
    Signer::new(MessageDigest::sha1(), &key).unwrap().sign_oneshot_to_vec(message).unwrap()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
