//! The recordings in `tests/data/recordings`, against today's parsers, catalogue and simulator. What differs is a line of
//! `differences.txt` there. `UPDATE_RECORDINGS=1` writes it anew, and the simulator's recording.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::PathBuf,
};

use ibkr_oauth::{
    Consumer, Context, Error, Secret, Signer, Timestamp,
    bytes::Bytes,
    diagnose::Cause,
    http::Response,
    simulator::{Broker, SeededEntropy, test_keys},
};
use serde_json::Value;

use super::{
    super::{
        questions,
        recording::{Listened, Probed, Recording, Seen, Source},
        shape,
    },
    ALL, Simulated,
};

const SIMULATOR: &str = "simulator.json";
const DIFFERENCES: &str = "differences.txt";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data/recordings")
}

/// By their file names.
fn recordings() -> BTreeMap<String, Recording> {
    let mut recordings = BTreeMap::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
            assert!(Recording::is_one(text.as_bytes()), "{name} is not as the program wrote it");
            recordings.insert(name, Recording::read(text.as_bytes()).unwrap());
        }
    }
    recordings
}

fn is_updating() -> bool {
    env::var_os("UPDATE_RECORDINGS").is_some()
}

/// The response again, with values that mean nothing.
fn response_of(seen: &Seen) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(shape::example(&seen.body)));
    *response.status_mut() = seen.status.try_into().unwrap();
    response
}

fn signer() -> Signer {
    let consumer = Consumer::builder(test_keys::CONSUMER_KEY).build().unwrap();
    Signer::from_stored(&consumer, "218c1d970d85a8442825", &Secret::from([7; 20].as_slice())).unwrap()
}

/// What the parser of this probe's endpoint makes of it; `None` where it has none, or wants what is not recorded.
fn parsed(probed: &Probed, seen: &Seen) -> Option<Result<(), Error>> {
    let mut entropy = SeededEntropy::new(1);
    let (signer, mut cx) = (signer(), Context::new(Timestamp::from_secs(1_800_000_000), &mut entropy));
    let (brokerage, response) = (signer.brokerage(), response_of(seen));
    Some(match probed.question.as_str() {
        "tickle_fields" | "tickle_by_get" => brokerage.tickle(&mut cx).unwrap().complete(response).map(drop),
        "status_fields" | "status_by_get" | "settling" => {
            brokerage.status(&mut cx).unwrap().complete(response).map(drop)
        }
        "compete_false" | "opening_by_query" | "opening_after_logout" => {
            brokerage.open(&mut cx, ibkr_oauth::Compete::Yield).unwrap().complete(response).map(drop)
        }
        "logout" => brokerage.logout(&mut cx).unwrap().complete(response).map(drop),
        _ => return None,
    })
}

fn differences(name: &str, recording: &Recording, simulator: &Recording) -> Vec<String> {
    let mut lines = Vec::new();
    for probed in &recording.probes {
        let mut note = |what: String| lines.push(format!("{name}: {}: {what}", probed.probe));
        let Some(seen) = &probed.response else { continue };
        let is_sign_in = probed.request.contains("/oauth/");
        let refusal = Error::from_response(&response_of(seen)).filter(|_| seen.status != 101);
        let cause = refusal.map(|error| error.cause().map_or("unknown", Cause::name));
        // The causes of a sign-in are those of its own stage.
        if !is_sign_in && cause != seen.cause.as_deref() {
            note(format!("recorded as {}, and now it is {}", or_none(seen.cause.as_deref()), or_none(cause)));
        }
        match parsed(probed, seen) {
            Some(Err(error)) if seen.cause.is_none() => note(format!("it cannot be read: {error}")),
            Some(Ok(())) if seen.cause.is_some() => note("it is read as a success".to_owned()),
            _ => {}
        }
        let other = simulator.probes.iter().find(|other| other.probe == probed.probe);
        if let Some(other) = other.and_then(|other| other.response.as_ref()) {
            compare(seen, other).into_iter().for_each(&mut note);
        }
        if let Some((listened, other)) = probed.listened.as_ref().zip(other.and_then(|other| other.listened.as_ref())) {
            compare_messages(listened, other).into_iter().for_each(note);
        }
    }
    for answer in &recording.answers {
        let other = simulator.answers.iter().find(|other| other.question == answer.question);
        if let Some(other) = other.filter(|other| other.answer != answer.answer && answer.answer != "not asked") {
            lines.push(format!("{name}: {}: {}; the simulator: {}", answer.question, answer.answer, other.answer));
        }
    }
    lines
}

fn or_none(name: Option<&str>) -> &str {
    name.unwrap_or("no refusal")
}

/// Where a response differs from the simulator's.
fn compare(seen: &Seen, simulated: &Seen) -> Vec<String> {
    let mut lines = Vec::new();
    let in_short = |seen: &Seen| format!("{} {}", seen.status, or_none(seen.cause.as_deref()));
    if in_short(seen) != in_short(simulated) {
        lines.push(format!("{}; the simulator: {}", in_short(seen), in_short(simulated)));
    }
    lines.extend(compare_kinds(&kinds(&seen.body), &kinds(&simulated.body)));
    lines
}

fn compare_kinds(own: &BTreeSet<String>, others: &BTreeSet<String>) -> Vec<String> {
    let mut lines = Vec::new();
    for only_here in own.difference(others) {
        lines.push(format!("`{only_here}`, which the simulator has not"));
    }
    for only_there in others.difference(own) {
        lines.push(format!("no `{only_there}`, which the simulator has"));
    }
    lines
}

/// Where the messages under a topic that both have differ in their kinds. How many there are is among the answers.
fn compare_messages(listened: &Listened, simulated: &Listened) -> Vec<String> {
    let kinds_of = |listened: &Listened, topic: &str| -> BTreeSet<String> {
        let messages = listened.messages.iter().filter(|message| message.topic.as_deref() == Some(topic));
        messages.flat_map(|message| kinds(&message.body)).collect()
    };
    let topics = |listened: &Listened| -> BTreeSet<String> {
        listened.messages.iter().filter_map(|message| message.topic.clone()).collect()
    };
    let mut lines = Vec::new();
    for topic in topics(listened).intersection(&topics(simulated)) {
        let differing = compare_kinds(&kinds_of(listened, topic), &kinds_of(simulated, topic));
        lines.extend(differing.into_iter().map(|line| format!("`{topic}`: {line}")));
    }
    lines
}

/// The names in a body with the kinds of their values.
fn kinds(body: &Value) -> BTreeSet<String> {
    fn collect(path: &str, value: &Value, kinds: &mut BTreeSet<String>) {
        let kind = match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(name, value)| collect(&format!("{path}/{name}"), value, kinds));
                return;
            }
            Value::Array(items) => {
                items.iter().skip(1).for_each(|item| collect(&format!("{path}/*"), item, kinds));
                "list"
            }
            Value::Bool(_) => "boolean",
            Value::Null => "null",
            Value::String(text) if text.starts_with("<number") => "number",
            Value::String(_) => "text",
            Value::Number(_) => "number",
        };
        kinds.insert(format!("{path}: {kind}"));
    }
    let mut kinds = BTreeSet::new();
    collect("", body, &mut kinds);
    kinds
}

#[test]
fn the_simulators_recording_is_todays() {
    let recording = Simulated::new(Broker::builder()).record(ALL);
    let path = folder().join(SIMULATOR);
    if is_updating() {
        fs::create_dir_all(folder()).unwrap();
        fs::write(&path, recording.to_text()).unwrap();
    }
    let kept = Recording::read(&fs::read(&path).unwrap_or_default()).expect("a recording");
    assert_eq!(kept.source, Source::Simulator);
    assert_eq!(kept.probes, recording.probes, "{SIMULATOR} is out of date; see the head of this file");
    assert_eq!(kept.answers, recording.answers, "{SIMULATOR} is out of date; see the head of this file");
}

#[test]
fn answers_follow_from_what_was_recorded() {
    for (name, recording) in recordings() {
        let answers = questions::answers(&recording.probes);
        for recorded in &recording.answers {
            // A question may have gone since; a new one was not asked then.
            let today = answers.iter().find(|answer| answer.question == recorded.question);
            assert!(today.is_none_or(|today| today.answer == recorded.answer), "{name}: {recorded:?}");
        }
    }
}

#[test]
fn each_difference_is_a_line_of_the_report() {
    let recordings = recordings();
    let simulator = &recordings[SIMULATOR];
    let lines: Vec<String> =
        recordings.iter().flat_map(|(name, recording)| differences(name, recording, simulator)).collect();
    let report = lines.iter().fold(String::new(), |text, line| text + line + "\n");
    let path = folder().join(DIFFERENCES);
    if is_updating() {
        fs::write(&path, &report).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    assert_eq!(report, kept, "{DIFFERENCES} is out of date; see the head of this file");
    assert!(!kept.contains(&format!("{SIMULATOR}: ")), "the simulator's own: {kept}");
}

#[test]
fn a_broker_that_behaves_otherwise_is_reported_so() {
    let simulator = Simulated::new(Broker::builder()).record(ALL);
    let strict = Simulated::new(Broker::builder().strict()).record(ALL);
    let lines = differences("strict", &strict, &simulator);
    for expected in [
        "strict: policy_omit: 401 signature_refused; the simulator: 200 no refusal",
        "strict: query_policies: rfc5849; the simulator: rfc5849, decoded-once, raw-pairs, omit, in-url",
        "strict: challenge_upper_case: no `/json/diffie_hellman_response: text`, which the simulator has",
    ] {
        assert!(lines.iter().any(|line| line == expected), "{expected}: {lines:#?}");
    }
    let mut other = Simulated::new(Broker::builder());
    other.broker.inject("ws-status-at-top".parse().unwrap());
    let lines = differences("other", &other.record(ALL), &simulator);
    let expected = "other: websocket: `sts`: `/json/authenticated: boolean`, which the simulator has not";
    assert!(lines.iter().any(|line| line == expected), "{lines:#?}");
    assert_eq!(differences("same", &simulator, &simulator), Vec::<String>::new());
}
