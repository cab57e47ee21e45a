//! What came of a client's calls: a JSON object in a line for each, for `tests/interop/gateway_crates.py`.

use std::{error::Error, fmt::Debug};

use serde_json::{Value, json};

/// Prints what a call returned, as the client understood it, or its error with all that is behind it.
pub fn report<T: Debug, E: Error>(call: &str, result: &Result<T, E>) {
    let line = match result {
        Ok(value) => json!({ "call": call, "value": format!("{value:?}") }),
        Err(error) => json!({ "call": call, "error": chain(error) }),
    };
    println!("{line}");
}

/// Prints what the gateway answered, where the client cannot read it.
pub fn report_body(call: &str, body: Result<String, impl Error>) {
    let body = body.map_or_else(
        |error| json!({ "call": call, "error": chain(&error) }),
        |text| {
            let body: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
            json!({ "call": call, "body": body })
        },
    );
    println!("{body}");
}

fn chain(error: &dyn Error) -> String {
    let (mut text, mut next) = (error.to_string(), error.source());
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}
