//! Looking at credentials offline: does each part do what it is for, and do they fit together?

use std::fmt;

use serde::Serialize;

use super::mask;
use crate::{
    bundle::{CredentialBundle, KeyContent},
    consumer::QueryPolicy,
    context::Context,
};

mod address;
mod bundle;
mod group;
mod keys;
mod names;

/// How a part of the credentials is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// As it should be.
    Fine,
    /// Unusual: it may well work, or be the reason why it does not.
    Warning,
    /// It cannot work, or must not be used.
    Error,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fine => "fine",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// What a [`Finding`] is about: a field of the bundle, or two of them together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Subject {
    /// `consumer_key`
    ConsumerKey,
    /// `realm`
    Realm,
    /// `base_url`
    BaseUrl,
    /// `signature_key`
    SignatureKey,
    /// `encryption_key`
    EncryptionKey,
    /// Both keys together.
    KeyPair,
    /// `access_token`
    AccessToken,
    /// `access_token_secret`
    AccessTokenSecret,
    /// `dh_params`
    DhParams,
}

impl Subject {
    /// The name of the field.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConsumerKey => "consumer_key",
            Self::Realm => "realm",
            Self::BaseUrl => "base_url",
            Self::SignatureKey => "signature_key",
            Self::EncryptionKey => "encryption_key",
            Self::KeyPair => "key_pair",
            Self::AccessToken => "access_token",
            Self::AccessTokenSecret => "access_token_secret",
            Self::DhParams => "dh_params",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What it is about.
    pub subject: Subject,
    /// How that is.
    pub verdict: Verdict,
    /// What was found, and why that matters.
    pub message: String,
    /// What to do, where there is something to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// The parts of the credentials, as they were given: for an examination without a [`CredentialBundle`].
///
/// What is left out is not examined.
#[derive(Clone, Copy, Default)]
pub struct Parts<'a> {
    consumer_key: Option<&'a str>,
    realm: Option<&'a str>,
    base_url: Option<&'a str>,
    query_policy: QueryPolicy,
    access_token: Option<&'a str>,
    access_token_secret: Option<&'a str>,
    signature_key: Option<KeyContent<'a>>,
    encryption_key: Option<KeyContent<'a>>,
    dh_params: Option<&'a [u8]>,
}

impl<'a> Parts<'a> {
    /// No parts at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The consumer key.
    #[must_use]
    pub fn consumer_key(self, consumer_key: &'a str) -> Self {
        Self { consumer_key: Some(consumer_key), ..self }
    }

    /// The realm, if it was set.
    #[must_use]
    pub fn realm(self, realm: &'a str) -> Self {
        Self { realm: Some(realm), ..self }
    }

    /// The base URL, if it was set.
    #[must_use]
    pub fn base_url(self, base_url: &'a str) -> Self {
        Self { base_url: Some(base_url), ..self }
    }

    /// The access token.
    #[must_use]
    pub fn access_token(self, token: &'a str) -> Self {
        Self { access_token: Some(token), ..self }
    }

    /// The access token's secret in Base64, as the portal shows it.
    #[must_use]
    pub fn access_token_secret(self, secret: &'a str) -> Self {
        Self { access_token_secret: Some(secret), ..self }
    }

    /// The private key that signs: the content of its file, PEM or DER.
    #[must_use]
    pub fn signature_key(self, content: &'a [u8]) -> Self {
        Self { signature_key: Some(KeyContent { content, passphrase: None }), ..self }
    }

    /// The private key that opens the secret: the content of its file, PEM or DER.
    #[must_use]
    pub fn encryption_key(self, content: &'a [u8]) -> Self {
        Self { encryption_key: Some(KeyContent { content, passphrase: None }), ..self }
    }

    /// The Diffie-Hellman parameters: PEM, DER, or a prime in digits.
    #[must_use]
    pub fn dh_params(self, content: &'a [u8]) -> Self {
        Self { dh_params: Some(content), ..self }
    }

    /// Looks at the parts. Nothing is sent, and no part is shown.
    ///
    /// A group that is not well known is tested for primality, which takes some tenths of a second.
    #[must_use]
    pub fn examine(&self, cx: &mut Context<'_>) -> Examination {
        let mut findings = Vec::new();
        names::examine(self, &mut findings);
        address::examine(self.base_url, &mut findings);
        keys::examine(self, cx, &mut findings);
        group::examine(self.dh_params, &mut findings);
        findings.sort_by_key(|finding| finding.subject);
        Examination { consumer_key: self.consumer_key.map(mask::beginning), query_policy: self.query_policy, findings }
    }
}

impl fmt::Debug for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// Looks at a credential bundle that has been [resolved](CredentialBundle::resolve). What has not been is a finding.
///
/// Nothing is sent. See [`Parts::examine`] for the parts without a bundle.
#[must_use]
pub fn examine(bundle: &CredentialBundle, cx: &mut Context<'_>) -> Examination {
    let (parts, unread) = bundle::parts(bundle);
    let mut examination = parts.examine(cx);
    examination.findings.extend(unread);
    examination.findings.sort_by_key(|finding| finding.subject);
    examination
}

/// What the examination of credentials found. It shows nothing secret, and may be pasted in a forum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Examination {
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer_key: Option<String>,
    query_policy: QueryPolicy,
    findings: Vec<Finding>,
}

impl Examination {
    /// Each thing that was looked at, in the order of the bundle's fields.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The worst verdict of all findings.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Fine)
    }

    /// The finding to begin with: the first error, or else the first warning.
    #[must_use]
    pub fn worst(&self) -> Option<&Finding> {
        let verdict = self.verdict();
        self.findings.iter().find(|finding| finding.verdict == verdict && verdict != Verdict::Fine)
    }

    /// The one thing to do next.
    #[must_use]
    pub fn next_step(&self) -> &str {
        match self.worst() {
            Some(Finding { remedy: Some(remedy), .. }) => remedy,
            Some(finding) => &finding.message,
            None => {
                "nothing is wrong with these credentials by themselves: sign in; if the broker then says `invalid \
                 consumer`, only waiting is left, until the weekend reset activates the consumer key"
            }
        }
    }
}

impl fmt::Display for Examination {
    /// One line for each finding, with the remedy below it where there is one, and the next step at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { subject, verdict, message, remedy } in &self.findings {
            writeln!(f, "{verdict:<7}  {subject:<19}  {message}")?;
            if let Some(remedy) = remedy {
                writeln!(f, "{:<7}  {:<19}  -> {remedy}", "", "")?;
            }
        }
        write!(f, "next: {}", self.next_step())
    }
}

/// Collects findings about one subject.
struct Findings<'a> {
    subject: Subject,
    list: &'a mut Vec<Finding>,
}

impl<'a> Findings<'a> {
    fn about(subject: Subject, list: &'a mut Vec<Finding>) -> Self {
        Self { subject, list }
    }

    fn push(&mut self, verdict: Verdict, message: impl Into<String>, remedy: Option<String>) {
        self.list.push(Finding { subject: self.subject, verdict, message: message.into(), remedy });
    }

    fn fine(&mut self, message: impl Into<String>) {
        self.push(Verdict::Fine, message, None);
    }

    fn warning(&mut self, message: impl Into<String>, remedy: impl Into<String>) {
        self.push(Verdict::Warning, message, Some(remedy.into()));
    }

    fn error(&mut self, message: impl Into<String>, remedy: impl Into<String>) {
        self.push(Verdict::Error, message, Some(remedy.into()));
    }
}
