//! `ibkr-oauth session`

use clap::{Args, ValueEnum};
use ibkr_oauth::{
    OsEntropy,
    driver::Driver,
    local,
    session::{CompetePolicy, Session, SessionConfig, SessionEvent},
};
use serde_json::{Value, json};

use crate::{
    credentials,
    failure::{self, Failure},
    output::{self, Format},
    sign_in::SignInArguments,
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
    sign_in: SignInArguments,
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

/// What to do about another session of the same user.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Compete {
    /// Leave it alone, and ask again from time to time.
    Yield,
    /// Throw it out at the first opening, and leave it alone from then on.
    TakeOnce,
    /// Throw it out each time.
    TakeAlways,
}

impl From<Compete> for CompetePolicy {
    fn from(compete: Compete) -> Self {
        match compete {
            Compete::Yield => Self::Yield,
            Compete::TakeOnce => Self::TakeOnce,
            Compete::TakeAlways => Self::TakeAlways,
        }
    }
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    let (consumer, token) = arguments.sign_in.credentials()?;
    let client = arguments.sign_in.connection.client(consumer.endpoints())?;
    let unlocked = credentials::with_context(|cx| consumer.unlock(cx, &token))?;

    let mut config = SessionConfig::default();
    config.brokerage = !arguments.read_only;
    config.correct_clock = arguments.correct_clock;
    config.compete = arguments.compete.into();
    let driver = Driver::new(Session::new(consumer, unlocked, config), OsEntropy);
    let handle = driver.handle();
    stop::in_order("stopped without waiting for the logout", move || handle.shutdown())?;

    let mut result = Ok(());
    driver.run_blocking(&client, |event| {
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
    let now = local::now().to_string();
    let text = event.to_string();
    match format {
        Format::Text => output::print_line(&format!("{now} {text}")),
        Format::Json => {
            output::print_json(&json!({ "at": now, "event": event.name(), "text": text, "details": details(event) }))
        }
    }
}

/// The event's parts, for programs.
pub(crate) fn details(event: &SessionEvent) -> Value {
    match event {
        SessionEvent::StateChanged { from, to } => json!({ "from": from.to_string(), "to": to.to_string() }),
        SessionEvent::Negotiated { expires_at, .. } => json!({ "expires_at": expires_at.to_string() }),
        SessionEvent::Failed { error, retry_at } | SessionEvent::Displaced { error, retry_at } => {
            with(failure::json(error), "retry_at", &retry_at.to_string())
        }
        SessionEvent::PenaltyBox { until } => json!({ "until": until.to_string() }),
        SessionEvent::ClockStepped { by } => json!({ "seconds": by.as_secs() }),
        SessionEvent::ClockSkew { seconds, corrected } => json!({ "seconds": seconds, "corrected": corrected }),
        SessionEvent::ExpiryIgnored { stated } => json!({ "stated": stated.to_string() }),
        SessionEvent::Closed { logged_out } => json!({ "logged_out": logged_out }),
        SessionEvent::GaveUp { error } => failure::json(error),
        _ => Value::Null,
    }
}

/// The object with one more field.
fn with(mut object: Value, name: &str, value: &str) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.insert(name.to_owned(), value.into());
    }
    object
}
