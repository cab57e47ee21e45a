//! `ibkr-oauth stream`

use std::{num::NonZeroU64, time::Duration};

use clap::Args;
use ibkr_oauth::{
    client::{Client, Events, Subscription},
    local,
    session::Session,
    stream::{Message, Topic},
};
use serde_json::{Value, json};
use tokio::select;

use crate::{
    driving,
    failure::Failure,
    http_client,
    output::{self, Format},
    sign_in::SessionArguments,
    stop,
};

/// The arguments of `stream`.
#[derive(Args)]
#[command(after_help = "\
Each message is one JSON object in a line on standard output: {\"at\":…,\"topic\":…,\"message\":…}, the message being the
broker's. What happens to session and stream is said on standard error: gaps, with the time since which messages may be
missing, refusals, and lines of market data that are quiet. Lines are asked for again before the broker ends them, and
after each gap everything is. On Ctrl-C, SIGTERM and SIGHUP, and when nobody reads its output any more, the program logs
out and ends with status 0.

A topic is written as in the broker's documentation; a number alone is a contract's last price, bid and ask.

Examples:
  ibkr-oauth stream --bundle bundle.json 265598 8314
  ibkr-oauth stream --bundle bundle.json 'smd+265598+{\"fields\":[\"31\",\"7295\"]}' sor str
  ibkr-oauth stream --bundle bundle.json --count 100 ssd+DU1234567 > summary.jsonl")]
pub(crate) struct Arguments {
    #[command(flatten)]
    session: SessionArguments,
    /// End after N messages.
    #[arg(long, value_name = "N")]
    count: Option<NonZeroU64>,
    /// What to listen to: `smd+CONID+{"fields":[…]}`, `sor`, `str`, `spl`, `ssd+ACCOUNT`, …
    #[arg(required = true, value_name = "TOPIC", value_parser = parse_topic)]
    topics: Vec<Topic>,
}

fn parse_topic(text: &str) -> Result<Topic, String> {
    if let Ok(conid) = text.parse::<u32>() {
        return Ok(Topic::market_data(conid.into(), &["31", "84", "86"]));
    }
    text.parse::<Topic>().map_err(|error| format!("{error}; {}", error.remedy()))
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    let (consumer, unlocked, connector) = arguments.session.open()?;
    let session = Session::new(consumer, unlocked, arguments.session.config());
    let (client, driver) = Client::with_session(http_client::transport(connector), session);
    let (stream, stream_driver) = client.stream();
    let events = stream.events();
    let messages = stream.subscribe_all(&arguments.topics)?;
    let handle = client.handle().clone();
    stop::in_order("stopped without waiting for the logout", move || handle.shutdown())?;

    let on_event = move |event: &_| {
        let (text, object) = driving::line(event);
        format.note(&text, &object);
    };
    driving::runtime()?.block_on(async {
        let driving = tokio::spawn(driving::drive(driver, on_event));
        let streaming = tokio::spawn(stream_driver);
        let result = listen(messages, events, arguments.count, format).await;
        client.handle().shutdown();
        // What the session still has to say comes by its driver; a task that panicked has said so.
        let ended = driving.await.unwrap_or(Ok(()));
        let _ = tokio::time::timeout(Duration::from_secs(3), streaming).await;
        ended?;
        result
    })
}

/// Prints what comes, until the stream ends, enough has come or nobody reads it: a session that nobody listens to would keep
/// the user's others out.
async fn listen(
    mut messages: Subscription,
    mut events: Events,
    count: Option<NonZeroU64>,
    format: Format,
) -> Result<(), Failure> {
    let mut left = count.map(NonZeroU64::get);
    while left != Some(0) {
        select! {
            // Events before messages, since what was missed was missed before.
            biased;
            Some(event) = events.next() => {
                let (now, text) = (local::now().to_string(), event.to_string());
                format.note(&format!("{now} {text}"), &json!({ "at": now, "event": event.name(), "text": text }));
            }
            message = messages.next() => {
                let Some(message) = message else { break };
                if !print(&message)? {
                    break;
                }
                left = left.map(|left| left - 1);
            }
        }
    }
    Ok(())
}

/// Prints the message, and says whether anybody still reads.
fn print(message: &Message) -> Result<bool, Failure> {
    let content: Value = serde_json::from_slice(&message.bytes)
        .unwrap_or_else(|_| String::from_utf8_lossy(&message.bytes).into_owned().into());
    output::print_more(&json!({ "at": local::now().to_string(), "topic": &*message.topic, "message": content }))
}
