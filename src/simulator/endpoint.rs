//! Which request is which, and what OAuth parameters each takes.

/// The three requests of the sign-in, and all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    RequestToken,
    AccessToken,
    LiveSessionToken,
    Protected,
}

impl Endpoint {
    pub(super) fn of(path: &str) -> Self {
        match path {
            "/oauth/request_token" => Self::RequestToken,
            "/oauth/access_token" => Self::AccessToken,
            "/oauth/live_session_token" => Self::LiveSessionToken,
            _ => Self::Protected,
        }
    }

    pub(super) const fn signature_method(self) -> &'static str {
        match self {
            Self::Protected => "HMAC-SHA256",
            _ => "RSA-SHA256",
        }
    }

    /// What the request needs besides the four parameters of every request and the signature.
    pub(super) const fn required(self) -> &'static [&'static str] {
        match self {
            Self::RequestToken => &["oauth_callback"],
            Self::AccessToken => &["oauth_token", "oauth_verifier"],
            Self::LiveSessionToken => &["oauth_token", "diffie_hellman_challenge"],
            Self::Protected => &["oauth_token"],
        }
    }

    /// The broker's own samples repeat the callback in both later steps, and it is known to let them.
    pub(super) const fn tolerated(self) -> &'static [&'static str] {
        match self {
            Self::AccessToken | Self::LiveSessionToken => &["oauth_version", "oauth_callback"],
            _ => &["oauth_version"],
        }
    }
}

/// What every request has.
pub(super) const COMMON: [&str; 5] =
    ["oauth_consumer_key", "oauth_nonce", "oauth_signature", "oauth_signature_method", "oauth_timestamp"];
