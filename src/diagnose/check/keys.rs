//! The two keys, and the secret that one of them opens.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::address;
use crate::{
    bundle::{Contents, KeyContent, read_rsa_key},
    context::Context,
    diagnose::findings::{Collector, Finding, Subject},
    error::Error,
    key::{DecryptionKey, RsaKey},
    secret::Secret,
};

/// The fingerprints of the simulator's keys, to sign with and to open secrets with.
const TEST_KEYS: [&str; 2] = [
    "695b107ba491d7eb84ce58f2a85c5d9d461b7e79ea3bdd2e5dd9fd20eedf77d9",
    "feb37b643995847891ce133a0ddd66e6db86e36838cf7f29e2b500a865f584d3",
];
/// The length that IBKR's documents name, in bits.
const USUAL_BITS: usize = 2048;
/// The length of every opened secret that was published, in bytes.
const OPENED: usize = 32;

pub(super) fn check(contents: Contents<'_>, cx: &mut Context<'_>, list: &mut Vec<Finding>) {
    let is_here = address::is_here(contents.base_url);
    let signature = key(contents.signature_key, Subject::SignatureKey, is_here, list);
    let encryption = key(contents.encryption_key, Subject::EncryptionKey, is_here, list);
    if let (Some(signature), Some(encryption)) = (&signature, &encryption) {
        let mut findings = Collector::about(Subject::KeyPair, list);
        if is_same(signature, encryption) {
            findings.warning(
                "both keys are the same: this works only if one public key was uploaded for both purposes",
                "make a second key, upload its public half as the encryption key, then generate a new access token",
            );
        } else {
            findings.ok("signature key and encryption key are two different keys");
        }
    }
    if let Some((_, Some(text))) = contents.access_token {
        let findings = &mut Collector::about(Subject::AccessTokenSecret, list);
        if let Some(secret) = encrypted(text, encryption.as_ref().or(signature.as_ref()), findings) {
            open(&secret, signature.as_ref(), encryption.as_ref(), cx, findings);
        }
    }
}

fn is_same(one: &RsaKey, other: &RsaKey) -> bool {
    one.public_key() == other.public_key()
}

fn key(key: Result<KeyContent<'_>, Error>, subject: Subject, is_here: bool, list: &mut Vec<Finding>) -> Option<RsaKey> {
    let mut findings = Collector::about(subject, list);
    let key = match key.and_then(|key| read_rsa_key(key.content, key.passphrase)) {
        Ok(key) => key,
        Err(error) => {
            findings.error(error.message(), error.remedy());
            return None;
        }
    };
    let bits = key.modulus_bits();
    if bits == USUAL_BITS {
        findings.ok(format!("an RSA private key of {bits} bits"));
    } else {
        findings.warning(
            format!("an RSA private key of {bits} bits, where IBKR's documents ask for {USUAL_BITS}"),
            "if the portal refuses it, make a key with `openssl genrsa -out private.pem 2048`",
        );
    }
    let fingerprint = key.fingerprint();
    if TEST_KEYS.contains(&fingerprint.as_str()) {
        if is_here {
            findings.ok("the simulator's test key, of which everybody has the private half: right for the simulator");
        } else {
            findings.error(
                "the simulator's test key: everybody has its private half, and can act with it as this consumer",
                "make a key of your own (`ibkr-oauth keygen`, or `openssl genrsa -out private.pem 2048`), and upload its \
                 public half in the portal in the place of this one",
            );
        }
    }
    findings.ok(format!(
        "SHA-256 of its public half: {fingerprint}; of the file that was uploaded, `openssl pkey -pubin -in FILE -outform der | \
         sha256sum` prints the same"
    ));
    Some(key)
}

/// The secret's bytes, if its text is whole. `key` tells how long it ought to be.
fn encrypted(text: &str, key: Option<&RsaKey>, findings: &mut Collector<'_>) -> Option<Secret> {
    let mut dense = Zeroizing::new(String::with_capacity(text.len()));
    dense.extend(text.chars().filter(|char| !char.is_whitespace()));
    let bytes = key.map_or(USUAL_BITS / 8, |key| key.public_key().modulus_bytes());
    let (found, wanted) = (dense.len(), bytes.div_ceil(3) * 4);
    let copy = format!("copy the access token secret from the portal again, whole: {wanted} characters");
    if found == 0 {
        findings.error("it is empty", copy);
        return None;
    }
    if let Some(what) = unlike_the_portal(&dense, bytes) {
        findings.error(what, format!("{copy}, in Base64; the encryption key opens it each time"));
        return None;
    }
    let Ok(decoded) = STANDARD.decode(dense.as_bytes()).map(Secret::from) else {
        let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
        let why = if !dense.bytes().all(alphabet) {
            "has a character that is not in the alphabet of Base64"
        } else if found == wanted {
            "is not Base64"
        } else {
            "was cut, as a shell or an editor may do"
        };
        findings.error(format!("it has {found} characters of {wanted}, and {why}"), copy);
        return None;
    };
    if decoded.len() == bytes {
        findings.ok(format!("{found} characters of Base64, which is {bytes} bytes, as long as the key"));
        return Some(decoded);
    }
    findings.error(
        format!(
            "it has {found} characters of Base64 ({} bytes), where this key makes {wanted} ({bytes} bytes)",
            decoded.len()
        ),
        format!("{copy}; if it is whole, the encryption key is not the registered one"),
    );
    None
}

/// What a text is that is whole, and yet not what the portal shows: the secret opened already, or its bytes in hexadecimal.
fn unlike_the_portal(text: &str, key_bytes: usize) -> Option<String> {
    let found = text.len();
    let opened = format!("the {OPENED} bytes of a secret that was opened already, where the encrypted one is wanted");
    let digits = text.strip_prefix("0x").unwrap_or(text).bytes().filter(|byte| *byte != b':');
    if digits.clone().all(|byte| byte.is_ascii_hexdigit()) {
        let count = digits.count();
        if count == 2 * OPENED {
            return Some(format!("it has {count} hexadecimal digits: {opened}"));
        }
        if count == 2 * key_bytes {
            return Some(format!(
                "it has {count} hexadecimal digits: the secret, but not in Base64 as the portal shows it"
            ));
        }
    }
    // Padding is often lost on the way.
    let bare = text.strip_suffix('=').unwrap_or(text);
    let is_base64 = bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte));
    (is_base64 && bare.len() == (OPENED * 4).div_ceil(3))
        .then(|| format!("it has {found} characters of Base64: {opened}"))
}

fn open(
    secret: &Secret,
    signature: Option<&RsaKey>,
    encryption: Option<&RsaKey>,
    cx: &mut Context<'_>,
    findings: &mut Collector<'_>,
) {
    let Some(encryption) = encryption else { return };
    // PKCS#1 v1.5 cannot tell a wrong key for certain: it gives out bytes of a random length. That they are just 32 happens
    // once in some 250 wrong keys.
    let mut length = |key: &RsaKey| key.decrypt(secret.expose(), cx.entropy()).map(|opened| opened.len()).ok();
    let found = length(encryption);
    if found == Some(OPENED) {
        return findings.ok(format!("the encryption key opens it, to {OPENED} bytes"));
    }
    if signature.is_some_and(|key| !is_same(key, encryption) && length(key) == Some(OPENED)) {
        return findings.error(
            "the signature key opens it, and the encryption key does not: the two keys are swapped",
            "exchange `signature_key` and `encryption_key`, or the public halves in the portal",
        );
    }
    let how =
        found.map_or_else(String::new, |found| format!(" (what comes out has {found} bytes instead of {OPENED})"));
    findings.error(
        format!("the encryption key does not open it{how}: it was encrypted to another key, or was changed on its way"),
        "compare the encryption key's fingerprint with the file that was uploaded, then generate a new access token in the \
         portal and copy its secret",
    );
}
