//! Plays a story on a virtual clock, and takes its figures.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use crate::known_user;
use ibkr_oauth::{
    Context, Timestamp,
    bytes::Bytes,
    http::{Method, Response},
    session::{Advice, Failure, Input, Output, Report, Session, SessionEvent, State},
    simulator::{Broker, SeededEntropy},
};

use super::{
    broker::Desk,
    line::{Answer, Line, Story, duration},
};

const START: Timestamp = Timestamp::from_secs(1_700_000_000);

/// What was seen.
#[derive(Default)]
pub(super) struct Figures {
    pub(super) wrong: Vec<String>,
    sent: Vec<(Duration, String)>,
    not_live: Duration,
    signerless: Duration,
    heals: Vec<Duration>,
    /// The longest time that advice took.
    waits: Duration,
    silence: Duration,
    takes: usize,
}

pub(super) struct Player {
    session: Session,
    desk: Desk,
    entropy: SeededEntropy,
    latency: Duration,
    /// The time since the start, on the broker's clock, and how far the machine's is off it.
    now: Duration,
    ahead: i64,
    asleep_until: Duration,
    deadline: Option<Duration>,
    arrivals: BTreeMap<(Duration, u64), Input>,
    arrived: u64,
    reports: VecDeque<(Duration, Line)>,
    waiting: Vec<(Duration, Advice)>,
    advice: Option<Advice>,
    events: Vec<(Duration, String, String)>,
    healing: Option<Duration>,
    was_live: bool,
    figures: Figures,
}

impl Player {
    pub(super) fn play(story: &Story, seed: u64) -> Figures {
        let broker = known_user::known_to(Broker::builder().strict()).build().unwrap();
        let session = Session::new(known_user::consumer(), known_user::token(), story.config.clone());
        let mut player = Self {
            session,
            desk: Desk::new(broker),
            entropy: SeededEntropy::new(seed),
            latency: story.latency,
            now: Duration::ZERO,
            ahead: 0,
            asleep_until: Duration::ZERO,
            deadline: None,
            arrivals: BTreeMap::new(),
            arrived: 0,
            reports: VecDeque::new(),
            waiting: Vec::new(),
            advice: None,
            events: Vec::new(),
            healing: None,
            was_live: false,
            figures: Figures::default(),
        };
        player.run(story);
        // The pace holds in each of them.
        for bound in ["worst-hour <= 150", "worst-hour-handshakes <= 20", "worst-hour-openings <= 20"] {
            player.do_line(Line::See(bound.to_owned()));
        }
        player.figures.takes = player.desk.takes;
        player.figures
    }

    fn run(&mut self, story: &Story) {
        // What is so from the start is so before the first request.
        let mut lines = story.lines.iter().cloned().peekable();
        while let Some((_, line)) =
            lines.next_if(|(at, line)| at.is_zero() && matches!(line, Line::Broker(_) | Line::Clock(_)))
        {
            self.do_line(line);
        }
        self.drain();
        for (at, line) in lines {
            self.run_until(at);
            self.do_line(line);
            self.drain();
        }
    }

    fn wall(&self) -> Timestamp {
        let broker = START.saturating_add(self.now);
        Timestamp::from_millis(broker.as_millis().saturating_add_signed(self.ahead * 1000))
    }

    fn run_until(&mut self, end: Duration) {
        loop {
            let arrival = self.arrivals.keys().next().map(|(at, _)| (*at).max(self.asleep_until));
            let deadline = self.deadline.map(|at| at.max(self.asleep_until));
            let report = self.reports.front().map(|(at, _)| *at);
            let next = [arrival, deadline, report].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.pass(next);
            if report == Some(next) {
                let (_, line) = self.reports.pop_front().unwrap();
                self.do_line(line);
            } else if arrival == Some(next) {
                let (_, input) = self.arrivals.pop_first().unwrap();
                self.hand(input);
            } else {
                self.hand(Input::Timeout);
            }
            self.drain();
            let is_ahead = self.deadline.is_none_or(|at| at > self.now);
            assert!(is_ahead || self.asleep_until > self.now, "no deadline lies behind: {:?}", self.session);
        }
        self.pass(end);
    }

    /// Lets time pass in which nothing happens.
    fn pass(&mut self, to: Duration) {
        let passed = to.saturating_sub(self.now);
        let view = self.session.view();
        if self.was_live && !view.is_live() {
            self.figures.not_live += passed;
        }
        if view.signer().is_none() && self.figures.sent.len() > 1 {
            self.figures.signerless += passed;
        }
        self.now = self.now.max(to);
    }

    fn hand(&mut self, input: Input) {
        let now = self.wall();
        self.session.handle_input(&mut Context::new(now, &mut self.entropy), input);
    }

    fn drain(&mut self) {
        if self.asleep_until > self.now {
            return;
        }
        for _ in 0..40 {
            let now = self.wall();
            match self.session.poll_output(&mut Context::new(now, &mut self.entropy)) {
                Output::Transmit { id, request, .. } => {
                    let path = request.uri().path().trim_start_matches("/v1/api").to_owned();
                    let before = self.figures.sent.last().map_or(self.now, |(at, _)| *at);
                    self.figures.silence = self.figures.silence.max(self.now.saturating_sub(before));
                    self.figures.sent.push((self.now, path));
                    let at = START.saturating_add(self.now);
                    let input = match self.desk.handle(at, &mut self.entropy, &request) {
                        Answer::Response { status, headers, body, .. } => {
                            Input::Response { id, response: response(status, &headers, &body) }
                        }
                        Answer::Failed(kind) => Input::Failed { id, failure: Failure::new(kind, "the story") },
                        Answer::Silence => continue,
                    };
                    self.arrived += 1;
                    self.arrivals.insert((self.now + self.latency, self.arrived), input);
                }
                Output::Event(event) => self.note(&event),
                Output::Timeout { at, .. } => {
                    self.deadline = Some(self.now + at.saturating_duration_since(self.wall()));
                    return self.look();
                }
                Output::Finished => {
                    self.deadline = None;
                    return self.look();
                }
                output => panic!("{output:?}"),
            }
        }
        panic!("no end of outputs at {:?}", self.now);
    }

    fn note(&mut self, event: &SessionEvent) {
        if let SessionEvent::StateChanged { to: State::Live, .. } = event {
            self.was_live = true;
            if let Some(since) = self.healing.take() {
                self.figures.heals.push(self.now.saturating_sub(since));
            }
        }
        self.events.push((self.now, event.name().to_owned(), event.to_string()));
    }

    /// Looks what has become of advice that waits.
    fn look(&mut self) {
        let (view, now) = (self.session.view(), self.now);
        let mut open = Vec::new();
        for (since, advice) in self.waiting.drain(..) {
            let Advice::AwaitSession(ticket) = advice else { continue };
            self.figures.waits = self.figures.waits.max(now.saturating_sub(since));
            match view.resolve(&ticket) {
                Advice::AwaitSession(_) => open.push((since, advice)),
                advice => self.advice = Some(advice),
            }
        }
        self.waiting = open;
    }

    fn do_line(&mut self, line: Line) {
        match line {
            Line::Broker(change) => {
                if self.desk.change(&change) {
                    self.healing = Some(self.now);
                }
            }
            Line::Sleep(time) => self.asleep_until = self.now + time,
            Line::Clock(ahead) => self.ahead = ahead,
            Line::RetryNow => self.hand(Input::RetryNow),
            Line::Shutdown => self.hand(Input::Shutdown),
            Line::See(what) => {
                if let Err(seen) = self.see(&what) {
                    self.figures.wrong.push(format!("at {:?}: {what}, but {seen}", self.now));
                }
            }
            Line::Report { path, answer, every, attempt, age } => {
                if let Some((every, until)) = every.filter(|(every, until)| self.now + *every <= *until) {
                    let again = Line::Report {
                        path: path.clone(),
                        answer: answer.clone(),
                        every: Some((every, until)),
                        attempt,
                        age,
                    };
                    let at = self.now + every;
                    let place = self.reports.partition_point(|(other, _)| *other <= at);
                    self.reports.insert(place, (at, again));
                }
                self.report(&path, answer, attempt, age);
            }
        }
    }

    fn report(&mut self, path: &str, answer: Answer, attempt: u32, age: Duration) {
        let Some(token_id) = self.session.view().token_id() else { return };
        let Answer::Response { status, headers, body, .. } = answer else { return };
        let uri = format!("https://api.ibkr.com/v1/api{path}").parse().unwrap();
        let signed_at = self.wall().saturating_sub(age);
        let response = response(status, &headers, &body);
        let report = Report::new(token_id, signed_at, &Method::GET, &uri, &response).attempt(attempt);
        self.hand(Input::Reported(report.clone()));
        let advice = self.session.view().advise(&report);
        self.advice = Some(advice);
        self.waiting.push((self.now, advice));
    }

    /// What a line wants to be seen, against what is.
    fn see(&self, what: &str) -> Result<(), String> {
        let words: Vec<_> = what.splitn(3, ' ').collect();
        match words[..] {
            ["state", state] => is(&self.session.view().state().to_string(), state),
            ["advice", advice] => is(&format!("{:?}", self.advice), &format!("Some({advice})")),
            ["advice", "not", advice] => {
                let given = format!("{:?}", self.advice);
                if given.contains(advice) { Err(given) } else { Ok(()) }
            }
            ["advice", "like", advice] => {
                let given = format!("{:?}", self.advice);
                if given.contains(advice) { Ok(()) } else { Err(given) }
            }
            ["remedy", ..] => {
                let remedy = self.session.view().last_error().map_or("", |error| error.remedy());
                let wanted = what.trim_start_matches("remedy ");
                if remedy.contains(wanted) { Ok(()) } else { Err(remedy.to_owned()) }
            }
            ["no", "event", name] => {
                let found = self.events.iter().find(|(_, event, _)| event == name);
                found.map_or(Ok(()), |(at, _, text)| Err(format!("{text} at {at:?}")))
            }
            ["event", name] | ["event", name, _] => {
                let words = words.get(2).copied().unwrap_or_default();
                let mut named = self.events.iter().filter(|(_, event, _)| event == name);
                if named.any(|(_, _, text)| text.contains(words)) {
                    return Ok(());
                }
                let named: Vec<_> = self.events.iter().map(|(at, _, text)| format!("{at:?} {text}")).collect();
                Err(named.iter().rev().take(6).cloned().collect::<Vec<_>>().join("\n  "))
            }
            [figure, "<=", bound] => self.compare(figure, bound, |value, bound| value <= bound),
            [figure, ">=", bound] => self.compare(figure, bound, |value, bound| value >= bound),
            [figure, bound] => self.compare(figure, bound, |value, bound| (value - bound).abs() < 0.001),
            _ => Err("nobody knows what that means".to_owned()),
        }
    }

    fn compare(&self, figure: &str, bound: &str, holds: impl Fn(f64, f64) -> bool) -> Result<(), String> {
        let value = self.figures.value(figure, self.now).or_else(|| self.present(figure));
        let value = value.ok_or_else(|| format!("no figure {figure}"))?;
        let bound = match bound.parse() {
            Ok(bound) => bound,
            Err(_) => duration(bound)?.as_secs_f64(),
        };
        if holds(value, bound) { Ok(()) } else { Err(format!("it is {value}")) }
    }

    #[allow(clippy::as_conversions, clippy::cast_precision_loss, reason = "small numbers")]
    fn present(&self, figure: &str) -> Option<f64> {
        match figure {
            "takes" => Some(self.desk.takes as f64),
            "open-advice" => Some(self.waiting.len() as f64),
            "silent-for" => Some(self.now.saturating_sub(self.figures.sent.last()?.0).as_secs_f64()),
            _ => figure
                .strip_prefix("events:")
                .map(|name| self.events.iter().filter(|(_, event, _)| event == name).count() as f64),
        }
    }
}

fn is(seen: &str, wanted: &str) -> Result<(), String> {
    if seen == wanted { Ok(()) } else { Err(format!("it is {seen}")) }
}

fn response(status: u16, headers: &[(String, String)], body: &str) -> Response<Bytes> {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(name, value.replace('_', " "));
    }
    // `\x99` is that byte.
    let mut bytes = Vec::new();
    let mut rest = body;
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend_from_slice(before.as_bytes());
        bytes.push(u8::from_str_radix(&after[..2], 16).unwrap());
        rest = &after[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    builder.body(Bytes::from(bytes)).unwrap()
}

#[allow(clippy::as_conversions, clippy::cast_precision_loss, reason = "small numbers")]
impl Figures {
    fn count(&self, path: &str) -> f64 {
        self.sent.iter().filter(|(_, sent)| sent == path).count() as f64
    }

    fn worst_hour(&self, path: &str) -> f64 {
        let times: Vec<_> = self.sent.iter().filter(|(_, sent)| sent.contains(path)).map(|(at, _)| *at).collect();
        let hour = Duration::from_secs(3600);
        let within = |(index, at): (usize, &Duration)| {
            times[index..].iter().take_while(|other| other.saturating_sub(*at) < hour).count()
        };
        times.iter().enumerate().map(within).max().unwrap_or_default() as f64
    }

    fn value(&self, figure: &str, now: Duration) -> Option<f64> {
        let heal = self.heals.iter().max().copied().unwrap_or_default();
        Some(match figure {
            "handshakes" => self.count("/oauth/live_session_token"),
            "openings" => self.count("/iserver/auth/ssodh/init"),
            "statuses" => self.count("/iserver/auth/status"),
            "tickles" => self.count("/tickle"),
            "primes" => self.count("/iserver/accounts"),
            "logouts" => self.count("/logout"),
            "requests" => self.sent.len() as f64,
            "worst-hour" => self.worst_hour(""),
            "worst-hour-handshakes" => self.worst_hour("live_session_token"),
            "worst-hour-openings" => self.worst_hour("ssodh/init"),
            "not-live" => self.not_live.as_secs_f64(),
            "signerless" => self.signerless.as_secs_f64(),
            "heal" => heal.as_secs_f64(),
            "heals" => self.heals.len() as f64,
            "waits" => self.waits.as_secs_f64(),
            "silence" => {
                let last = self.sent.last().map_or(now, |(at, _)| *at);
                self.silence.max(now.saturating_sub(last)).as_secs_f64()
            }
            _ => return None,
        })
    }
}

pub(super) const HEADING: &str = "| story | handshakes | openings | heal mean/max s | not live s | signerless s | tickles | worst hour (h/o/all) |\n|---|---|---|---|---|---|---|---|";

/// A row of the table: means over the seeds, or the least and the most.
#[allow(clippy::as_conversions, clippy::cast_precision_loss, reason = "small numbers")]
pub(super) fn row(name: &str, played: &[Figures]) -> String {
    let range = |figure: &str| {
        let values: Vec<_> = played.iter().map(|figures| figures.value(figure, Duration::ZERO).unwrap()).collect();
        let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(l, m), v| (l.min(*v), m.max(*v)));
        if (least - most).abs() < 0.05 { format!("{most:.1}") } else { format!("{least:.1}–{most:.1}") }
            .replace(".0", "")
    };
    let heals: Vec<_> = played.iter().flat_map(|figures| &figures.heals).map(Duration::as_secs_f64).collect();
    let mean = heals.iter().sum::<f64>() / heals.len().max(1) as f64;
    let most = heals.iter().copied().fold(0.0, f64::max);
    format!(
        "| {name} | {} | {} | {mean:.1}/{most:.1} | {} | {} | {} | {} / {} / {} |",
        range("handshakes"),
        range("openings"),
        range("not-live"),
        range("signerless"),
        range("tickles"),
        range("worst-hour-handshakes"),
        range("worst-hour-openings"),
        range("worst-hour")
    )
}
