//! `doctor --record`: asks the broker what nobody knows about it, and writes down what it answers.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use ibkr_oauth::{
    AccessToken, Consumer, Context, CredentialBundle, Endpoints, UnlockedToken,
    bytes::Bytes,
    http::{Request, Response, Uri},
    local,
    session::{Failure as SendFailure, FailureKind},
    transport::{Limits, Transport},
};
use serde_json::Value;

use crate::{
    arguments::{self, QueryPolicyArguments},
    consent, credentials,
    doctor::websocket::{listening::Listening, wire},
    failure::Failure,
    hidden,
    http_client::HttpClient,
    output::{self, Format, Shown},
    own_files::OwnFiles,
    report::Report,
};

mod heard;
mod interview;
mod probes;
mod questions;
mod recording;
mod redaction;
mod shape;
mod signing;
mod socket_answers;
#[cfg(test)]
mod tests;
mod vocabulary;

use heard::{Heard, Outcome};
use interview::{Line, Wishes};
use probes::{GROUPS, Probe};
use recording::{Login, Recording, Source};

/// The arguments of `doctor` that are about a recording.
#[derive(Args)]
pub(crate) struct RecordArguments {
    /// Ask the broker what is not known about it, and write its answers into this file, without anything of yours. What is
    /// asked is listed first, and the file is shown before it is written.
    #[arg(long, value_name = "FILE", conflicts_with = "offline")]
    record: Option<PathBuf>,
    /// With `--record`: also for accounts with real money. Nothing is ordered or changed there either.
    #[arg(long, requires = "record")]
    live: bool,
    /// With `--record`: at the end also ask what `/logout` leaves alive. It ends the brokerage session of this user.
    #[arg(long, requires = "record")]
    logout: bool,
    /// With `--record`: yes to both questions, whether to send and whether to write.
    #[arg(long, requires = "record")]
    yes: bool,
}

/// The time between two requests, so that no limit is touched.
const PACE: Duration = Duration::from_millis(1500);

const RECORDING: &str = "recording";

/// New ones, and those that this program wrote and nobody changed.
const RECORDINGS: OwnFiles = OwnFiles {
    foreign: "it is no recording, or was changed",
    remedy: "give a file after `--record` that is not there yet, or an earlier recording",
};

impl RecordArguments {
    pub(super) fn is_wanted(&self) -> bool {
        self.record.is_some()
    }

    /// Refuses before anything is sent what could not be written afterwards, or not be agreed to.
    pub(super) fn check(&self, format: Format) -> Result<(), Failure> {
        let Some(path) = &self.record else { return Ok(()) };
        if format == Format::Json && !self.yes {
            return Err(Failure::usage(
                "with `--output json`, nobody can be asked whether to go on",
                "add `--yes` to agree to what `--record` sends and writes",
            ));
        }
        RECORDINGS.find_replaceable(path, Recording::is_one).map(drop)
    }

    /// Asks, shows and writes.
    pub(super) fn run(
        &self,
        bundle: &CredentialBundle,
        policy: &QueryPolicyArguments,
        client: &HttpClient,
        report: &mut Report,
        format: Format,
    ) -> Result<(), Failure> {
        let Some(path) = &self.record else { return Ok(()) };
        let Ok((consumer, access_token, unlocked)) = opened(bundle, policy) else {
            // What is wrong was said above.
            return report.ok(RECORDING, "nothing was asked, and nothing written");
        };
        let is_here = is_this_machine(consumer.endpoints())?;
        let pace = if is_here { Duration::ZERO } else { PACE };
        if !self.agrees_to_requests(pace, format)? {
            return report.ok(RECORDING, "nothing was asked, and nothing written");
        }
        let wishes = Wishes { live: self.live, logout: self.logout, pace };
        let (heard, login) = interview::conduct(&mut Wire { client }, &consumer, &unlocked, wishes)?;
        let about = redaction::About {
            made_by: format!("ibkr-oauth {}", env!("CARGO_PKG_VERSION")),
            made_in: local::now().to_string().chars().take(7).collect(),
            source: source_of(consumer.endpoints(), &heard)?,
            login,
        };
        let own = [consumer.consumer_key(), access_token.token()].map(str::to_owned);
        let recording = redaction::record(&heard, about, &own);
        // By every credential of the bundle once more, wherever it stands.
        let text = hidden::hide(&recording.to_text()).into_owned();
        let stopped = recording.probes.iter().find_map(|probed| probed.not_sent.clone());
        let asked = recording.probes.iter().filter(|probed| probed.not_sent.is_none()).count();
        if !self.agrees_to_file(&text, format)? {
            return report.ok(RECORDING, "it was not written");
        }
        RECORDINGS.write(path, text.as_bytes(), Recording::is_one)?;
        report.attach(RECORDING, serde_json::from_str(&text).unwrap_or(Value::Null));
        let message = format!("{asked} of {} probes were sent, written to {}", recording.probes.len(), path.display());
        match (recording.login, stopped) {
            (Login::Paper, _) | (_, None) => report.ok(RECORDING, &message),
            (_, Some(why)) if self.live => report.ok(RECORDING, &format!("{message}; not all: {why}")),
            (_, Some(why)) => report.warning(
                RECORDING,
                &format!("{message}; not all: {why}"),
                "give the bundle of a paper login, or add `--live`",
            ),
        }
    }

    fn agrees_to_requests(&self, pace: Duration, format: Format) -> Result<bool, Failure> {
        if format == Format::Text {
            let groups = GROUPS.iter().filter(|group| self.logout || !group.ends_session);
            let lines = groups.flat_map(|group| group.probes).map(|probe| format!("  {}", probes::request_of(probe)));
            output::print(&Shown::lines(&format!(
                "These requests would be sent now, at most {} with repetitions, {} ms apart. They read, and order and \
                 change nothing{}:\n{}",
                interview::MOST,
                pace.as_millis(),
                if self.logout { "; the last ones log out" } else { "" },
                lines.collect::<Vec<_>>().join("\n")
            )))?;
        }
        if self.yes { Ok(true) } else { consent::given("Send them?") }
    }

    fn agrees_to_file(&self, text: &str, format: Format) -> Result<bool, Failure> {
        if format == Format::Text {
            output::print(&Shown::lines(text.trim_end()))?;
        }
        if self.yes { Ok(true) } else { consent::given("Write this?") }
    }
}

/// What the requests are signed with.
fn opened(
    bundle: &CredentialBundle,
    policy: &QueryPolicyArguments,
) -> Result<(Consumer, AccessToken, UnlockedToken), Failure> {
    let consumer = policy.apply(bundle.consumer_builder()?).build()?;
    let access_token = credentials::access_token(bundle)?;
    let unlocked = credentials::with_context(|cx| consumer.unlock(cx, &access_token))?;
    Ok((consumer, access_token, unlocked))
}

/// Whether the base URL leads to this machine, whose limits are nobody's.
fn is_this_machine(endpoints: &Endpoints) -> Result<bool, Failure> {
    let url: Uri = arguments::absolute_url(endpoints.base_url())?;
    let host = url.host().unwrap_or_default();
    Ok(host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()))
}

/// Who answered.
fn source_of(endpoints: &Endpoints, heard: &[Heard]) -> Result<Source, Failure> {
    let is_simulator = heard.iter().any(|heard| match &heard.outcome {
        Outcome::Response(reply) => {
            reply.response.headers().keys().any(|name| name.as_str().starts_with("x-simulator-"))
        }
        _ => false,
    });
    let url = arguments::absolute_url(endpoints.base_url())?;
    let host = url.host().unwrap_or_default().to_ascii_lowercase();
    let is_broker = ["ibkr.com", "interactivebrokers.com"]
        .iter()
        .any(|domain| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
    Ok(match (is_simulator, is_broker) {
        (true, _) => Source::Simulator,
        (false, true) => Source::Broker,
        _ => Source::Other,
    })
}

/// The network.
struct Wire<'a> {
    client: &'a HttpClient,
}

impl Line for Wire<'_> {
    fn announce(&mut self, probe: &Probe) -> Result<(), Failure> {
        output::print_note(&format!("asks: {}", probes::request_of(probe)));
        Ok(())
    }

    fn send(&mut self, request: Request<Bytes>) -> Result<Response<Bytes>, &'static str> {
        Transport::send(self.client, request, Limits::default()).map_err(|failure| why(&failure))
    }

    fn listen(&mut self, upgrade: Request<()>, listening: &mut Listening) -> Result<Response<Bytes>, &'static str> {
        wire::listen(self.client, upgrade, listening).map_err(|failure| why(&failure))
    }

    fn pause(&mut self, time: Duration) {
        credentials::pause(time);
    }

    fn with_context<T>(&mut self, work: impl FnOnce(&mut Context<'_>) -> T) -> T {
        credentials::with_context(work)
    }
}

/// Why there is no response.
fn why(failure: &SendFailure) -> &'static str {
    match failure.kind() {
        FailureKind::NotSent => "no connection",
        FailureKind::TimedOut => "no response in time",
        FailureKind::TooLarge => "too long a response",
        FailureKind::Refused => "no response of a WebSocket",
        _ => "the connection broke",
    }
}
