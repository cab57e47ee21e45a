//! The signature base string once more, from the text of RFC 5849 and of `QueryPolicy`'s documentation, with no line of
//! the library's: slow, and easy to compare with the text.

use ibkr_oauth::QueryPolicy;

/// RFC 5849 section 3.6.
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text + &char::from(*byte).to_string()
        } else {
            text + &format!("%{byte:02X}")
        }
    })
}

fn digit(byte: Option<&u8>) -> Option<u8> {
    char::from(*byte?).to_digit(16).and_then(|digit| digit.try_into().ok())
}

/// Undoes `application/x-www-form-urlencoded`; a `%` without two digits stands for itself.
pub fn decode(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match (byte, digit(text.get(at + 1)), digit(text.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(high * 16 + low);
                at += 3;
            }
            (b'+', ..) => {
                bytes.push(b' ');
                at += 1;
            }
            _ => {
                bytes.push(*byte);
                at += 1;
            }
        }
    }
    bytes
}

/// A URL taken apart at its first marks. The URL must be one that the library accepts.
pub struct Parts {
    pub scheme: String,
    pub host: String,
    pub port: Option<u16>,
    pub path: String,
    pub query: Option<String>,
}

pub fn parts(url: &str) -> Parts {
    let (scheme, rest) = url.split_once("://").expect("an absolute URL");
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (rest, None),
    };
    // The last colon, unless it stands within the brackets of an address.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().expect("nothing but a port"))),
        _ => (authority, None),
    };
    Parts {
        scheme: scheme.to_lowercase(),
        host: host.to_lowercase(),
        port,
        path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
        query,
    }
}

/// RFC 5849 section 3.4.1.2.
pub fn base_uri(url: &Parts) -> String {
    let port = match (url.scheme.as_str(), url.port) {
        ("http", Some(80)) | ("https", Some(443)) | (_, None) => String::new(),
        (_, Some(port)) => format!(":{port}"),
    };
    format!("{}://{}{port}{}", url.scheme, url.host, url.path)
}

type Pair = (Vec<u8>, Option<Vec<u8>>);

fn sent(text: &[u8]) -> Vec<Pair> {
    let pairs = text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (pair[..at].to_vec(), Some(pair[at + 1..].to_vec())),
            None => (pair.to_vec(), None),
        })
        .collect()
}

fn decoded(text: &[u8]) -> Vec<Pair> {
    sent(text).into_iter().map(|(name, value)| (decode(&name), Some(decode(&value.unwrap_or_default())))).collect()
}

/// RFC 5849 section 3.4.1, and what each policy's documentation says.
pub fn base_string(
    method: &str,
    url: &str,
    protocol: &[(&str, &str)],
    form: Option<&[u8]>,
    policy: QueryPolicy,
) -> String {
    let url = parts(url);
    let query = url.query.clone().unwrap_or_default();
    let mut uri = base_uri(&url);
    let mut pairs: Vec<Pair> =
        protocol.iter().map(|(name, value)| (name.as_bytes().to_vec(), Some(value.as_bytes().to_vec()))).collect();
    match policy {
        QueryPolicy::Rfc5849 | QueryPolicy::DecodedOnce => pairs.extend(decoded(query.as_bytes())),
        QueryPolicy::RawPairs => pairs.extend(sent(query.as_bytes())),
        QueryPolicy::InUrl if url.query.is_some() => uri = format!("{uri}?{query}"),
        _ => {}
    }
    if !matches!(policy, QueryPolicy::Omit | QueryPolicy::InUrl) {
        pairs.extend(decoded(form.unwrap_or_default()));
    }
    if !matches!(policy, QueryPolicy::RawPairs | QueryPolicy::DecodedOnce) {
        for (name, value) in &mut pairs {
            *name = encode(name).into_bytes();
            *value = Some(encode(value.as_deref().unwrap_or_default()).into_bytes());
        }
    }
    pairs.sort_by_key(|(name, value)| (name.clone(), value.clone().unwrap_or_default()));
    let joined: Vec<Vec<u8>> = pairs
        .into_iter()
        .map(|(name, value)| match value {
            Some(value) => [name, value].join(&b'='),
            None => name,
        })
        .collect();
    format!("{method}&{}&{}", encode(uri.as_bytes()), encode(&joined.join(&b'&')))
}
