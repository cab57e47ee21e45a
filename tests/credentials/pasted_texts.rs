//! Keys and parameters that an editor, a browser or a word processor has made prettier on their way.

use base64::{Engine, engine::general_purpose::STANDARD};
use ibkr_oauth::{Error, dh::DhGroup};
use num_bigint::BigUint;

use super::{RsaKey, RsaPublicKey};

const KEYS: [&str; 2] = [include_str!("../data/keys/pkcs1.pem"), include_str!("../data/keys/pkcs8.pem")];
const PUBLIC: &str = include_str!("../data/keys/public.pem");
const PARAMETERS: &str = include_str!("../data/keys/dh.pem");

/// Each blank that people's programs put in the place of a space.
const BLANKS: [char; 9] =
    ['\u{a0}', '\u{1680}', '\u{2002}', '\u{2007}', '\u{2009}', '\u{202f}', '\u{205f}', '\u{3000}', '\t'];
/// What nobody sees.
const INVISIBLE: [char; 6] = ['\u{ad}', '\u{200b}', '\u{200c}', '\u{200e}', '\u{2060}', '\u{feff}'];
/// What hyphens become.
const DASHES: [&str; 8] =
    ["\u{2010}", "\u{2011}", "\u{2013}", "\u{2014}", "\u{2015}", "\u{2212}", "\u{fe63}", "\u{ff0d}"];

fn mangled(pem: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for blank in BLANKS {
        texts.push(pem.replace(' ', &blank.to_string()));
        texts.push(pem.replace(' ', &format!(" {blank}")));
        texts.push(pem.replace('\n', &format!("{blank}\n{blank}")));
    }
    for invisible in INVISIBLE {
        texts.push(pem.replace('\n', &format!("{invisible}\n")));
        texts.push(pem.replace("-----BEGIN", &format!("{invisible}-----BEGIN")));
        texts.push(pem.replace(' ', &format!("{invisible} ")));
        texts.push(format!("{}{invisible}{}", &pem[..200], &pem[200..]));
    }
    for dash in DASHES {
        texts.push(pem.replace('-', dash));
        texts.push(pem.replace("-----", &dash.repeat(3)));
        texts.push(pem.replace("-----", dash));
    }
    // As macOS and Word do it.
    texts.push(pem.replace("-----", "\u{2014}\u{2014}-"));
    texts.push(pem.replace("-----", "\u{2014}\u{2013}-"));
    for (open, close) in [("\u{201c}", "\u{201d}"), ("\u{2018}", "\u{2019}"), ("\u{201e}", "\u{201c}"), ("«", "»")] {
        texts.push(format!("{open}{pem}{close}"));
        texts.push(format!("{open}{}{close}", pem.replace('\n', "\\n")));
    }
    let encoded: Vec<String> = texts.iter().map(|text| STANDARD.encode(text)).collect();
    texts.extend(encoded);
    texts
}

#[track_caller]
fn assert_refused<T>(outcome: Result<T, Error>, message: &str) {
    let error = outcome.err().unwrap();
    assert!(error.to_string().contains(message), "{:?} does not say {message:?}", error.to_string());
}

#[test]
fn keys_are_read() {
    let fingerprint = RsaPublicKey::read(PUBLIC).unwrap().fingerprint();
    for pem in KEYS {
        for text in mangled(pem) {
            let key = RsaKey::from_pem(&text).unwrap_or_else(|error| panic!("{error}\n{text:?}"));
            assert_eq!(key.public_key().fingerprint(), fingerprint);
        }
    }
    for text in mangled(PUBLIC) {
        assert_eq!(RsaPublicKey::read(&text).unwrap().fingerprint(), fingerprint, "{text:?}");
    }
}

#[test]
fn parameters_are_read() {
    let group = DhGroup::read(PARAMETERS).unwrap();
    for text in mangled(PARAMETERS) {
        assert_eq!(DhGroup::read(&text).unwrap(), group, "{text:?}");
        assert_eq!(DhGroup::read(&text).unwrap(), group, "{text:?}");
    }
    let printed = include_str!("../data/keys/dh_text.txt");
    for blank in BLANKS {
        assert_eq!(DhGroup::read(printed.replace(' ', &blank.to_string())).unwrap(), group, "{blank:?}");
    }
    for invisible in INVISIBLE {
        assert_eq!(DhGroup::read(printed.replace('\n', &format!("{invisible}\n"))).unwrap(), group);
    }
}

#[test]
fn what_changes_a_key_is_still_refused() {
    for pem in KEYS {
        // A look-alike of a letter, in the label and in the key.
        assert!(RsaKey::from_pem(&pem.replace("KEY", "K\u{415}Y")).is_err());
        assert_refused(RsaKey::from_pem(&format!("{}\u{430}{}", &pem[..200], &pem[201..])), "is not base64");
        assert_refused(RsaKey::from_pem(&format!("{}\u{2014}{}", &pem[..200], &pem[201..])), "is not base64");
    }
    assert_refused(RsaKey::from_pem("\u{200b}\u{a0}"), "the text is empty");
}

fn decimal() -> String {
    let der: String = PARAMETERS.lines().filter(|line| !line.starts_with('-')).collect();
    // SEQUENCE, INTEGER and the zero before the prime's 256 bytes.
    BigUint::from_bytes_be(&STANDARD.decode(der).unwrap()[9..265]).to_string()
}

#[test]
fn a_prime_in_decimal_digits_is_read() {
    let (group, digits) = (DhGroup::read(PARAMETERS).unwrap(), decimal());
    assert_eq!(digits.len(), 617);
    let lines: Vec<&str> = digits.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    for text in [
        digits.clone(),
        format!(" {digits}\n"),
        format!("\"{digits}\""),
        lines.join("\n"),
        lines.join(" "),
        format!("p: {digits}\ng: 2\n"),
        format!("prime: {digits}"),
    ] {
        assert_eq!(DhGroup::read(&text).unwrap(), group, "{text}");
    }
    assert_ne!(DhGroup::read(format!("p: {digits}\ng: 5")).unwrap(), group);
}

/// Of 128 hexadecimal digits none is a letter once in 10^26 times.
#[test]
fn digits_without_a_letter_are_hexadecimal_where_that_may_be() {
    for digits in ["1234567890".repeat(5) + "1", "9".repeat(127)] {
        let hexadecimal = BigUint::parse_bytes(digits.as_bytes(), 16).unwrap();
        assert_eq!(DhGroup::read(&digits).unwrap().prime_hex(), format!("{hexadecimal:x}"));
    }
    let digits = "9".repeat(128);
    let (decimal, hexadecimal) =
        (digits.parse::<BigUint>().unwrap(), BigUint::parse_bytes(digits.as_bytes(), 16).unwrap());
    assert_eq!(DhGroup::read(&digits).unwrap().prime_hex(), format!("{decimal:x}"));
    assert_eq!(DhGroup::read(format!("0x{digits}")).unwrap().prime_hex(), format!("{hexadecimal:x}"));
    let colons: Vec<&str> = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect();
    assert_eq!(DhGroup::read(colons.join(":")).unwrap().prime_hex(), format!("{hexadecimal:x}"));
}

#[test]
fn too_many_decimal_digits_cost_nothing() {
    assert_refused(DhGroup::read("9".repeat(2467)), "8192 are accepted");
    assert_refused(DhGroup::read("9".repeat(1 << 20)), "has 1048576 decimal digits");
    assert_refused(DhGroup::read(&("0".repeat(1 << 20) + &"9".repeat(130))), "has 1048706 decimal digits");
}
