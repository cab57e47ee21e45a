//! RSA keys in every form in which OpenSSL and the ways of a text leave them.

use base64::{Engine, engine::general_purpose::STANDARD};
use ibkr_oauth::{Error, key::DecryptionKey};
use proptest::prelude::*;
use serde_json::Value;

use super::{RsaKey, RsaPublicKey};
use crate::seeded_entropy::SeededEntropy;

const PKCS1: &str = include_str!("../data/keys/pkcs1.pem");
const PKCS8: &str = include_str!("../data/keys/pkcs8.pem");
const PKCS1_DER: &[u8] = include_bytes!("../data/keys/pkcs1.der");
const PKCS8_DER: &[u8] = include_bytes!("../data/keys/pkcs8.der");
const PUBLIC: &str = include_str!("../data/keys/public.pem");
const ENCRYPTED: &str = include_str!("../data/keys/encrypted_pkcs8.pem");
const ENCRYPTED_DER: &[u8] = include_bytes!("../data/keys/encrypted_pkcs8.der");

/// `openssl pkey -in pkcs1.pem -pubout -outform der | sha256sum`
const FINGERPRINT: &str = "577f3b58b2a3d12b58041f4ab3fb1919cbfe59e1aa15fffc05bbaf7d3324aa88";

fn refusal<T>(outcome: Result<T, Error>) -> (String, String) {
    let error = outcome.err().unwrap();
    (error.to_string(), error.remedy().to_owned())
}

#[track_caller]
fn assert_refused<T>(outcome: Result<T, Error>, message: &str, remedy: &str) {
    let (said, advised) = refusal(outcome);
    assert!(said.contains(message), "{said:?} does not say {message:?}");
    assert!(advised.contains(remedy), "{advised:?} does not advise {remedy:?}");
}

#[track_caller]
fn assert_is_the_key(text: &str) {
    assert_eq!(RsaKey::from_pem(text).unwrap().public_key().fingerprint(), FINGERPRINT);
}

#[test]
fn openssl_forms_are_read() {
    assert_is_the_key(PKCS1);
    assert_is_the_key(PKCS8);
    assert_is_the_key(include_str!("../data/keys/pkcs1_crlf.pem"));
    assert_is_the_key(include_str!("../data/keys/with_text.pem"));
    assert_eq!(RsaKey::read(PKCS1_DER, None).unwrap().public_key().fingerprint(), FINGERPRINT);
    assert_eq!(RsaKey::read(PKCS8_DER, None).unwrap().public_key().fingerprint(), FINGERPRINT);
}

#[test]
fn the_crlf_file_has_kept_its_line_ends() {
    assert!(
        include_str!("../data/keys/pkcs1_crlf.pem").contains("-----\r\n"),
        "git or an editor changed the line ends"
    );
}

#[test]
fn mangled_texts_are_read() {
    for pem in [PKCS1, PKCS8] {
        assert_is_the_key(pem.trim_end());
        assert_is_the_key(&pem.replace('\n', "\r\n"));
        assert_is_the_key(&pem.replace('\n', "\r"));
        assert_is_the_key(&format!("\u{feff}{pem}"));
        assert_is_the_key(&pem.replace('\n', "\n\n"));
        assert_is_the_key(&format!("\n\n  {}", pem.replace('\n', "  \n\t ")));
        assert_is_the_key(&format!("Subject: my key\n{pem}and that was it\n"));
        assert_is_the_key(&pem.replace('\n', " "));
        assert_is_the_key(&pem.replace('\n', ""));
        assert_is_the_key(&pem.replace('\n', "\\n"));
        assert_is_the_key(&pem.replace('\n', "\\r\\n"));
        assert_is_the_key(&pem.replace('\n', "\\\\n"));
        assert_is_the_key(&format!("\"{}\"", pem.replace('\n', "\\n")));
        assert_is_the_key(&format!("'{}'\n", pem.replace('\n', "\\n")));
        assert_is_the_key(&format!("\"{}\"", pem.replace('\n', "\\n").replace('/', "\\/")));
        assert_is_the_key(&format!("{pem}{pem}"));
        assert_is_the_key(&format!("{PUBLIC}{}{pem}", include_str!("../data/keys/certificate.pem")));
    }
}

#[test]
fn base64_around_the_text_is_taken_off() {
    for pem in [PKCS1, PKCS8] {
        let wrapped = STANDARD.encode(pem);
        assert_is_the_key(&wrapped);
        assert_is_the_key(&format!("\"{wrapped}\"\n"));
        assert_is_the_key(wrapped.trim_end_matches('='));
        let lines: Vec<&str> = wrapped.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
        assert_is_the_key(&lines.join("\r\n"));
    }
    assert_is_the_key(&STANDARD.encode(PKCS8_DER));
    assert_is_the_key(&STANDARD.encode(PKCS1_DER));
}

#[test]
fn fingerprints_and_public_halves_are_those_of_openssl() {
    let key = RsaKey::from_pem(PKCS8).unwrap();
    assert_eq!(key.public_key().to_pem(), PUBLIC);
    assert_eq!(key.public_key().modulus_bits(), 2048);
    let long = RsaKey::from_pem(include_str!("../data/keys/rsa_3072.pem")).unwrap();
    assert_eq!(long.public_key().modulus_bits(), 3072);
    assert_eq!(long.public_key().modulus_bits(), 384 * 8);
    // openssl pkey -in rsa_3072.pem -pubout -outform der | sha256sum
    assert_eq!(long.public_key().fingerprint(), "b8fddcb71a650f82432c67a1f9aad4acf86957a794ffccb39c437c69c3c38760");
}

#[test]
fn public_keys_are_read_in_both_forms() {
    let expected = RsaKey::from_pem(PKCS1).unwrap().public_key();
    for pem in [PUBLIC, include_str!("../data/keys/public_pkcs1.pem")] {
        assert_eq!(RsaPublicKey::read(pem).unwrap(), expected);
        assert_eq!(RsaPublicKey::read(pem.replace('\n', "\\n")).unwrap(), expected);
    }
    for der in [&include_bytes!("../data/keys/public.der")[..], include_bytes!("../data/keys/public_pkcs1.der")] {
        let key = RsaPublicKey::read(der).unwrap();
        assert_eq!(key, expected);
        assert_eq!(key.fingerprint(), FINGERPRINT);
        assert_eq!(key.to_pem(), PUBLIC);
        assert_eq!(key.modulus_bits(), 2048);
    }
    let other = RsaKey::from_pem(include_str!("../data/keys/rsa_3072.pem")).unwrap().public_key();
    assert_ne!(other, expected);
}

#[test]
fn what_is_no_rsa_private_key_is_refused_by_name() {
    let cases = [
        (PUBLIC, "a public key was given", "private key, which never leaves"),
        (include_str!("../data/keys/public_pkcs1.pem"), "an RSA public key was given", "not what was sent to IBKR"),
        (include_str!("../data/keys/certificate.pem"), "a certificate was given", "private key, which never leaves"),
        (include_str!("../data/keys/request.pem"), "a certificate request was given", "private key"),
        (include_str!("../data/keys/ec_public.pem"), "a public key was given", ""),
        (include_str!("../data/keys/ec_pkcs8.pem"), "an EC private key was given", "openssl genrsa"),
        (include_str!("../data/keys/dsa.pem"), "a DSA private key was given", "openssl genrsa"),
        (include_str!("../data/keys/dsa_pkcs8.pem"), "a DSA private key was given", "openssl genrsa"),
        (include_str!("../data/keys/dh.pem"), "a set of Diffie-Hellman parameters was given", "openssl genrsa"),
        (include_str!("../data/keys/dh_x942.pem"), "a set of Diffie-Hellman parameters was given", "openssl genrsa"),
        (include_str!("../data/keys/openssh.pem"), "an OpenSSH private key was given", "ssh-keygen -p -m PKCS8"),
    ];
    for (pem, message, remedy) in cases {
        assert_refused(RsaKey::from_pem(pem), message, remedy);
        assert_refused(RsaKey::from_pem(&STANDARD.encode(pem)), message, remedy);
        assert_refused(RsaKey::from_pem(pem), "where an RSA private key is wanted", remedy);
    }
    // The file of `openssl ecparam -genkey` holds the parameters first.
    assert_refused(RsaKey::from_pem(include_str!("../data/keys/ec.pem")), "EC parameters was given", "openssl genrsa");
}

#[test]
fn what_is_no_rsa_private_key_is_refused_by_name_in_der_too() {
    let latin1 = [PKCS1.as_bytes(), b"Schl\xfcssel"].concat();
    let cases: [(&[u8], &str); 9] = [
        (include_bytes!("../data/keys/public.der"), "an RSA public key was given"),
        (include_bytes!("../data/keys/public_pkcs1.der"), "an RSA public key was given"),
        (include_bytes!("../data/keys/certificate.der"), "a certificate was given"),
        (include_bytes!("../data/keys/ec.der"), "an EC private key was given"),
        (include_bytes!("../data/keys/dsa.der"), "a DSA private key was given"),
        (include_bytes!("../data/keys/dh.der"), "a set of Diffie-Hellman parameters was given"),
        (include_bytes!("../data/keys/bundle.p12"), "a PKCS#12 bundle was given"),
        (&latin1, "the PEM text where an RSA private key is wanted is neither in UTF-8 nor in UTF-16"),
        (b"\xff", "does not start as DER does"),
    ];
    for (der, message) in cases {
        assert_refused(RsaKey::read(der, None), message, "");
    }
}

#[test]
fn what_is_no_rsa_public_key_is_refused_by_name() {
    let cases = [
        (PKCS1, "an RSA private key was given", "openssl pkey -in private.pem -pubout"),
        (PKCS8, "a private key was given", "openssl pkey -in private.pem -pubout"),
        (ENCRYPTED, "an encrypted private key was given", "openssl pkey -in private.pem -pubout"),
        (include_str!("../data/keys/certificate.pem"), "a certificate was given", "openssl x509"),
        (include_str!("../data/keys/ec_public.pem"), "an EC public key was given", "an RSA key's public half"),
    ];
    for (pem, message, remedy) in cases {
        assert_refused(RsaPublicKey::read(pem), message, remedy);
    }
}

#[test]
fn texts_without_pem_are_refused_with_what_they_look_like() {
    assert_refused(RsaKey::from_pem(""), "the text is empty", "");
    assert_refused(RsaKey::from_pem(" \r\n\u{feff}"), "the text is empty", "");
    assert_refused(RsaKey::from_pem("hunter2 hunter2"), "no PEM was found", "-----BEGIN");
    assert_refused(RsaKey::from_pem("/etc/ibkr/private_signature.pem"), "no PEM was found", "the name of a file");
    assert_refused(RsaKey::from_pem("ssh-rsa AAAAB3NzaC1yc2E= me@here"), "no PEM was found", "OpenSSH public key");
    assert_refused(RsaKey::from_pem("PuTTY-User-Key-File-3: ssh-rsa\n"), "no PEM was found", "PuTTYgen");
}

#[test]
fn damaged_and_cut_texts_are_refused() {
    let without_end = PKCS8.split("-----END").next().unwrap();
    assert_refused(RsaKey::from_pem(without_end), "cut", "copy the whole file");
    assert_refused(RsaKey::from_pem(without_end), "it has no line \"-----END PRIVATE KEY-----\"", "");
    assert_refused(RsaKey::from_pem("-----BEGIN PRIVATE"), "stops within the BEGIN line", "");
    assert_refused(RsaKey::from_pem(&format!("{without_end}\n{PKCS8}")), "it has no line", "copy the whole file");
    let mixed = PKCS8.replace("END PRIVATE", "END RSA PRIVATE");
    assert_refused(RsaKey::from_pem(&mixed), "begins as \"PRIVATE KEY\" and ends as \"RSA PRIVATE KEY\"", "copy");
    let lines: Vec<&str> = PKCS8.lines().collect();
    let missing_line = [&lines[..5], &lines[6..]].concat().join("\n");
    assert_refused(RsaKey::from_pem(&missing_line), "it is cut, with 1170 of 1218 bytes", "copy the whole file");
    let missing_digit = PKCS8.replacen(lines[4], &lines[4][1..], 1);
    assert_refused(RsaKey::from_pem(&missing_digit), "its base64 stops within", "copy the whole file");
    let strange = PKCS8.replacen(lines[4], &lines[4].replace(char::is_alphabetic, "*"), 1);
    assert_refused(RsaKey::from_pem(&strange), "a character in it is not base64", "copy the whole file");
    let nothing = "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n";
    assert_refused(RsaKey::from_pem(nothing), "nothing stands between", "");
    let longer = [PKCS8_DER, b"\n"].concat();
    assert_refused(RsaKey::read(&longer, None), "1 bytes stand behind its end", "");
}

#[test]
fn no_part_of_a_strange_text_is_repeated() {
    for text in ["-----BEGIN hunter2-----\nAAAA\n", "-----BEGIN hunter2-----\nAAAA\n-----END hunter3-----\n", "hunter2"]
    {
        let error = RsaKey::from_pem(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter"), "{error:?}");
    }
}

#[test]
fn two_different_keys_are_refused_and_not_chosen_from() {
    let two = format!("{PKCS8}{}", include_str!("../data/keys/rsa_3072.pem"));
    assert_refused(RsaKey::from_pem(&two), "more than one key", "this one key only");
}

#[test]
fn a_key_whose_numbers_do_not_fit_is_refused() {
    // The last byte of the private exponent of `pkcs1.der`, the fourth number of nine.
    let mut der = PKCS1_DER.to_vec();
    let exponent_end = 4 + 3 + (4 + 257) + 5 + (4 + 256);
    der[exponent_end - 1] ^= 2;
    assert_refused(RsaKey::read(&der, None), "its numbers do not fit together", "openssl rsa");
}

#[test]
fn short_moduli_are_refused_with_their_length() {
    let outcome = RsaKey::from_pem(include_str!("../data/keys/rsa_1024.pem"));
    assert_refused(outcome, "has 1024 bits; 2048 to 8192", "openssl genrsa -out private.pem 2048");
}

/// A public key in PKCS#1 DER with an odd modulus of `bytes` bytes whose top bit is set.
fn public_key_of(bytes: u16) -> Vec<u8> {
    let modulus = [&[0, 0x80], &vec![0; usize::from(bytes) - 2][..], &[1]].concat();
    let [high, low] = (bytes + 1).to_be_bytes();
    let inner = [&[2, 0x82, high, low], modulus.as_slice(), &[2, 3, 1, 0, 1]].concat();
    let [high, low] = u16::try_from(inner.len()).unwrap().to_be_bytes();
    [&[0x30, 0x82, high, low], inner.as_slice()].concat()
}

#[test]
fn long_moduli_are_refused_before_they_cost_anything() {
    assert_eq!(RsaPublicKey::read(public_key_of(1024)).unwrap().modulus_bits(), 8192);
    assert_refused(RsaPublicKey::read(public_key_of(1025)), "has 8200 bits; 2048 to 8192", "");
    assert_refused(RsaPublicKey::read(public_key_of(60_000)), "has 480000 bits", "");
}

#[test]
fn the_old_encryption_is_refused_with_the_command_that_converts_it() {
    let old = include_str!("../data/keys/encrypted_pkcs1.pem");
    for text in [old.to_owned(), old.replace('\n', "\\n"), STANDARD.encode(old)] {
        assert_refused(
            RsaKey::from_pem(&text),
            "Proc-Type: 4,ENCRYPTED",
            "openssl pkcs8 -topk8 -in old.pem -out new.pem",
        );
        assert_refused(RsaKey::from_pem(&text), "old way of OpenSSL", "openssl rsa -in old.pem -out new.pem");
    }
}

#[test]
fn an_encrypted_key_without_passphrase_is_refused() {
    let remedy = if cfg!(feature = "encrypted-keys") { "`RsaKey::read`" } else { "feature `encrypted-keys`" };
    assert_refused(RsaKey::from_pem(ENCRYPTED), "is encrypted, and no passphrase was given", remedy);
    assert_refused(RsaKey::read(ENCRYPTED_DER, None), "is encrypted, and no passphrase was given", remedy);
}

#[cfg(feature = "encrypted-keys")]
mod encrypted {
    use super::*;

    const PASSPHRASE: &[u8] = b"correct-horse";

    #[test]
    fn every_modern_encryption_is_opened() {
        for pem in [ENCRYPTED, include_str!("../data/keys/encrypted_scrypt.pem")] {
            assert_eq!(RsaKey::read(pem.as_bytes(), Some(PASSPHRASE)).unwrap().public_key().fingerprint(), FINGERPRINT);
        }
        let escaped = format!("'{}'", ENCRYPTED.replace('\n', "\\n"));
        assert_eq!(RsaKey::read(escaped.as_bytes(), Some(PASSPHRASE)).unwrap().public_key().fingerprint(), FINGERPRINT);
        assert_eq!(RsaKey::read(ENCRYPTED_DER, Some(PASSPHRASE)).unwrap().public_key().fingerprint(), FINGERPRINT);
        let generated = include_str!("../data/keys/encrypted_genpkey.pem");
        // openssl pkey -in encrypted_genpkey.pem -passin pass:correct-horse -pubout -outform der | sha256sum
        let fingerprint = "fe7618ce1a6cbc43fdd493204e8c85231ef8b3e653b025f6be469f792b3a8528";
        assert_eq!(
            RsaKey::read(generated.as_bytes(), Some(PASSPHRASE)).unwrap().public_key().fingerprint(),
            fingerprint
        );
    }

    #[test]
    fn a_key_that_is_not_encrypted_is_read_too() {
        for pem in [PKCS1, PKCS8] {
            assert_eq!(RsaKey::read(pem.as_bytes(), Some(b"")).unwrap().public_key().fingerprint(), FINGERPRINT);
        }
        assert_eq!(RsaKey::read(PKCS1_DER, Some(b"")).unwrap().public_key().fingerprint(), FINGERPRINT);
    }

    #[test]
    fn a_wrong_passphrase_is_named_as_such_whatever_it_decrypts_to() {
        // Enough of them that one or more yields padding that looks right.
        for number in 0..600_u32 {
            let outcome = RsaKey::read(ENCRYPTED_DER, Some(&number.to_be_bytes()));
            assert_refused(outcome, "the passphrase does not open", "line break at its end");
        }
        assert_refused(
            RsaKey::read(ENCRYPTED.as_bytes(), Some(b"correct-horse\n")),
            "the passphrase does not open",
            "",
        );
        assert_refused(RsaKey::read(ENCRYPTED.as_bytes(), Some(b"")), "the passphrase does not open", "");
    }

    #[test]
    fn older_encryptions_are_refused_with_the_command_that_converts_them() {
        for pem in [include_str!("../data/keys/encrypted_pbes1.pem"), include_str!("../data/keys/encrypted_3des.pem")] {
            let outcome = RsaKey::read(pem.as_bytes(), Some(PASSPHRASE));
            assert_refused(outcome, "encrypted in a way that is not read", "openssl pkcs8 -topk8 -v2 aes-256-cbc");
        }
    }

    /// The DER of the encrypted key whose KDF's parameters `find` are replaced by `put`; where that is longer, the
    /// salt before it gets shorter.
    fn patched(pem: &str, find: &[u8], put: &[u8]) -> Vec<u8> {
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let mut der = STANDARD.decode(body).unwrap();
        let at = der.windows(find.len()).position(|window| window == find).unwrap();
        let surplus = put.len() - find.len();
        let salt = at - 10;
        assert_eq!(der[salt..salt + 2], [4, 8]);
        der[salt + 1] -= u8::try_from(surplus).unwrap();
        der[at - surplus..at + find.len()].copy_from_slice(put);
        der
    }

    #[test]
    fn unreasonable_efforts_are_refused_at_once() {
        let scrypt = include_str!("../data/keys/encrypted_scrypt.pem");
        // N = 0x4000, r = 8, p = 1
        let parameters = b"\x02\x02\x40\x00\x02\x01\x08\x02\x01\x01";
        let cases: [&[u8]; 8] = [
            b"\x02\x01\x00\x02\x02\x00\x80\x02\x01\x01",
            b"\x02\x02\x40\x01\x02\x01\x08\x02\x01\x01",
            b"\x02\x02\x40\x00\x02\x01\x00\x02\x01\x01",
            b"\x02\x02\x40\x00\x02\x01\x08\x02\x01\x00",
            b"\x02\x02\x40\x00\x02\x01\x08\x02\x01\x11",
            b"\x02\x03\x40\x00\x00\x02\x01\x08\x02\x01\x01",
            b"\x02\x05\x40\x00\x00\x00\x00\x02\x01\x08\x02\x01\x01",
            b"\x02\x08\x40\x00\x00\x00\x00\x00\x00\x00\x02\x01\x08\x02\x01\x01",
        ];
        for put in cases {
            let outcome = RsaKey::read(patched(scrypt, parameters, put), Some(PASSPHRASE));
            assert_refused(outcome, "an unreasonable effort", "openssl pkcs8");
        }
        // Twenty million rounds.
        let rounds = patched(ENCRYPTED, b"\x02\x02\x08\x00", b"\x02\x04\x01\x31\x2d\x00");
        assert_refused(RsaKey::read(&rounds, Some(PASSPHRASE)), "an unreasonable effort", "openssl pkcs8");
        // The effort is as it was, and the salt another.
        let same = patched(scrypt, parameters, parameters);
        assert!(RsaKey::read(&same, Some(PASSPHRASE)).is_ok());
        let shorter = patched(ENCRYPTED, b"\x02\x02\x08\x00", b"\x02\x03\x01\x00\x00");
        assert_refused(RsaKey::read(&shorter, Some(PASSPHRASE)), "the passphrase does not open", "");
    }

    #[test]
    fn every_cut_of_an_encrypted_key_is_refused() {
        for length in 0..ENCRYPTED_DER.len() {
            assert!(RsaKey::read(&ENCRYPTED_DER[..length], Some(PASSPHRASE)).is_err(), "{length}");
        }
    }
}

#[test]
fn both_pem_forms_decrypt_the_secret_of_the_vectors() {
    let vectors: Value = serde_json::from_str(include_str!("../data/vectors.json")).unwrap();
    let step = &vectors["step3_access_token"];
    let ciphertext = STANDARD.decode(step["response_body"]["oauth_token_secret"].as_str().unwrap()).unwrap();
    for form in ["encryption_private_key_pkcs1_pem", "encryption_private_key_pkcs8_pem"] {
        let key = RsaKey::from_pem(vectors["keys"][form].as_str().unwrap()).unwrap();
        // openssl pkey -in key.pem -pubout -outform der | sha256sum
        assert_eq!(key.public_key().fingerprint(), "feb37b643995847891ce133a0ddd66e6db86e36838cf7f29e2b500a865f584d3");
        let shared: std::sync::Arc<dyn DecryptionKey> = std::sync::Arc::new(key);
        let secret = shared.decrypt(&ciphertext, &mut SeededEntropy(1)).unwrap();
        assert_eq!(STANDARD.encode(secret.expose()), step["decrypted_secret_base64"].as_str().unwrap());
    }
    let public = RsaPublicKey::read(vectors["keys"]["encryption_public_key_spki_pem"].as_str().unwrap()).unwrap();
    assert_eq!(public.to_pem(), vectors["keys"]["encryption_public_key_spki_pem"].as_str().unwrap());
}

#[test]
fn a_ciphertext_of_another_length_is_refused_with_both_lengths() {
    let key = RsaKey::from_pem(PKCS1).unwrap();
    for length in [0, 1, 129, 255, 257] {
        let outcome = key.decrypt(&vec![1; length], &mut SeededEntropy(1));
        assert_refused(outcome, &format!("the secret has {length} bytes, the key needs 256: was it cut?"), "again");
    }
    assert_refused(
        key.decrypt(&[0xff; 256], &mut SeededEntropy(1)),
        "cannot have been encrypted for this key",
        "signature key",
    );
}

#[test]
fn debug_shows_lengths_only() {
    let key = RsaKey::from_pem(PKCS1).unwrap();
    assert_eq!(format!("{key:?}"), "RsaKey([redacted], 2048 bits)");
    assert_eq!(format!("{:#?}", key.clone()), "RsaKey([redacted], 2048 bits)");
    let public = format!("RsaPublicKey {{ bits: 2048, fingerprint: {FINGERPRINT:?}, .. }}");
    assert_eq!(format!("{:?}", key.public_key()), public);
}

#[test]
fn no_prefix_of_a_key_is_taken_for_another() {
    for pem in [PKCS1, PKCS8] {
        for length in 0..pem.len() {
            if let Ok(key) = RsaKey::from_pem(&pem[..length]) {
                assert_eq!(key.public_key().fingerprint(), FINGERPRINT);
                assert_eq!(&pem[length..], "\n", "something significant was cut");
            }
        }
        let wrapped = STANDARD.encode(pem);
        for length in 0..wrapped.len() - 4 {
            assert!(RsaKey::from_pem(&wrapped[..length]).is_err(), "{length}");
        }
    }
    for der in [PKCS1_DER, PKCS8_DER] {
        for length in 0..der.len() {
            assert!(RsaKey::read(&der[..length], None).is_err(), "{length}");
        }
    }
    let public = include_bytes!("../data/keys/public.der");
    for length in 0..public.len() {
        assert!(RsaPublicKey::read(&public[..length]).is_err(), "{length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(RsaKey::read(&bytes, None).is_err());
        prop_assert!(RsaPublicKey::read(&bytes).is_err());
        #[cfg(feature = "encrypted-keys")]
        prop_assert!(RsaKey::read(&bytes, Some(b"")).is_err());
    }

    #[test]
    fn random_texts_are_refused(text in "\\PC*", label in "[A-Z ]{0,20}") {
        prop_assert!(RsaKey::from_pem(&text).is_err());
        let block = format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----");
        prop_assert!(RsaKey::from_pem(&block).is_err());
        let block = format!("-----BEGIN PUBLIC KEY-----{text}-----END PUBLIC KEY-----");
        prop_assert!(RsaPublicKey::read(&block).is_err());
    }

    #[test]
    fn a_changed_byte_never_panics_and_never_gives_another_private_key(
        at in 0..PKCS8_DER.len(),
        byte in any::<u8>(),
        pkcs8 in any::<bool>(),
    ) {
        let mut der = if pkcs8 { PKCS8_DER } else { PKCS1_DER }.to_vec();
        let at = at % der.len();
        der[at] = byte;
        // The exponents and the coefficient that speed decryption up are computed anew, so a change there is harmless.
        if let Ok(key) = RsaKey::read(&der, None) {
            prop_assert_eq!(key.public_key().fingerprint(), FINGERPRINT);
        }
    }

    #[test]
    fn any_line_breaks_do(width in 1_usize..200, ending in "[ \t]{0,2}(\r\n|\n|\r|\\\\n|\\\\r\\\\n)") {
        let body: String = PKCS8.lines().filter(|line| !line.starts_with('-')).collect();
        let lines: Vec<&str> = body.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let text = format!("-----BEGIN PRIVATE KEY-----{ending}{}{ending}-----END PRIVATE KEY-----", lines.join(&ending));
        prop_assert_eq!(RsaKey::from_pem(&text).unwrap().public_key().fingerprint(), FINGERPRINT);
    }

    #[test]
    fn random_signatures_are_refused(digest in any::<[u8; 32]>(), signature in prop::collection::vec(any::<u8>(), 0..300)) {
        let key = RsaPublicKey::read(PUBLIC).unwrap();
        prop_assert!(key.verify(&digest, &signature).is_err());
    }
}
