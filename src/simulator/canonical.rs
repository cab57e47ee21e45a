//! The signature base string (RFC 5849 section 3.4.1), the broker's own: written to be compared with the RFC, not to be
//! fast. Of the client's it has only the name of the policy, never what the policy does.

use super::percent::{self, Spelling};
use crate::consumer::QueryPolicy;

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
    /// The base string, its list of pairs spelled in this way as a whole; `None` where a query or form pair has to be
    /// decoded and cannot be.
    pub(super) fn base_string(&self, policy: QueryPolicy, spelling: Spelling) -> Option<String> {
        let query = self.query.unwrap_or_default().as_bytes();
        let form = self.form.unwrap_or_default();
        let parameters = match policy {
            QueryPolicy::Rfc5849 => {
                let mut pairs = decoded_pairs(query)?;
                pairs.extend(decoded_pairs(form)?);
                encoded_pairs(&pairs, self.protocol)
            }
            QueryPolicy::Omit | QueryPolicy::InUrl => encoded_pairs(&[], self.protocol),
            QueryPolicy::DecodedOnce => {
                let mut pairs = decoded_pairs(query)?;
                pairs.extend(decoded_pairs(form)?);
                plain_pairs(pairs.into_iter().map(with_equals_sign).collect(), self.protocol)
            }
            QueryPolicy::RawPairs => {
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
            (QueryPolicy::InUrl, Some(query)) => format!("{}?{query}", self.base_uri),
            _ => self.base_uri.to_owned(),
        };
        Some(format!("{}&{}&{}", self.method, percent::encode(uri.as_bytes()), spelling.encode(&parameters)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn rfc_5849_section_3_4_1_1() {
        let protocol = pairs(&[
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
        ]);
        let signed = Signed {
            method: "POST",
            base_uri: "http://example.com/request",
            query: Some("b5=%3D%253D&a3=a&c%40=&a2=r%20b"),
            form: Some(b"c2&a3=2+q"),
            protocol: &protocol,
        };
        let expected = "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c\
                        %2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_\
                        method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7";
        assert_eq!(signed.base_string(QueryPolicy::Rfc5849, Spelling::Rfc3986).as_deref(), Some(expected));
    }

    #[test]
    fn oauth_core_1_0a_appendix_a() {
        let protocol = pairs(&[
            ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
            ("oauth_token", "nnch734d00sl2jdk"),
            ("oauth_nonce", "kllo9940pd9333jh"),
            ("oauth_timestamp", "1191242096"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_version", "1.0"),
        ]);
        let signed = Signed {
            method: "GET",
            base_uri: "http://photos.example.net/photos",
            query: Some("file=vacation.jpg&size=original"),
            form: None,
            protocol: &protocol,
        };
        let expected = "GET&http%3A%2F%2Fphotos.example.net%2Fphotos&file%3Dvacation.jpg%26oauth_consumer_key%3Ddpf43f3p2l4k\
                        3l03%26oauth_nonce%3Dkllo9940pd9333jh%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D119124\
                        2096%26oauth_token%3Dnnch734d00sl2jdk%26oauth_version%3D1.0%26size%3Doriginal";
        assert_eq!(signed.base_string(QueryPolicy::Rfc5849, Spelling::Rfc3986).as_deref(), Some(expected));
    }

    #[test]
    fn each_policy_takes_the_query_its_own_way() {
        let protocol = pairs(&[("m", "1")]);
        let signed = Signed {
            method: "GET",
            base_uri: "http://h/",
            query: Some("z=1%2C2&&a=1,2&n&z=1+%7e"),
            form: Some(b"f=%41"),
            protocol: &protocol,
        };
        let cases = [
            (QueryPolicy::Rfc5849, "http://h/", "a=1%2C2&f=A&m=1&n=&z=1%20~&z=1%2C2"),
            (QueryPolicy::RawPairs, "http://h/", "a=1,2&f=A&m=1&n&z=1%2C2&z=1+%7e"),
            (QueryPolicy::DecodedOnce, "http://h/", "a=1,2&f=A&m=1&n=&z=1 ~&z=1,2"),
            (QueryPolicy::Omit, "http://h/", "m=1"),
            (QueryPolicy::InUrl, "http://h/?z=1%2C2&&a=1,2&n&z=1+%7e", "m=1"),
        ];
        for (policy, uri, parameters) in cases {
            let expected =
                format!("GET&{}&{}", percent::encode(uri.as_bytes()), percent::encode(parameters.as_bytes()));
            assert_eq!(signed.base_string(policy, Spelling::Rfc3986), Some(expected), "{policy:?}");
        }
    }

    #[test]
    fn each_spelling_of_the_whole() {
        let signed = Signed { method: "GET", base_uri: "http://h/", query: Some("a=1/*+~"), form: None, protocol: &[] };
        let spelled = Spelling::ALL.map(|spelling| signed.base_string(QueryPolicy::DecodedOnce, spelling).unwrap());
        let expected = ["a%3D1%2F%2A%20~", "a%3D1%2F%2A+~", "a%3D1/%2A%20~", "a%3D1%2F*+%7E"];
        assert_eq!(spelled, expected.map(|pairs| format!("GET&http%3A%2F%2Fh%2F&{pairs}")));
    }

    #[test]
    fn only_a_policy_that_decodes_minds_a_broken_escape() {
        let signed = Signed { method: "GET", base_uri: "http://h/", query: Some("a=%4"), form: None, protocol: &[] };
        let readable = QueryPolicy::ALL.map(|policy| signed.base_string(policy, Spelling::Rfc3986).is_some());
        assert_eq!(readable, [false, true, false, true, true]);
    }
}
