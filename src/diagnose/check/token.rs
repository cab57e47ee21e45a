//! The access token, and its secret, which the encryption key opens.

use zeroize::Zeroizing;

use super::keys::{Keys, USUAL_BITS, is_same};
use crate::{
    context::Context,
    diagnose::finding::{Collector, Finding},
    key::{DecryptionKey, RsaKey},
    secret::Secret,
};

/// The length of every opened secret that was published, in bytes.
const OPENED: usize = 32;

/// `token` is the token with its secret, as both were given.
pub(super) fn check(token: Option<&(String, Secret)>, keys: &Keys, cx: &mut Context<'_>, list: &mut Vec<Finding>) {
    let mut findings = Collector::about("access_token", list);
    let Some((token, secret)) = token else {
        return findings.warning(
            "there is none: the user has not consented yet",
            "get the user's consent and with it an access token, or copy both from the portal",
        );
    };
    access_token(token, &mut findings);
    let mut findings = Collector::about("access_token_secret", list);
    let key = keys.encryption.as_ref().or(keys.signature.as_ref());
    if let Some(secret) = encrypted(std::str::from_utf8(secret.expose()).unwrap_or_default(), key, &mut findings) {
        open(&secret, keys, cx, &mut findings);
    }
}

fn access_token(token: &str, findings: &mut Collector<'_>) {
    const COPY: &str = "copy the access token from the portal again: 20 hexadecimal digits";
    let length = token.chars().count();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        findings.error("it is empty, or has blanks or characters that no token has", COPY);
    } else if length >= 100 {
        findings.error(
            format!("it has {length} characters: this looks like the access token secret"),
            "put the token, 20 hexadecimal digits, and its secret, 344 characters, each in its own field",
        );
    } else if length == 20 && token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        findings.ok("it has the shape of an access token (20 hexadecimal digits)");
    } else {
        findings.warning(format!("it has {length} characters, where the portal's have 20 hexadecimal digits"), COPY);
    }
}

/// The secret's bytes, if its text is whole. `key` gives the length that it should have.
fn encrypted(text: &str, key: Option<&RsaKey>, findings: &mut Collector<'_>) -> Option<Secret> {
    let mut dense = Zeroizing::new(String::with_capacity(text.len()));
    dense.extend(text.chars().filter(|char| !char.is_whitespace()));
    let bytes = key.map_or(USUAL_BITS / 8, |key| key.public_key().modulus_bits().div_ceil(8));
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
    let Some(decoded) = Secret::from_base64(&dense) else {
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

fn open(secret: &Secret, keys: &Keys, cx: &mut Context<'_>, findings: &mut Collector<'_>) {
    let Some(encryption) = keys.encryption.as_ref() else { return };
    // PKCS#1 v1.5 cannot tell a wrong key for certain: it gives out bytes of a random length. That they are just 32 happens
    // once in some 250 wrong keys.
    let mut length = |key: &RsaKey| key.decrypt(secret.expose(), cx.entropy()).map(|opened| opened.len()).ok();
    let found = length(encryption);
    if found == Some(OPENED) {
        return findings.ok(format!("the encryption key opens it, to {OPENED} bytes"));
    }
    if keys.signature.as_ref().is_some_and(|key| !is_same(key, encryption) && length(key) == Some(OPENED)) {
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
