//! From what was heard to what may be shown. Pure: the same in, the same out.

use std::time::Duration;

use ibkr_oauth::http::{
    HeaderMap,
    header::{CONTENT_TYPE, SET_COOKIE},
};
use serde_json::Value;

use super::{
    heard::{Heard, Outcome, Reply},
    probes, questions,
    recording::{FORMAT, Listened, Login, Message, Opcode, Probed, Recording, Seen, Source},
    shape, vocabulary,
};
use crate::doctor::websocket::listening::{self, Close, Listening};

/// The shortest value that is looked for, in characters: what is shorter stands in many a word.
const SHORTEST: usize = 4;
const HIDDEN: &str = "<hidden>";

/// The media types that are named. Others could be anything.
const MEDIA_TYPES: [&str; 6] =
    ["application/json", "application/problem+json", "application/octet-stream", "text/html", "text/plain", "text/xml"];
/// The topics that nobody subscribes to. Others have accounts in them.
const TOPICS: [&str; 6] = ["act", "blt", "ntf", "sts", "system", "tic"];
const OTHER_TOPIC: &str = "<other>";
/// The attributes of cookies (RFC 6265).
const ATTRIBUTES: [&str; 7] = ["domain", "expires", "httponly", "max-age", "path", "samesite", "secure"];

/// What is known about the whole.
pub(super) struct About {
    pub(super) made_by: String,
    pub(super) made_in: String,
    pub(super) source: Source,
    pub(super) login: Login,
}

/// Makes the recording. `values` are credentials, and whatever else may stand nowhere.
pub(super) fn record(heard: &[Heard], about: About, values: &[String]) -> Recording {
    let mut values = values.to_vec();
    for heard in heard {
        if let Outcome::Response(reply) = &heard.outcome {
            values.extend(shape::values_of(reply.response.body()));
            values.extend(cookie_values(reply.response.headers()));
            let messages = reply.listened.iter().flat_map(|listening| &listening.seen.messages);
            values.extend(messages.flat_map(|message| values_of(&message.payload)));
        }
    }
    values.retain(|value| value.chars().count() >= SHORTEST);
    // Of two of which one is in the other, the longer goes first.
    values.sort_unstable_by_key(|value| std::cmp::Reverse(value.len()));
    values.dedup();
    let hide = Hide(values.iter().map(|value| value.to_lowercase()).collect());
    let mut probes: Vec<Probed> = heard.iter().map(probed).collect();
    for probed in &mut probes {
        let bodies = probed.response.iter_mut().map(|seen| &mut seen.body);
        let messages = probed.listened.iter_mut().flat_map(|listened| &mut listened.messages);
        bodies.chain(messages.map(|message| &mut message.body)).for_each(|body| hide.in_value(body));
    }
    let answers = questions::answers(&probes);
    let About { made_by, made_in, source, login } = about;
    Recording { format: FORMAT, made_by, made_in, source, login, probes, answers }
}

fn probed(heard: &Heard) -> Probed {
    let mut probed = Probed {
        probe: heard.probe.id.to_owned(),
        question: heard.probe.question.to_owned(),
        request: probes::request_of(heard.probe),
        before: heard.before.clone(),
        response: None,
        listened: None,
        failure: None,
        not_sent: None,
    };
    match &heard.outcome {
        Outcome::Response(reply) => {
            probed.response = Some(seen(reply));
            probed.listened = reply.listened.as_deref().map(listened);
        }
        Outcome::Silence(why) => probed.failure = Some((*why).to_owned()),
        Outcome::NotSent(why) => probed.not_sent = Some(why.clone()),
    }
    probed
}

fn seen(reply: &Reply) -> Seen {
    let headers = reply.response.headers();
    let mut names: Vec<String> = headers.keys().map(|name| name_or(name.as_str(), "<name>")).collect();
    names.sort_unstable();
    names.dedup();
    Seen {
        status: reply.response.status().as_u16(),
        headers: names,
        media_type: media_type(headers),
        cookies: headers.get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok()).map(cookie).collect(),
        cause: reply.cause_name().map(str::to_owned),
        seconds: reply.seconds.clone(),
        body: shape::of(reply.response.body()),
    }
}

fn listened(Listening { seen, .. }: &Listening) -> Listened {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let (ended, close) = seen.ended.unwrap_or((Duration::ZERO, Close::NoFrame));
    let message = |heard: &listening::Heard| Message {
        at: millis(heard.at),
        opcode: if heard.is_text { Opcode::Text } else { Opcode::Binary },
        topic: topic(&heard.payload),
        body: shape::of(&heard.payload),
    };
    Listened {
        messages: seen.messages.iter().map(message).collect(),
        more: seen.more,
        ready: seen.ready.map(millis),
        session_sent: seen.session_sent.map(millis),
        tic_sent: seen.tic_sent.map(millis),
        close_sent: seen.close_sent.map(millis),
        ended: millis(ended),
        close,
    }
}

/// The topic that a message names, if it names one.
fn topic(message: &[u8]) -> Option<String> {
    let fields: Value = serde_json::from_slice(message).ok()?;
    let topic = fields.get("topic")?.as_str().unwrap_or(OTHER_TOPIC);
    Some(if TOPICS.contains(&topic) { topic } else { OTHER_TOPIC }.to_owned())
}

/// The values of a message; the topics are no secrets, and words of the broker's too.
fn values_of(message: &[u8]) -> Vec<String> {
    let mut values = shape::values_of(message);
    values.retain(|value| !TOPICS.contains(&value.as_str()));
    values
}

fn name_or(name: &str, otherwise: &str) -> String {
    if vocabulary::is_name(name) { name.to_owned() } else { otherwise.to_owned() }
}

fn media_type(headers: &HeaderMap) -> String {
    let stated = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let stated = stated.map(|stated| stated.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    match stated {
        None => "none".to_owned(),
        Some(known) if MEDIA_TYPES.contains(&known.as_str()) => known,
        Some(_) => "<other>".to_owned(),
    }
}

/// The name of a cookie, and those of its attributes.
fn cookie(text: &str) -> String {
    let mut parts = text.split(';').map(|part| part.split('=').next().unwrap_or_default().trim());
    let name = name_or(parts.next().unwrap_or_default(), "<name>");
    let attributes = parts.filter(|part| ATTRIBUTES.contains(&part.to_ascii_lowercase().as_str()));
    [name.as_str()].into_iter().chain(attributes).collect::<Vec<_>>().join("; ")
}

fn cookie_values(headers: &HeaderMap) -> Vec<String> {
    let cookies = headers.get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
    cookies.filter_map(|cookie| Some(cookie.split(';').next()?.split_once('=')?.1.trim().to_owned())).collect()
}

/// What is hidden by its value, in lower case, the longest first.
struct Hide(Vec<String>);

impl Hide {
    /// Hides in the texts, which are words or markers. Names are words of the vocabulary.
    fn in_value(&self, value: &mut Value) {
        match value {
            Value::String(text) if !is_marker(text) => {
                for hidden in &self.0 {
                    *text = without(text, hidden);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.in_value(item)),
            Value::Object(fields) => fields.values_mut().for_each(|value| self.in_value(value)),
            _ => {}
        }
    }
}

fn is_marker(text: &str) -> bool {
    text.starts_with('<') && text.ends_with('>') && !text.contains("> ")
}

/// The text without a value, in whatever case: the value is one in lower case.
fn without(text: &str, value: &str) -> String {
    let lower = text.to_lowercase();
    // Where lower case has another length, no place in it is a place in the text.
    if !lower.contains(value) {
        return text.to_owned();
    }
    if lower.len() != text.len() {
        return HIDDEN.to_owned();
    }
    let mut shown = String::new();
    let mut at = 0;
    for (found, _) in lower.match_indices(value) {
        shown.push_str(text.get(at..found).unwrap_or_default());
        shown.push_str(HIDDEN);
        at = found + value.len();
    }
    shown.push_str(text.get(at..).unwrap_or_default());
    shown
}
