//! What goes into a [`Stream`](super::Stream) and what comes out of it.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::Request;

use super::event::StreamEvent;
use crate::{context::Timestamp, secret::Secret, session::Failure};

/// What the stream wants. From [`Stream::poll_output`](super::Stream::poll_output).
#[non_exhaustive]
#[must_use = "an output that is dropped is a message never seen, or one never sent"]
pub enum Output {
    /// Open a WebSocket with this request, and answer with [`Input::Opened`] or [`Input::Failed`].
    Open(Request<()>),
    /// Send this as a text frame. It is UTF-8. One such text holds the session's cookie; hence the type.
    Send(Secret),
    /// Close the connection, or give up opening it. Nothing of it is to be handed in any more.
    Close,
    /// Hand the session [`Input::Tickle`](crate::session::Input::Tickle): the next connection needs a tickle that is newer
    /// than this moment.
    Tickle,
    /// Send this `GET` as a request of the application's own, by a [`Call`](crate::call::Call) say. Its response is of no
    /// interest: the broker has to have seen it, for a filtered query of the orders mutes `sor`.
    Request(Request<Bytes>),
    /// A message of the broker's.
    Message(Message),
    /// Something happened that the application may want to know.
    Event(StreamEvent),
    /// There is nothing to do before `at`, unless an input comes first or the view of the session changes. Call
    /// [`handle_input`](super::Stream::handle_input) with [`Input::Timeout`] then.
    Timeout {
        /// When to come back.
        at: Timestamp,
    },
    /// The stream has ended; nothing but this comes out of it any more.
    Finished,
}

/// What happened outside. For [`Stream::handle_input`](super::Stream::handle_input).
#[non_exhaustive]
pub enum Input {
    /// The connection of [`Output::Open`] is open.
    Opened,
    /// It could not be opened, or broke.
    Failed(Failure),
    /// A whole message came, of text or of bytes alike.
    Frame(Bytes),
    /// The broker closed the connection, with this code if it gave one.
    Closed(Option<u16>),
    /// End the stream.
    Shutdown,
    /// The time of the last [`Output::Timeout`] has come, or the view of the session has changed. Harmless when early.
    Timeout,
}

/// A message of the broker's, as it came.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// What it is about: the [name](super::Topic::name) of the topic that was subscribed, or the broker's own where there is
    /// none such. Empty where the broker gave none.
    pub topic: Arc<str>,
    /// JSON in UTF-8. What was not UTF-8 in it has become U+FFFD.
    pub bytes: Bytes,
}

// Without what the broker said, and what may name an account.
debug_fields!(self: Message { kind: self.topic.split('+').next().unwrap_or_default(), length: self.bytes.len() });

impl fmt::Debug for Output {
    /// Leaves out what is sent, and what the broker said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(request) => write!(f, "Open({:?})", request.uri().host()),
            Self::Send(text) => write!(f, "Send({text:?})"),
            Self::Close => f.write_str("Close"),
            Self::Tickle => f.write_str("Tickle"),
            Self::Request(request) => write!(f, "Request({})", request.uri().path()),
            Self::Message(message) => write!(f, "Message({message:?})"),
            Self::Event(event) => write!(f, "Event({event:?})"),
            Self::Timeout { at } => write!(f, "Timeout({at})"),
            Self::Finished => f.write_str("Finished"),
        }
    }
}

impl fmt::Debug for Input {
    /// Leaves out what the broker said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened => f.write_str("Opened"),
            Self::Failed(failure) => write!(f, "Failed({failure:?})"),
            Self::Frame(bytes) => write!(f, "Frame({} bytes)", bytes.len()),
            Self::Closed(code) => write!(f, "Closed({code:?})"),
            Self::Shutdown => f.write_str("Shutdown"),
            Self::Timeout => f.write_str("Timeout"),
        }
    }
}
