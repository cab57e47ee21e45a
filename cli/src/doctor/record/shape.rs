//! What a response looks like, without what it says: names and kinds of fields, flags, and the words of errors.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::vocabulary;

/// The fields whose texts are the broker's words.
const WORDED: [&str; 7] = ["detail", "error", "fail", "message", "msg", "reason", "title"];
/// The fields whose numbers are kept where they are small: they are the broker's, not the user's.
const COUNTED: [&str; 3] = ["status", "statusCode", "wait"];
const LARGEST_COUNT: u64 = 99_999;
/// How deep a body is looked into, and how many fields of one object are.
const DEEPEST: usize = 8;
const MOST_FIELDS: usize = 60;

/// A body as it is recorded: `{"empty": true}`, `{"json": …}`, or the words of a `page` or `text`.
pub(super) fn of(body: &[u8]) -> Value {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.is_empty() {
        return json!({ "empty": true });
    }
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        return json!({ "json": of_value(None, &value, 0) });
    }
    let kind = if text.starts_with('<') { "page" } else { "text" };
    let words = if kind == "page" { without_tags(text) } else { text.to_owned() };
    json!({ kind: vocabulary::kept(&words) })
}

fn of_value(name: Option<&str>, value: &Value, depth: usize) -> Value {
    let is = |names: &[&str]| name.is_some_and(|name| names.contains(&name));
    match value {
        Value::Null | Value::Bool(_) => value.clone(),
        Value::Number(number) => match number.as_u64() {
            Some(count) if is(&COUNTED) && count <= LARGEST_COUNT => value.clone(),
            Some(count) => format!("<number, {} digits>", count.to_string().len()).into(),
            None => "<number>".into(),
        },
        Value::String(text) if is(&WORDED) => vocabulary::kept(text).into(),
        Value::String(text) => kind_of(text).into(),
        _ if depth >= DEEPEST => "<more>".into(),
        Value::Array(items) => match items.first() {
            None => json!([]),
            Some(first) => json!([format!("<list of {}>", items.len()), of_value(name, first, depth + 1)]),
        },
        Value::Object(fields) => Value::Object(of_fields(fields, depth)),
    }
}

fn of_fields(fields: &Map<String, Value>, depth: usize) -> Map<String, Value> {
    let mut unknown = 0_u32;
    let mut shape = Map::new();
    for (name, value) in fields.iter().take(MOST_FIELDS) {
        if vocabulary::is_name(name) {
            shape.insert(name.clone(), of_value(Some(name), value, depth + 1));
        } else {
            unknown += 1;
            shape.insert(format!("<name {unknown}>"), of_value(None, value, depth + 1));
        }
    }
    shape
}

fn kind_of(text: &str) -> String {
    let length = text.chars().count();
    match text {
        "" => String::new(),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => format!("<{length} digits>"),
        _ if length >= 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            format!("<{length} hexadecimal digits>")
        }
        _ => "<text>".to_owned(),
    }
}

fn without_tags(page: &str) -> String {
    page.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect::<Vec<_>>().join(" ")
}

/// A body of this shape, with values that mean nothing: for the parsers.
#[cfg(test)]
pub(super) fn example(shape: &Value) -> Vec<u8> {
    match shape.as_object().and_then(|body| body.iter().next()) {
        Some((kind, value)) if kind == "json" => example_of(value).to_string().into_bytes(),
        Some((kind, Value::String(words))) if kind == "page" => format!("<html>{words}</html>").into_bytes(),
        Some((kind, Value::String(words))) if kind == "text" => words.clone().into_bytes(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
fn example_of(shape: &Value) -> Value {
    match shape {
        Value::String(text) => match text.strip_prefix('<').and_then(|text| text.strip_suffix('>')) {
            Some("text") => "x".into(),
            Some("number") => 1.5.into(),
            Some(marker) if marker.starts_with("number, ") => {
                let digits = marker.trim_matches(|char: char| !char.is_ascii_digit()).parse().unwrap_or(1);
                10_u64.pow(digits - 1).into()
            }
            Some(marker) if marker.ends_with(" digits") => {
                let digits = marker.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or(1);
                "1".repeat(digits).into()
            }
            Some("more") => Value::Null,
            _ => text.clone().into(),
        },
        Value::Array(items) => items.iter().skip(1).map(example_of).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), example_of(value))).collect())
        }
        other => other.clone(),
    }
}

/// The texts of a body that are nobody's words: each may be somebody's.
pub(super) fn values_of(body: &[u8]) -> Vec<String> {
    let mut values = BTreeSet::new();
    if let Ok(value) = serde_json::from_slice(body) {
        collect(None, &value, 0, &mut values);
    }
    values.into_iter().collect()
}

fn collect(name: Option<&str>, value: &Value, depth: usize, values: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if !name.is_some_and(|name| WORDED.contains(&name)) => {
            values.insert(text.clone());
        }
        Value::Array(items) if depth < DEEPEST => {
            for item in items {
                collect(name, item, depth + 1, values);
            }
        }
        Value::Object(fields) if depth < DEEPEST => {
            for (name, value) in fields {
                if !vocabulary::is_name(name) {
                    values.insert(name.clone());
                }
                collect(Some(name), value, depth + 1, values);
            }
        }
        _ => {}
    }
}
