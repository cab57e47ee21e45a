//! All of a signature that is the same from request to request, encoded once, with holes for what is not.

use http::{HeaderMap, Method, Request, Uri, request::Parts};

use super::{STAGE, mac::KeyedMac, scratch::Scratch};
use crate::{
    consumer::{Consumer, Hosts, uri_error},
    context::Context,
    encoding::nonce_digits,
    error::Error,
    oauth1::{
        EncodedBase, Pairs, ProtocolName, QueryPolicy, append_base_uri, append_base64_encoded, append_encoded,
        append_encoded_twice,
    },
    secret::Secret,
    timestamp_floor::TimestampFloor,
};

/// The head of a request, without its ownership.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
}

impl<'a> From<&'a Parts> for Head<'a> {
    fn from(parts: &'a Parts) -> Self {
        Self { method: &parts.method, uri: &parts.uri, headers: &parts.headers }
    }
}

impl<'a, B> From<&'a Request<B>> for Head<'a> {
    fn from(request: &'a Request<B>) -> Self {
        Self { method: request.method(), uri: request.uri(), headers: request.headers() }
    }
}

/// What fills the holes, new in each signature.
pub(super) struct Stamp<'a> {
    nonce: [u8; 32],
    timestamp: &'a str,
}

impl<'a> Stamp<'a> {
    /// Writes the part of the base string from the nonce to the timestamp.
    ///
    /// The timestamp's digits are kept in `digits`.
    pub(super) fn append(
        cx: &mut Context<'_>,
        floor: &TimestampFloor,
        out: &mut Vec<u8>,
        digits: &'a mut itoa::Buffer,
    ) -> Result<Self, Error> {
        let nonce = nonce_digits(cx.entropy()).map_err(|error| Error::entropy(STAGE, error))?;
        let timestamp = floor.stamp(cx.now()).map_err(|behind| behind.error(STAGE))?;
        out.extend_from_slice(&nonce);
        out.extend_from_slice(SIGNED_BEFORE_TIMESTAMP);
        let timestamp = digits.format(timestamp);
        out.extend_from_slice(timestamp.as_bytes());
        Ok(Self { nonce, timestamp })
    }
}

/// The keyed MAC, and the texts between the holes.
pub(super) struct Template {
    /// Keying costs two of about eight compressions of SHA-256; a clone of it, none.
    mac: KeyedMac,
    policy: QueryPolicy,
    hosts: Hosts,
    /// The consumer's own. Requests to other places that are allowed are signed too, only slower.
    base_url: Option<EncodedBase>,
    signed: Texts,
    header: Texts,
}

/// Text, nonce, (in the header: text, signature,) text, timestamp, text.
struct Texts {
    before_nonce: Vec<u8>,
    after_timestamp: Vec<u8>,
}

const SIGNED_BEFORE_TIMESTAMP: &[u8] = b"%26oauth_signature_method%3DHMAC-SHA256%26oauth_timestamp%3D";
const HEADER_BEFORE_SIGNATURE: &[u8] = b"\", oauth_signature=\"";
const HEADER_BEFORE_TIMESTAMP: &[u8] = b"\", oauth_signature_method=\"HMAC-SHA256\", oauth_timestamp=\"";

/// Nonce, signature with all of its 44 characters encoded, timestamp, and the header's texts around them.
const LONGEST_BETWEEN: usize = 32 + 3 * 44 + 20 + HEADER_BEFORE_SIGNATURE.len() + HEADER_BEFORE_TIMESTAMP.len();

impl Template {
    pub(super) fn new(consumer: &Consumer, token: &str, live_session_token: &Secret) -> Self {
        let policy = consumer.query_policy();
        let append = if policy.encodes_twice() { append_encoded_twice } else { append_encoded };
        let (consumer_key, token) = (consumer.consumer_key().as_bytes(), token.as_bytes());

        let mut signed = Texts { before_nonce: b"oauth_consumer_key%3D".into(), after_timestamp: Vec::new() };
        append(&mut signed.before_nonce, consumer_key);
        signed.before_nonce.extend_from_slice(b"%26oauth_nonce%3D");
        signed.after_timestamp.extend_from_slice(b"%26oauth_token%3D");
        append(&mut signed.after_timestamp, token);

        let realm = consumer.realm().as_str();
        let mut header = Texts {
            before_nonce: format!("OAuth realm=\"{realm}\", oauth_consumer_key=\"").into_bytes(),
            after_timestamp: b"\", oauth_token=\"".into(),
        };
        append_encoded(&mut header.before_nonce, consumer_key);
        header.before_nonce.extend_from_slice(b"\", oauth_nonce=\"");
        append_encoded(&mut header.after_timestamp, token);
        header.after_timestamp.push(b'"');

        Self {
            mac: KeyedMac::new(live_session_token.expose()),
            policy,
            hosts: consumer.hosts(),
            base_url: consumer.endpoints().base_url().parse().ok().and_then(|uri| EncodedBase::new(&uri)),
            signed,
            header,
        }
    }

    pub(super) fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    pub(super) fn base_url(&self) -> Option<&EncodedBase> {
        self.base_url.as_ref()
    }

    pub(super) fn mac(&self) -> &KeyedMac {
        &self.mac
    }

    /// Writes the base string of a request up to its nonce, and keeps its parameters in `pairs`. `base_url` is what
    /// [`check`](super::check::check) returned.
    pub(super) fn begin_base_string(
        &self,
        Scratch { base_string: out, pairs, .. }: &mut Scratch,
        head: Head<'_>,
        form: Option<&[u8]>,
        base_url: Option<&EncodedBase>,
    ) -> Result<(), Error> {
        let query = head.uri.query();
        pairs
            .collect(query.unwrap_or_default().as_bytes(), form.unwrap_or_default(), self.policy)
            .map_err(protocol_name)?;
        out.extend_from_slice(head.method.as_str().as_bytes());
        out.push(b'&');
        append_base_uri(out, head.uri, base_url).map_err(|error| uri_error(STAGE, error))?;
        if let (QueryPolicy::InUrl, Some(query)) = (self.policy, query) {
            append_encoded(out, b"?");
            append_encoded(out, query.as_bytes());
        }
        out.push(b'&');
        pairs.append_before_protocol(out);
        out.extend_from_slice(&self.signed.before_nonce);
        Ok(())
    }

    /// Writes the rest of the base string, behind the timestamp.
    pub(super) fn end_base_string(&self, out: &mut Vec<u8>, pairs: &Pairs) {
        out.extend_from_slice(&self.signed.after_timestamp);
        pairs.append_after_protocol(out);
    }

    /// Writes the header's value.
    pub(super) fn write_header(&self, out: &mut Vec<u8>, stamp: &Stamp<'_>, mac: &[u8; 32]) {
        let Texts { before_nonce, after_timestamp } = &self.header;
        // Enough for every signature, however many of its characters are encoded.
        out.reserve(before_nonce.len() + after_timestamp.len() + LONGEST_BETWEEN);
        out.extend_from_slice(before_nonce);
        out.extend_from_slice(&stamp.nonce);
        out.extend_from_slice(HEADER_BEFORE_SIGNATURE);
        append_base64_encoded(out, mac);
        out.extend_from_slice(HEADER_BEFORE_TIMESTAMP);
        out.extend_from_slice(stamp.timestamp.as_bytes());
        out.extend_from_slice(after_timestamp);
    }
}

pub(super) fn protocol_name(_: ProtocolName) -> Error {
    Error::config(STAGE, "a parameter of the request is called `oauth_…`")
        .with_remedy("leave the protocol's parameters to the signer, which puts them into the header")
}
