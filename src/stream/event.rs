//! What a stream says about itself.

use std::{fmt, sync::Arc};

use super::topic::{Kind, Topic};
use crate::{context::Timestamp, error::Error};

/// Something that happened to a stream.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StreamEvent {
    /// The broker says that the user is authenticated on this connection: what is subscribed is asked for now.
    Ready,
    /// The broker said that the user is not authenticated, and took it back: what is subscribed is asked for again, on the same
    /// connection.
    Restored {
        /// From when on messages may be missing.
        since: Timestamp,
    },
    /// The connection was lost, is given up, or could not be opened. Another follows.
    Disconnected {
        /// Why.
        error: Error,
        /// From when on messages may be missing; `None` where nothing was subscribed on it.
        since: Option<Timestamp>,
        /// When the next is opened, at the earliest, if the session is live by then.
        retry_at: Timestamp,
    },
    /// The connection is closed for one under the new live session token.
    Renewing {
        /// From when on messages may be missing.
        since: Timestamp,
    },
    /// A subscription is confirmed: by its first message, or where there is none to expect, by no refusal within 5 s.
    Subscribed {
        /// Which.
        topic: Topic,
        /// Where it was confirmed before and then lost: from when on its messages may be missing, until now.
        gap: Option<Timestamp>,
    },
    /// A subscription was asked for twice, and nothing came. It is asked for again, less and less often.
    Unconfirmed {
        /// The [name](Topic::name) of its topic.
        topic: Arc<str>,
        /// Where it was confirmed before: from when on its messages may be missing.
        since: Option<Timestamp>,
        /// When next.
        retry_at: Timestamp,
    },
    /// The broker refused a subscription. It is asked for again, less and less often.
    Refused {
        /// The [name](Topic::name) of its topic.
        topic: Arc<str>,
        /// In the broker's words.
        error: Error,
        /// Where it was confirmed before: from when on its messages may be missing.
        since: Option<Timestamp>,
        /// When next.
        retry_at: Timestamp,
    },
    /// A line of market data has been quiet for five minutes. It is asked for again, once; this is not said again until it
    /// speaks by itself.
    Quiet {
        /// The [name](Topic::name) of its topic.
        topic: Arc<str>,
        /// When its last message came. Later ones may be missing; or there were none, as at night.
        since: Timestamp,
    },
    /// The broker sent an error that names no subscription.
    Error(Error),
    /// Frames came that are no JSON, and were dropped. Said at most once a minute.
    Unreadable {
        /// How many, since this was said last.
        frames: u64,
    },
    /// The stream has ended: it was told to, or the session has.
    Closed,
}

impl StreamEvent {
    /// The event's name for programs and logs: lower case, with hyphens. It does not change.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Restored { .. } => "restored",
            Self::Disconnected { .. } => "disconnected",
            Self::Renewing { .. } => "renewing",
            Self::Subscribed { .. } => "subscribed",
            Self::Unconfirmed { .. } => "unconfirmed",
            Self::Refused { .. } => "refused",
            Self::Quiet { .. } => "quiet",
            Self::Error(_) => "error",
            Self::Unreadable { .. } => "unreadable",
            Self::Closed => "closed",
        }
    }
}

fn missing_since(since: Option<Timestamp>) -> String {
    since.map_or_else(String::new, |since| format!("messages may be missing since {since}; "))
}

/// What is lost in a gap of a topic, and what has it.
fn missing(topic: &Topic) -> &'static str {
    match topic.kind() {
        Kind::MarketData | Kind::Book | Kind::ProfitAndLoss | Kind::Summary | Kind::Ledger => {
            "what changed meanwhile is in the next messages, its course is not"
        }
        Kind::History => "nothing is missing, it comes once",
        Kind::Orders => "orders may have changed: `GET /iserver/account/orders` has them",
        Kind::Trades if topic.replays() => "trades of these days come again, and some twice",
        Kind::Trades => "`GET /iserver/account/trades` has what happened meanwhile",
        Kind::Unasked | Kind::Other => "messages may be missing, and do not come again",
    }
}

impl fmt::Display for StreamEvent {
    /// One sentence for a reader, on one line and with no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("the stream is ready"),
            Self::Restored { since } => {
                write!(f, "the broker serves the stream again after a doubt; messages may be missing since {since}")
            }
            Self::Disconnected { error, since, retry_at } => {
                let missing = missing_since(*since);
                write!(f, "{error}; {missing}next connection at {retry_at} at the earliest; {}", error.remedy())
            }
            Self::Renewing { since } => write!(
                f,
                "the live session token is a new one, so the stream connects anew; messages may be missing since {since}"
            ),
            Self::Subscribed { topic, gap: None } => write!(f, "subscribed: {}", topic.name()),
            Self::Subscribed { topic, gap: Some(since) } => {
                write!(f, "subscribed again: {}, lost since {since}: {}", topic.name(), missing(topic))
            }
            Self::Unconfirmed { topic, since, retry_at } => write!(
                f,
                "nothing comes of the subscription of {topic}; {}asked for again at {retry_at}",
                missing_since(*since)
            ),
            Self::Refused { topic, error, since, retry_at } => {
                let missing = missing_since(*since);
                write!(f, "{topic}: {error}; {missing}asked for again at {retry_at}; {}", error.remedy())
            }
            Self::Quiet { topic, since } => {
                write!(f, "{topic} has been quiet since {since}: asked for again; messages may be missing")
            }
            Self::Error(error) => write!(f, "{error}; {}", error.remedy()),
            Self::Unreadable { frames } => write!(f, "{frames} frames were no JSON, and were dropped"),
            Self::Closed => f.write_str("the stream has ended"),
        }
    }
}
