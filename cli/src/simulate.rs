//! `ibkr-oauth simulate`

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
};

use clap::Args;
use ibkr_oauth::{
    AccessToken, Callback, Consumer, Endpoints, Error, QueryPolicy,
    dh::DhGroup,
    key::RsaKey,
    simulator::{Broker, BrokerBuilder, Fault, test_keys},
};
use serde_json::json;

use crate::{
    arguments,
    credentials::with_context,
    failure::Failure,
    output::{self, Format},
    simulated_account, stop, warning,
};

mod faults;
mod folder;
mod server;
mod simulation;

use simulation::Simulation;

/// The arguments of `simulate`.
#[derive(Args)]
#[command(after_help = "\
Writes DIR/bundle.json with everything that a client needs, and the keys as PEM files beside it: fixed keys for tests,
which everybody knows. What an earlier simulation wrote there is renewed; any other file of one of these names is left
as it is, and then nothing is written. The first line on standard output is one JSON object:

  {\"address\":\"127.0.0.1:41234\",\"base_url\":\"http://127.0.0.1:41234/v1/api\",\"bundle\":\"/path/DIR/bundle.json\"}

Each request that is refused is a line on standard error, with the reason and the base string that was expected, and so
is each that deviates from the written contract in a way that the real broker is known to accept. URLs
are verified against the address above, whatever a `Host` header says. Runs until Ctrl-C or SIGTERM.

A fault strikes one request; NAME:TIMES strikes more. The names:

  invalid-consumer     401 `invalid consumer`
  no-access-secret     401 `No access secret key found`, at the live session token
  lst-failed           401 `LST failed`, at the live session token
  wrong-proof          a live session token whose proof is wrong
  wrong-response       a Diffie-Hellman response that must not be trusted
  no-expiration        a live session token without its expiration
  expired-lst          every live session token ends
  no-bridge            the brokerage session takes 30 seconds to be ready
  not-authenticated    the brokerage session ends
  competing            another session has the brokerage session
  rate-limited         429
  penalty-box          429, and so for a minute
  gone                 410
  unavailable          503 without a body
  drop-request         the request never arrives
  drop-response        the request is obeyed, and the response lost
  clock-ahead          the broker's clock is ten minutes ahead from then on
  clock-behind         the broker's clock is ten minutes behind from then on

Examples:
  ibkr-oauth simulate --out sim
  ibkr-oauth simulate --listen 127.0.0.1:5055 --query-policy omit --fault invalid-consumer --fault gone:2
  ibkr-oauth token --bundle sim/bundle.json")]
pub(crate) struct Arguments {
    /// The address to listen at. Port 0 stands for any that is free.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
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
    /// Something that goes wrong; repeat it for more.
    #[arg(long, value_name = "NAME[:TIMES]", value_parser = faults::parse)]
    fault: Vec<Fault>,
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
    let base_url = format!("http://{address}/v1/api");

    let mut builder = Broker::builder();
    if arguments.strict {
        builder = builder.strict();
    }
    builder = match arguments.query_policy {
        Some(policy) => builder.query_policy(policy),
        None => builder.any_query_policy(),
    };
    let (mut broker, token) = open_account(builder, &base_url)?;
    for fault in &arguments.fault {
        broker.inject(fault.clone());
    }
    let bundle = folder::write(
        arguments.out.as_deref(),
        &simulated_account::bundle(&base_url, arguments.query_policy.unwrap_or_default(), &token),
    )?;
    let simulation = Arc::new(Simulation { broker: Mutex::new(broker), format });
    thread::spawn(move || server::serve(&listener, &format!("http://{address}"), &simulation));

    output::print_json(&json!({
        "address": address.to_string(),
        "base_url": base_url,
        "bundle": bundle.to_string_lossy(),
    }))?;
    // An error would say that the handler is gone, and then nobody can ask any more.
    let _ = asked.recv();
    Ok(())
}

/// A broker at this base URL, and the access token of its one consumer.
pub(crate) fn open_account(builder: BrokerBuilder, base_url: &str) -> Result<(Broker, AccessToken), Failure> {
    let unusable = |error: &dyn std::fmt::Display| {
        Failure::usage(format!("the broker cannot be simulated: {error}"), "give another `--listen`")
    };
    let mut broker = builder.base_url(base_url).build().map_err(|error| unusable(&error))?;
    let consumer = Consumer::builder(test_keys::CONSUMER_KEY)
        .signature_key(RsaKey::from_pem(test_keys::SIGNATURE_KEY).map_err(Error::from)?)
        .encryption_key(RsaKey::from_pem(test_keys::ENCRYPTION_KEY).map_err(Error::from)?)
        .dh_params(DhGroup::modp_2048())
        .endpoints(Endpoints::new(base_url)?)
        .build()?;
    let token = with_context(|cx| {
        let exchange = consumer.request_token(cx, Callback::OutOfBand)?;
        let reply = broker.handle(cx, exchange.request());
        let consent = exchange.complete(reply)?;
        let callback = broker.consent(cx, consent.url()).map_err(|refusal| unusable(&refusal))?;
        let exchange = consent.verifier(&callback)?.access_token(&consumer, cx)?;
        let reply = broker.handle(cx, exchange.request());
        Ok::<_, Failure>(exchange.complete(reply)?)
    })?;
    Ok((broker, token))
}
