//! `ibkr-oauth session`

use std::sync::mpsc;

use clap::Args;
use ibkr_oauth::{client::Client, session::Session};

use crate::{driving, failure::Failure, http_client, output::Format, sign_in::SessionArguments, stop};

/// The arguments of `session`.
#[derive(Args)]
#[command(after_help = "\
Each event is a line on standard output, with its time. Ctrl-C, SIGTERM and SIGHUP log out, and then the program ends
with status 0; asked a second time, it ends at once. It ends with status 1 where going on is hopeless.

Examples:
  ibkr-oauth session --bundle bundle.json
  ibkr-oauth session --bundle bundle.json --read-only --output json
  ibkr-oauth session --bundle bundle.json --compete take-once")]
pub(crate) struct Arguments {
    #[command(flatten)]
    session: SessionArguments,
    /// Open no brokerage session: enough for portfolios, not for what lies under `/iserver`.
    #[arg(long)]
    read_only: bool,
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    let (consumer, unlocked, connector) = arguments.session.open()?;
    let mut config = arguments.session.config();
    config.brokerage = !arguments.read_only;
    let session = Session::new(consumer, unlocked, config);
    let (client, driver) = Client::with_session(http_client::transport(connector), session);
    let handle = client.handle().clone();
    stop::in_order("stopped without waiting for the logout", move || handle.shutdown())?;
    let (not_written, failures) = mpsc::sync_channel(1);
    let on_event = move |event: &_| {
        let (text, object) = driving::line(event);
        if let Err(failure) = format.print(&text, &object) {
            // The first is the one that is reported.
            let _ = not_written.try_send(failure);
        }
    };
    driving::runtime()?.block_on(driving::drive(driver, on_event))?;
    failures.try_recv().map_or(Ok(()), Err)
}
