//! Who must act, and where in the protocol it happened.

use std::fmt;

/// Who must act on an [`Error`](crate::Error).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The program: a setting or an argument is missing or cannot work. Nothing was sent.
    Config,
    /// The keeper of the keys: a key is missing, unreadable or refused its work.
    Key,
    /// The machine: its source of random bytes failed.
    Entropy,
    /// The owner of the account or of the consumer key: the broker, or the user at the consent page, said no.
    Rejected,
    /// The caller: the broker refuses this one request of the application's, or it came too early. Token and sessions are
    /// as good as before.
    Request,
    /// Nobody yet: the broker cannot answer now. Try again later, with a new signature.
    Unavailable,
    /// The operator of the connection: what came back is not a response of this protocol.
    Malformed,
    /// The owner of the keys: the response did not prove that the other side knows the shared secret. Do not trust it.
    Unverified,
}

/// Where in the protocol an [`Error`](crate::Error) arose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Reading a key or Diffie-Hellman parameters.
    Key,
    /// Reading a credential bundle.
    Bundle,
    /// Putting a [`Consumer`](crate::Consumer) together.
    Consumer,
    /// `POST /oauth/request_token`.
    RequestToken,
    /// The user's consent in the browser and the callback from it.
    Authorize,
    /// `POST /oauth/access_token`.
    AccessToken,
    /// Decrypting the access token's secret.
    Unlock,
    /// `POST /oauth/live_session_token`.
    LiveSessionToken,
    /// Signing a protected request.
    Sign,
    /// `POST /iserver/auth/ssodh/init`.
    OpenBrokerage,
    /// `POST /iserver/auth/status`.
    BrokerageStatus,
    /// `GET /iserver/accounts`.
    Accounts,
    /// `POST /tickle`.
    Tickle,
    /// `POST /logout`.
    Logout,
    /// The WebSocket upgrade.
    WebSocket,
    /// Sending a request, or receiving the response to it.
    Transport,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "key",
            Self::Bundle => "credential bundle",
            Self::Consumer => "consumer",
            Self::RequestToken => "request token",
            Self::Authorize => "user authorization",
            Self::AccessToken => "access token",
            Self::Unlock => "access token secret",
            Self::LiveSessionToken => "live session token",
            Self::Sign => "signature",
            Self::OpenBrokerage => "brokerage session",
            Self::BrokerageStatus => "brokerage status",
            Self::Accounts => "accounts",
            Self::Tickle => "tickle",
            Self::Logout => "logout",
            Self::WebSocket => "WebSocket",
            Self::Transport => "transport",
        })
    }
}

impl ErrorKind {
    /// The name for programs: lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Key => "key",
            Self::Entropy => "entropy",
            Self::Rejected => "rejected",
            Self::Request => "request",
            Self::Unavailable => "unavailable",
            Self::Malformed => "malformed",
            Self::Unverified => "unverified",
        }
    }

    pub(super) const fn remedy(self) -> &'static str {
        match self {
            Self::Config => "correct the setting or argument that is named",
            Self::Key => "check the key that is named and the form it is given in",
            Self::Entropy => "look after the machine's source of random numbers",
            Self::Rejected => "check the consumer key, the access token and the keys registered with the broker",
            Self::Request => "check what was asked for: the request's path, query and body",
            Self::Unavailable => "wait, then send the request again with a new signature",
            Self::Malformed => "check the base URL, and whether a proxy answers in the broker's place",
            Self::Unverified => "check the encryption key, the Diffie-Hellman parameters and the consumer key",
        }
    }
}
