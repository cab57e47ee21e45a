//! Nothing of anybody's is in the file, whatever comes back.

use std::{collections::BTreeMap, time::Duration};

use ibkr_oauth::{
    Entropy, Secret,
    bytes::Bytes,
    http::{HeaderName, HeaderValue, Response, StatusCode},
    simulator::SeededEntropy,
};
use serde_json::{Map, Value, json};

use super::super::{
    heard::{Heard, Outcome, Reply},
    probes::{GROUPS, Step},
    recording::{Login, Recording, Source},
    redaction::{self, About},
    vocabulary,
};
use crate::doctor::websocket::listening::{Close, Listening};

/// Keys, tokens, account numbers, names and addresses.
const MARKERS: [&str; 24] = [
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
    "wi+Bfx5fSn7k1VFcggFy9XV/dP6HDDhERRBfqCw48uyW6WKLp3L37ZKonxW0",
    "YBWbLw+9RYP2nWrPQHxHZkBb1aM=",
    "218c1d970d85a8442825",
    "25ebcc75204da80b73f4",
    "4766f38c9a1b272f",
    "SIMQWERTZ",
    "U7654321",
    "DU1234567",
    "F8899001",
    "987654321098",
    "Erika Mustermann",
    "erika.mustermann@example.org",
    "O'Brannigan",
    "Jürgen Müller-Lüdenscheidt",
    "emustermann77",
    "Mr J Q Zworykin",
    "221B Baker Street, Marylebone",
    "10115 Berlin, Invalidenstraße 44",
    "Bahnhofstrasse 12",
    "+49 30 901820",
    "192.168.17.23",
    "98:F2:B3:23:BF:A0",
    "夏目漱石",
];

/// Names that responses have.
const NAMES: [&str; 14] = [
    "error",
    "message",
    "fail",
    "detail",
    "title",
    "session",
    "accounts",
    "accountId",
    "acctProps",
    "status",
    "statusCode",
    "authenticated",
    "serverName",
    "wait",
];

struct Rng(SeededEntropy);

impl Rng {
    fn below(&mut self, limit: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes).unwrap();
        usize::try_from(u64::from_le_bytes(bytes) % u64::try_from(limit).unwrap()).unwrap()
    }

    fn of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len())]
    }

    /// A marker, alone or among words, in its own case or another.
    fn text(&mut self) -> String {
        let marker = self.of(&MARKERS);
        let marker = match self.below(4) {
            0 => marker.to_uppercase(),
            1 => marker.to_lowercase(),
            _ => marker.to_owned(),
        };
        match self.below(5) {
            0 => format!("id: 10003, error: No access secret key found for {marker}"),
            1 => format!("{marker} is not a valid account"),
            2 => format!("{marker}{}", self.of(&MARKERS)),
            3 => format!("<{marker}>"),
            _ => marker,
        }
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth > 3 { 4 } else { 7 }) {
            0 => Value::Bool(self.below(2) == 0),
            1 => json!(987_654_321_098_u64),
            2 | 3 => self.text().into(),
            4 => (0..self.below(4)).map(|_| self.value(depth + 1)).collect(),
            _ => {
                let mut fields = Map::new();
                for _ in 0..self.below(6) {
                    let name = if self.below(3) == 0 { self.text() } else { self.of(&NAMES).to_owned() };
                    fields.insert(name, self.value(depth + 1));
                }
                fields.into()
            }
        }
    }

    fn body(&mut self) -> String {
        match self.below(8) {
            0 => self.text(),
            1 => format!("<html><body class=\"{}\"><h1>{}</h1></body></html>", self.text(), self.text()),
            2 => format!("{{\"error\": \"{}", self.text()),
            3 => json!(self.text()).to_string(),
            _ => self.value(0).to_string(),
        }
    }

    fn response(&mut self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(self.body()));
        *response.status_mut() = [200, 200, 400, 401, 403, 500, 503][self.below(7)].try_into().unwrap();
        for _ in 0..self.below(4) {
            let name = if self.below(2) == 0 {
                self.of(&["set-cookie", "content-type", "location"]).to_owned()
            } else {
                self.text()
            };
            let name: String =
                name.to_lowercase().chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect();
            let value = match self.below(3) {
                0 => format!("{}={}; Path=/{}; HttpOnly", self.text(), self.text(), self.text()),
                1 => format!("api={}; Domain={}", self.text(), self.text()),
                _ => self.text(),
            };
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value.as_bytes())) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

/// A WebSocket on which all that comes has markers, under topics that are asked for by nobody and others.
fn listening(rng: &mut Rng) -> Listening {
    let mut listening = Listening::for_two_heartbeats(Secret::from(rng.text()));
    for second in 0..u64::try_from(1 + rng.below(6)).unwrap() {
        let mut value = rng.value(0);
        if let Some(fields) = value.as_object_mut().filter(|_| rng.below(4) > 0) {
            let topic = match rng.below(3) {
                0 => rng.text(),
                1 => format!("ssd+{}", rng.text()),
                _ => rng.of(&["act", "sts", "system", "tic", "ntf", "blt"]).to_owned(),
            };
            fields.insert("topic".to_owned(), topic.into());
            let args = rng.value(1);
            fields.insert("args".to_owned(), args);
            if rng.below(3) == 0 {
                fields.insert(rng.of(&["success", "hb", "username", "id"]).to_owned(), rng.text().into());
            }
        }
        let message = if rng.below(6) == 0 { rng.body() } else { value.to_string() };
        listening.hear(Duration::from_secs(second), rng.below(2) == 0, message.into());
    }
    let code = u16::try_from(rng.below(5000)).unwrap();
    listening.end(Duration::from_secs(9), [Close::Code(code), Close::NoCode, Close::NoFrame][rng.below(3)]);
    listening
}

#[test]
fn no_marker_is_in_what_comes_by_a_thousand_random_web_sockets() {
    let parts: Vec<String> = MARKERS.iter().flat_map(|marker| parts(marker)).collect();
    let probe = GROUPS.iter().flat_map(|group| group.probes).find(|probe| matches!(probe.step, Step::Listen)).unwrap();
    let mut rng = Rng(SeededEntropy::new(21));
    let (mut heard, mut kept) = (0, 0);
    for round in 0..1000 {
        let mut reply = Reply::new(rng.response());
        *reply.response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let listening = listening(&mut rng);
        heard += listening.seen.messages.len();
        let shown: Vec<String> = listening
            .seen
            .messages
            .iter()
            .map(|message| String::from_utf8_lossy(&message.payload).into_owned())
            .collect();
        reply.listened = Some(Box::new(listening));
        let recording = recording_of_all(
            &[Heard { probe, before: None, outcome: Outcome::Response(reply) }],
            &["SIMQWERTZ".to_owned()],
        );
        kept += recording.probes[0].listened.as_ref().unwrap().messages.len();
        let text = recording.to_text().to_lowercase();
        for part in &parts {
            assert!(!text.contains(part.as_str()), "round {round}: `{part}` of {shown:?} is in {text}");
        }
    }
    assert!(heard > 2000 && kept == heard, "{kept} of {heard}");
}

fn recording_of(responses: impl Iterator<Item = Response<Bytes>>, values: &[String]) -> Recording {
    let probes: Vec<_> = GROUPS.iter().flat_map(|group| group.probes).collect();
    let heard: Vec<Heard> = responses
        .enumerate()
        .map(|(index, response)| {
            let mut reply = Reply::new(response);
            reply.seconds = BTreeMap::from([("date_ahead".to_owned(), 0)]);
            Heard { probe: probes[index % probes.len()], before: None, outcome: Outcome::Response(reply) }
        })
        .collect();
    recording_of_all(&heard, values)
}

fn recording_of_all(heard: &[Heard], values: &[String]) -> Recording {
    let about = About { made_by: String::new(), made_in: String::new(), source: Source::Other, login: Login::Live };
    redaction::record(heard, about, values)
}

/// What of a marker would say something: it itself, and each part of it that is long enough and no word of every day.
fn parts(marker: &str) -> Vec<String> {
    let parts = marker.split(|char: char| !char.is_alphanumeric()).filter(|part| part.chars().count() >= 4);
    let telling = parts.filter(|part| !vocabulary::is_name(part)).map(str::to_lowercase);
    telling.chain([marker.to_lowercase()]).collect()
}

#[test]
fn no_marker_is_in_a_thousand_random_responses() {
    let parts: Vec<String> = MARKERS.iter().flat_map(|marker| parts(marker)).collect();
    let mut rng = Rng(SeededEntropy::new(18));
    for round in 0..1000 {
        let responses: Vec<Response<Bytes>> = (0..=rng.below(3)).map(|_| rng.response()).collect();
        let text = recording_of(responses.iter().cloned(), &["SIMQWERTZ".to_owned()]).to_text().to_lowercase();
        for part in &parts {
            assert!(!text.contains(part.as_str()), "round {round}: `{part}` of {responses:?} is in {text}");
        }
    }
}

#[test]
fn what_is_a_word_of_every_day_is_hidden_by_its_value() {
    let respond = |body: Value| Response::new(Bytes::from(body.to_string()));
    // A consumer key, and a user whose name is in another response.
    let responses = [
        respond(json!({ "error": "LST failed for PORTFOLIO" })),
        respond(json!({ "userName": "market" })),
        respond(json!({ "message": "the session of Market is over" })),
    ];
    let text = recording_of(responses.into_iter(), &["PORTFOLIO".to_owned()]).to_text();
    assert!(
        text.contains("\"LST failed for <hidden>\"") && text.contains("\"the session of <hidden> is over\""),
        "{text}"
    );
}

#[test]
fn what_comes_by_a_web_socket_is_hidden_by_its_value_too() {
    let mut listening = Listening::for_two_heartbeats(Secret::from("5e551017"));
    for message in [
        json!({ "topic": "system", "success": "market" }),
        json!({ "topic": "sts", "args": { "authenticated": false, "fail": "the session of Market is over" } }),
        json!({ "error": "not authenticated: portfolio, market" }),
    ] {
        listening.hear(Duration::ZERO, true, message.to_string().into());
    }
    let mut upgrade = Reply::new(Response::new(Bytes::new()));
    upgrade.listened = Some(Box::new(listening));
    let refused = Response::new(Bytes::from_static(br#"{"error":"no session of market"}"#));
    let probe = &GROUPS[0].probes[0];
    let heard =
        [upgrade, Reply::new(refused)].map(|reply| Heard { probe, before: None, outcome: Outcome::Response(reply) });
    let text = recording_of_all(&heard, &["PORTFOLIO".to_owned()]).to_text();
    for words in ["the session of <hidden> is over", "not authenticated: <hidden>, <hidden>", "no session of <hidden>"]
    {
        assert!(text.contains(&format!("\"{words}\"")), "{words}: {text}");
    }
}

#[test]
fn the_words_of_errors_and_the_shape_stay() {
    let bodies = [
        r#"{"error":"id: 10003, error: LST failed, error: No access secret key found for abc","statusCode":401}"#,
        r#"{"authenticated":true,"serverInfo":{"serverName":"JifN19053","serverVersion":"Build 10.25.0p"},"wait":5000}"#,
        "<html><body><h1>Resource not found</h1></body></html>",
        "",
    ];
    let recording =
        recording_of(bodies.into_iter().map(|body| Response::new(Bytes::from_static(body.as_bytes()))), &[]);
    let found: Vec<&Value> = recording.probes.iter().map(|probed| &probed.response.as_ref().unwrap().body).collect();
    let words = "id: <number>, error: LST failed, error: No access secret key found for <word>";
    assert_eq!(*found[0], json!({ "json": { "error": words, "statusCode": 401 } }));
    let server = json!({ "serverName": "<text>", "serverVersion": "<text>" });
    assert_eq!(*found[1], json!({ "json": { "authenticated": true, "serverInfo": server, "wait": 5000 } }));
    assert_eq!(*found[2], json!({ "page": "Resource not found" }));
    assert_eq!(*found[3], json!({ "empty": true }));
}
