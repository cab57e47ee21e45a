//! Every intermediate value of `tests/data/vectors.json`, and of the broker's own published example.

use crate::authorization_header::AuthorizationHeader;
use crate::form_pairs::form_pairs;
use crate::scripted::Scripted;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use ibkr_oauth::{
    AccessToken, Callback, Consent, Consumer, Context, ErrorKind, Exchange, LiveSessionToken, QueryPolicy, Secret,
    Signer, Timestamp, UnlockedToken,
    dh::{self, DhGroup, Exponent},
    exchange::Unsigned,
    key::{DecryptionKey, RsaKey, SigningInput},
    oauth1::percent_encode,
};
use num_bigint::BigUint;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../data/vectors.json")).unwrap()
}

/// What the crate computed, by the place in `vectors.json` that it must equal.
#[derive(Default)]
struct Computed(Vec<(String, Value)>);

impl Computed {
    fn add(&mut self, place: impl Into<String>, value: impl Into<Value>) {
        self.0.push((place.into(), value.into()));
    }

    /// The places whose values differ from those in `expected`.
    fn differences(&self, expected: &Value) -> Vec<&str> {
        let differs = |place: &str, value: &Value| expected.pointer(place) != Some(value);
        self.0.iter().filter(|(place, value)| differs(place, value)).map(|(place, _)| place.as_str()).collect()
    }
}

struct Vectors(Value);

impl Vectors {
    fn text(&self, place: &str) -> &str {
        self.0.pointer(place).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {place}"))
    }

    fn bytes(&self, place: &str) -> Vec<u8> {
        unhex(self.text(place))
    }

    fn key(&self, name: &str) -> RsaKey {
        RsaKey::from_pem(self.text(&format!("/keys/{name}"))).unwrap()
    }

    fn consumer(&self, key_form: &str) -> Consumer {
        Consumer::builder(self.text("/consumer/consumer_key"))
            .signature_key(self.key(&format!("signing_private_key_{key_form}_pem")))
            .encryption_key(self.key(&format!("encryption_private_key_{key_form}_pem")))
            .dh_params(DhGroup::read(self.text("/keys/dh_parameters_pem")).unwrap())
            .build()
            .unwrap()
    }

    /// Time and nonce as they were when the request at `place` was made, and further pieces of entropy.
    fn moment(&self, place: &str, more: &[&str]) -> (Timestamp, Scripted) {
        let parameters = format!("{place}/oauth_parameters_without_signature");
        let nonce = self.bytes(&format!("{parameters}/oauth_nonce"));
        let seconds: u64 = self.text(&format!("{parameters}/oauth_timestamp")).parse().unwrap();
        let pieces = more.iter().map(|hex| unhex(hex)).chain([nonce]);
        (Timestamp::from_millis(seconds * 1000 + 999), Scripted::new(pieces))
    }

    fn reply(&self, place: &str) -> Response<Bytes> {
        Response::new(Bytes::from(self.0.pointer(&format!("{place}/response_body")).unwrap().to_string()))
    }
}

fn unhex(hex: &str) -> Vec<u8> {
    let even = format!("{}{hex}", if hex.len() % 2 == 1 { "0" } else { "" });
    even.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}

fn authorization<B>(request: &Request<B>) -> String {
    request.headers()["authorization"].to_str().unwrap().to_owned()
}

/// Collects everything about one RSA-signed request.
fn add_step<T>(
    computed: &mut Computed,
    place: &str,
    consumer: &Consumer,
    signing_key: &RsaKey,
    unsigned: Unsigned<T>,
) -> Exchange<T> {
    let input: &SigningInput = unsigned.input();
    computed.add(format!("{place}/signature_base_string"), std::str::from_utf8(input.expose_message()).unwrap());
    computed.add(format!("{place}/signature_base_string_sha256_hex"), hex(&input.digest()));
    assert_eq!(input.digest(), *Sha256::digest(input.expose_message()));

    let mut entropy = Scripted::default();
    let signature = ibkr_oauth::key::SigningKey::sign(signing_key, input, &mut entropy).unwrap();
    let exchange = unsigned.attach(&signature).unwrap();
    let request = exchange.request();
    computed.add(format!("{place}/method"), request.method().as_str());
    computed.add(format!("{place}/url"), request.uri().to_string());
    computed.add(format!("{place}/body"), std::str::from_utf8(request.body()).unwrap());
    let length: u64 = request.headers()["content-length"].to_str().unwrap().parse().unwrap();
    computed.add(format!("{place}/content_length"), length);
    assert_eq!(request.headers()["user-agent"], consumer.user_agent());

    add_header(computed, place, &authorization(request));
    exchange
}

/// Collects a header's text in both layouts, and its content.
fn add_header(computed: &mut Computed, place: &str, text: &str) {
    let header: AuthorizationHeader = text.parse().unwrap();
    let signature = header.get("oauth_signature").unwrap();
    computed.add(format!("{place}/oauth_signature_base64"), signature);
    computed.add(format!("{place}/oauth_signature_percent_encoded"), percent_encode(signature.as_bytes()));
    computed.add(format!("{place}/authorization_header_realm_first"), text);

    let parameters: Map<String, Value> = header
        .parameters()
        .filter(|(name, _)| *name != "oauth_signature")
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    if !place.contains("/variants/") {
        computed.add(format!("{place}/oauth_parameters_without_signature"), parameters);
        let mut sorted: Vec<(&str, &str)> = header.parameters().collect();
        sorted.push(("realm", header.realm().unwrap()));
        sorted.sort_unstable();
        let sorted = AuthorizationHeader::new(None, &sorted).to_string();
        computed.add(format!("{place}/authorization_header_realm_sorted_last"), sorted);
    }
}

fn sign_in_steps(vectors: &Vectors, key_form: &str, computed: &mut Computed) {
    let consumer = vectors.consumer(key_form);
    let signing_key = vectors.key(&format!("signing_private_key_{key_form}_pem"));

    let place = "/step1_request_token";
    let (now, mut entropy) = vectors.moment(place, &[]);
    let unsigned = consumer.prepare_request_token(&mut Context::new(now, &mut entropy), Callback::OutOfBand).unwrap();
    let exchange = add_step(computed, place, &consumer, &signing_key, unsigned);
    let consent: Consent = exchange.complete(vectors.reply(place)).unwrap();
    computed.add(format!("{place}/response_body/oauth_token"), consent.request_token());

    let place = "/step2_user_authorization";
    computed.add(format!("{place}/authorize_url"), consent.url().to_string());
    let cancelled = consent.verifier(vectors.text("/step2_user_authorization/redirect_on_cancel")).unwrap_err();
    assert_eq!(cancelled.kind(), ErrorKind::Rejected);
    let verifier = consent.verifier(vectors.text("/step2_user_authorization/redirect_on_success")).unwrap();

    let place = "/step3_access_token";
    let (now, mut entropy) = vectors.moment(place, &[]);
    let unsigned = verifier.prepare_access_token(&consumer, &mut Context::new(now, &mut entropy)).unwrap();
    let exchange = add_step(computed, place, &consumer, &signing_key, unsigned);
    let token: AccessToken = exchange.complete(vectors.reply(place)).unwrap();
    computed.add(format!("{place}/response_body/oauth_token"), token.token());
    computed.add(format!("{place}/response_body/oauth_token_secret"), STANDARD.encode(token.encrypted_secret()));
    computed.add(format!("{place}/response_body/is_paper"), token.is_paper().unwrap());
    let decryption_key = vectors.key(&format!("encryption_private_key_{key_form}_pem"));
    let secret = decryption_key.decrypt(token.encrypted_secret(), &mut Scripted::default()).unwrap();
    computed.add(format!("{place}/decrypted_secret_hex"), hex(secret.expose()));
    computed.add(format!("{place}/decrypted_secret_base64"), STANDARD.encode(secret.expose()));

    let place = "/step4_live_session_token";
    let exponent = vectors.text("/step4_live_session_token/client_dh_random_hex");
    let (now, mut entropy) = vectors.moment(place, &[exponent]);
    let unlocked = consumer.unlock(&mut Context::new(now, &mut Scripted::default()), &token).unwrap();
    let unsigned = unlocked.prepare_live_session_token(&consumer, &mut Context::new(now, &mut entropy)).unwrap();
    let prepend = String::from_utf8(unsigned.input().expose_message().to_vec()).unwrap();
    computed.add(format!("{place}/base_string_prepend"), prepend.split("POST&").next().unwrap());
    let exchange = add_step(computed, place, &consumer, &signing_key, unsigned);
    let token: LiveSessionToken = exchange.complete(vectors.reply(place)).unwrap();
    computed.add(format!("{place}/live_session_token_base64"), STANDARD.encode(token.secret().expose()));
    let expires_at = token.expires_at().unwrap().as_millis();
    computed.add(format!("{place}/response_body/live_session_token_expiration"), expires_at);
    let proof = hex(&dh::proof(token.secret(), consumer.consumer_key()));
    computed.add(format!("{place}/response_body/live_session_token_signature"), proof);
}

fn diffie_hellman_cases(vectors: &Vectors, computed: &mut Computed) {
    let secret = Secret::from(vectors.bytes("/step3_access_token/decrypted_secret_hex"));
    let group = DhGroup::read(vectors.text("/keys/dh_parameters_pem")).unwrap();
    let from_hex = DhGroup::read(vectors.text("/keys/dh_prime_hex")).unwrap();
    assert_eq!(group, from_hex);
    for index in 0..vectors.0["diffie_hellman_cases"].as_array().unwrap().len() {
        let place = format!("/diffie_hellman_cases/{index}");
        let exponent = |which: &str| {
            let mut bytes = vectors.bytes(&format!("{place}/{which}_dh_random_hex"));
            bytes.splice(0..0, std::iter::repeat_n(0, 32 - bytes.len()));
            Exponent::generate(&mut Scripted::new([bytes])).unwrap()
        };
        let (client, server) = (exponent("client"), exponent("server"));
        let (challenge, response) = (client.challenge(&group), server.challenge(&group));
        let shared = client.shared_secret(&response, &group).unwrap();
        let upper = server.shared_secret(&format!("00{}", challenge.to_uppercase()), &group).unwrap();
        assert_eq!(shared, upper, "{place}");
        let bytes = shared.expose();
        let number = BigUint::from_bytes_be(bytes);
        let token = dh::live_session_token(&shared, &secret);

        computed.add(format!("{place}/diffie_hellman_challenge_hex_digits"), challenge.len());
        computed.add(format!("{place}/diffie_hellman_challenge_hex"), challenge);
        computed.add(format!("{place}/diffie_hellman_response_hex_digits"), response.len());
        computed.add(format!("{place}/diffie_hellman_response_hex"), response);
        computed.add(format!("{place}/shared_secret_k_hex"), number.to_str_radix(16));
        computed.add(format!("{place}/shared_secret_k_bit_length"), number.bits());
        computed.add(format!("{place}/k_needs_leading_zero_byte"), bytes[0] == 0);
        computed.add(format!("{place}/k_bytes_hex"), hex(bytes));
        computed.add(format!("{place}/k_bytes_length"), bytes.len());
        computed.add(format!("{place}/live_session_token_base64"), STANDARD.encode(token.expose()));
        computed.add(format!("{place}/live_session_token_hex"), hex(token.expose()));
        let proof = dh::proof(&token, vectors.text("/consumer/consumer_key"));
        computed.add(format!("{place}/live_session_token_signature_hex"), hex(&proof));
    }
}

/// The scheme and authority of a URL.
fn origin(url: &str) -> String {
    url.split(['/', '?']).take(3).collect::<Vec<_>>().join("/")
}

const POLICIES: [(&str, QueryPolicy); 4] = [
    ("rfc5849", QueryPolicy::Rfc5849),
    ("ibkr_python_sample_values_encoded_once", QueryPolicy::DecodedOnce),
    ("ibind_client_query_left_out", QueryPolicy::Omit),
    ("query_inside_url_as_in_marchenko_and_ibkr_conduit", QueryPolicy::InUrl),
];

fn protected_requests(vectors: &Vectors, computed: &mut Computed) {
    let token =
        Secret::from(STANDARD.decode(vectors.text("/step4_live_session_token/live_session_token_base64")).unwrap());
    for index in 0..vectors.0["protected_requests"].as_array().unwrap().len() {
        let place = format!("/protected_requests/{index}");
        let case = &vectors.0["protected_requests"][index];
        let url = case["url_on_the_wire"].as_str().unwrap();
        let decoded_form = case["form_parameters_decoded"].as_array().unwrap();
        let form = (!decoded_form.is_empty()).then(|| {
            let encode = |value: &Value| percent_encode(value.as_str().unwrap().as_bytes());
            let pairs = decoded_form.iter().map(|pair| format!("{}={}", encode(&pair[0]), encode(&pair[1])));
            pairs.collect::<Vec<_>>().join("&")
        });
        let body = form.clone().or_else(|| case["json_body"].as_str().map(str::to_owned)).unwrap_or_default();
        let media_type =
            if form.is_some() { "Application/X-WWW-Form-URLencoded; charset=utf-8" } else { "application/json" };
        let build = || {
            Request::builder()
                .method(case["method"].as_str().unwrap())
                .uri(url)
                .header("content-type", media_type)
                .body(body.clone())
                .unwrap()
        };
        let decoded = |text: &str| -> Value {
            let text_of = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
            form_pairs(text).into_iter().map(|(name, value)| json!([text_of(name), text_of(value)])).collect()
        };
        let query = url.split_once('?').map_or("", |(_, query)| query);
        computed.add(format!("{place}/query_parameters_decoded"), decoded(query));
        computed.add(format!("{place}/form_parameters_decoded"), decoded(form.as_deref().unwrap_or_default()));

        for (variant, policy) in POLICIES {
            let variant_place = format!("{place}/variants/{variant}");
            if vectors.0.pointer(&variant_place).is_none() {
                continue;
            }
            let consumer = Consumer::builder(vectors.text("/consumer/consumer_key")).query_policy(policy);
            let consumer = consumer.allow_host(origin(url)).build().unwrap();
            let access_token = vectors.text("/step3_access_token/response_body/oauth_token");
            let signer = Signer::from_stored(&consumer, access_token, &token).unwrap();

            let (now, mut entropy) = vectors.moment(&place, &[]);
            let mut request = build();
            let mut cx = Context::new(now, &mut entropy);
            let token_id = if form.is_some() {
                signer.sign_form(&mut cx, &mut request)
            } else {
                signer.sign(&mut cx, &mut request)
            };
            assert_eq!(token_id.unwrap(), signer.token_id());
            add_header(computed, &variant_place, &authorization(&request));

            let nonce = vectors.text(&format!("{place}/oauth_parameters_without_signature/oauth_nonce"));
            let (parts, _) = build().into_parts();
            let reproduced =
                signer.sign_with(&parts, form.as_ref().map(String::as_bytes), nonce, now.as_secs()).unwrap();
            assert_eq!(reproduced.authorization, request.headers()["authorization"]);
            computed.add(format!("{variant_place}/signature_base_string"), reproduced.base_string);
        }
    }
}

fn published_example(vectors: &Vectors, computed: &mut Computed) {
    let place = "/published_known_answers/oauth_at_interactive_brokers_pdf_2018";
    let decimal = |name: &str| BigUint::parse_bytes(vectors.text(&format!("{place}/{name}")).as_bytes(), 10).unwrap();
    let (prime, generator) = (decimal("dh_prime_decimal"), decimal("dh_generator_decimal"));
    let group = DhGroup::read(format!("prime: 0x{prime:x}\ngenerator: 0x{generator:x}")).unwrap();
    let mut exponent = decimal("client_dh_random_decimal").to_bytes_be();
    exponent.splice(0..0, std::iter::repeat_n(0, 32 - exponent.len()));
    let exponent = Exponent::generate(&mut Scripted::new([exponent])).unwrap();
    computed.add(format!("{place}/diffie_hellman_challenge_hex"), exponent.challenge(&group));

    let shared = exponent.shared_secret(vectors.text(&format!("{place}/diffie_hellman_response_hex")), &group).unwrap();
    let number = BigUint::from_bytes_be(shared.expose());
    computed.add(format!("{place}/shared_secret_k_decimal"), number.to_str_radix(10));
    computed.add(format!("{place}/shared_secret_k_bit_length"), number.bits());
    let secret = STANDARD.decode(vectors.text(&format!("{place}/decrypted_access_token_secret_base64"))).unwrap();
    computed.add(format!("{place}/base_string_prepend"), hex(&secret));
    let token = dh::live_session_token(&shared, &Secret::from(secret));
    computed.add(format!("{place}/live_session_token_base64"), STANDARD.encode(token.expose()));
    let consumer_key = vectors.text(&format!("{place}/consumer_key"));
    computed.add(format!("{place}/live_session_token_signature_hex"), hex(&dh::proof(&token, consumer_key)));

    for (kind, token) in [
        ("get", token),
        (
            "post_form",
            Secret::from(
                STANDARD.decode(vectors.text(&format!("{place}/post_form_live_session_token_base64"))).unwrap(),
            ),
        ),
    ] {
        // The request is read back from its published base string.
        let base_string = vectors.text(&format!("{place}/{kind}_signature_base_string"));
        let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
        let pieces: Vec<String> = base_string.split('&').map(decode).collect();
        let (own, oauth): (Vec<&str>, Vec<&str>) = pieces[2].split('&').partition(|pair| !pair.starts_with("oauth_"));
        let oauth: Vec<(&str, &str)> = oauth.iter().map(|pair| pair.split_once('=').unwrap()).collect();
        let value = |name: &str| oauth.iter().find(|(key, _)| *key == name).unwrap().1;
        let form = (kind == "post_form").then(|| own.join("&"));
        let mut request = Request::builder().method(pieces[0].as_str());
        request = match &form {
            None => request.uri(format!("{}?{}", pieces[1], own.join("&"))),
            Some(_) => request.uri(&pieces[1]).header("content-type", "application/x-www-form-urlencoded"),
        };
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let consumer = Consumer::builder(consumer_key).allow_host(origin(&pieces[1])).build().unwrap();
        let signer = Signer::from_stored(&consumer, value("oauth_token"), &token).unwrap();
        let timestamp = value("oauth_timestamp").parse().unwrap();
        let reproduced =
            signer.sign_with(&parts, form.as_ref().map(String::as_bytes), value("oauth_nonce"), timestamp).unwrap();
        computed.add(format!("{place}/{kind}_signature_base_string"), reproduced.base_string);
        computed.add(format!("{place}/{kind}_oauth_signature_base64"), reproduced.signature);
    }
}

fn compute() -> Computed {
    let vectors = Vectors(vectors());
    let mut computed = Computed::default();
    for key_form in ["pkcs1", "pkcs8"] {
        sign_in_steps(&vectors, key_form, &mut computed);
    }
    diffie_hellman_cases(&vectors, &mut computed);
    protected_requests(&vectors, &mut computed);
    published_example(&vectors, &mut computed);
    computed
}

#[test]
fn every_intermediate_equals_its_vector() {
    let (computed, vectors) = (compute(), vectors());
    let differences = computed.differences(&vectors);
    for place in &differences {
        let (_, value) = computed.0.iter().find(|(key, _)| key == place).unwrap();
        eprintln!("{place}\n  expected {:?}\n  computed {value}", vectors.pointer(place).map(ToString::to_string));
    }
    assert!(differences.is_empty(), "{} values differ", differences.len());
    assert!(computed.0.len() >= 286, "only {} values were computed", computed.0.len());
}

#[test]
fn a_changed_byte_in_any_vector_is_seen_and_named() {
    let (computed, vectors) = (compute(), vectors());
    for (place, _) in &computed.0 {
        let mut changed = vectors.clone();
        change(changed.pointer_mut(place).unwrap());
        let mut differences = computed.differences(&changed);
        differences.dedup();
        // Both forms of the keys compute the same places, and some places lie within others.
        assert!(differences.contains(&place.as_str()), "a change of {place} was not seen");
        assert!(
            differences.iter().all(|other| other.starts_with(place.as_str()) || place.starts_with(other)),
            "a change of {place} was blamed on {differences:?}"
        );
    }
}

/// Changes one byte of a text or number; of an object or array, one in its last member.
fn change(value: &mut Value) {
    match value {
        Value::String(text) if text.is_empty() => text.push('x'),
        Value::String(text) => {
            let middle = text.len() / 2;
            let byte = text.as_bytes()[middle];
            let other = if byte == b'A' { "B" } else { "A" };
            text.replace_range(middle..=middle, other);
        }
        Value::Number(number) => *value = json!(number.as_u64().unwrap() ^ 1),
        Value::Bool(flag) => *flag = !*flag,
        Value::Array(members) => members.push(Value::Null),
        Value::Object(members) => change(members.values_mut().last().unwrap()),
        Value::Null => *value = Value::Bool(true),
    }
}

#[test]
fn a_reply_with_any_byte_of_proof_or_response_changed_is_not_trusted() {
    let vectors = Vectors(vectors());
    let consumer = vectors.consumer("pkcs8");
    let place = "/step4_live_session_token";
    let exponent = vectors.text("/step4_live_session_token/client_dh_random_hex");
    let secret = Secret::from(vectors.bytes("/step3_access_token/decrypted_secret_hex"));
    let unlocked = UnlockedToken::from_plaintext(vectors.text("/step3_access_token/response_body/oauth_token"), secret);
    for field in ["diffie_hellman_response", "live_session_token_signature"] {
        for position in [0, 1, 17, 39] {
            let (now, mut entropy) = vectors.moment(place, &[exponent]);
            let exchange = unlocked.live_session_token(&consumer, &mut Context::new(now, &mut entropy)).unwrap();
            let mut body = vectors.0.pointer("/step4_live_session_token/response_body").unwrap().clone();
            let text = body[field].as_str().unwrap().to_owned();
            let digit = u8::from_str_radix(&text[position..=position], 16).unwrap() ^ 1;
            body[field] = Value::from(format!("{}{digit:x}{}", &text[..position], &text[position + 1..]));
            let error = exchange.complete(Response::new(Bytes::from(body.to_string()))).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unverified, "{field} at {position}: {error}");
        }
    }
}

#[test]
fn a_refusal_keeps_the_status() {
    let vectors = Vectors(vectors());
    let (now, mut entropy) = vectors.moment("/step1_request_token", &[]);
    let mut cx = Context::new(now, &mut entropy);
    let exchange = vectors.consumer("pkcs1").request_token(&mut cx, Callback::OutOfBand).unwrap();
    let mut response =
        Response::new(Bytes::from_static(br#"{"error":"id: 7, error: invalid consumer","statusCode":401}"#));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let error = exchange.complete(response).unwrap_err();
    assert_eq!(
        (error.kind(), error.status(), error.detail()),
        (ErrorKind::Rejected, Some(StatusCode::UNAUTHORIZED), Some("id: 7, error: invalid consumer"))
    );
}
