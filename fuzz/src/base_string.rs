//! The library's base string against an independent one.
//!
//! The input is text: a line with the number of the policy and the method, one with the URL, one with the form (empty for
//! none), and then one for each protocol parameter, its name and value parted by a tab.

use ibkr_oauth::{QueryPolicy, http::Method, oauth1};

use crate::canonical;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let (head, url, form) =
        (lines.next().unwrap_or_default(), lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let Some(number) = head.chars().next() else { return };
    let policy = QueryPolicy::ALL[usize::try_from(u32::from(number)).unwrap_or_default() % QueryPolicy::ALL.len()];
    let Ok(method) = Method::from_bytes(&head.as_bytes()[number.len_utf8()..]) else { return };
    let form = (!form.is_empty()).then_some(form.as_bytes());
    let protocol: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once('\t')).collect();

    let uri = match oauth1::parse_uri(url) {
        Ok(uri) => uri,
        Err(error) => {
            assert!(!is_plain(url), "{url}: {error}");
            return;
        }
    };
    check_address(url);
    let ours = policy.base_string(&method, &uri, &protocol, form).expect("the URI was checked");
    let theirs = canonical::base_string(method.as_str(), url, &protocol, form, policy);
    assert_eq!(ours, theirs, "{policy} {url} {form:?}");

    // Three parts, and no more, whatever was put into them.
    assert_eq!(ours.matches('&').count() - method.as_str().matches('&').count(), 2, "{ours}");

    // Where protocol parameters stand in the list is of no matter, unless two are equal in all that is sorted by.
    let reversed: Vec<(&str, &str)> = protocol.iter().rev().copied().collect();
    if policy != QueryPolicy::RawPairs {
        assert_eq!(policy.base_string(&method, &uri, &reversed, form).as_ref(), Ok(&ours));
    }
    if policy == QueryPolicy::Rfc5849 {
        spelling_is_of_no_matter(&method, url, &protocol, form, &ours);
    }
}

/// Where RFC 5849 rules, the query as a client might send it otherwise has the same base string.
fn spelling_is_of_no_matter(
    method: &Method,
    url: &str,
    protocol: &[(&str, &str)],
    form: Option<&[u8]>,
    expected: &str,
) {
    let Some((before, query)) = url.split_once('?') else { return };
    let pairs = form_urlencoded::parse(query.as_bytes());
    let mut respelled = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        // What is not UTF-8 cannot be carried through text, and a nameless empty pair is written as nothing.
        if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
            return;
        }
        respelled.append_pair(&name, &value);
    }
    let Ok(uri) = oauth1::parse_uri(&format!("{before}?{}", respelled.finish())) else { return };
    assert_eq!(oauth1::base_string(method, &uri, protocol, form).as_deref(), Ok(expected));
}

/// A URL that nobody has reason to refuse.
fn is_plain(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://api.ibkr.com/") else { return false };
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~%!$'()*,;:@&=+".contains(&byte);
    path.bytes().all(|byte| plain(byte) || byte == b'/')
        && !path.to_lowercase().contains("%2e")
        && query.bytes().all(|byte| plain(byte) || b"/?.".contains(&byte))
        && url.len() < 60_000
}

/// What is promised of every URI that is accepted.
fn check_address(url: &str) {
    assert!(url.is_ascii() && !url.contains('#'));
    let authority = url.split_once("://").expect("absolute").1;
    let authority = &authority[..authority.find(['/', '?']).unwrap_or(authority.len())];
    assert!(!authority.contains('@') && !authority.contains('%'), "{url}");
    let parts = canonical::parts(url);
    assert!(matches!(parts.scheme.as_str(), "http" | "https"));
    for segment in parts.path.split('/') {
        let segment = segment.to_lowercase().replace("%2e", ".");
        assert!(segment != "." && segment != "..", "{url}");
    }
    assert!(oauth1::parse_uri(&format!("{url}#")).is_err());
}
