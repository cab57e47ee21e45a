//! Every check of a request, in the order the broker makes them.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use num_bigint::BigUint;

use super::{
    address::is_absolute_url,
    canonical::decoded_pairs,
    content::{form_of, is_media_type},
    endpoint::{COMMON, Endpoint},
    examination::Examination,
    judge::{Deviation, Judge},
    parameters::{Parameters, Placement},
    profile::Profile,
    reason::Reason,
    refusal::{Objection, ensure, refuse},
    registry::Registry,
};
use crate::{consumer::QueryPolicy, context::Timestamp};

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

pub(super) fn verify(
    profile: &Profile,
    registry: &Registry,
    request: &Request<Bytes>,
    now: Timestamp,
    judge: &mut Judge,
) -> Result<Verified, Objection> {
    check_user_agent(request.headers())?;
    check_content_length(request, judge)?;
    let address = profile.base.locate(request, judge)?;
    let endpoint = Endpoint::of(&address.path);
    ensure(
        endpoint == Endpoint::Protected || request.method() == Method::POST,
        Reason::MethodNotAllowed,
        format_args!("{} takes POST, not {}", address.path, request.method()),
    )?;
    let parameters = Parameters::read(request, endpoint != Endpoint::Protected, judge)?;
    let examination = Examination {
        profile,
        registry,
        request,
        address: &address,
        endpoint,
        parameters: &parameters,
        protocol: parameters.signed(),
        now,
    };
    let timestamp = examination.check_all_but_signature(judge)?;
    let query_policies = examination.check_signature(judge)?;
    let has_pairs = request.uri().query().is_some() || form_of(request).is_some();
    let query_policies = if has_pairs { query_policies } else { Vec::new() };
    Ok(Verified { endpoint, path: address.path, parameters, timestamp, query_policies })
}

pub(super) fn check_user_agent(headers: &HeaderMap) -> Result<(), Objection> {
    ensure(
        headers.get(header::USER_AGENT).is_some_and(|value| !value.is_empty()),
        Reason::UserAgentMissing,
        "there is no User-Agent header, or it is empty",
    )
}

fn check_content_length(request: &Request<Bytes>, judge: &mut Judge) -> Result<(), Objection> {
    let length = request.body().len();
    let mut given = request.headers().get_all(header::CONTENT_LENGTH).iter().peekable();
    if given.peek().is_none() && length == 0 && request.method() == Method::POST {
        let detail = "a POST with an empty body needs `Content-Length: 0`";
        ensure(request.headers().contains_key(header::TRANSFER_ENCODING), Reason::ContentLengthMissing, detail)?;
        judge.tolerate(Deviation::EmptyChunkedBody, Reason::ContentLengthMissing, detail)?;
    }
    for value in given {
        ensure(
            value.to_str().ok() == Some(length.to_string().as_str()),
            Reason::ContentLengthDiffers,
            format_args!("Content-Length is {value:?}, the body has {length} bytes"),
        )?;
    }
    Ok(())
}

impl Examination<'_> {
    /// Returns the timestamp.
    fn check_all_but_signature(&self, judge: &mut Judge) -> Result<u64, Objection> {
        self.check_body(judge)?;
        check_placement(self.query().unwrap_or_default().as_bytes())?;
        check_placement(self.form().unwrap_or_default())?;
        self.check_names()?;
        self.check_consumer(judge)?;
        let timestamp = self.check_timestamp(judge)?;
        self.check_nonce()?;
        self.check_callback(judge)?;
        self.check_challenge(judge)?;
        Ok(timestamp)
    }

    fn check_body(&self, judge: &mut Judge) -> Result<(), Objection> {
        let takes_body = self.endpoint == Endpoint::Protected || self.parameters.placement == Placement::JsonBody;
        if takes_body || self.request.body().is_empty() {
            return Ok(());
        }
        let detail = "the request takes no body beside the Authorization header";
        let is_known = self.form().is_some() || is_media_type(self.request, "application/json");
        ensure(is_known, Reason::BodyUnexpected, detail)?;
        judge.tolerate(Deviation::BodyBesideHeader, Reason::BodyUnexpected, detail)
    }

    fn check_names(&self) -> Result<(), Objection> {
        let (required, tolerated) = (self.endpoint.required(), self.endpoint.tolerated());
        for name in COMMON.iter().chain(required) {
            self.parameters.require(name)?;
        }
        for name in self.parameters.names() {
            let is_known = COMMON.contains(&name) || required.contains(&name) || tolerated.contains(&name);
            ensure(is_known, Reason::ParameterUnknown, format_args!("unknown {name}"))?;
        }
        let version = self.parameters.get("oauth_version").unwrap_or("1.0");
        ensure(version == "1.0", Reason::VersionUnsupported, format_args!("oauth_version is `{version}`, not `1.0`"))?;
        let (given, wanted) = (self.parameters.require("oauth_signature_method")?, self.endpoint.signature_method());
        ensure(
            given == wanted,
            Reason::SignatureMethodDiffers,
            format_args!("oauth_signature_method is `{given}`, this request takes `{wanted}`"),
        )
    }

    fn check_consumer(&self, judge: &mut Judge) -> Result<(), Objection> {
        let (profile, given) = (self.profile, self.parameters.require("oauth_consumer_key")?);
        ensure(
            given == profile.consumer_key,
            Reason::ConsumerUnknown,
            format_args!("oauth_consumer_key is `{given}`, the consumer is `{}`", profile.consumer_key),
        )?;
        ensure(profile.is_active, Reason::ConsumerInactive, "the consumer is not active")?;
        ensure(
            !profile.first_party_only || !matches!(self.endpoint, Endpoint::RequestToken | Endpoint::AccessToken),
            Reason::FirstPartyOnly,
            "a first-party consumer gets its access token from the portal",
        )?;
        match (self.parameters.placement, self.parameters.realm.as_deref()) {
            (Placement::JsonBody, _) => Ok(()),
            (Placement::Header, None) => {
                judge.tolerate(Deviation::RealmMissing, Reason::ParameterMissing, "missing realm")
            }
            (Placement::Header, Some(realm)) => ensure(
                realm == profile.realm,
                Reason::RealmDiffers,
                format_args!("realm is `{realm}`, the consumer's is `{}`", profile.realm),
            ),
        }
    }

    fn check_timestamp(&self, judge: &mut Judge) -> Result<u64, Objection> {
        let text = self.parameters.require("oauth_timestamp")?;
        let decimal = text.len() <= 10 && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
        let Some(timestamp) = text.parse::<u64>().ok().filter(|_| decimal) else {
            return refuse(
                Reason::TimestampMalformed,
                format_args!("oauth_timestamp is `{text}`, not positive decimal seconds of at most ten digits"),
            );
        };
        let clock = self.now.as_secs();
        ensure(
            timestamp.abs_diff(clock) <= TIMESTAMP_WINDOW,
            Reason::TimestampOutsideWindow,
            format_args!(
                "oauth_timestamp is {timestamp}, the broker's clock says {clock}: more than 300 seconds apart"
            ),
        )?;
        let newest = self.registry.newest_timestamp(self.token()).unwrap_or_default();
        if timestamp < newest {
            let detail = format!("oauth_timestamp is {timestamp}, after {newest} was accepted with the same token");
            ensure(newest - timestamp <= TIMESTAMP_DISORDER, Reason::TimestampOutOfOrder, &detail)?;
            judge.tolerate(Deviation::TimestampBehind, Reason::TimestampOutOfOrder, detail)?;
        }
        Ok(timestamp)
    }

    fn check_nonce(&self) -> Result<(), Objection> {
        let nonce = self.parameters.require("oauth_nonce")?;
        ensure(
            !self.registry.has_seen(self.token(), nonce),
            Reason::NonceRepeated,
            format_args!("oauth_nonce `{nonce}` was accepted before with the same token"),
        )
    }

    fn check_callback(&self, judge: &mut Judge) -> Result<(), Objection> {
        let callback = self.parameters.get("oauth_callback").unwrap_or("oob");
        if callback == "oob" || is_absolute_url(callback) {
            return Ok(());
        }
        let detail = format!("oauth_callback is `{callback}`, neither `oob` nor an absolute URL");
        ensure(!callback.contains("://"), Reason::CallbackMalformed, &detail)?;
        judge.tolerate(Deviation::CallbackWithoutScheme, Reason::CallbackMalformed, detail)
    }

    fn check_challenge(&self, judge: &mut Judge) -> Result<(), Objection> {
        let Some(text) = self.parameters.get("diffie_hellman_challenge") else { return Ok(()) };
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
        ensure(
            self.profile.group.contains(&challenge),
            Reason::ChallengeOutOfRange,
            "diffie_hellman_challenge is not within 2..=p-2",
        )
    }

    /// Empty where there is none.
    fn token(&self) -> &str {
        self.parameters.get("oauth_token").unwrap_or_default()
    }
}

fn check_placement(pairs: &[u8]) -> Result<(), Objection> {
    for (name, _) in decoded_pairs(pairs).unwrap_or_default() {
        ensure(
            !name.starts_with(b"oauth_") && name != b"diffie_hellman_challenge",
            Reason::ParameterMisplaced,
            format_args!("{} is in the query or form", String::from_utf8_lossy(&name)),
        )?;
    }
    Ok(())
}

/// The client's public number; `None` where the text has anything but hexadecimal digits.
pub(super) fn read_challenge(text: &str) -> Option<BigUint> {
    // The parser would take a sign or underscores too.
    let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    BigUint::parse_bytes(text.as_bytes(), 16).filter(|_| digits)
}
