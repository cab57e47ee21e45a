//! The check of a signature, against each base string that is accepted, and what explains a wrong one.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    arithmetic::{hex, hmac_sha256},
    endpoint::Endpoint,
    examination::Examination,
    judge::{Deviation, Judge},
    percent::Spelling,
    reason::Reason,
    refusal::{Objection, ensure, refuse},
    registry::{AccessGrant, LiveSessionToken},
};
use crate::{consumer::QueryPolicy, diagnose::mistakes};

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

impl Examination<'_> {
    /// Returns the query policies that explain the signature; none for the requests of the sign-in.
    pub(super) fn check_signature(&self, judge: &mut Judge) -> Result<Vec<QueryPolicy>, Objection> {
        let given = self.parameters.get("oauth_token");
        let grant = self.registry.grant.as_ref().filter(|grant| given == Some(&grant.token));
        let prepend = match (self.endpoint, grant) {
            (Endpoint::Protected, Some(grant)) => return self.check_hmac(grant, judge),
            (Endpoint::RequestToken | Endpoint::AccessToken, _) => None,
            (Endpoint::LiveSessionToken, Some(grant)) => Some(hex(grant.secret.expose())),
            (_, None) => return refuse(Reason::TokenUnknown, "oauth_token is not the access token"),
        };
        self.check_rsa(prepend.as_deref(), judge)?;
        Ok(Vec::new())
    }

    fn read_signature(&self, length: usize) -> Result<Vec<u8>, Objection> {
        let text = self.parameters.require("oauth_signature")?;
        let signature = STANDARD.decode(text).map_err(|error| {
            Objection::new(Reason::SignatureMalformed, format_args!("oauth_signature is not Base64: {error}"))
        })?;
        let exchanged = mistakes::exchanged_methods(signature.len(), length != HMAC_LENGTH);
        let hint = exchanged.map(|issue| cause(&issue.what)).unwrap_or_default();
        ensure(
            signature.len() == length,
            Reason::SignatureMalformed,
            format_args!("oauth_signature has {} bytes, not {length}{hint}", signature.len()),
        )?;
        Ok(signature)
    }

    /// The base strings of the request under these policies, each text once, the plainest way to it first.
    fn candidates(&self, policies: &[QueryPolicy], judge: &Judge) -> Result<Vec<Candidate>, Objection> {
        let mut candidates: Vec<Candidate> = Vec::new();
        for spelling in Spelling::ALL {
            for &policy in policies {
                // The others encode each name and value before the whole, which leaves nothing to be spelled in two ways.
                let is_encoded_once = matches!(policy, QueryPolicy::RawPairs | QueryPolicy::DecodedOnce);
                if spelling != Spelling::Rfc3986 && (judge.is_strict || !is_encoded_once) {
                    continue;
                }
                let Some(text) = self.signed().base_string(policy, spelling) else { continue };
                match candidates.iter_mut().find(|candidate| candidate.text == text) {
                    None => candidates.push(Candidate { policies: vec![policy], spelling, text }),
                    Some(same) if same.policies.contains(&policy) => {}
                    Some(same) => same.policies.push(policy),
                }
            }
        }
        let detail = "the query or form has a `%` without two hexadecimal digits";
        ensure(!candidates.is_empty(), Reason::BodyMalformed, detail)?;
        Ok(candidates)
    }

    fn check_rsa(&self, prepend: Option<&str>, judge: &mut Judge) -> Result<(), Objection> {
        let (key, secret) = (&self.profile.signature_key, prepend.unwrap_or_default());
        let signature = self.read_signature(key.size())?;
        let mut policies = vec![QueryPolicy::Rfc5849];
        if !judge.is_strict {
            policies.push(QueryPolicy::DecodedOnce);
        }
        let candidates = self.candidates(&policies, judge)?;
        let verifies = |text: &str| key.verifies(text.as_bytes(), &signature);
        if let Some(found) = candidates.iter().find(|candidate| verifies(&format!("{secret}{}", candidate.text))) {
            if !found.policies.contains(&QueryPolicy::Rfc5849) {
                judge.note(Deviation::SignInEncodedOnce);
            }
            found.note(judge);
            return Ok(());
        }
        let base_string = candidates.into_iter().next().map(|candidate| candidate.text).unwrap_or_default();
        let expected = format!("{secret}{base_string}");
        let hint = if self.profile.encryption_key.verifies(expected.as_bytes(), &signature) {
            cause("the encryption key signed, in place of the signature key")
        } else {
            mistake_of_rsa(&self.to_diagnose(QueryPolicy::Rfc5849), &base_string, secret, verifies)
        };
        let detail = "oauth_signature is not that of the expected base string under the registered signature key";
        let objection = Objection::new(Reason::SignatureDiffers, format_args!("{detail}{hint}"));
        Err(objection.with_base_string(base_string, prepend.is_some()))
    }

    fn check_hmac(&self, grant: &AccessGrant, judge: &mut Judge) -> Result<Vec<QueryPolicy>, Objection> {
        let policies = self.profile.query_policies.as_slice();
        let signature = self.read_signature(HMAC_LENGTH)?;
        let candidates = self.candidates(policies, judge)?;
        let tokens = &grant.live_session_tokens;
        let signs = |key: &[u8], text: &str| hmac_sha256(key, text) == signature;
        let signed_by = |candidate: &Candidate| -> Option<&LiveSessionToken> {
            tokens.iter().find(|token| signs(token.token.expose(), &candidate.text))
        };
        if let Some((token, found)) = candidates.iter().find_map(|found| Some((signed_by(found)?, found))) {
            ensure(
                token.is_valid_at(self.now),
                Reason::LiveSessionTokenExpired,
                format_args!("the live session token that signed {}", token.fate()),
            )?;
            if token.logged_out {
                judge.note(Deviation::TokenUsedAfterLogout);
            }
            found.note(judge);
            return Ok(found.policies.clone());
        }
        ensure(!tokens.is_empty(), Reason::LiveSessionTokenMissing, "no live session token has been negotiated")?;
        let mut plain = candidates.iter().filter(|candidate| candidate.spelling == Spelling::Rfc3986);
        let explained = plain.find_map(|candidate| {
            candidate.policies.iter().find_map(|&policy| {
                let hint = mistake_of_hmac(&self.to_diagnose(policy), &candidate.text, grant, signs);
                (!hint.is_empty()).then_some((policy, candidate, hint))
            })
        });
        let (nearest, expected, hint) = match explained {
            Some((policy, candidate, hint)) => (Some(policy), Some(candidate), hint),
            None => (None, candidates.first(), String::new()),
        };
        let under = match (policies, nearest) {
            ([only], _) => format!("query policy {only}"),
            (_, None) => "any query policy".to_owned(),
            (_, Some(policy)) => format!("any query policy; the nearest is {policy}"),
        };
        let detail = format!(
            "oauth_signature is not that of the expected base string ({under}) under the live session token{hint}"
        );
        let base_string = expected.map(|candidate| candidate.text.clone()).unwrap_or_default();
        Err(Objection::new(Reason::SignatureDiffers, detail).with_base_string(base_string, false))
    }
}

/// Text to append to a refusal; empty where no known mistake explains the signature.
fn mistake_of_rsa(
    signed: &mistakes::Signed<'_>,
    expected: &str,
    prepend: &str,
    verifies: impl Fn(&str) -> bool,
) -> String {
    if !prepend.is_empty() && verifies(expected) {
        return cause("the access token's secret does not precede the base string");
    }
    let upper = prepend.to_ascii_uppercase();
    if upper != prepend && verifies(&format!("{upper}{expected}")) {
        return cause("the access token's secret is in upper-case hexadecimal");
    }
    signed.explain(|text| verifies(&format!("{prepend}{text}"))).map(|issue| cause(&issue.what)).unwrap_or_default()
}

/// Text to append to a refusal; empty where no known mistake explains the signature.
fn mistake_of_hmac(
    signed: &mistakes::Signed<'_>,
    expected: &str,
    grant: &AccessGrant,
    signs: impl Fn(&[u8], &str) -> bool,
) -> String {
    if signs(grant.secret.expose(), expected) {
        return cause("the key was the access token's secret, in place of the live session token");
    }
    for token in &grant.live_session_tokens {
        if token.without_sign_byte.as_ref().is_some_and(|mistake| signs(mistake.expose(), expected)) {
            return cause("the live session token was computed without the sign byte of K");
        }
        if signs(STANDARD.encode(token.token.expose()).as_bytes(), expected) {
            return cause("the key was the live session token's Base64 text, in place of its bytes");
        }
        if let Some(issue) = signed.explain(|text| signs(token.token.expose(), text)) {
            return cause(&issue.what);
        }
    }
    String::new()
}

/// How a mistake is named.
fn cause(what: &str) -> String {
    format!("; cause: {what}")
}
