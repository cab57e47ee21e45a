//! How a request is signed: its parameters, where each comes from, and each step of their encoding.

use std::fmt;

use http::{Method, Uri, request::Parts};
use serde::Serialize;

use super::mask::{self, Mask};
use crate::{
    consumer::{QueryPolicy, uri_error},
    error::{Error, Stage},
    oauth1::{BaseUri, form_parameters, percent_encode, query_parameters},
    signer::Signer,
};

mod compare;
mod header;
mod parse;
mod slip;

pub use self::{
    compare::{Comparison, Difference, Place, compare},
    slip::Slip,
};

const STAGE: Stage = Stage::Sign;

/// Where a parameter of a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Origin {
    /// The URL's query.
    Query,
    /// The body, which is a form.
    Form,
    /// The `Authorization` header.
    Header,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Query => "query",
            Self::Form => "form",
            Self::Header => "header",
        })
    }
}

/// A parameter of a request on its way into the base string. Values of credentials are hidden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExplainedParameter {
    /// Where it comes from.
    pub origin: Origin,
    /// The decoded name.
    pub name: String,
    /// The decoded value.
    pub value: String,
    /// Name and value, each percent-encoded, with `=` between them.
    pub encoded_once: String,
    /// What stands of it in the base string; `None` where it is not signed.
    pub in_base_string: Option<String>,
}

/// How a request is signed.
///
/// `Display`, `Debug` and `Serialize` hide the consumer key (but for its beginning), tokens, the signature and the secret
/// that is prepended to the base string of a live session token's request; and whatever could be one of them, where the
/// header is broken. [`base_string`](Self::base_string) is whole, but for
/// that secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Explanation {
    method: String,
    base_uri: String,
    policy: QueryPolicy,
    parameters: Vec<ExplainedParameter>,
    base_string: String,
    prepended: bool,
    header: String,
    slips: Vec<Slip>,
    mask: Mask,
}

impl Explanation {
    /// How `signer` signs a request with this nonce and this timestamp (in seconds). `form` is the body of a form request.
    ///
    /// # Errors
    /// As [`Signer::sign_with`].
    pub fn of_request(
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
    /// [`slips`](Self::slips).
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the URL cannot be signed, or the header is not one of OAuth.
    pub fn of_signed(
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
        let base_uri = BaseUri::new(uri).map_err(|error| uri_error(STAGE, error))?;
        let parameters = parameters(uri, &read.parameters, form, policy, &mask);
        let mut slips = read.slips;
        slips.extend(slip::of_parameters(&read.parameters));
        Ok(Self {
            method: method.as_str().to_owned(),
            base_uri: mask.uri(&base_uri.to_string()),
            policy,
            parameters,
            base_string,
            prepended: uri.path().ends_with("/oauth/live_session_token"),
            header: header::masked(&read.parameters, &mask),
            slips,
            mask,
        })
    }

    /// All parameters, in the order of query, form and header.
    #[must_use]
    pub fn parameters(&self) -> &[ExplainedParameter] {
        &self.parameters
    }

    /// The signature base string, whole, but without the secret that may be signed before it.
    #[must_use]
    pub fn base_string(&self) -> &str {
        &self.base_string
    }

    /// Whether the access token's opened secret, in hexadecimal, is signed before the base string: it is in the request
    /// for a live session token, and nowhere else.
    #[must_use]
    pub fn is_secret_prepended(&self) -> bool {
        self.prepended
    }

    /// The `Authorization` header, with its credentials hidden.
    #[must_use]
    pub fn masked_header(&self) -> &str {
        &self.header
    }

    /// What is wrong, or may be, with the header as it was given.
    #[must_use]
    pub fn slips(&self) -> &[Slip] {
        &self.slips
    }

    /// Tells what another client's base string for the same request has otherwise.
    #[must_use]
    pub fn compare(&self, other: &str) -> Comparison {
        compare::against(&self.base_string, Some(self.prepended), other, &self.mask)
    }

    /// The base string with its credentials hidden.
    fn masked_base_string(&self) -> String {
        let prepend = if self.prepended { "[the opened secret in hexadecimal]" } else { "" };
        let masked = parse::BaseString::parse(&self.base_string).map(|parsed| parsed.masked(&self.mask));
        format!("{prepend}{}", masked.unwrap_or_else(|| mask::HIDDEN.to_owned()))
    }
}

/// The parameters of the request with each step of their encoding, credentials hidden.
fn parameters(
    uri: &Uri,
    header: &[(String, String)],
    form: Option<&[u8]>,
    policy: QueryPolicy,
    mask: &Mask,
) -> Vec<ExplainedParameter> {
    let text = |bytes: &[u8]| mask::printable(&String::from_utf8_lossy(bytes));
    let wire = uri.query().unwrap_or_default();
    let sent = wire.split('&').filter(|pair| !pair.is_empty());
    let query = query_parameters(wire).zip(sent).map(|(parameter, sent)| {
        let explained = explained(Origin::Query, &text(&parameter.name), &text(&parameter.value), policy, mask);
        match policy {
            QueryPolicy::RawPairs => {
                ExplainedParameter { in_base_string: Some(as_sent(&explained.name, sent, mask)), ..explained }
            }
            _ => explained,
        }
    });
    let form = form_parameters(form.unwrap_or_default())
        .map(|parameter| explained(Origin::Form, &text(&parameter.name), &text(&parameter.value), policy, mask));
    let header = header.iter().map(|(name, value)| explained(Origin::Header, name, value, policy, mask));
    query.chain(form).chain(header).collect()
}

fn explained(origin: Origin, name: &str, value: &str, policy: QueryPolicy, mask: &Mask) -> ExplainedParameter {
    let (name, value) = (mask::printable(&mask.name(name)), mask::printable(&mask.value(name, value)));
    let encoded_once = format!("{}={}", mask::encoded(&name), mask::encoded(&value));
    let in_base_string = match (origin, policy) {
        (Origin::Header, _) if name == "realm" || name == "oauth_signature" => None,
        (Origin::Query | Origin::Form, QueryPolicy::Omit | QueryPolicy::InUrl) => None,
        (_, QueryPolicy::RawPairs | QueryPolicy::DecodedOnce) => {
            Some(format!("{}%3D{}", mask::encoded(&name), mask::encoded(&value)))
        }
        _ => Some(mask::encoded(&encoded_once)),
    };
    ExplainedParameter { origin, name, value, encoded_once, in_base_string }
}

/// What stands in the base string of a pair that is taken from the query as it was sent. `name` is the decoded name.
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
    base_uri: &'a str,
    query_policy: QueryPolicy,
    parameters: &'a [ExplainedParameter],
    secret_prepended: bool,
    base_string: String,
    header: &'a str,
    slips: &'a [Slip],
}

impl Serialize for Explanation {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = Shown {
            method: &self.method,
            base_uri: &self.base_uri,
            query_policy: self.policy,
            parameters: &self.parameters,
            secret_prepended: self.prepended,
            base_string: self.masked_base_string(),
            header: &self.header,
            slips: &self.slips,
        };
        shown.serialize(serializer)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "method       {}", self.method)?;
        writeln!(f, "base URI     {}", self.base_uri)?;
        writeln!(f, "query policy {}", self.policy)?;
        writeln!(f, "parameters")?;
        for ExplainedParameter { origin, name, value, encoded_once, in_base_string } in &self.parameters {
            writeln!(f, "  {origin:<6}  {name} = {value}")?;
            writeln!(f, "          encoded once    {encoded_once}")?;
            match in_base_string {
                Some(text) => writeln!(f, "          in base string  {text}")?,
                None => writeln!(f, "          in base string  (not signed)")?,
            }
        }
        writeln!(f, "base string  {}", self.masked_base_string())?;
        write!(f, "header       {}", self.header)?;
        for slip in &self.slips {
            write!(f, "\nslip         {slip}\n             -> {}", slip.remedy())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explanation")
            .field("method", &self.method)
            .field("base_uri", &self.base_uri)
            .field("base_string", &self.masked_base_string())
            .field("header", &self.header)
            .field("slips", &self.slips)
            .finish_non_exhaustive()
    }
}
