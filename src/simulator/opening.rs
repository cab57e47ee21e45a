//! What a request to open the brokerage session asks for.

use bytes::Bytes;
use http::Request;
use serde_json::Value;

use super::{
    canonical::decoded_pairs,
    content::{form_of, is_media_type, read_json},
    judge::{Deviation, Judge},
    reason::Reason,
    refusal::{Objection, refuse},
};

/// Checks that a request to open the brokerage session has `publish` as it must be, and returns whether it takes the session
/// from another program of the user's. Each value is read from the JSON body, else from the form, else from the query.
pub(super) fn read_compete(request: &Request<Bytes>, judge: &mut Judge) -> Result<bool, Objection> {
    let has_json = is_media_type(request, "application/json") && !request.body().is_empty();
    let json = if has_json || judge.is_strict { read_json(request)? } else { Value::Null };
    let publish = (Reason::PublishNotTrue, "`publish` is not `true` in the JSON body");
    if read_flag(request, &json, "publish", publish, judge)? != Some(true) {
        return refuse(Reason::PublishNotTrue, "`publish` is not `true`");
    }
    let compete = (Reason::BodyMalformed, "`compete` is not a boolean in the JSON body");
    match read_flag(request, &json, "compete", compete, judge)? {
        Some(competes) => Ok(competes),
        None => refuse(compete.0, "`compete` is neither `true` nor `false`"),
    }
}

fn read_flag(
    request: &Request<Bytes>,
    json: &Value,
    name: &str,
    (reason, detail): (Reason, &str),
    judge: &mut Judge,
) -> Result<Option<bool>, Objection> {
    let (text, deviation) = match json.get(name) {
        Some(Value::Bool(flag)) => return Ok(Some(*flag)),
        Some(Value::String(text)) => (text.clone(), Deviation::OpenedByText),
        Some(_) => return refuse(reason, detail),
        None => {
            let query = request.uri().query().unwrap_or_default().as_bytes();
            let in_form = value_of(form_of(request).unwrap_or_default(), name);
            let found = in_form.map(|text| (text, Deviation::OpenedByForm));
            match found.or_else(|| value_of(query, name).map(|text| (text, Deviation::OpenedByQuery))) {
                Some(found) => found,
                None => return Ok(None),
            }
        }
    };
    judge.tolerate(deviation, reason, detail)?;
    Ok(text.to_ascii_lowercase().parse().ok())
}

fn value_of(pairs: &[u8], name: &str) -> Option<String> {
    let (_, value) = decoded_pairs(pairs)?.into_iter().find(|(other, _)| other == name.as_bytes())?;
    String::from_utf8(value).ok()
}
