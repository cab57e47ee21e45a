//! The signature base string (RFC 5849 section 3.4.1), the broker's own: written to be compared with the RFC, not to be
//! fast.

use super::percent;

/// How the broker takes query and form parameters into the signature base string of a protected request.
///
/// The written contract is RFC 5849; clients that are known to work differ from it and from each other. The three
/// requests of the sign-in are always verified by RFC 5849.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerifiedQuery {
    /// Pairs are decoded (`+` is a space, a pair without `=` has an empty value), each name and value is encoded, then
    /// the sorted list is encoded again: a comma becomes `%252C`.
    #[default]
    Rfc5849,
    /// Query pairs count as they stand on the wire and are encoded once with the list: `%2C` becomes `%252C`, a bare
    /// comma `%2C`. A pair without `=` stays so. Form pairs are decoded.
    RawPairs,
    /// Query and form pairs are decoded and encoded once with the list: a comma becomes `%2C` however it was sent.
    DecodedOnce,
    /// Neither query nor form pairs are signed.
    Omit,
    /// The query stands, as sent, behind a `?` in the URL part and is encoded once with it. Form pairs are not signed.
    InUrl,
}

impl VerifiedQuery {
    pub(super) const ALL: [Self; 5] = [Self::Rfc5849, Self::RawPairs, Self::DecodedOnce, Self::Omit, Self::InUrl];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rfc5849 => "rfc5849",
            Self::RawPairs => "raw-pairs",
            Self::DecodedOnce => "decoded-once",
            Self::Omit => "omit",
            Self::InUrl => "in-url",
        }
    }
}

/// What of a request goes into its base string.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    pub(super) method: &'a str,
    pub(super) base_uri: &'a str,
    pub(super) query: Option<&'a str>,
    /// The body, where it is form-encoded.
    pub(super) form: Option<&'a [u8]>,
    /// The OAuth parameters, decoded, without `oauth_signature` and `realm`.
    pub(super) protocol: &'a [(String, String)],
}

type Pair = (Vec<u8>, Vec<u8>);

impl Signed<'_> {
    /// The base string; `None` where a query or form pair has to be decoded and cannot be.
    pub(super) fn base_string(&self, policy: VerifiedQuery) -> Option<String> {
        let query = self.query.unwrap_or_default().as_bytes();
        let form = self.form.unwrap_or_default();
        let parameters = match policy {
            VerifiedQuery::Rfc5849 => {
                let mut pairs = decoded_pairs(query)?;
                pairs.extend(decoded_pairs(form)?);
                encoded_pairs(&pairs, self.protocol)
            }
            VerifiedQuery::Omit | VerifiedQuery::InUrl => encoded_pairs(&[], self.protocol),
            VerifiedQuery::DecodedOnce => {
                let mut pairs = decoded_pairs(query)?;
                pairs.extend(decoded_pairs(form)?);
                plain_pairs(pairs.into_iter().map(with_equals_sign).collect(), self.protocol)
            }
            VerifiedQuery::RawPairs => {
                let mut pairs: Vec<(Pair, Vec<u8>)> = sent_pairs(query)
                    .map(|sent| {
                        let (name, value) = split_at_equals_sign(sent);
                        ((name.to_vec(), value.to_vec()), sent.to_vec())
                    })
                    .collect();
                pairs.extend(decoded_pairs(form)?.into_iter().map(with_equals_sign));
                plain_pairs(pairs, self.protocol)
            }
        };
        let uri = match (policy, self.query) {
            (VerifiedQuery::InUrl, Some(query)) => format!("{}?{query}", self.base_uri),
            _ => self.base_uri.to_owned(),
        };
        Some(format!("{}&{}&{}", self.method, percent::encode(uri.as_bytes()), percent::encode(&parameters)))
    }
}

/// The pairs of a query or form as sent. Empty ones, as between two `&`, are not pairs.
pub(super) fn sent_pairs(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty())
}

/// The pairs of a query or form, decoded; `None` where one cannot be.
pub(super) fn decoded_pairs(text: &[u8]) -> Option<Vec<Pair>> {
    sent_pairs(text)
        .map(|pair| {
            let (name, value) = split_at_equals_sign(pair);
            Some((percent::decode_form(name)?, percent::decode_form(value)?))
        })
        .collect()
}

fn split_at_equals_sign(pair: &[u8]) -> (&[u8], &[u8]) {
    let mut halves = pair.splitn(2, |&byte| byte == b'=');
    (halves.next().unwrap_or_default(), halves.next().unwrap_or_default())
}

fn with_equals_sign(pair: Pair) -> (Pair, Vec<u8>) {
    let text = [pair.0.as_slice(), b"=", pair.1.as_slice()].concat();
    (pair, text)
}

/// RFC 5849 section 3.4.1.3.2: encoded first, sorted second.
fn encoded_pairs(pairs: &[Pair], protocol: &[(String, String)]) -> Vec<u8> {
    let mut encoded: Vec<(String, String)> =
        pairs.iter().map(|(name, value)| (percent::encode(name), percent::encode(value))).collect();
    for (name, value) in protocol {
        encoded.push((percent::encode(name.as_bytes()), percent::encode(value.as_bytes())));
    }
    encoded.sort();
    let joined: Vec<String> = encoded.iter().map(|(name, value)| format!("{name}={value}")).collect();
    joined.join("&").into_bytes()
}

/// Sorted by name and value as they are, each pair written as given.
fn plain_pairs(mut pairs: Vec<(Pair, Vec<u8>)>, protocol: &[(String, String)]) -> Vec<u8> {
    for (name, value) in protocol {
        pairs.push(with_equals_sign((name.as_bytes().to_vec(), value.as_bytes().to_vec())));
    }
    pairs.sort_by(|left, right| left.0.cmp(&right.0));
    let texts: Vec<Vec<u8>> = pairs.into_iter().map(|(_, text)| text).collect();
    texts.join(&b'&')
}
