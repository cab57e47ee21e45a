//! `ibkr-oauth gateway`

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
};

use clap::{Args, value_parser};
use ibkr_oauth::{
    Consumer, Secret, UnlockedToken,
    client::Client,
    driver::SessionHandle,
    local::{self, reading},
    pacing::PacingConfig,
    session::{OnShutdown, Session, SessionEvent},
};

use crate::{
    credentials, driving, exposure,
    failure::Failure,
    files, hidden, http_client,
    output::{self, Format},
    serving::Server,
    sign_in::SessionArguments,
    stop, warning,
};

mod answers;
mod caller;
mod certificate;
mod decision;
mod exchange;
mod frames;
mod headers;
mod lifetime;
mod listen;
mod log;
mod outgoing;
mod page;
mod permission;
mod refusal;
mod relay;
mod resource;
mod service;
mod shared;
mod socket;
mod sockets;
mod standing;
mod state_file;
mod upstream;

#[cfg(test)]
mod answer_tests;
#[cfg(test)]
mod decision_tests;
#[cfg(test)]
#[cfg(feature = "simulate")]
mod exchange_tests;
#[cfg(test)]
#[cfg(feature = "simulate")]
mod lifetime_tests;
#[cfg(test)]
mod slow_reader_tests;
#[cfg(test)]
mod socket_tests;

use caller::Callers;
use decision::Rules;
use exchange::Exchanges;
use lifetime::Lifetime;
use listen::{Listen, Listening};
use log::Log;
use permission::PathPattern;
use service::Service;
use shared::Gateway;
use sockets::Sockets;
use upstream::Upstream;

/// The shortest token of `--token-file`, in bytes.
const SHORTEST_TOKEN: usize = 16;

/// The arguments of `gateway`.
#[derive(Args)]
#[command(after_help = "\
Takes the place of the broker's Client Portal Gateway, over OAuth: no Java, no browser, no login. Programs that speak to
https://localhost:5000/v1/api go on as they are. It signs in, opens the brokerage session, keeps both, and signs what passes;
http and https are served at the same port, with its own certificate (gateway.crt and gateway.key).

It only reads unless `--allow-orders` is given. Whatever runs on this machine can reach a port of it, every user's programs
included: give `--token-file`, or listen at `unix:PATH`, where that matters. SECURITY.md says more.

The first line on standard output is one JSON object: `address`, `base_urls`, `certificate`. Requests and events are lines on
standard error, JSON with `--output json`. Ctrl-C and SIGTERM end it in order: what is under way is answered, then it logs
out. Asked a second time, it ends at once.

Examples:
  ibkr-oauth gateway --bundle bundle.json
  ibkr-oauth gateway --bundle bundle.json --allow-orders --listen 5001 --token-file token
  ibkr-oauth gateway --bundle bundle.json --listen unix:/run/user/1000/ibkr.sock
  curl --insecure https://localhost:5000/v1/api/portfolio/accounts")]
pub(crate) struct Arguments {
    #[command(flatten)]
    session: SessionArguments,
    /// Where to listen: a port of this machine alone, HOST:PORT, or a Unix socket. Beyond this machine only with a token and
    /// TLS. Port 0 means any free port.
    #[arg(long, value_name = "PORT|HOST:PORT|unix:PATH", default_value = "5000", value_parser = listen::parse)]
    listen: Listen,
    /// Let programs trade, and change what is kept at the broker's. Without it, only reads, searches and previews pass.
    #[arg(long)]
    allow_orders: bool,
    /// Refuse this path below `/v1/api`; repeat it for more. `{}` matches a segment, and a slash at the end all below.
    #[arg(long, value_name = "PATH", value_parser = PathPattern::parse)]
    reject_path: Vec<PathPattern>,
    /// A file with a token that programs must send, as `Authorization: Bearer TOKEN` or as the password of a URL.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Another name by which programs may call this machine; repeat it for more. Browsers are protected by these names.
    #[arg(long, value_name = "NAME", value_parser = parse_host)]
    allow_host: Vec<String>,
    /// The folder of gateway.crt and gateway.key, which are made where they are missing. Unless given, the bundle's.
    #[arg(long, value_name = "DIR")]
    certificate: Option<PathBuf>,
    /// Keep the session in this file, so that a restart needs no handshake and no logout: anybody who reads it can sign for
    /// a day.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// How many requests a second there may be in all: the broker's documentation says 10, an older page 50. More is for
    /// simulators.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u32).range(1..=100_000))]
    per_second: u32,
    /// Log each request, and not only those that are refused.
    #[arg(long)]
    log_requests: bool,
}

fn parse_host(text: &str) -> Result<String, String> {
    let name = text.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte));
    let has_port = name.matches(':').count() == 1;
    if name.is_empty() || !is_name || has_port {
        return Err("give a name or an address, without a port".to_owned());
    }
    Ok(name)
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    let (consumer, unlocked, connector) = arguments.session.open()?;
    let callers = callers(arguments)?;
    let endpoints = consumer.endpoints().clone();
    let (session, expires_at) = session(arguments, consumer, unlocked)?;

    let (client, driver) = Client::with_session(http_client::transport(connector.clone()), session);
    let mut pacing = PacingConfig::default();
    pacing.per_second = arguments.per_second;
    client.pace(pacing);
    let handle = client.handle().clone();
    let names = callers.hosts.clone().unwrap_or_default();
    let rules = Rules { callers, allow_orders: arguments.allow_orders, rejected: arguments.reject_path.clone() };
    let exchanges = Exchanges { client: client.with_transport(Upstream::new(connector.clone())) };
    let sockets = Sockets::new(connector);
    let gateway =
        Arc::new(Gateway::new(rules, exchanges, endpoints, sockets, credentials::random_hex::<16>()?, expires_at));
    let log = Log { format, requests: arguments.log_requests };

    // Before anything is announced, so that nobody can ask too early.
    let lifetime = Lifetime::new();
    stop::in_order("stopped without waiting for what is under way", lifetime.end())?;
    let folder =
        arguments.certificate.as_deref().unwrap_or_else(|| files::folder_of(arguments.session.sign_in.bundle.path()));
    let Listening { door, announced, file: _file } = arguments.listen.open(folder, &names)?;
    let service =
        Service { gateway: Arc::clone(&gateway), log, run: credentials::random_hex::<4>()?, count: AtomicU64::new(0) };
    let report = Arc::new(move |why: &str| log.note(&format!("a connection: {why}")));

    let (state, keeper, snapshots) = (arguments.state.clone(), Arc::clone(&gateway), handle.clone());
    let on_event = move |event: &SessionEvent| {
        keeper.heard(event);
        log.event(event);
        if matches!(event, SessionEvent::Negotiated { .. }) {
            keep(state.as_deref(), &snapshots);
        }
    };
    let (runtime, ending) = (driving::runtime()?, driving::runtime()?);
    let server = Server::start(door, service::answers(Arc::new(service)), service::LIMITS, report)?;
    output::print_json(&announced)?;
    let close = || {
        ending.block_on(gateway.sockets.end());
        server.stop();
        keep(arguments.state.as_deref(), &handle);
    };
    Ok(lifetime.last(runtime, driver, &handle, on_event, close)?)
}

/// The session, and when its token ends if there is one already.
fn session(
    arguments: &Arguments,
    consumer: Consumer,
    unlocked: UnlockedToken,
) -> Result<(Session, Option<ibkr_oauth::Timestamp>), Failure> {
    let mut config = arguments.session.config();
    if arguments.state.is_some() {
        config.on_shutdown = OnShutdown::LeaveOpen;
    }
    let now = local::now();
    let snapshot = arguments
        .state
        .as_deref()
        .map(state_file::read)
        .transpose()?
        .flatten()
        .filter(|snapshot| snapshot.expires_at() > now);
    Ok(match snapshot {
        Some(snapshot) => {
            let expires_at = snapshot.expires_at();
            (Session::resume(consumer, unlocked, config, snapshot, now)?, Some(expires_at))
        }
        None => (Session::new(consumer, unlocked, config), None),
    })
}

/// Writes the session's state down, where that is asked for and it has one.
fn keep(state: Option<&Path>, session: &SessionHandle) {
    let Some((path, snapshot)) = state.zip(session.snapshot()) else { return };
    if let Err(failure) = state_file::write(path, &snapshot) {
        warning::warn(&format!("the state could not be written: {}", failure.what()), failure.remedy());
    }
}

/// Who may ask, as the command line says it.
fn callers(arguments: &Arguments) -> Result<Callers, Failure> {
    let token = arguments.token_file.as_deref().map(read_token).transpose()?;
    let mut hosts = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    match &arguments.listen {
        Listen::Tcp(address) => {
            if !address.ip().is_loopback() && token.is_none() {
                return Err(Failure::usage(
                    format!("whoever reaches {address} could use this gateway"),
                    "give `--token-file`, or listen at a port of this machine alone",
                ));
            }
            if !address.ip().is_unspecified() {
                hosts.push(address.ip().to_string());
            }
        }
        #[cfg(unix)]
        Listen::Unix(_) => return Ok(Callers { hosts: None, token }),
    }
    hosts.extend(arguments.allow_host.iter().cloned());
    hosts.sort();
    hosts.dedup();
    Ok(Callers { hosts: Some(hosts), token })
}

fn read_token(path: &Path) -> Result<Secret, Failure> {
    let shown = path.display();
    let content = reading::file(path).map_err(|error| {
        Failure::usage(format!("the token {shown} cannot be read: {error}"), reading::remedy(&error))
    })?;
    exposure::check(path, &content);
    let token = content.text().map_or("", str::trim);
    if token.len() < SHORTEST_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::usage(
            format!("{shown} has no token in it of {SHORTEST_TOKEN} letters, digits and signs or more"),
            "make one with `openssl rand -hex 32`",
        ));
    }
    hidden::add(token);
    Ok(Secret::from(token))
}
