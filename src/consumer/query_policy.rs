//! How the parameters of query and form enter the signature base string: IBKR's habits beside the RFC's rule.

use std::{fmt, str::FromStr};

use http::{Method, Uri};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Stage},
    oauth1::{Pair, UriError, base_uri, joined, parameters, percent_encode, wire_pairs},
};

/// How the parameters of query and form enter the signature base string.
///
/// The written contract is RFC 5849. IBKR's own samples and clients that work in practice do otherwise, and differ from
/// it, and from one another, only where a value has a reserved character: a comma, a space, a slash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// `rfc5849` it is [`oauth1::base_string`](crate::oauth1::base_string).
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
        let mut base_uri = base_uri(uri)?;
        let (mut query, mut form) = (uri.query().unwrap_or_default(), form.unwrap_or_default());
        if let (Self::InUrl, Some(query)) = (self, uri.query()) {
            base_uri = format!("{base_uri}?{query}");
        }
        if matches!(self, Self::Omit | Self::InUrl) {
            (query, form) = ("", &[]);
        }
        let encoded =
            |text: &[u8]| if self.encodes_twice() { percent_encode(text).into_bytes() } else { text.to_vec() };
        let pair = |name: &[u8], value: &[u8]| (encoded(name), Some(encoded(value)));
        let mut pairs: Vec<Pair> =
            oauth_parameters.iter().map(|(name, value)| pair(name.as_bytes(), value.as_bytes())).collect();
        if self == Self::RawPairs {
            pairs.extend(wire_pairs(query.as_bytes()).map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec))));
        } else {
            pairs.extend(parameters(query.as_bytes()).map(|(name, value)| pair(&name, &value)));
        }
        pairs.extend(parameters(form).map(|(name, value)| pair(&name, &value)));
        Ok(joined(method, &base_uri, pairs))
    }
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
            let json = format!("\"{policy}\"");
            assert_eq!(serde_json::to_string(&policy).unwrap(), json);
            assert_eq!(serde_json::from_str::<QueryPolicy>(&json).unwrap(), policy);
        }
        let error = "RFC5849".parse::<QueryPolicy>().unwrap_err();
        assert_eq!(
            error.message(),
            "a query policy is one of `rfc5849`, `raw-pairs`, `decoded-once`, `omit`, `in-url`"
        );
    }
}
