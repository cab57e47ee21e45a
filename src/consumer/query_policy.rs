//! How the parameters of query and form enter the signature base string: IBKR's habits beside the RFC's rule.

use std::{borrow::Cow, fmt, str::FromStr};

use http::{Method, Uri};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    error::{Error, Stage},
    oauth1::{
        self, BaseUri, Parameter, UriError, base_string_of, form_parameters, percent_encode, query_parameters,
        wire_pairs,
    },
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
    /// `raw-pairs`: query pairs as they are on the wire, sorted with the others by unencoded name and value, joined,
    /// and all encoded once. Form pairs are decoded first.
    RawPairs,
    /// `decoded-once`: as `raw-pairs`, but the query pairs are decoded first.
    DecodedOnce,
    /// `omit`: neither query nor form pairs.
    Omit,
    /// `in-url`: the query as sent follows the URI and is encoded with it; neither query nor form pairs.
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

    /// The signature base string of a request under this policy, made plainly: to compare with other clients. Under
    /// `rfc5849` it is [`oauth1::base_string`].
    ///
    /// `oauth_parameters` are the protocol's own, decoded, without `realm` and `oauth_signature`; they may come in any
    /// order. `form` is the body of a form request, as sent; `None` for all other bodies, which are not signed.
    ///
    /// # Errors
    /// [`UriError`] where `uri` cannot be signed.
    pub fn base_string(
        self,
        method: &Method,
        uri: &Uri,
        oauth_parameters: &[(&str, &str)],
        form: Option<&[u8]>,
    ) -> Result<String, UriError> {
        let base_uri = BaseUri::new(uri)?;
        let protocol = oauth_parameters.iter().map(|(name, value)| Parameter::new(name.as_bytes(), value.as_bytes()));
        let query = uri.query().unwrap_or_default();
        let form = form.unwrap_or_default();
        Ok(match self {
            Self::Rfc5849 => return oauth1::base_string(method, uri, oauth_parameters, Some(form)),
            Self::Omit => base_string_of(method, base_uri.as_str(), protocol.collect()),
            Self::InUrl => {
                let uri = uri.query().map_or_else(|| base_uri.to_string(), |query| format!("{base_uri}?{query}"));
                base_string_of(method, &uri, protocol.collect())
            }
            Self::RawPairs => {
                let sent = wire_pairs(query.as_bytes()).map(|(name, value)| (name.into(), value.map(Cow::from)));
                once_encoded(method, &base_uri, protocol, sent, form_parameters(form))
            }
            Self::DecodedOnce => {
                let query = query_parameters(query).map(|parameter| (parameter.name, Some(parameter.value)));
                once_encoded(method, &base_uri, protocol, query, form_parameters(form))
            }
        })
    }
}

/// A pair whose value may be missing together with its `=`: only one that is taken raw from the wire has none.
type RawPair<'a> = (Cow<'a, [u8]>, Option<Cow<'a, [u8]>>);

/// Pairs sorted by plain name and value, joined, and encoded once.
fn once_encoded<'a>(
    method: &Method,
    base_uri: &BaseUri,
    protocol: impl Iterator<Item = Parameter<'a>>,
    query: impl Iterator<Item = RawPair<'a>>,
    form: impl Iterator<Item = Parameter<'a>>,
) -> String {
    let decoded = |parameter: Parameter<'a>| (parameter.name, Some(parameter.value));
    let mut pairs: Vec<RawPair<'a>> = protocol.map(decoded).chain(query).chain(form.map(decoded)).collect();
    // A stable sort: raw pairs `a` and `a=` are equals that read differently, and stay in the order of the wire.
    pairs.sort_by(|(name, value), (other, theirs)| {
        name.cmp(other).then_with(|| value.as_deref().unwrap_or_default().cmp(theirs.as_deref().unwrap_or_default()))
    });
    let mut joined = Vec::new();
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            joined.push(b'&');
        }
        joined.extend_from_slice(name);
        if let Some(value) = value {
            joined.push(b'=');
            joined.extend_from_slice(value);
        }
    }
    format!("{method}&{}&{}", percent_encode(base_uri.as_str().as_bytes()), percent_encode(&joined))
}

impl fmt::Display for QueryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for QueryPolicy {
    type Err = Error;

    /// Reads a [name](Self::name).
    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|policy| policy.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(|policy| format!("`{policy}`"));
            Error::config(Stage::Consumer, format!("a query policy is one of {}", names.join(", ")))
        })
    }
}

impl Serialize for QueryPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for QueryPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(|error: Error| de::Error::custom(error.message()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(url: &str, form: Option<&[u8]>, policy: QueryPolicy) -> String {
        policy.base_string(&Method::GET, &url.parse().unwrap(), &[("oauth_token", "t,")], form).unwrap()
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
    fn an_empty_query_leaves_its_mark_only_in_the_url() {
        assert_eq!(sign("http://h/?", None, QueryPolicy::Rfc5849), "GET&http%3A%2F%2Fh%2F&oauth_token%3Dt%252C");
        assert_eq!(sign("http://h/?", None, QueryPolicy::InUrl), "GET&http%3A%2F%2Fh%2F%3F&oauth_token%3Dt%252C");
    }

    #[test]
    fn a_policy_is_known_by_its_name() {
        for policy in QueryPolicy::ALL {
            assert_eq!(policy.to_string().parse::<QueryPolicy>().ok(), Some(policy));
            assert_eq!(serde_json::from_str::<QueryPolicy>(&format!("\"{policy}\"")).unwrap(), policy);
        }
        let error = "RFC5849".parse::<QueryPolicy>().unwrap_err();
        assert_eq!(
            error.message(),
            "a query policy is one of `rfc5849`, `raw-pairs`, `decoded-once`, `omit`, `in-url`"
        );
    }
}
