//! The open questions, what is assumed, and how recorded responses answer them.

use serde_json::Value;

use self::Rule::{Accepted, Clock, Cookies, Expiry, Fields, Opening, Settling, Status, Verdict, WebSocket};
use super::{
    recording::{Answered, Listened, Probed, Seen},
    socket_answers,
};

/// A question about the live broker.
pub(super) struct Question {
    pub(super) id: &'static str,
    pub(super) asks: &'static str,
    /// What this crate goes by until somebody knows.
    pub(super) assumed: &'static str,
    rule: Rule,
}

/// How the answer follows from the probes of a question.
#[derive(Clone, Copy)]
enum Rule {
    /// Whether the only one is accepted.
    Verdict,
    /// Which ones are accepted.
    Accepted,
    /// The names of the fields, and what the flags are.
    Fields,
    /// Status, cause and kind of body.
    Status,
    /// When the token expires.
    Expiry,
    /// How far the clocks are apart.
    Clock,
    /// Which cookies are set.
    Cookies,
    /// Whether the brokerage session opens.
    Opening,
    /// How long it takes.
    Settling,
    /// What came by the WebSocket.
    WebSocket(fn(&Listened) -> String),
}

const fn question(id: &'static str, rule: Rule, asks: &'static str, assumed: &'static str) -> Question {
    Question { id, asks, assumed, rule }
}

/// The questions whose answers come from every probe.
const OF_ALL: [&str; 2] = ["clock", "cookies"];
/// The one whose answer comes from the sign-in too.
const EXPIRY: &str = "expiry";
/// Those whose answers come from the WebSocket too.
const OF_WEBSOCKET: &str = "websocket_";
const WEBSOCKET: &str = "websocket_upgrade";

pub(super) static QUESTIONS: &[Question] = &[
    question("sign_in", Verdict, "Is a live session token negotiated and proved?", "accepted"),
    question(
        EXPIRY,
        Expiry,
        "Is `live_session_token_expiration` the moment of the expiry, and when is that?",
        "the moment of the expiry, 24 hours after the request",
    ),
    question("accounts", Status, "Does `/portfolio` need no brokerage session?", "200"),
    question("clock", Clock, "Does each response have a date, and do the clocks agree?", "a date in each"),
    question("cookies", Cookies, "Which cookies are set? None is sent back.", "`api` and `x-sess-uuid`"),
    question("status_fields", Fields, "What does `/iserver/auth/status` look like?", "as the simulator's"),
    question("status_by_get", Verdict, "May the status be asked for by GET?", "accepted"),
    question("tickle_fields", Fields, "What does `/tickle` look like?", "as the simulator's"),
    question("tickle_by_get", Verdict, "May a tickle be a GET?", "accepted"),
    question(
        "no_brokerage_session",
        Status,
        "How does `/iserver` answer without a brokerage session?",
        "400 no_brokerage_session",
    ),
    question("unknown_path", Status, "How is an unknown path answered?", "404 not_found"),
    question(
        "query_policies",
        Accepted,
        "Under which query policies is a signature accepted?",
        "under rfc5849; the simulator takes any",
    ),
    question("wrong_signature", Verdict, "Is a signature by a wrong token refused?", "refused"),
    question("other_method", Verdict, "Is a signature over another method refused?", "refused"),
    question("token_alone", Verdict, "Is a request with the access token alone refused?", "refused"),
    question("without_nonce", Verdict, "Is a request without a nonce refused?", "refused"),
    question("other_realm", Verdict, "Is another realm refused?", "refused"),
    question("without_realm", Verdict, "Is a header without a realm accepted?", "accepted, and never sent"),
    question("nonce_repeated", Verdict, "Is a nonce refused that was used before?", "refused"),
    question(
        "timestamp_behind_4",
        Verdict,
        "Is a timestamp refused that is some seconds behind the newest?",
        "accepted, and never sent",
    ),
    question("timestamp_behind_60", Verdict, "And one that is a minute behind?", "refused"),
    question("timestamp_behind_600", Verdict, "And one that is ten minutes behind?", "refused"),
    question("header_unquoted", Verdict, "Are header values without quotes accepted?", "accepted, and never sent"),
    question("header_raw", Verdict, "Is a signature accepted that is not percent-encoded?", "accepted, and never sent"),
    question("header_lower_case", Verdict, "Are escapes in lower case accepted?", "accepted, and never sent"),
    question("header_twice", Verdict, "Is a signature accepted that is percent-encoded twice?", "refused"),
    question("header_trailing_comma", Verdict, "Is a comma at the header's end accepted?", "accepted, and never sent"),
    question(
        "compete_false",
        Opening,
        "Does the brokerage session open with `compete` false, where nobody has it?",
        "opened; for some users not",
    ),
    question("settling", Settling, "How long does it take until it is ready?", "some seconds at most"),
    question(
        "accounts_first",
        Status,
        "Is a snapshot refused before `GET /iserver/accounts`?",
        "500 accounts_not_queried",
    ),
    question("iserver_accounts", Status, "Does `GET /iserver/accounts` answer then?", "200"),
    question("accounts_after", Status, "And is the snapshot served after it?", "200"),
    question("opening_by_query", Opening, "May `publish` and `compete` be in the query?", "opened, and never sent so"),
    question(
        "tickle_open",
        Fields,
        "What does `/tickle` look like while there is a brokerage session?",
        "as the simulator's",
    ),
    question(WEBSOCKET, Status, "How is the upgrade to a WebSocket answered?", "101, whatever the session"),
    question(
        "websocket_messages",
        WebSocket(socket_answers::greeting),
        "Which messages come by themselves until `sts` says that the user is authenticated, and in which order?",
        "system, act, sts",
    ),
    question("websocket_opcode", WebSocket(socket_answers::opcodes), "Are its messages text or binary?", "either"),
    question(
        "websocket_ready",
        WebSocket(socket_answers::readiness),
        "How long does it take until `sts` says so?",
        "less than a second; 10 s at most are waited for",
    ),
    question(
        "websocket_heartbeats",
        WebSocket(socket_answers::heartbeats),
        "How often does a heartbeat come?",
        "one each, in 10 s; after 25 s without anything it is given up",
    ),
    question(
        "websocket_tic",
        WebSocket(socket_answers::tic),
        "Is `tic` answered, and how often?",
        "answered 4 times; one is enough",
    ),
    question(
        "websocket_close",
        WebSocket(socket_answers::closing),
        "How does it answer a close of code 1000?",
        "with code 1000, and is not waited for",
    ),
    question("second_sign_in", Verdict, "Is a second live session token negotiated?", "accepted"),
    question(
        "earlier_token",
        Verdict,
        "Does the live session token before the newest still sign?",
        "accepted, for requests under way",
    ),
    question("challenge_upper_case", Verdict, "Is a challenge in upper case accepted?", "accepted, and never sent"),
    question(
        "challenge_leading_zeros",
        Verdict,
        "Is a challenge with zeros before it accepted?",
        "accepted, and never sent",
    ),
    question("logout", Status, "How is `/logout` answered?", "200"),
    question("token_after_logout", Verdict, "Does the token sign after `/logout`?", "either"),
    question("opening_after_logout", Opening, "Does a brokerage session open after `/logout`?", "either"),
];

/// The answer to each question, as these responses give it.
pub(super) fn answers(probes: &[Probed]) -> Vec<Answered> {
    let of = |question: &Question| Answered {
        question: question.id.to_owned(),
        asks: question.asks.to_owned(),
        assumed: question.assumed.to_owned(),
        answer: question.answer(probes).unwrap_or_else(|| "not asked".to_owned()),
    };
    QUESTIONS.iter().map(of).collect()
}

impl Question {
    fn answer(&self, probes: &[Probed]) -> Option<String> {
        let own: Vec<&Probed> = probes
            .iter()
            .filter(|probed| {
                OF_ALL.contains(&self.id)
                    || probed.question == self.id
                    || (self.id == EXPIRY && probed.question == "sign_in")
                    || (self.id.starts_with(OF_WEBSOCKET) && probed.question == WEBSOCKET)
            })
            .filter(|probed| probed.not_sent.is_none())
            .collect();
        let first = own.first()?;
        match self.rule {
            Verdict => Some(verdict(first).text()),
            Accepted => Some(accepted(&own)),
            Clock => clock(&own),
            Cookies => Some(cookies(&own)),
            Fields => Some(seen_or(first, |seen| names(&seen.body))),
            Status => Some(seen_or(first, in_short)),
            Expiry => Some(seen_or(first, expiry)),
            Opening => Some(seen_or(first, opening)),
            Settling => Some(seen_or(first, settling)),
            WebSocket(answer) => Some(match &first.listened {
                Some(listened) => answer(listened),
                None => seen_or(first, |seen| format!("unclear: {}", in_short(seen))),
            }),
        }
    }
}

/// What a response says to who asks.
enum Judgement {
    Accepted,
    Refused(String),
    /// Nothing, and what there is instead.
    Unclear(String),
}

impl Judgement {
    fn text(&self) -> String {
        match self {
            Self::Accepted => "accepted".to_owned(),
            Self::Refused(how) => format!("refused: {how}"),
            Self::Unclear(what) => format!("unclear: {what}"),
        }
    }
}

fn verdict(probed: &Probed) -> Judgement {
    let Some(seen) = &probed.response else {
        return Judgement::Unclear(probed.failure.clone().unwrap_or_default());
    };
    match seen.status {
        _ if seen.cause.is_none() => Judgement::Accepted,
        200..=299 | 400..=407 | 409 | 411..=428 => Judgement::Refused(in_short(seen)),
        _ => Judgement::Unclear(in_short(seen)),
    }
}

fn accepted(own: &[&Probed]) -> String {
    let name = |probed: &Probed| probed.request.rsplit(' ').next().unwrap_or_default().to_owned();
    let mut names = Vec::new();
    for probed in own {
        match verdict(probed) {
            Judgement::Accepted => names.push(name(probed)),
            Judgement::Refused(_) => {}
            Judgement::Unclear(what) => names.push(format!("{} unclear ({what})", name(probed))),
        }
    }
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn seen_or(probed: &Probed, answer: impl FnOnce(&Seen) -> String) -> String {
    match &probed.response {
        Some(seen) => answer(seen),
        None => format!("unclear: {}", probed.failure.as_deref().unwrap_or_default()),
    }
}

fn in_short(seen: &Seen) -> String {
    seen.cause.as_ref().map_or_else(|| seen.status.to_string(), |cause| format!("{} {cause}", seen.status))
}

/// The names in a body, with the flags.
fn names(body: &Value) -> String {
    let mut names = Vec::new();
    if let Some(value) = body.get("json") {
        collect("", value, &mut names);
    }
    if names.is_empty() { "no JSON object".to_owned() } else { names.join(" ") }
}

fn collect(path: &str, value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            collect(&path, value, names);
        }),
        Value::Bool(flag) => names.push(format!("{path}={flag}")),
        _ if path.is_empty() => {}
        _ => names.push(path.to_owned()),
    }
}

fn expiry(seen: &Seen) -> String {
    match (seen.seconds.get("expires_in"), &seen.cause) {
        (None, None) => "there is none".to_owned(),
        (None, Some(_)) => format!("unclear: {}", in_short(seen)),
        (Some(life), _) if life.abs() < 10 => "the moment of the computation".to_owned(),
        (Some(life), _) => format!("the moment of the expiry, in {life} s"),
    }
}

fn clock(own: &[&Probed]) -> Option<String> {
    // An upgrade has no date.
    let own = own.iter().filter(|probed| probed.listened.is_none());
    let seen: Vec<&Seen> = own.filter_map(|probed| probed.response.as_ref()).collect();
    let dated = seen.iter().filter_map(|seen| seen.seconds.get("date_ahead"));
    let (least, most) = (dated.clone().min()?, dated.clone().max()?);
    let each = if dated.count() == seen.len() { "a date in each" } else { "a date in some" };
    let near = -3..=3;
    Some(if near.contains(least) && near.contains(most) {
        format!("{each}, clocks agree")
    } else {
        let by = if least == most { least.to_string() } else { format!("{least} to {most}") };
        format!("{each}, the broker's clock ahead by {by} s")
    })
}

fn cookies(own: &[&Probed]) -> String {
    let mut names: Vec<&str> = own
        .iter()
        .filter_map(|probed| probed.response.as_ref())
        .flat_map(|seen| seen.cookies.iter().filter_map(|cookie| cookie.split(';').next()))
        .collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn flag(seen: &Seen, name: &str) -> bool {
    seen.body.get("json").and_then(|json| json.get(name)) == Some(&Value::Bool(true))
}

fn opening(seen: &Seen) -> String {
    match () {
        () if seen.cause.is_some() || seen.status >= 300 => format!("refused: {}", in_short(seen)),
        () if flag(seen, "competing") => "somebody else has it".to_owned(),
        () if flag(seen, "authenticated") => "opened".to_owned(),
        () => format!("not opened: {}", names(&seen.body)),
    }
}

fn settling(seen: &Seen) -> String {
    let waited = seen.seconds.get("waited").copied().unwrap_or_default();
    let is_ready = flag(seen, "authenticated") && !flag(seen, "competing");
    let established = seen.body.get("json").and_then(|json| json.get("established")) != Some(&Value::Bool(false));
    match () {
        () if seen.cause.is_some() => format!("unclear: {}", in_short(seen)),
        () if is_ready && established => format!("ready after {waited} s"),
        () if is_ready => format!("not ready after {waited} s"),
        () => format!("lost after {waited} s"),
    }
}
