//! All of a signature that is the same from request to request, encoded once, with holes for what is not.

use super::{check::check, head::Head, mac::KeyedMac, scratch::Scratch};
use crate::{
    consumer::{Consumer, Hosts, QueryPolicy, uri_error},
    error::{Error, Stage},
    oauth1::{EncodedBase, append_base_uri, append_base64_encoded, append_encoded, append_encoded_twice},
    secret::Secret,
};

/// What fills the holes, new in each signature.
pub(super) struct Stamp<'a> {
    /// The nonce as the base string has it.
    pub(super) signed_nonce: &'a [u8],
    /// The nonce as the header has it.
    pub(super) header_nonce: &'a [u8],
    pub(super) timestamp: &'a str,
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

/// Signature with all of its 44 characters encoded, timestamp, and the header's texts around them.
const LONGEST_BETWEEN: usize = 3 * 44 + 20 + HEADER_BEFORE_SIGNATURE.len() + HEADER_BEFORE_TIMESTAMP.len();

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

        let realm = consumer.realm();
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

    /// A nonce other than hexadecimal digits, as the base string has it.
    pub(super) fn signed_nonce(&self, nonce: &str) -> Vec<u8> {
        let mut signed = Vec::new();
        self.append_signed(&mut signed, nonce.as_bytes());
        signed
    }

    fn append_signed(&self, out: &mut Vec<u8>, text: &[u8]) {
        if self.policy.encodes_twice() { append_encoded_twice(out, text) } else { append_encoded(out, text) }
    }

    /// Writes the base string of a request up to its nonce. All that can be wrong with the request is found here.
    pub(super) fn begin(&self, scratch: &mut Scratch, head: Head<'_>, form: Option<&[u8]>) -> Result<(), Error> {
        scratch.clear();
        let base_url = check(head, form, &self.hosts, self.base_url.as_ref())?;
        let Scratch { base_string: out, pairs, .. } = scratch;
        let query = head.uri.query();
        pairs.collect(query.unwrap_or_default().as_bytes(), form.unwrap_or_default(), self.policy)?;
        out.extend_from_slice(head.method.as_str().as_bytes());
        out.push(b'&');
        append_base_uri(out, head.uri, base_url).map_err(|error| uri_error(Stage::Sign, error))?;
        if let (QueryPolicy::InUrl, Some(query)) = (self.policy, query) {
            append_encoded(out, b"?");
            append_encoded(out, query.as_bytes());
        }
        out.push(b'&');
        pairs.append_before_protocol(out);
        out.extend_from_slice(&self.signed.before_nonce);
        Ok(())
    }

    /// Writes the rest of the base string, and the header's value. Returns the MAC.
    pub(super) fn finish(&self, scratch: &mut Scratch, stamp: &Stamp<'_>) -> [u8; 32] {
        let Scratch { base_string, header, pairs } = scratch;
        base_string.extend_from_slice(stamp.signed_nonce);
        base_string.extend_from_slice(SIGNED_BEFORE_TIMESTAMP);
        base_string.extend_from_slice(stamp.timestamp.as_bytes());
        base_string.extend_from_slice(&self.signed.after_timestamp);
        pairs.append_after_protocol(base_string);
        let mac = self.mac.of(base_string);

        let Texts { before_nonce, after_timestamp } = &self.header;
        // Enough for every signature, however many of its characters are encoded.
        header.reserve(before_nonce.len() + stamp.header_nonce.len() + after_timestamp.len() + LONGEST_BETWEEN);
        header.extend_from_slice(before_nonce);
        header.extend_from_slice(stamp.header_nonce);
        header.extend_from_slice(HEADER_BEFORE_SIGNATURE);
        append_base64_encoded(header, &mac);
        header.extend_from_slice(HEADER_BEFORE_TIMESTAMP);
        header.extend_from_slice(stamp.timestamp.as_bytes());
        header.extend_from_slice(after_timestamp);
        mac
    }
}
