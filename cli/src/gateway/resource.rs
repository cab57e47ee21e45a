//! Which resource a target names. What is decided about is what is sent: the path is brought into one spelling first, and what
//! the broker could read otherwise than this does is refused.

use std::io::Write as _;

use ibkr_oauth::http::Uri;

use super::refusal::Refusal;

/// Where a target leads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Something of the gateway's own, by its path.
    Gateway(String),
    /// The broker's API, by the path behind the base URL.
    Api(String),
}

/// The names under which the API is served; clients of the Java gateway use both.
const BASES: [&str; 2] = ["/v1/api", "/v1/portal"];

/// Where a target leads.
pub(crate) fn place(target: &Uri) -> Result<Place, Refusal> {
    let path = target.path();
    if !path.starts_with('/') {
        return Err(Refusal::bad("the target of a request is a path here"));
    }
    let mut path = one_spelling(path)?;
    for base in BASES {
        if is_below(&path, base) {
            path.drain(..base.len());
            return Ok(Place::Api(if path.is_empty() { "/".to_owned() } else { path }));
        }
    }
    Ok(Place::Gateway(path))
}

/// Whether the path is this one or below it, in whatever case.
pub(crate) fn is_below(path: &str, above: &str) -> bool {
    let beginning = path.get(..above.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(above));
    beginning && matches!(path.as_bytes().get(above.len()), None | Some(b'/'))
}

/// The path with one slash where there are several, and with those characters as they are that need no escape.
///
/// Refused is what servers are known to read in two ways: escaped slashes and percent signs, `;` parameters, backslashes,
/// dot segments, and what is no text.
fn one_spelling(path: &str) -> Result<String, Refusal> {
    let mut spelled = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'/' if spelled.last() == Some(&b'/') => {}
            b'%' => {
                let digits = [bytes.next(), bytes.next()].map(|digit| char::from(digit?).to_digit(16));
                let [Some(high), Some(low)] = digits else { return Err(unclear("an escape that is none")) };
                let escaped = u8::try_from(high << 4 | low).unwrap_or_default();
                match escaped {
                    b'/' | b'\\' | b'%' | b';' => return Err(unclear("an escaped `/`, `\\`, `%` or `;`")),
                    0..=0x1f | 0x7f => return Err(unclear("an escaped control character")),
                    byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => spelled.push(byte),
                    byte => {
                        // Writing into a vector cannot fail.
                        let _ = write!(spelled, "%{byte:02X}");
                    }
                }
            }
            b';' | b'\\' => return Err(unclear("a `;` or a `\\`")),
            byte if byte.is_ascii_graphic() => spelled.push(byte),
            _ => return Err(unclear("a character that must be escaped")),
        }
    }
    if spelled.split(|byte| *byte == b'/').any(|segment| matches!(segment, b"." | b"..")) {
        return Err(unclear("a `.` or `..` for a segment"));
    }
    String::from_utf8(spelled).map_err(|_| unclear("a character that must be escaped"))
}

fn unclear(what: &str) -> Refusal {
    Refusal::bad(format!("the path has {what}, which servers read in more than one way"))
}
