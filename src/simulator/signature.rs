//! The check of a signature, against each base string that is accepted.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    arithmetic::{hex, hmac_sha256},
    canonical::Signed,
    deviation::Deviation,
    diagnosis,
    endpoint::Endpoint,
    judge::Judge,
    parameters::Parameters,
    percent::Spelling,
    profile::Profile,
    reason::Reason,
    refusal::{Objection, refuse},
    registry::{AccessGrant, LiveSessionToken, Registry},
};
use crate::{consumer::QueryPolicy, context::Timestamp, diagnose::mistakes};

/// How many bytes an HMAC-SHA256 has.
const HMAC_LENGTH: usize = 32;

/// A base string that is accepted, and what leads to it.
struct Candidate {
    policies: Vec<QueryPolicy>,
    spelling: Spelling,
    text: String,
}

impl Candidate {
    fn note(&self, judge: &mut Judge) {
        match self.spelling {
            Spelling::Rfc3986 => {}
            Spelling::SpaceAsPlus => judge.note(Deviation::SpaceSignedAsPlus),
            Spelling::SlashRaw => judge.note(Deviation::SlashSignedRaw),
            Spelling::UrlEncoder => judge.note(Deviation::SignedByUrlEncoder),
        }
    }
}

/// What is signed, for the broker and for the search for mistakes.
pub(super) struct Subject<'a> {
    pub(super) signed: Signed<'a>,
    pub(super) to_diagnose: mistakes::Signed<'a>,
}

/// Returns the query policies that explain the signature; none for the requests of the sign-in.
pub(super) fn check_signature(
    profile: &Profile,
    registry: &Registry,
    endpoint: Endpoint,
    parameters: &Parameters,
    subject: &Subject<'_>,
    now: Timestamp,
    judge: &mut Judge,
) -> Result<Vec<QueryPolicy>, Objection> {
    let grant = registry.grant.as_ref().filter(|grant| parameters.get("oauth_token") == Some(&grant.token));
    let prepend = match (endpoint, grant) {
        (Endpoint::Protected, Some(grant)) => return check_hmac(profile, grant, parameters, subject, now, judge),
        (Endpoint::RequestToken | Endpoint::AccessToken, _) => None,
        (Endpoint::LiveSessionToken, Some(grant)) => Some(hex(grant.secret.expose())),
        (_, None) => return refuse(Reason::TokenUnknown, "oauth_token is not the access token"),
    };
    check_rsa(profile, parameters, subject, prepend.as_deref(), judge)?;
    Ok(Vec::new())
}

fn read_signature(parameters: &Parameters, length: usize) -> Result<Vec<u8>, Objection> {
    let text = parameters.require("oauth_signature")?;
    let signature = STANDARD.decode(text).map_err(|error| {
        Objection::new(Reason::SignatureMalformed, format!("oauth_signature is not Base64: {error}"))
    })?;
    if signature.len() != length {
        let exchanged = mistakes::exchanged_methods(signature.len(), length != HMAC_LENGTH);
        let hint = exchanged.map(|issue| diagnosis::cause(&issue.what)).unwrap_or_default();
        return refuse(
            Reason::SignatureMalformed,
            format!("oauth_signature has {} bytes, not {length}{hint}", signature.len()),
        );
    }
    Ok(signature)
}

/// The base strings of a request under these policies, each text once, the plainest way to it first.
fn candidates(signed: &Signed<'_>, policies: &[QueryPolicy], judge: &Judge) -> Result<Vec<Candidate>, Objection> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for spelling in Spelling::ALL {
        for &policy in policies {
            // The others encode each name and value before the whole, which leaves nothing to be spelled in two ways.
            let is_encoded_once = matches!(policy, QueryPolicy::RawPairs | QueryPolicy::DecodedOnce);
            if spelling != Spelling::Rfc3986 && (judge.is_strict() || !is_encoded_once) {
                continue;
            }
            let Some(text) = signed.base_string(policy, spelling) else { continue };
            match candidates.iter_mut().find(|candidate| candidate.text == text) {
                None => candidates.push(Candidate { policies: vec![policy], spelling, text }),
                Some(same) if same.policies.contains(&policy) => {}
                Some(same) => same.policies.push(policy),
            }
        }
    }
    if candidates.is_empty() {
        let detail = "the query or form has a `%` without two hexadecimal digits";
        return refuse(Reason::BodyMalformed, detail);
    }
    Ok(candidates)
}

fn check_rsa(
    profile: &Profile,
    parameters: &Parameters,
    subject: &Subject<'_>,
    prepend: Option<&str>,
    judge: &mut Judge,
) -> Result<(), Objection> {
    let signature = read_signature(parameters, profile.signature_key.size())?;
    let policies: &[QueryPolicy] =
        if judge.is_strict() { &[QueryPolicy::Rfc5849] } else { &[QueryPolicy::Rfc5849, QueryPolicy::DecodedOnce] };
    let candidates = candidates(&subject.signed, policies, judge)?;
    let secret = prepend.unwrap_or_default();
    let verifies = |text: &str| profile.signature_key.verifies(text.as_bytes(), &signature);
    if let Some(found) = candidates.iter().find(|candidate| verifies(&format!("{secret}{}", candidate.text))) {
        if !found.policies.contains(&QueryPolicy::Rfc5849) {
            judge.note(Deviation::SignInEncodedOnce);
        }
        found.note(judge);
        return Ok(());
    }
    let base_string = candidates.into_iter().next().map(|candidate| candidate.text).unwrap_or_default();
    let expected = format!("{secret}{base_string}");
    let hint = if profile.encryption_key.verifies(expected.as_bytes(), &signature) {
        diagnosis::cause("the encryption key signed, in place of the signature key")
    } else {
        diagnosis::of_rsa(&subject.to_diagnose, &base_string, secret, verifies)
    };
    Err(Objection::new(
        Reason::SignatureDiffers,
        format!("oauth_signature is not that of the expected base string under the registered signature key{hint}"),
    )
    .with_base_string(base_string, prepend.is_some()))
}

fn check_hmac(
    profile: &Profile,
    grant: &AccessGrant,
    parameters: &Parameters,
    subject: &Subject<'_>,
    now: Timestamp,
    judge: &mut Judge,
) -> Result<Vec<QueryPolicy>, Objection> {
    let signature = read_signature(parameters, HMAC_LENGTH)?;
    let candidates = candidates(&subject.signed, &profile.query_policies, judge)?;
    let tokens = grant.live_session_tokens();
    let signs = |key: &[u8], text: &str| hmac_sha256(key, text) == signature;
    let signed_by = |candidate: &Candidate| -> Option<&LiveSessionToken> {
        tokens.iter().find(|token| signs(token.token.expose(), &candidate.text))
    };
    if let Some((token, found)) = candidates.iter().find_map(|found| Some((signed_by(found)?, found))) {
        if !token.is_valid_at(now) {
            return refuse(
                Reason::LiveSessionTokenExpired,
                format!("the live session token that signed {}", token.fate()),
            );
        }
        if token.logged_out {
            judge.note(Deviation::TokenUsedAfterLogout);
        }
        found.note(judge);
        return Ok(found.policies.clone());
    }
    if tokens.is_empty() {
        return refuse(Reason::LiveSessionTokenMissing, "no live session token has been negotiated");
    }
    let explained =
        candidates.iter().filter(|candidate| candidate.spelling == Spelling::Rfc3986).find_map(|candidate| {
            candidate.policies.iter().find_map(|&policy| {
                let to_diagnose = mistakes::Signed { policy, ..subject.to_diagnose };
                let hint = diagnosis::of_hmac(&to_diagnose, &candidate.text, grant, signs);
                (!hint.is_empty()).then_some((policy, candidate, hint))
            })
        });
    let (nearest, expected, hint) = match explained {
        Some((policy, candidate, hint)) => (Some(policy), Some(candidate), hint),
        None => (None, candidates.first(), String::new()),
    };
    let under = match (profile.query_policies.as_slice(), nearest) {
        ([only], _) => format!("query policy {only}"),
        (_, None) => "any query policy".to_owned(),
        (_, Some(policy)) => format!("any query policy; the nearest is {policy}"),
    };
    let detail =
        format!("oauth_signature is not that of the expected base string ({under}) under the live session token{hint}");
    let base_string = expected.map(|candidate| candidate.text.clone()).unwrap_or_default();
    Err(Objection::new(Reason::SignatureDiffers, detail).with_base_string(base_string, false))
}
