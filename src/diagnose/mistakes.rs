//! The mistakes that clients are known to make when they sign, each as the base strings that it leads to.
//!
//! For a text that was signed, or for a signature that can only be tested, it finds the single mistake that explains it.

use http::{Method, Uri};
use percent_encoding::percent_decode_str;

use super::{
    base_string::{BaseString, Pair},
    issue::SignatureIssue,
};
use crate::{
    consumer::QueryPolicy,
    oauth1::{parameters, percent_decode_lossy, percent_encode},
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

/// A mistake, and what to do about it.
struct Mistake {
    what: &'static str,
    hint: &'static str,
    leads_to: Texts,
}

/// The texts that a mistake makes of the right ones.
enum Texts {
    /// Of a name or a value as it is encoded by itself: what other encoders make of it.
    Encoded(&'static [fn(&str) -> String]),
    /// Of a value as it is encoded by itself.
    Value(fn(&str) -> String),
    /// Of the URL, which is not encoded yet.
    Url(fn(&str) -> Vec<String>),
    /// Of the base string.
    Whole(fn(&Signed<'_>, &BaseString<'_>) -> Vec<Option<String>>),
}

/// Seen in headers, too.
pub(super) const AS_PYTHON_PRINTS: (&str, &str) =
    ("a value is written as Python prints bytes: `b'…'`", "decode the bytes to text first: `value.decode()`");

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "PATCH"];

/// Where two lead to the same text, the first is named; the first two also come before another query policy.
static MISTAKES: [Mistake; 20] = [
    Mistake {
        what: "the form was not signed",
        hint: "add the form's pairs to the parameters that are signed",
        leads_to: Texts::Whole(|signed, _| {
            vec![signed.form.and_then(|_| Signed { form: None, ..*signed }.base_string())]
        }),
    },
    Mistake {
        what: "`!`, `'`, `(`, `)` or `*` was signed without being encoded",
        hint: "encode everything but letters, digits and `-._~`",
        leads_to: Texts::Encoded(&[|text| {
            let bare = [("%21", "!"), ("%27", "'"), ("%28", "("), ("%29", ")"), ("%2A", "*")];
            bare.iter().fold(text.to_owned(), |text, (escape, char)| text.replace(escape, char))
        }]),
    },
    Mistake {
        what: "parameters were signed twice",
        hint: "collect the parameters once, from the finished request",
        leads_to: Texts::Whole(|signed, _| {
            let query = signed.uri.query().map(|query| format!("{query}&{query}"));
            let form = signed.form.map(|form| [form, b"&", form].concat());
            let oauth = [signed.oauth, signed.oauth].concat();
            vec![
                query.and_then(|query| signed.with_query(&query)),
                form.and_then(|form| Signed { form: Some(&form), ..*signed }.base_string()),
                Signed { oauth: &oauth, ..*signed }.base_string(),
            ]
        }),
    },
    Mistake {
        what: "`~` was signed encoded",
        hint: "leave letters, digits and `-._~` as they are",
        leads_to: Texts::Encoded(&[|text| text.replace('~', "%7E")]),
    },
    Mistake {
        what: "spaces were signed as `+`",
        hint: "encode a space as `%20`: take an encoder for RFC 3986, not one for forms",
        leads_to: Texts::Encoded(&[
            |text| text.replace("%20", "+"),
            // An encoder for forms also encodes `~`, and leaves `*` alone.
            |text| text.replace("%20", "+").replace('~', "%7E").replace("%2A", "*"),
        ]),
    },
    Mistake {
        what: "a `+` that means a space was signed as a plus sign",
        hint: "decode a query or form before its values are encoded: `+` is a space there",
        leads_to: Texts::Whole(|signed, _| {
            let query = signed.uri.query().map(|query| query.replace('+', "%2B"));
            let form = signed.form.map(|form| String::from_utf8_lossy(form).replace('+', "%2B"));
            vec![
                query.and_then(|query| signed.with_query(&query)),
                form.and_then(|form| Signed { form: Some(form.as_bytes()), ..*signed }.base_string()),
            ]
        }),
    },
    Mistake {
        what: AS_PYTHON_PRINTS.0,
        hint: AS_PYTHON_PRINTS.1,
        leads_to: Texts::Value(|value| format!("b%27{value}%27")),
    },
    Mistake {
        what: "escapes were signed with lower-case digits",
        hint: "write escapes in upper case: `%2F`, not `%2f`",
        leads_to: Texts::Encoded(&[with_lower_case]),
    },
    Mistake {
        what: "something was signed with one encoding too many",
        hint: "encode each name and value once, and the whole once more; decode the query's values first",
        leads_to: Texts::Encoded(&[|text| text.replace('%', "%25")]),
    },
    Mistake {
        what: "URL or parameters were not percent-encoded as a whole",
        hint: "encode the URL and the list of parameters once each, then join them by `&`",
        leads_to: Texts::Whole(|_, right| {
            vec![edited(right.text, 2, percent_decode_lossy), edited(right.text, 1, percent_decode_lossy)]
        }),
    },
    Mistake {
        what: "text was signed in another charset than it was sent in",
        hint: "encode text as UTF-8, for the signature too",
        leads_to: Texts::Encoded(&[in_latin_1, read_as_latin_1, replaced]),
    },
    Mistake {
        what: "the parameters were signed in another order",
        hint: "sort by the bytes of the encoded name, then of the encoded value, not by locale nor as joined text",
        leads_to: Texts::Whole(in_other_orders),
    },
    Mistake {
        what: "`realm` was signed",
        hint: "send the realm in the header, and leave it out of the base string",
        leads_to: Texts::Whole(|signed, _| vec![signed.realm.and_then(|realm| signed.with_parameter("realm", realm))]),
    },
    Mistake {
        what: "`oauth_version` was signed, and is not sent",
        hint: "leave `oauth_version` out, of the header and of the base string",
        leads_to: Texts::Whole(|signed, _| vec![signed.with_parameter("oauth_version", "1.0")]),
    },
    Mistake {
        what: "the method was signed in lower case",
        hint: "sign the method in upper case",
        leads_to: Texts::Whole(|_, right| vec![edited(right.text, 0, str::to_ascii_lowercase)]),
    },
    Mistake {
        what: "the URL was signed with another scheme",
        hint: "sign the scheme with which the request is sent: `https`, also behind a proxy",
        leads_to: Texts::Url(|url| {
            let other = if url.starts_with("https:") { "http" } else { "https" };
            Vec::from_iter(url.split_once("://").map(|(_, rest)| format!("{other}://{rest}")))
        }),
    },
    Mistake {
        what: "the URL was signed with the port that its scheme has anyway",
        hint: "leave `:443` out of an `https` URL, and `:80` out of an `http` URL",
        leads_to: Texts::Url(|url| {
            let path = url.match_indices('/').nth(2).map_or(url.len(), |(at, _)| at);
            let (origin, path) = url.split_at(path);
            vec![format!("{origin}:443{path}"), format!("{origin}:80{path}")]
        }),
    },
    Mistake {
        what: "the URL was signed with a slash at its end too many or too few",
        hint: "sign the path exactly as it is sent",
        leads_to: Texts::Url(|url| vec![url.strip_suffix('/').map_or_else(|| format!("{url}/"), str::to_owned)]),
    },
    Mistake {
        what: "the URL was signed without the escapes in its path",
        hint: "sign the path exactly as it is sent",
        leads_to: Texts::Url(|url| vec![percent_decode_lossy(url)]),
    },
    Mistake {
        what: "the URL was signed without `/v1/api`",
        hint: "sign the path that is really called, `/v1/api` included",
        leads_to: Texts::Url(|url| vec![url.replacen("/v1/api", "", 1)]),
    },
];

impl Mistake {
    fn issue(&self) -> SignatureIssue {
        SignatureIssue::new(self.what, self.hint)
    }

    /// The base strings that it makes of the right one.
    fn base_strings(&self, signed: &Signed<'_>, right: &BaseString<'_>) -> Vec<Option<String>> {
        match self.leads_to {
            Texts::Encoded(edits) => edits.iter().flat_map(|edit| encoded_by(right, *edit)).collect(),
            Texts::Value(edit) => in_pairs(right, |pair| pair.with_value(edit)).map(Some).into(),
            Texts::Url(edit) => edit(&right.uri).into_iter().map(|uri| Some(right.with_uri(uri))).collect(),
            Texts::Whole(edit) => edit(signed, right),
        }
    }
}

/// The mistake of an encoder that makes of the one pair the other.
pub(super) fn of_pair(expected: &Pair, found: &Pair) -> Option<SignatureIssue> {
    let explains = |mistake: &&Mistake| match mistake.leads_to {
        Texts::Encoded(edits) => edits.iter().any(|edit| expected.edited(edit) == *found),
        Texts::Value(edit) => expected.with_value(edit) == *found,
        _ => false,
    };
    MISTAKES.iter().find(explains).map(Mistake::issue)
}

/// With its pairs edited: all of them, the application's, or the protocol's.
fn in_pairs(right: &BaseString<'_>, edit: impl Fn(&Pair) -> Pair) -> [String; 3] {
    let only = |is_edited: fn(&Pair) -> bool| {
        let edited = |pair: &Pair| if is_edited(pair) { edit(pair) } else { pair.clone() };
        right.with_pairs(&right.pairs.iter().map(edited).collect::<Vec<_>>())
    };
    [only(|_| true), only(|pair| !pair.is_protocol()), only(Pair::is_protocol)]
}

/// With what another encoder makes of names and values; of them all and of the whole once more; or of the whole alone. And
/// the same of the URL.
fn encoded_by(right: &BaseString<'_>, edit: fn(&str) -> String) -> [Option<String>; 7] {
    let [all, application, protocol] = in_pairs(right, |pair| pair.edited(edit));
    let (and_whole, whole, url) = (edited(&all, 2, edit), edited(right.text, 2, edit), edited(right.text, 1, edit));
    [Some(all), Some(application), Some(protocol), and_whole, whole, Some(right.with_uri(edit(&right.uri))), url]
}

impl Signed<'_> {
    /// The right base string; `None` where the URL cannot be signed.
    pub(crate) fn base_string(&self) -> Option<String> {
        let oauth: Vec<(&str, &str)> = self.oauth.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.policy.base_string(self.method, self.uri, &oauth, self.form).ok()
    }

    /// The mistake that explains what was signed, if one alone does: the first whose base string `is_signed`.
    pub(crate) fn explain(&self, mut is_signed: impl FnMut(&str) -> bool) -> Option<SignatureIssue> {
        let text = self.base_string()?;
        let right = &BaseString::parse(&text)?;
        let known = |mistake: &Mistake| (mistake.issue(), mistake.base_strings(self, right));
        let (before_policies, others) = MISTAKES.split_at(2);
        let policies = QueryPolicy::ALL.into_iter().map(|policy| {
            let hint = format!("sign as the query policy `{}` has it, or set the policy `{policy}`", self.policy);
            let what = format!("{} (query policy `{policy}`)", self.of_policy(policy));
            (SignatureIssue::new(what, hint), vec![Signed { policy, ..*self }.base_string()])
        });
        let methods = METHODS.into_iter().map(|other| {
            let what = format!("the method {other} was signed, and {} is sent", self.method);
            let issue = SignatureIssue::new(what, "sign the method with which the request is sent");
            (issue, vec![edited(right.text, 0, |_| other.to_owned())])
        });
        let forgotten = self.oauth.iter().map(|(name, _)| {
            let oauth: Vec<(String, String)> = self.oauth.iter().filter(|(other, _)| other != name).cloned().collect();
            (not_signed(&format!("`{name}`")), vec![Signed { oauth: &oauth, ..*self }.base_string()])
        });
        before_policies
            .iter()
            .map(known)
            .chain(policies)
            .chain(methods)
            .chain(others.iter().map(known))
            .chain(forgotten)
            // What leads to the right text is no mistake.
            .find(|(_, texts)| texts.iter().flatten().any(|it| *it != text && is_signed(it)))
            .map(|(issue, _)| issue)
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

    fn with_query(&self, query: &str) -> Option<String> {
        let (scheme, authority) = (self.uri.scheme_str()?, self.uri.authority()?);
        let uri: Uri = format!("{scheme}://{authority}{}?{query}", self.uri.path()).parse().ok()?;
        Signed { uri: &uri, ..*self }.base_string()
    }

    fn with_parameter(&self, name: &str, value: &str) -> Option<String> {
        let oauth = [self.oauth, &[(name.to_owned(), value.to_owned())]].concat();
        Signed { oauth: &oauth, ..*self }.base_string()
    }
}

/// As sent, header first or last, and sorted in ways that are not the RFC's.
fn in_other_orders(signed: &Signed<'_>, right: &BaseString<'_>) -> Vec<Option<String>> {
    let right = |pairs: Vec<Pair>| Some(right.with_pairs(&pairs));
    let pair = |name: &[u8], value: &[u8]| Pair { name: percent_encode(name), value: Some(percent_encode(value)) };
    let (mut query, mut form) = (signed.uri.query().unwrap_or_default(), signed.form.unwrap_or_default());
    match signed.policy {
        QueryPolicy::Rfc5849 => {}
        QueryPolicy::Omit | QueryPolicy::InUrl => (query, form) = ("", &[]),
        QueryPolicy::RawPairs | QueryPolicy::DecodedOnce => return Vec::new(),
    }
    let sent = parameters(query.as_bytes()).chain(parameters(form)).map(|(name, value)| pair(&name, &value));
    let header = signed.oauth.iter().map(|(name, value)| pair(name.as_bytes(), value.as_bytes()));
    let (sent, header): (Vec<Pair>, Vec<Pair>) = (sent.collect(), header.collect());
    let header_last = [sent.clone(), header.clone()].concat();
    let (mut by_decoded, mut by_name, mut by_text) = (header_last.clone(), header_last.clone(), header_last.clone());
    by_decoded.sort_by_cached_key(|pair| (percent_decode_lossy(&pair.name), percent_decode_lossy(pair.value())));
    by_name.sort_by(|pair, other| pair.name.cmp(&other.name));
    by_text.sort_by_cached_key(Pair::to_string);
    [header_last, [header, sent].concat(), by_decoded, by_name, by_text].map(right).into()
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

/// The base string with one of its three parts changed.
fn edited(right: &str, part: usize, edit: impl Fn(&str) -> String) -> Option<String> {
    let mut parts: Vec<String> = right.splitn(3, '&').map(str::to_owned).collect();
    let changed = parts.get_mut(part)?;
    *changed = edit(changed);
    Some(parts.join("&"))
}

/// With the digits of escapes in lower case.
fn with_lower_case(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2).unwrap_or((piece, ""));
        out.extend(["%", &digits.to_ascii_lowercase(), rest]);
    }
    out
}

/// An encoded text whose bytes were changed before; where they are none to be changed, the same.
fn recoded(text: &str, change: impl Fn(&[u8]) -> Option<Vec<u8>>) -> String {
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    change(&bytes).map_or_else(|| text.to_owned(), |bytes| percent_encode(&bytes))
}

/// UTF-8 text as Latin-1.
fn in_latin_1(text: &str) -> String {
    recoded(text, |bytes| std::str::from_utf8(bytes).ok()?.chars().map(|char| u8::try_from(char).ok()).collect())
}

/// The bytes of UTF-8 each taken as a character.
fn read_as_latin_1(text: &str) -> String {
    recoded(text, |bytes| Some(bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes()))
}

/// What is no UTF-8 replaced by U+FFFD.
fn replaced(text: &str) -> String {
    recoded(text, |bytes| Some(String::from_utf8_lossy(bytes).into_owned().into_bytes()))
}
