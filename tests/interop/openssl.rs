//! Keys, signatures, opened secrets and key agreements against the `openssl` command. Its keys are new at each run: it
//! takes no seed.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use ibkr_oauth::{
    AccessToken, Callback, Consumer, Context, Secret, Timestamp, UnlockedToken,
    dh::{DhGroup, Exponent},
    key::{RsaKey, RsaPublicKey, SigningKey},
};
use num_bigint::BigUint;

use super::{peer::hex, rng::Rng};

/// Runs `openssl` with these arguments, separated by blanks, and gives it `input`.
fn openssl(directory: &Path, arguments: &str, input: &[u8]) -> Vec<u8> {
    let mut process = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("there is no `openssl` command");
    process.stdin.take().unwrap().write_all(input).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn text(directory: &Path, arguments: &str, input: &[u8]) -> String {
    String::from_utf8(openssl(directory, arguments, input)).unwrap()
}

/// An empty directory for the files of one test.
fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("openssl_{name}"));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

#[test]
#[ignore = "needs openssl: bash .ci/interop"]
fn openssl_agrees_on_keys_signatures_and_secrets() {
    const EACH: usize = 10;
    let mut rng = Rng::new(0x0551_0001, "RSA keys of openssl's: their forms, signatures and opened secrets");
    let here = directory("rsa");
    let sizes = [2048, 2048, 2048, 2056, 3072, 4096];
    for bits in sizes {
        let pkcs8 = text(&here, &format!("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:{bits} -out key.pem"), b"")
            + &fs::read_to_string(here.join("key.pem")).unwrap();
        let key = RsaKey::from_pem(&pkcs8).unwrap();
        let public = text(&here, "pkey -in key.pem -pubout -out public.pem", b"")
            + &fs::read_to_string(here.join("public.pem")).unwrap();
        assert_eq!(key.public_key().modulus_bits(), bits);
        assert_eq!(key.public_key().to_pem(), public);
        assert_eq!(RsaPublicKey::read(&public).unwrap().to_pem(), public);
        for form in
            ["rsa -in key.pem -traditional", "rsa -in key.pem -traditional -text", "pkcs8 -topk8 -nocrypt -in key.pem"]
        {
            assert_eq!(
                RsaKey::from_pem(&text(&here, form, b"")).unwrap().public_key().fingerprint(),
                key.public_key().fingerprint(),
                "{form}"
            );
        }
        for form in ["rsa -in key.pem -traditional -outform DER", "pkcs8 -topk8 -nocrypt -in key.pem -outform DER"] {
            assert_eq!(
                RsaKey::read(openssl(&here, form, b""), None).unwrap().public_key().fingerprint(),
                key.public_key().fingerprint(),
                "{form}"
            );
        }
        #[cfg(feature = "encrypted-keys")]
        for form in [
            "pkcs8 -topk8 -in key.pem -v2 aes-256-cbc -v2prf hmacWithSHA256 -passout pass:secret",
            "pkcs8 -topk8 -in key.pem -scrypt -passout pass:secret",
            "pkey -in key.pem -aes-128-cbc -passout pass:secret",
        ] {
            let encrypted = text(&here, form, b"");
            let opened = RsaKey::read(encrypted.as_bytes(), Some(b"secret")).unwrap();
            assert_eq!(opened.public_key().fingerprint(), key.public_key().fingerprint(), "{form}");
            assert!(RsaKey::read(encrypted.as_bytes(), Some(b"Secret")).is_err(), "{form}");
        }

        let consumer =
            Consumer::builder("INTEROPER").signature_key(key.clone()).encryption_key(key.clone()).build().unwrap();
        for _ in 0..EACH {
            let mut cx = Context::new(Timestamp::from_secs(1_700_000_000), &mut rng);
            let unsigned = consumer.prepare_request_token(&mut cx, Callback::OutOfBand).unwrap();
            let message = unsigned.input().expose_message();
            let signature = key.sign(unsigned.input(), cx.entropy()).unwrap();
            assert_eq!(signature, openssl(&here, "dgst -sha256 -sign key.pem", message));
            fs::write(here.join("signature"), &signature).unwrap();
            let verdict = text(&here, "dgst -sha256 -verify public.pem -signature signature", message);
            assert_eq!(verdict.trim(), "Verified OK");

            let secret: [u8; 32] = rng.bytes();
            let padding = "pkeyutl -encrypt -pubin -inkey public.pem -pkeyopt rsa_padding_mode:pkcs1";
            let encrypted = STANDARD.encode(openssl(&here, padding, &secret));
            let token = AccessToken::from_parts("0123456789abcdef0123", &encrypted).unwrap();
            let mut cx = Context::new(Timestamp::from_secs(1_700_000_000), &mut rng);
            let unlocked = consumer.unlock(&mut cx, &token).unwrap();
            assert_eq!(opened(&unlocked, &mut cx), hex(&secret));
        }
    }
    println!("{} keys in up to eight forms, {} signatures and as many secrets agree", sizes.len(), sizes.len() * EACH);
}

/// The opened secret, which stands in hexadecimal before what is signed.
fn opened(token: &UnlockedToken, cx: &mut Context<'_>) -> String {
    let consumer = Consumer::builder("X").dh_params(DhGroup::modp_2048()).build().unwrap();
    let unsigned = token.prepare_live_session_token(&consumer, cx).unwrap();
    let message = std::str::from_utf8(unsigned.input().expose_message()).unwrap().to_owned();
    message.split("POST&").next().unwrap().to_owned()
}

/// DER with a definite length.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    let bytes = BigUint::from(length).to_bytes_be();
    if length >= 0x80 {
        out.push(0x80 | u8::try_from(bytes.len()).unwrap());
    }
    out.extend(bytes);
    out.extend_from_slice(content);
    out
}

fn der_integer(number: &BigUint) -> Vec<u8> {
    let mut bytes = number.to_bytes_be();
    if bytes[0] >= 0x80 {
        bytes.insert(0, 0);
    }
    der(2, &bytes)
}

/// A Diffie-Hellman public key as a `SubjectPublicKeyInfo`, of which openssl reads our challenge.
fn public_key(parameters: &[u8], challenge: &BigUint) -> Vec<u8> {
    // dhKeyAgreement (PKCS#3)
    let algorithm = der(6, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x03, 0x01]);
    let algorithm = der(0x30, &[algorithm, parameters.to_vec()].concat());
    let key = der(3, &[vec![0], der_integer(challenge)].concat());
    der(0x30, &[algorithm, key].concat())
}

/// The hexadecimal digits behind `title` in what `openssl … -text` prints.
fn printed_number(text: &str, title: &str) -> String {
    let behind = text.lines().map(str::trim).skip_while(|line| !line.starts_with(title)).skip(1);
    let digits = |line: &&str| line.bytes().all(|byte| byte == b':' || byte.is_ascii_hexdigit());
    behind.take_while(digits).map(|line| line.replace(':', "")).collect()
}

#[test]
#[ignore = "needs openssl: bash .ci/interop"]
fn openssl_agrees_on_keys_of_groups() {
    const EACH: usize = 4;
    let mut rng = Rng::new(0x0551_0002, "key agreements with openssl");
    let here = directory("dh");
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/groups");
    let mut agreements = 0;
    for number in 1..=32 {
        let pem = fs::read_to_string(directory.join(format!("{number:02}.pem"))).unwrap();
        fs::write(here.join("group.pem"), &pem).unwrap();
        let group = DhGroup::read(&pem).unwrap();
        let parameters = openssl(&here, "dhparam -in group.pem -outform DER", b"");
        assert_eq!(DhGroup::read(&parameters).unwrap(), group);
        assert_eq!(DhGroup::read(text(&here, "dhparam -in group.pem -text -noout", b"")).unwrap(), group);
        for _ in 0..EACH {
            openssl(&here, "genpkey -paramfile group.pem -out theirs.pem", b"");
            let printed = text(&here, "pkey -in theirs.pem -text -noout", b"");
            let response = printed_number(&printed, "public-key:");
            let exponent = Exponent::generate(&mut rng).unwrap();
            let challenge = BigUint::parse_bytes(exponent.challenge(&group).as_bytes(), 16).unwrap();
            fs::write(here.join("ours.der"), public_key(&parameters, &challenge)).unwrap();
            let derive = "pkeyutl -derive -inkey theirs.pem -peerkey ours.der -peerform DER -pkeyopt dh_pad:1";
            let theirs = openssl(&here, derive, b"");
            let ours = exponent.shared_secret(&response, &group).unwrap();
            // The same number; the sign byte is the broker's.
            assert_eq!(BigUint::from_bytes_be(ours.expose()), BigUint::from_bytes_be(&theirs), "{number:02}");
            agreements += 1;
        }
    }
    println!("{agreements} key agreements in 32 groups agree");
}

#[test]
#[ignore = "needs openssl: bash .ci/interop"]
fn openssl_agrees_on_tokens_and_request_signatures() {
    const ROUNDS: usize = 40;
    let mut rng = Rng::new(0x0551_0003, "HMAC-SHA1 of live session tokens and proofs, HMAC-SHA256 of requests");
    let here = directory("hmac");
    let group = DhGroup::read(include_str!("../data/keys/ffdhe_2048.pem")).unwrap();
    for _ in 0..ROUNDS {
        let hmac = |digest: &str, key: &[u8], message: &[u8]| {
            openssl(&here, &format!("dgst -{digest} -mac HMAC -macopt hexkey:{} -binary", hex(key)), message)
        };
        let response = hex(&rng.bytes::<255>());
        let shared = Exponent::generate(&mut rng).unwrap().shared_secret(&response, &group).unwrap();
        let secret = rng.vec(32);
        let token = ibkr_oauth::dh::live_session_token(&shared, &Secret::from(secret.clone()));
        assert_eq!(token.expose(), hmac("sha1", shared.expose(), &secret));
        let proof = ibkr_oauth::dh::proof(&token, "INTEROPER");
        assert_eq!(proof.as_slice(), hmac("sha1", token.expose(), b"INTEROPER"));

        let consumer = Consumer::builder("INTEROPER").build().unwrap();
        let signer = ibkr_oauth::Signer::from_stored(&consumer, "token", &token).unwrap();
        let (parts, ()) = http::Request::builder().uri("https://api.ibkr.com/a?b=%2C").body(()).unwrap().into_parts();
        let signature = signer.sign_with(&parts, None, &hex(&rng.bytes::<16>()), 1_700_000_000).unwrap();
        let theirs = hmac("sha256", token.expose(), signature.base_string.as_bytes());
        assert_eq!(signature.signature, STANDARD.encode(theirs));
    }
    println!("{} HMACs agree", 3 * ROUNDS);
}
