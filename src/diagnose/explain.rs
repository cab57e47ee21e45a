//! How a request is signed: its parameters, where each comes from, and each step of their encoding.

use std::fmt;

use http::{Method, Uri, request::Parts};
use serde::Serialize;

use super::{
    base_string::BaseString,
    comparison, header,
    issue::SignatureIssue,
    mask::{self, Mask},
    mistakes::Signed,
};
use crate::{
    consumer::{QueryPolicy, uri_error},
    error::{Error, Stage},
    oauth1::{base_uri, parameters, percent_encode},
    signer::Signer,
};

const STAGE: Stage = Stage::Sign;
const HEADER: &str = "header";

/// A parameter of a request on its way into the base string. Values of credentials are hidden.
#[derive(Clone, PartialEq, Eq, Serialize)]
struct ExplainedParameter {
    /// `query`, `form` or `header`.
    source: &'static str,
    /// Decoded.
    name: String,
    /// Decoded.
    value: String,
    /// Name and value, each percent-encoded, with `=` between them.
    encoded_once: String,
    /// What is in the base string of it; `None` where it is not signed.
    in_base_string: Option<String>,
}

/// How a request is signed: the parameters and where each comes from, each step of their encoding, the base string and
/// the header.
///
/// `Display` and `Serialize` show all of that. They hide the consumer key (but for its beginning), tokens, the
/// signature and the secret that is prepended to the base string of a live session token's request; and whatever could be
/// one of them, where the header is broken. [`base_string`](Self::base_string) is whole, but for that secret.
///
/// ```
/// use ibkr_oauth::{QueryPolicy, diagnose::Explanation, http::Method};
///
/// let url = "https://api.ibkr.com/v1/api/x?symbol=BRK%20B".parse()?;
/// let header = r#"OAuth oauth_consumer_key="K", oauth_nonce="1", oauth_signature="c2ln", oauth_timestamp="2""#;
/// let explanation = Explanation::from_signed(&Method::GET, &url, header, None, QueryPolicy::Rfc5849)?;
/// assert_eq!(explanation.issues()[0].what, "the header lacks `oauth_signature_method`");
///
/// let theirs = explanation.base_string().replace("BRK%2520B", "BRK%2BB");
/// let comparison = explanation.compare(&theirs);
/// assert_eq!(comparison[0].what, "spaces were signed as `+`: `symbol=BRK+B`, not `symbol=BRK%20B`");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Explanation {
    method: Method,
    uri: Uri,
    form: Option<Vec<u8>>,
    /// All of the header's, decoded.
    header_parameters: Vec<(String, String)>,
    policy: QueryPolicy,
    base_string: String,
    issues: Vec<SignatureIssue>,
    mask: Mask,
}

debug_fields!(Explanation { issues });

impl Explanation {
    /// How `signer` signs a request with this nonce and this timestamp (in seconds). `form` is the body of a form request.
    ///
    /// # Errors
    /// As [`Signer::sign_with`].
    pub fn for_request(
        signer: &Signer,
        parts: &Parts,
        form: Option<&[u8]>,
        nonce: &str,
        timestamp: u64,
    ) -> Result<Self, Error> {
        let signature = signer.sign_with(parts, form, nonce, timestamp)?;
        let header = String::from_utf8_lossy(signature.authorization.as_bytes());
        let mask = Mask::of_request(&parts.uri, form).with_nonce(Some(nonce));
        Self::with_mask(&parts.method, &parts.uri, &header, form, signer.consumer().query_policy(), mask)
    }

    /// How a request must have been signed that has this `Authorization` header, by this or by another client. The request
    /// may be one of the sign-in.
    ///
    /// A header that a strict server would refuse is read all the same; what is wrong with it is among the
    /// [`issues`](Self::issues).
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the URL cannot be signed, or the header is not one of OAuth.
    pub fn from_signed(
        method: &Method,
        uri: &Uri,
        authorization: &str,
        form: Option<&[u8]>,
        policy: QueryPolicy,
    ) -> Result<Self, Error> {
        Self::with_mask(method, uri, authorization, form, policy, Mask::of_request(uri, form))
    }

    fn with_mask(
        method: &Method,
        uri: &Uri,
        authorization: &str,
        form: Option<&[u8]>,
        policy: QueryPolicy,
        mut mask: Mask,
    ) -> Result<Self, Error> {
        let read = header::read(authorization)?;
        for (name, value) in &read.parameters {
            mask.learn(name, value);
        }
        let signed: Vec<(&str, &str)> = read
            .parameters
            .iter()
            .filter(|(name, _)| name != "oauth_signature" && name != "realm")
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let base_string = policy.base_string(method, uri, &signed, form).map_err(|error| uri_error(STAGE, error))?;
        let mut issues = read.issues;
        issues.extend(header::issues(&read.parameters, uri.path()));
        Ok(Self {
            method: method.clone(),
            uri: uri.clone(),
            form: form.map(<[u8]>::to_vec),
            header_parameters: read.parameters,
            policy,
            base_string,
            issues,
            mask,
        })
    }

    /// The signature base string, whole, but without the secret that may be signed before it.
    #[must_use]
    pub fn base_string(&self) -> &str {
        &self.base_string
    }

    /// Whether the access token's opened secret, in hexadecimal, is signed before the base string: it is in the request
    /// for a live session token, and nowhere else.
    fn is_secret_prepended(&self) -> bool {
        self.uri.path().ends_with("/oauth/live_session_token")
    }

    /// What is wrong, or may be, with the header as it was given.
    #[must_use]
    pub fn issues(&self) -> &[SignatureIssue] {
        &self.issues
    }

    /// What another client's base string for the same request has otherwise, the likely cause first. Nothing where both are
    /// the same. A secret that precedes the other is noticed, and never shown.
    #[must_use]
    pub fn compare(&self, other: &str) -> Vec<SignatureIssue> {
        let is_signed = |(name, _): &&(String, String)| name != "oauth_signature" && name != "realm";
        let oauth: Vec<(String, String)> = self.header_parameters.iter().filter(is_signed).cloned().collect();
        let realm = self.header_parameters.iter().find(|(name, _)| name == "realm").map(|(_, value)| value.as_str());
        let signed = Signed {
            method: &self.method,
            uri: &self.uri,
            form: self.form.as_deref(),
            oauth: &oauth,
            realm,
            policy: self.policy,
        };
        comparison::compare(&signed, self.is_secret_prepended(), other, &self.mask)
    }

    /// The base string with its credentials hidden.
    fn masked_base_string(&self) -> String {
        let prepend = if self.is_secret_prepended() { "[the opened secret in hexadecimal]" } else { "" };
        let masked = BaseString::parse(&self.base_string).map(|parsed| parsed.masked(&self.mask));
        format!("{prepend}{}", masked.unwrap_or_else(|| mask::HIDDEN.to_owned()))
    }
}

impl Explanation {
    /// The parameters with each step of their encoding, credentials hidden: those of query, form and header.
    fn parameters(&self) -> Vec<ExplainedParameter> {
        let (policy, mask) = (self.policy, &self.mask);
        let text = |bytes: &[u8]| mask::printable(&String::from_utf8_lossy(bytes));
        let wire = self.uri.query().unwrap_or_default();
        let sent = wire.split('&').filter(|pair| !pair.is_empty());
        let query = parameters(wire.as_bytes()).zip(sent).map(|((name, value), sent)| {
            let explained = explained("query", &text(&name), &text(&value), policy, mask);
            match policy {
                QueryPolicy::RawPairs => {
                    ExplainedParameter { in_base_string: Some(as_sent(&explained.name, sent, mask)), ..explained }
                }
                _ => explained,
            }
        });
        let form = parameters(self.form.as_deref().unwrap_or_default())
            .map(|(name, value)| explained("form", &text(&name), &text(&value), policy, mask));
        let header = self.header_parameters.iter().map(|(name, value)| explained(HEADER, name, value, policy, mask));
        query.chain(form).chain(header).collect()
    }

    fn shown(&self) -> Shown<'_> {
        let base_uri = base_uri(&self.uri).map(|uri| self.mask.uri(&uri)).unwrap_or_default();
        Shown {
            method: self.method.as_str(),
            base_uri,
            query_policy: self.policy,
            parameters: self.parameters(),
            secret_prepended: self.is_secret_prepended(),
            base_string: self.masked_base_string(),
            header: header::masked(&self.header_parameters, &self.mask),
            issues: &self.issues,
        }
    }
}

fn explained(source: &'static str, name: &str, value: &str, policy: QueryPolicy, mask: &Mask) -> ExplainedParameter {
    let (name, value) = (mask::printable(&mask.name(name)), mask::printable(&mask.value(name, value)));
    let encoded_once = format!("{}={}", mask::encoded(&name), mask::encoded(&value));
    let in_base_string = match (source, policy) {
        (HEADER, _) if name == "realm" || name == "oauth_signature" => None,
        (HEADER, QueryPolicy::Omit | QueryPolicy::InUrl) => Some(mask::encoded(&encoded_once)),
        (_, QueryPolicy::Omit | QueryPolicy::InUrl) => None,
        (_, QueryPolicy::RawPairs | QueryPolicy::DecodedOnce) => {
            Some(format!("{}%3D{}", mask::encoded(&name), mask::encoded(&value)))
        }
        _ => Some(mask::encoded(&encoded_once)),
    };
    ExplainedParameter { source, name, value, encoded_once, in_base_string }
}

/// What the base string has of a pair that is taken from the query as it was sent. `name` is the decoded name.
fn as_sent(name: &str, pair: &str, mask: &Mask) -> String {
    match pair.split_once('=') {
        Some((sent, value)) => {
            format!("{}%3D{}", percent_encode(sent.as_bytes()), mask::encoded(&mask.value(name, value)))
        }
        None => percent_encode(pair.as_bytes()),
    }
}

/// What is shown of an [`Explanation`].
#[derive(Serialize)]
struct Shown<'a> {
    method: &'a str,
    base_uri: String,
    query_policy: QueryPolicy,
    parameters: Vec<ExplainedParameter>,
    secret_prepended: bool,
    base_string: String,
    header: String,
    issues: &'a [SignatureIssue],
}

impl Serialize for Explanation {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.shown().serialize(serializer)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.shown();
        writeln!(f, "method       {}", shown.method)?;
        writeln!(f, "base URI     {}", shown.base_uri)?;
        writeln!(f, "query policy {}", shown.query_policy)?;
        writeln!(f, "parameters")?;
        for ExplainedParameter { source, name, value, encoded_once, in_base_string } in &shown.parameters {
            writeln!(f, "  {source:<6}  {name} = {value}")?;
            writeln!(f, "          encoded once    {encoded_once}")?;
            match in_base_string {
                Some(text) => writeln!(f, "          in base string  {text}")?,
                None => writeln!(f, "          in base string  (not signed)")?,
            }
        }
        writeln!(f, "base string  {}", shown.base_string)?;
        write!(f, "header       {}", shown.header)?;
        for issue in shown.issues {
            write!(f, "\nissue        {}\n             -> {}", issue.what, issue.hint)?;
        }
        Ok(())
    }
}
