//! `ibkr-oauth session`

use clap::{Args, ValueEnum};
use ibkr_oauth::{
    Error, OsEntropy,
    adapter::ureq::drive,
    driver::Driver,
    session::{CompetePolicy, Session, SessionConfig, SessionEvent},
};
use serde_json::{Value, json};

use crate::{
    arguments::QueryPolicyArguments,
    connection::ConnectionArguments,
    credentials::{self, BundleArguments},
    failure::{self, Failure},
    output::{self, Format},
    stop,
};

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
    bundle: BundleArguments,
    #[command(flatten)]
    connection: ConnectionArguments,
    #[command(flatten)]
    query_policy: QueryPolicyArguments,
    /// Open no brokerage session: enough for portfolios, not for what lies under `/iserver`.
    #[arg(long)]
    read_only: bool,
    /// What to do about another session of the same user, in TWS, on the phone, or in another program.
    #[arg(long, value_enum, value_name = "POLICY", default_value_t = Compete::Yield)]
    compete: Compete,
    /// Date signatures by the broker's clock where that differs from this machine's.
    #[arg(long)]
    correct_clock: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Compete {
    /// Leave it alone, and ask again from time to time.
    Yield,
    /// Throw it out at the first opening, and leave it alone from then on.
    TakeOnce,
    /// Throw it out each time.
    TakeAlways,
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    let bundle = arguments.bundle.read_whole()?;
    let consumer = arguments.query_policy.apply(bundle.consumer_builder()?).build()?;
    let token = credentials::access_token(&bundle)?;
    let agent = arguments.connection.agent(consumer.endpoints())?;
    let unlocked = credentials::with_context(|cx| consumer.unlock(cx, &token))?;

    let mut config = SessionConfig::default();
    config.brokerage = !arguments.read_only;
    config.correct_clock = arguments.correct_clock;
    config.compete = match arguments.compete {
        Compete::Yield => CompetePolicy::Yield,
        Compete::TakeOnce => CompetePolicy::TakeOnce,
        Compete::TakeAlways => CompetePolicy::TakeAlways,
    };
    let driver = Driver::new(Session::new(consumer, unlocked, config), OsEntropy);
    let handle = driver.handle();
    let mut asked = false;
    stop::on_request(move || {
        if std::mem::replace(&mut asked, true) {
            output::print_note("stopped without waiting for the logout");
            std::process::exit(1);
        }
        handle.shutdown();
    })?;

    let mut result = Ok(());
    drive(&agent, driver, |event| {
        let written = print(&event, format);
        if result.is_ok() {
            result = written;
        }
        if let SessionEvent::GaveUp { error } = event {
            result = Err(Failure::from(error));
        }
    });
    result
}

fn print(event: &SessionEvent, format: Format) -> Result<(), Failure> {
    let (name, text, details) = describe(event);
    let now = credentials::now().to_string();
    match format {
        Format::Text => output::print_line(&format!("{now} {text}")),
        Format::Json => output::print_json(&json!({ "at": now, "event": name, "text": text, "details": details })),
    }
}

/// The event's name, what it says to a reader, and its parts.
fn describe(event: &SessionEvent) -> (&'static str, String, Value) {
    match event {
        SessionEvent::StateChanged { from, trigger, to } => (
            "state-changed",
            format!("{from} -> {to} ({trigger})"),
            json!({ "from": from.to_string(), "trigger": trigger.to_string(), "to": to.to_string() }),
        ),
        SessionEvent::Negotiated { expires_at, .. } => (
            "negotiated",
            format!("a live session token was negotiated and proved; it expires at {expires_at}"),
            json!({ "expires_at": expires_at.to_string() }),
        ),
        SessionEvent::Failed { error, retry_at } => (
            "failed",
            format!("{error}; next attempt at {retry_at}; {}", error.remedy()),
            with(failure::json(error), "retry_at", &retry_at.to_string()),
        ),
        SessionEvent::Displaced { retry_at } => (
            "displaced",
            format!("another session of this user has the brokerage session; next attempt at {retry_at}"),
            json!({ "retry_at": retry_at.to_string() }),
        ),
        SessionEvent::PenaltyBox { until } => (
            "penalty-box",
            format!("too many requests: nothing is sent until {until}"),
            json!({ "until": until.to_string() }),
        ),
        SessionEvent::HostGone => {
            ("host-gone", "this host does not serve the session any more: try another base URL".to_owned(), Value::Null)
        }
        SessionEvent::ClockStepped { by } => (
            "clock-stepped",
            format!("the clock was set back by {} s, so a new live session token is negotiated", by.as_secs()),
            json!({ "seconds": by.as_secs() }),
        ),
        SessionEvent::ClockSkew { seconds, corrected } => (
            "clock-skew",
            format!("the broker's clock is {}{}", skew(*seconds), if *corrected { "; corrected" } else { "" }),
            json!({ "seconds": seconds, "corrected": corrected }),
        ),
        SessionEvent::Closed { logged_out } => (
            "closed",
            if *logged_out { "closed, and logged out" } else { "closed, without a confirmed logout" }.to_owned(),
            json!({ "logged_out": logged_out }),
        ),
        SessionEvent::GaveUp { error } => ("gave-up", gave_up(error), failure::json(error)),
        // Nothing here makes them, and none of them holds a secret.
        other => ("other", format!("{other:?}"), Value::Null),
    }
}

/// The object with one more field.
fn with(mut object: Value, name: &str, value: &str) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.insert(name.to_owned(), value.into());
    }
    object
}

fn gave_up(error: &Error) -> String {
    format!("gave up: {error}")
}

fn skew(seconds: i64) -> String {
    let by = seconds.unsigned_abs();
    if seconds < 0 { format!("{by} s behind this machine's") } else { format!("{by} s ahead of this machine's") }
}
