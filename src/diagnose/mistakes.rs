//! The mistakes that clients are known to make when they sign, each as the base string that it leads to.
//!
//! For a text that was signed, or for a signature that can only be tested, it finds the single mistake that explains it.

use http::{Method, Uri};

use super::issue::SignatureIssue;
use crate::{
    consumer::QueryPolicy,
    oauth1::{form_parameters, percent_decode_lossy, percent_encode, query_parameters},
};

/// What of a request is signed.
#[derive(Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    /// The body, where it is a form.
    pub(crate) form: Option<&'a [u8]>,
    /// The OAuth parameters, decoded, without `oauth_signature` and `realm`.
    pub(crate) oauth: &'a [(String, String)],
    pub(crate) realm: Option<&'a str>,
    pub(crate) policy: QueryPolicy,
}

/// A mistake, what to do about it, and the base strings that it makes of the right one.
struct Mistake {
    what: &'static str,
    hint: &'static str,
    texts: fn(&Signed<'_>, &str) -> Vec<Option<String>>,
}

/// Seen in headers, too.
pub(super) const AS_PYTHON_PRINTS: (&str, &str) =
    ("a value is written as Python prints bytes: `b'…'`", "decode the bytes to text first: `value.decode()`");

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "PATCH"];

/// The parameters that a client can forget to sign.
const PARAMETERS: [&str; 9] = [
    "oauth_consumer_key",
    "oauth_token",
    "oauth_signature_method",
    "oauth_timestamp",
    "oauth_nonce",
    "oauth_callback",
    "oauth_verifier",
    "oauth_version",
    "diffie_hellman_challenge",
];

/// Where two lead to the same text, the first is named; the first two also come before another query policy.
const MISTAKES: [Mistake; 20] = [
    Mistake {
        what: "the form was not signed",
        hint: "add the form's pairs to the parameters that are signed",
        texts: |signed, _| vec![signed.form.and_then(|_| Signed { form: None, ..*signed }.base_string())],
    },
    Mistake {
        what: "`!`, `'`, `(`, `)` or `*` was signed without being encoded",
        hint: "encode everything but letters, digits and `-._~`",
        texts: |_, right| {
            let bare = |pairs: &str, prefix: &str| {
                ["21", "27", "28", "29", "2A"].iter().fold(pairs.to_owned(), |text, digits| {
                    let byte = u8::from_str_radix(digits, 16).unwrap_or_default();
                    let plain = if prefix.is_empty() { char::from(byte).to_string() } else { format!("%{digits}") };
                    text.replace(&format!("%25{digits}"), &plain)
                })
            };
            vec![edited(right, |pairs| bare(pairs, "%")), edited(right, |pairs| bare(pairs, ""))]
        },
    },
    Mistake {
        what: "parameters were signed twice",
        hint: "collect the parameters once, from the finished request",
        texts: |signed, _| {
            let query = signed.uri.query().map(|query| format!("{query}&{query}"));
            let form = signed.form.map(|form| [form, b"&", form].concat());
            let oauth = [signed.oauth, signed.oauth].concat();
            vec![
                query.as_deref().and_then(|query| signed.with_query(Some(query))),
                form.as_deref().and_then(|form| Signed { form: Some(form), ..*signed }.base_string()),
                Signed { oauth: &oauth, ..*signed }.base_string(),
            ]
        },
    },
    Mistake {
        what: "`~` was signed encoded",
        hint: "leave letters, digits and `-._~` as they are",
        texts: |_, right| vec![edited(right, |pairs| pairs.replace('~', "%257E"))],
    },
    Mistake {
        what: "spaces were signed as `+`",
        hint: "encode a space as `%20`: take an encoder for RFC 3986, not one for forms",
        texts: |_, right| {
            // An encoder for forms also encodes `~`, and leaves `*` alone.
            let of_forms = |text: &str| text.replace("%2520", "%2B").replace('~', "%257E").replace("%252A", "%2A");
            vec![
                edited(right, |pairs| pairs.replace("%2520", "%2B")),
                edited(right, |pairs| pairs.replace("%2520", "+")),
                edited(right, of_forms),
                edited_url(right, |url| url.replace("%2520", "%2B")),
            ]
        },
    },
    Mistake {
        what: "a `+` that means a space was signed as a plus sign",
        hint: "decode a query or form before its values are encoded: `+` is a space there",
        texts: |signed, _| signed.with_pairs(|pairs| pairs.replace('+', "%2B")),
    },
    Mistake {
        what: AS_PYTHON_PRINTS.0,
        hint: AS_PYTHON_PRINTS.1,
        texts: |signed, _| signed.with_pairs(printed_by_python),
    },
    Mistake {
        what: "escapes were signed with lower-case digits",
        hint: "write escapes in upper case: `%2F`, not `%2f`",
        texts: |_, right| {
            vec![
                Some(with_lower_case(right, true, true)),
                edited(right, |pairs| with_lower_case(pairs, false, true)),
                Some(with_lower_case(right, true, false)),
            ]
        },
    },
    Mistake {
        what: "something was signed with one encoding too many",
        hint: "encode each name and value once, and the whole once more; decode the query's values first",
        texts: |signed, right| {
            let oauth: Vec<(String, String)> =
                signed.oauth.iter().map(|(name, value)| (name.clone(), percent_encode(value.as_bytes()))).collect();
            let mut texts = vec![signed.with_texts(|text| Some(percent_encode(text).into_bytes()))];
            texts.push(Signed { oauth: &oauth, ..*signed }.base_string());
            texts.push(edited(right, |pairs| pairs.replace('%', "%25")));
            texts.push(edited_url(right, |url| url.replace('%', "%25")));
            texts.push(edited_url(right, |url| url.replace("%25", "%2525")));
            texts
        },
    },
    Mistake {
        what: "URL or parameters were not percent-encoded as a whole",
        hint: "encode the URL and the list of parameters once each, then join them by `&`",
        texts: |_, right| vec![edited(right, percent_decode_lossy), edited_url(right, percent_decode_lossy)],
    },
    Mistake {
        what: "text was signed in another charset than it was sent in",
        hint: "encode text as UTF-8, for the signature too",
        texts: |signed, _| {
            [in_latin_1, read_as_latin_1, replaced].map(|change| signed.with_texts(change)).into_iter().collect()
        },
    },
    Mistake {
        what: "the parameters were signed in another order",
        hint: "sort by the bytes of the encoded name, then of the encoded value, not by locale nor as joined text",
        texts: |signed, right| signed.in_other_orders(right),
    },
    Mistake {
        what: "`realm` was signed",
        hint: "send the realm in the header, and leave it out of the base string",
        texts: |signed, _| vec![signed.realm.and_then(|realm| signed.with_parameter("realm", realm))],
    },
    Mistake {
        what: "`oauth_version` was signed, and is not sent",
        hint: "leave `oauth_version` out, of the header and of the base string",
        texts: |signed, _| vec![signed.with_parameter("oauth_version", "1.0")],
    },
    Mistake {
        what: "the method was signed in lower case",
        hint: "sign the method in upper case",
        texts: |_, right| {
            vec![right.split_once('&').map(|(method, rest)| format!("{}&{rest}", method.to_ascii_lowercase()))]
        },
    },
    Mistake {
        what: "the URL was signed with another scheme",
        hint: "sign the scheme with which the request is sent: `https`, also behind a proxy",
        texts: |signed, _| {
            let other = if signed.uri.scheme_str() == Some("http") { "https" } else { "http" };
            vec![signed.with_url(other, signed.uri.path(), signed.uri.query())]
        },
    },
    Mistake {
        what: "the URL was signed with the port that its scheme has anyway",
        hint: "leave `:443` out of an `https` URL, and `:80` out of an `http` URL",
        texts: |_, right| {
            [("%3A%2F%2F", "%3A443"), ("%3A%2F%2F", "%3A80")]
                .map(|(slashes, port)| {
                    let (front, rest) = right.split_once(slashes)?;
                    let (host, path) = rest.split_once("%2F")?;
                    Some(format!("{front}{slashes}{host}{port}%2F{path}"))
                })
                .into_iter()
                .collect()
        },
    },
    Mistake {
        what: "the URL was signed with a slash at its end too many or too few",
        hint: "sign the path exactly as it is sent",
        texts: |signed, _| {
            let path = signed.uri.path();
            let other = path.strip_suffix('/').map_or_else(|| format!("{path}/"), str::to_owned);
            vec![signed.with_url(signed.scheme(), &other, signed.uri.query())]
        },
    },
    Mistake {
        what: "the URL was signed without the escapes in its path",
        hint: "sign the path exactly as it is sent",
        texts: |_, right| {
            let plain = |url: &str| percent_encode(percent_decode_lossy(&percent_decode_lossy(url)).as_bytes());
            vec![edited_url(right, plain)]
        },
    },
    Mistake {
        what: "the URL was signed without `/v1/api`",
        hint: "sign the path that is really called, `/v1/api` included",
        texts: |signed, _| {
            let rest = signed.uri.path().strip_prefix("/v1/api");
            vec![rest.and_then(|path| signed.with_url(signed.scheme(), path, signed.uri.query()))]
        },
    },
];

impl Signed<'_> {
    /// The right base string; `None` where the URL cannot be signed.
    pub(crate) fn base_string(&self) -> Option<String> {
        let oauth: Vec<(&str, &str)> = self.oauth.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.policy.base_string(self.method, self.uri, &oauth, self.form).ok()
    }

    /// The mistake that explains what was signed, if one alone does: the first whose base string `is_signed`.
    pub(crate) fn explain(&self, mut is_signed: impl FnMut(&str) -> bool) -> Option<SignatureIssue> {
        let right = self.base_string()?;
        // What leads to the right text is no mistake.
        let mut matches = |text: Option<String>| text.is_some_and(|text| text != right && is_signed(&text));
        let (before_policies, others) = MISTAKES.split_at(2);
        for mistake in before_policies {
            if (mistake.texts)(self, &right).into_iter().any(&mut matches) {
                return Some(SignatureIssue::new(mistake.what, mistake.hint));
            }
        }
        for policy in QueryPolicy::ALL {
            if matches(Signed { policy, ..*self }.base_string()) {
                let hint = format!("sign as the query policy `{}` has it, or set the policy `{policy}`", self.policy);
                let what = format!("{} (query policy `{policy}`)", self.of_policy(policy));
                return Some(SignatureIssue::new(what, hint));
            }
        }
        for other in METHODS {
            let method = Method::from_bytes(other.as_bytes()).ok()?;
            if matches(Signed { method: &method, ..*self }.base_string()) {
                let what = format!("the method {other} was signed, and {} is sent", self.method);
                return Some(SignatureIssue::new(what, "sign the method with which the request is sent"));
            }
        }
        for mistake in others {
            if (mistake.texts)(self, &right).into_iter().any(&mut matches) {
                return Some(SignatureIssue::new(mistake.what, mistake.hint));
            }
        }
        for name in PARAMETERS {
            let oauth: Vec<(String, String)> = self.oauth.iter().filter(|(other, _)| other != name).cloned().collect();
            if matches(Signed { oauth: &oauth, ..*self }.base_string()) {
                return Some(not_signed(&format!("`{name}`")));
            }
        }
        None
    }

    fn of_policy(&self, policy: QueryPolicy) -> &'static str {
        match policy {
            QueryPolicy::Rfc5849 => "the query was signed as RFC 5849 has it",
            QueryPolicy::RawPairs => "the query's pairs were signed as they are sent, encoded once",
            QueryPolicy::DecodedOnce => "names and values were signed without being encoded by themselves",
            QueryPolicy::InUrl => "the query was signed as part of the URL",
            QueryPolicy::Omit if self.uri.query().is_none() => "the form was not signed",
            QueryPolicy::Omit => "the query was not signed",
        }
    }

    fn scheme(&self) -> &str {
        self.uri.scheme_str().unwrap_or_default()
    }

    fn with_url(&self, scheme: &str, path: &str, query: Option<&str>) -> Option<String> {
        let authority = self.uri.authority()?;
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        let uri: Uri = format!("{scheme}://{authority}{path}{query}").parse().ok()?;
        Signed { uri: &uri, ..*self }.base_string()
    }

    fn with_query(&self, query: Option<&str>) -> Option<String> {
        self.with_url(self.scheme(), self.uri.path(), query)
    }

    /// With the pairs of query and form as sent, changed by `edit`.
    fn with_pairs(&self, edit: impl Fn(&str) -> String) -> Vec<Option<String>> {
        let form = self.form.and_then(|form| std::str::from_utf8(form).ok()).map(&edit);
        vec![
            self.uri.query().and_then(|query| self.with_query(Some(&edit(query)))),
            form.and_then(|form| Signed { form: Some(form.as_bytes()), ..*self }.base_string()),
        ]
    }

    fn with_parameter(&self, name: &str, value: &str) -> Option<String> {
        let oauth = [self.oauth, &[(name.to_owned(), value.to_owned())]].concat();
        Signed { oauth: &oauth, ..*self }.base_string()
    }

    /// The decoded pairs that are signed, by their source: query, form, header.
    fn pairs(&self) -> [Vec<(Vec<u8>, Vec<u8>)>; 3] {
        let oauth = self.oauth.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        if matches!(self.policy, QueryPolicy::Omit | QueryPolicy::InUrl) {
            return [Vec::new(), Vec::new(), oauth.collect()];
        }
        let query = query_parameters(self.uri.query().unwrap_or_default());
        let form = form_parameters(self.form.unwrap_or_default());
        [
            query.map(|it| (it.name.into_owned(), it.value.into_owned())).collect(),
            form.map(|it| (it.name.into_owned(), it.value.into_owned())).collect(),
            oauth.collect(),
        ]
    }

    /// With each name and value of query and form changed; `None` where none is.
    fn with_texts(&self, change: fn(&[u8]) -> Option<Vec<u8>>) -> Option<String> {
        let [query, form, _] = self.pairs();
        let encoded = |pairs: Vec<(Vec<u8>, Vec<u8>)>| -> Option<String> {
            let mut changed = false;
            let mut text = |bytes: &[u8]| match change(bytes) {
                Some(other) => {
                    changed = true;
                    percent_encode(&other)
                }
                None => percent_encode(bytes),
            };
            let pairs: Vec<String> =
                pairs.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect();
            changed.then(|| pairs.join("&"))
        };
        match (encoded(query), encoded(form)) {
            (None, None) => None,
            (Some(query), None) => self.with_query(Some(&query)),
            (query, Some(form)) => {
                let signed = Signed { form: Some(form.as_bytes()), ..*self };
                signed.with_query(query.as_deref().or(self.uri.query()))
            }
        }
    }

    /// As sent, header first or last, and sorted in ways that are not the RFC's.
    fn in_other_orders(&self, right: &str) -> Vec<Option<String>> {
        if !self.policy.encodes_twice() {
            return Vec::new();
        }
        let [query, form, oauth] = self.pairs();
        let joined = |pairs: &[(Vec<u8>, Vec<u8>)]| -> Option<String> {
            let pairs: Vec<String> = pairs
                .iter()
                .map(|(name, value)| {
                    percent_encode(format!("{}={}", percent_encode(name), percent_encode(value)).as_bytes())
                })
                .collect();
            edited(right, |_| pairs.join("%26"))
        };
        let (as_sent, header_first) =
            ([query.clone(), form.clone(), oauth.clone()].concat(), [oauth, query, form].concat());
        let (mut by_decoded, mut by_name) = (as_sent.clone(), as_sent.clone());
        by_decoded.sort();
        by_name.sort_by_cached_key(|(name, _)| percent_encode(name));
        let by_text = |pairs: &str| {
            let mut pairs: Vec<&str> = pairs.split("%26").collect();
            pairs.sort_unstable();
            pairs.join("%26")
        };
        vec![joined(&as_sent), joined(&header_first), joined(&by_decoded), joined(&by_name), edited(right, by_text)]
    }
}

/// A parameter, or a group of them, that was left out.
pub(super) fn not_signed(what: &str) -> SignatureIssue {
    SignatureIssue::new(format!("{what} was not signed"), "sign every parameter that is sent")
}

/// Whether a signature of this many bytes belongs to a request of the other kind, RSA and HMAC exchanged. `None` where it
/// does not, or no method gives such a length.
pub(crate) fn exchanged_methods(length: usize, needs_rsa: bool) -> Option<SignatureIssue> {
    match (length, needs_rsa) {
        (32, true) => Some(SignatureIssue::new(
            "the signature has the length of an HMAC, where RSA is needed",
            "sign the three requests of the sign-in with RSA-SHA256 and the signature key",
        )),
        (128.., false) => Some(SignatureIssue::new(
            "the signature has the length of an RSA signature, where an HMAC is needed",
            "sign all requests but those of the sign-in with HMAC-SHA256 under the live session token",
        )),
        _ => None,
    }
}

/// The base string with its last part changed.
fn edited(right: &str, edit: impl Fn(&str) -> String) -> Option<String> {
    let (front, pairs) = right.rsplit_once('&')?;
    Some(format!("{front}&{}", edit(pairs)))
}

/// The base string with its second part changed.
fn edited_url(right: &str, edit: impl Fn(&str) -> String) -> Option<String> {
    let url = right.split('&').nth(1)?;
    Some(right.replacen(url, &edit(url), 1))
}

/// A query with each value in `b'…'`.
fn printed_by_python(pairs: &str) -> String {
    let pairs: Vec<String> = pairs
        .split('&')
        .map(|pair| pair.split_once('=').map_or(pair.to_owned(), |(name, value)| format!("{name}=b%27{value}%27")))
        .collect();
    pairs.join("&")
}

/// With the digits of escapes in lower case: those of the whole, and those of the names and values in it.
fn with_lower_case(text: &str, outer: bool, inner: bool) -> String {
    let mut pieces = text.split('%');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    let push = |digits: &str, lower: bool, out: &mut String| {
        if lower { out.push_str(&digits.to_ascii_lowercase()) } else { out.push_str(digits) }
    };
    for piece in pieces {
        out.push('%');
        let (digits, rest) = piece.split_at_checked(2).unwrap_or((piece, ""));
        push(digits, outer, &mut out);
        let nested = if digits == "25" { rest.split_at_checked(2) } else { None };
        let (digits, rest) = nested.unwrap_or(("", rest));
        push(digits, inner, &mut out);
        out.push_str(rest);
    }
    out
}

/// UTF-8 text as Latin-1.
fn in_latin_1(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.is_ascii())?;
    text.chars().map(|char| u8::try_from(char).ok()).collect()
}

/// The bytes of UTF-8 each taken as a character.
fn read_as_latin_1(bytes: &[u8]) -> Option<Vec<u8>> {
    (!bytes.is_ascii()).then(|| bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes())
}

/// What is no UTF-8 replaced by U+FFFD.
fn replaced(bytes: &[u8]) -> Option<Vec<u8>> {
    std::str::from_utf8(bytes).is_err().then(|| String::from_utf8_lossy(bytes).into_owned().into_bytes())
}
