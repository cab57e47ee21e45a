//! What a failure is about.

/// What a failure is about, and so what has to change before the next attempt can fare better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    /// This machine or program: a setting, a key, random numbers. Nothing was sent.
    Local,
    /// This one request. The token and the sessions are as good as before.
    Request,
    /// The live session token, or a signature made with it.
    Token,
    /// The brokerage session: there is none, it is not ready, or it cannot be opened so.
    BrokerageSession,
    /// What the broker has on record: the consumer, its keys, the access token, the user's rights. A person must act.
    Consumer,
    /// Nothing that was sent: the broker, or the way to it, cannot answer now.
    Unavailable,
    /// How much was sent.
    Pacing,
}
