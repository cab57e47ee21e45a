//! The signature base string (RFC 5849 section 3.4.1), and the ways in which servers deviate from it.

use std::{borrow::Cow, cmp::Ordering, error, fmt, str::FromStr};

use http::{Method, Uri};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    base_uri::{BaseUri, UriError},
    encode::{compare_encoded, push_encoded, push_encoded_twice},
    parameters::{form_parameters, query_parameters, wire_pairs},
};

/// How the parameters of query and form enter the signature base string.
///
/// The written contract is RFC 5849. IBKR's own samples and clients that work in practice do otherwise, and differ from
/// it, and from one another, only where a value has a reserved character: a comma, a space, a slash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueryPolicy {
    /// `rfc5849`: pairs decoded, each name and value encoded, sorted, joined, and all encoded again.
    #[default]
    Rfc5849,
    /// `raw-pairs`: query pairs as they stand on the wire, sorted with the others by unencoded name and value, joined,
    /// and all encoded once. Form pairs are decoded first.
    RawPairs,
    /// `decoded-once`: as `raw-pairs`, but the query pairs are decoded first.
    DecodedOnce,
    /// `omit`: neither query nor form pairs.
    Omit,
    /// `in-url`: the query as sent stands behind the URI and is encoded with it; neither query nor form pairs.
    InUrl,
}

impl QueryPolicy {
    /// All policies, the default first.
    pub const ALL: [Self; 5] = [Self::Rfc5849, Self::RawPairs, Self::DecodedOnce, Self::Omit, Self::InUrl];

    /// The name by which configuration calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rfc5849 => "rfc5849",
            Self::RawPairs => "raw-pairs",
            Self::DecodedOnce => "decoded-once",
            Self::Omit => "omit",
            Self::InUrl => "in-url",
        }
    }

    /// Whether names and values are encoded by themselves before the whole is.
    pub(crate) const fn encodes_twice(self) -> bool {
        !matches!(self, Self::RawPairs | Self::DecodedOnce)
    }
}

impl fmt::Display for QueryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no [`QueryPolicy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownQueryPolicy;

impl fmt::Display for UnknownQueryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a query policy is one of")?;
        for (index, policy) in QueryPolicy::ALL.iter().enumerate() {
            write!(f, "{} `{policy}`", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl error::Error for UnknownQueryPolicy {}

impl FromStr for QueryPolicy {
    type Err = UnknownQueryPolicy;

    fn from_str(name: &str) -> Result<Self, UnknownQueryPolicy> {
        Self::ALL.into_iter().find(|policy| policy.name() == name).ok_or(UnknownQueryPolicy)
    }
}

impl Serialize for QueryPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for QueryPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// One pair as it is to be signed. Only a pair taken raw from the wire can have no value at all.
struct Pair<'a> {
    name: Cow<'a, [u8]>,
    value: Option<Cow<'a, [u8]>>,
}

impl Pair<'_> {
    fn value(&self) -> &[u8] {
        self.value.as_deref().unwrap_or_default()
    }
}

/// The signature base string of a request.
///
/// `oauth_parameters` are the protocol's own, decoded, without `realm` and `oauth_signature`; they may come in any
/// order. `form` is the body of a form request, as sent; `None` for all other bodies, which are not signed.
///
/// # Errors
/// [`UriError`] where `uri` cannot be signed.
pub fn base_string(
    method: &Method,
    uri: &Uri,
    oauth_parameters: &[(&str, &str)],
    form: Option<&[u8]>,
    policy: QueryPolicy,
) -> Result<String, UriError> {
    let base_uri = BaseUri::new(uri)?;
    let mut pairs = collect(uri, oauth_parameters, form, policy);
    // A stable sort: raw pairs `a` and `a=` are equals that read differently, and stay in the order of the wire.
    pairs.sort_by(if policy.encodes_twice() { by_encoded } else { by_plain });

    let sizes = pairs.iter().map(|pair| pair.name.len() + pair.value().len() + 6);
    let mut out = String::with_capacity(64 + 2 * base_uri.as_str().len() + 2 * sizes.sum::<usize>());
    out.push_str(method.as_str());
    out.push('&');
    push_encoded(&mut out, base_uri.as_str().as_bytes());
    if let (QueryPolicy::InUrl, Some(query)) = (policy, uri.query()) {
        push_encoded(&mut out, b"?");
        push_encoded(&mut out, query.as_bytes());
    }
    let push = if policy.encodes_twice() { push_encoded_twice } else { push_encoded };
    out.push('&');
    for (index, pair) in pairs.iter().enumerate() {
        if index > 0 {
            out.push_str("%26");
        }
        push(&mut out, &pair.name);
        if let Some(value) = &pair.value {
            out.push_str("%3D");
            push(&mut out, value);
        }
    }
    Ok(out)
}

fn collect<'a>(
    uri: &'a Uri,
    oauth_parameters: &[(&'a str, &'a str)],
    form: Option<&'a [u8]>,
    policy: QueryPolicy,
) -> Vec<Pair<'a>> {
    let mut pairs: Vec<Pair<'a>> = oauth_parameters
        .iter()
        .map(|(name, value)| Pair {
            name: Cow::Borrowed(name.as_bytes()),
            value: Some(Cow::Borrowed(value.as_bytes())),
        })
        .collect();
    let query = uri.query().unwrap_or_default();
    match policy {
        QueryPolicy::Omit | QueryPolicy::InUrl => return pairs,
        QueryPolicy::RawPairs => pairs.extend(
            wire_pairs(query.as_bytes())
                .map(|(name, value)| Pair { name: Cow::Borrowed(name), value: value.map(Cow::Borrowed) }),
        ),
        QueryPolicy::Rfc5849 | QueryPolicy::DecodedOnce => pairs.extend(
            query_parameters(query).map(|parameter| Pair { name: parameter.name, value: Some(parameter.value) }),
        ),
    }
    pairs.extend(
        form_parameters(form.unwrap_or_default())
            .map(|parameter| Pair { name: parameter.name, value: Some(parameter.value) }),
    );
    pairs
}

fn by_encoded(left: &Pair<'_>, right: &Pair<'_>) -> Ordering {
    compare_encoded(&left.name, &right.name).then_with(|| compare_encoded(left.value(), right.value()))
}

fn by_plain(left: &Pair<'_>, right: &Pair<'_>) -> Ordering {
    left.name.cmp(&right.name).then_with(|| left.value().cmp(right.value()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(url: &str, form: Option<&[u8]>, policy: QueryPolicy) -> String {
        base_string(&Method::GET, &url.parse().unwrap(), &[("oauth_token", "t,")], form, policy).unwrap()
    }

    #[test]
    fn the_example_of_rfc_5849() {
        let oauth = [
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
        ];
        let uri = "http://example.com/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b".parse().unwrap();
        let text = base_string(&Method::POST, &uri, &oauth, Some(b"c2&a3=2+q"), QueryPolicy::Rfc5849).unwrap();
        assert_eq!(
            text,
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540\
             %3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3D\
             HMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
        );
    }

    #[test]
    fn the_example_of_oauth_core() {
        let oauth = [
            ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
            ("oauth_token", "nnch734d00sl2jdk"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "1191242096"),
            ("oauth_nonce", "kllo9940pd9333jh"),
            ("oauth_version", "1.0"),
        ];
        let uri = "http://photos.example.net/photos?file=vacation.jpg&size=original".parse().unwrap();
        assert_eq!(
            base_string(&Method::GET, &uri, &oauth, None, QueryPolicy::Rfc5849).unwrap(),
            "GET&http%3A%2F%2Fphotos.example.net%2Fphotos&file%3Dvacation.jpg%26oauth_consumer_key%3Ddpf43f3p2l4k3l03%26\
             oauth_nonce%3Dkllo9940pd9333jh%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1191242096%26\
             oauth_token%3Dnnch734d00sl2jdk%26oauth_version%3D1.0%26size%3Doriginal"
        );
    }

    #[test]
    fn each_policy_treats_query_and_form_in_its_own_way() {
        const URL: &str = "http://h/p?b=1%2C2&a=x+y&flag&&a=%ff";
        let cases = [
            (
                QueryPolicy::Rfc5849,
                "p&a%3D%25FF%26a%3Dx%2520y%26b%3D1%252C2%26f%3D%252F%26flag%3D%26oauth_token%3Dt%252C",
            ),
            (QueryPolicy::RawPairs, "p&a%3D%25ff%26a%3Dx%2By%26b%3D1%252C2%26f%3D%2F%26flag%26oauth_token%3Dt%2C"),
            (QueryPolicy::DecodedOnce, "p&a%3Dx%20y%26a%3D%FF%26b%3D1%2C2%26f%3D%2F%26flag%3D%26oauth_token%3Dt%2C"),
            (QueryPolicy::Omit, "p&oauth_token%3Dt%252C"),
            (QueryPolicy::InUrl, "p%3Fb%3D1%252C2%26a%3Dx%2By%26flag%26%26a%3D%25ff&oauth_token%3Dt%252C"),
        ];
        for (policy, expected) in cases {
            let expected = format!("GET&http%3A%2F%2Fh%2F{expected}");
            assert_eq!(sign(URL, Some(b"f=%2F"), policy), expected, "{policy}");
        }
    }

    #[test]
    fn names_sort_before_values_and_by_their_encoded_bytes() {
        // A joined `name=value` would put `a1=…` before `a=…`; a reserved byte sorts as its `%`, before all others.
        assert_eq!(
            sign("http://h/?a1=0&a=1&a%2C=2&a-=3", None, QueryPolicy::Rfc5849),
            "GET&http%3A%2F%2Fh%2F&a%3D1%26a%252C%3D2%26a-%3D3%26a1%3D0%26oauth_token%3Dt%252C"
        );
    }

    #[test]
    fn an_empty_query_leaves_its_mark_only_in_the_url() {
        assert_eq!(sign("http://h/?", None, QueryPolicy::Rfc5849), "GET&http%3A%2F%2Fh%2F&oauth_token%3Dt%252C");
        assert_eq!(sign("http://h/?", None, QueryPolicy::InUrl), "GET&http%3A%2F%2Fh%2F%3F&oauth_token%3Dt%252C");
    }

    #[test]
    fn a_policy_is_known_by_its_name() {
        for policy in QueryPolicy::ALL {
            assert_eq!(policy.to_string().parse(), Ok(policy));
            assert_eq!(serde_json::from_str::<QueryPolicy>(&format!("\"{policy}\"")).unwrap(), policy);
        }
        let error = "RFC5849".parse::<QueryPolicy>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "a query policy is one of `rfc5849`, `raw-pairs`, `decoded-once`, `omit`, `in-url`"
        );
    }
}
