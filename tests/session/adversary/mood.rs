//! Moods: for minutes or hours one kind of trouble dominates, since storms come from consistent misbehaviour.

use ibkr_oauth::session::FailureKind;

use super::broker::{Answer, Endpoint};
use crate::{
    fixture::SeededEntropy,
    machine::{COMPETING, LOST, READY, UNSETTLED, tickle},
};

/// How the broker behaves for a while.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conduct {
    /// Each opening is lost after this time.
    pub(crate) hold: Option<u64>,
    /// Each token is refused after this time.
    pub(crate) token_life: Option<u64>,
    pub(crate) expiry: Expiry,
    /// How long an opening takes to be ready.
    pub(crate) settles: u64,
    /// Another session of the user takes the brokerage session back after this time.
    pub(crate) rival_returns: Option<u64>,
    /// How many seconds the `Date` of each n-th response is ahead.
    pub(crate) date: Option<(i64, u64)>,
    /// What stands before all that, by endpoint.
    pub(crate) overlays: [Overlay; 7],
}

/// When a token is said to expire.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Expiry {
    #[default]
    Usual,
    Absent,
    In(i64),
}

/// What is answered instead of what should be; `None` is what should be.
#[derive(Clone, Debug, Default)]
pub(crate) enum Overlay {
    #[default]
    Well,
    Always(Answer),
    Cycle(Vec<Option<Answer>>, usize),
    /// With so many chances in a thousand, one of these.
    Chance(u64, Vec<Answer>),
}

/// How the key store behaves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum KeyStore {
    #[default]
    Well,
    Failing(FailureKind),
    /// It answers after this time.
    Slow(u64),
    Silent,
    Wrong,
}

/// What the application does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Application {
    /// How often it reports, in milliseconds; never if zero.
    pub(crate) every: u64,
    pub(crate) answers: Vec<Answer>,
    /// Out of how many paths; a new one each time if zero.
    pub(crate) paths: u64,
    pub(crate) is_iserver: bool,
    /// How long before its report a request was signed.
    pub(crate) age: u64,
    /// The share of reports about a token of before, in a thousand.
    pub(crate) stale: u64,
    /// It sends again as it is advised.
    pub(crate) obeys: bool,
}

const KINDS: [FailureKind; 5] =
    [FailureKind::NotSent, FailureKind::MaybeSent, FailureKind::TimedOut, FailureKind::TooLarge, FailureKind::Refused];

/// Words of the catalogue, others, and what is no JSON at all.
const BODIES: [&str; 46] = [
    "",
    "{}",
    "[]",
    "null",
    "<html>Service Unavailable</html>",
    "Access Denied",
    r#"{"error":"something that nobody knows"}"#,
    r#"{"error":"invalid consumer"}"#,
    r#"{"error":"ip not authorized"}"#,
    r#"{"error":"No access secret key found"}"#,
    r#"{"error":"LST failed"}"#,
    r#"{"error":"Session is misconfigured"}"#,
    r#"{"error":"Force compete capability must be used together with compete flag"}"#,
    r#"{"error":"no bridge"}"#,
    r#"{"error":"init session first"}"#,
    r#"{"error":"failed to generate sso dh token"}"#,
    r#"{"error":"Please query /accounts first"}"#,
    r#"{"error":"Order 7 is not found"}"#,
    r#"{"error":"already filled or canceled"}"#,
    r#"{"error":"reply id"}"#,
    r#"{"error":"Acct not found"}"#,
    r#"{"error":"can't connect to backend service"}"#,
    r#"{"error":"failed to process request"}"#,
    r#"{"error":"token expired"}"#,
    r#"{"error":"not authenticated"}"#,
    r#"{"error":"not authenticated","statusCode":401}"#,
    r#"{"error":"gone","statusCode":410}"#,
    r#"{"error":"no session"}"#,
    r#"{"error":"Invalid signature"}"#,
    r#"{"error":"missing parameter"}"#,
    r#"{"error":"timestamp"}"#,
    r#"{"error":"publish"}"#,
    r#"{"wait":0}"#,
    r#"{"wait":30}"#,
    r#"{"wait":18446744073709551615}"#,
    r#"{"authenticated":true,"connected":true,"competing":false,"wait":5}"#,
    READY,
    LOST,
    COMPETING,
    UNSETTLED,
    r#"{"authenticated":true,"competing":true,"connected":true}"#,
    r#"{"authenticated":false,"competing":false,"connected":false}"#,
    r#"{"authenticated":false,"competing":false,"connected":true,"fail":"nobody knows why"}"#,
    r#"{"passed":false,"authenticated":false,"connected":true,"competing":false,"fail":"Force compete capability must be used together with compete flag"}"#,
    r#"{"session":"5e55","iserver":{}}"#,
    r#"{"status":true,"confirmed":true}"#,
];

const STATUSES: [u16; 24] = [
    200, 200, 200, 200, 200, 400, 401, 401, 401, 403, 404, 407, 408, 410, 429, 429, 500, 500, 502, 503, 503, 504, 302,
    204,
];

pub(crate) fn below(rng: &mut SeededEntropy, bound: u64) -> u64 {
    rng.next() % bound.max(1)
}

pub(crate) fn pick<T: Clone>(rng: &mut SeededEntropy, from: &[T]) -> T {
    let index = below(rng, u64::try_from(from.len()).unwrap());
    from[usize::try_from(index).unwrap()].clone()
}

/// Between these, each order of magnitude as likely as the others.
pub(crate) fn spread(rng: &mut SeededEntropy, least: u64, most: u64) -> u64 {
    let mut octaves = Vec::new();
    let mut from = least.max(1);
    while from < most {
        octaves.push((from, (from * 2).min(most)));
        from *= 2;
    }
    let (from, to) = if octaves.is_empty() { (least, most) } else { pick(rng, &octaves) };
    from + below(rng, to - from + 1)
}

fn chance(rng: &mut SeededEntropy, per_mille: u64) -> bool {
    below(rng, 1000) < per_mille
}

/// Any answer at all.
pub(crate) fn answer(rng: &mut SeededEntropy) -> Answer {
    match below(rng, 12) {
        0 => return Answer::Silence,
        1 | 2 => return Answer::Failed(pick(rng, &KINDS)),
        _ => {}
    }
    let status = if chance(rng, 50) { u16::try_from(100 + below(rng, 500)).unwrap() } else { pick(rng, &STATUSES) };
    let body = pick(rng, &BODIES);
    let body = if body.starts_with(r#"{"authenticated"#) && chance(rng, 500) { tickle(body) } else { body.to_owned() };
    let mut headers = Vec::new();
    if chance(rng, 250) {
        let wait = match below(rng, 6) {
            0 => "0".to_owned(),
            1 => "86400".to_owned(),
            2 => "nonsense".to_owned(),
            3 => "Fri, 31 Dec 9999 23:59:59 GMT".to_owned(),
            _ => spread(rng, 1, 4000).to_string(),
        };
        headers.push(("retry-after", wait));
    }
    if chance(rng, 50) {
        headers.push(("set-cookie", format!("x-sess-uuid=0.{:x}; secure", rng.next())));
    }
    Answer::Response { status, headers, body: body.into() }
}

fn answers(rng: &mut SeededEntropy, most: u64) -> Vec<Answer> {
    (0..=below(rng, most)).map(|_| answer(rng)).collect()
}

fn maybe(rng: &mut SeededEntropy, per_mille: u64, least: u64, most: u64) -> Option<u64> {
    chance(rng, per_mille).then(|| spread(rng, least, most))
}

/// Any overlay of one endpoint.
fn overlay(rng: &mut SeededEntropy) -> Overlay {
    match below(rng, 8) {
        0..=3 => Overlay::Well,
        4 | 5 => Overlay::Always(answer(rng)),
        6 => {
            let count = 1 + below(rng, 5);
            let one = |rng: &mut SeededEntropy| chance(rng, 700).then(|| answer(rng));
            Overlay::Cycle((0..count).map(|_| one(rng)).collect(), 0)
        }
        _ => Overlay::Chance(spread(rng, 10, 1000), answers(rng, 4)),
    }
}

/// Every endpoint answers so.
pub(crate) fn everywhere(answer: &Answer) -> Conduct {
    let overlays = std::array::from_fn(|_| Overlay::Always(answer.clone()));
    Conduct { overlays, ..Conduct::default() }
}

/// These endpoints answer so.
pub(crate) fn at(answers: &[(Endpoint, Answer)]) -> Conduct {
    let mut conduct = Conduct::default();
    for (endpoint, answer) in answers {
        let place = Endpoint::ALL.iter().position(|other| other == endpoint).unwrap();
        conduct.overlays[place] = Overlay::Always(answer.clone());
    }
    conduct
}

/// The opening says ready, and no tickle ever does.
pub(crate) fn ready_then_lost() -> Conduct {
    let ready = Answer::new(200, READY);
    at(&[(Endpoint::Open, ready.clone()), (Endpoint::Take, ready), (Endpoint::Tickle, Answer::new(200, tickle(LOST)))])
}

/// The brokerage session may only be opened by a take, and that is how it is lost again.
pub(crate) fn force_compete() -> Conduct {
    let refused = r#"{"passed":false,"authenticated":false,"connected":true,"competing":false,"fail":"Force compete capability must be used together with compete flag"}"#;
    at(&[
        (Endpoint::Open, Answer::new(200, refused)),
        (Endpoint::Status, Answer::new(200, refused)),
        (Endpoint::Tickle, Answer::new(200, tickle(LOST))),
    ])
}

/// Any mood of the broker.
pub(crate) fn conduct(rng: &mut SeededEntropy) -> Conduct {
    let mut conduct = match below(rng, 10) {
        0 => Conduct::default(),
        1 => everywhere(&answer(rng)),
        2 => ready_then_lost(),
        3 => force_compete(),
        // Uniform noise.
        4 => {
            let per_mille = spread(rng, 5, 1000);
            let overlays = std::array::from_fn(|_| Overlay::Chance(per_mille, answers(rng, 30)));
            Conduct { overlays, ..Conduct::default() }
        }
        // One endpoint out of order.
        5 | 6 => {
            let mut conduct = Conduct::default();
            let place = usize::try_from(below(rng, 6)).unwrap();
            conduct.overlays[place] = Overlay::Always(answer(rng));
            conduct
        }
        _ => Conduct { overlays: std::array::from_fn(|_| overlay(rng)), ..Conduct::default() },
    };
    conduct.hold = maybe(rng, 200, 500, 4_000_000);
    conduct.token_life = maybe(rng, 150, 500, 4_000_000);
    conduct.rival_returns = maybe(rng, 150, 500, 4_000_000);
    conduct.settles = maybe(rng, 250, 500, 80_000).unwrap_or_default();
    conduct.expiry = match below(rng, 12) {
        0 => Expiry::Absent,
        1 => Expiry::In(i64::try_from(spread(rng, 1000, 200_000_000)).unwrap()),
        2 => Expiry::In(-i64::try_from(spread(rng, 1000, 200_000_000)).unwrap()),
        _ => Expiry::Usual,
    };
    if chance(rng, 200) {
        let ahead = i64::try_from(below(rng, 8000)).unwrap() - 4000;
        conduct.date = Some((ahead, 1 + below(rng, 4)));
    }
    conduct
}

pub(crate) fn key_store(rng: &mut SeededEntropy) -> KeyStore {
    match below(rng, 16) {
        0 => KeyStore::Failing(pick(rng, &KINDS)),
        1 => KeyStore::Slow(spread(rng, 100, 60_000)),
        2 => KeyStore::Silent,
        3 => KeyStore::Wrong,
        _ => KeyStore::Well,
    }
}

/// How long a response takes, at least and at most.
pub(crate) fn latency(rng: &mut SeededEntropy) -> (u64, u64) {
    pick(rng, &[(0, 0), (50, 400), (50, 400), (50, 400), (300, 300), (1000, 4000), (3000, 7000), (20_000, 40_000)])
}

pub(crate) fn application(rng: &mut SeededEntropy) -> Application {
    if chance(rng, 350) {
        return Application::default();
    }
    let unauthorized = || Answer::new(401, "");
    let answers = match below(rng, 4) {
        0 => vec![unauthorized()],
        1 => vec![Answer::new(pick(rng, &[400, 401, 500]), r#"{"error":"no bridge"}"#)],
        2 => vec![unauthorized(), answer(rng)],
        _ => answers(rng, 5),
    };
    Application {
        every: spread(rng, 1000, 600_000),
        answers,
        paths: pick(rng, &[0, 1, 1, 3, 4, 40]),
        is_iserver: chance(rng, 500),
        age: pick(rng, &[0, 300, 300, 1500, 40_000, 3_600_000]),
        stale: pick(rng, &[0, 0, 200]),
        obeys: chance(rng, 500),
    }
}
