//! Diffie-Hellman parameters in every form in which OpenSSL and the ways of a text leave them.

use base64::{Engine, engine::general_purpose::STANDARD};
use ibkr_oauth::{Error, dh::DhGroup};
use num_bigint::BigUint;
use proptest::prelude::*;
use serde_json::Value;

const PEM: &str = include_str!("../data/keys/dh.pem");
const DER: &[u8] = include_bytes!("../data/keys/dh.der");
const TEXT: &str = include_str!("../data/keys/dh_text.txt");
const X942: &str = include_str!("../data/keys/dh_x942.pem");

#[track_caller]
fn assert_refused(outcome: Result<DhGroup, Error>, message: &str, remedy: &str) {
    let error = outcome.unwrap_err();
    assert!(error.to_string().contains(message), "{:?} does not say {message:?}", error.to_string());
    let advised = error.remedy();
    assert!(advised.contains(remedy), "{advised:?} does not advise {remedy:?}");
}

/// The digits of the prime in `dh_text.txt`, by another way than the library's.
fn digits() -> String {
    TEXT.lines().filter(|line| line.starts_with("        ")).map(|line| line.trim().replace(':', "")).collect()
}

/// The group of two big-endian numbers.
fn from_numbers(prime: &[u8], generator: &[u8]) -> Result<DhGroup, Error> {
    let [prime, generator] = [prime, generator].map(BigUint::from_bytes_be);
    DhGroup::read(format!("prime: 0x{prime:x}\ngenerator: 0x{generator:x}"))
}

fn ffdhe_2048() -> DhGroup {
    DhGroup::read(include_str!("../data/keys/ffdhe_2048.pem")).unwrap()
}

fn bits(group: &DhGroup) -> u64 {
    BigUint::parse_bytes(group.prime_hex().as_bytes(), 16).unwrap().bits()
}

fn group() -> DhGroup {
    let bytes: Vec<u8> =
        (0..digits().len()).step_by(2).map(|at| u8::from_str_radix(&digits()[at..at + 2], 16).unwrap()).collect();
    assert_eq!((bytes.len(), bytes[0]), (257, 0));
    from_numbers(&bytes, &[2]).unwrap()
}

fn vectors() -> Value {
    serde_json::from_str(include_str!("../data/vectors.json")).unwrap()
}

/// What IBKR published in 2018: the modulus is composite, and the generator larger than it.
fn published() -> DhGroup {
    let vectors = vectors();
    let example = &vectors["published_known_answers"]["oauth_at_interactive_brokers_pdf_2018"];
    let number = |name: &str| example[name].as_str().unwrap().parse::<BigUint>().unwrap().to_bytes_be();
    from_numbers(&number("dh_prime_decimal"), &number("dh_generator_decimal")).unwrap()
}

#[test]
fn all_forms_give_the_same_group() {
    assert_eq!(DhGroup::read(PEM).unwrap(), group());
    assert_eq!(DhGroup::read(DER).unwrap(), group());
    let with_text = include_str!("../data/keys/dh_with_text.pem");
    for text in [PEM, TEXT, with_text, &digits(), &STANDARD.encode(PEM), &STANDARD.encode(DER)] {
        assert_eq!(DhGroup::read(text).unwrap(), group());
    }
    assert_ne!(DhGroup::modp_2048(), group());
}

#[test]
fn mangled_pem_is_read() {
    let forms = [
        PEM.replace('\n', "\r\n"),
        PEM.replace('\n', ""),
        format!("\u{feff}{}", PEM.replace('\n', " ")),
        format!("\"{}\"", PEM.replace('\n', "\\n")),
        format!("{}{PEM}", include_str!("../data/keys/certificate.pem")),
    ];
    for text in forms {
        assert_eq!(DhGroup::read(&text).unwrap(), group());
        assert_eq!(DhGroup::read(&text).unwrap(), group());
    }
}

#[test]
fn hexadecimal_is_read_as_people_write_it() {
    let digits = digits();
    let bare = digits.trim_start_matches('0');
    let pairs: Vec<&str> = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect();
    let forms = [
        bare.to_owned(),
        bare.to_uppercase(),
        format!("0x{bare}"),
        format!("0X{digits}"),
        format!(" {digits}\n"),
        format!("'{bare}'"),
        pairs.join(":"),
        pairs.join(" "),
        pairs.chunks(15).map(|line| line.join(":")).collect::<Vec<_>>().join(":\r\n    "),
        pairs.chunks(15).map(|line| line.join(":")).collect::<Vec<_>>().join(":\\n"),
    ];
    for text in forms {
        assert_eq!(DhGroup::read(&text).unwrap(), group(), "{text}");
        assert_eq!(DhGroup::read(&text).unwrap(), group(), "{text}");
    }
}

#[test]
fn the_print_of_older_versions_of_openssl_is_read() {
    let old = TEXT
        .replace("    DH Parameters:", "    PKCS#3 DH Parameters:")
        .replace("    P:   \n", "        prime:\n")
        .replace("    G:    2 (0x2)", "        generator: 2 (0x2)\n        recommended-private-length: 225 bits");
    let oldest = TEXT.replace("DH Parameters:", "Diffie-Hellman-Parameters:").replace("P:   ", "prime:");
    let x942 = TEXT.replace("DH Parameters:", "X9.42 DH Parameters:") + "    Q:   \n        01:02:03\n    seed: 04\n";
    for text in
        [&old, &oldest, &x942, &old.replace('\n', "\r\n"), &old.replace('\n', "\\n"), &TEXT.replace('\n', "\r\n")]
    {
        assert!(*text != TEXT);
        assert_eq!(DhGroup::read(text).unwrap(), group(), "{text}");
    }
}

#[test]
fn the_printed_generator_is_taken() {
    let five = TEXT.replace("2 (0x2)", "5 (0x5)");
    assert_eq!(format!("{:?}", DhGroup::read(&five).unwrap()), "DhGroup(2048 bits, generator 5)");
    let sixteen = TEXT.replace("2 (0x2)", "16 (0x10)");
    assert_eq!(format!("{:?}", DhGroup::read(&sixteen).unwrap()), "DhGroup(2048 bits, generator 16)");
    let large = TEXT
        .replace("    G:    2 (0x2)", "    G:   \n        00:fe:dc:ba:98:\n        76:54\n    Q:   \n        05:06");
    assert_eq!(format!("{:?}", DhGroup::read(&large).unwrap()), "DhGroup(2048 bits, generator large)");
    let expected = from_numbers(&prime_bytes(), &[0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54]).unwrap();
    assert_eq!(DhGroup::read(&large).unwrap(), expected);
}

fn prime_bytes() -> Vec<u8> {
    BigUint::parse_bytes(digits().as_bytes(), 16).unwrap().to_bytes_be()
}

#[test]
fn the_constants_are_those_of_openssl() {
    assert_eq!(DhGroup::modp_2048(), DhGroup::read(include_str!("../data/keys/modp_2048.pem")).unwrap());
    let vectors = vectors();
    let of_vectors = |name: &str| DhGroup::read(vectors["keys"][name].as_str().unwrap()).unwrap();
    assert_eq!(DhGroup::modp_2048(), of_vectors("dh_parameters_pem"));
    assert_eq!(DhGroup::modp_2048(), of_vectors("dh_prime_hex"));
    assert_ne!(DhGroup::modp_2048(), ffdhe_2048());
}

#[test]
fn a_group_that_openssl_prints_by_name_is_known() {
    let printed = include_str!("../data/keys/modp_2048_text.txt");
    assert!(printed.contains("GROUP: modp_2048"));
    assert_eq!(DhGroup::read(printed).unwrap(), DhGroup::modp_2048());
    assert_eq!(DhGroup::read(printed.replace("modp_2048", "ffdhe2048")).unwrap(), ffdhe_2048());
    assert_refused(DhGroup::read(printed.replace("modp_2048", "modp_1536")), "printed only the name", "PEM file");
}

#[test]
fn x942_parameters_are_read() {
    let group = DhGroup::read(X942).unwrap();
    assert_eq!(format!("{group:?}"), "DhGroup(2048 bits, generator large)");
}

#[test]
fn what_is_not_dh_parameters_is_refused_by_name() {
    let cases = [
        (include_str!("../data/keys/pkcs1.pem"), "an RSA private key was given where Diffie-Hellman parameters"),
        (include_str!("../data/keys/pkcs8.pem"), "a private key was given"),
        (include_str!("../data/keys/public.pem"), "a public key was given"),
        (include_str!("../data/keys/certificate.pem"), "a certificate was given"),
        (include_str!("../data/keys/ec.pem"), "a set of EC parameters was given"),
    ];
    for (pem, message) in cases {
        assert_refused(DhGroup::read(pem), message, "openssl dhparam -out dhparam.pem 2048");
        assert_refused(DhGroup::read(pem), message, "that IBKR was given");
    }
    assert_refused(DhGroup::read(include_bytes!("../data/keys/pkcs1.der")), "an RSA private key was given", "dhparam");
    assert_refused(DhGroup::read(include_bytes!("../data/keys/pkcs8.der")), "an RSA private key was given", "dhparam");
    assert_refused(DhGroup::read(include_bytes!("../data/keys/public_pkcs1.der")), "an RSA public key was given", "");
    assert_refused(DhGroup::read("dhparam.pem"), "no PEM was found", "the name of a file");
}

#[test]
fn texts_with_slips_are_refused() {
    assert_refused(DhGroup::read(""), "the text is empty", "");
    assert_refused(DhGroup::read(" \n"), "the text is empty", "");
    let slip = format!("{}O{}", &digits()[..100], &digits()[101..]);
    assert_refused(DhGroup::read(&slip), "no hexadecimal digit", "");
    let lines: Vec<&str> = TEXT.lines().collect();
    let missing_line = [&lines[..5], &lines[6..]].concat().join("\n");
    assert_refused(DhGroup::read(&missing_line), "has 1928 bits where 2048 are announced", "");
    let stray = TEXT.replacen('\n', "\nC4F0\n", 1);
    assert_refused(DhGroup::read(&stray), "no hexadecimal digit", "");
    assert_refused(DhGroup::read("P:\nG: 2 (0x2)\n"), "no Diffie-Hellman prime", "");
    assert_refused(DhGroup::read(TEXT.replace("2 (0x2)", "")), "no Diffie-Hellman generator", "");
}

/// `SEQUENCE { members }` of at most 127 bytes.
fn sequence(members: &[&[u8]]) -> Vec<u8> {
    let inner = members.concat();
    [&[0x30, u8::try_from(inner.len()).unwrap()], inner.as_slice()].concat()
}

#[test]
fn negative_numbers_are_refused_with_what_ibkr_makes_of_them() {
    // The INTEGER of the prime is moved up over its leading 00, and both lengths are made to fit.
    let mut der = DER.to_vec();
    assert_eq!(der[..9], [0x30, 0x82, 1, 8, 2, 0x82, 1, 1, 0]);
    der.remove(8);
    der[3] -= 1;
    der[7] -= 1;
    assert_refused(
        DhGroup::read(&der),
        "modulus is encoded as a negative number",
        "openssl dhparam -out dhparam.pem 2048",
    );
    assert_refused(DhGroup::read(&der), "its first byte is c4, with no 00 before it); IBKR would read it so", "");
    let pem = format!("-----BEGIN DH PARAMETERS-----\n{}\n-----END DH PARAMETERS-----\n", STANDARD.encode(&der));
    assert_refused(DhGroup::read(&pem), "encoded as a negative number", "openssl dhparam");
    let prime = [&[2, 17, 0], [0xff; 16].as_slice()].concat();
    assert_refused(DhGroup::read(sequence(&[&prime, &[2, 1, 0x82]])), "generator is encoded as a negative", "");
    assert_refused(DhGroup::read(sequence(&[&prime, &[2, 0]])), "generator is empty", "");
    assert!(DhGroup::read(sequence(&[&prime, &[2, 1, 2]])).is_ok());
    assert!(DhGroup::read(sequence(&[&prime, &[2, 1, 2], &[2, 2, 0, 0xe1]])).is_ok());
}

#[test]
fn only_what_cannot_work_is_refused() {
    assert_refused(from_numbers(&[], &[2]), "has 0 bits; 128 to 8192", "openssl dhparam");
    assert_refused(from_numbers(&[0x7f; 16], &[2]), "has 127 bits", "");
    assert_refused(from_numbers(&[0xff; 1025], &[2]), "has 8200 bits", "");
    assert_eq!(bits(&from_numbers(&[0xff; 16], &[2]).unwrap()), 128);
    assert_eq!(bits(&from_numbers(&[0xff; 1024], &[2]).unwrap()), 8192);
    assert_eq!(bits(&from_numbers(&[&[0, 0, 1], [0xff; 16].as_slice()].concat(), &[0, 2]).unwrap()), 129);
    let even = [[0xff; 31].as_slice(), &[0xfe]].concat();
    assert_refused(from_numbers(&even, &[2]), "modulus is even", "openssl dhparam");
}

#[test]
fn a_generator_must_generate_once_it_is_reduced() {
    let prime = BigUint::from_bytes_be(&prime_bytes());
    let with = |generator: BigUint| from_numbers(&prime.to_bytes_be(), &generator.to_bytes_be());
    for useless in [BigUint::ZERO, 1_u8.into(), &prime - 1_u8, prime.clone(), &prime + 1_u8, &prime * 3_u8 - 1_u8] {
        assert_refused(with(useless), "is not between 2 and p - 2", "");
    }
    for useful in [BigUint::from(2_u8), 5_u8.into(), &prime - 2_u8, &prime + 2_u8, &prime * 3_u8 - 2_u8] {
        assert!(with(useful).is_ok());
    }
    assert_eq!(with(&prime + 2_u8).unwrap(), group());
}

#[test]
fn debug_shows_lengths_only() {
    assert_eq!(format!("{:?}", group()), "DhGroup(2048 bits, generator 2)");
    assert_eq!(format!("{:?}", published()), "DhGroup(2045 bits, generator large)");
}

#[test]
fn no_prefix_of_a_group_is_taken_for_another() {
    for length in 0..PEM.len() {
        if let Ok(group) = DhGroup::read(&PEM[..length]) {
            assert_eq!(group, self::group());
            assert_eq!(&PEM[length..], "\n", "something significant was cut");
        }
    }
    for length in 0..DER.len() {
        assert!(DhGroup::read(&DER[..length]).is_err(), "{length}");
    }
    for length in 0..TEXT.len() {
        if let Ok(group) = DhGroup::read(&TEXT[..length]) {
            assert_eq!(group, self::group(), "{length}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), generator in any::<Vec<u8>>()) {
        let _ = DhGroup::read(&bytes);
        let _ = from_numbers(&bytes, &generator);
    }

    #[test]
    fn random_texts_never_panic(text in "\\PC*", lines in "([PGpqgroup :0-9a-fx()]{0,12}\n){0,6}") {
        let _ = DhGroup::read(&text);
        let _ = DhGroup::read(&lines);
    }

    #[test]
    fn a_changed_byte_never_panics(at in 0..DER.len(), byte in any::<u8>()) {
        let mut der = DER.to_vec();
        der[at] = byte;
        let _ = DhGroup::read(&der);
    }

    #[test]
    fn bytes_and_digits_agree(mut prime in prop::collection::vec(any::<u8>(), 17..200)) {
        prime[0] |= 1;
        *prime.last_mut().unwrap() |= 1;
        let digits = prime.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().concat();
        let group = from_numbers(&prime, &[2]).unwrap();
        prop_assert_eq!(bits(&group), BigUint::from_bytes_be(&prime).bits());
        prop_assert_eq!(DhGroup::read(&digits).unwrap(), group);
    }
}

#[test]
fn a_group_is_written_as_openssl_writes_it() {
    assert_eq!(DhGroup::modp_2048().to_pem(), include_str!("../data/keys/modp_2048.pem"));
    assert_eq!(ffdhe_2048().to_pem(), include_str!("../data/keys/ffdhe_2048.pem"));
    // With its top bit set a modulus gets a zero byte, and without it none.
    for (number, text) in [("01", include_str!("../data/groups/01.pem")), ("02", include_str!("../data/groups/02.pem"))]
    {
        let group = DhGroup::read(text).unwrap();
        assert_eq!(group.to_pem(), text, "{number}");
    }
    for bits in [128, 129, 135, 136, 1016, 1024, 8192] {
        let mut prime = vec![0_u8; bits_in_bytes(bits)];
        prime[0] = 1 << ((bits - 1) % 8);
        *prime.last_mut().unwrap() |= 1;
        let group = from_numbers(&prime, &[2]).unwrap();
        assert_eq!(DhGroup::read(group.to_pem()).unwrap(), group, "{bits}");
    }
}

fn bits_in_bytes(bits: usize) -> usize {
    bits.div_ceil(8)
}
