//! Every check of a request, in the order the broker makes them.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use num_bigint::BigUint;

use super::{
    address::{Address, is_absolute_url},
    canonical::{Signed, decoded_pairs},
    content::{form_of, is_media_type},
    deviation::Deviation,
    endpoint::{COMMON, Endpoint},
    judge::Judge,
    parameters::{Parameters, Placement},
    profile::{ConsumerStatus, Profile},
    reason::Reason,
    refusal::{Objection, refuse},
    registry::Registry,
    signature::{Subject, check_signature},
};
use crate::{consumer::QueryPolicy, context::Timestamp, diagnose::mistakes};

/// How far a timestamp may be from the broker's clock, in seconds, to either side.
const TIMESTAMP_WINDOW: u64 = 300;

/// How far a timestamp may be behind the newest with the same token where the broker is lenient, in seconds: requests of
/// several threads overtake each other.
const TIMESTAMP_DISORDER: u64 = 5;

/// A request that passed every check that needs no state of its step.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) endpoint: Endpoint,
    /// The path under the base URL.
    pub(super) path: String,
    pub(super) parameters: Parameters,
    /// `oauth_timestamp`, in seconds.
    pub(super) timestamp: u64,
    /// Those that explain how query and form were signed; none where there is neither.
    pub(super) query_policies: Vec<QueryPolicy>,
}

/// Checks that need no OAuth: the headers that the broker's front end insists on, and the address.
pub(super) fn locate(profile: &Profile, request: &Request<Bytes>, judge: &mut Judge) -> Result<Address, Objection> {
    check_user_agent(request.headers())?;
    check_content_length(request, judge)?;
    profile.base.locate(request, judge)
}

pub(super) fn verify(
    profile: &Profile,
    registry: &Registry,
    request: &Request<Bytes>,
    address: &Address,
    now: Timestamp,
    judge: &mut Judge,
) -> Result<Verified, Objection> {
    let endpoint = Endpoint::of(&address.path);
    if endpoint != Endpoint::Protected && request.method() != Method::POST {
        return refuse(Reason::MethodNotAllowed, format!("{} takes POST, not {}", address.path, request.method()));
    }
    let parameters = Parameters::read(request, endpoint != Endpoint::Protected, judge)?;
    let form = form_of(request);
    check_body(request, endpoint, parameters.placement(), judge)?;
    check_placement(request.uri().query().unwrap_or_default().as_bytes())?;
    check_placement(form.unwrap_or_default())?;
    check_names(&parameters, endpoint)?;
    check_consumer(profile, &parameters, endpoint, judge)?;
    let timestamp = check_timestamp(registry, &parameters, now, judge)?;
    check_nonce(registry, &parameters)?;
    check_callback(&parameters, judge)?;
    if let Some(challenge) = parameters.get("diffie_hellman_challenge") {
        check_challenge(profile, challenge, judge)?;
    }
    let protocol = parameters.signed();
    let subject = Subject {
        signed: Signed {
            method: request.method().as_str(),
            base_uri: &address.base_uri,
            query: request.uri().query(),
            form,
            protocol: &protocol,
        },
        to_diagnose: mistakes::Signed {
            method: request.method(),
            uri: request.uri(),
            form,
            oauth: &protocol,
            realm: parameters.realm(),
            policy: QueryPolicy::Rfc5849,
        },
    };
    let query_policies = check_signature(profile, registry, endpoint, &parameters, &subject, now, judge)?;
    let is_without_pairs = request.uri().query().is_none() && form.is_none();
    let query_policies = if is_without_pairs { Vec::new() } else { query_policies };
    Ok(Verified { endpoint, path: address.path.clone(), parameters, timestamp, query_policies })
}

pub(super) fn check_user_agent(headers: &HeaderMap) -> Result<(), Objection> {
    if headers.get(header::USER_AGENT).is_some_and(|value| !value.is_empty()) {
        return Ok(());
    }
    refuse(Reason::UserAgentMissing, "there is no User-Agent header, or it is empty")
}

fn check_content_length(request: &Request<Bytes>, judge: &mut Judge) -> Result<(), Objection> {
    let length = request.body().len();
    let mut given = request.headers().get_all(header::CONTENT_LENGTH).iter().peekable();
    if given.peek().is_none() && length == 0 && request.method() == Method::POST {
        let detail = "a POST with an empty body needs `Content-Length: 0`";
        if !request.headers().contains_key(header::TRANSFER_ENCODING) {
            return refuse(Reason::ContentLengthMissing, detail);
        }
        judge.tolerate(Deviation::EmptyChunkedBody, Reason::ContentLengthMissing, detail)?;
    }
    for value in given {
        if value.to_str().ok() != Some(length.to_string().as_str()) {
            return refuse(
                Reason::ContentLengthDiffers,
                format!("Content-Length is {value:?}, the body has {length} bytes"),
            );
        }
    }
    Ok(())
}

fn check_body(
    request: &Request<Bytes>,
    endpoint: Endpoint,
    placement: Placement,
    judge: &mut Judge,
) -> Result<(), Objection> {
    if endpoint == Endpoint::Protected || placement == Placement::JsonBody || request.body().is_empty() {
        return Ok(());
    }
    let detail = "the request takes no body beside the Authorization header";
    if form_of(request).is_none() && !is_media_type(request, "application/json") {
        return refuse(Reason::BodyUnexpected, detail);
    }
    judge.tolerate(Deviation::BodyBesideHeader, Reason::BodyUnexpected, detail)
}

fn check_placement(pairs: &[u8]) -> Result<(), Objection> {
    let misplaced = decoded_pairs(pairs)
        .unwrap_or_default()
        .into_iter()
        .find(|(name, _)| name.starts_with(b"oauth_") || name == b"diffie_hellman_challenge");
    match misplaced {
        None => Ok(()),
        Some((name, _)) => {
            refuse(Reason::ParameterMisplaced, format!("{} is in the query or form", String::from_utf8_lossy(&name)))
        }
    }
}

fn check_names(parameters: &Parameters, endpoint: Endpoint) -> Result<(), Objection> {
    for name in COMMON.iter().chain(endpoint.required()) {
        parameters.require(name)?;
    }
    for name in parameters.names() {
        if !COMMON.contains(&name) && !endpoint.required().contains(&name) && !endpoint.tolerated().contains(&name) {
            return refuse(Reason::ParameterUnknown, format!("unknown {name}"));
        }
    }
    if let Some(version) = parameters.get("oauth_version").filter(|version| *version != "1.0") {
        return refuse(Reason::VersionUnsupported, format!("oauth_version is `{version}`, not `1.0`"));
    }
    let (given, wanted) = (parameters.require("oauth_signature_method")?, endpoint.signature_method());
    if given != wanted {
        return refuse(
            Reason::SignatureMethodDiffers,
            format!("oauth_signature_method is `{given}`, this request takes `{wanted}`"),
        );
    }
    Ok(())
}

fn check_consumer(
    profile: &Profile,
    parameters: &Parameters,
    endpoint: Endpoint,
    judge: &mut Judge,
) -> Result<(), Objection> {
    let given = parameters.require("oauth_consumer_key")?;
    if given != profile.consumer_key {
        return refuse(
            Reason::ConsumerUnknown,
            format!("oauth_consumer_key is `{given}`, the consumer is `{}`", profile.consumer_key),
        );
    }
    if profile.status == ConsumerStatus::Inactive {
        return refuse(Reason::ConsumerInactive, "the consumer is not active");
    }
    if profile.first_party_only && matches!(endpoint, Endpoint::RequestToken | Endpoint::AccessToken) {
        return refuse(Reason::FirstPartyOnly, "a first-party consumer gets its access token from the portal");
    }
    match (parameters.placement(), parameters.realm()) {
        (Placement::JsonBody, _) => Ok(()),
        (Placement::Header, None) => judge.tolerate(Deviation::RealmMissing, Reason::ParameterMissing, "missing realm"),
        (Placement::Header, Some(realm)) if realm == profile.realm => Ok(()),
        (Placement::Header, Some(realm)) => {
            refuse(Reason::RealmDiffers, format!("realm is `{realm}`, the consumer's is `{}`", profile.realm))
        }
    }
}

fn check_timestamp(
    registry: &Registry,
    parameters: &Parameters,
    now: Timestamp,
    judge: &mut Judge,
) -> Result<u64, Objection> {
    let text = parameters.require("oauth_timestamp")?;
    let decimal = text.len() <= 10 && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(timestamp) = text.parse::<u64>().ok().filter(|_| decimal) else {
        return refuse(
            Reason::TimestampMalformed,
            format!("oauth_timestamp is `{text}`, not positive decimal seconds of at most ten digits"),
        );
    };
    let clock = now.as_secs();
    if timestamp.abs_diff(clock) > TIMESTAMP_WINDOW {
        return refuse(
            Reason::TimestampOutsideWindow,
            format!("oauth_timestamp is {timestamp}, the broker's clock says {clock}: more than 300 seconds apart"),
        );
    }
    let newest = registry.newest_timestamp(parameters.get("oauth_token").unwrap_or_default()).unwrap_or_default();
    if timestamp < newest {
        let detail = format!("oauth_timestamp is {timestamp}, after {newest} was accepted with the same token");
        if newest - timestamp > TIMESTAMP_DISORDER {
            return refuse(Reason::TimestampOutOfOrder, detail);
        }
        judge.tolerate(Deviation::TimestampBehind, Reason::TimestampOutOfOrder, detail)?;
    }
    Ok(timestamp)
}

fn check_nonce(registry: &Registry, parameters: &Parameters) -> Result<(), Objection> {
    let nonce = parameters.require("oauth_nonce")?;
    if registry.has_seen(parameters.get("oauth_token").unwrap_or_default(), nonce) {
        return refuse(Reason::NonceRepeated, format!("oauth_nonce `{nonce}` was accepted before with the same token"));
    }
    Ok(())
}

fn check_callback(parameters: &Parameters, judge: &mut Judge) -> Result<(), Objection> {
    let Some(callback) = parameters.get("oauth_callback").filter(|callback| *callback != "oob") else { return Ok(()) };
    if is_absolute_url(callback) {
        return Ok(());
    }
    let detail = format!("oauth_callback is `{callback}`, neither `oob` nor an absolute URL");
    if callback.contains("://") {
        return refuse(Reason::CallbackMalformed, detail);
    }
    judge.tolerate(Deviation::CallbackWithoutScheme, Reason::CallbackMalformed, detail)
}

fn check_challenge(profile: &Profile, text: &str, judge: &mut Judge) -> Result<(), Objection> {
    let detail = "diffie_hellman_challenge is not lower-case hexadecimal without leading zeros";
    let Some(challenge) = read_challenge(text) else {
        return refuse(Reason::ChallengeMalformed, detail);
    };
    if text.starts_with('0') {
        judge.tolerate(Deviation::ChallengeWithLeadingZeros, Reason::ChallengeMalformed, detail)?;
    }
    if text.bytes().any(|digit| digit.is_ascii_uppercase()) {
        judge.tolerate(Deviation::ChallengeInUpperCase, Reason::ChallengeMalformed, detail)?;
    }
    if !profile.group.contains(&challenge) {
        return refuse(Reason::ChallengeOutOfRange, "diffie_hellman_challenge is not within 2..=p-2");
    }
    Ok(())
}

/// The client's public number; `None` where the text has anything but hexadecimal digits.
pub(super) fn read_challenge(text: &str) -> Option<BigUint> {
    // The parser would take a sign or underscores too.
    let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    BigUint::parse_bytes(text.as_bytes(), 16).filter(|_| digits)
}
