//! `ibkr-oauth simulate`

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Arc, Mutex, mpsc::RecvTimeoutError},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::{Args, value_parser};
use ibkr_oauth::{
    QueryPolicy,
    simulator::{Broker, BrokerBuilder, Fault, test_keys},
};
use serde_json::json;
use tokio::sync::watch;

use crate::{
    arguments,
    failure::Failure,
    output::{self, Format},
    serving::{self, Door, Server},
    simulated_account::Bundle,
    stop, warning,
};

mod account;
mod conformance;
mod folder;
mod keys;
mod log;
mod report;
mod responses;
mod service;
mod simulation;
mod socket;
mod upstream;

pub(crate) use account::{Account, Opened};
pub(crate) use keys::Keys;

use log::Log;
use simulation::{Simulation, Stage};
use upstream::Upstream;

/// The arguments of `simulate`.
#[derive(Args)]
#[command(after_help = help())]
pub(crate) struct Arguments {
    /// Where to listen: a port of this machine alone, or HOST:PORT. Port 0 stands for any that is free.
    #[arg(long, value_name = "PORT|HOST:PORT", default_value = "0", value_parser = serving::parse_address)]
    listen: SocketAddr,
    /// The base URL that clients sign, where what they send to it is led here by other means. Unless given, where this
    /// listens, with `/v1/api`.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// The consumer key.
    #[arg(long, value_name = "KEY", default_value = test_keys::CONSUMER_KEY)]
    consumer_key: String,
    /// The realm; unless given, `test_realm` for TESTCONS, and `limited_poa` for all others.
    #[arg(long, value_name = "REALM")]
    realm: Option<String>,
    /// The callback registered for the consumer: the browser is sent there when a client's request names `oob`.
    #[arg(long, value_name = "URL")]
    callback: Option<String>,
    /// Your own keys, in a folder as `keygen` makes one: `private_signature.pem`, `private_encryption.pem`, and
    /// `dhparam.pem` where there is one. Nothing of it is copied.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// Diffie-Hellman parameters, in a file in any form that a bundle may have.
    #[arg(long, value_name = "FILE")]
    dh: Option<PathBuf>,
    /// The folder to write the bundle into; it is made where it is missing. Unless given: `ibkr-simulator` here, with a
    /// number behind it where that exists.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How queries and forms are verified. Unless given, by whichever policy explains the signature.
    #[arg(long, value_name = "POLICY", value_parser = arguments::query_policy_parser())]
    query_policy: Option<QueryPolicy>,
    /// Refuse what deviates from the written contract, instead of naming it.
    #[arg(long)]
    strict: bool,
    /// Something that goes wrong; repeat it for more. The names are below.
    #[arg(long, value_name = "NAME[@PATH][+AFTER][*TIMES]")]
    fault: Vec<Fault>,
    /// Divide how long things take: the life of a live session token, of a brokerage session without a tickle, of a penalty
    /// box. Timestamps are judged by the real clock.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..))]
    speed: u32,
    /// Answers of your own: each `.json` file in the folder is an object such as
    /// `{"GET /portfolio/accounts": [{"id": "DU1"}]}`; in a path, `{}` stands for any segment.
    #[arg(long, value_name = "DIR")]
    responses: Option<PathBuf>,
    /// A mock of your own, at this base URL: it answers what has passed every check, but for sign-in and session.
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// Play what real brokers do now and then, one case after the other, and report how the client took each: at the end,
    /// which comes by itself once all have been played.
    #[arg(long, conflicts_with_all = ["fault", "upstream", "speed"])]
    conformance: bool,
}

/// How often it is looked whether the cases of `--conformance` are over.
const TICK: Duration = Duration::from_millis(200);

const BEFORE_FAULTS: &str = "\
Writes DIR/bundle.json with everything that a client needs, and the keys as PEM files beside it: fixed keys for tests,
which everybody knows, unless `--keys` names others. What an earlier simulation of the same keys wrote there is renewed; any
other file of one of these names is left as it is, and then nothing is written. The first line on standard output is one
JSON object:

  {\"address\":\"127.0.0.1:41234\",\"authorize_url\":\"http://127.0.0.1:41234/authorize\",
   \"base_url\":\"http://127.0.0.1:41234/v1/api\",\"bundle\":\"/path/DIR/bundle.json\"}

Each request is a line on standard error: its status, and where it was refused the reason and the base string that was
expected. Deviations from the written contract that the real broker is known to accept are named there, and so is the query
policy that explains a signature. URLs are verified against the base URL, and a `Host` header of another name is a deviation. Runs
until Ctrl-C or SIGTERM.

A fault strikes one request: the first, or the first at PATH (from the base URL on), after AFTER others, and TIMES of them.
While it runs, `POST /__simulator/faults` takes `{\"fault\": \"gone@/tickle\"}`, and `{\"action\": \"expire-token\"}`; a GET there
names the actions. The names:
";

const AFTER_FAULTS: &str = "
Examples:
  ibkr-oauth simulate --out sim
  ibkr-oauth simulate --listen 5055 --fault invalid-consumer --fault 'unavailable@/tickle+2*3'
  ibkr-oauth simulate --upstream http://127.0.0.1:3000
  ibkr-oauth token --bundle sim/bundle.json";

fn help() -> String {
    let faults: Vec<String> = Fault::names().map(|(name, what)| format!("  {name:<20} {what}")).collect();
    format!("{BEFORE_FAULTS}\n{}\n{AFTER_FAULTS}", faults.join("\n"))
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    // Before anything is announced, so that nobody can ask too early.
    let asked = stop::channel()?;
    let cannot_listen = |error: std::io::Error| {
        Failure::usage(format!("{} cannot be listened at: {error}", arguments.listen), "give another `--listen`")
    };
    let listener = TcpListener::bind(arguments.listen).map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    if !address.ip().is_loopback() {
        warning::warn(
            &format!("whoever reaches {address} can use this simulator: everybody has its keys"),
            "give `--listen 127.0.0.1:PORT` if only this machine needs it",
        );
    }
    let account = account(arguments, &format!("http://{address}"))?;
    let Opened { mut broker, realm, token } = account.open(builder(arguments))?;
    for fault in &arguments.fault {
        broker.inject(fault.clone());
    }
    if let Some(folder) = &arguments.responses {
        responses::set(&mut broker, folder)?;
    }
    let upstream = arguments.upstream.as_deref().map(Upstream::new).transpose()?;
    let bundle = Bundle {
        consumer_key: account.consumer_key.clone(),
        realm: realm.as_str().to_owned(),
        base_url: account.base_url.clone(),
        authorize_url: account.authorize_url.clone(),
        query_policy: arguments.query_policy.unwrap_or_default().name().to_owned(),
        access_token: token.token().to_owned(),
        access_token_secret: STANDARD.encode(token.encrypted_secret()),
        keys: account.keys.fields.clone(),
    };
    let bundle = folder::write(arguments.out.as_deref(), &bundle, &account.keys.files())?;
    let log = Log(format);
    let stage = if arguments.conformance { Stage::with_cases(broker) } else { Stage::new(broker) };
    let simulation = Arc::new(Simulation {
        stage: Mutex::new(stage),
        base_url: arguments::absolute_url(&account.base_url)?,
        address: address.to_string(),
        authorize_url: arguments::absolute_url(&account.authorize_url)?,
        upstream,
        log,
        happened: watch::Sender::new(0),
    });
    let report = Arc::new(move |why: &str| log.turned_away("a connection", None, why));
    let server =
        Server::start(Door::Tcp(listener, None), service::answers(Arc::clone(&simulation)), service::LIMITS, report)?;

    output::print_json(&json!({
        "address": address.to_string(),
        "base_url": account.base_url,
        "authorize_url": account.authorize_url,
        "bundle": bundle.to_string_lossy(),
    }))?;
    // A disconnected channel would say that the handler is gone, and then nobody can ask any more.
    while asked.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
        if simulation.report().is_some_and(|(_, is_over)| is_over) {
            break;
        }
    }
    simulation.close_sockets();
    server.stop();
    simulation.report().map_or(Ok(()), |(findings, _)| report::print(&findings, format))
}

/// The account that the broker is to know; `origin` is where it listens.
fn account(arguments: &Arguments, origin: &str) -> Result<Account, Failure> {
    let mut keys = match &arguments.keys {
        Some(folder) => Keys::in_folder(folder)?,
        None => Keys::for_tests()?,
    };
    if let Some(path) = &arguments.dh {
        keys = keys.with_group(path)?;
    }
    Ok(Account {
        consumer_key: arguments.consumer_key.clone(),
        realm: arguments.realm.clone(),
        keys,
        base_url: arguments.base_url.clone().unwrap_or_else(|| format!("{origin}/v1/api")),
        authorize_url: format!("{origin}/authorize"),
    })
}

fn builder(arguments: &Arguments) -> BrokerBuilder {
    let builder = Broker::builder().speed(arguments.speed);
    let builder = if arguments.strict { builder.strict() } else { builder };
    let builder = match arguments.query_policy {
        Some(policy) => builder.query_policy(policy),
        None => builder.any_query_policy(),
    };
    match &arguments.callback {
        Some(url) => builder.callback(url),
        None => builder,
    }
}
