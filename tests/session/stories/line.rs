//! The lines of a story.

use std::{str::FromStr, time::Duration};

use ibkr_oauth::session::{CompetePolicy, FailureKind, OnShutdown, SessionConfig};

/// A story: a configuration, and lines in the order of time.
#[derive(Clone)]
pub(super) struct Story {
    pub(super) config: SessionConfig,
    /// How long it takes until the session has a response.
    pub(super) latency: Duration,
    pub(super) lines: Vec<(Duration, Line)>,
}

#[derive(Clone, Debug)]
pub(super) enum Line {
    Broker(Change),
    /// A request of the application's that was answered so, again and again until some time.
    Report {
        path: String,
        answer: Answer,
        every: Option<(Duration, Duration)>,
        attempt: u32,
        age: Duration,
    },
    See(String),
    Sleep(Duration),
    /// The machine's clock is set.
    Clock(i64),
    RetryNow,
    Shutdown,
}

/// What is different at the broker from now on.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// An endpoint answers so; `None`: as it should.
    Endpoint(String, Option<Answer>),
    Revoke,
    Lose,
    Rival(bool),
    /// Each opening is lost after this time.
    Hold(Option<Duration>),
    /// How far ahead the broker's clock is, and in which of its responses (each n-th).
    Clock(i64, u64),
    TokenLife(Duration),
}

#[derive(Clone, Debug)]
pub(super) enum Answer {
    Response {
        status: u16,
        headers: Vec<(String, String)>,
        body: String,
        is_once: bool,
    },
    Failed(FailureKind),
    /// None ever comes.
    Silence,
}

impl Story {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let (mut config, mut latency, mut lines) = (SessionConfig::default(), Duration::from_millis(300), Vec::new());
        for (number, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let wrong = |error: String| format!("line {number}: {error}");
            let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
            let rest = rest.trim();
            match first {
                "config" => configure(&mut config, rest).map_err(wrong)?,
                "latency" => latency = duration(rest).map_err(wrong)?,
                time => lines.push((duration(time).map_err(wrong)?, line(rest).map_err(wrong)?)),
            }
        }
        if lines.is_sorted_by_key(|(at, _)| *at) {
            Ok(Self { config, latency, lines })
        } else {
            Err("not in order".to_owned())
        }
    }
}

fn configure(config: &mut SessionConfig, text: &str) -> Result<(), String> {
    let (name, value) = text.split_once(' ').ok_or("a name and a value")?;
    let yes = value == "yes";
    match name {
        "brokerage" => config.brokerage = yes,
        "correct_clock" => config.correct_clock = yes,
        "compete" => {
            config.compete = match value {
                "yield" => CompetePolicy::Yield,
                "take-once" => CompetePolicy::TakeOnce,
                "take-always" => CompetePolicy::TakeAlways,
                _ => return Err(format!("no policy {value}")),
            }
        }
        "on_shutdown" => {
            config.on_shutdown = if value == "log-out" { OnShutdown::LogOut } else { OnShutdown::LeaveOpen }
        }
        _ => return Err(format!("no setting {name}")),
    }
    Ok(())
}

fn line(text: &str) -> Result<Line, String> {
    let (who, what) = text.split_once(' ').unwrap_or((text, ""));
    let what = what.trim();
    Ok(match who {
        "broker" => Line::Broker(change(what)?),
        "report" => report(what)?,
        "see" => Line::See(what.to_owned()),
        "sleep" => Line::Sleep(duration(what)?),
        "clock" => Line::Clock(what.trim_end_matches('s').parse().map_err(|_| format!("no seconds: {what}"))?),
        "retry-now" => Line::RetryNow,
        "shutdown" => Line::Shutdown,
        _ => return Err(format!("nobody is called {who}")),
    })
}

fn change(text: &str) -> Result<Change, String> {
    let words: Vec<_> = text.split_whitespace().collect();
    Ok(match words[..] {
        ["revokes"] => Change::Revoke,
        ["loses"] => Change::Lose,
        ["rival", "comes"] => Change::Rival(true),
        ["rival", "goes"] => Change::Rival(false),
        ["holds", "for", "ever"] => Change::Hold(None),
        ["holds", time] => Change::Hold(Some(duration(time)?)),
        ["clock", ahead] => Change::Clock(seconds(ahead)?, 1),
        ["clock", ahead, "each", nth] => Change::Clock(seconds(ahead)?, nth.parse().map_err(|_| "no number")?),
        ["token-life", time] => Change::TokenLife(duration(time)?),
        [endpoint, "well"] => Change::Endpoint(endpoint.to_owned(), None),
        [endpoint, ..] => Change::Endpoint(endpoint.to_owned(), Some(answer(text[endpoint.len()..].trim())?)),
        [] => return Err("nothing changes".to_owned()),
    })
}

fn seconds(text: &str) -> Result<i64, String> {
    text.trim_end_matches('s').trim_start_matches('+').parse().map_err(|_| format!("no seconds: {text}"))
}

/// `503 retry-after:86400 {"error":…}`, or how it came to nothing.
fn answer(text: &str) -> Result<Answer, String> {
    let (is_once, text) = text.strip_prefix("once ").map_or((false, text), |text| (true, text));
    let (first, mut rest) = text.split_once(' ').unwrap_or((text, ""));
    match first {
        "silence" => return Ok(Answer::Silence),
        "not-sent" => return Ok(Answer::Failed(FailureKind::NotSent)),
        "broken" => return Ok(Answer::Failed(FailureKind::MaybeSent)),
        _ => {}
    }
    let status = first.parse().map_err(|_| format!("no status: {first}"))?;
    let mut headers = Vec::new();
    while let Some((name, value)) = rest.split_whitespace().next().and_then(|word| word.split_once(':')) {
        if !name.chars().all(|char| char.is_ascii_lowercase() || char == '-') || name.is_empty() {
            break;
        }
        headers.push((name.to_owned(), value.to_owned()));
        rest = rest.split_once(' ').map_or("", |(_, rest)| rest.trim());
    }
    Ok(Answer::Response { status, headers, body: rest.to_owned(), is_once })
}

/// `/path every 61s until 24h attempt 2 answered 401 …`
fn report(text: &str) -> Result<Line, String> {
    let (head, answered) = text.split_once("answered ").ok_or("what was it answered?")?;
    let words: Vec<_> = head.split_whitespace().collect();
    let (path, mut options) = words.split_first().ok_or("no path")?;
    let (mut every, mut until, mut attempt, mut age) = (None, Duration::MAX, 1, Duration::ZERO);
    while let [name, value, rest @ ..] = options {
        match *name {
            "every" => every = Some(duration(value)?),
            "until" => until = duration(value)?,
            "attempt" => attempt = value.parse().map_err(|_| "no attempt")?,
            "signed" => age = duration(value.trim_start_matches('-'))?,
            _ => return Err(format!("no option {name}")),
        }
        options = rest;
    }
    let every = every.map(|every| (every, until));
    Ok(Line::Report { path: (*path).to_owned(), answer: answer(answered)?, every, attempt, age })
}

/// `1h30m`, `90s`, `0.3s`, `2d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("no time: {text}");
    let (mut total, mut number) = (Duration::ZERO, String::new());
    for char in text.chars() {
        let unit = match char {
            '0'..='9' | '.' => {
                number.push(char);
                continue;
            }
            's' => 1.0,
            'm' => 60.0,
            'h' => 3600.0,
            'd' => 86_400.0,
            _ => return Err(wrong()),
        };
        total += Duration::from_secs_f64(f64::from_str(&number).map_err(|_| wrong())? * unit);
        number.clear();
    }
    if number.is_empty() { Ok(total) } else { Err(wrong()) }
}
