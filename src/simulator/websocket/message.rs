//! What the broker sends on a WebSocket.

use bytes::Bytes;

/// What a [`Socket`](super::super::Socket) has to be sent next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketOutput {
    /// A message.
    Message(SocketMessage),
    /// The end, with this code; `None` where the connection is cut without a close frame. Nothing comes after it.
    Close(Option<u16>),
}

/// One message of the broker's. `Debug` shows no more than its length, for some name the session.
#[derive(Clone, PartialEq, Eq)]
pub struct SocketMessage {
    payload: Bytes,
    is_text: bool,
    /// How many frames it is sent in.
    pieces: usize,
}

debug_fields!(self: SocketMessage { bytes: self.payload.len(), is_text: self.is_text });

impl SocketMessage {
    pub(super) const fn new(payload: Bytes, is_text: bool, pieces: usize) -> Self {
        Self { payload, is_text, pieces }
    }

    /// Its bytes: JSON in UTF-8, unless a [fault](super::super::Fault) has it otherwise.
    #[must_use]
    pub const fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Whether its opcode is that of text, even where its bytes are none.
    #[must_use]
    pub const fn is_text(&self) -> bool {
        self.is_text
    }

    /// The payloads of the frames that it is sent in, of which there is at least one: all that follow the first are
    /// continuations.
    pub fn pieces(&self) -> impl ExactSizeIterator<Item = Bytes> {
        let length = self.payload.len();
        let size = length.div_ceil(self.pieces.max(1));
        (0..self.pieces.max(1)).map(move |number| {
            let start = number.saturating_mul(size).min(length);
            self.payload.slice(start..start.saturating_add(size).min(length))
        })
    }
}
