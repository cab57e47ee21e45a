//! What can be wrong with a WebSocket from its opening on.

/// Something wrong with one WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum SocketFault {
    /// It is closed as soon as it is open.
    CloseAtOnce,
    /// The session of the right cookie is not known until a message names it.
    StaleSession,
    /// The status comes in messages of one key each.
    StatusInPieces,
    /// The status is at the top of its message, without `args`.
    StatusAtTop,
    /// No status comes, whatever happens to the session.
    NoStatus,
    /// That many subscriptions are lost without a word, the first ones.
    LoseSubscriptions(u32),
    /// Each message is binary.
    Binary,
    /// Each text about orders and trades has a byte in it that is not UTF-8.
    NotUtf8,
    /// Each message comes in three frames.
    Fragments,
    /// No heartbeat comes.
    NoHeartbeat,
    /// The first market data line falls silent after its first message.
    SilentLine,
    /// Between others come an empty object, text that is not JSON, a list, and a topic that nobody knows.
    OddMessages,
    /// No unsubscription is confirmed.
    Unconfirmed,
}
