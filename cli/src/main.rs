//! The command line `ibkr-oauth`: makes keys, signs in with a credential bundle, signs requests and sends them, finds out
//! what is wrong, and plays the broker.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the library does no input and output of its own; this program does it in its place"
)]

use std::{env, ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand};

mod among_sources;
mod arguments;
mod authorize;
mod backend;
mod brokerage;
mod connection;
mod connector;
mod consent;
mod credentials;
mod default_port;
mod doctor;
mod driving;
mod explain;
mod exposure;
mod failure;
mod failure_report;
mod files;
mod gateway;
mod handshake;
mod hidden;
mod http_client;
mod keygen;
#[cfg(feature = "rsa")]
mod machine_rng;
mod no_proxy;
mod output;
mod own_files;
mod proxy;
mod report;
mod request;
#[cfg_attr(not(feature = "simulate"), allow(dead_code, unused_imports, reason = "much of it is for the simulator"))]
mod serving;
mod session;
mod sign;
mod sign_in;
#[cfg(feature = "simulate")]
mod simulate;
#[cfg(feature = "simulate")]
mod simulated_account;
mod standard_input;
#[cfg_attr(not(feature = "simulate"), allow(dead_code, unused_imports, reason = "much of it is for the simulator"))]
mod stop;
mod stream;
mod token;
mod warning;
mod wrong_arguments;

#[cfg(all(test, unix, feature = "simulate"))]
mod broken_inputs;

#[cfg(not(any(feature = "rsa", feature = "aws-lc-rs")))]
compile_error!("turn on the feature `rsa` or `aws-lc-rs`: without either the program could read no key");

use output::Format;

/// Sign in to Interactive Brokers' Web API, sign requests and send them, and find out why it does not work.
#[derive(Parser)]
#[command(name = "ibkr-oauth", version, after_help = AFTER_HELP)]
struct CommandLine {
    /// How results and errors are written; `text` unless given, but for `token`, which prints JSON.
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    output: Option<Format>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sign in, and print the live session token as a JSON object.
    Token(token::Arguments),
    /// Sign in, sign a request, send it, and print the body of the response.
    Request(request::Arguments),
    /// Print the `Authorization` header of a request. Nothing is sent, and no private key is read.
    Sign(sign::Arguments),
    /// Find out what is wrong: check the bundle, then try each layer up to the brokerage session.
    Doctor(doctor::Arguments),
    /// Explain the cause that an error names; or how a request is signed, step by step. Nothing is sent.
    Explain(explain::Arguments),
    /// Get a user's consent, and write the access token into the bundle.
    Authorize(authorize::Arguments),
    /// Make the keys of a new consumer, and say what to upload where.
    Keygen(keygen::Arguments),
    /// Keep a session alive, and say what happens to it, until Ctrl-C or SIGTERM, which log out.
    Session(session::Arguments),
    /// Print what the broker's WebSocket says, a JSON object a line, over all gaps.
    Stream(stream::Arguments),
    /// Take the place of the broker's Client Portal Gateway: sign for programs in any language, and keep their session.
    Gateway(gateway::Arguments),
    /// Play the broker for clients in any language.
    #[cfg(feature = "simulate")]
    Simulate(simulate::Arguments),
}

const AFTER_HELP: &str = r#"The bundle is a JSON object:

  {
    "consumer_key": "MYCONSKEY",
    "access_token": "218c1d970d85a8442825",
    "access_token_secret": "…Base64, as the portal shows it…",
    "signature_key": {"file": "private_signature.pem"},
    "encryption_key": {"file": "private_encryption.pem", "passphrase": {"env": "IBKR_PASSPHRASE"}},
    "dh_params": {"file": "dhparam.pem"}
  }

Each of the last three is the text itself, {"file": "…"} (relative to the bundle's folder) or {"env": "…"}.
Optional are "realm", "base_url" and "query_policy".

To begin with:
  ibkr-oauth keygen --out keys                          make the keys, and read what to upload where
  ibkr-oauth doctor --bundle keys/bundle.json           see whether all fits together
  ibkr-oauth request --bundle keys/bundle.json GET /portfolio/accounts

Exit status: 0 on success; 1 if the broker or the network said no, the response could not be trusted, or `doctor`
found an error; 2 if the command line or the bundle cannot be used. An error is two lines on standard error:
what happened, and what to try; where its cause has a name, a third has the command that explains it. With `--output json`
it is an object with `error`, `try`, and where they are known `kind`, `stage`, `status` and `cause`. Colours are used on a terminal, unless NO_COLOR is set.

What others write is shown without the bundle's credentials, and with its invisible characters escaped."#;

fn main() -> ExitCode {
    let status = run(&env::args_os().collect::<Vec<_>>());
    hidden::forget();
    status
}

/// Runs the program with these arguments, its name first.
fn run(arguments: &[OsString]) -> ExitCode {
    let CommandLine { output, command } = match CommandLine::try_parse_from(arguments) {
        Ok(command_line) => command_line,
        Err(error) => return wrong_arguments::report(&error, arguments),
    };
    let format = output.unwrap_or_default();
    warning::set_format(format);
    let result = match command {
        Command::Token(arguments) => token::run(&arguments, output.unwrap_or(Format::Json)),
        Command::Request(arguments) => request::run(&arguments, format),
        Command::Sign(arguments) => sign::run(&arguments, format),
        Command::Doctor(arguments) => doctor::run(&arguments, format),
        Command::Explain(arguments) => explain::run(&arguments, format),
        Command::Authorize(arguments) => authorize::run(&arguments, format),
        Command::Keygen(arguments) => keygen::run(&arguments, format),
        Command::Session(arguments) => session::run(&arguments, format),
        Command::Stream(arguments) => stream::run(&arguments, format),
        Command::Gateway(arguments) => gateway::run(&arguments, format),
        #[cfg(feature = "simulate")]
        Command::Simulate(arguments) => simulate::run(&arguments, format),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure_report::report(&failure, format),
    }
}
