//! Credentials examined offline: each single broken thing is found, and the next step is the right one.

use crate::{
    findings::Findings,
    fixture::{self, NOW, SeededEntropy},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ibkr_oauth::{
    Context, CredentialBundle, Secret,
    dh::DhGroup,
    diagnose::{Finding, Severity},
    key::{KeyLocation, RsaKey},
    simulator::{Broker, test_keys},
};
use num_bigint::BigUint;
use serde_json::{Value, json};

const TOKEN_OF_PORTAL: &str = "218c1d970d85a8442825";

/// Keys that are nobody's, as a user makes them.
const SIGNATURE_KEY: &str = include_str!("../data/keys/pkcs8.pem");
const ENCRYPTION_KEY: &str = include_str!("../data/keys/rsa_three_primes_pkcs8.pem");

/// A secret as the portal shows it: 32 bytes, encrypted to the encryption key.
fn secret() -> String {
    include_str!("../data/keys/rsa_three_primes_secret.txt").replace('\n', "")
}

/// A bundle in which everything fits.
fn bundle() -> Value {
    json!({
        "consumer_key": "SIMULATOR",
        "access_token": TOKEN_OF_PORTAL,
        "access_token_secret": secret(),
        "signature_key": SIGNATURE_KEY,
        "encryption_key": ENCRYPTION_KEY,
        "dh_params": test_keys::DH_PARAMETERS,
    })
}

fn look(bundle: &Value) -> Findings {
    let findings = Findings::of(&CredentialBundle::from_json(&bundle.to_string()).unwrap());
    shows_nothing(&findings);
    findings
}

/// Neither key, nor secret, nor token, nor the whole consumer key.
fn shows_nothing(findings: &Findings) {
    let json = serde_json::to_string(&findings.0).unwrap();
    let shown = format!("{findings} {:?} {:#?} {json}", findings.0, findings.0);
    let secret = secret();
    let keys = [SIGNATURE_KEY, ENCRYPTION_KEY].into_iter().flat_map(str::lines);
    let lines = keys.filter(|line| !line.starts_with("-----")).skip(1);
    for hidden in lines.chain([TOKEN_OF_PORTAL, "SIMULATOR", &secret[..12], &secret[200..220], "MARKER"]) {
        assert!(!shown.contains(hidden), "{hidden} is shown: {shown}");
    }
}

fn file(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[track_caller]
fn finds(findings: &Findings, verdict: Severity, subject: &str, message: &str, next: &str) {
    let worst = findings.worst();
    assert_eq!((worst.severity, worst.subject), (verdict, subject), "{findings}");
    assert_eq!(findings.severity(), verdict);
    assert!(findings.to_string().contains(subject), "{findings}");
    assert!(worst.message.contains(message), "{}", worst.message);
    let remedy = worst.remedy.as_deref().unwrap_or_default();
    assert!(remedy.contains(next), "{remedy}");
    assert!(findings.to_string().contains(&format!("-> {remedy}")), "{findings}");
}

#[track_caller]
fn with(field: &str, value: impl Into<Value>, verdict: Severity, subject: &str, message: &str, next: &str) {
    let mut bundle = bundle();
    bundle[field] = value.into();
    finds(&look(&bundle), verdict, subject, message, next);
}

#[test]
fn a_bundle_in_which_everything_fits_is_fine() {
    let findings = look(&bundle());
    assert_eq!(findings.severity(), Severity::Ok, "{findings}");
    let text = findings.to_string();
    for words in [
        "the encryption key opens it, to 32 bytes",
        "344 characters",
        "two different keys",
        "group 14 of RFC 3526",
        "SIM…",
        "`limited_poa`, which fits",
        &RsaKey::from_pem(SIGNATURE_KEY).unwrap().public_key().fingerprint(),
        &RsaKey::from_pem(ENCRYPTION_KEY).unwrap().public_key().fingerprint(),
    ] {
        assert!(text.contains(words), "{words} is missing:\n{text}");
    }
    let value = serde_json::to_value(&findings.0).unwrap();
    assert_eq!((&value[0]["subject"], &value[0]["severity"]), (&"consumer_key".into(), &"ok".into()));
    let mut subjects: Vec<&str> = findings.0.iter().map(|finding| finding.subject).collect();
    subjects.dedup();
    let in_the_order_of_the_bundle = [
        "consumer_key",
        "realm",
        "base_url",
        "signature_key",
        "encryption_key",
        "key_pair",
        "access_token",
        "access_token_secret",
        "dh_params",
    ];
    assert_eq!(subjects, in_the_order_of_the_bundle);
}

#[test]
fn names() {
    use Severity::{Error, Warning};
    with("consumer_key", "simulator", Warning, "consumer_key", "lower-case", "upper case");
    with("consumer_key", "TOOLONGAKEY", Warning, "consumer_key", "11 characters", "letter by letter");
    for fine in ["AB1DEFGHI", "0123456789abcdef012345678"] {
        let mut bundle = bundle();
        bundle["consumer_key"] = fine.into();
        assert_eq!(look(&bundle).severity(), Severity::Ok, "{fine}");
    }
    with("realm", "test_realm", Error, "realm", "not this consumer's", "limited_poa");
    with("realm", "other", Warning, "realm", "another one", "limited_poa");
    let mut test_consumer = bundle();
    (test_consumer["consumer_key"], test_consumer["realm"]) = ("TESTCONS".into(), "limited_poa".into());
    finds(&look(&test_consumer), Error, "realm", "test_realm", "test_realm");
    test_consumer["realm"] = "test_realm".into();
    assert_eq!(look(&test_consumer).severity(), Severity::Ok);
    with("access_token", "abc", Warning, "access_token", "3 characters", "20 hexadecimal digits");
    with(
        "access_token",
        secret(),
        Error,
        "access_token",
        "looks like the access token secret",
        "each in its own field",
    );
    with("consumer_key", "A B", Error, "consumer_key", "characters", "copy");
    with("access_token", "a b", Error, "access_token", "blanks", "copy");
    // What no bundle takes has the same to say there.
    for key in ["", " SIMULATO", "SIMULÄTOR"] {
        let mut bundle = bundle();
        bundle["consumer_key"] = key.into();
        assert!(CredentialBundle::from_json(&bundle.to_string()).unwrap_err().to_string().contains("consumer_key"));
    }
}

#[test]
fn addresses() {
    use Severity::{Error, Warning};
    for (url, verdict, message) in [
        ("https://api.ibkr.com/v1/api", Severity::Ok, ""),
        ("https://api.ibkr.com/alpha/api", Severity::Ok, ""),
        ("http://127.0.0.1:8080/v1/api", Severity::Ok, ""),
        ("http://[::1]:8080/v1/api", Severity::Ok, ""),
        ("https://api.ibkr.com/v1/api/", Warning, "slash"),
        ("https://api.ibkr.com", Error, "the path"),
        ("https://api.ibkr.com/v1", Error, "the path"),
        ("https://api.ibkr.com:5000/v1/api", Error, "port"),
        ("http://api.ibkr.com/v1/api", Error, "without TLS"),
        ("http://example.com/v1/api", Error, "without TLS"),
        ("https://1.api.ibkr.com/v1/api", Warning, "regional"),
        ("https://9.api.ibkr.com/v1/api", Warning, "not known"),
        ("https://qa.interactivebrokers.com", Warning, "older documents"),
        ("https://localhost:5000/v1/api", Warning, "Client Portal Gateway"),
        ("https://ibkr.example.com/v1/api", Warning, "not known"),
    ] {
        let mut bundle = bundle();
        bundle["base_url"] = url.into();
        let findings = look(&bundle);
        assert_eq!(findings.severity(), verdict, "{url}: {findings}");
        if verdict != Severity::Ok {
            finds(&findings, verdict, "base_url", message, "");
        }
    }
    for url in
        ["", "api.ibkr.com", "https://api.ibkr.com/v1/api?a=1", "https://u:MARKER@h/", "ftp://h/", "https://h/../a"]
    {
        let mut bundle = bundle();
        bundle["base_url"] = url.into();
        let error = CredentialBundle::from_json(&bundle.to_string()).unwrap_err().to_string();
        assert!(error.contains("base_url") && !error.contains("MARKER"), "{error}");
    }
}

#[test]
fn keys() {
    use Severity::{Error, Warning};
    let mut swapped = bundle();
    swapped["signature_key"] = ENCRYPTION_KEY.into();
    swapped["encryption_key"] = SIGNATURE_KEY.into();
    finds(&look(&swapped), Error, "access_token_secret", "the two keys are swapped", "exchange `signature_key`");
    let other = file("keys/pkcs8.pem");
    with("encryption_key", other.clone(), Error, "access_token_secret", "does not open it", "fingerprint");
    with("signature_key", ENCRYPTION_KEY, Warning, "key_pair", "the same", "second key");
    with("signature_key", file("keys/rsa_3072.pem"), Warning, "signature_key", "3072 bits", "2048");
    with(
        "encryption_key",
        file("keys/rsa_3072.pem"),
        Error,
        "access_token_secret",
        "makes 512 (384 bytes)",
        "512 characters",
    );
    with("encryption_key", file("keys/rsa_1024.pem"), Error, "encryption_key", "1024", "");
    with("signature_key", file("keys/public.pem"), Error, "signature_key", "public key", "private key");
    with("signature_key", file("keys/ec.pem"), Error, "signature_key", "EC", "genrsa");
    with(
        "signature_key",
        SIGNATURE_KEY.replace("\n-----END", "!\n-----END"),
        Error,
        "signature_key",
        "damaged",
        "copy",
    );
    with("signature_key", "", Error, "signature_key", "empty", "");
    with("signature_key", file("keys/encrypted_pkcs8.pem"), Error, "signature_key", "encrypted", "passphrase");
}

#[test]
fn the_simulator_s_keys_are_for_the_simulator() {
    let everybodys = [
        ("signature_key", "signature_key", test_keys::SIGNATURE_KEY),
        ("encryption_key", "encryption_key", test_keys::ENCRYPTION_KEY),
    ];
    for (field, subject, pem) in everybodys {
        // Each key in the place of each, and in another form.
        for pem in [pem, test_keys::SIGNATURE_KEY, test_keys::ENCRYPTION_KEY, &pem.replace('\n', "\\n")] {
            for base_url in [None, Some("https://api.ibkr.com/v1/api"), Some("https://sim.example/v1/api")] {
                let mut bundle = bundle();
                bundle[field] = pem.into();
                if let Some(base_url) = base_url {
                    bundle["base_url"] = base_url.into();
                }
                let findings = look(&bundle);
                let is_told = |finding: &&Finding| {
                    finding.message.contains("everybody has its private half")
                        && finding.remedy.as_ref().is_some_and(|remedy| remedy.contains("a key of your own"))
                };
                let told: Vec<&Finding> = findings.0.iter().filter(is_told).collect();
                assert_eq!(told.len(), 1, "{findings}");
                assert_eq!((told[0].subject, told[0].severity), (subject, Severity::Error));
            }
        }
    }
    let mut of_the_simulator = bundle();
    for (field, _, pem) in everybodys {
        of_the_simulator[field] = pem.into();
    }
    let mut rng = SeededEntropy(5);
    let token =
        test_keys::access_token(&mut Broker::builder().strict().build().unwrap(), &mut Context::new(NOW, &mut rng))
            .unwrap();
    of_the_simulator["access_token_secret"] = STANDARD.encode(token.encrypted_secret()).into();
    for base_url in ["http://127.0.0.1:8080/v1/api", "https://localhost:8443/v1/api", "http://[::1]:80/v1/api"] {
        of_the_simulator["base_url"] = base_url.into();
        let findings = look(&of_the_simulator);
        assert_eq!(findings.severity(), Severity::Ok, "{findings}");
        assert_eq!(findings.to_string().matches("the simulator's test key").count(), 2, "{findings}");
    }
}

#[test]
fn secrets() {
    use Severity::Error;
    let secret = secret();
    let of = |text: &str, message: &str| {
        with("access_token_secret", text, Error, "access_token_secret", message, "344 characters");
    };
    of(&secret[..129], "129 characters of 344, and was cut");
    of(&secret[..340], "makes 344 (256 bytes)");
    of(&secret[..342], "342 characters of 344, and was cut");
    of(&secret.replace(['+', '/'], "-"), "not in the alphabet of Base64");
    of("", "empty");
    of(&"M".repeat(343), "was cut");
    // What an HSM, or a person with `openssl pkeyutl -decrypt`, makes of it.
    let hexadecimal = fixture::hex(b"the opened secret of this token!");
    let opened = STANDARD.encode(b"the opened secret of this token!");
    assert_eq!((hexadecimal.len(), opened.len()), (64, 44));
    let pairs: Vec<&str> = hexadecimal.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect();
    for text in [&hexadecimal, &hexadecimal.to_uppercase(), &format!("0x{hexadecimal}"), &pairs.join(":")] {
        of(text, "64 hexadecimal digits: the 32 bytes of a secret that was opened already");
    }
    of(&format!("{opened}\n"), "44 characters of Base64: the 32 bytes of a secret that was opened already");
    of(opened.trim_end_matches('='), "43 characters of Base64: the 32 bytes");
    of(&fixture::hex(&STANDARD.decode(&secret).unwrap()), "512 hexadecimal digits: the secret, but not in Base64");
    of(&secret[..43], "43 characters");
    of(&secret[..45], "45 characters of 344, and was cut");
    // White space is what pasting leaves behind.
    let mut spaced = bundle();
    spaced["access_token_secret"] = format!(" {}\n{}\n", &secret[..100], &secret[100..]).into();
    assert_eq!(look(&spaced).severity(), Severity::Ok);
    let mut flipped = STANDARD.decode(&secret).unwrap();
    flipped[200] ^= 1;
    with(
        "access_token_secret",
        STANDARD.encode(flipped),
        Error,
        "access_token_secret",
        "does not open it",
        "new access token",
    );
}

#[test]
fn groups() {
    use Severity::{Error, Warning};
    for fine in ["keys/modp_2048.pem", "keys/ffdhe_2048.pem", "keys/modp_2048_text.txt"] {
        let mut bundle = bundle();
        bundle["dh_params"] = file(fine).into();
        assert_eq!(look(&bundle).severity(), Severity::Ok, "{fine}: {}", look(&bundle));
    }
    // The numbers of the well-known group, encoded in other ways.
    let prime =
        STANDARD.decode(test_keys::DH_PARAMETERS.lines().filter(|line| !line.starts_with('-')).collect::<String>());
    let prime = prime.unwrap()[9..265].to_vec();
    let der = |bytes: &[u8], generator: &[u8]| {
        // A generator has a short length in DER.
        let generator = [&[2, u8::try_from(generator.len()).unwrap()], generator].concat();
        let integer = [&[2, 0x82], u16::try_from(bytes.len()).unwrap().to_be_bytes().as_slice(), bytes].concat();
        let body = [integer, generator].concat();
        STANDARD.encode([&[0x30, 0x82], u16::try_from(body.len()).unwrap().to_be_bytes().as_slice(), &body].concat())
    };
    assert_eq!(prime[0], 0xff);
    with("dh_params", der(&prime, &[2]), Error, "dh_params", "negative", "IBKR must be given too");
    let positive = [&[0], prime.as_slice()].concat();
    with("dh_params", der(&positive, &[5]), Warning, "dh_params", "the generator is 5", "new parameters");
    let mut changed = prime.clone();
    changed[100] ^= 4;
    with("dh_params", fixture::hex(&changed), Error, "dh_params", "not a prime", "copy the parameters again");
    with("dh_params", fixture::hex(&prime[..255]), Error, "dh_params", "", "");
    with("dh_params", "f".repeat(511) + "e", Error, "dh_params", "even", "");
    with("dh_params", SIGNATURE_KEY, Error, "dh_params", "private key", "dhparam");
    with("dh_params", "", Error, "dh_params", "empty", "");
}

#[test]
fn each_finding_about_a_group_is_a_warning_by_itself() {
    let warnings = |dh_params: String| {
        let mut bundle = bundle();
        bundle["dh_params"] = dh_params.into();
        let findings = look(&bundle);
        let of_the_group = findings.0.iter().filter(|it| it.subject == "dh_params");
        of_the_group.filter(|it| it.severity != Severity::Ok).map(|it| it.message.clone()).collect::<Vec<_>>()
    };
    let of = |prime: &BigUint, generator: &BigUint| {
        warnings(DhGroup::read(format!("prime: 0x{prime:x}\ngenerator: 0x{generator:x}")).unwrap().to_pem())
    };
    let number = |digits: &str| digits.parse::<BigUint>().unwrap();
    let usual = BigUint::from_bytes_be(&digits_of(&file("keys/dh_text.txt")));
    assert_eq!(of(&usual, &BigUint::from(2_u8)), [""; 0]);
    // A safe prime, and the prime of RFC 5114 section 2.3, which is none.
    let shorter = (BigUint::from(1_u8) << 192_u32) - 63_569_u32;
    assert_eq!(of(&shorter, &BigUint::from(2_u8)), ["the prime has 192 bits; IBKR asks for 2048"]);
    assert_eq!(
        warnings(file("keys/dh_x942.pem")),
        [
            "a prime, but not a safe one: (p - 1) / 2 is composite",
            "the generator is a large number; IBKR always uses 2"
        ]
    );
    assert_eq!(of(&usual, &BigUint::from(3_u8)), ["the generator is 3; IBKR always uses 2"]);
    assert_eq!(of(&usual, &(&usual - 2_u8)), ["the generator is a large number; IBKR always uses 2"]);
    // What IBKR published in 2018: the modulus is composite, and the generator larger than it.
    let vectors: Value = serde_json::from_str(&file("vectors.json")).unwrap();
    let example = &vectors["published_known_answers"]["oauth_at_interactive_brokers_pdf_2018"];
    let [prime, generator] =
        ["dh_prime_decimal", "dh_generator_decimal"].map(|name| number(example[name].as_str().unwrap()));
    // Written as they were published: the crate would write the generator reduced.
    let printed = format!("prime:\n{}\ngenerator:\n{}", hexadecimal(&prime), hexadecimal(&generator));
    let found = warnings(printed);
    let expected =
        ["the prime has 2045 bits", "not a prime", "the generator is a large number", "the generator is larger"];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    assert!(found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected)), "{found:?}");
}

/// As OpenSSL prints a number.
fn hexadecimal(number: &BigUint) -> String {
    format!("0x{}", number.to_str_radix(16))
}

#[test]
fn what_was_not_read_is_a_finding() {
    let mut bundle = bundle();
    bundle["signature_key"] = json!({ "file": "signature.pem" });
    bundle["dh_params"] = json!({ "env": "DH" });
    let parsed = CredentialBundle::from_json(&bundle.to_string()).unwrap();
    let findings = Findings::of(&parsed);
    finds(&findings, Severity::Error, "signature_key", "signature.pem", "resolve");
    assert!(findings.to_string().contains("`DH`"), "{findings}");
    let resolved = parsed.resolve(|location| match location {
        KeyLocation::File(_) => Ok(Secret::from(SIGNATURE_KEY.as_bytes())),
        _ => Ok::<_, std::io::Error>(Secret::from(test_keys::DH_PARAMETERS.as_bytes())),
    });
    assert_eq!(Findings::of(&resolved.unwrap()).severity(), Severity::Ok);
}

#[test]
fn before_the_consent_the_next_step_is_the_consent() {
    let mut bundle = bundle();
    let fields = bundle.as_object_mut().unwrap();
    fields.remove("access_token");
    fields.remove("access_token_secret");
    finds(&look(&bundle), Severity::Warning, "access_token", "not consented", "consent");
}

#[test]
fn parameters_in_hexadecimal_are_told_from_a_file_with_signed_numbers() {
    let said = |dh_params: String| {
        let mut bundle = bundle();
        bundle["dh_params"] = dh_params.into();
        let text = look(&bundle).to_string();
        (text.contains("hexadecimal digits, which have no sign"), text.contains("encoded as positive ones"))
    };
    assert_eq!(said(test_keys::DH_PARAMETERS.to_owned()), (false, true));
    assert_eq!(said(file("keys/dh_text.txt")), (true, false));
    let prime = BigUint::from_bytes_be(&digits_of(&file("keys/dh_text.txt"))).to_string();
    let mut bundle = bundle();
    bundle["dh_params"] = prime.clone().into();
    let findings = look(&bundle);
    assert_eq!(findings.severity(), Severity::Ok, "{findings}");
    assert!(findings.to_string().contains("given as decimal digits, which have no sign"), "{findings}");
    // A digit that was lost.
    with("dh_params", prime.replacen('1', "", 1), Severity::Error, "dh_params", "", "");
}

/// The bytes of the prime that OpenSSL prints.
fn digits_of(printed: &str) -> Vec<u8> {
    let digits: String = printed.lines().filter(|line| line.starts_with("        ")).collect();
    digits.split(':').map(|byte| u8::from_str_radix(byte.trim(), 16).unwrap()).collect()
}
