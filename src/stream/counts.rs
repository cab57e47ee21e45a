//! What a stream counts.

/// What a [`Stream`](super::Stream) has received since its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Frames of any kind.
    pub frames: u64,
    /// Those that were handed on as a [`Message`](super::Message).
    pub messages: u64,
    /// Those whose text was not UTF-8, with U+FFFD for what was not.
    pub not_utf8: u64,
    /// Those that were no JSON, and were dropped.
    pub unreadable: u64,
    /// Connections that became ready.
    pub connections: u64,
}
