//! Every check of a request, in the order the broker makes them.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use num_bigint::BigUint;

use super::{
    address::{Address, is_absolute_url},
    arithmetic::{hex, hmac_sha256},
    canonical::{Signed, decoded_pairs},
    content::form_of,
    diagnosis,
    endpoint::{COMMON, Endpoint},
    parameters::{Parameters, Placement},
    profile::{ConsumerStatus, Profile},
    reason::Reason,
    refusal::Objection,
    registry::{AccessGrant, Registry},
};
use crate::{consumer::QueryPolicy, context::Timestamp, diagnose::mistakes};

/// How many bytes an HMAC-SHA256 has.
const HMAC_LENGTH: usize = 32;

/// How far a timestamp may be from the broker's clock, in seconds, to either side.
const TIMESTAMP_WINDOW: u64 = 300;

/// A request that passed every check that needs no state of its step.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) endpoint: Endpoint,
    /// The path under the base URL.
    pub(super) path: String,
    pub(super) parameters: Parameters,
    /// `oauth_timestamp`, in seconds.
    pub(super) timestamp: u64,
}

/// Checks that need no OAuth: the headers that the broker's front end insists on, and the address.
pub(super) fn locate(profile: &Profile, request: &Request<Bytes>) -> Result<Address, Objection> {
    check_user_agent(request.headers())?;
    check_content_length(request)?;
    profile.base.locate(request)
}

pub(super) fn verify(
    profile: &Profile,
    registry: &Registry,
    request: &Request<Bytes>,
    address: &Address,
    now: Timestamp,
) -> Result<Verified, Objection> {
    let endpoint = Endpoint::of(&address.path);
    if endpoint != Endpoint::Protected && request.method() != Method::POST {
        return Err(Objection::new(
            Reason::MethodNotAllowed,
            format!("{} takes POST, not {}", address.path, request.method()),
        ));
    }
    let parameters = Parameters::read(request, endpoint != Endpoint::Protected)?;
    let form = form_of(request);
    check_body(request, endpoint, parameters.placement())?;
    check_placement(request.uri().query().unwrap_or_default().as_bytes())?;
    check_placement(form.unwrap_or_default())?;
    check_names(&parameters, endpoint)?;
    check_consumer(profile, &parameters, endpoint)?;
    let timestamp = check_timestamp(registry, &parameters, now)?;
    check_nonce(registry, &parameters)?;
    check_callback(&parameters)?;
    if let Some(challenge) = parameters.get("diffie_hellman_challenge") {
        read_challenge(profile, challenge)?;
    }
    let protocol = parameters.signed();
    let signed = Signed {
        method: request.method().as_str(),
        base_uri: &address.base_uri,
        query: request.uri().query(),
        form,
        protocol: &protocol,
    };
    let to_diagnose = mistakes::Signed {
        method: request.method(),
        uri: request.uri(),
        form,
        oauth: &protocol,
        realm: parameters.realm(),
        policy: if endpoint == Endpoint::Protected { profile.query_policy } else { QueryPolicy::Rfc5849 },
    };
    check_signature(profile, registry, endpoint, &parameters, (&signed, &to_diagnose), now)?;
    Ok(Verified { endpoint, path: address.path.clone(), parameters, timestamp })
}

fn check_user_agent(headers: &HeaderMap) -> Result<(), Objection> {
    if headers.get(header::USER_AGENT).is_some_and(|value| !value.is_empty()) {
        return Ok(());
    }
    Err(Objection::new(Reason::UserAgentMissing, "there is no User-Agent header, or it is empty"))
}

fn check_content_length(request: &Request<Bytes>) -> Result<(), Objection> {
    let length = request.body().len();
    let mut given = request.headers().get_all(header::CONTENT_LENGTH).iter().peekable();
    if given.peek().is_none() && length == 0 && request.method() == Method::POST {
        return Err(Objection::new(
            Reason::ContentLengthMissing,
            "a POST with an empty body needs `Content-Length: 0`",
        ));
    }
    for value in given {
        if value.to_str().ok() != Some(length.to_string().as_str()) {
            return Err(Objection::new(
                Reason::ContentLengthDiffers,
                format!("Content-Length is {value:?}, the body has {length} bytes"),
            ));
        }
    }
    Ok(())
}

fn check_body(request: &Request<Bytes>, endpoint: Endpoint, placement: Placement) -> Result<(), Objection> {
    if endpoint != Endpoint::Protected && placement == Placement::Header && !request.body().is_empty() {
        return Err(Objection::new(
            Reason::BodyUnexpected,
            "the request takes no body beside the Authorization header",
        ));
    }
    Ok(())
}

fn check_placement(pairs: &[u8]) -> Result<(), Objection> {
    let misplaced = decoded_pairs(pairs)
        .unwrap_or_default()
        .into_iter()
        .find(|(name, _)| name.starts_with(b"oauth_") || name == b"diffie_hellman_challenge");
    match misplaced {
        None => Ok(()),
        Some((name, _)) => Err(Objection::new(
            Reason::ParameterMisplaced,
            format!("{} is in the query or form", String::from_utf8_lossy(&name)),
        )),
    }
}

fn check_names(parameters: &Parameters, endpoint: Endpoint) -> Result<(), Objection> {
    for name in COMMON.iter().chain(endpoint.required()) {
        parameters.require(name)?;
    }
    for name in parameters.names() {
        if !COMMON.contains(&name) && !endpoint.required().contains(&name) && !endpoint.tolerated().contains(&name) {
            return Err(Objection::new(Reason::ParameterUnknown, format!("unknown {name}")));
        }
    }
    if let Some(version) = parameters.get("oauth_version").filter(|version| *version != "1.0") {
        return Err(Objection::new(Reason::VersionUnsupported, format!("oauth_version is `{version}`, not `1.0`")));
    }
    let (given, wanted) = (parameters.require("oauth_signature_method")?, endpoint.signature_method());
    if given != wanted {
        return Err(Objection::new(
            Reason::SignatureMethodDiffers,
            format!("oauth_signature_method is `{given}`, this request takes `{wanted}`"),
        ));
    }
    Ok(())
}

fn check_consumer(profile: &Profile, parameters: &Parameters, endpoint: Endpoint) -> Result<(), Objection> {
    let given = parameters.require("oauth_consumer_key")?;
    if given != profile.consumer_key {
        return Err(Objection::new(
            Reason::ConsumerUnknown,
            format!("oauth_consumer_key is `{given}`, the consumer is `{}`", profile.consumer_key),
        ));
    }
    if profile.status == ConsumerStatus::Inactive {
        return Err(Objection::new(Reason::ConsumerInactive, "the consumer is not active"));
    }
    if profile.first_party_only && matches!(endpoint, Endpoint::RequestToken | Endpoint::AccessToken) {
        return Err(Objection::new(
            Reason::FirstPartyOnly,
            "a first-party consumer gets its access token from the portal",
        ));
    }
    match (parameters.placement(), parameters.realm()) {
        (Placement::JsonBody, _) => Ok(()),
        (Placement::Header, None) => Err(Objection::new(Reason::ParameterMissing, "missing realm")),
        (Placement::Header, Some(realm)) if realm == profile.realm => Ok(()),
        (Placement::Header, Some(realm)) => Err(Objection::new(
            Reason::RealmDiffers,
            format!("realm is `{realm}`, the consumer's is `{}`", profile.realm),
        )),
    }
}

fn check_timestamp(registry: &Registry, parameters: &Parameters, now: Timestamp) -> Result<u64, Objection> {
    let text = parameters.require("oauth_timestamp")?;
    let decimal = text.len() <= 10 && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(timestamp) = text.parse::<u64>().ok().filter(|_| decimal) else {
        return Err(Objection::new(
            Reason::TimestampMalformed,
            format!("oauth_timestamp is `{text}`, not positive decimal seconds of at most ten digits"),
        ));
    };
    let clock = now.as_secs();
    if timestamp.abs_diff(clock) > TIMESTAMP_WINDOW {
        return Err(Objection::new(
            Reason::TimestampOutsideWindow,
            format!("oauth_timestamp is {timestamp}, the broker's clock says {clock}: more than 300 seconds apart"),
        ));
    }
    let newest = registry.newest_timestamp(parameters.get("oauth_token").unwrap_or_default());
    match newest {
        Some(newest) if timestamp < newest => Err(Objection::new(
            Reason::TimestampOutOfOrder,
            format!("oauth_timestamp is {timestamp}, after {newest} was accepted with the same token"),
        )),
        _ => Ok(timestamp),
    }
}

fn check_nonce(registry: &Registry, parameters: &Parameters) -> Result<(), Objection> {
    let nonce = parameters.require("oauth_nonce")?;
    if registry.has_seen(parameters.get("oauth_token").unwrap_or_default(), nonce) {
        return Err(Objection::new(
            Reason::NonceRepeated,
            format!("oauth_nonce `{nonce}` was accepted before with the same token"),
        ));
    }
    Ok(())
}

fn check_callback(parameters: &Parameters) -> Result<(), Objection> {
    match parameters.get("oauth_callback") {
        Some(callback) if callback != "oob" && !is_absolute_url(callback) => Err(Objection::new(
            Reason::CallbackMalformed,
            format!("oauth_callback is `{callback}`, neither `oob` nor an absolute URL"),
        )),
        _ => Ok(()),
    }
}

/// The client's public number.
pub(super) fn read_challenge(profile: &Profile, text: &str) -> Result<BigUint, Objection> {
    let hexadecimal = !text.starts_with('0') && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let Some(challenge) = BigUint::parse_bytes(text.as_bytes(), 16).filter(|_| hexadecimal) else {
        return Err(Objection::new(
            Reason::ChallengeMalformed,
            "diffie_hellman_challenge is not lower-case hexadecimal without leading zeros",
        ));
    };
    if !profile.group.contains(&challenge) {
        return Err(Objection::new(Reason::ChallengeOutOfRange, "diffie_hellman_challenge is not within 2..=p-2"));
    }
    Ok(challenge)
}

fn check_signature(
    profile: &Profile,
    registry: &Registry,
    endpoint: Endpoint,
    parameters: &Parameters,
    signed: (&Signed<'_>, &mistakes::Signed<'_>),
    now: Timestamp,
) -> Result<(), Objection> {
    let grant = registry.grant.as_ref().filter(|grant| parameters.get("oauth_token") == Some(&grant.token));
    match (endpoint, grant) {
        (Endpoint::RequestToken | Endpoint::AccessToken, _) => check_rsa(profile, parameters, signed, None),
        (_, None) => Err(Objection::new(Reason::TokenUnknown, "oauth_token is not the access token")),
        (Endpoint::LiveSessionToken, Some(grant)) => check_rsa(profile, parameters, signed, Some(grant)),
        (Endpoint::Protected, Some(grant)) => check_hmac(profile, grant, parameters, signed, now),
    }
}

fn read_signature(parameters: &Parameters, length: usize) -> Result<Vec<u8>, Objection> {
    let text = parameters.require("oauth_signature")?;
    let signature = STANDARD.decode(text).map_err(|error| {
        Objection::new(Reason::SignatureMalformed, format!("oauth_signature is not Base64: {error}"))
    })?;
    if signature.len() != length {
        let exchanged = mistakes::exchanged_methods(signature.len(), length != HMAC_LENGTH);
        let hint = exchanged.map(|issue| diagnosis::cause(&issue.what)).unwrap_or_default();
        return Err(Objection::new(
            Reason::SignatureMalformed,
            format!("oauth_signature has {} bytes, not {length}{hint}", signature.len()),
        ));
    }
    Ok(signature)
}

fn check_rsa(
    profile: &Profile,
    parameters: &Parameters,
    (signed, to_diagnose): (&Signed<'_>, &mistakes::Signed<'_>),
    grant: Option<&AccessGrant>,
) -> Result<(), Objection> {
    let signature = read_signature(parameters, profile.signature_key.size())?;
    let base_string = base_string(signed, QueryPolicy::Rfc5849)?;
    let prepend = grant.map(|grant| hex(grant.secret.expose())).unwrap_or_default();
    let verifies = |text: &str| profile.signature_key.verifies(text.as_bytes(), &signature);
    let expected = format!("{prepend}{base_string}");
    if verifies(&expected) {
        return Ok(());
    }
    let hint = if profile.encryption_key.verifies(expected.as_bytes(), &signature) {
        diagnosis::cause("the encryption key signed, in place of the signature key")
    } else {
        diagnosis::of_rsa(to_diagnose, &base_string, &prepend, verifies)
    };
    Err(Objection::new(
        Reason::SignatureDiffers,
        format!("oauth_signature is not that of the expected base string under the registered signature key{hint}"),
    )
    .with_base_string(base_string, grant.is_some()))
}

fn check_hmac(
    profile: &Profile,
    grant: &AccessGrant,
    parameters: &Parameters,
    (signed, to_diagnose): (&Signed<'_>, &mistakes::Signed<'_>),
    now: Timestamp,
) -> Result<(), Objection> {
    let signature = read_signature(parameters, HMAC_LENGTH)?;
    let base_string = base_string(signed, profile.query_policy)?;
    let signs = |key: &[u8], text: &str| hmac_sha256(key, text) == signature;
    let key = grant.live_session_tokens().iter().find(|token| signs(token.token.expose(), &base_string));
    match key {
        Some(token) if token.is_valid_at(now) => return Ok(()),
        Some(token) => {
            return Err(Objection::new(
                Reason::LiveSessionTokenExpired,
                format!("the live session token that signed ended at {}", token.ends_at),
            ));
        }
        None => {}
    }
    if grant.live_session_tokens().is_empty() {
        return Err(Objection::new(Reason::LiveSessionTokenMissing, "no live session token has been negotiated"));
    }
    let hint = diagnosis::of_hmac(to_diagnose, &base_string, grant, signs);
    Err(Objection::new(
        Reason::SignatureDiffers,
        format!(
            "oauth_signature is not that of the expected base string (query policy {}) under the live session token{hint}",
            profile.query_policy.name()
        ),
    )
    .with_base_string(base_string, false))
}

fn base_string(signed: &Signed<'_>, policy: QueryPolicy) -> Result<String, Objection> {
    signed.base_string(policy).ok_or_else(|| {
        Objection::new(Reason::BodyMalformed, "the query or form has a `%` without two hexadecimal digits")
    })
}
