//! Answers by method and path: those that the simulator ships, in the broker's shapes, and those that a test sets.
//!
//! The shipped ones are templates. `{name}` in a path stands for one segment, and as a whole text in the answer for what
//! stood there; `{account}` is the first account where the path has none. `{each list}` as an element, and an object with
//! `{for}: list`, is repeated for each member of the list, which is then `{each}`; so is a name `{each list}` in an object.
//! A list is `accounts`, or the values of that name in the query, separated by commas. `#` before the closing brace makes it a number.

use std::{collections::BTreeMap, sync::LazyLock};

use http::Method;
use serde_json::{Map, Value};

use super::canonical::decoded_pairs;

static SHIPPED: LazyLock<Vec<Canned>> = LazyLock::new(|| {
    [include_str!("canned/iserver.json"), include_str!("canned/market.json"), include_str!("canned/portfolio.json")]
        .iter()
        .filter_map(|text| serde_json::from_str::<BTreeMap<String, Value>>(text).ok())
        .flatten()
        .filter_map(|(place, body)| {
            let (method, path) = place.split_once(' ')?;
            Some(Canned { method: method.parse().ok()?, path: path.to_owned(), body })
        })
        .collect()
});

/// An answer, and the requests that it belongs to.
#[derive(Debug)]
struct Canned {
    method: Method,
    path: String,
    body: Value,
}

/// The answers that a test has set.
#[derive(Debug, Default)]
pub(super) struct Responses(Vec<Canned>);

/// What an answer is made of: the segments that its path names, and the query.
#[derive(Debug)]
pub(super) struct Place {
    named: Vec<(String, String)>,
    query: Vec<(String, String)>,
}

/// What there is at a path.
#[derive(Debug)]
pub(super) enum Found {
    /// An answer for this method.
    Answer(Value),
    /// Answers for other methods.
    OtherMethods,
    Nothing,
}

impl Responses {
    pub(super) fn set(&mut self, method: Method, path: String, body: Value) {
        self.0.retain(|canned| canned.method != method || canned.path != path);
        self.0.push(Canned { method, path, body });
    }

    /// The answer that was set for such a request.
    pub(super) fn get(&self, method: &Method, path: &str) -> Option<&Value> {
        nearest(&self.0, method, path).map(|(canned, _)| &canned.body)
    }
}

/// The account that a path names, where it is one that the simulator knows.
pub(super) fn account_of<'p>(method: &Method, path: &'p str) -> Option<&'p str> {
    let (_, named) = nearest(&SHIPPED, method, path)?;
    named.into_iter().find_map(|(name, segment)| (name == "account").then_some(segment))
}

/// The shipped answer for a request by a user with these accounts.
pub(super) fn shipped(method: &Method, path: &str, query: &str, accounts: &[String]) -> Found {
    let Some((canned, named)) = nearest(&SHIPPED, method, path) else {
        let is_known = SHIPPED.iter().any(|canned| segments(&canned.path, path).is_some());
        return if is_known { Found::OtherMethods } else { Found::Nothing };
    };
    let mut named: Vec<(String, String)> =
        named.into_iter().map(|(name, segment)| (name.to_owned(), segment.to_owned())).collect();
    named.extend(accounts.first().map(|account| ("account".to_owned(), account.clone())));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let mut query: Vec<(String, String)> = decoded_pairs(query.as_bytes())
        .unwrap_or_default()
        .into_iter()
        .map(|(name, value)| (text(name), text(value)))
        .collect();
    query.insert(0, ("accounts".to_owned(), accounts.join(",")));
    Found::Answer(Place { named, query }.fill(&canned.body, ""))
}

/// The answer whose path has the fewest names that fit anything, the newest of several, and those names.
fn nearest<'c, 'p>(
    answers: &'c [Canned],
    method: &Method,
    path: &'p str,
) -> Option<(&'c Canned, Vec<(&'c str, &'p str)>)> {
    answers
        .iter()
        .rev()
        .filter(|canned| canned.method == *method)
        .filter_map(|canned| Some((canned, segments(&canned.path, path)?)))
        .min_by_key(|(_, named)| named.len())
}

/// The segments that a pattern names; `None` where the path does not fit it.
fn segments<'c, 'p>(pattern: &'c str, path: &'p str) -> Option<Vec<(&'c str, &'p str)>> {
    if pattern.split('/').count() != path.split('/').count() {
        return None;
    }
    let mut named = Vec::new();
    for (wanted, segment) in pattern.split('/').zip(path.split('/')) {
        match name_of(wanted) {
            Some(name) if !segment.is_empty() => named.push((name, segment)),
            _ if wanted == segment => {}
            _ => return None,
        }
    }
    Some(named)
}

/// `name` of `{name}`.
fn name_of(text: &str) -> Option<&str> {
    text.strip_prefix('{')?.strip_suffix('}')
}

fn list_of(text: &str) -> Option<&str> {
    name_of(text)?.strip_prefix("each ")
}

impl Place {
    fn list(&self, name: &str) -> Vec<&str> {
        let value = self.query.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value);
        value.split(',').map(str::trim).filter(|member| !member.is_empty()).collect()
    }

    fn fill(&self, template: &Value, each: &str) -> Value {
        match template {
            Value::String(text) => self.fill_text(text, each),
            Value::Array(elements) => elements.iter().flat_map(|element| self.repeated(element, each)).collect(),
            Value::Object(fields) => {
                let mut filled = Map::new();
                for (name, value) in fields.iter().filter(|(name, _)| *name != "{for}") {
                    match list_of(name) {
                        None => {
                            let name = self.fill_name(name);
                            filled.insert(name, self.fill(value, each));
                        }
                        Some(list) => filled.extend(
                            self.list(list).into_iter().map(|member| (member.to_owned(), self.fill(value, member))),
                        ),
                    }
                }
                Value::Object(filled)
            }
            other => other.clone(),
        }
    }

    fn repeated(&self, element: &Value, each: &str) -> Vec<Value> {
        let member = Value::from("{each}");
        let (list, element) = match (element.get("{for}").and_then(Value::as_str), element.as_str().and_then(list_of)) {
            (Some(list), _) => (list, element),
            (None, Some(list)) => (list, &member),
            (None, None) => return vec![self.fill(element, each)],
        };
        self.list(list).into_iter().map(|member| self.fill(element, member)).collect()
    }

    fn named(&self, name: &str) -> Option<&str> {
        self.named.iter().find(|(other, _)| other == name).map(|(_, segment)| segment.as_str())
    }

    /// A name in an object: `{account}.Core`.
    fn fill_name(&self, name: &str) -> String {
        name.replace("{account}", self.named("account").unwrap_or_default())
    }

    fn fill_text(&self, text: &str, each: &str) -> Value {
        let Some(name) = name_of(text) else { return Value::from(text) };
        let (name, is_number) = name.strip_suffix('#').map_or((name, false), |name| (name, true));
        let filled = if name == "each" { each } else { self.named(name).unwrap_or(text) };
        match filled.parse::<u64>() {
            Ok(number) if is_number => Value::from(number),
            _ => Value::from(filled),
        }
    }
}
